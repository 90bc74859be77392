"""How much memory each line of a function takes; needs the package memory_profiler, as in PyCOMPSs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memory_profiler import profile as by_line


class Profile:
    """`@profile()` below `@task`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes what PyCOMPSs' takes; nothing of it changes anything."""

    def __call__(self, function: Callable[..., Any]) -> Any:
        return by_line(function)


profile = Profile

__all__ = ["Profile", "profile"]
