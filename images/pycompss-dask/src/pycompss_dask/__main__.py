"""`python -m pycompss_dask [options] script.py …`, or `… worker host:port`, `… scheduler`."""

from __future__ import annotations

import os
import sys


def worker() -> None:
    """`compss-worker host:port`."""
    sys.argv.insert(1, "worker")
    run()


def run() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else ""
    if command not in ("worker", "scheduler"):
        from .launch import main

        # The main program's interpreter ends as Python's does: threads are waited for, atexit runs, files are closed.
        sys.exit(main())
    from . import node

    status = (node.worker_main if command == "worker" else node.scheduler_main)(sys.argv[2:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of Dask may still wait for somebody; all that had to be written is written.
    os._exit(status)


if __name__ == "__main__":
    run()
