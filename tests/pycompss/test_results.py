"""The trace as Paraver reads it, the graph, the logs of tasks, and values on the wire."""

from __future__ import annotations

import pickle
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycompss_dask.results import NUMBER_EVENT, TASK_EVENT, Results
from pycompss_dask.wire import MISSING, Blob, Outcome, Outputs, dump, load, pick, revive
from pycompss_dask.worker import Units, _deserialize, _serialize


def record(task: int, worker: str, begin: float, end: float, **more: Any) -> dict[str, Any]:
    return {"task": task, "worker": worker, "begin": begin, "end": end, "slot": 0, "state": "COMPLETED", **more}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    results = Results(tmp_path, "app.py")
    results.joined("w-1", 2)
    results.joined("w-0", 1)
    start = results.started
    for number, name in enumerate(["first", "second", 'odd "name" <x>'], start=1):
        results.submitted(
            number, name, [(number - 1, f"d{number}v1")] if number > 1 else [], ("group",) if number == 2 else ()
        )
    results.synchronised("sync", [2])
    results.synchronised("barrier", [])
    results.ended(record(1, "w-0", start + 1, start + 2, out=b"printed"), "first")
    failed = [(start + 2, start + 3, "boom", b"", b"trace")]
    results.ended(record(2, "w-1", start + 3, start + 5, slot=1, failures=failed), "second")
    results.counts(2, 1)
    return results


def test_trace_is_what_paraver_reads(results: Results, tmp_path: Path) -> None:
    results.finish()
    header, *lines = (tmp_path / "trace" / "app.py_compss.prv").read_text().splitlines()
    # Master, w-0 with one unit, w-1 with two.
    assert header.startswith("#Paraver (")
    duration, nodes, applications, tasks = header.partition("):")[2].split(":", 3)
    assert (nodes, applications, tasks) == ("3(1,1,2)", "1", "3(1:1,1:2,2:3)")
    end = int(duration.removesuffix("_ns"))
    moments = []
    for line in lines:
        kind, cpu, application, task, thread, begin, *rest = map(int, line.split(":"))
        assert application == 1
        assert 1 <= cpu <= 4
        assert 1 <= task <= 3
        assert 1 <= thread <= (1, 1, 2)[task - 1]
        assert 0 <= begin <= end
        moments.append(begin)
        if kind == 1:
            assert begin <= rest[0] <= end
        else:
            assert kind == 2
            assert rest[0] == TASK_EVENT
            assert rest[2] == NUMBER_EVENT
    assert moments == sorted(moments)
    starts = [line for line in lines if f":{TASK_EVENT}:" in line and f":{TASK_EVENT}:0:" not in line]
    ends = [line for line in lines if f":{TASK_EVENT}:0:" in line]
    assert len(starts) == len(ends) == 3  # a task that was tried twice is there twice
    assert "1 app.py.first" in (tmp_path / "trace" / "app.py_compss.pcf").read_text()
    rows = (tmp_path / "trace" / "app.py_compss.row").read_text()
    assert "LEVEL NODE SIZE 3\nMASTER\nw-0\nw-1\n" in rows
    assert "LEVEL THREAD SIZE 4\n" in rows


def test_logs_of_tasks(results: Results, tmp_path: Path) -> None:
    results.finish()
    logs = {path.name: path.read_text() for path in (tmp_path / "jobs").iterdir()}
    assert logs["job1_NEW.out"] == "printed"
    assert logs["job2_NEW.err"] == "trace"
    assert logs["job2_RESUBMITTED.out"] == ""
    assert "attempt NEW FAILED: boom" in (tmp_path / "runtime.log").read_text()


def test_graph_has_the_edges(results: Results, tmp_path: Path) -> None:
    results.finish()
    graph = (tmp_path / "monitor" / "complete_graph.dot").read_text()
    for edge in (
        '1 -> 2 [label="d2v1"];',
        '2 -> 3 [label="d3v1"];',
        "Synchro0 -> 1;",
        "2 -> Synchro1;",
        "3 -> Synchro2",
    ):
        assert edge in graph, edge
    assert 'label="group"' in graph
    current = (tmp_path / "monitor" / "current_graph.dot").read_text()
    assert "\n3[shape" in current
    assert "\n1[shape" not in current


def test_state_is_well_formed_with_odd_names(results: Results) -> None:
    root = ET.fromstring(results.state())
    signatures = [entry.text for entry in root.iter("Signature")]
    assert 'app.py.odd "name" <x>' in signatures
    assert [entry.text for entry in root.iter("MeanExecutionTime")] == ["1000", "2000", "0"]
    results.left("w-1")
    root = ET.fromstring(results.state())
    assert root.findtext("ResourceInfo/Resource[@id='w-1']/TotalCPUComputingUnits") == "0"


def test_finish_twice_is_once(results: Results, tmp_path: Path) -> None:
    results.finish()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    first = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}
    # An event after the end changes nothing, either.
    results.ended(record(3, "w-0", results.started, results.started + 1), 'odd "name" <x>')
    results.finish()
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in first} == first
    log = (tmp_path / "runtime.log").read_text()
    assert log.count("2 COMPLETED") == 1


@pytest.mark.parametrize("size", [1, 100, 10_000, 300_000])
def test_blob_over_the_wire(size: int) -> None:
    value = {"a": np.arange(size), "b": [np.ones(size), "text"], "c": size}
    stored = dump(value)
    assert isinstance(stored, Blob)
    header, frames = _serialize(stored)
    for copy in (
        stored,
        _deserialize(header, [memoryview(bytes(f)) for f in frames]),
        pickle.loads(pickle.dumps(stored, 5)),
    ):
        content = load(copy)
        assert (content["a"] == value["a"]).all()
        assert content["b"][1] == "text"
        content["a"][0] = 99  # a private copy
        assert load(copy)["a"][0] == 0


def test_readers_do_not_see_each_other() -> None:
    stored = dump(np.zeros(100_000))
    first, second = load(stored), load(stored)
    first[:] = 1
    assert second.sum() == 0
    assert load(stored).sum() == 0


def test_value_outlives_its_blob() -> None:
    stored = dump(np.ones(100_000))
    value = load(stored)
    del stored
    assert value.sum() == 100_000


def test_outcomes() -> None:
    outcome = Outcome("cancelled", 3, (1, MISSING))
    assert pick(Outputs((5, 6)), 1) == 6
    assert pick(outcome, 0).value == 1
    assert revive(pick(outcome, 0)) == 1
    assert type(revive(pick(outcome, 1))) is Outcome
    assert pickle.loads(pickle.dumps(outcome)).values[1] is MISSING


def test_units_are_given_in_order() -> None:
    units = Units(2)
    with units.taken(1), units.taken(1):
        assert units.free == 0
    with units.taken(5):  # more than there are: all of them
        assert units.free == 0
    assert units.free == 2
