"""Tells the results folder and the telemetry what happens to tasks and workers."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from compss_telemetry.sink import Sink

from .data import Node
from .results import Results

SINGLE = 500  # tasks of a run that are told one by one


class Report:
    """Notes each record at once in the results; events go to the sink when `send` is called."""

    def __init__(self, results: Results, sink: Sink) -> None:
        #: The results folder.
        self.results = results
        #: Takes the events, and knows the deadlines.
        self.sink = sink
        #: Events that have not been sent.
        self.events: list[dict[str, Any]] = []
        #: How many of the tasks that were called have been told.
        self.called = 0

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
        # What has ended was called before.
        self.sink.send([*self.graph(), *events, {"event": "tasks", **totals, "time": time.time()}])

    def graph(self) -> list[dict[str, Any]]:
        """The event that tells which tasks were called since the last one; none where there are none."""
        tasks = self.results.tasks
        # The main program may call more of them meanwhile.
        new = tasks[self.called : len(tasks)]
        if not new:
            return []
        self.called += len(new)
        # Tasks are numbered from 1 in the order in which they are noted.
        reads = {number: sorted({one for one, _ in producers if one}) for number, _, producers, *_ in new}
        edges = Counter((tasks[one - 1][1], name) for number, name, *_ in new for one in reads[number])
        return [
            {
                "event": "graph",
                "called": self.called,
                "tasks": [[number, name, reads[number]] for number, name, *_ in new if number <= SINGLE],
                "edges": [[*edge, count] for edge, count in edges.items()],
            }
        ]

    def close(self, state: str) -> None:
        """Write the results; the run `ended` or `failed`."""
        self.results.finish()
        self.sink.send([{"event": "run", "state": state, "time": time.time()}])
        self.sink.close()
