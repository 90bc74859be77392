"""How the engine sets Dask: applied in the scheduler, the workers and the main program alike."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import tempfile

import dask

SETTINGS = {
    # A worker whose machine is gone gives no sign: after this time its tasks run elsewhere.
    "distributed.scheduler.worker-ttl": "30s",
    # Tasks run in processes of their own, so a worker that dies is rarely their fault.
    "distributed.scheduler.allowed-failures": 20,
    "distributed.comm.timeouts.connect": "20s",
    "distributed.diagnostics.computations.nframes": 0,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.large-graph-warning-threshold": "1 GiB",
    # Containers have one writable place.
    "temporary-directory": tempfile.gettempdir(),
}


def apply() -> None:
    dask.config.set(SETTINGS)
    # Large values are descriptors of shared memory.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def die_with_parent() -> None:
    """PR_SET_PDEATHSIG: a helper process must not outlive the program that started it."""
    if "COMPSS_PARENT" in os.environ:
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
