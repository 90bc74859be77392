"""The functions of the API in a sequential program."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import TracebackType
from typing import IO, Any


def compss_start(*args: Any, **kwargs: Any) -> None:
    """There is nothing to start."""


compss_stop = compss_barrier = compss_barrier_group = compss_cancel_group = compss_snapshot = compss_start
compss_request_resources = compss_free_resources = compss_set_wall_clock = compss_add_logger = compss_start


def _each(values: tuple[Any, ...]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def compss_file_exists(*file_name: str) -> Any:
    return _each(tuple(Path(name).exists() for name in file_name))


def compss_open(file_name: str, mode: str = "r") -> IO[Any]:
    return Path(file_name).open(mode)


def _remove(name: str) -> bool:
    path = Path(name)
    existed = path.exists()
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return existed


def compss_delete_file(*file_name: str) -> Any:
    return _each(tuple(_remove(name) for name in file_name))


def compss_delete_object(*obj: Any) -> Any:
    return _each(tuple(True for _ in obj))


def compss_wait_on(*args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
    return _each(args)


compss_wait_on_file = compss_wait_on_directory = compss_wait_on


def compss_get_number_of_resources() -> int:
    return 1


class TaskGroup:
    """A group of calls that have ended when it does."""

    def __init__(self, group_name: str, implicit_barrier: bool = True) -> None:
        """There is nothing to wait for."""

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing."""


__all__ = [name for name in dir() if name.startswith("compss_")] + ["TaskGroup"]
