"""How long calls take."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any


class TimeIt:
    """`@timeit()`: a call gives [result, seconds]; above `@task` these are the seconds until it is submitted."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what PyCOMPSs' takes; nothing of it changes anything."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., list[Any]]:
        @wraps(function)
        def timed(*args: Any, **kwargs: Any) -> list[Any]:
            begin = time.time()
            result = function(*args, **kwargs)
            return [result, time.time() - begin]

        return timed


timeit = TimeIT = TIMEIT = TimeIt

__all__ = ["TIMEIT", "TimeIT", "TimeIt", "timeit"]
