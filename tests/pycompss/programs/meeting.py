"""Tasks that wait for one another: for files of the machine on which they all run."""

from __future__ import annotations

import os
import time

from pycompss.api.IO import IO
from pycompss.api.task import task

PATIENCE = 30.0  # seconds after which a task says that the other did not come


def meet(mine: str, other: str) -> bool:
    """Make a file and wait for another. Returns whether it came."""
    open(mine, "w").close()
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(other):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@task(returns=1)
def computes(mine, other):
    return meet(mine, other)


@IO()
@task(returns=1)
def waits(mine, other):
    return meet(mine, other)
