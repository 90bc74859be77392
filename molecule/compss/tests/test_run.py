"""What two applications left: their results, and in Prometheus exactly the tasks that ran."""

from __future__ import annotations

import importlib.util
import json
import os
import time
import urllib.parse
import urllib.request
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from testinfra.host import Host

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CLUSTER = PROJECT / ".local" / "molecule"
PROMETHEUS = "http://10.79.0.11:31000"
# What each script calls, by the task's name.
TASKS = {"matmul": {"generate": 32, "multiply": 64}, "clocks": {"ticks": 20, "tocks": 20}}
LIMITS = {"ticks": 1.0, "tocks": 1.2}


def results(application: str) -> Path:
    return CLUSTER / "results" / application / f"{application}.py_01"


def series(query: str, labels: tuple[str, ...]) -> dict[tuple[str, ...], float]:
    # The applications have ended: their last sample counts.
    parameters = urllib.parse.urlencode({"query": f"last_over_time({query}[1h])"})
    with urllib.request.urlopen(f"{PROMETHEUS}/api/v1/query?{parameters}", timeout=10) as answer:
        result = json.load(answer)["data"]["result"]
    return {tuple(each["metric"][label] for label in labels): float(each["value"][1]) for each in result}


def eventually(query: str, labels: tuple[str, ...], total: float) -> dict[tuple[str, ...], float]:
    """The series, once Prometheus has scraped as much as there is to be."""
    for _ in range(30):
        values = series(query, labels)
        if sum(values.values()) >= total:
            break
        time.sleep(2)
    return values


@pytest.fixture(scope="module")
def timeline() -> ModuleType:
    specification = importlib.util.spec_from_file_location("timeline", PROJECT / "roles/compss/files/timeline.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def trace(timeline: ModuleType, application: str) -> dict[tuple[str, str], list[float]]:
    """Durations by task and worker, from the trace that the run left."""
    prv, pcf, row = (
        (results(application) / "trace" / f"{application}.py_compss.{kind}").read_text()
        for kind in ("prv", "pcf", "row")
    )
    _, bars = timeline.read(prv)
    tasks, rows = timeline.names(pcf), timeline.rows(row)
    durations: dict[tuple[str, str], list[float]] = defaultdict(list)
    for place, spans in bars.items():
        for start, stop, value in spans:
            durations[tasks[value], rows[place]].append((stop - start) / 1e9)
    return durations


def own_clocks() -> dict[tuple[str, str], list[float]]:
    clocks: dict[tuple[str, str], list[float]] = defaultdict(list)
    for path in (results("clocks") / "jobs").glob("*.out"):
        for line in path.read_text().splitlines():
            record: dict[str, Any] = json.loads(line)
            clocks[record["task"], record["worker"]].append(record["seconds"])
    return clocks


@pytest.mark.parametrize("application", TASKS)
def test_right_result_and_all_that_a_run_leaves(host: Host, application: str) -> None:
    kubectl = f"{CLUSTER}/bin/kubectl --kubeconfig {CLUSTER}/kubeconfig --namespace compss"
    selector = f"app.kubernetes.io/instance={application},app.kubernetes.io/component=master"
    assert "the result is right" in host.check_output(f"{kubectl} logs --selector {selector} --container master")
    folder = results(application)
    left = {
        "runtime.log",
        "jobs",
        "workers",
        "monitor",
        "trace",
        "status.json",
        "graph.svg",
        "graph.png",
        "timeline.svg",
    }
    assert left <= {path.name for path in folder.iterdir()}
    count = sum(TASKS[application].values())
    assert f"{count} COMPLETED" in (folder / "runtime.log").read_text()
    # One circle for each task.
    assert (folder / "graph.svg").read_text().count("<ellipse") == count
    assert json.loads((folder / "status.json").read_text())["totals"] == {
        "pending": 0,
        "running": 0,
        "completed": count,
        "failed": 0,
    }


@pytest.mark.parametrize("application", TASKS)
def test_prometheus_holds_exactly_the_tasks_that_ran(timeline: ModuleType, application: str) -> None:
    ran = {key: len(durations) for key, durations in trace(timeline, application).items()}
    assert sum(ran.values()) == sum(TASKS[application].values())
    query = f'compss_task_duration_seconds_count{{application="{application}"}}'
    assert eventually(query, ("task", "worker"), sum(ran.values())) == ran
    query = f'compss_tasks{{application="{application}"}}'
    states = eventually(query, ("task", "state"), sum(ran.values()))
    assert {task: count for (task, state), count in states.items() if state == "completed"} == TASKS[application]
    assert sum(count for (_, state), count in states.items() if state != "completed") == 0


def test_durations_are_those_of_the_tasks_own_clocks(timeline: ModuleType) -> None:
    clocks = {key: sum(durations) for key, durations in own_clocks().items()}
    assert len(clocks) == 4  # each task on each worker
    told = eventually(
        'compss_task_duration_seconds_sum{application="clocks"}', ("task", "worker"), sum(clocks.values())
    )
    # What a task waits for its worker's processor after its own clock has stopped is part of what is told.
    assert told == pytest.approx(clocks, rel=0.05, abs=0.5)
    traced = {key: sum(durations) for key, durations in trace(timeline, "clocks").items()}
    assert told == pytest.approx(traced, rel=0.001)


def test_missed_deadlines_are_those_of_the_trace(timeline: ModuleType) -> None:
    missed = dict.fromkeys(((task,) for task in LIMITS), 0.0)
    for (task, _), durations in trace(timeline, "clocks").items():
        missed[task,] += sum(duration > LIMITS[task] for duration in durations)
    assert missed == {("ticks",): 7, ("tocks",): 3}
    assert eventually('deadlines_missed{application="clocks"}', ("task",), 10) == missed
    assert eventually('deadlines_checked{application="clocks"}', ("task",), 40) == {("ticks",): 20, ("tocks",): 20}
