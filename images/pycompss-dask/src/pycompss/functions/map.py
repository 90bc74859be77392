"""Apply tasks to many values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def map(function: Callable[..., Any], *iterables: Iterable[Any]) -> list[Any]:
    """The futures of `function` for each value."""
    return [function(*values) for values in zip(*iterables, strict=False)]
