"""@constraint decides where tasks run, and how many at a time."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from faulty import sleeps
from pycompss.api.api import compss_barrier, compss_get_number_of_resources, compss_wait_on
from pycompss.api.constraint import constraint
from pycompss.api.task import task
from pycompss_dask.errors import TaskFailed
from pycompss_dask.resources import machine
from pycompss_dask.runtime import Runtime
from support import Cluster, Events
from tools import eventually

from programs import same


def spans(runtime: Runtime) -> list[tuple[str, float, float]]:
    return [(worker, begin, end) for worker, _, begin, end, _, _ in runtime.results.spans]


def most_at_a_time(executions: list[tuple[str, float, float]], worker: str) -> int:
    moments = sorted(
        [(begin, 1) for w, begin, _ in executions if w == worker]
        + [(end, -1) for w, _, end in executions if w == worker]
    )
    running = most = 0
    for _, change in moments:
        running += change
        most = max(most, running)
    return most


def nap(**constraints: Any) -> Any:
    def napping(seconds: float) -> float:
        import time

        time.sleep(seconds)
        return seconds

    return constraint(**constraints)(task(returns=1)(napping))


def test_as_many_tasks_at_a_time_as_units(own_engine: Runtime) -> None:
    compss_wait_on([sleeps(0.05) for _ in range(30)])
    compss_barrier()
    executions = spans(own_engine)
    assert most_at_a_time(executions, "one") == 1
    assert most_at_a_time(executions, "two") == 2
    assert {worker for worker, _, _ in executions} == {"one", "two"}


def test_two_units_need_a_worker_that_has_them(own_engine: Runtime) -> None:
    task = nap(computing_units=2)
    compss_wait_on([task(0.05) for _ in range(4)])
    compss_barrier()
    executions = spans(own_engine)
    assert {worker for worker, _, _ in executions} == {"two"}
    assert most_at_a_time(executions, "two") == 1


def test_libraries_start_a_thread_for_each_unit(own_engine: Runtime) -> None:
    def threads() -> str:
        import os

        return os.environ["OMP_NUM_THREADS"]

    call = task(returns=1)(threads)
    assert compss_wait_on(call()) == "1"
    assert compss_wait_on(constraint(computing_units=2)(task(returns=1)(threads))()) == "2"
    assert compss_wait_on([call() for _ in range(6)]) == ["1"] * 6


def test_one_and_two_units_together_do_not_exceed_the_worker(own_engine: Runtime) -> None:
    two, one = nap(computing_units=2), nap(computing_units=1)
    calls = [two(0.04) if number % 2 else one(0.04) for number in range(16)]
    compss_wait_on(calls)
    compss_barrier()
    doubles = {number for *_, name, number in own_engine.results.spans if number % 2 == 0}
    wide = [(w, b, e) for w, _, b, e, _, number in own_engine.results.spans if number in doubles]
    for worker, begin, end in wide:
        overlapping = [1 for w, b, e in spans(own_engine) if w == worker and b < end - 0.005 and e > begin + 0.005]
        assert len(overlapping) == 1


@pytest.mark.parametrize(
    ("constraints", "worker"),
    [
        ({"memory_size": 6}, "two"),
        ({"memory_size": "6.0"}, "two"),
        ({"processors": [{"processorType": "GPU", "computingUnits": "1"}]}, "one"),
        ({"app_software": "BLAS"}, "one"),
        ({"processor_architecture": machine(), "memory_size": 5}, "two"),
        ({"operating_system_type": "Linux", "app_software": "blas"}, "one"),
    ],
)
def test_task_runs_where_the_constraint_allows(own_engine: Runtime, constraints: dict[str, Any], worker: str) -> None:
    task = nap(**constraints)
    compss_wait_on([task(0.01) for _ in range(3)])
    compss_barrier()
    assert {name for name, _, _ in spans(own_engine)} == {worker}


def test_task_that_no_worker_can_run_waits_for_one_that_can(own_engine: Runtime, cluster: Cluster) -> None:
    value = nap(app_software="special")(0.01)
    other = same(1)
    assert compss_wait_on(other) == 1
    time.sleep(0.3)
    assert len(own_engine.pending) == 1
    cluster.worker("late", "--computing_units=1", "--resources=software=special")
    assert compss_wait_on(value) == 0.01
    cluster.kill("late")
    eventually(lambda: compss_get_number_of_resources() == 2, 20)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("memory_type", "DRAM"),
        ("storage_size", "1"),
        ("storage_type", "SSD"),
        ("storage_bw", "10"),
        ("processor_name", "MainProcessor"),
        ("host_queues", "sequential"),
        ("operating_system_distribution", "debian"),
    ],
)
def test_property_that_no_worker_declares_excludes_none(engine: Runtime, name: str, value: str) -> None:
    values = [nap(**{name: value})(0.01) for _ in range(3)]
    later = [nap(**{name: f"{value}0"})(0.01) for _ in range(3)]
    assert compss_wait_on(values + later) == [0.01] * 6


def test_property_that_a_worker_declares_excludes_it(own_engine: Runtime, cluster: Cluster) -> None:
    cluster.worker("late", "--computing_units=1", "--resources=storage_type=hdd")
    eventually(lambda: compss_get_number_of_resources() == 3, 20)
    slow, fast = nap(storage_type="HDD"), nap(storage_type="SSD")
    compss_wait_on([fast(0.01) for _ in range(20)] + [slow(0.01)])
    compss_barrier()
    assert "late" not in {worker for worker, _, _, _, _, number in own_engine.results.spans if number <= 20}
    cluster.kill("late")
    eventually(lambda: compss_get_number_of_resources() == 2, 20)


def test_worker_that_comes_late_is_taken_for_what_it_does_not_declare(own_engine: Runtime, cluster: Cluster) -> None:
    """A worker also offers several properties of one kind."""
    value = nap(app_software="numpy,scipy", memory_type="DRAM")(0.01)
    assert compss_wait_on(nap(memory_type="DRAM")(0.01)) == 0.01
    cluster.worker("late", "--computing_units=1", "--resources=software=numpy,software=scipy")
    assert compss_wait_on(value) == 0.01
    cluster.kill("late")
    eventually(lambda: compss_get_number_of_resources() == 2, 20)


@pytest.mark.parametrize(
    ("constraints", "lacking"),
    [
        ({"memory_size": 100000}, "100000 memory, at most 8"),
        ({"computing_units": 8}, "8 units, at most 2"),
        ({"app_software": "nowhere"}, "software nowhere"),
        ({"app_software": "blas", "memory_size": 6}, "6 memory, at most 8; software blas"),
    ],
)
def test_task_that_no_worker_can_ever_run_ends_the_application(
    own_engine: Runtime, constraints: dict[str, Any], lacking: str, capfd: pytest.CaptureFixture[str]
) -> None:
    own_engine.blocked_timeout = 6
    value = nap(**constraints)(0.01)
    with pytest.raises(TaskFailed, match=rf"task 1 \(napping\) asks for what no worker has: {re.escape(lacking)}"):
        compss_wait_on(value)
    assert f"WARNING: task 1 (napping) asks for what no worker has: {lacking}" in capfd.readouterr().err


def test_priority_goes_first(own_engine: Runtime) -> None:
    def work(number: int) -> int:
        import time

        time.sleep(0.03)
        return number

    low = task(returns=1)(work)
    high = task(returns=1, priority=True)(work)
    values = [low(number) for number in range(60)]
    time.sleep(0.1)
    urgent = [high(100 + number) for number in range(3)]
    compss_wait_on(urgent)
    assert own_engine.ended < 55
    compss_wait_on(values)


def test_replicated_task_runs_on_every_worker(own_engine: Runtime) -> None:
    def replicated() -> int:
        return 1

    assert compss_wait_on(task(returns=1, is_replicated=True)(replicated)()) == 1
    compss_barrier()
    assert sorted(worker for worker, _, _ in spans(own_engine)) == ["one", "two"]


def test_events_tell_each_task_once(own_engine: Runtime) -> None:
    compss_wait_on([same(number) for number in range(50)])
    compss_barrier()
    assert isinstance(own_engine.sink, Events)
    ends = own_engine.sink.of("end")
    assert sorted(event["id"] for event in ends) == list(range(1, 51))
    assert {event["state"] for event in ends} == {"COMPLETED"}
    assert {event["name"] for event in ends} == {"same"}
    assert all(event["duration"] == event["time"] - event["start"] >= 0 for event in ends)


def test_running_tasks_are_told(own_engine: Runtime) -> None:
    value = sleeps(0.7)
    assert isinstance(own_engine.sink, Events)
    sink = own_engine.sink
    eventually(lambda: len(sink.of("start")) == 1, 5)
    assert not sink.of("end")
    compss_wait_on(value)
    compss_barrier()
    assert sink.of("start")[0]["id"] == sink.of("end")[0]["id"]
