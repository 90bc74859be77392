"""The exceptions that scripts see."""

from __future__ import annotations


class PyCOMPSsException(Exception):
    """The API was used in a way that it does not allow."""


class NotSupported(PyCOMPSsException, ImportError):
    """A part of PyCOMPSs that this engine does not have; also an ImportError, so that `import` names it."""


class TaskFailed(RuntimeError):
    """A task failed for good, and with it the application."""


class COMPSsException(Exception):
    """Raised by a task to cancel the other tasks of its group, and again where the group is waited for."""

    def __init__(self, message: str = "", target_direction: int = -1) -> None:
        super().__init__(message)
        self.message = message
        self.target_direction = target_direction


def unsupported(what: str, where: str = "") -> NotSupported:
    place = f"{where}: " if where else ""
    return NotSupported(f"{place}{what} is not available on the Dask engine; run this script with engine: compss")
