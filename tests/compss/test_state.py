"""What the monitoring API makes of events: each counts once, what is wrong is refused, nothing grows without bound."""

import json
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="pip install -r images/compss-monitoring/requirements.txt")

from compss_monitoring import state_xml
from compss_monitoring.metrics import Application, Deadlines, exposition
from compss_monitoring.settings import Pool, Settings
from compss_monitoring.state import OTHER, State
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuum.edge.plugins.module_utils.catalogue.data.compss import SERIES

BUCKETS = (0.1, 1.0, 10.0)


def new(**options: Any) -> State:
    return State(Settings(**{"engine": "dask", "buckets": BUCKETS, "application": "app", **options}))


def send(state: State, *events: dict[str, Any]) -> None:
    state.apply([json.dumps(event).encode() for event in events])


def end(number: int, name: str = "a", **more: Any) -> dict[str, Any]:
    event = {"event": "end", "id": number, "name": name, "worker": "w-0", "start": 1.0, "time": 2.0, "duration": 1.0}
    return {**event, "state": "COMPLETED", "attempt": "NEW", **more}


def lines(state: State) -> dict[str, float]:
    found = {}
    for line in exposition(Application(state)).decode().splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            found[series] = float(value)
    return found


def test_a_run_from_start_to_end() -> None:
    state = new(version="1.2", pools=(Pool("w", "arm64"),))
    send(
        state,
        {"event": "run", "state": "started", "time": 100.0, "run": "r", "seq": 1},
        {"event": "worker", "worker": "w-0", "state": "joined", "computing_units": 2, "time": 1, "run": "r", "seq": 2},
        {"event": "start", "id": 1, "name": "a", "worker": "w-0", "time": 1, "slot": 0, "run": "r", "seq": 3},
        {"event": "tasks", "ended": 0, "pending": 3, "time": 1, "run": "r", "seq": 4},
    )
    found = lines(state)
    assert found['compss_application_info{application="app",engine="dask",version="1.2"}'] == 1
    assert found['compss_application_start_time_seconds{application="app"}'] == 100
    assert found['compss_tasks{application="app",state="running",task="a"}'] == 1
    assert found['compss_tasks{application="app",state="pending",task="other"}'] == 2
    assert found['compss_worker_computing_units_used{application="app",worker="w-0"}'] == 1
    assert found['compss_worker_computing_units{application="app",architecture="arm64",worker="w-0"}'] == 2
    send(
        state,
        end(1, duration=0.5, run="r", seq=5),
        end(2, duration=5, attempt="RESCHEDULED", run="r", seq=6),
        end(3, "b", state="FAILED", run="r", seq=7),
        {"event": "tasks", "ended": 3, "pending": 0, "time": 1, "run": "r", "seq": 8},
    )
    state.end(0, 200.0)
    found = lines(state)
    assert found['compss_tasks{application="app",state="completed",task="a"}'] == 2
    assert found['compss_tasks{application="app",state="failed",task="b"}'] == 1
    # Told before, so told to its end.
    assert found['compss_tasks{application="app",state="pending",task="other"}'] == 0
    assert found['compss_task_duration_seconds_bucket{application="app",le="1.0",task="a",worker="w-0"}'] == 1
    assert found['compss_task_duration_seconds_count{application="app",task="a",worker="w-0"}'] == 2
    assert found['compss_task_duration_seconds_sum{application="app",task="a",worker="w-0"}'] == 5.5
    assert found['compss_task_resubmissions_total{application="app",task="a"}'] == 2
    assert found['compss_worker_up{application="app",worker="w-0"}'] == 0
    assert found['compss_events_total{application="app",result="accepted"}'] == 8
    assert found['compss_application_info{application="app",engine="dask",version="1.2"}'] == 0


def test_names_and_labels_are_those_of_the_catalogue() -> None:
    state = new(deadlines={"a": 0.1})
    send(state, {"event": "run", "state": "started", "time": 1})
    send(state, {"event": "worker", "worker": "w-0", "state": "joined", "computing_units": 1, "time": 1}, end(1))
    send(state, {**end(1), "event": "deadline", "deadline": 0.1, "jitter": 0})
    wanted = {name: set(labels) for name, _, labels, _ in SERIES}
    found: dict[str, set[str]] = {}
    for collector in (Application(state), Deadlines(state)):
        for family in collector.collect():
            for sample in family.samples:
                name = sample.name
                for suffix in ("_bucket", "_count", "_sum"):
                    name = name.removesuffix(suffix) if name.startswith("compss_task_duration") else name
                labels = set(sample.labels) - {"le"}
                # The group that is pushed to names the application.
                found[name] = labels | ({"application"} if name.startswith("deadlines_") else set())
    assert found == wanted


REFUSED = [
    b"",
    b"nonsense",
    b"[]",
    b"{}",
    b'{"event": "end"}',
    b'{"event": ["end"]}',
    *(
        json.dumps({**end(1), **wrong}).encode()
        for wrong in (
            {"id": "1"},
            {"id": -1},
            {"id": True},
            {"name": ""},
            {"name": 7},
            {"worker": None},
            {"duration": -1},
            {"duration": "nan"},
            {"duration": None},
            {"duration": True},
            {"state": "DONE"},
            {"attempt": "AGAIN"},
            {"run": 7},
            {"run": "r"},
            {"run": "r", "seq": 1.5},
        )
    ),
    b'{"event": "tasks", "pending": 1, "names": []}',
    b'{"event": "worker", "worker": "w", "state": "lost"}',
    b'{"event": "run", "state": "paused", "time": 1}',
]


@pytest.mark.parametrize("entry", REFUSED, ids=lambda entry: entry.decode()[:60])
def test_what_is_wrong_is_refused_and_changes_nothing(entry: bytes) -> None:
    state = new()
    state.apply([entry])
    assert (state.data.accepted, state.data.refused) == (0, 1)
    assert not state.data.tasks
    assert not state.data.durations
    assert not state.data.running


def test_a_lost_workers_tasks_wait_again() -> None:
    state = new()
    send(state, {"event": "worker", "worker": "w-0", "state": "joined", "computing_units": 1, "time": 1})
    send(state, {"event": "start", "id": 1, "name": "a", "worker": "w-0", "time": 1})
    send(state, {"event": "tasks", "ended": 0, "pending": 1, "time": 1})
    send(state, {"event": "worker", "worker": "w-0", "state": "left", "computing_units": 0, "time": 1})
    totals = state.status()["totals"]
    assert totals == {"pending": 1, "running": 0, "completed": 0, "failed": 0}
    assert state.status()["workers"]["w-0"] == {
        "up": False,
        "architecture": "",
        "computing_units": 1,
        "computing_units_used": 0,
    }


def test_deadlines() -> None:
    state = new(deadlines={"a": 2.0})
    for number in range(3):
        send(state, end(number))
    late = end(3, duration=9)
    send(state, late, {**late, "event": "deadline", "deadline": 1, "jitter": 1})
    # Of a deadline in the script alone, the first miss is the first that is heard.
    send(state, end(4, "b"), end(5, "b"), {**end(5, "b"), "event": "deadline", "deadline": 1, "jitter": 0}, end(6, "b"))
    # The Dask engine tells with each end that there is one.
    send(state, {**end(7, "c"), "deadline": 5.0, "jitter": 0.0})
    assert state.status()["deadlines"] == {
        "a": {"checked": 4, "missed": 1},
        "b": {"checked": 2, "missed": 1},
        "c": {"checked": 1, "missed": 0},
    }


def test_another_run_in_the_same_pod_starts_from_nothing_but_counters_go_on() -> None:
    state = new()
    send(state, {"event": "run", "state": "started", "time": 1, "run": "r", "seq": 1}, end(1, run="r", seq=2))
    send(state, {"event": "run", "state": "started", "time": 2, "run": "s", "seq": 1}, end(1, run="s", seq=2))
    assert state.status()["totals"]["completed"] == 1
    assert lines(state)['compss_task_duration_seconds_count{application="app",task="a",worker="w-0"}'] == 2


@pytest.mark.parametrize(
    ("value", "times"),
    [(b"0.5", [0.5]), (b"[0.5, 2]", [0.5, 2]), (b'{"fill": [1, 2], "add": 3}', [1, 2, 3]), (b'"0.5"', [0.5])],
)
def test_times_of_applications_that_send_nothing_else(value: bytes, times: list[float]) -> None:
    state = new()
    state.take_times([value])
    assert sum(found.count for found in state.data.durations.values()) == len(times)
    assert sum(found.total for found in state.data.durations.values()) == pytest.approx(sum(times))
    assert not state.status()["tasks"]


def test_times_that_are_none_are_refused() -> None:
    state = new()
    state.take_times([b"soon", b"-1", b"null", b"NaN", b'{"a": "b"}'])
    assert (state.data.accepted, state.data.refused) == (0, 5)


XML = """<?xml version="1.0"?><COMPSsState><TasksInfo><Application id="1"><TotalCount>9</TotalCount>
<InProgress>{open}</InProgress><Completed>{done}</Completed></Application></TasksInfo><CoresInfo><Core id="0"><Impl id="0">
<Signature>multiply(OBJECT_T,OBJECT_T)matmul</Signature><MeanExecutionTime>{mean}</MeanExecutionTime>
<MinExecutionTime>1</MinExecutionTime><MaxExecutionTime>9</MaxExecutionTime><ExecutedCount>{done}</ExecutedCount></Impl>
</Core></CoresInfo><ResourceInfo><Resource id="w-0.app-workers"><TotalCPUComputingUnits>2</TotalCPUComputingUnits>
<Status>Running</Status><Actions><Action>multiply</Action></Actions></Resource></ResourceInfo></COMPSsState>"""


def test_the_runtimes_own_file() -> None:
    state = new(engine="compss")
    state.take_xml(state_xml.parse(XML.format(open=7, done=2, mean=500)))
    state.take_xml(state_xml.parse(XML.format(open=5, done=4, mean=1000)))
    found = lines(state)
    assert found['compss_tasks{application="app",state="completed",task="multiply"}'] == 4
    assert found['compss_tasks{application="app",state="running",task="other"}'] == 1
    assert found['compss_tasks{application="app",state="pending",task="other"}'] == 4
    # 2 of 0.5 s, then 4 of 1 s in the mean: the new ones took 1.5 s each.
    series = 'application="app",task="multiply",worker="unnamed"'
    assert found[f"compss_task_duration_seconds_sum{{{series}}}"] == 4
    assert (
        found['compss_task_duration_seconds_bucket{application="app",le="1.0",task="multiply",worker="unnamed"}'] == 2
    )
    assert found['compss_worker_computing_units_used{application="app",worker="w-0"}'] == 1
    assert found['compss_worker_up{application="app",worker="w-0"}'] == 1


NAMES = st.sampled_from([f"task{number}" for number in range(8)])
EVENTS = st.one_of(
    st.builds(
        lambda n, name, worker, duration, state: end(n, name, worker=f"w-{worker}", duration=duration, state=state),
        st.integers(0, 30),
        NAMES,
        st.integers(0, 8),
        st.floats(0, 1000),
        st.sampled_from(["COMPLETED", "FAILED", "CANCELED", "IGNORED"]),
    ),
    st.builds(
        lambda n, name, worker: {"event": "start", "id": n, "name": name, "worker": f"w-{worker}", "time": 1},
        st.integers(0, 30),
        NAMES,
        st.integers(0, 8),
    ),
    st.builds(lambda n: {"event": "tasks", "ended": 0, "pending": n, "time": 1}, st.integers(0, 50)),
    st.builds(
        lambda n, s: {"event": "worker", "worker": f"w-{n}", "state": s, "computing_units": 1, "time": 1},
        st.integers(0, 8),
        st.sampled_from(["joined", "left"]),
    ),
    st.just({"event": "nonsense"}),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(EVENTS, max_size=60), st.lists(st.integers(0, 60), max_size=20), st.integers(1, 5))
def test_any_stream_counts_each_event_once(events: list[dict[str, Any]], again: list[int], limit: int) -> None:
    """Events that come twice, and a restart after any of them, change no number; names stay within their limit."""
    numbered = [{**event, "run": "r", "seq": place + 1} for place, event in enumerate(events)]
    state = new(max_names=limit)
    for place, event in enumerate(numbered):
        send(state, event)
        if place in again:
            send(state, *numbered[max(0, place - 3) : place + 1])
            restored = new(max_names=limit)
            restored.load(state.dump())
            assert restored.status()["tasks"] == state.status()["tasks"]
            state = restored
    ends = [event for event in events if event["event"] == "end"]
    totals = state.status()["totals"]
    assert totals["completed"] == sum(event["state"] == "COMPLETED" for event in ends)
    assert totals["completed"] + totals["failed"] == len(ends)
    ran = [event["duration"] for event in ends if event["state"] != "CANCELED"]
    assert sum(found.count for found in state.data.durations.values()) == len(ran)
    assert sum(found.total for found in state.data.durations.values()) == pytest.approx(sum(ran))
    assert state.data.refused == sum(event["event"] == "nonsense" for event in events)
    assert len({task for task, _ in state.data.durations} - {OTHER}) <= limit
    assert len(state.data.workers.keys() - {OTHER}) <= limit
    used = state.used_units()
    assert all(used[name] <= worker.units for name, worker in state.data.workers.items())
