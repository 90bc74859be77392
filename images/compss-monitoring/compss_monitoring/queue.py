"""Reads the queue. Each event counts exactly once, whatever is restarted.

What was read is cut off the queue in the same transaction that stores the numbers it led to.
"""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from typing import Any, NamedTuple

import redis

from . import state_xml
from .record import SPANS
from .state import State

EVENTS = "compss_events"
TIMES, TIMES_KEY = "task_times_queue", "task_times"
KEYS = (EVENTS, TIMES, TIMES_KEY)
STATE = "compss_monitoring_state"
BATCH = 2000
IDLE = 0.2


class Entry(NamedTuple):
    """What lies under a key: of a list its first values, and its length."""

    key: str
    values: list[bytes]
    length: int
    is_list: bool


class Reader:
    def __init__(self, state: State, client: Any = None) -> None:
        host, _, port = state.settings.redis.partition(":")
        self.client = client or redis.Redis(host, int(port or 6379), socket_timeout=5, socket_connect_timeout=2)
        self.state = state
        self.fresh = False  # nothing was counted since the numbers were stored
        self.begun = False
        self.silent = ""  # why the queue does not answer
        self.warnings: set[str] = set()
        self.read: tuple[Path, float] | None = None  # the state file, and when it had changed

    def restore(self) -> None:
        try:
            written = self.client.get(STATE)
            if written:
                self.state.load(written, self.client.lrange(SPANS, 0, -1))
        except (redis.ResponseError, ValueError, KeyError, TypeError, IndexError) as error:
            self.say(f"the key {STATE} is not what the monitoring API has stored: {error}; it is written anew")
            self.client.delete(STATE)
            written = None
        if not written and not self.begun:
            # From now on there is a record to go back to; where it is missing, Redis has lost what it had.
            self.client.set(STATE, self.state.dump())
        self.fresh = self.begun = True

    def once(self) -> bool:
        """Read what the queue has, within a bound. Returns whether it had anything."""
        if not self.fresh:
            # Nobody knows whether the last transaction took place: its own record tells.
            self.restore()
        entries = self.look()
        self.state.queue_length = sum(entry.length - len(entry.values) for entry in entries)
        if not any(entry.values for entry in entries):
            return False
        self.fresh = False
        pipeline = self.client.pipeline(transaction=True)
        for entry in entries:
            if entry.values:
                (self.state.apply if entry.key == EVENTS else self.state.take_times)(entry.values)
                if entry.is_list:
                    pipeline.ltrim(entry.key, len(entry.values), -1)
                else:
                    pipeline.delete(entry.key)
        pipeline.set(STATE, self.state.dump())
        self.state.record.store(pipeline)
        pipeline.execute()
        self.fresh = True
        return True

    def look(self) -> list[Entry]:
        """What lies under each key: a list or one value, for applications differ in what they make of a key."""
        pipeline = self.client.pipeline(transaction=True)
        for key in KEYS:
            pipeline.lrange(key, 0, BATCH - 1)
            pipeline.llen(key)
            pipeline.get(key)
        answers = pipeline.execute(raise_on_error=False)
        entries = []
        for place, key in enumerate(KEYS):
            values, length, value = answers[3 * place : 3 * place + 3]
            is_list = not isinstance(values, Exception)
            if not is_list and isinstance(value, Exception):
                self.say(f"the key {key} is neither a list nor one value: it is not read ({value})")
                continue
            values = values if is_list else [value]
            entries.append(Entry(key, values, length if is_list else len(values), is_list))
        return entries

    def say(self, text: str) -> None:
        """Print a text, once: what is wrong stays wrong."""
        if text not in self.warnings:
            self.warnings.add(text)
            print(text, flush=True)

    def read_state_file(self, since: float) -> None:
        if self.state.settings.engine != "compss":
            return  # the other engine's events say the same, and more
        # A file that is being written, or removed, is whole at the next look.
        with contextlib.suppress(OSError, ValueError):
            path = state_xml.newest(Path(self.state.settings.results), since)
            if path is None:
                return
            changed = path.stat().st_mtime
            if (path, changed) != self.read:
                self.state.take_xml(state_xml.parse(path.read_text()), str(path.parent.parent))
                self.read = (path, changed)

    def run(self, since: float, stopping: threading.Event) -> None:
        while not stopping.is_set():
            if not self.step(since):
                stopping.wait(IDLE)

    def step(self, since: float) -> bool:
        self.read_state_file(since)
        try:
            busy = self.once()
            self.silent = ""
        except (redis.RedisError, OSError) as error:
            if str(error) != self.silent:
                self.silent = str(error)
                print(f"the queue does not answer: {error}", flush=True)
            return False
        return busy
