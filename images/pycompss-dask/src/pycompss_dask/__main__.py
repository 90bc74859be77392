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
    if command in ("worker", "scheduler"):
        from . import node

        status = (node.worker_main if command == "worker" else node.scheduler_main)(sys.argv[2:])
    else:
        from .launch import main

        status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads of Dask may still wait for somebody; all that had to be written is written.
    os._exit(status)


if __name__ == "__main__":
    run()
