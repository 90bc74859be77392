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
import time
from collections.abc import Callable
from typing import Any

from . import limits, sink
from .limits import Deadlines, declared


def deadline(seconds: float, jitter: float = 0.0) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Say that a task should take no longer than `seconds`, give or take `jitter`; put it below `@task`."""
    if seconds <= 0 or jitter < 0:
        raise ValueError(f"@deadline({seconds}, jitter={jitter}): expected seconds above 0 and jitter of at least 0")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        name = function.__name__
        if hasattr(function, "__wrapped__"):
            raise ValueError(f"@deadline of {name}: put it below @task, next to the function")
        declared[name] = (float(seconds), float(jitter))
        return function if limits.engine_measures else timed(function)

    return decorate


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
    deadlines = Deadlines.from_environment()
    limit = deadlines.of(name)
    if not limit:
        return
    ended = {
        "id": 0,
        "name": name,
        "worker": sink.worker_name(),
        "start": begin,
        "time": end,
        "duration": end - begin,
        "state": "COMPLETED",
        **limit,
    }
    # Whoever counts misses has to know the number of executions: silence is no proof.
    kinds = ["checked", "deadline"] if deadlines.check(name, end - begin) else ["checked"]
    target = _sink()
    target.send([{"event": kind, **ended} for kind in kinds])
    # The engine may end this process without notice.
    target.close()


@functools.lru_cache(maxsize=None)  # noqa: UP033 (Python 3.8)
def _sink() -> Any:
    return sink.open_sink()


def install() -> None:
    """Take the time of every task on COMPSs, without a change to the script: call it before the script is imported."""
    module: Any = importlib.import_module("pycompss.api.task")
    if limits.engine_measures:
        return
    original = module.Task.__call__

    @functools.wraps(original)
    def call(self: Any, function: Callable[..., Any]) -> Any:
        return original(self, timed(function))

    module.Task.__call__ = call
    module.task = module.Task
