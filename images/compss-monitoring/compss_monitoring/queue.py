"""Reads the queue. Each event counts exactly once, whatever is restarted.

What was read is cut off the queue in the same transaction that stores the numbers it led to.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import redis

from . import state_xml
from .state import State

EVENTS = "compss_events"
TIMES, TIMES_KEY = "task_times_queue", "task_times"
STATE = "compss_monitoring_state"
BATCH = 2000
IDLE = 0.2


class Reader:
    def __init__(self, state: State, client: Any = None) -> None:
        host, _, port = state.settings.redis.partition(":")
        self.client = client or redis.Redis(host, int(port or 6379), socket_timeout=5, socket_connect_timeout=2)
        self.state = state
        self.fresh = False  # nothing was counted since the numbers were stored
        self.begun = False
        self.said = ""
        self.state_file: Path | None = None
        self.read_at = 0.0

    def restore(self) -> None:
        written = self.client.get(STATE)
        if written:
            self.state.load(written)
        elif not self.begun:
            # From now on there is a record to go back to; where it is missing, Redis has lost what it had.
            self.client.set(STATE, self.state.dump())
        self.fresh = self.begun = True

    def once(self) -> bool:
        """Read what is there, within a bound; whether there was anything."""
        if not self.fresh:
            # Nobody knows whether the last transaction took place: its own record tells.
            self.restore()
        pipeline = self.client.pipeline(transaction=True)
        pipeline.lrange(EVENTS, 0, BATCH - 1)
        pipeline.lrange(TIMES, 0, BATCH - 1)
        pipeline.get(TIMES_KEY)
        pipeline.llen(EVENTS)
        pipeline.llen(TIMES)
        events, times, key, waiting, waiting_times = pipeline.execute()
        self.state.queue_length = waiting + waiting_times - len(events) - len(times)
        if not events and not times and key is None:
            return False
        self.fresh = False
        self.state.apply(events)
        self.state.take_times([*times, *([key] if key is not None else [])])
        pipeline = self.client.pipeline(transaction=True)
        pipeline.ltrim(EVENTS, len(events), -1)
        pipeline.ltrim(TIMES, len(times), -1)
        if key is not None:
            pipeline.delete(TIMES_KEY)
        pipeline.set(STATE, self.state.dump())
        pipeline.execute()
        self.fresh = True
        return True

    def read_state_file(self, since: float) -> None:
        if self.state.settings.engine != "compss":
            return  # the other engine's events say the same, and more
        path = state_xml.newest(Path(self.state.settings.results), since)
        if path is None or (path == self.state_file and path.stat().st_mtime == self.read_at):
            return
        try:
            changed = path.stat().st_mtime
            self.state.take_xml(state_xml.parse(path.read_text()))
            self.state_file, self.read_at = path, changed
        except (OSError, ElementTree.ParseError):
            pass  # it is being written: the next look finds it whole

    def run(self, since: float, stopping: threading.Event) -> None:
        while not stopping.is_set():
            if not self.step(since):
                stopping.wait(IDLE)

    def step(self, since: float) -> bool:
        try:
            self.read_state_file(since)
            busy = self.once()
            self.said = ""
        except (redis.RedisError, OSError) as error:
            if str(error) != self.said:
                self.said = str(error)
                print(f"the queue does not answer: {error}", flush=True)
            return False
        return busy
