"""A worker's memory limit, set by the kernel's control groups, as a container's is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import faulty
import pytest
from pycompss.api.api import compss_wait_on
from pycompss_dask.errors import TaskFailed
from pycompss_dask.memory import ROOT
from support import Cluster, launch
from tools import eventually

LIMIT = 256 << 20


@pytest.fixture
def limited(own_cluster: Cluster, tmp_path: Path) -> Iterator[Cluster]:
    """A cluster whose worker has 256 MiB."""
    unified = (ROOT / "cgroup.controllers").exists()
    group = (ROOT if unified else ROOT / "memory") / f"pycompss-{tmp_path.name[-30:]}"
    try:
        group.mkdir()
        (group / ("memory.max" if unified else "memory.limit_in_bytes")).write_text(str(LIMIT))
    except OSError as error:
        pytest.skip(f"no control group with a memory limit can be made here: {error}")
    join = ("sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "join")
    own_cluster.worker("small", "--computing_units=1", prefix=join)
    yield own_cluster
    own_cluster.kill("small")
    group.rmdir()


def test_task_that_runs_out_of_memory_is_told_so_and_not_tried_again(limited: Cluster, tmp_path: Path) -> None:
    runtime = launch(limited.connect(1), tmp_path / "results")
    assert compss_wait_on(faulty.takes_memory(str(tmp_path / "runs"), 1)) == 1 << 20
    message = "killed by the memory limit of 256 MiB (worker small): give compss_worker_memory more"
    with pytest.raises(TaskFailed, match=re.escape(message)):
        compss_wait_on(faulty.takes_memory(str(tmp_path / "runs"), 400))
    assert len((tmp_path / "runs").read_text().splitlines()) == 2
    assert message in (tmp_path / "results" / "runtime.log").read_text()
    assert runtime.results.states == {"COMPLETED": 1, "FAILED": 1}


def test_worker_forgets_the_tasks_of_a_chain_before_its_end(own_cluster: Cluster, tmp_path: Path) -> None:
    own_cluster.worker("one", "--computing_units=1")
    client = own_cluster.connect(1)
    launch(client, tmp_path / "results")
    value = 0
    for _ in range(200):
        value = faulty.double(value)
    assert compss_wait_on(value) == 0

    def remembered() -> int:
        return sum(client.run(lambda dask_worker: len(dask_worker.state.tasks)).values())

    # The last one, whose value the main program may ask for again, and what is on its way.
    eventually(lambda: remembered() < 20, what="the worker forgets")
