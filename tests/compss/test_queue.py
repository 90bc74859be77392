"""The queue, the Pushgateway and the end of an application, against a Redis and HTTP servers of the test's own."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client", reason="pip install -r images/compss-monitoring/requirements.txt")
fakeredis = pytest.importorskip("fakeredis")

import redis  # noqa: E402
from compss_monitoring.cluster import Cluster  # noqa: E402
from compss_monitoring.push import Pusher, request  # noqa: E402
from compss_monitoring.queue import EVENTS, STATE, TIMES, TIMES_KEY, Reader  # noqa: E402
from compss_monitoring.record import SPANS  # noqa: E402
from compss_monitoring.settings import Pool, Settings  # noqa: E402
from compss_monitoring.state import State  # noqa: E402

from .test_state import BUCKETS, end, new, send  # noqa: E402


@pytest.fixture
def client() -> Any:
    return fakeredis.FakeRedis()


def push(client: Any, *events: dict[str, Any]) -> None:
    client.rpush(EVENTS, *(json.dumps(event) for event in events))


def test_reads_everything_once(client: Any) -> None:
    state = new()
    reader = Reader(state, client)
    push(client, *(end(number, run="r", seq=number + 1) for number in range(5000)))
    client.rpush(TIMES, "0.5", "1.5")
    client.set(TIMES_KEY, "2.5")
    while reader.once():
        pass
    assert state.status()["totals"]["completed"] == 5000
    assert sum(durations.total for durations in state.data.durations.values()) == 5000 * 1.0 + 4.5
    assert client.llen(EVENTS) == client.llen(TIMES) == client.exists(TIMES_KEY) == 0
    assert state.queue_length == 0


def test_a_restarted_monitor_goes_on(client: Any) -> None:
    push(client, end(1, run="r", seq=1))
    Reader(new(), client).once()
    push(client, end(1, run="r", seq=1), end(2, run="r", seq=2))
    state = new()
    Reader(state, client).once()
    assert state.status()["totals"]["completed"] == 2


def test_a_restarted_monitor_knows_single_tasks(client: Any) -> None:
    graph = {"event": "graph", "called": 2, "tasks": [[1, "a", []], [2, "a", [1]]], "edges": [["a", "a", 1]]}
    push(client, {**graph, "run": "r", "seq": 1}, end(1, run="r", seq=2))
    before = new()
    Reader(before, client).once()
    push(client, end(2, run="r", seq=3))
    after = new()
    Reader(after, client).once()
    assert [task["state"] for task in after.graph()["tasks"]] == ["completed", "completed"]
    assert after.graph()["edges"] == before.graph()["edges"]
    assert [task["id"] for task in after.timeline()["tasks"]] == [1, 2]


def test_spans_are_bounded_and_end_with_their_run(client: Any) -> None:
    reader = Reader(new(), client)
    push(client, *(end(number, run="r", seq=number + 1) for number in range(5000)))
    while reader.once():
        pass
    assert client.llen(SPANS) == 3000
    push(client, {"event": "run", "state": "started", "time": 1.0, "run": "s", "seq": 1}, end(1, run="s", seq=2))
    reader.once()
    assert client.llen(SPANS) == len(reader.state.timeline()["tasks"]) == 1


def test_a_redis_that_lost_everything_costs_no_numbers(client: Any) -> None:
    state = new()
    reader = Reader(state, client)
    push(client, end(1))
    reader.once()
    client.flushall()
    reader.fresh = False
    push(client, end(2))
    reader.once()
    assert state.status()["totals"]["completed"] == 2


def test_keys_are_read_whichever_of_list_and_value_they_are(client: Any) -> None:
    """Applications of one school: one sets `task_times`, one pushes to `task_times_queue`, one to a list `task_times`."""
    state = new()
    reader = Reader(state, client)
    client.rpush(TIMES_KEY, "0.5", "1.5")
    client.set(TIMES, "2.5")
    client.set(EVENTS, json.dumps(end(1)))
    while reader.once():
        pass
    assert sum(durations.total for durations in state.data.durations.values()) == 4.5 + 1.0
    assert state.status()["totals"]["completed"] == 1
    assert client.exists(EVENTS, TIMES, TIMES_KEY) == 0


@pytest.mark.parametrize("bad", [EVENTS, TIMES, TIMES_KEY])
def test_a_bad_key_stops_no_other(client: Any, bad: str, capsys: pytest.CaptureFixture[str]) -> None:
    client.hset(bad, "a", "b")
    state = new()
    reader = Reader(state, client)
    for round_ in range(3):
        if bad != EVENTS:
            push(client, end(round_))
        for key in {TIMES, TIMES_KEY} - {bad}:
            client.rpush(key, "1.0")
        reader.step(0)
    assert state.status()["totals"]["completed"] == (0 if bad == EVENTS else 3)
    assert state.data.accepted == 6
    assert capsys.readouterr().out.count(f"the key {bad} is neither a list nor one value") == 1
    assert client.hget(bad, "a") == b"b"


@pytest.mark.parametrize(
    "event", [b"[" * 100_000, b'{"event": "tasks", "pending": 1' + b"0" * 400 + b"}", b"\xff", b""]
)
def test_a_bad_event_stops_no_other(client: Any, event: bytes) -> None:
    state = new()
    reader = Reader(state, client)
    client.rpush(EVENTS, event)
    client.rpush(TIMES, b"1" + b"0" * 400)
    push(client, end(1))
    reader.step(0)
    assert state.status()["totals"]["completed"] == 1
    assert state.data.refused == 2
    assert client.llen(EVENTS) == client.llen(TIMES) == 0


@pytest.mark.parametrize("stored", [b"nonsense", b"{}", b"[]", b'{"buckets": [0.1, 1.0, 10.0]}'])
def test_a_record_that_is_none_is_written_anew(client: Any, stored: bytes) -> None:
    client.set(STATE, stored)
    state = new()
    push(client, end(1))
    Reader(state, client).step(0)
    assert state.status()["totals"]["completed"] == 1
    again = new()
    Reader(again, client).restore()
    assert again.status()["totals"]["completed"] == 1


class Flaky:
    """A Redis of which every other transaction fails; half of those took place all the same."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.calls = 0

    def get(self, key: str) -> Any:
        return self.client.get(key)

    def set(self, key: str, value: str) -> Any:
        return self.client.set(key, value)

    def lrange(self, key: str, first: int, last: int) -> Any:
        return self.client.lrange(key, first, last)

    def pipeline(self, transaction: bool) -> Any:
        pipeline = self.client.pipeline(transaction=transaction)
        original = pipeline.execute

        def execute(**options: Any) -> Any:
            self.calls += 1
            if self.calls % 4 == 0:
                original(**options)
            if self.calls % 2 == 0:
                raise redis.ConnectionError("gone")
            return original(**options)

        pipeline.execute = execute
        return pipeline


def test_a_transaction_whose_answer_is_lost_counts_nothing_twice(client: Any) -> None:
    state = new()
    reader = Reader(state, Flaky(client))
    for number in range(40):
        # Times have no numbers of their own: only the transaction keeps them from counting twice.
        client.rpush(TIMES, "1.0")
        push(client, end(number))
        reader.step(0)
        assert client.exists(STATE)
    for _ in range(20):
        reader.step(0)
    assert state.status()["totals"]["completed"] == 40
    assert len(state.timeline()["tasks"]) == client.llen(SPANS) == 40
    assert state.data.accepted == 80


@pytest.fixture
def gateway() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    calls: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            calls.append((self.command, self.path, body))
            self.send_response(202)
            self.end_headers()

        do_DELETE = do_PUT  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", calls
    server.shutdown()
    server.server_close()


def test_misses_are_pushed_when_they_change(gateway: tuple[str, list[tuple[str, str, str]]]) -> None:
    url, calls = gateway
    state = new(pushgateway=url, namespace="n", application="a/b", deadlines={"a": 0.5})
    pusher = Pusher(state)
    pusher.push()
    assert calls == []
    send(state, end(1), {**end(1), "event": "deadline"})
    pusher.push()
    pusher.push()
    assert [call[:2] for call in calls] == [("PUT", "/metrics/job/compss/namespace/n/application/a%2Fb")]
    assert 'deadlines_missed{task="a"} 1.0' in calls[0][2]
    assert 'deadlines_checked{task="a"} 1.0' in calls[0][2]
    assert request(state.settings, "DELETE") == ""
    assert calls[-1][0] == "DELETE"


def test_a_pushgateway_that_is_gone_is_tried_again(capsys: pytest.CaptureFixture[str]) -> None:
    state = new(pushgateway="http://127.0.0.1:9", deadlines={"a": 0.5})
    send(state, end(1))
    pusher = Pusher(state)
    pusher.push()
    pusher.push()
    assert capsys.readouterr().out.count("not pushed") == 1
    assert pusher.pushed == b""


@pytest.mark.parametrize(
    ("status", "failed", "last"),
    [(0, 0, True), (2, 0, True), (1, 0, False), (1, 1, False), (1, 2, True), (137, 2, True)],
)
def test_workers_go_only_when_no_master_comes_after(status: int, failed: int, last: bool) -> None:
    cluster = Cluster(Settings(job="j", retries=2, pools=(Pool("w"),)))
    cluster.call = lambda *_: {"status": {"failed": failed}}  # type: ignore[method-assign]
    assert cluster.last_attempt(status) is last


def test_a_run_of_a_schedule_starts_the_workers_of_each_pool() -> None:
    pools = json.dumps([{"name": "w", "number": 2}, {"name": "gpu", "number": 1}])
    settings = Settings.from_environment({"START_WORKERS": "1", "POOLS": pools})
    assert settings.start_workers
    cluster = Cluster(settings)
    calls: list[Any] = []
    cluster.call = lambda *arguments: calls.append(arguments)  # type: ignore[method-assign]
    cluster.start_workers()
    assert [(path.split("/")[-2], method, body["spec"]) for path, method, body in calls] == [
        ("w", "PATCH", {"replicas": 2}),
        ("gpu", "PATCH", {"replicas": 1}),
    ]


def test_absorbs_ten_thousand_events_a_second() -> None:
    """The work on events alone; the image's own bench adds Redis."""
    state = State(Settings(engine="dask", buckets=BUCKETS))
    entries = [json.dumps(end(n, f"t{n % 9}", worker=f"w-{n % 5}", run="r", seq=n + 1)).encode() for n in range(20_000)]
    began = time.process_time()
    for place in range(0, len(entries), 2000):
        state.apply(entries[place : place + 2000])
        state.dump()
    assert time.process_time() - began < 2.0
    assert state.status()["totals"]["completed"] == 20_000


def test_state_file_of_an_earlier_run_is_not_read(tmp_path: Path) -> None:
    folder = tmp_path / ".COMPSs" / "app.py_01" / "monitor"
    folder.mkdir(parents=True)
    (folder / "COMPSs_state.xml").write_text("<COMPSsState/>")
    state = new(engine="compss", results=str(tmp_path))
    reader = Reader(state, client=object())
    reader.read_state_file(time.time() + 60)
    assert state.data.phase == "waiting"
    reader.read_state_file(0)
    assert state.data.phase == "running"
