"""Where this process stands: `none` (plain Python), `master` (the main program) or `worker` (inside a task)."""

from __future__ import annotations

from typing import Any, Protocol


class Master(Protocol):
    """What decorators ask of the runtime; `pycompss_dask.runtime.Runtime` is it."""

    client: Any

    @property
    def main(self) -> tuple[str, str] | None:
        """Name of the script's module, and its path among the sources."""

    def call(self, definition: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Submit one call of a task."""

    def wait_on(self, *values: Any, mode: str = "rw", in_place: bool = False) -> Any:
        """The values of futures."""


#: `none`, `master` from the start of a runtime to its end, `worker` for good in an executor.
role = "none"
#: The runtime of the main program, in the role `master` alone.
runtime: Master | None = None
