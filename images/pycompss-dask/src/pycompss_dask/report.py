"""Tells the results folder and the telemetry what happens to tasks and workers."""

from __future__ import annotations

import time
from typing import Any

from compss_telemetry.sink import Sink

from .data import Node
from .results import Results


class Report:
    """Notes each record at once in the results; events go to the sink when `send` is called."""

    def __init__(self, results: Results, sink: Sink) -> None:
        #: The results folder.
        self.results = results
        #: Takes the events, and knows the deadlines.
        self.sink = sink
        #: Events that have not been sent.
        self.events: list[dict[str, Any]] = []

    def started(self, record: dict[str, Any]) -> None:
        """Tasks that have been running for a while on one worker."""
        self.events += [
            {"event": "start", "id": task, "name": name, "worker": record["label"], "time": begin, "slot": slot}
            for task, name, begin, slot in record["started"]
        ]

    def worker(self, name: str, state: str, units: int, moment: float) -> None:
        """A worker `joined` or `left`, at `moment` in seconds since 1970."""
        if state == "joined":
            self.results.joined(name, units)
        else:
            self.results.left(name)
        self.events.append(
            {"event": "worker", "worker": name, "state": state, "computing_units": units, "time": moment}
        )

    def ended(self, record: dict[str, Any], node: Node) -> None:
        """A task has ended."""
        state, duration = record["state"], record["end"] - record["begin"]
        event = {
            "event": "end",
            "id": node.number,
            "name": node.name,
            "worker": record["worker"],
            "start": record["begin"],
            "time": record["end"],
            "duration": duration,
            "state": "FAILED" if state == "RAISED" else state,
            "attempt": self.results.ended(record, node.name),
            "slot": record["slot"],
            **self.sink.deadlines.of(node.name),
        }
        self.events.append(event)
        if state != "CANCELED" and self.sink.deadlines.check(node.name, duration):
            self.events.append({**event, "event": "deadline"})
        message = record.get("message", "")
        if state == "FAILED":
            self.results.log("ERROR", f"task {node.number} ({node.name}) failed on {record['worker']}: {message}")
        if state == "RAISED":
            self.results.log("WARN", f"task {node.number} ({node.name}) raised COMPSsException: {message}")

    def send(self, totals: dict[str, Any]) -> None:
        """Send what has gathered, and the totals of tasks with it."""
        self.results.counts(totals["ended"], totals["pending"])
        events, self.events = self.events, []
        self.sink.send([*events, {"event": "tasks", **totals, "time": time.time()}])

    def close(self, state: str) -> None:
        """Write the results; the run `ended` or `failed`."""
        self.results.finish()
        self.sink.send([{"event": "run", "state": state, "time": time.time()}])
        self.sink.close()
