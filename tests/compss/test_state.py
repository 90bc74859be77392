"""What the monitoring API makes of events: each counts once, what is wrong is refused, nothing grows without bound."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="pip install -r images/compss-monitoring/requirements.txt")

from compss_monitoring import state_xml
from compss_monitoring.metrics import Application, Deadlines, exposition
from compss_monitoring.settings import Pool, Settings
from compss_monitoring.state import OTHER, NotTold, State
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.continuum.edge.plugins.module_utils.catalogue.data.compss import SERIES

BUCKETS = (0.1, 1.0, 10.0)
STANDIN = Path(__file__).parent / "standin" / "facts.json"


def new(**options: Any) -> State:
    return State(Settings(**{"engine": "dask", "buckets": BUCKETS, "application": "app", **options}))


def send(state: State, *events: dict[str, Any]) -> None:
    state.apply([json.dumps(event).encode() for event in events])


def end(number: int, name: str = "a", **more: Any) -> dict[str, Any]:
    event = {"event": "end", "id": number, "name": name, "worker": "w-0", "start": 1.0, "time": 2.0, "duration": 1.0}
    return {**event, "state": "COMPLETED", "attempt": "NEW", **more}


def lines(state: State) -> dict[str, float]:
    values = {}
    for line in exposition(Application(state)).decode().splitlines():
        if not line.startswith("#"):
            series, _, value = line.rpartition(" ")
            values[series] = float(value)
    return values


def test_a_run_from_start_to_end() -> None:
    state = new(version="1.2", pools=(Pool("w", "arm64"),))
    send(
        state,
        {"event": "run", "state": "started", "time": 100.0, "run": "r", "seq": 1},
        {"event": "worker", "worker": "w-0", "state": "joined", "computing_units": 2, "time": 1, "run": "r", "seq": 2},
        {"event": "start", "id": 1, "name": "a", "worker": "w-0", "time": 1, "slot": 0, "run": "r", "seq": 3},
        {"event": "tasks", "ended": 0, "pending": 3, "time": 1, "run": "r", "seq": 4},
    )
    values = lines(state)
    assert values['compss_application_info{application="app",engine="dask",version="1.2"}'] == 1
    assert values['compss_application_start_time_seconds{application="app"}'] == 100
    assert values['compss_tasks{application="app",state="running",task="a"}'] == 1
    assert values['compss_tasks{application="app",state="pending",task="other"}'] == 2
    assert values['compss_worker_computing_units_used{application="app",worker="w-0"}'] == 1
    assert values['compss_worker_computing_units{application="app",architecture="arm64",worker="w-0"}'] == 2
    send(
        state,
        end(1, duration=0.5, run="r", seq=5),
        end(2, duration=5, attempt="RESCHEDULED", run="r", seq=6),
        end(3, "b", state="FAILED", run="r", seq=7),
        {"event": "tasks", "ended": 3, "pending": 0, "time": 1, "run": "r", "seq": 8},
    )
    state.end(0, 200.0)
    values = lines(state)
    assert values['compss_tasks{application="app",state="completed",task="a"}'] == 2
    assert values['compss_tasks{application="app",state="failed",task="b"}'] == 1
    # A series that was told goes on to the end.
    assert values['compss_tasks{application="app",state="pending",task="other"}'] == 0
    assert values['compss_task_duration_seconds_bucket{application="app",le="1.0",task="a",worker="w-0"}'] == 1
    assert values['compss_task_duration_seconds_count{application="app",task="a",worker="w-0"}'] == 2
    assert values['compss_task_duration_seconds_sum{application="app",task="a",worker="w-0"}'] == 5.5
    assert values['compss_task_resubmissions_total{application="app",task="a"}'] == 2
    assert values['compss_worker_up{application="app",worker="w-0"}'] == 0
    assert values['compss_events_total{application="app",result="accepted"}'] == 8
    assert values['compss_application_info{application="app",engine="dask",version="1.2"}'] == 0


def test_names_and_labels_are_those_of_the_catalogue() -> None:
    state = new(deadlines={"a": 0.1})
    send(state, {"event": "run", "state": "started", "time": 1})
    send(state, {"event": "worker", "worker": "w-0", "state": "joined", "computing_units": 1, "time": 1}, end(1))
    send(state, {**end(1), "event": "deadline", "deadline": 0.1, "jitter": 0})
    wanted = {name: set(labels) for name, _, labels, _ in SERIES}
    exposed: dict[str, set[str]] = {}
    for collector in (Application(state), Deadlines(state)):
        for family in collector.collect():
            for sample in family.samples:
                name = sample.name
                for suffix in ("_bucket", "_count", "_sum"):
                    name = name.removesuffix(suffix) if name.startswith("compss_task_duration") else name
                labels = set(sample.labels) - {"le"}
                # The group that is pushed to names the application.
                exposed[name] = labels | ({"application"} if name.startswith("deadlines_") else set())
    assert exposed == wanted


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
    b'{"event": "tasks", "pending": 1' + b"0" * 400 + b"}",
    b"[" * 100_000,
    b"\xff\xfe",
    b'{"event": "worker", "worker": "w", "state": "lost"}',
    b'{"event": "run", "state": "paused", "time": 1}',
]


@pytest.mark.parametrize("entry", REFUSED, ids=lambda entry: repr(entry[:60]))
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
    # A deadline in the script alone shows first with its first miss.
    send(state, end(4, "b"), end(5, "b"), {**end(5, "b"), "event": "deadline", "deadline": 1, "jitter": 0}, end(6, "b"))
    # The Dask engine tells with each end that there is one.
    send(state, {**end(7, "c"), "deadline": 5.0, "jitter": 0.0})
    assert state.status()["deadlines"] == {
        "a": {"checked": 4, "missed": 1, "not_checked": 0},
        "b": {"checked": 2, "missed": 1, "not_checked": 0},
        "c": {"checked": 1, "missed": 0, "not_checked": 0},
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
    assert sum(durations.count for durations in state.data.durations.values()) == len(times)
    assert sum(durations.total for durations in state.data.durations.values()) == pytest.approx(sum(times))
    assert not state.status()["tasks"]


def test_times_that_are_none_are_refused() -> None:
    state = new()
    state.take_times([b"soon", b"-1", b"null", b"NaN", b'{"a": "b"}', b"1" + b"0" * 400, b"[" * 100_000])
    assert (state.data.accepted, state.data.refused) == (0, 7)


FACTS = {name: fact["value"] for name, fact in json.loads(STANDIN.read_text()).items()}
RUNNING = FACTS["state_file"]["execution"].format(task=1, name="multiply")
STARTING = FACTS["state_file"]["start"].format(worker="w-1.app-workers")


def xml(
    unfinished: int, completed: int, executed: dict[str, tuple[int, float]], workers: dict[str, list[str]]
) -> state_xml.Snapshot:
    """COMPSs_state.xml: executions and their mean in ms by task, actions by worker."""
    cores = "".join(
        f"<Core id='0'><Impl id='0'><Signature>{name}(OBJECT_T,OBJECT_T)matmul</Signature><MinExecutionTime>1"
        f"</MinExecutionTime><MaxExecutionTime>9</MaxExecutionTime><MeanExecutionTime>{mean}</MeanExecutionTime>"
        f"<ExecutedCount>{count}</ExecutedCount></Impl></Core>"
        for name, (count, mean) in executed.items()
    )
    resources = "".join(
        f"<Resource id='{name}.app-workers'><TotalCPUComputingUnits>2</TotalCPUComputingUnits><Status>Running</Status>"
        f"<Actions>{''.join(f'<Action>{action}</Action>' for action in actions)}</Actions></Resource>"
        for name, actions in workers.items()
    )
    return state_xml.parse(
        f"<?xml version='1.0'?><COMPSsState><TasksInfo><Application id='1'><TotalCount>9</TotalCount><InProgress>"
        f"{unfinished}</InProgress><Completed>{completed}</Completed></Application></TasksInfo>"
        f"<CoresInfo>{cores}</CoresInfo><ResourceInfo>{resources}</ResourceInfo></COMPSsState>"
    )


def test_the_runtimes_own_file() -> None:
    state = new(engine="compss")
    state.take_xml(xml(7, 2, {"multiply": (2, 500)}, {"w-0": [RUNNING]}))
    state.take_xml(xml(5, 4, {"multiply": (4, 1000)}, {"w-0": [RUNNING]}))
    values = lines(state)
    assert values['compss_tasks{application="app",state="completed",task="multiply"}'] == 4
    assert values['compss_tasks{application="app",state="running",task="other"}'] == 1
    assert values['compss_tasks{application="app",state="pending",task="other"}'] == 4
    # 2 of 0.5 s, then 4 of 1 s in the mean: the new ones took 1.5 s each.
    series = 'application="app",task="multiply",worker="unnamed"'
    assert values[f"compss_task_duration_seconds_sum{{{series}}}"] == 4
    assert (
        values['compss_task_duration_seconds_bucket{application="app",le="1.0",task="multiply",worker="unnamed"}'] == 2
    )
    assert values['compss_worker_computing_units_used{application="app",worker="w-0"}'] == 1
    assert values['compss_worker_up{application="app",worker="w-0"}'] == 1


def test_other_tasks_come_back_to_zero() -> None:
    """A series that vanishes keeps its last value in whatever reads it."""
    state = new(engine="compss")
    state.take_xml(xml(3, 0, {}, {"w-0": [RUNNING]}))
    state.take_xml(xml(0, 3, {"multiply": (3, 10)}, {"w-0": []}))
    values = lines(state)
    for each in ("pending", "running", "completed", "failed"):
        assert values[f'compss_tasks{{application="app",state="{each}",task="other"}}'] == 0


def test_completed_is_what_the_runtime_says_when_a_worker_comes_again() -> None:
    state = new(engine="compss")
    state.take_xml(xml(50, 100, {"multiply": (100, 10)}, {"w-0": [RUNNING]}))
    # The 20 executions of the worker are counted again.
    state.take_xml(xml(49, 101, {"multiply": (121, 10)}, {"w-0": [RUNNING]}))
    state.take_xml(xml(0, 150, {"multiply": (170, 10)}, {"w-0": []}))
    status = state.status()
    assert status["totals"] == {"pending": 0, "running": 0, "completed": 150, "failed": 0}
    assert status["tasks"]["multiply"]["completed"] == 150
    assert sum(each["count"] for each in status["durations"]) == 150


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_names_share_what_has_completed_and_no_more(data: st.DataObject) -> None:
    """Executions and completions are counted by different threads of the runtime, and executions jump."""
    state = new(engine="compss")
    executed = {"a": 0, "b": 0}
    completed = real = 0
    for _ in range(data.draw(st.integers(1, 12))):
        for name in executed:
            more = data.draw(st.integers(0, 5))
            executed[name] += more + data.draw(st.sampled_from([0, 0, 0, 9]))
            real += more
        completed = data.draw(st.integers(completed, real))
        state.take_xml(xml(200 - completed, completed, {name: (n, 10) for name, n in executed.items()}, {"w-0": []}))
        assert state.status()["totals"]["completed"] == completed
        assert sum(each["count"] for each in state.status()["durations"]) <= completed
    restored = new(engine="compss")
    restored.load(state.dump())
    assert restored.status() == state.status()


def test_a_failed_task_is_not_pending_for_ever() -> None:
    state = new(engine="compss")
    state.take_xml(xml(1, 4, {"multiply": (4, 10)}, {"w-0": []}))
    state.end(1, 9.0)
    # What the file says after the end changes nothing.
    state.take_xml(xml(1, 4, {"multiply": (4, 10)}, {"w-0": []}))
    assert state.status()["totals"] == {"pending": 0, "running": 0, "completed": 4, "failed": 1}
    assert not state.status()["workers"]["w-0"]["up"]


def test_a_worker_that_is_only_started_or_was_dropped_is_not_up() -> None:
    state = new(engine="compss")
    state.take_xml(xml(9, 0, {}, {"w-0": [RUNNING, RUNNING], "w-1": [STARTING], "w-2": []}))
    workers = state.status()["workers"]
    assert {name: (each["up"], each["computing_units_used"]) for name, each in workers.items()} == {
        "w-0": (True, 2),
        "w-1": (False, 0),
        "w-2": (True, 0),
    }
    assert state.status()["totals"]["running"] == 2
    state.take_xml(xml(9, 0, {}, {"w-0": [RUNNING]}))
    assert not state.status()["workers"]["w-2"]["up"]
    assert state.status()["workers"]["w-2"]["computing_units"] == 2


def test_the_application_starts_again_in_the_same_pod() -> None:
    state = new(engine="compss")
    state.take_xml(xml(0, 4, {"multiply": (4, 10)}, {"w-0": []}), "/results/.COMPSs/a.py_01")
    state.take_xml(xml(1, 1, {"multiply": (1, 10)}, {"w-0": []}), "/results/.COMPSs/a.py_02")
    assert state.status()["totals"] == {"pending": 1, "running": 0, "completed": 1, "failed": 0}
    assert state.data.durations["multiply", "unnamed"].count == 5


def test_deadlines_that_nobody_checks_are_no_zeros(capsys: pytest.CaptureFixture[str]) -> None:
    """The runtime's file has means alone: they tell of no task whether it was late."""
    state = new(engine="compss", deadlines={"multiply": 0.01, "never_called": 1.0})
    state.take_xml(xml(0, 20, {"multiply": (20, 191)}, {"w-0": []}))
    assert state.status()["deadlines"] == {"multiply": {"checked": 0, "missed": None, "not_checked": 20}}
    pushed = exposition(Deadlines(state)).decode()
    assert 'deadlines_checked{task="multiply"} 0.0' in pushed
    assert "deadlines_missed{" not in pushed
    state.end(0, 9.0)
    assert "not checked: the deadline of 20 executions of multiply" in capsys.readouterr().out


def test_deadlines_that_tasks_check_themselves() -> None:
    state = new(engine="compss", deadlines={"multiply": 0.01})
    state.take_xml(xml(0, 3, {"multiply": (3, 191)}, {"w-0": []}))
    ended = {**end(0, "multiply"), "deadline": 0.01, "jitter": 0.0}
    send(state, *({**ended, "event": "checked"} for _ in range(2)), {**ended, "event": "deadline"})
    assert state.status()["deadlines"] == {"multiply": {"checked": 2, "missed": 1, "not_checked": 1}}
    assert 'deadlines_missed{task="multiply"} 1.0' in exposition(Deadlines(state)).decode()


@pytest.mark.parametrize("pushgateway", ["", "http://gateway:9091"])
def test_deadlines_that_are_not_pushed_are_scraped(pushgateway: str) -> None:
    state = new(engine="compss", deadlines={"multiply": 0.01}, pushgateway=pushgateway)
    state.take_xml(xml(0, 1, {"multiply": (1, 191)}, {"w-0": []}))
    send(state, {**end(0, "multiply"), "event": "deadline", "deadline": 0.01, "jitter": 0.0})
    scraped = exposition(Application(state)).decode()
    told = 'deadlines_missed{application="app",task="multiply"} 1.0' in scraped
    assert told == ("deadlines_checked{" in scraped) == (not pushgateway)


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
    assert sum(durations.count for durations in state.data.durations.values()) == len(ran)
    assert sum(durations.total for durations in state.data.durations.values()) == pytest.approx(sum(ran))
    assert state.data.refused == sum(event["event"] == "nonsense" for event in events)
    assert len({task for task, _ in state.data.durations} - {OTHER}) <= limit
    assert len(state.data.workers.keys() - {OTHER}) <= limit
    used = state.used_units()
    assert all(used[name] <= worker.units for name, worker in state.data.workers.items())


def called(count: int, single: int) -> dict[str, Any]:
    tasks = [[number, "a" if number % 2 else "b", [number - 1] if number > 1 else []] for number in range(1, count + 1)]
    return {"event": "graph", "called": count, "tasks": tasks[:single], "edges": [["a", "b", count // 2]]}


def test_the_graph_of_few_tasks_is_each_of_them() -> None:
    state = new()
    send(
        state,
        {"event": "run", "state": "started", "time": 1.0, "run": "r", "seq": 1},
        {**called(4, 4), "run": "r", "seq": 2},
        {**end(1), "run": "r", "seq": 3},
        {**end(2, "b", state="FAILED"), "run": "r", "seq": 4},
        {"event": "start", "id": 3, "name": "a", "worker": "w-0", "time": 3.0, "run": "r", "seq": 5},
    )
    graph = state.graph()
    assert [(task["id"], task["state"], task["reads"]) for task in graph["tasks"]] == [
        (1, "completed", []),
        (2, "failed", [1]),
        (3, "running", [2]),
        (4, "pending", [3]),
    ]
    assert graph["edges"] == [{"source": "a", "target": "b", "count": 2}]
    assert [name["name"] for name in graph["names"]] == ["a", "b"]
    timeline = state.timeline()
    assert [(task["id"], task["start"], task["end"], task["state"]) for task in timeline["tasks"]] == [
        (1, 1.0, 2.0, "completed"),
        (2, 1.0, 2.0, "failed"),
        (3, 3.0, None, "running"),
    ]
    # Another run has other tasks.
    send(state, {"event": "run", "state": "started", "time": 9.0, "run": "s", "seq": 1})
    assert state.graph()["tasks"] == state.graph()["edges"] == state.timeline()["tasks"] == []


def test_of_many_tasks_only_what_is_between_names_is_kept() -> None:
    state = new()
    send(state, called(500, 500))
    assert len(state.graph()["tasks"]) == 500
    send(state, called(501, 0), *(end(number) for number in range(1, 5001)))
    graph, timeline = state.graph(), state.timeline()
    assert graph["tasks"] == []
    assert graph["edges"] == [{"source": "a", "target": "b", "count": 500}]
    assert len(timeline["tasks"]) == 3000
    assert timeline["tasks"][-1]["id"] == timeline["executions"] == 5000


@pytest.mark.parametrize(
    "event",
    [
        {"called": -1, "tasks": [], "edges": []},
        {"called": 1, "tasks": {}, "edges": []},
        {"called": 1, "tasks": [[1, "a"]], "edges": []},
        {"called": 1, "tasks": [["one", "a", []]], "edges": []},
        {"called": 1, "tasks": [[1, "", []]], "edges": []},
        {"called": 1, "tasks": [], "edges": [["a", "b", "many"]]},
    ],
)
def test_a_graph_that_is_none_is_refused(event: dict[str, Any]) -> None:
    state = new()
    send(state, {"event": "graph", **event})
    assert state.data.refused == 1
    assert state.graph()["tasks"] == state.graph()["edges"] == []


def test_the_engine_compss_says_what_it_does_not_tell() -> None:
    state = new(engine="compss")
    for told in (state.graph, state.timeline):
        with pytest.raises(NotTold, match="engine compss"):
            told()
    send(state, {**end(0, "multiply"), "event": "checked"})
    assert [task["name"] for task in state.timeline()["tasks"]] == ["multiply"]
