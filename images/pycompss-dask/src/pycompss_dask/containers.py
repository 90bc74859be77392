"""Containers whose elements the engine follows: lists, tuples, sets, deques, dictionaries, and their subclasses."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

SEQUENCES = (list, tuple, set, frozenset, deque)


def elements(value: Any) -> Iterator[Any]:
    """The elements of a container, a dictionary's keys too; none of anything else."""
    if isinstance(value, SEQUENCES):
        yield from value
    elif isinstance(value, dict):
        for key, element in value.items():
            yield key
            yield element


def rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """A container of the same type with `change` of each element, a dictionary's keys too; anything else as it is."""
    if isinstance(value, dict):
        items = [(change(key), change(element)) for key, element in value.items()]
        if type(value) is dict:
            return dict(items)
        # A copy keeps what the class adds: the factory of a defaultdict, for instance.
        mapping = copy.copy(value)
        mapping.clear()
        for key, element in items:
            mapping[key] = element
        return mapping
    if not isinstance(value, SEQUENCES):
        return value
    changed = [change(element) for element in value]
    if type(value) is list:
        return changed
    if isinstance(value, (list, deque)):
        sequence = copy.copy(value)
        sequence.clear()
        sequence.extend(changed)
        return sequence
    # A named tuple takes its elements one by one.
    return getattr(type(value), "_make", type(value))(changed)


def assume(value: Any, new: Any) -> bool:
    """Give an object the content of another of its type. Returns whether that could be done."""
    if value is new:
        return True
    if type(value) is not type(new):
        return False
    if isinstance(value, (list, deque)):
        value.clear()
        value.extend(new)
    elif isinstance(value, (dict, set)):
        value.clear()
        value.update(new)
    elif hasattr(value, "__array_interface__") and getattr(value, "shape", None) == new.shape:
        # NumPy's arrays of one shape and type.
        if value.dtype != new.dtype or not value.flags.writeable:
            return False
        value[...] = new
    elif not hasattr(value, "__dict__"):
        return False
    if hasattr(value, "__dict__"):
        vars(value).clear()
        vars(value).update(vars(new))
    return True
