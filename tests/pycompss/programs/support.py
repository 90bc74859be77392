"""What the tests share: processes of the engine on this machine, and what they tell."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from compss_telemetry.sink import Sink
from distributed import Client
from pycompss_dask import context, settings
from pycompss_dask.results import Results
from pycompss_dask.runtime import Runtime, start, stop
from tools import eventually, free_port

HERE = Path(__file__).parent.parent
ROOT = HERE.parents[1]
SOURCE = ROOT / "images" / "pycompss-dask" / "src"
APPS = ROOT / "apps"
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join((str(SOURCE), str(HERE / "programs")))}


class Cluster:
    """Processes of the engine on this machine."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.client: Client | None = None
        settings.apply()

    def run(self, name: str, *arguments: str, prefix: tuple[str, ...] = ()) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*prefix, sys.executable, "-m", "pycompss_dask", *arguments],
                env={**ENVIRONMENT, "COMPSS_PARENT": str(os.getpid())},
                stdout=log,
                stderr=log,
            )

    def scheduler(self) -> None:
        self.run("scheduler", "scheduler", f"--port={self.port}", "--host=127.0.0.1")

    def worker(self, name: str, *arguments: str, prefix: tuple[str, ...] = ()) -> None:
        self.run(name, "worker", f"127.0.0.1:{self.port}", f"--name={name}", *arguments, prefix=prefix)

    def connect(self, workers: int) -> Client:
        def connected() -> bool:
            try:
                self.client = Client(f"tcp://127.0.0.1:{self.port}", timeout=2, set_as_default=False)
            except OSError:
                return False
            return True

        eventually(connected, 20, "a connection to the scheduler", every=0.05)
        assert self.client is not None
        self.client.wait_for_workers(workers, timeout=30)
        return self.client

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def close(self) -> None:
        if self.client is not None:
            self.client.close(timeout=2)
        for name in list(self.processes):
            self.kill(name)


class Events(Sink):
    """A sink that keeps what it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[dict[str, Any]] = []

    def send(self, events: list[dict[str, Any]]) -> None:
        self.events += events

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]


def launch(client: Client, folder: Path | None = None) -> Runtime:
    runtime = Runtime(client, results=Results(folder, "application"), sink=Events())
    start(runtime)
    return runtime


def end() -> None:
    if context.runtime is not None:
        stop(cancel=True)


@contextlib.contextmanager
def plainly() -> Iterator[None]:
    """Plain Python, as without a runtime."""
    runtime, role = context.runtime, context.role
    context.runtime, context.role = None, "none"
    try:
        yield
    finally:
        context.runtime, context.role = runtime, role


def runcompss(*arguments: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pycompss_dask", *arguments],
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
