"""Objects as files and as bytes."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cloudpickle


def serialize_to_bytes(value: Any) -> bytes:
    """The object as bytes; functions and classes of the script by value."""
    return cloudpickle.dumps(value)  # type: ignore[no-any-return]


def deserialize_from_bytes(data: bytes) -> Any:
    """The object that `serialize_to_bytes` was given."""
    return pickle.loads(data)


serialize_to_string, deserialize_from_string = serialize_to_bytes, deserialize_from_bytes


def serialize_to_file(value: Any, file_name: str) -> None:
    """Write the object to a file."""
    Path(file_name).write_bytes(serialize_to_bytes(value))


def deserialize_from_file(file_name: str) -> Any:
    """The object that `serialize_to_file` wrote."""
    return deserialize_from_bytes(Path(file_name).read_bytes())


__all__ = [
    "deserialize_from_bytes",
    "deserialize_from_file",
    "deserialize_from_string",
    "serialize_to_bytes",
    "serialize_to_file",
    "serialize_to_string",
]
