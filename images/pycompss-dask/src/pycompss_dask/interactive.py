"""`pycompss.interactive`: the engine in a notebook or in Python's shell, with workers on this machine."""

from __future__ import annotations

import atexit
import contextlib
import importlib
import sys
from pathlib import Path
from typing import Any

from . import context, wire
from .api import compss_wait_on
from .errors import PyCOMPSsException
from .launch import Application, parse
from .options import BY_NAME, VALUE
from .results import Results
from .runtime import Runtime
from .runtime import stop as stop_runtime
from .worker import Host

# Arguments of COMPSs' start whose names differ from those of runcompss' options.
RENAMED = {
    "trace": "tracing",
    "monitor": "monitoring",
    "project_xml": "project",
    "resources_xml": "resources",
    "extrae_cfg": "extrae_config_file",
    "profile_input": "input_profile",
    "profile_output": "output_profile",
    "jvm_workers": "jvm_workers_opts",
    "scheduler_config": "scheduler_config_file",
    "external_adaptation": "enable_external_adaptation",
    "worker_cache": "python_worker_cache",
}
# Options of the engine alone.
ENGINE = ("local_workers", "computing_units", "workers", "worker_timeout", "blocked_timeout", "telemetry", "deadlines")
NOT_GIVEN = (None, "", -1)
# IPython's variables.
HISTORY = ("In", "Out")


class Session(Application):
    """The scheduler and the workers of a notebook."""

    def __init__(self, arguments: list[str]) -> None:
        try:
            super().__init__(*parse([*arguments, "interactive"]))
        except SystemExit:
            raise PyCOMPSsException("pycompss.interactive.start: the reason stands above") from None
        #: What ends with the session.
        self.using = contextlib.ExitStack()
        if self.storage is not None:
            self.using.enter_context(self.storage.used(worker=False))
        # A task that fails must not end the notebook.
        self.on_fatal = None

    def host(self) -> Host:
        # Workers see the same files. What the notebook defines itself travels with each call, by value.
        paths = [str(Path(entry).absolute()) for entry in sys.path]
        return Host(paths=paths, storage=self.storage, io_executors=self.options.io_executors)

    def close(self) -> None:
        super().close()
        self.using.close()


#: The session that `start` began and `stop` has not ended.
session: Session | None = None
#: What the graphs are of, also after the session.
results: Results | None = None


def start(**options: Any) -> None:
    """Start the runtime with workers on this machine; takes the options of COMPSs and of runcompss.

    `local_workers` and `computing_units` say how many workers, and how many tasks at a time on each. Under runcompss
    the runtime runs already.
    """
    global session, results
    if isinstance(context.runtime, Runtime):
        results = context.runtime.results
        return
    session = Session(_arguments(options))
    try:
        session.connect()
    except BaseException:
        session.close()
        session = None
        raise
    results = session.results
    wire.main_by_value = True
    atexit.register(stop)
    print(f"PyCOMPSs on Dask has started; results in {session.folder}")


def _arguments(options: dict[str, Any]) -> list[str]:
    """The options as runcompss takes them."""
    arguments = []
    for given, value in options.items():
        name = RENAMED.get(given, given)
        option = BY_NAME.get(f"--{name}")
        if option is None and name not in ENGINE:
            print(f"WARNING: start: the argument {given} is unknown; it has no effect", file=sys.stderr)
        elif value is True and option is not None and option.form is not VALUE:
            arguments.append(f"--{name}")
        elif value is not False and value not in NOT_GIVEN:
            arguments.append(f"--{name}={value}")
    return arguments


def stop(sync: bool = False) -> None:
    """End the runtime when all tasks have; `sync`: variables that stand for values of tasks get these first."""
    global session
    if isinstance(context.runtime, Runtime) and sync:
        _synchronise(context.runtime, vars(sys.modules["__main__"]))
    try:
        stop_runtime()
    finally:
        if session is not None:
            session.close()
            session = None
        wire.main_by_value = False
        atexit.unregister(stop)


def _synchronise(runtime: Runtime, variables: dict[str, Any]) -> None:
    for name, value in list(variables.items()):
        if not name.startswith("_") and name not in HISTORY and runtime.awaits(value):
            variables[name] = compss_wait_on(value)


def current_task_graph(fit: bool = False, refresh_rate: int = 1, timeout: int = 0) -> Any:  # noqa: ARG001
    """The graph of the tasks that have not ended: drawn where the package graphviz is there, else as its text."""
    return _drawn(results.graph(dict(results.open)) if results else "")


def complete_task_graph(fit: bool = False, refresh_rate: int = 1, timeout: int = 0) -> Any:  # noqa: ARG001
    """The graph of all tasks, as `current_task_graph` gives it."""
    return _drawn(results.graph() if results else "")


def _drawn(text: str) -> Any:
    try:
        return importlib.import_module("graphviz").Source(text)
    except ImportError:
        return text


def tasks_status() -> dict[str, int]:
    """How many tasks ended in each state, and how many have not ended."""
    return {**results.states, "pending": len(results.open)} if results else {}


def tasks_info() -> dict[str, dict[str, float]]:
    """How often the tasks of each name ran, and the milliseconds that they took."""
    profiles = results.profiles if results else {}
    return {
        name: {"executed": each.count, "mean": each.total / each.count, "min": each.least, "max": each.most}
        for name, each in profiles.items()
    }


def resources_status() -> dict[str, dict[str, Any]]:
    """The computing units of each worker, and whether it is there."""
    workers = results.workers if results else {}
    return {name: {"computing_units": each.units, "up": each.up} for name, each in workers.items()}


def statistics() -> dict[str, float]:
    """How many tasks have run, and the milliseconds that all of them took."""
    profiles = results.profiles.values() if results else ()
    return {"executed": sum(each.count for each in profiles), "total": sum(each.total for each in profiles)}
