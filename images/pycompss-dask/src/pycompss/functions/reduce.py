"""Reductions as trees of tasks."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any


def merge_reduce(function: Callable[[Any, Any], Any], data: Iterable[Any]) -> Any:
    """Reduce pairs of values, then pairs of the results, until one is left."""
    queue = deque(data)
    while len(queue) > 1:
        first = queue.popleft()
        queue.append(function(first, queue.popleft()))
    return queue.popleft() if queue else None


def merge_n_reduce(function: Callable[..., Any], arity: int, data: Iterable[Any]) -> Any:
    """Reduce `arity` values at a time."""
    queue = deque(data)
    while len(queue) > 1:
        queue.append(function(*[queue.popleft() for _ in range(min(arity, len(queue)))]))
    return queue.popleft() if queue else None


def simple_reduce(function: Callable[[Any, Any], Any], data: Iterable[Any]) -> Any:
    """Reduce from left to right."""
    return reduce(function, data)
