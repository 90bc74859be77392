"""Workers, schedulers and Redis come and go; no task is lost, none is counted twice."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import faulty
import numpy as np
import pytest
from pycompss.api.api import compss_barrier, compss_wait_on
from pycompss_dask.runtime import Runtime
from support import ENVIRONMENT, Cluster, Events, end, launch
from tools import eventually, free_port

import programs


def started(cluster: Cluster, folder: Path, *workers: str) -> Runtime:
    for name in workers:
        cluster.worker(name, "--computing_units=1")
    return launch(cluster.connect(len(workers)), folder / "results")


def counted(runtime: Runtime) -> list[int]:
    assert isinstance(runtime.sink, Events)
    return sorted(event["id"] for event in runtime.sink.of("end"))


def test_killed_worker(own_cluster: Cluster, tmp_path: Path) -> None:
    runtime = started(own_cluster, tmp_path, "a", "b")
    values = [faulty.nap(str(tmp_path / "ran"), number) for number in range(20)]
    after = [programs.increment(value) for value in values]
    time.sleep(0.9)
    own_cluster.kill("a")
    assert compss_wait_on(after) == [number + 1 for number in range(20)]
    compss_barrier()
    assert counted(runtime) == list(range(1, 41))
    assert runtime.results.states == {"COMPLETED": 40}
    # What ran on the killed worker ran again.
    assert all((tmp_path / f"ran{number}").exists() for number in range(20))
    end()
    names = {path.name for path in (tmp_path / "results" / "jobs").iterdir()}
    assert {int(re.findall(r"\d+", name)[0]) for name in names} == set(range(1, 41))
    assert any("RESUBMITTED" in name for name in names)


def test_killed_worker_takes_results_with_it(own_cluster: Cluster, tmp_path: Path) -> None:
    runtime = started(own_cluster, tmp_path, "a", "b")
    matrix = np.ones((200, 200))
    for _ in range(5):
        programs.scale(matrix, 2)
    parts = [programs.zeros(50_000) for _ in range(6)]
    compss_barrier()
    own_cluster.kill("a")
    own_cluster.worker("c", "--computing_units=1")
    for _ in range(2):
        programs.scale(matrix, 2)
    assert compss_wait_on(matrix).sum() == 200 * 200 * 2**7
    assert sum(part.sum() for part in compss_wait_on(parts)) == 0
    compss_barrier()
    assert counted(runtime) == list(range(1, 14))


def test_all_workers_gone_and_one_back(own_cluster: Cluster, tmp_path: Path) -> None:
    runtime = started(own_cluster, tmp_path, "a")
    values = [faulty.sleeps(0.05) for _ in range(20)]
    time.sleep(0.3)
    own_cluster.kill("a")
    eventually(lambda: not runtime.workers, 20)
    own_cluster.worker("a", "--computing_units=1")
    assert compss_wait_on(values) == [0.05] * 20
    compss_barrier()
    assert counted(runtime) == list(range(1, 21))


def test_late_worker_is_used(own_cluster: Cluster, tmp_path: Path) -> None:
    runtime = started(own_cluster, tmp_path, "a")
    values = [faulty.sleeps(0.1) for _ in range(120)]
    time.sleep(0.5)
    own_cluster.worker("late", "--computing_units=1")
    compss_wait_on(values)
    compss_barrier()
    used = [span[0] for span in runtime.results.spans]
    assert used.count("late") >= 15


def test_stopped_worker_gives_its_results_away(own_cluster: Cluster, tmp_path: Path) -> None:
    runtime = started(own_cluster, tmp_path, "a", "b")
    values = [faulty.sleeps(0.05) for _ in range(20)]
    time.sleep(0.4)
    own_cluster.processes["a"].terminate()
    assert compss_wait_on(values) == [0.05] * 20
    compss_barrier()
    assert counted(runtime) == list(range(1, 21))
    assert own_cluster.processes["a"].wait(15) == 0


@pytest.mark.parametrize(("drain", "again"), [(10, False), (0, True)])
def test_drained_worker_finishes_what_it_runs(own_cluster: Cluster, tmp_path: Path, drain: int, again: bool) -> None:
    own_cluster.worker("a", "--computing_units=1", f"--drain={drain}")
    runtime = started(own_cluster, tmp_path, "b")
    own_cluster.client.wait_for_workers(2, timeout=30)
    values = [faulty.sleeps(1.5) for _ in range(6)]
    time.sleep(0.7)
    own_cluster.processes["a"].terminate()
    assert compss_wait_on(values) == [1.5] * 6
    compss_barrier()
    assert runtime.results.states == {"COMPLETED": 6}
    assert own_cluster.processes["a"].wait(15) == 0
    end()
    jobs = [path.name for path in (tmp_path / "results" / "jobs").iterdir()]
    assert any("RESUBMITTED" in name for name in jobs) is again


def test_cancelled_group_stays_cancelled_on_a_late_worker(own_cluster: Cluster, tmp_path: Path) -> None:
    from pycompss.api.api import TaskGroup, compss_cancel_group

    started(own_cluster, tmp_path, "a")
    with TaskGroup("late group", implicit_barrier=False):
        values = [faulty.nap(str(tmp_path / "ran"), number) for number in range(30)]
    time.sleep(0.3)
    canceller = threading.Thread(target=compss_cancel_group, args=("late group",))
    canceller.start()
    own_cluster.worker("late", "--computing_units=1")
    canceller.join(20)
    assert compss_wait_on(values).count(None) >= 25
    assert len(list(tmp_path.glob("ran*"))) <= 5


APPLICATION = """
import sys, time
from pathlib import Path
from pycompss.api.task import task
from pycompss.api.api import compss_wait_on

@task(returns=1)
def slow(number):
    time.sleep(0.1)
    return number

if __name__ == "__main__":
    Path(sys.argv[1]).touch()
    print(sum(compss_wait_on([slow(number) for number in range(30)])))
"""


def test_lost_master_starts_again_with_the_same_workers(tmp_path: Path) -> None:
    """Workers find the next master under the same name, and it gets the result."""
    script, running, port = tmp_path / "app.py", tmp_path / "running", free_port()
    script.write_text(APPLICATION)
    cluster = Cluster(tmp_path)
    cluster.port = port
    for name in ("a", "b"):
        cluster.worker(name, "--computing_units=1", "--once")
    command = [
        sys.executable,
        "-m",
        "pycompss_dask",
        f"--master_port={port}",
        "--workers=2",
        f"--log_dir={tmp_path}/logs",
        str(script),
        str(running),
    ]
    try:
        first = subprocess.Popen(command, env=ENVIRONMENT)
        eventually(running.exists, 20)
        time.sleep(0.5)
        first.kill()
        first.wait()
        ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
        assert ended.stdout == f"{sum(range(30))}\n", ended.stderr
        assert ended.returncode == 0
        # The application has ended, so the workers end too.
        assert [process.wait(15) for process in cluster.processes.values()] == [0, 0]
        assert "2 of 2" not in (tmp_path / "logs" / ".COMPSs" / "app.py_02" / "runtime.log").read_text()
    finally:
        cluster.close()
