"""Where this process stands."""

from pycompss_dask import context as _context


class _Context:
    """Asked by libraries that run with and without COMPSs."""

    def in_master(self) -> bool:
        """Whether this is the main program, under a runtime."""
        return _context.role == "master"

    def in_worker(self) -> bool:
        """Whether this is inside of a task."""
        return _context.role == "worker"

    def in_pycompss(self) -> bool:
        """Whether this runs under runcompss."""
        return _context.role != "none"

    def is_nesting_enabled(self) -> bool:
        """Whether a task's calls of tasks are tasks; here they run inside of it."""
        return False

    def get_who_contextualized(self) -> str:
        """Where the runtime was started."""
        return "pycompss_dask.launch"


CONTEXT = _Context()

__all__ = ["CONTEXT"]
