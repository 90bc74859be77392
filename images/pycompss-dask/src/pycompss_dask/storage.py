"""PyCOMPSs' storage interface: which implementation it has, in the main program and in the processes of tasks."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

from .errors import PyCOMPSsException

GROUP = "pycompss.storage"
# The package that has the interface, by the implementation's name; others come by entry points of the group.
IMPLEMENTATIONS = {"redis": "redis_storage", "dataclay": "storage"}
REFUSED = {"hecuba": "it needs Cassandra, which this image does not have: use redis or dataclay"}


def package(implementation: str) -> str:
    """The package of an implementation; raises PyCOMPSsException where there is none, or it is not installed."""
    if implementation in REFUSED:
        raise PyCOMPSsException(f"--storage_impl={implementation}: {REFUSED[implementation]}")
    packages = {**IMPLEMENTATIONS, **{entry.name: entry.value for entry in entry_points(group=GROUP)}}
    if implementation not in packages:
        raise PyCOMPSsException(f"--storage_impl={implementation}: expected one of {', '.join(sorted(packages))}")
    name = packages[implementation]
    if importlib.util.find_spec(name) is None:
        raise PyCOMPSsException(f"--storage_impl={implementation}: its package {name} is not installed")
    return name


@dataclass(frozen=True)
class Storage:
    """An implementation, and the text of its configuration file. It goes to every worker."""

    implementation: str
    configuration: str

    @contextlib.contextmanager
    def used(self, *, worker: bool) -> Iterator[Use]:
        """The storage, started; ended afterwards. Raises PyCOMPSsException where it cannot be started."""
        name = package(self.implementation)
        with tempfile.NamedTemporaryFile("w", prefix="storage-", suffix=".conf") as file:
            file.write(self.configuration)
            file.flush()
            try:
                api = imported(name)
                if worker:
                    api.initWorker(config_file_path=file.name)
                    getattr(api, "initWorkerPostFork", nothing)()
                else:
                    api.init(config_file_path=file.name)
            except Exception as error:
                raise PyCOMPSsException(f"--storage_impl={self.implementation}: {error}") from error
            try:
                yield Use(api, file.name)
            finally:
                if worker:
                    getattr(api, "finishWorkerPostFork", nothing)()
                    api.finishWorker()
                else:
                    api.finish()


def imported(name: str) -> Any:
    """The module `api` of a package, which scripts import by the interface's name: `storage`."""
    api = importlib.import_module(f"{name}.api")
    for module in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
        sys.modules[f"storage{module.removeprefix(name)}"] = sys.modules[module]
    return api


def nothing() -> None:
    """Stands for a step that an implementation does not have."""


@dataclass(frozen=True)
class Use:
    """A storage that is started."""

    #: The implementation's module `api`.
    api: Any
    #: Path of the configuration file.
    configuration: str

    def task(self, values: list[Any]) -> contextlib.AbstractContextManager[Any]:
        """What surrounds a task with these arguments."""
        if not hasattr(self.api, "TaskContext"):
            return contextlib.nullcontext()
        logger = logging.getLogger("storage")
        return self.api.TaskContext(logger, values, config_file_path=self.configuration)  # type: ignore[no-any-return]
