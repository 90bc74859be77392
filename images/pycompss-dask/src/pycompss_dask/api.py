"""The functions of `pycompss.api.api`.

In the main program under a runtime they act on it; inside a task, and in plain Python, they do what keeps
a sequential run right, as in PyCOMPSs.
"""

from __future__ import annotations

import logging
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from . import context
from .errors import COMPSsException, PyCOMPSsException, unsupported
from .runtime import Runtime
from .runtime import stop as stop_runtime


def _runtime() -> Runtime | None:
    return context.runtime if context.role == "master" and isinstance(context.runtime, Runtime) else None


def _each(function: Callable[[Any], Any], values: tuple[Any, ...], keep: bool = False) -> Any:
    """Apply `function` to each of the names, in lists and tuples too, and give the results in the same shape."""

    def apply(value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return type(value)(apply(entry) for entry in value)
        result = function(value)
        return value if keep else result

    results = [apply(value) for value in values]
    return results[0] if len(results) == 1 else results


def compss_start(
    log_level: str = "off",  # noqa: ARG001
    tracing: bool = False,  # noqa: ARG001
    interactive: bool = False,
    disable_external: bool = False,  # noqa: ARG001
) -> None:
    """Under runcompss the runtime has been started; in plain Python there is none to start."""
    if interactive:
        raise unsupported("the interactive mode", "compss_start")


def compss_stop(code: int = 0, _hard_stop: bool = False) -> None:
    """End the runtime: wait for all tasks, or with a code other than 0 cancel them and end the application with it."""
    if _runtime() is None:
        return
    stop_runtime(cancel=bool(code))
    if code:
        sys.exit(code)


def compss_file_exists(*file_name: Any) -> Any:
    runtime = _runtime()
    return _each(runtime.file_exists if runtime else lambda name: Path(name).exists(), file_name)


def compss_open(file_name: str, mode: str = "r") -> IO[Any]:
    runtime = _runtime()
    return runtime.open(file_name, mode) if runtime else Path(file_name).open(mode)


def _remove(name: str) -> bool:
    path = Path(name)
    if path.is_dir():
        shutil.rmtree(path)
        return True
    exists = path.exists()
    path.unlink(missing_ok=True)
    return exists


def compss_delete_file(*file_name: Any) -> Any:
    runtime = _runtime()
    return _each(runtime.delete_file if runtime else _remove, file_name)


def compss_wait_on_file(*file_name: Any) -> Any:
    runtime = _runtime()
    return _each(runtime.bring_home if runtime else lambda _: None, file_name, keep=True)


def compss_wait_on_directory(*directory_name: Any) -> Any:
    return compss_wait_on_file(*directory_name)


def compss_delete_object(*obj: Any) -> Any:
    runtime = _runtime()
    results = [runtime.delete_object(value) if runtime else True for value in obj]
    return results[0] if len(results) == 1 else results


def compss_barrier(no_more_tasks: bool = False) -> None:  # noqa: ARG001
    if runtime := _runtime():
        runtime.barrier()


def compss_barrier_group(group_name: str) -> None:
    if runtime := _runtime():
        runtime.barrier_group(group_name)


def compss_cancel_group(group_name: str) -> None:
    if runtime := _runtime():
        runtime.cancel_group(group_name)


def compss_snapshot() -> None:
    """Checkpoints are COMPSs' own."""
    if _runtime():
        raise unsupported("compss_snapshot")


def compss_wait_on(*args: Any, **kwargs: Any) -> Any:
    mode = kwargs.pop("mode", "rw")
    to_write = kwargs.pop("to_write", None)
    if to_write is False:
        mode = "r"
    if kwargs:
        raise PyCOMPSsException(f"compss_wait_on: unknown arguments {sorted(kwargs)}")
    if runtime := _runtime():
        return runtime.wait_on(*args, mode=mode)
    return args[0] if len(args) == 1 else list(args)


def compss_get_number_of_resources() -> int:
    runtime = _runtime()
    return runtime.resources() if runtime else 1


def compss_request_resources(num_resources: int, group_name: str | None = None) -> None:  # noqa: ARG001
    if _runtime():
        raise unsupported("compss_request_resources (Kubernetes scales the workers)")


def compss_free_resources(num_resources: int, group_name: str | None = None) -> None:  # noqa: ARG001
    if _runtime():
        raise unsupported("compss_free_resources (Kubernetes scales the workers)")


def compss_set_wall_clock(wall_clock_limit: int) -> None:
    """End the application when it has run for this many seconds."""
    if not _runtime():
        return

    def exceeded(number: int, frame: Any) -> None:  # noqa: ARG001
        print(f"the application ran longer than its wall clock limit of {wall_clock_limit} s", file=sys.stderr)
        compss_stop(1)

    signal.signal(signal.SIGALRM, exceeded)
    signal.alarm(int(wall_clock_limit))


def compss_add_logger(logger_name: str) -> None:
    logging.getLogger(logger_name).addHandler(logging.StreamHandler(sys.stdout))


class TaskGroup:
    """`with TaskGroup("name"):` the tasks called inside belong to the group; its end waits for them."""

    def __init__(self, group_name: str, implicit_barrier: bool = True) -> None:
        self.group_name = group_name
        self.implicit_barrier = implicit_barrier

    def __enter__(self) -> None:
        if runtime := _runtime():
            runtime.open_group(self.group_name)

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if runtime := _runtime():
            runtime.close_group(self.group_name)
            if self.implicit_barrier and kind is None:
                runtime.barrier_group(self.group_name)


__all__ = [name for name in dir() if name.startswith("compss_")] + ["COMPSsException", "TaskGroup"]
