"""Events in Redis, and deadlines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from compss_telemetry import Deadlines, RedisSink, Sink, deadline, open_sink
from compss_telemetry.deadline import declared
from compss_telemetry.sink import MAX_WAITING, QUEUE
from faulty import double, sleeps
from pycompss.api.api import compss_barrier
from pycompss.api.task import task
from pycompss_dask.runtime import Runtime
from support import SOURCE, Events, runcompss
from tools import free_port

fakeredis = pytest.importorskip("fakeredis")


@pytest.fixture
def redis() -> Iterator[tuple[str, Any]]:
    """A Redis server, and a client of it."""
    import redis as client

    port = free_port()
    server = fakeredis.TcpFakeServer(("127.0.0.1", port), server_type="redis")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{port}", client.Redis(port=port)
    server.shutdown()
    server.server_close()


def test_events_arrive_as_json_in_order(redis: tuple[str, Any]) -> None:
    url, client = redis
    sink = open_sink(url)
    sink.send([{"event": "end", "id": number} for number in range(2500)])
    sink.close()
    events = [json.loads(entry) for entry in client.lrange(QUEUE, 0, -1)]
    assert [event["id"] for event in events] == list(range(2500))


def test_no_redis_no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPSS_TELEMETRY_REDIS", raising=False)
    assert type(open_sink()) is Sink


def test_redis_that_is_away_costs_nothing_and_gets_the_events_later() -> None:
    class Away:
        up = False
        got: list[str] = []  # noqa: RUF012

        def rpush(self, name: str, *values: str) -> int:
            assert name == QUEUE
            if not self.up:
                raise ConnectionError("away")
            self.got += values
            return len(self.got)

        def ltrim(self, *_: Any) -> None:
            raise AssertionError("too few events to trim")

    server = Away()
    sink = RedisSink(server)
    began = time.monotonic()
    for number in range(100):
        sink.send([{"id": number}])
    assert time.monotonic() - began < 1
    server.up, sink.retry_at = True, 0.0
    sink.close()
    assert [json.loads(value)["id"] for value in server.got] == list(range(100))
    server.up = False
    sink.send([{"id": number} for number in range(MAX_WAITING + 10)])
    assert len(sink.waiting) == MAX_WAITING
    assert sink.dropped == 10


@pytest.mark.parametrize(
    ("text", "limits"),
    [
        ("", {}),
        ("a=1", {"a": (1, 0)}),
        ("a=1.5+0.5, b=2", {"a": (1.5, 0.5), "b": (2, 0)}),
        ('{"a": {"seconds": 1, "jitter": 0.5}, "b": 2}', {"a": (1, 0.5), "b": (2, 0)}),
    ],
)
def test_deadlines_are_read(text: str, limits: dict[str, Any]) -> None:
    assert Deadlines.parse(text).limits == limits


@pytest.mark.parametrize("text", ["a", "a=x", "a=1+y", "{", '{"a": {}}', '{"a": "x"}'])
def test_bad_deadlines_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="COMPSS_DEADLINES"):
        Deadlines.parse(text)


def test_deadline_is_missed_beyond_its_jitter() -> None:
    deadlines = Deadlines({"a": (1.0, 0.5)})
    assert deadlines.check("a", 1.5) is None
    assert deadlines.check("a", 1.51) == {"deadline": 1.0, "jitter": 0.5}
    assert deadlines.check("b", 100) is None
    assert deadlines.missed == {"a": 1}


@pytest.mark.parametrize(("seconds", "jitter"), [(0, 0), (-1, 0), (1, -0.1)])
def test_senseless_deadline_is_refused(seconds: float, jitter: float) -> None:
    with pytest.raises(ValueError, match="expected seconds above 0"):
        deadline(seconds, jitter)


def test_deadline_above_task_is_refused() -> None:
    with pytest.raises(ValueError, match="below @task"):
        deadline(1)(task()(lambda: None))


def test_misses_are_events_of_the_engine(own_engine: Runtime) -> None:
    @task(returns=1)
    @deadline(0.6, jitter=0.1)
    def watched(seconds: float) -> float:
        import time

        time.sleep(seconds)
        return seconds

    own_engine.sink.deadlines.limits["sleeps"] = (0.6, 0.0)
    try:
        for seconds in (0.0, 1.2, 1.0):
            watched(seconds)
            sleeps(seconds)
        compss_barrier()
    finally:
        declared.pop("watched")
    assert isinstance(own_engine.sink, Events)
    missed = own_engine.sink.of("deadline")
    assert sorted(event["name"] for event in missed) == ["sleeps", "sleeps", "watched", "watched"]
    # They are what the trace says.
    limits = {"watched": 0.7, "sleeps": 0.6}
    late = [number for _, _, begin, end, name, number in own_engine.results.spans if end - begin > limits[name]]
    assert sorted(late) == sorted(event["id"] for event in missed)


def test_a_start_names_the_worker_as_its_end_does(own_engine: Runtime) -> None:
    sleeps(0.6)
    compss_barrier()
    assert isinstance(own_engine.sink, Events)
    (start,), (end,) = own_engine.sink.of("start"), own_engine.sink.of("end")
    assert start["worker"] == end["worker"]
    assert start["worker"] in {"one", "two"}


def test_the_graph_is_told_as_it_grows(own_engine: Runtime) -> None:
    assert isinstance(own_engine.sink, Events)
    before = len(own_engine.results.tasks)
    double(double(double(1)))
    compss_barrier()
    events = own_engine.sink.of("graph")
    told = [task for event in events for task in event["tasks"] if task[0] > before]
    assert told == [
        [before + 1, "double", []],
        [before + 2, "double", [before + 1]],
        [before + 3, "double", [before + 2]],
    ]
    assert events[-1]["called"] == before + 3
    assert sum(count for event in events for one, two, count in event["edges"] if one == two == "double") == 2


def test_application_tells_redis(redis: tuple[str, Any], tmp_path: Path) -> None:
    url, client = redis
    (tmp_path / "app.py").write_text(
        textwrap.dedent("""
        import time
        from pycompss.api.task import task
        from pycompss.api.api import compss_barrier

        @task()
        def work(number):
            time.sleep(2 if number == 3 else 0)

        if __name__ == "__main__":
            for number in range(20):
                work(number)
            compss_barrier()
        """)
    )
    options = (f"--log_dir={tmp_path}", "--computing_units=1", f"--telemetry={url}", "--deadlines=work=1")
    ended = runcompss(*options, str(tmp_path / "app.py"))
    assert ended.returncode == 0, ended.stderr
    events = [json.loads(entry) for entry in client.lrange(QUEUE, 0, -1)]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert len({event["run"] for event in events}) == 1
    kinds = [event["event"] for event in events]
    assert kinds.count("end") == 20
    assert kinds.count("deadline") == 1
    # A deadline that was kept is told, too: of a script's own nobody else knows.
    assert {event["deadline"] for event in events if event["event"] == "end"} == {1}
    totals = [event for event in events if event["event"] == "tasks"]
    assert all(event["names"] == ({"work": event["pending"]} if event["pending"] else {}) for event in totals)
    assert totals[-1]["pending"] == 0
    assert max(event["pending"] for event in totals) > 0
    assert [event["state"] for event in events if event["event"] == "run"] == ["started", "ended"]
    assert [event["worker"] for event in events if event["event"] == "worker"] == ["local0"]
    slow = next(event for event in events if event["event"] == "deadline")
    assert 2 <= slow["duration"] < 2.3


def test_on_the_other_engine_the_time_is_taken_around_the_function(redis: tuple[str, Any], tmp_path: Path) -> None:
    """A stand-in for COMPSs' own pycompss: its Task is a class whose instances wrap the function."""
    url, client = redis
    package = tmp_path / "pycompss" / "api"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "task.py").write_text(
        textwrap.dedent("""
        import functools

        class Task:
            def __init__(self, **arguments):
                pass

            def __call__(self, function):
                @functools.wraps(function)
                def call(*args):
                    return function(*args)
                return call

        task = Task
        """)
    )
    (tmp_path / "compss_telemetry").symlink_to(SOURCE / "compss_telemetry")
    (tmp_path / "app.py").write_text(
        textwrap.dedent("""
        import time
        import compss_telemetry
        compss_telemetry.install()
        from pycompss.api.task import task

        @task(returns=1)
        def slow(seconds):
            time.sleep(seconds)
            return seconds

        assert slow(0.7) == 0.7
        slow(0)
        """)
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(tmp_path),
        "COMPSS_TELEMETRY_REDIS": url,
        "COMPSS_DEADLINES": "slow=0.5",
        "COMPSS_WORKER_NAME": "worker-3",
    }
    subprocess.run([sys.executable, str(tmp_path / "app.py")], env=environment, check=True, timeout=30)
    events = [json.loads(entry) for entry in client.lrange(QUEUE, 0, -1)]
    # A task in time is reported, too: else nobody could tell it from one that nobody has looked at.
    assert [event["event"] for event in events] == ["checked", "deadline", "checked"]
    assert {(event["name"], event["worker"]) for event in events} == {("slow", "worker-3")}
    assert events[1]["duration"] >= 0.7


def test_redis_that_does_not_answer_holds_nobody_up() -> None:
    class Silent:
        def rpush(self, name: str, *values: str) -> int:
            time.sleep(2)
            raise TimeoutError(name, len(values))

        def ltrim(self, *_: Any) -> None:
            """Never comes to it."""

    sink = RedisSink(Silent()).start()
    began = time.monotonic()
    for number in range(50):
        sink.send([{"id": number}])
        time.sleep(0.01)
    assert time.monotonic() - began < 1.5
    assert len(sink.waiting) == 50
