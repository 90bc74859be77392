"""Applications on a running cluster, engine dask: right results whatever happens, metrics that equal what ran, nothing left.

Needs KUBECONFIG and the images of `playbooks/run.yml --tags images`.
"""

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import ROOT, program

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
SMALL = {"cpu": "400m", "memory": 0.4}
INDEPENDENT = {"tasks": 120, "iterations": 4_000_000}


class Site:
    """A namespace that enforces Pod Security restricted, and applications in it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace

    def kubectl(self, *arguments: str, check: bool = True, text: str | None = None) -> str:
        command = [program("kubectl"), "-n", self.namespace, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def get(self, kind: str, release: str, component: str = "") -> list[dict[str, Any]]:
        label = f"app.kubernetes.io/instance={release}" + (
            f",app.kubernetes.io/component={component}" if component else ""
        )
        return list(json.loads(self.kubectl("get", kind, "-l", label, "-o", "json"))["items"])

    def helm(self, *arguments: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [program("helm"), "-n", self.namespace, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr[:2000]
        return done

    def install(self, release: str, script: str, **values: Any) -> None:
        worker = {"number": 2, "resources": SMALL, **values.pop("worker", {})}
        source = (ROOT / "apps" / script / f"{script}.py").read_text()
        everything = {
            "engine": "dask",
            "compss": {"worker": worker, "master": {"workerTimeout": values.pop("patience", 120)}},
            "app": {
                "context": {"file": f"{script}.py"},
                "params": values.pop("params", {}),
                "source": {"files": {f"{script}.py": source}},
            },
            "image": {"pullPolicy": "Always"},
            "monitoring": {"image": {"pullPolicy": "Always"}},
            **values,
        }
        chart = str(ROOT / "charts" / "compss")
        self.helm("upgrade", "--install", release, chart, "-f", "-", text=json.dumps(everything))

    def status(self, release: str) -> dict[str, Any]:
        path = f"/api/v1/namespaces/{self.namespace}/services/{release}:15000/proxy/status"
        text = self.kubectl("get", "--raw", path, check=False)
        return dict(json.loads(text)) if text else {}

    def until(self, what: Callable[[], Any], seconds: float = 120) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := what()):
            assert time.monotonic() < deadline, "it did not come"
            time.sleep(0.5)
        return found

    def master_end(self, release: str) -> Any:
        """How the newest master ended, and its pod."""
        pods = sorted(self.get("pods", release, "master"), key=lambda pod: pod["metadata"]["creationTimestamp"])
        for container in pods[-1]["status"].get("containerStatuses", ()) if pods else ():
            if container["name"] == "master" and (end := container["state"].get("terminated")):
                return end["exitCode"], pods[-1]["metadata"]["name"]
        return None

    def done(self, release: str, tasks: int | None = None) -> str:
        """Wait for the end; the application found its result right, and the API counts its tasks. Returns its log."""
        code, pod = self.until(lambda: self.master_end(release), 240)
        log = self.kubectl("logs", pod, "-c", "master")
        assert code == 0, log
        assert "the result is right" in log
        if tasks is not None:
            last = self.until(lambda: (found := self.status(release)).get("phase") == "ended" and found, 20)
            assert last["totals"] == {"pending": 0, "running": 0, "completed": tasks, "failed": 0}
            assert sum(each["count"] for each in last["durations"]) == tasks
        self.until(lambda: not self.get("pods", release, "worker"), 60)
        return log

    def midway(self, release: str, tasks: int) -> dict[str, Any]:
        """Wait until some tasks are done and most are not."""
        found = self.until(lambda: (s := self.status(release)).get("totals", {}).get("completed", 0) > tasks / 10 and s)
        assert found["totals"]["completed"] < tasks * 0.7, "too late to disturb it"
        return dict(found)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if not os.environ.get("KUBECONFIG"):
        pytest.fail(
            "No KUBECONFIG: expected the file that gives access to a running cluster (make up: .local/kubeconfig)"
        )
    found = Site(f"compss-tests-{uuid.uuid4().hex[:6]}")
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": found.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    }
    found.kubectl("apply", "-f", "-", text=json.dumps(namespace))
    yield found
    found.kubectl("delete", "namespace", found.namespace, "--wait=false")


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(("app", "tasks"), [("matmul", 96), ("cholesky", 50), ("genetic", 44)])
def test_right_result_on_any_number_of_workers(site: Site, app: str, tasks: int, workers: int) -> None:
    site.install(app, app, worker={"number": workers}, run=f"{app}{workers}")
    site.done(app, tasks)


def test_hard_and_soft_placement(site: Site) -> None:
    nodes = len(json.loads(site.kubectl("get", "nodes", "-o", "json"))["items"])
    few = {"cpu": "200m", "memory": 0.2}
    surplus = {"number": nodes + 1, "resources": few, "podAntiAffinityPreset": "hard"}
    site.install("place", "independent", worker=surplus, params={"tasks": 1, "iterations": 1}, patience=600)
    pending = site.until(
        lambda: [
            p
            for p in site.get("pods", "place", "worker")
            if p["status"].get("conditions") and not p["spec"].get("nodeName")
        ]
    )
    placed = [pod["spec"]["nodeName"] for pod in site.get("pods", "place", "worker") if pod["spec"].get("nodeName")]
    assert len(pending) == 1
    assert "anti-affinity" in pending[0]["status"]["conditions"][0]["message"]
    assert sorted(placed) == sorted(set(placed))
    assert len(placed) == nodes
    surplus["podAntiAffinityPreset"] = "soft"
    site.install("place", "independent", worker=surplus, params={"tasks": 1, "iterations": 1}, patience=600)
    site.done("place", 1)


@pytest.mark.parametrize("victim", ["worker", "master", "redis", "monitoring"])
def test_right_result_whatever_dies(site: Site, victim: str) -> None:
    site.install("break", "independent", worker={"number": 3}, params=INDEPENDENT, run=victim)
    site.midway("break", INDEPENDENT["tasks"])
    if victim in ("worker", "master"):
        pod = site.get("pods", "break", victim)[0]["metadata"]["name"]
        site.kubectl("delete", "pod", pod, "--grace-period=0", "--force")
        if victim == "master":
            site.until(lambda: [p for p in site.get("pods", "break", "master") if p["metadata"]["name"] != pod])
    else:
        pod = site.get("pods", "break", "master")[0]["metadata"]["name"]
        site.kubectl("exec", pod, "-c", victim, "--", "sh", "-c", "kill 1", check=False)
        site.until(
            lambda: [
                c
                for c in site.get("pods", "break", "master")[0]["status"]["initContainerStatuses"]
                if c["name"] == victim and c["restartCount"]
            ],
            30,
        )
    site.done("break", INDEPENDENT["tasks"])


def test_scaled_while_it_runs(site: Site) -> None:
    site.install("scale", "independent", worker={"number": 1, "max": 3}, params=INDEPENDENT)
    site.midway("scale", INDEPENDENT["tasks"])
    name = site.get("statefulsets", "scale")[0]["metadata"]["name"]
    site.kubectl("scale", f"statefulset/{name}", "--replicas=3")

    def computing() -> set[str]:
        return {each["worker"] for each in site.status("scale").get("durations", ())}

    site.until(lambda: len(computing()) == 3, 30)
    site.kubectl("scale", f"statefulset/{name}", "--replicas=1")
    site.done("scale", INDEPENDENT["tasks"])


def test_status_of_the_script_and_retries(site: Site) -> None:
    def run(script: str, number: str) -> tuple[int, int]:
        values = {"compss": {"worker": {"number": 1, "resources": SMALL}, "master": {"retries": 1}}}
        source = {"context": {"file": "s.py"}, "source": {"files": {"s.py": script}}}
        site.install("status", "matmul", **values, app=source, run=number)

        def failed() -> Any:
            job = site.get("jobs", "status", "master")[-1]["status"]
            return job.get("failed") if any(c["type"] == "Failed" for c in job.get("conditions", ())) else None

        return site.until(failed, 180), site.master_end("status")[0]

    assert run("import sys; sys.exit(2)", "1") == (1, 2)
    assert run("import sys; sys.exit(5)", "2") == (2, 5)


def test_nothing_is_left_but_the_results(site: Site) -> None:
    site.install("gone", "matmul", worker={"number": 1}, params={"blocks": 1})
    site.done("gone")
    tested = site.helm("test", "gone", "--logs", check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    site.helm("uninstall", "gone")
    kinds = (
        "pods,services,configmaps,secrets,serviceaccounts,statefulsets,jobs,networkpolicies,roles,rolebindings,pdb,pvc"
    )
    site.until(
        lambda: [item["kind"] for item in site.get(kinds, "gone")] == ["PersistentVolumeClaim"],
        60,
    )
