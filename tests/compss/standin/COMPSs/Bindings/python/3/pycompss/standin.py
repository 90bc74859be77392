"""What runcompss and the application share: the workers, the tasks, and what the runtime writes of them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

HOME = Path(__file__).resolve().parents[4]
FACTS = {name: fact["value"] for name, fact in json.loads((HOME.parent / "facts.json").read_text()).items()}
STARTER = "Runtime/scripts/system/adaptors/nio/persistent_worker.sh"
runtime: Runtime


class Worker:
    """A node of project.xml: `starting`, `up`, or `dropped`."""

    def __init__(self, node: ElementTree.Element, resource: ElementTree.Element, heap: str) -> None:
        self.name = str(node.get("Name"))
        self.state = "starting"
        self.port: int | None = None  # where its JVM listens
        ports = resource.find("Adaptors/Adaptor/Ports")
        self.ports = [int(ports.findtext(tag)) for tag in FACTS["leftovers"]]
        self.units = resource.findtext("Processor/ComputingUnits")
        ssh = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes", "-p", str(ports.findtext("SpawnerPort"))]
        starter = f"{str(node.findtext('InstallDir')).rstrip('/')}/{STARTER}"
        listen = [str(port) for port in self.ports]
        asked = [starter, self.name, *listen, str(node.findtext(FACTS["worker_data"])), heap]
        self.command = [*ssh, f"{node.findtext('User')}@{self.name}", *asked]

    def ask(self, line: str, port: int | None = None) -> str:
        """The answer of the JVM on a port, its own where none is named; empty where none listens."""
        try:
            with socket.create_connection((self.name, port or self.port or 0), timeout=2) as connection:
                connection.sendall(f"{line}\n".encode())
                return connection.makefile().readline().strip()
        except OSError:
            return ""

    def start(self) -> None:
        """Try until the JVM runs, or the time is up. Where its ports are held by another master's, it never does."""
        late = FACTS["late_workers"]
        deadline = time.monotonic() + int(os.environ.get(late["variable"], late["default"])) / 1000
        while time.monotonic() < deadline:
            free = [port for port in self.ports if not self.ask("hello", port)]
            done = subprocess.run(self.command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
            print(f"{self.name}: status {done.returncode}: {' '.join((done.stdout + done.stderr).split())}", flush=True)
            if done.returncode == 0:
                while not (ports := [port for port in free if self.ask("hello", port)]):
                    time.sleep(0.1)
                self.port, self.state = ports[0], "up"
            if done.returncode != 255:
                return
            time.sleep(0.5)
        self.state = "dropped"


class Runtime:
    def __init__(self, folder: Path, workers: list[Worker]) -> None:
        self.folder, self.workers = folder, workers
        self.tasks: list[dict[str, Any]] = []
        self.executed: Counter[str] = Counter()
        self.results: dict[int, tuple[Worker, str, Any]] = {}
        self.open = self.completed = self.turn = 0
        self.running: tuple[Worker, str] | None = None
        self.began = time.monotonic_ns()
        self.writing = threading.Lock()
        for worker in workers:
            threading.Thread(target=worker.start, daemon=True).start()
        threading.Thread(target=self.look_after_workers, daemon=True).start()

    def look_after_workers(self) -> None:
        """A worker that was lost is started again, and what it had executed is counted again."""
        while True:
            for worker in self.workers:
                if worker.state == "up" and not worker.ask("hello"):
                    worker.state = "starting"
                    worker.start()
                    if worker.state == "up":
                        self.executed.update(task["name"] for task in self.tasks if task["on"] == worker.name)
            self.write()
            time.sleep(0.5)

    def worker(self) -> Worker:
        while not (up := [worker for worker in self.workers if worker.state == "up"]):
            time.sleep(0.1)
        self.turn += 1
        return up[self.turn % len(up)]

    def execute(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        name = function.__name__
        self.open += 1
        self.write()
        for _ in range(FACTS["attempts"]):
            worker = self.worker()
            self.running = (worker, name)
            self.write()
            start = time.monotonic_ns() - self.began
            try:
                result = function(*args, **kwargs)
            except Exception:
                traceback.print_exc()
                continue
            finally:
                self.running = None
            self.tasks.append(
                {
                    "name": name,
                    "on": worker.name,
                    "worker": self.workers.index(worker) + 1,
                    "start": start,
                    "end": time.monotonic_ns() - self.began,
                }
            )
            data = f"d{len(self.tasks)}"
            worker.ask(f"store {data}")
            self.results[id(result)] = (worker, data, result)
            self.executed[name] += 1
            self.completed, self.open = self.completed + 1, self.open - 1
            self.write()
            return result
        self.write()
        sys.stdout.flush()
        print("[ERRMGR]  -  ERROR: Task failed\n[ERRMGR]  -  Shutting down COMPSs", file=sys.stderr, flush=True)
        self.stop_workers()
        os._exit(1)

    def fetch(self, value: Any) -> None:
        """Look for a result where the worker that ran its task keeps it."""
        if id(value) in self.results:
            worker, data, _ = self.results[id(value)]
            if worker.ask(f"fetch {data}") != "ok":
                raise FileNotFoundError(f"{data}v1.IT")
        elif isinstance(value, list):
            for each in value:
                self.fetch(each)

    def write(self) -> None:
        with self.writing:
            self._write()

    def _write(self) -> None:
        state = FACTS["state_file"]
        means = {name: self.mean(name) for name in self.executed}
        cores = "".join(
            f"<Core id='{place}'><Impl id='0'><Signature>{escape(name)}(OBJECT_T)app</Signature>"
            f"<MeanExecutionTime>{means[name]:.0f}</MeanExecutionTime><ExecutedCount>{count}</ExecutedCount></Impl></Core>"
            for place, (name, count) in enumerate(self.executed.items())
        )
        resources = ""
        for worker in self.workers:
            actions = [state["start"].format(worker=worker.name)] if worker.state == "starting" else []
            if self.running and self.running[0] is worker:
                actions.append(state["execution"].format(task=len(self.tasks) + 1, name=self.running[1]))
            listed = "".join(f"<Action>{action}</Action>" for action in actions)
            if worker.state != "dropped":
                resources += (
                    f"<Resource id='{worker.name}'><TotalCPUComputingUnits>{worker.units}</TotalCPUComputingUnits>"
                    f"<Status>Running</Status><Actions>{listed}</Actions></Resource>"
                )
        (self.folder / "monitor" / "COMPSs_state.xml").write_text(
            f"<?xml version='1.0'?><COMPSsState><TasksInfo><Application id='1'>"
            f"<TotalCount>{self.open + self.completed}</TotalCount><InProgress>{self.open}</InProgress>"
            f"<Completed>{self.completed}</Completed></Application></TasksInfo><CoresInfo>{cores}</CoresInfo>"
            f"<ResourceInfo>{resources}</ResourceInfo></COMPSsState>\n"
        )

    def mean(self, name: str) -> float:
        """Milliseconds."""
        times = [task["end"] - task["start"] for task in self.tasks if task["name"] == name]
        return sum(times) / len(times) / 1e6

    def stop_workers(self) -> None:
        for worker in self.workers:
            if worker.state == "up":
                worker.ask("stop")

    def end(self, *, graph: bool, traced: bool) -> None:
        self.write()
        self.stop_workers()
        if graph:
            nodes = "".join(f"  {place + 1} [label={task['name']}];\n" for place, task in enumerate(self.tasks))
            (self.folder / "monitor" / "complete_graph.dot").write_text(f"digraph {{\n{nodes}}}\n")
        if traced:
            (self.folder / "trace" / "packages.json").write_text(json.dumps(self.tasks))


def start(folder: Path, options: dict[str, str]) -> Runtime:
    global runtime
    nodes, resources = (
        list(ElementTree.parse(options[name]).iter("ComputeNode")) for name in ("--project", "--resources")
    )
    described = {node.get("Name"): node for node in resources}
    heap = options.get("--jvm_workers_opts", FACTS["worker_heap"])
    runtime = Runtime(folder, [Worker(node, described[node.get("Name")], heap) for node in nodes])
    runtime.write()
    return runtime
