"""A decorator that changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Dummy:
    """Takes every argument, and gives the function back as it is; also `@task` without parentheses."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and callable(args[0]) and not kwargs:
            return args[0]
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Nothing of it is kept."""

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return function
