"""Deadlines: how long a task may take, and what happens when it takes longer.

A script says so itself, with `@deadline(2.5, jitter=0.5)` below `@task`; or the environment says so for
it: COMPSS_DEADLINES="multiply=2.5+0.5,factor=10" or the same as JSON,
{"multiply": {"seconds": 2.5, "jitter": 0.5}}. The environment wins.

The Dask engine measures every task itself. On COMPSs the time is taken around the function in the worker
and sent to the queue that COMPSS_TELEMETRY_REDIS names; `install()` does that for scripts that say nothing.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import time
from collections.abc import Callable
from typing import Any

ENVIRONMENT = "COMPSS_DEADLINES"


class Deadlines:
    """Seconds and jitter by the name of the task."""

    def __init__(self, limits: dict[str, tuple[float, float]] | None = None) -> None:
        self.limits = dict(limits or {})
        self.missed: dict[str, int] = {}

    @classmethod
    def parse(cls, text: str) -> Deadlines:
        text = text.strip()
        try:
            if text.startswith("{"):
                limits = {}
                for name, value in json.loads(text).items():
                    if isinstance(value, dict):
                        limits[name] = (float(value["seconds"]), float(value.get("jitter", 0)))
                    else:
                        limits[name] = (float(value), 0.0)
                return cls(limits)
            limits = {}
            for entry in filter(None, (part.strip() for part in text.split(","))):
                name, _, value = entry.partition("=")
                seconds, _, jitter = value.partition("+")
                limits[name.strip()] = (float(seconds), float(jitter or 0))
            return cls(limits)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{ENVIRONMENT} is {text!r}, expected name=seconds[+jitter],… or JSON") from error

    @classmethod
    def from_environment(cls) -> Deadlines:
        return cls.parse(os.environ.get(ENVIRONMENT, ""))

    def of(self, name: str) -> dict[str, float]:
        """The deadline of a task, empty where it has none."""
        limit = self.limits.get(name) or declared.get(name)
        return {"deadline": limit[0], "jitter": limit[1]} if limit else {}

    def check(self, name: str, duration: float) -> dict[str, float] | None:
        """The deadline that `duration` misses, if it does."""
        limit = self.of(name)
        if not limit or duration <= limit["deadline"] + limit["jitter"]:
            return None
        self.missed[name] = self.missed.get(name, 0) + 1
        return limit


# What the decorators of the script say.
declared: dict[str, tuple[float, float]] = {}


def deadline(seconds: float, jitter: float = 0.0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say that a task should take no longer than `seconds`, give or take `jitter`; put it below `@task`."""
    if seconds <= 0 or jitter < 0:
        raise ValueError(f"@deadline({seconds}, jitter={jitter}): expected seconds above 0 and jitter of at least 0")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        if hasattr(function, "__wrapped__"):
            raise ValueError(f"@deadline of {name}: put it below @task, next to the function")
        declared[name] = (float(seconds), float(jitter))
        return function if _engine_measures() else timed(function)

    return decorate


def _engine_measures() -> bool:
    try:
        from pycompss_dask import context
    except ImportError:
        return False
    return context is not None


def timed(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its time taken wherever it runs, and a miss sent to the queue."""
    name = function.__name__

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        begin = time.time()
        try:
            return function(*args, **kwargs)
        finally:
            report(name, begin, time.time())

    return run


def report(name: str, begin: float, end: float) -> None:
    from . import sink

    missed = Deadlines.from_environment().check(name, end - begin)
    if missed is None:
        return
    target = _sink()
    target.send(
        [
            {
                "event": "deadline",
                "id": 0,
                "name": name,
                "worker": sink.worker_name(),
                "start": begin,
                "time": end,
                "duration": end - begin,
                "state": "COMPLETED",
                **missed,
            }
        ]
    )
    # The engine may end this process without notice.
    target.close()


@functools.cache
def _sink() -> Any:
    from .sink import open_sink

    return open_sink()


def install() -> None:
    """Take the time of every task on COMPSs, without a change to the script: call it before the script is imported."""
    if _engine_measures():
        return
    module: Any = importlib.import_module("pycompss.api.task")
    original = module.Task.__call__

    @functools.wraps(original)
    def call(self: Any, function: Callable[..., Any]) -> Any:
        return original(self, timed(function))

    module.Task.__call__ = call
    module.task = module.Task
