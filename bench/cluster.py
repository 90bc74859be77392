"""The benchmarks' cluster: made and removed by the commands that a user types."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Done:
    """A command that has ended well: wall and processor time, and what it wrote."""

    seconds: float
    cpu: float
    output: str


def run(
    command: Sequence[str],
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    errors: int | None = subprocess.STDOUT,
) -> Done:
    """``errors`` is where its standard error goes: to its output, or (None) to ours."""
    say(f"$ {' '.join(command)}")
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate()
        except BaseException:
            # All that make has started has to be gone before anything is removed.
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, signal.SIGTERM)
                process.communicate(timeout=60)
            raise
    seconds, after = time.monotonic() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if process.returncode:
        sys.exit(f"bench: error: {' '.join(command)} failed ({process.returncode}):\n{output[-4000:]}")
    say(f"  {seconds:.1f} s")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Done(seconds, cpu, output)


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 # addresses of our own cluster
        return str(answer.read().decode())


class Cluster:
    """``checkout`` is where it is made from; its environment is that of a person at a terminal."""

    def __init__(self, checkout: Path = ROOT, env: Mapping[str, str] | None = None, *, keep: bool = False) -> None:
        self.checkout = checkout
        self.keep = keep
        self.directory = checkout / ".local" / "bench"
        self.env = {**os.environ, **(env or {})}
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "KUBECONFIG"):
            self.env.pop(name, None)
        self.env["PATH"] = f"{checkout}/.venv/bin:{self.env['PATH']}"
        settings = yaml.safe_load((checkout / "bench" / "cluster.yml").read_text())
        self.name: str = settings["local_cluster_name"]
        self.node_address: str = settings["local_cluster_node_subnet"].replace(".0/24", ".11")
        self.made = False

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: tuple[type[BaseException], BaseException, TracebackType]) -> None:
        if self.made and not self.keep:
            # A second Ctrl-C would leave a cluster that nobody asked for.
            for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(each, signal.SIG_IGN)
            self.end("absent", "-e", "local_cluster_purge=true")

    # The commands of a user

    @property
    def inventory(self) -> list[str]:
        return ["-i", "inventories/local", "-e", "@bench/cluster.yml"]

    def up(self) -> Done:
        """`make up`, with another cluster's variables."""
        self.made = True
        return run(["make", "up", "inventory=" + " ".join(self.inventory[1:])], self.checkout, self.env)

    def play(self, name: str, *arguments: str) -> Done:
        return run(["ansible-playbook", f"playbooks/{name}.yml", *self.inventory, *arguments], self.checkout, self.env)

    def end(self, state: str, *arguments: str) -> Done:
        return self.play("local_cluster", "-e", f"local_cluster_state={state}", *arguments)

    def reinstall(self) -> None:
        """The platform as it is when it is new: without history."""
        self.play("remove", "-e", "remove_volumes=true")
        self.play("site")

    def helm(self, *arguments: str) -> Done:
        return run([f"{self.directory}/bin/helm", *arguments, "--kubeconfig", f"{self.directory}/kubeconfig"])

    def get(self, path: str) -> Any:
        """An answer of the Kubernetes API."""
        command = [
            f"{self.directory}/bin/kubectl",
            "--kubeconfig",
            f"{self.directory}/kubeconfig",
            "get",
            "--raw",
            path,
        ]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    # What Prometheus says

    @property
    def prometheus(self) -> str:
        return f"http://{self.node_address}:31000"

    def query(self, expression: str) -> list[dict[str, Any]]:
        parameters = urllib.parse.urlencode({"query": expression})
        answer = json.loads(fetch(f"{self.prometheus}/api/v1/query?{parameters}"))
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def metric(self, name: str) -> float:
        """A figure that Prometheus tells of itself, whether it stores it or not."""
        lines = fetch(f"{self.prometheus}/metrics").splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])

    def nodes(self) -> list[str]:
        return [node["metadata"]["name"] for node in self.get("/api/v1/nodes")["items"]]

    def missing_targets(self) -> list[str]:
        """What the role's own verification expects, less what is up."""
        variables = yaml.safe_load((self.checkout / "roles" / "prometheus" / "vars" / "main.yml").read_text())
        on_nodes = variables["_prometheus_expected_node_jobs"]
        wanted = {(job, node) for job in on_nodes for node in self.nodes()}
        wanted |= {(job, "") for job in variables["_prometheus_expected_jobs"] if job not in on_nodes}
        try:
            targets = json.loads(fetch(f"{self.prometheus}/api/v1/targets?state=active"))["data"]["activeTargets"]
        except OSError as error:
            return [f"Prometheus ({error})"]
        up = {
            (each["labels"]["job"], each["labels"].get("node", "") if each["labels"]["job"] in on_nodes else "")
            for each in targets
            if each["health"] == "up"
        }
        return sorted(" on ".join(filter(None, each)) for each in wanted - up)

    def wait_for_targets(self, timeout: float = 300) -> None:
        deadline = time.monotonic() + timeout
        while missing := self.missing_targets():
            if time.monotonic() > deadline:
                sys.exit(f"bench: error: not up after {timeout:.0f} s: {', '.join(missing)}")
            time.sleep(0.5)

    # How much memory is in use

    def pods(self) -> dict[str, float]:
        """Working sets in bytes, as the kubelets tell them, of each pod by namespace/name."""
        working_sets = {}
        for node in self.nodes():
            for pod in self.get(f"/api/v1/nodes/{node}/proxy/stats/summary")["pods"]:
                working_sets[f"{pod['podRef']['namespace']}/{pod['podRef']['name']}"] = pod["memory"]["workingSetBytes"]
        return working_sets

    def working_set(self, group: str) -> float:
        """The working set of a cgroup, in bytes, as the kubelet reckons it: without cache that can go at once."""
        version_1 = Path("/sys/fs/cgroup/memory") / self.name / group
        version_2 = Path("/sys/fs/cgroup") / self.name / group
        folder, usage, cache = (
            (version_1, "memory.usage_in_bytes", "total_inactive_file")
            if version_1.is_dir()
            else (version_2, "memory.current", "inactive_file")
        )
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return max(0, int((folder / usage).read_text()) - int(stat[cache]))
