"""Failures: on_failure, time-outs, exceptions of groups, cancellation."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import faulty
import pytest
from pycompss.api.api import (
    TaskGroup,
    compss_barrier,
    compss_barrier_group,
    compss_cancel_group,
    compss_open,
    compss_wait_on,
    compss_wait_on_file,
)
from pycompss.api.exceptions import COMPSsException
from pycompss_dask import context
from pycompss_dask.errors import PyCOMPSsException, TaskFailed
from pycompss_dask.runtime import Runtime
from tools import eventually

from programs import count_up, log_line

pytestmark = pytest.mark.usefixtures("engine")


def runs(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.mark.parametrize("times", [1, 2, 3, 4])
def test_retry(tmp_path: Path, times: int) -> None:
    path = tmp_path / "runs"
    assert compss_wait_on(faulty.fails_until(str(path), times)) == "done"
    assert runs(path) == times


def test_retry_gives_up_and_ends_the_application(tmp_path: Path) -> None:
    path = tmp_path / "runs"
    value = faulty.fails_until(str(path), 100)
    with pytest.raises(TaskFailed, match=r"fails_until.*not yet"):
        compss_wait_on(value)
    assert runs(path) == 4
    with pytest.raises(TaskFailed):
        faulty.double(1)


@pytest.mark.parametrize("times", [3, 4])
def test_retry_tries_another_worker(tmp_path: Path, own_engine: Runtime, times: int) -> None:
    faulty.fails_until(str(tmp_path / "runs"), times)
    own_engine.graph.flush()
    # A barrier would wait for an end that nobody tells of.
    eventually(lambda: not own_engine.pending, 20, every=0.05)
    compss_barrier()
    assert len(set((tmp_path / "runs").read_text().split())) >= 2
    jobs = {path.name for path in (tmp_path / "results" / "jobs").glob("job1_*.err")}
    assert {"job1_NEW.err", "job1_RESUBMITTED.err"} <= jobs
    assert "not yet" in (tmp_path / "results" / "jobs" / "job1_NEW.err").read_text()
    assert own_engine.results.states == {"COMPLETED": 1}


def test_fail_ends_the_application_without_another_try(tmp_path: Path) -> None:
    path = tmp_path / "runs"
    faulty.fails_at_once(str(path))
    with pytest.raises(TaskFailed, match=r"fails_at_once.*at once"):
        compss_barrier()
    assert runs(path) == 1


def test_cancel_successors() -> None:
    value = faulty.cancels_successors(1)
    after = faulty.double(faulty.double(value))
    other = faulty.double(21)
    assert compss_wait_on(after) is None
    assert compss_wait_on(value) is None
    assert compss_wait_on(other) == 42


def test_cancel_successors_keeps_the_last_valid_version() -> None:
    values = [1]
    faulty.append(values, 2)
    faulty.spoils_and_fails(values)
    faulty.append(values, 3)
    compss_barrier()
    faulty.append(values, 4)
    assert compss_wait_on(values) == [1, 2, 4]


def test_cancel_successors_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("a")
    faulty.extend(str(path), "b")
    faulty.spoils_file(str(path))
    faulty.extend(str(path), "c")
    with compss_open(str(path)) as file:
        assert file.read() == "ab"


def test_states_are_told(own_engine: Runtime) -> None:
    faulty.double(faulty.cancels_successors(1))
    faulty.ignored(1)
    compss_barrier()
    assert own_engine.results.states == {"FAILED": 1, "CANCELED": 1, "IGNORED": 1}


def test_ignore_gives_none() -> None:
    assert compss_wait_on(faulty.ignored(1)) is None


def test_ignore_gives_none_for_each_return() -> None:
    first, second = faulty.ignored_pair(1)
    assert compss_wait_on(first, second) == [None, None]


def test_ignore_gives_the_default() -> None:
    assert compss_wait_on(faulty.ignored_with_default(1)) == -1
    assert compss_wait_on(faulty.double(faulty.ignored_with_default(1))) == -2


def test_ignore_gives_the_defaults_of_parameters() -> None:
    values = [1]
    returned = faulty.ignored_with_defaults(values)
    assert compss_wait_on(values) == [9]
    assert compss_wait_on(returned) == 0


def test_ignore_keeps_what_the_task_did() -> None:
    values = [1]
    faulty.ignored_inout(values)
    faulty.append(values, 2)
    assert compss_wait_on(values) == [1, "half", 2]


def test_ignore_leaves_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    faulty.ignored_file(str(path))
    compss_wait_on_file(str(path))
    assert path.read_text() == ""


def test_time_out_is_a_failure() -> None:
    began = time.monotonic()
    value = faulty.too_slow(60)
    assert compss_wait_on(value) is None
    assert time.monotonic() - began < 10
    assert compss_wait_on(faulty.too_slow(0)) == 0


def test_time_out_and_retry(tmp_path: Path) -> None:
    assert compss_wait_on(faulty.too_slow_at_first(str(tmp_path / "runs"))) == "in time"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_process_of_a_task_dies(tmp_path: Path, number: int) -> None:
    path = tmp_path / "runs"
    assert compss_wait_on(faulty.dies_at_first(str(path), number)) == "alive"
    assert runs(path) == 2


def test_task_calls_exit(tmp_path: Path) -> None:
    assert compss_wait_on(faulty.exits(str(tmp_path / "runs"))) == "ran"


def test_value_that_cannot_travel_is_a_failure() -> None:
    assert compss_wait_on(faulty.unpicklable()) is None


def test_fewer_values_than_returns_is_a_failure() -> None:
    assert compss_wait_on(faulty.too_few()) == [None, None, None]


def test_exception_of_a_group() -> None:
    with pytest.raises(COMPSsException, match="raised 5") as caught, TaskGroup("raising"):
        faulty.raises(5)
    assert caught.value.message == "raised 5"
    assert compss_wait_on(faulty.double(2)) == 4


def test_exception_of_a_group_without_barrier() -> None:
    with TaskGroup("raising later", implicit_barrier=False):
        faulty.raises(6)
    with pytest.raises(COMPSsException, match="raised 6"):
        compss_barrier_group("raising later")
    compss_barrier_group("raising later")


def test_exception_keeps_what_the_task_did_and_cancels_the_rest() -> None:
    values: list[object] = []
    with pytest.raises(COMPSsException), TaskGroup("chain"):
        for number in range(3):
            faulty.raises_after_append(values, number)
    faulty.append(values, "after")
    assert compss_wait_on(values) == [0, "after"]


def test_exception_cancels_running_tasks_of_the_group(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(COMPSsException), TaskGroup("running"):
        faulty.sleeps(60, str(tmp_path / "runs"))
        time.sleep(0.3)
        faulty.raises(1)
    assert time.monotonic() - began < 20
    assert runs(tmp_path / "runs") == 0


def test_exception_leaves_other_groups_alone() -> None:
    with TaskGroup("good", implicit_barrier=False):
        good = faulty.sleeps(0.3)
    with pytest.raises(COMPSsException), TaskGroup("bad"):
        faulty.raises(1)
    assert compss_wait_on(good) == 0.3
    compss_barrier_group("good")


def test_exception_outside_groups_comes_at_the_barrier() -> None:
    faulty.raises("alone")
    with pytest.raises(COMPSsException, match="raised alone"):
        compss_barrier()
    compss_barrier()


def test_exception_in_a_nested_group_reaches_both() -> None:
    with TaskGroup("nest outer", implicit_barrier=False), TaskGroup("nest inner", implicit_barrier=False):
        faulty.raises("nested")
    with pytest.raises(COMPSsException):
        compss_barrier_group("nest inner")
    with pytest.raises(COMPSsException):
        compss_barrier_group("nest outer")


def test_main_program_exception_in_a_group_comes_through() -> None:
    with pytest.raises(KeyError), TaskGroup("main fails"):
        raise KeyError("main")
    assert compss_wait_on(faulty.double(1)) == 2


def test_cancel_group(tmp_path: Path) -> None:
    values = [1]
    with TaskGroup("cancelled", implicit_barrier=False):
        running = [faulty.sleeps(60, str(tmp_path / "runs")) for _ in range(6)]
        faulty.append(values, 2)
    began = time.monotonic()
    time.sleep(0.3)
    compss_cancel_group("cancelled")
    assert time.monotonic() - began < 20
    assert compss_wait_on(running) == [None] * 6
    assert runs(tmp_path / "runs") == 0
    faulty.append(values, 3)
    assert compss_wait_on(values)[-1] == 3


def test_unknown_group_is_named() -> None:
    with pytest.raises(PyCOMPSsException, match="there is no task group 'nobody'"):
        compss_barrier_group("nobody")


def test_printed_output_is_kept(tmp_path: Path, own_engine: Runtime) -> None:
    compss_wait_on(faulty.prints("to-out", "to-err"))
    compss_wait_on(faulty.prints("again", "again-err"))
    jobs = tmp_path / "results" / "jobs"
    eventually(lambda: (jobs / "job2_NEW.out").exists(), 20)
    assert set((jobs / "job1_NEW.out").read_text().split()) == {"to-out", "child-to-out"}
    assert (jobs / "job1_NEW.err").read_text() == "to-err\n"
    assert "to-out" not in (jobs / "job2_NEW.out").read_text()


def test_each_task_has_a_working_folder_of_its_own() -> None:
    assert compss_wait_on(faulty.prints("a", "b")) != str(Path.cwd())


def test_computing_units_are_told_to_the_task() -> None:
    assert compss_wait_on(faulty.where())[1] == "1"


def test_wrong_arguments_are_refused_at_the_call() -> None:
    with pytest.raises(TypeError):
        faulty.double()
    with pytest.raises(TypeError):
        faulty.double(1, 2, 3)


def test_missing_file_is_named() -> None:
    with pytest.raises(PyCOMPSsException, match=r"/nonexistent/file does not exist"):
        faulty.extend("/nonexistent/file", "x")


def test_future_as_path_is_refused() -> None:
    with pytest.raises(PyCOMPSsException, match="expected a path"):
        faulty.extend(faulty.double("x"), "x")


def test_future_inside_an_object_is_refused() -> None:
    with pytest.raises(PyCOMPSsException, match="COLLECTION_IN"):
        faulty.double([[faulty.double(1)]])


def test_future_has_no_attributes() -> None:
    with pytest.raises(AttributeError, match="compss_wait_on first"):
        faulty.double(1).real  # noqa: B018


def test_unknown_mode_is_refused() -> None:
    with pytest.raises(PyCOMPSsException, match="mode"):
        compss_wait_on(1, mode="x")
    with pytest.raises(PyCOMPSsException, match="unknown arguments"):
        compss_wait_on(1, other=2)


def test_file_concurrent_that_cannot_be_put_together_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("0")
    rewrite = type(count_up.__compss__)(count_up.__wrapped__, {"path": log_line.__compss__.parameters["path"]})
    assert context.runtime is not None
    for _ in range(2):
        context.runtime.call(rewrite, (str(path),), {})
    with pytest.raises((TaskFailed, PyCOMPSsException), match=r"FILE_CONCURRENT|FILE_COMMUTATIVE"):
        compss_wait_on_file(str(path))
    eventually(lambda: context.runtime is not None and context.runtime.fatal is not None, 20)
