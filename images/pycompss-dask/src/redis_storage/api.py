"""What PyCOMPSs calls, and what scripts import as `storage.api`."""

from __future__ import annotations

from typing import Any

from .storage_object import StorageObject, get_by_id, objects
from .store import StorageException, Store

__all__ = [
    "StorageException",
    "StorageObject",
    "TaskContext",
    "finish",
    "finishWorker",
    "getByID",
    "init",
    "initWorker",
]

getByID = get_by_id  # noqa: N816


def init(config_file_path: str | None = None, **_: Any) -> None:
    """Connect to the store of a configuration file. Raises StorageException where it cannot be reached."""
    objects.store = Store.configured(config_file_path)


def finish(**_: Any) -> None:
    """Close the connection."""
    if objects.store is not None:
        objects.store.close()
        objects.store = None


initWorker, finishWorker = init, finish  # noqa: N816


class TaskContext:
    """Surrounds a task: what it has changed in persistent objects is written at its end, unless it fails."""

    def __init__(self, *_: Any, **__: Any) -> None:
        """PyCOMPSs gives a logger, the task's arguments and the configuration file; the objects here are enough."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        try:
            if error is None:
                for each in list(objects.here.values()):
                    each.write_changes()
        finally:
            # The next task, or the next attempt of this one, reads what is in the store.
            objects.here.clear()
