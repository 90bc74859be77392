"""Where events go: a Redis list that the monitoring container reads, or nowhere.

An event is one JSON object. Its `event` is one of
  run       state (started, ended, failed), time, application
  worker    worker, state (joined, left), computing_units, time
  start     id, name, worker, slot, time: only of tasks that run for a while, to tell what runs now
  end       id, name, worker, slot, start, time, duration, attempt, state (COMPLETED, FAILED, CANCELED, IGNORED):
            exactly one for each task; where the task has a deadline, also deadline and jitter in seconds
  checked   as `end`: the task's duration was compared with its deadline, by whoever ran it on COMPSs
  deadline  as `end`: the task ran longer than its deadline and its jitter together
  graph     called: tasks that were called, in all; of those that are new since the last such event tasks: id, name and
            the ids that it reads from, of the run's first ones only; edges: name, name that reads from it, how often
  tasks     ended, pending: running totals; names: those pending, by name
Times are seconds since 1970. Each event also has `run`, which is the application's run, and `seq`, which counts up
within it: an event that comes twice, because Redis took it and did not answer in time, is known by them.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import uuid
from typing import Any, Protocol

from .limits import Deadlines

QUEUE = "compss_events"
MAX_LENGTH = 1_000_000  # events that wait in the queue; the oldest go first
MAX_WAITING = 100_000  # events that wait for a Redis that does not answer
BATCH = 1000  # events in one message
RETRY = 2.0


class Sink:
    """Takes events and drops them: no Redis, no telemetry."""

    def __init__(self, deadlines: Deadlines | None = None) -> None:
        self.deadlines = deadlines or Deadlines.from_environment()

    def send(self, events: list[dict[str, Any]]) -> None:
        """Take events; never blocks for long, never fails."""

    def close(self) -> None:
        """Give out what still waits."""


class Redis(Protocol):
    def rpush(self, name: str, *values: bytes | str) -> Any: ...
    def ltrim(self, name: str, start: int, end: int) -> Any: ...


class RedisSink(Sink):
    """Appends events to a Redis list; while Redis is away they wait, within a bound."""

    def __init__(self, client: Redis, deadlines: Deadlines | None = None, queue: str = QUEUE) -> None:
        super().__init__(deadlines)
        self.client = client
        self.queue = queue
        self.run = uuid.uuid4().hex[:12]
        self.lock = threading.Lock()
        self.sending = threading.Lock()
        self.waiting: list[str] = []
        self.seq = 0
        self.dropped = 0
        self.retry_at = 0.0
        self.sent = 0
        self.thread: threading.Thread | None = None
        self.wake = threading.Event()

    def start(self) -> RedisSink:
        """Send from a thread, so that a Redis that does not answer holds nobody up."""
        self.thread = threading.Thread(target=self._serve, name="telemetry", daemon=True)
        self.thread.start()
        return self

    def _serve(self) -> None:
        while True:
            self.wake.wait()
            self.wake.clear()
            while self.waiting:
                time.sleep(max(0.0, self.retry_at - time.monotonic()))
                self._flush()

    def send(self, events: list[dict[str, Any]]) -> None:
        with self.lock:
            for event in events:
                self.seq += 1
                self.waiting.append(json.dumps({**event, "run": self.run, "seq": self.seq}, separators=(",", ":")))
            if len(self.waiting) > MAX_WAITING:
                self.dropped += len(self.waiting) - MAX_WAITING
                del self.waiting[:-MAX_WAITING]
        if self.thread is not None:
            self.wake.set()
        elif self.waiting and time.monotonic() >= self.retry_at:
            self._flush()

    def _flush(self) -> None:
        """Send what waits. Only one thread at a time does, so events keep their order."""
        with self.sending:
            try:
                while True:
                    with self.lock:
                        part = self.waiting[:BATCH]
                        dropped = self.dropped
                    if not part:
                        return
                    length = self.client.rpush(self.queue, *part)
                    with self.lock:
                        # Some of these may have been dropped meanwhile.
                        del self.waiting[: max(0, len(part) - (self.dropped - dropped))]
                    self.sent += len(part)
                    if isinstance(length, int) and length > MAX_LENGTH:
                        self.client.ltrim(self.queue, -MAX_LENGTH, -1)
            except Exception as error:
                # Whatever is wrong with Redis, the application goes on.
                if self.retry_at == 0.0:
                    print(f"telemetry: Redis does not take events ({error}); trying again", file=sys.stderr)
                self.retry_at = time.monotonic() + RETRY

    def close(self) -> None:
        self._flush()


def open_sink(url: str | None = None) -> Sink:
    """The sink for a Redis (default: COMPSS_TELEMETRY_REDIS, host:port or redis://…); where none is, one that drops."""
    url = url or os.environ.get("COMPSS_TELEMETRY_REDIS", "")
    if not url:
        return Sink()
    try:
        import redis
    except ImportError:
        print("telemetry: the Python package redis is not installed; no events will be sent", file=sys.stderr)
        return Sink()
    if "://" not in url:
        url = f"redis://{url}"
    return RedisSink(redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=1)).start()


def worker_name() -> str:
    """The name under which this machine's tasks are reported."""
    return os.environ.get("COMPSS_WORKER_NAME") or socket.gethostname()
