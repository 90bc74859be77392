"""Directions and types of task parameters, as data.

A parameter is described by a direction, a kind (what its value is) and, for binaries, a standard stream.
`TABLE` gives every public name of `pycompss.api.parameter` its description.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .errors import PyCOMPSsException, unsupported

DIRECTIONS = ("IN", "OUT", "INOUT", "CONCURRENT", "COMMUTATIVE", "IN_DELETE")
STREAMS = ("STDIN", "STDOUT", "STDERR")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A direction as scripts use it: `IN`, `FILE_OUT`, `{Type: COLLECTION_IN, Depth: 2}`."""

    key: str
    direction: str = "IN"
    kind: str = "object"  # object, file, directory, collection, dictionary
    stream: str = ""
    depth: int = 0  # levels of a collection that are followed; 0: all
    prefix: str = ""
    of_files: bool = False
    keep_rename: bool = False

    @property
    def writes(self) -> bool:
        return self.direction in ("OUT", "INOUT", "COMMUTATIVE")

    def __repr__(self) -> str:
        return self.key


def _table() -> dict[str, Parameter]:
    table = {name: Parameter(name, name) for name in DIRECTIONS}
    for prefix, kind, of_files, directions in (
        ("FILE", "file", False, ("IN", "OUT", "INOUT", "CONCURRENT", "COMMUTATIVE")),
        ("DIRECTORY", "directory", False, ("IN", "OUT", "INOUT")),
        ("COLLECTION", "collection", False, ("IN", "OUT", "INOUT", "IN_DELETE")),
        ("COLLECTION_FILE", "collection", True, ("IN", "OUT", "INOUT")),
        ("DICTIONARY", "dictionary", False, ("IN", "OUT", "INOUT", "IN_DELETE")),
    ):
        table[prefix] = Parameter(prefix, "IN", kind, of_files=of_files)
        for direction in directions:
            table[f"{prefix}_{direction}"] = Parameter(f"{prefix}_{direction}", direction, kind, of_files=of_files)
    for stream in STREAMS:
        table[f"FILE_{stream}"] = Parameter(f"FILE_{stream}", "IN" if stream == "STDIN" else "OUT", "file", stream)
        for direction in ("IN", "OUT", "INOUT", "CONCURRENT", "COMMUTATIVE"):
            name = f"FILE_{direction}_{stream}"
            table[name] = Parameter(name, direction, "file", stream)
    # Streams of objects need a streaming back-end: using one is refused by name.
    for name in ("STREAM_IN", "STREAM_OUT"):
        table[name] = Parameter(name, kind="stream")
    return table


TABLE = _table()
IN = TABLE["IN"]
INOUT = TABLE["INOUT"]

# Keys of the dictionary form.
TYPE, DIRECTION, STREAM, PREFIX, DEPTH, WEIGHT, KEEP_RENAME, CACHE = (
    "type",
    "direction",
    "stream",
    "prefix",
    "depth",
    "weight",
    "keep_rename",
    "cache",
)
_KEYS = {TYPE, DIRECTION, STREAM, PREFIX, DEPTH, WEIGHT, KEEP_RENAME, CACHE}


def described(value: Any, where: str) -> Parameter:
    """The description that a decorator's argument stands for."""
    if isinstance(value, Parameter):
        parameter = value
    elif isinstance(value, dict):
        if unknown := set(value) - _KEYS:
            raise PyCOMPSsException(f"{where}: unknown keys {sorted(map(str, unknown))} in a parameter's dictionary")
        parameter = _from_dictionary(value, where)
    else:
        raise PyCOMPSsException(f"{where}: found {value!r}, expected a direction such as IN or a dictionary")
    if parameter.kind == "stream":
        raise unsupported(parameter.key, where)
    return parameter


def _from_dictionary(value: dict[str, Any], where: str) -> Parameter:
    parameter = value.get(TYPE, IN)
    if not isinstance(parameter, Parameter):
        raise PyCOMPSsException(f"{where}: Type is {parameter!r}, expected a direction such as FILE_IN")
    direction = value.get(DIRECTION)
    if isinstance(direction, Parameter):
        direction = direction.direction
    elif isinstance(direction, int) and 0 <= direction < len(DIRECTIONS):
        direction = DIRECTIONS[direction]
    elif direction is not None:
        raise PyCOMPSsException(f"{where}: Direction is {direction!r}, expected one of {', '.join(DIRECTIONS)}")
    stream = value.get(STREAM)
    return replace(
        parameter,
        direction=direction or parameter.direction,
        stream=STREAMS[stream] if isinstance(stream, int) and stream < len(STREAMS) else parameter.stream,
        depth=int(value.get(DEPTH, parameter.depth)),
        prefix=str(value.get(PREFIX, parameter.prefix)),
        keep_rename=bool(value.get(KEEP_RENAME, False)),
    )
