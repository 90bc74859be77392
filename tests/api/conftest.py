"""What the tests of the Monitoring API share: real back-ends with a known record, and the API before each, on loopback."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tools import eventually, free_port, program

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import Catalogue
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.info import information

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "images" / name) for name in ("monitoring-api", "compss-monitoring")]

from compss_monitoring.server import Monitor, handler  # noqa: E402
from compss_monitoring.settings import Settings  # noqa: E402
from compss_monitoring.state import State  # noqa: E402

EXTRA = {
    "name": "namespace:camera_frames:rate",
    "meaning": "Frames per second that a namespace's cameras deliver.",
    "unit": "operations/s",
    "type": "rate",
    "category": "application",
    "expr": "sum by ($cluster, namespace) (rate(camera_frames_total[$window]))",
}
#: Odd values of labels that a quotation must survive.
MOUNTPOINTS = ("/", "/var/lib/a.b", '/with "quotes"', "/back\\slash", "/a|b", "/a+b*", "/ü")
#: Each series that the back-end has, with its value: it stays the same for an hour.
SERIES: list[tuple[str, dict[str, str], float]] = [
    ("cluster:nodes:count", {}, 5.0),
    *(("node:cpu_usage:ratio", {"node": f"edge-{number}"}, number / 10) for number in range(1, 6)),
    *(("node:load1:max", {"node": f"edge-{number}"}, float(number)) for number in range(1, 6)),
    *(("node:cpu_allocatable_cores:max", {"node": f"edge-{number}"}, 4.0) for number in range(1, 6)),
    *(("node:cpu_request_cores:sum", {"node": f"edge-{number}"}, 1.5) for number in range(1, 6)),
    *(("node:ready:max", {"node": f"edge-{number}"}, float(number != 5)) for number in range(1, 6)),
    *(
        ("filesystem:used:ratio", {"node": "edge-1", "mountpoint": mountpoint}, index / 10)
        for index, mountpoint in enumerate(MOUNTPOINTS)
    ),
    ("namespace:camera_frames:rate", {"namespace": "cameras"}, 25.0),
    ("compss_application:info:max", {"namespace": "compss", "application": "matmul", "engine": "dask"}, 1.0),
    ("compss_application:progress:ratio", {"namespace": "compss", "application": "matmul"}, 0.5),
    ("compss_application:tasks:sum", {"namespace": "compss", "application": "matmul", "state": "running"}, 3.0),
    ("up", {"job": "cadvisor", "node": "edge-1"}, 1.0),
    ("up", {"job": "cadvisor", "node": "edge-5"}, 0.0),
    ("up", {"job": "kubelet", "node": "edge-1"}, 1.0),
]
_PLACE = {"namespace": "compss", "application": "cholesky"}
#: Series that ended half an hour ago.
ENDED: list[tuple[str, dict[str, str], float]] = [
    ("compss_application:info:max", _PLACE, 1.0),
    ("compss_worker:up:max", {**_PLACE, "worker": "cholesky-worker-0"}, 1.0),
]


def escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def samples(now: int, unit: int) -> Iterator[str]:
    """The record of an hour, a line a sample; `unit` is what a second has of the time's unit."""
    for name, labels, value in [*SERIES, *ENDED]:
        texts = ",".join(f'{key}="{escaped(text)}"' for key, text in {"cluster": "edge", **labels}.items())
        # A back-end looks back five minutes: the last sample lies in the future, for as long as the tests take.
        for at in range(-3600, -1800 if (name, labels, value) in ENDED else 3601, 60):
            yield f"{name}{{{texts}}} {value} {(now + at) * unit}\n"


class Api(NamedTuple):
    client: httpx.Client
    process: subprocess.Popen[bytes]

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.client.get(path, params=parameters)


@pytest.fixture(scope="session")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalogue") / "catalogue.json"
    path.write_text(json.dumps(information(Catalogue(extra_metrics=[EXTRA]))), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Prometheus that scrapes nothing and has SERIES."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "record").write_text("".join([*samples(int(time.time()), 1), "# EOF\n"]), encoding="utf-8")
    subprocess.run(
        [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", folder / "record", folder / "data"],
        check=True,
        capture_output=True,
    )
    (folder / "alerts.yml").write_text(
        "groups: [{name: a, interval: 1s, rules: [{alert: NodeBusy, expr: 'node:cpu_usage:ratio > 0.45', "
        "labels: {severity: warning}, annotations: {summary: 'Busy.', runbook: 'Wait.'}}, "
        "{alert: Watchdog, expr: vector(1), labels: {severity: none}}]}]\n",
        encoding="utf-8",
    )
    (folder / "prometheus.yml").write_text("rule_files: [alerts.yml]\n", encoding="utf-8")
    with prometheus_at(folder, free_port()) as url:
        yield url


@contextmanager
def prometheus_at(folder: Path, port: int) -> Iterator[str]:
    """One with the folder's prometheus.yml and data; its address."""
    process = subprocess.Popen(
        [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    url = f"http://127.0.0.1:{port}"
    try:
        eventually(lambda: answers(f"{url}/-/ready"), what="Prometheus is ready", every=0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="session")
def victoria_metrics(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a VictoriaMetrics that has SERIES; `tests/run programs` builds it."""
    path = shutil.which("victoria-metrics")
    if not path:
        pytest.skip("no victoria-metrics on PATH: tests/run programs builds it where its Go module can be had")
    folder, port = tmp_path_factory.mktemp("victoria-metrics"), free_port()
    url = f"http://127.0.0.1:{port}"
    # It shows a sample after so long, and the tests do not wait.
    flags = [f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}", "-search.latencyOffset=0s"]
    process = subprocess.Popen([path, *flags, "-loggerLevel=ERROR"])
    try:
        eventually(lambda: answers(f"{url}/health"), what="VictoriaMetrics is ready", every=0.1)
        record = "".join(samples(int(time.time()), 1000))
        httpx.post(f"{url}/api/v1/import/prometheus", content=record).raise_for_status()
        httpx.get(f"{url}/internal/force_flush").raise_for_status()
        yield url
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def serve(catalogue: Path) -> Iterator[Callable[..., Api]]:
    """Starts the image's program, with what its environment says besides."""
    started: list[Api] = []

    def start(**environment: str) -> Api:
        port = free_port()
        process = subprocess.Popen(
            [sys.executable, "-m", "monitoring_api"],
            env={
                "PYTHONPATH": str(ROOT / "images" / "monitoring-api"),
                "CATALOGUE": str(catalogue),
                "PORT": str(port),
                "AUTHENTICATION": "false",
                "RATE": "100000",
                "BURST": "100000",
                "LOOK": "0.1",
                **environment,
            },
        )
        api = Api(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30), process)
        started.append(api)
        eventually(lambda: answers(f"http://127.0.0.1:{port}/healthz"), 30, "the API answers", 0.1)
        return api

    yield start
    for api in started:
        api.client.close()
        api.process.terminate()
        api.process.wait()


@pytest.fixture(scope="session", params=["prometheus", "victoria_metrics"])
def api(serve: Callable[..., Api], request: pytest.FixtureRequest) -> Api:
    """The API before each back-end that has Prometheus' HTTP API."""
    return serve(PROMETHEUS_URL=request.getfixturevalue(request.param))


class Running(NamedTuple):
    """An application that runs: what its monitor knows, and the environment of an API that finds the monitor."""

    state: State
    environment: dict[str, str]
    server: ThreadingHTTPServer

    def send(self, *events: dict[str, Any]) -> None:
        self.state.apply([json.dumps(event).encode() for event in events])

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def running() -> Iterator[Callable[..., Running]]:
    """Serves the monitor of an application with the events of its tasks, as the image of the chart does."""
    started: list[Running] = []

    def start(*events: dict[str, Any], **settings: Any) -> Running:
        monitor = Monitor(Settings(**{"engine": "dask", "application": "matmul", "buckets": (1.0,), **settings}))
        # A connection that nobody uses ends by itself, as it does with a pod.
        brief = type("Brief", (handler(monitor),), {"timeout": 0.5})
        server = ThreadingHTTPServer(("127.0.0.1", 0), brief)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        application = Running(monitor.state, {"APPLICATION_URL": f"http://127.0.0.1:{server.server_port}"}, server)
        application.send(*events)
        started.append(application)
        return application

    yield start
    for application in started:
        application.end()


def run_of(count: int, ended: int, now: float) -> list[dict[str, Any]]:
    """Events of a run in which each `multiply` reads two of `generate`, or one of the `multiply` before it."""
    tasks = [
        [number, "generate", []]
        if number % 3
        else [number, "multiply", [number - 1, *([number - 3] if number > 3 else [])]]
        for number in range(1, count + 1)
    ]
    edges = Counter((tasks[one - 1][1], name) for _, name, reads in tasks for one in reads)
    pending = Counter(name for _, name, _ in tasks[ended:])
    place = {"worker": "matmul-worker-0"}
    return [
        {"event": "run", "state": "started", "time": now - count},
        {"event": "worker", "state": "joined", "computing_units": 2, "time": now - count, **place},
        {
            "event": "graph",
            "called": count,
            "tasks": tasks[:500],
            "edges": [[*edge, times] for edge, times in edges.items()],
        },
        *(
            {
                "event": "end",
                "id": number,
                "name": name,
                "time": now - count + number,
                "duration": 0.8,
                "state": "FAILED" if number == 2 else "COMPLETED",
                **place,
            }
            for number, name, _ in tasks[:ended]
        ),
        {"event": "start", "id": ended + 1, "name": tasks[ended][1], "time": now - 1, **place},
        {"event": "tasks", "ended": ended, "pending": count - ended, "names": pending, "time": now},
    ]
