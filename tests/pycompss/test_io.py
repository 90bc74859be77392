"""@IO: tasks that wait for input or output run beside those that compute, on a worker of one unit, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from faulty import note, sleeps
from meeting import computes, waits
from pycompss.api.api import TaskGroup, compss_barrier, compss_barrier_group, compss_cancel_group, compss_wait_on
from pycompss.api.constraint import constraint
from pycompss.api.IO import IO
from pycompss.api.task import task
from pycompss_dask import launch
from pycompss_dask.results import Results
from pycompss_dask.runtime import Runtime, start
from pycompss_dask.worker import Host
from support import Cluster, end
from tools import eventually

from programs import same

Lone = Callable[[int], Runtime]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with one worker of one unit."""
    cluster = Cluster(tmp_path_factory.mktemp("small"))
    cluster.scheduler()
    cluster.worker("lone", "--computing_units=1")
    cluster.connect(1)
    yield cluster
    cluster.close()


@pytest.fixture
def lone(small: Cluster, tmp_path: Path) -> Iterator[Lone]:
    """Starts an engine on it; takes the number of its executors for I/O."""
    end()

    def started(io_executors: int) -> Runtime:
        assert small.client is not None
        results = Results(tmp_path / "results", "application")
        runtime = Runtime(small.client, results=results, host=Host(io_executors=io_executors))
        start(runtime)
        return runtime

    yield started
    end()


@IO()
@task(returns=1)
def dumps(seconds):
    import time

    time.sleep(seconds)
    return seconds


def threads(runtime: Runtime) -> list[int]:
    """Threads of Dask on each worker."""
    return list(runtime.client.run(lambda dask_worker: dask_worker.state.nthreads).values())


def most_at_a_time(runtime: Runtime, name: str) -> int:
    compss_barrier()
    spans = [(begin, end) for _, _, begin, end, task, _ in runtime.results.spans if task == name]
    changes = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    running = most = 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


def test_io_task_does_not_wait_for_a_unit(lone: Lone, tmp_path: Path) -> None:
    runtime = lone(0)
    mine, other = str(tmp_path / "computes"), str(tmp_path / "waits")
    first = computes(mine, other)
    eventually(lambda: Path(mine).exists(), 20)
    queued = [same(number) for number in range(50)]
    assert compss_wait_on(waits(other, mine)) is True
    assert compss_wait_on(first) is True
    assert compss_wait_on(queued) == list(range(50))
    assert threads(runtime) == [1]


def test_computing_task_does_not_wait_for_io_tasks(lone: Lone, tmp_path: Path) -> None:
    lone(0)
    mine, other = str(tmp_path / "computes"), str(tmp_path / "waits")
    several = [waits(other, mine) for _ in range(4)]
    eventually(lambda: Path(other).exists(), 20)
    assert compss_wait_on(computes(mine, other)) is True
    assert compss_wait_on(several) == [True] * 4


def test_io_task_reads_what_is_computed_and_the_other_way_round(lone: Lone) -> None:
    lone(0)
    assert compss_wait_on([same(dumps(same(0.001))) for _ in range(20)]) == [0.001] * 20


def test_as_many_io_tasks_at_a_time_as_executors(lone: Lone, tmp_path: Path) -> None:
    runtime = lone(2)
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert compss_wait_on([waits(one, two), waits(two, one)]) == [True, True]
    compss_wait_on([dumps(0.02) for _ in range(10)])
    assert most_at_a_time(runtime, "dumps") <= 2


def test_without_a_number_as_many_io_tasks_as_units(lone: Lone) -> None:
    runtime = lone(0)
    compss_wait_on([dumps(0.01) for _ in range(10)])
    assert most_at_a_time(runtime, "dumps") == 1


def test_io_tasks_give_no_unit_to_those_that_compute(lone: Lone) -> None:
    runtime = lone(3)
    calls = [dumps(0.01) if number % 2 else sleeps(0.01) for number in range(40)]
    compss_wait_on(calls)
    assert most_at_a_time(runtime, "sleeps") == 1
    assert threads(runtime) == [1]


def test_units_may_be_none(lone: Lone, tmp_path: Path) -> None:
    lone(0)
    mine, other = str(tmp_path / "computes"), str(tmp_path / "waits")
    nothing = constraint(computing_units=0)(task(returns=1)(waits.__compss__.function))
    first = computes(mine, other)
    assert compss_wait_on(nothing(other, mine)) is True
    assert compss_wait_on(first) is True


def test_io_task_that_fails_is_tried_on_another_worker(own_engine: Runtime, tmp_path: Path) -> None:
    path = str(tmp_path / "attempts")

    def fails(path: str) -> Any:
        if note(path) < 4:
            raise ValueError("not yet")
        return "done"

    assert compss_wait_on(IO()(task(returns=1)(fails))(path)) == "done"
    assert sorted(threads(own_engine)) == [1, 2]


def test_io_tasks_that_wait_for_an_executor_are_cancelled(lone: Lone, tmp_path: Path) -> None:
    runtime = lone(1)
    folder = tmp_path / "ran"
    folder.mkdir()
    with TaskGroup("waiting", implicit_barrier=False):
        for number in range(3):
            waits(str(folder / str(number)), str(tmp_path / "never"))
    eventually(lambda: list(folder.iterdir()), 20)
    compss_cancel_group("waiting")
    compss_barrier_group("waiting")
    assert len(list(folder.iterdir())) == 1
    assert compss_wait_on(dumps(0)) == 0
    assert threads(runtime) == [1]


def test_number_of_executors_is_none_or_more(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        launch.parse(["--io_executors=-1", "app.py"])
    assert ended.value.code == 2
    assert "--io_executors is -1, expected at least 0" in capsys.readouterr().err
