"""What applications cost on a cluster: engine dask, workers of half a core, as the role makes them.

Needs KUBECONFIG, HELM and KUBECTL, and the images of `playbooks/run.yml --tags images` on the cluster.
Prints the figures of one round on stdout, one JSON object each, and progress on stderr.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from figures import figure, progress

ROOT = Path(__file__).resolve().parent.parent
NAMESPACE = f"bench-{uuid.uuid4().hex[:6]}"
MIB = 1024 * 1024
EVENTS, RATE = 600_000, 12_000

FIRST = """\
import time
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task

@task(returns=float)
def now():
    return time.time()

if __name__ == "__main__":
    print("first task at", compss_wait_on(now()), flush=True)
"""
# Sends what the engine would send of so many tasks, and watches the API take it in.
PRODUCER = """\
import json, sys, time, urllib.request
import redis

events, rate, batch = int(sys.argv[2]), int(sys.argv[4]), 500
queue = redis.Redis("localhost")

def status():
    with urllib.request.urlopen("http://localhost:15000/status", timeout=30) as answer:
        return json.load(answer)

def event(number):
    return json.dumps({"event": "end", "id": number, "name": f"task{number % 20}", "worker": f"worker-{number % 10}",
        "start": 1795276800.123, "time": 1795276800.654, "duration": 0.531, "state": "COMPLETED", "attempt": "NEW",
        "slot": 0, "run": "bench", "seq": number + 1}, separators=(",", ":"))

prepared = [event(number) for number in range(events)]
before = status()["events"]["accepted"]
began = time.time()
for start in range(0, events, batch):
    queue.rpush("compss_events", *prepared[start:start + batch])
    time.sleep(max(0.0, began + (start + batch) / rate - time.time()))
sent = time.time() - began
while status()["events"]["accepted"] - before < events:
    time.sleep(0.05)
print(json.dumps({"sent": sent, "absorbed": time.time() - began}), flush=True)
"""


def run(program: str, *arguments: str, text: str | None = None, check: bool = True) -> str:
    command = [os.environ.get(program.upper(), program), "--namespace", NAMESPACE, *arguments]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode and check:
        sys.exit(f"bench/compss.py: error: {' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


def get(path: str) -> Any:
    text = run("kubectl", "get", "--raw", path, check=False)
    return json.loads(text) if text else {}


def status(release: str) -> dict[str, Any]:
    answer: dict[str, Any] = get(f"/api/v1/namespaces/{NAMESPACE}/services/{release}:15000/proxy/status")
    return answer


@contextmanager
def application(release: str, script: str, text: str, node: str, workers: int, **more: Any) -> Iterator[float]:
    """A release, removed at the end; the time at which it was installed."""
    values = {
        "engine": "dask",
        "compss": {
            # One node has the images of the master's sidecars.
            "master": {"nodeSelector": {"kubernetes.io/hostname": node}},
            "worker": {"number": workers, "resources": {"cpu": "500m", "memory": 0.75}, **more.get("worker", {})},
        },
        "app": {"context": {"file": script}, "params": more.get("params", {}), "source": {"files": {script: text}}},
        "results": {"enabled": False},
        "monitoring": {"linger": 10, "pushgatewayUrl": ""},
    }
    chart = str(ROOT / "charts" / "compss")
    run("helm", "install", release, chart, "--create-namespace", "-f", "-", text=json.dumps(values))
    try:
        yield time.time()
    finally:
        run("helm", "uninstall", release, "--wait", "--cascade", "foreground")


def ended(release: str, seconds: float = 900) -> str:
    """The log of an application that ended well."""
    selector = ("-l", f"app.kubernetes.io/instance={release},app.kubernetes.io/component=master")
    path = "jsonpath={.items[*].status.containerStatuses[?(@.name=='master')].state.terminated.exitCode}"
    deadline = time.monotonic() + seconds
    while not (code := run("kubectl", "get", "pods", *selector, "-o", path).split()):
        if time.monotonic() > deadline:
            sys.exit(f"bench/compss.py: error: {release} has not ended within {seconds:.0f} s")
        time.sleep(1)
    log = run("kubectl", "logs", *selector, "-c", "master", "--tail=-1")
    if code != ["0"]:
        sys.exit(f"bench/compss.py: error: {release} ended with status {code[0]}: {log[-2000:]}")
    return log


def app(name: str) -> str:
    return (ROOT / "apps" / name / f"{name}.py").read_text()


def measured(pattern: str, log: str) -> float:
    """The figure that an application has printed."""
    match = re.search(pattern, log)
    if match is None:
        sys.exit(f"bench/compss.py: error: no '{pattern}' in the log of the application: {log[-2000:]}")
    return float(match[1])


def first_task(node: str) -> None:
    seconds = 0.0
    # The first of the two brings the images to the nodes.
    for release in ("images", "first"):
        with application(release, "first.py", FIRST, node, 2) as installed:
            seconds = measured(r"first task at ([\d.]+)", ended(release)) - installed
        progress(f"{release}: first task after {seconds:.2f} s")
    figure("release installed, until its first task runs", seconds, "s", 8, note="images on the nodes")


def speed_up(node: str) -> None:
    seconds = {}
    params = {"tasks": 1000, "iterations": 500_000, "check": 0}
    for workers in (1, 2, 3):
        release = f"speed{workers}"
        with application(release, "independent.py", app("independent"), node, workers, params=params):
            seconds[workers] = measured(r"1000 tasks in ([\d.]+) s", ended(release))
        progress(f"1000 tasks on {workers} workers: {seconds[workers]:.2f} s")
    note = ", ".join(f"{workers}: {each:.1f} s" for workers, each in seconds.items())
    for workers, goal in ((2, 1.96), (3, 2.93)):
        name = f"1000 independent tasks of 500,000 iterations, {workers} workers of half a core against 1"
        figure(name, seconds[1] / seconds[workers], "x", goal, "more", note=note, possible=workers)


def scaling(node: str) -> None:
    params = {"tasks": 400, "iterations": 1_000_000}
    with application("scale", "independent.py", app("independent"), node, 1, params=params, worker={"max": 3}):
        while status("scale").get("totals", {}).get("completed", 0) < 10:
            time.sleep(0.5)
        selector = ("-l", "app.kubernetes.io/instance=scale")
        name = run("kubectl", "get", "statefulsets", *selector, "-o", "name").strip()
        run("kubectl", "scale", name, "--replicas=3")
        began = time.monotonic()
        while len({each["worker"] for each in status("scale").get("durations", ())}) < 3:
            if time.monotonic() - began > 120:
                sys.exit("bench/compss.py: error: the new workers do not compute")
            time.sleep(0.2)
        seconds = time.monotonic() - began
        ended("scale")
    name = "scaled from 1 worker to 3, until both new ones have ended a task"
    figure(name, seconds, "s", 10, command="kubectl scale")


def monitoring(node: str) -> None:
    peak = 0.0
    stopping = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stopping.wait(2):
            for pod in get(f"/api/v1/nodes/{node}/proxy/stats/summary").get("pods", ()):
                for container in pod.get("containers", ()):
                    if pod["podRef"]["namespace"] == NAMESPACE and container["name"] == "monitoring":
                        peak = max(peak, container.get("memory", {}).get("workingSetBytes", 0))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        params = {"events": EVENTS, "rate": RATE}
        with application("events", "producer.py", PRODUCER, node, 1, params=params):
            times = json.loads(ended("events").strip().splitlines()[-1])
    finally:
        stopping.set()
        watcher.join()
    note = f"{EVENTS:,} events sent in {times['sent']:.1f} s, all counted after {times['absorbed']:.1f} s"
    figure("task events that the monitoring API absorbs", EVENTS / times["absorbed"], "/s", 10_000, "more", note=note)
    figure("its working set meanwhile, at most", peak / MIB, "MiB", 100, command="kubectl get --raw .../stats/summary")


def main() -> None:
    node = get("/api/v1/nodes")["items"][-1]["metadata"]["name"]
    try:
        for measure in (first_task, scaling, monitoring, speed_up):
            if len(sys.argv) < 2 or measure.__name__ in sys.argv[1:]:
                progress(measure.__name__)
                measure(node)
    finally:
        run("kubectl", "delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false", check=False)


if __name__ == "__main__":
    main()
