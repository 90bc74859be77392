"""Applications on a running cluster: right results whatever happens, each task counted once, nothing left.

Needs KUBECONFIG and the images of `playbooks/run.yml --tags images`. What takes a node away, or builds an image, needs
the embedded cluster, and root.
"""

import contextlib
import copy
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import eventually, program

from ansible_collections.continuum.edge.plugins.module_utils import application

from .conftest import ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
HERE = Path(__file__).parent
SMALL = {"cpu": "400m", "memory": 0.4}
INDEPENDENT = {"tasks": 120, "iterations": 4_000_000}
ENGINE = "ghcr.io/continuum-edge/pycompss-dask:0.1.0"
RIGHT = 'from pycompss.api.api import compss_barrier\ncompss_barrier()\nprint("the result is right")\n'
LEFT = "pods,services,configmaps,secrets,serviceaccounts,statefulsets,jobs,networkpolicies,roles,rolebindings,pdb,pvc"

Object = dict[str, Any]


def merged(first: Object, second: Object) -> Object:
    result = copy.deepcopy(first)
    for key, value in second.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


class Site:
    """A namespace that enforces Pod Security restricted, and applications in it."""

    def __init__(self) -> None:
        self.namespace = f"compss-tests-{uuid.uuid4().hex[:6]}"
        namespace = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": self.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
        }
        self.apply(namespace)

    def kubectl(self, *arguments: str, check: bool = True, text: str | None = None) -> str:
        command = [program("kubectl"), "-n", self.namespace, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def apply(self, *objects: Object) -> None:
        self.kubectl("apply", "-f", "-", text=yaml.safe_dump_all(objects))

    def get(self, kind: str, release: str, component: str = "") -> list[Object]:
        label = f"app.kubernetes.io/instance={release}" + (
            f",app.kubernetes.io/component={component}" if component else ""
        )
        return list(json.loads(self.kubectl("get", kind, "-l", label, "-o", "json"))["items"])

    def helm(self, *arguments: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        command = [program("helm"), "-n", self.namespace, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert done.returncode == 0 or not check, done.stderr[:2000]
        return done

    def install(self, release: str, script: str = RIGHT, **values: Any) -> None:
        """Install an application of apps/, or a script as a text; the values are laid over small ones."""
        name = script if "\n" not in script else "script"
        text = (ROOT / "apps" / name / f"{name}.py").read_text() if name == script else script
        everything: Object = {
            "engine": "dask",
            "compss": {"worker": {"number": 2, "resources": SMALL}, "master": {"workerTimeout": 120}},
            "app": {"context": {"file": f"{name}.py"}, "source": {"files": {f"{name}.py": text}}},
            # The images change under one tag.
            "image": {"pullPolicy": "Always"},
            "monitoring": {"image": {"pullPolicy": "Always"}},
        }
        chart = str(ROOT / "charts" / "compss")
        self.helm("upgrade", "--install", release, chart, "-f", "-", text=json.dumps(merged(everything, values)))

    def status(self, release: str) -> Object:
        path = f"/api/v1/namespaces/{self.namespace}/services/{release}:15000/proxy/status"
        text = self.kubectl("get", "--raw", path, check=False)
        return dict(json.loads(text)) if text else {}

    def masters(self, release: str) -> list[Object]:
        """The pods of the newest run's master, the oldest first."""
        jobs = self.get("jobs", release, "master")
        newest = max(jobs, key=lambda job: job["metadata"]["creationTimestamp"])["metadata"]["name"]
        pods = [
            pod
            for pod in self.get("pods", release, "master")
            if pod["metadata"]["labels"]["batch.kubernetes.io/job-name"] == newest
        ]
        return sorted(pods, key=lambda pod: pod["metadata"]["creationTimestamp"])

    def master_end(self, release: str) -> Any:
        """How the newest master ended, and its pod."""
        for pod in self.masters(release)[-1:]:
            if end := application.terminated(pod):
                return end["exitCode"], pod["metadata"]["name"]
        return None

    def log(self, release: str) -> str:
        return self.kubectl("logs", self.masters(release)[-1]["metadata"]["name"], "-c", "master")

    def done(self, release: str, tasks: int | None = None) -> str:
        """Wait for the end; the application found its result right, and the API counts its tasks. Returns its log."""
        code, pod = eventually(lambda: self.master_end(release), 300)
        log = self.kubectl("logs", pod, "-c", "master")
        assert code == 0, log
        assert "the result is right" in log
        if tasks is not None:
            last = eventually(lambda: (status := self.status(release)).get("phase") == "ended" and status, 20)
            assert last["totals"] == {"pending": 0, "running": 0, "completed": tasks, "failed": 0}
            assert sum(each["count"] for each in last["durations"]) == tasks
        return log

    def workers_go(self, release: str) -> None:
        eventually(lambda: not self.get("pods", release, "worker"), 60)

    def midway(self, release: str, tasks: int) -> Object:
        """Wait until some tasks are done and most are not."""
        status = eventually(
            lambda: (s := self.status(release)).get("totals", {}).get("completed", 0) > tasks / 10 and s
        )
        assert status["totals"]["completed"] < tasks * 0.7, "too late to disturb it"
        return dict(status)

    def follow(self, release: str, timeout: float = 240, patience: float = 10) -> tuple[Object, list[str]]:
        """What the role's module says of it at the end, and while it goes on."""
        reports: list[str] = []
        cluster = application.Cluster(os.environ["KUBECONFIG"], None, self.namespace)
        return application.follow(cluster, release, 15000, timeout, patience, reports.append), reports

    def results(self, claim: str, command: str) -> str:
        """What a command prints in a pod that has the claim at /results."""
        spec = {
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": True,
                **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), 10001),
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "reader",
                    "image": ENGINE,
                    "command": ["sh", "-c", command],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "results", "mountPath": "/results"}],
                }
            ],
            "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": claim}}],
        }
        name = f"reader-{uuid.uuid4().hex[:6]}"
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
        ends = ("Succeeded", "Failed")
        eventually(lambda: json.loads(self.kubectl("get", "pod", name, "-o", "json"))["status"].get("phase") in ends)
        log = self.kubectl("logs", name)
        self.kubectl("delete", "pod", name, "--wait=false")
        return log

    def remove(self) -> None:
        self.kubectl("delete", "namespace", self.namespace, "--wait=false")


class Embedded:
    """The embedded cluster as its machine has it; a test that needs it is left out where there is another."""

    def __init__(self) -> None:
        self.directory = Path(os.environ["KUBECONFIG"]).resolve().parent
        if os.geteuid() != 0 or not (self.directory / "service").is_dir():
            pytest.skip("needs root and the embedded cluster (KUBECONFIG=.local/kubeconfig)")
        server = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())["clusters"][0]["cluster"]["server"]
        self.gateway = str(urllib.parse.urlsplit(server).hostname)
        self.registry = f"{self.gateway}:5001"

    @contextlib.contextmanager
    def without_network(self, node: str) -> Iterator[None]:
        """A node that has vanished: nothing comes from it, nothing reaches it."""
        (inside,) = json.loads(self._ip("-netns", node, "-json", "link", "show", "eth0"))
        interfaces = json.loads(self._ip("-json", "link"))
        outside = next(each["ifname"] for each in interfaces if each["ifindex"] == inside["link_index"])
        self._ip("link", "set", outside, "down")
        try:
            yield
        finally:
            self._ip("link", "set", outside, "up")

    def kill(self, pod: Object, container: str) -> None:
        """End all processes of a container at once."""
        statuses = [*pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"]]
        identity = next(each["containerID"] for each in statuses if each["name"] == container).rpartition("/")[2]
        killed = 0
        for path in Path("/proc").glob("[0-9]*/cgroup"):
            with contextlib.suppress(OSError):
                if identity in path.read_text():
                    os.kill(int(path.parent.name), signal.SIGKILL)
                    killed += 1
        assert killed

    @staticmethod
    def _ip(*arguments: str) -> str:
        return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout

    def base(self) -> str:
        """The Python image that `run.yml` made."""
        with urllib.request.urlopen(f"http://{self.registry}/v2/continuum.edge/python/tags/list", timeout=10) as answer:
            return f"{self.registry}/continuum.edge/python:{sorted(json.load(answer)['tags'])[-1]}"

    def play(self, name: str, variables: Object) -> str:
        program = str(Path(sys.executable).parent / "ansible-playbook")
        command = [program, f"playbooks/{name}.yml", "-i", "inventories/local", "-e", json.dumps(variables)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def build(self, reference: str, folder: Path) -> None:
        """Build a folder's Containerfile on the Python image."""
        image = {
            "reference": reference,
            "containerfile": str(folder / "Containerfile"),
            "context": str(folder),
            "arguments": {"BASE": self.base()},
        }
        arguments = {
            "registry": self.registry,
            "insecure": True,
            "auth_file": str(self.directory / "registry-auth.json"),
            "storage": str(self.directory / "cache" / "containers"),
            "images": [image],
        }
        registries = str(self.directory / "cache" / "images" / "registries.conf")
        ansible = [str(Path(sys.executable).parent / "ansible"), "localhost", "-m", "continuum.edge.image"]
        done = subprocess.run(
            [*ansible, "-a", json.dumps(arguments)],
            cwd=ROOT,
            env={**os.environ, "CONTAINERS_REGISTRIES_CONF": registries},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    if not os.environ.get("KUBECONFIG"):
        pytest.fail(
            "No KUBECONFIG: expected the file that gives access to a running cluster (make up: .local/kubeconfig)"
        )
    site = Site()
    yield site
    site.remove()


@pytest.fixture
def embedded(site: Site) -> Embedded:
    assert site
    return Embedded()


# Results are right


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize(
    ("app", "tasks", "params"),
    [
        ("matmul", 96, {}),
        ("cholesky", 50, {}),
        ("genetic", 44, {}),
        ("independent", 200, {"tasks": 200, "iterations": 100_000}),
    ],
)
def test_right_result_on_any_number_of_workers(site: Site, app: str, tasks: int, params: Object, workers: int) -> None:
    site.install(app, app, compss={"worker": {"number": workers}}, app={"params": params}, run=f"{app}{workers}")
    site.done(app, tasks)
    site.workers_go(app)


def test_hard_and_soft_placement(site: Site) -> None:
    nodes = len(json.loads(site.kubectl("get", "nodes", "-o", "json"))["items"])
    worker = {"number": nodes + 1, "resources": {"cpu": "200m", "memory": 0.2}, "podAntiAffinityPreset": "hard"}
    values: Object = {"compss": {"worker": worker, "master": {"workerTimeout": 600}}}
    values["app"] = {"params": {"tasks": 1, "iterations": 1}}
    site.install("place", "independent", **values)

    def homeless() -> list[Object]:
        """The pods without a node, once all others have one."""
        pods = site.get("pods", "place", "worker")
        unplaced = [pod for pod in pods if not pod["spec"].get("nodeName") and pod["status"].get("conditions")]
        return unplaced if len(pods) - len(unplaced) == nodes else []

    (surplus,) = eventually(homeless)
    assert "anti-affinity" in application.obstacle(surplus)[1]
    placed = [pod["spec"]["nodeName"] for pod in site.get("pods", "place", "worker") if pod["spec"].get("nodeName")]
    assert sorted(placed) == sorted(set(placed))
    assert len(placed) == nodes
    # The role tells the reason, too.
    waiting = site.follow("place", timeout=0)[0]["waiting"]
    assert "anti-affinity" in waiting[surplus["metadata"]["name"]]
    worker["podAntiAffinityPreset"] = "soft"
    site.install("place", "independent", **values)
    site.done("place", 1)


# Processes, pods and nodes die


def restarts(site: Site, release: str, container: str) -> int:
    statuses = site.masters(release)[-1]["status"]["initContainerStatuses"]
    return int(next(each["restartCount"] for each in statuses if each["name"] == container))


@pytest.fixture
def midway(site: Site, request: pytest.FixtureRequest) -> Iterator[Object]:
    """The newest master's pod of an application that has done some of its tasks; what comes of it is right."""
    values = {"compss": {"worker": {"number": 3}}, "app": {"params": INDEPENDENT}, "run": request.node.name}
    site.install("break", "independent", **values)
    site.midway("break", INDEPENDENT["tasks"])
    yield site.masters("break")[-1]
    site.done("break", INDEPENDENT["tasks"])


def test_right_result_when_a_worker_is_deleted(site: Site, midway: Object) -> None:
    assert midway
    worker = site.get("pods", "break", "worker")[0]["metadata"]["name"]
    site.kubectl("delete", "pod", worker, "--grace-period=0", "--force")


def test_right_result_when_a_worker_is_killed(site: Site, midway: Object, embedded: Embedded) -> None:
    assert midway
    embedded.kill(site.get("pods", "break", "worker")[0], "worker")


def test_right_result_when_the_master_is_deleted(site: Site, midway: Object) -> None:
    site.kubectl("delete", "pod", midway["metadata"]["name"], "--grace-period=0", "--force")
    eventually(lambda: [pod for pod in site.masters("break") if pod["metadata"]["uid"] != midway["metadata"]["uid"]])


def test_right_result_when_the_master_is_killed(site: Site, midway: Object, embedded: Embedded) -> None:
    embedded.kill(midway, "master")
    eventually(lambda: len(site.masters("break")) == 2)


@pytest.mark.parametrize("container", ["redis", "monitoring"])
def test_right_result_when_a_sidecar_ends(site: Site, midway: Object, container: str) -> None:
    pod = midway["metadata"]["name"]
    site.kubectl("exec", pod, "-c", container, "--", "sh", "-c", "kill 1", check=False)
    eventually(lambda: restarts(site, "break", container) == 1, 60)


@pytest.mark.parametrize("container", ["redis", "monitoring"])
def test_right_result_when_a_sidecar_is_killed(site: Site, midway: Object, embedded: Embedded, container: str) -> None:
    embedded.kill(midway, container)
    eventually(lambda: restarts(site, "break", container) == 1, 60)


def test_right_result_when_the_node_of_a_worker_vanishes(site: Site, embedded: Embedded) -> None:
    # The cluster's DNS and the master stay.
    label = ("-n", "kube-system", "-l", "k8s-app=kube-dns", "-o", "jsonpath={.items[0].spec.nodeName}")
    safe = site.kubectl("get", "pods", *label)
    master = {"nodeSelector": {"kubernetes.io/hostname": safe}}
    worker = {"number": 3, "podAntiAffinityPreset": "hard"}
    site.install("node", "independent", compss={"master": master, "worker": worker}, app={"params": INDEPENDENT})
    site.midway("node", INDEPENDENT["tasks"])
    nodes = {pod["spec"]["nodeName"] for pod in site.get("pods", "node", "worker")}
    assert len(nodes) == 3
    with embedded.without_network(sorted(nodes - {safe})[0]):
        site.done("node", INDEPENDENT["tasks"])
    site.workers_go("node")
    eventually(lambda: "NotReady" not in site.kubectl("get", "nodes"))


def test_right_result_when_the_pushgateway_is_away(site: Site) -> None:
    nowhere = {"pushgatewayUrl": f"http://pushgateway.{site.namespace}.svc:9091"}
    values = {"app": {"params": {"blocks": 2}}, "deadlines": {"multiply": {"seconds": 0.000001}}}
    site.install("alone", "matmul", monitoring=nowhere, **values)
    site.done("alone", 16)
    assert site.status("alone")["deadlines"] == {"multiply": {"checked": 8, "missed": 8, "not_checked": 0}}
    log = site.kubectl("logs", site.masters("alone")[-1]["metadata"]["name"], "-c", "monitoring")
    assert log.count("not pushed") == 1
    assert site.helm("uninstall", "alone", "--wait").returncode == 0


def test_scaled_while_it_runs(site: Site) -> None:
    params = {"tasks": 160, "iterations": 4_000_000}
    site.install("scale", "independent", compss={"worker": {"number": 1, "max": 3}}, app={"params": params})
    eventually(lambda: site.status("scale").get("totals", {}).get("completed", 0) > 5)
    name = site.get("statefulsets", "scale")[0]["metadata"]["name"]
    site.kubectl("scale", f"statefulset/{name}", "--replicas=3")

    def computing() -> set[str]:
        return {each["worker"] for each in site.status("scale").get("durations", ())}

    eventually(lambda: len(computing()) == 3, 60)
    site.kubectl("scale", f"statefulset/{name}", "--replicas=1")
    eventually(lambda: sum(worker["up"] for worker in site.status("scale")["workers"].values()) == 1, 60)
    assert site.status("scale")["totals"]["completed"] < params["tasks"], "too late to scale down"
    site.done("scale", params["tasks"])


# How an application ends


def test_status_of_the_script_and_retries(site: Site) -> None:
    def run(script: str, number: str) -> tuple[int, int]:
        compss = {"worker": {"number": 1}, "master": {"retries": 1}}
        site.install("status", f"{script}\n", compss=compss, run=number)
        outcome, _ = site.follow("status")
        assert outcome["state"] == "failed"
        return outcome["attempts"], outcome["status"]

    assert run("import sys; sys.exit(2)", "1") == (1, 2)
    assert run("import sys; sys.exit(5)", "2") == (2, 5)
    assert run("raise ValueError('what went wrong')", "3") == (2, 1)
    assert "ValueError: what went wrong" in site.log("status")


def test_a_deployment_goes_on(site: Site) -> None:
    """For streams: a master that ends starts again, and the workers take it."""
    script = """
import os, time
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task

@task(returns=1)
def double(number):
    return 2 * number

if __name__ == "__main__":
    number = 0
    while not os.path.exists("/tmp/end"):
        number += 1
        assert compss_wait_on(double(number)) == 2 * number
        time.sleep(0.2)
"""
    site.install("stream", script, compss={"master": {"kind": "Deployment"}, "worker": {"number": 1}})

    def completed(at_least: int) -> bool:
        return bool(site.status("stream").get("totals", {}).get("completed", 0) >= at_least)

    def pod() -> str:
        return str(site.get("pods", "stream", "master")[0]["metadata"]["name"])

    eventually(lambda: completed(5))
    assert [item["kind"] for item in site.get("jobs", "stream", "master")] == []
    first, worker = pod(), site.get("pods", "stream", "worker")[0]["metadata"]["uid"]
    site.kubectl("exec", first, "-c", "master", "--", "touch", "/tmp/end")
    statuses = lambda: site.get("pods", "stream", "master")[0]["status"]["containerStatuses"]  # noqa: E731
    eventually(lambda: statuses()[0]["restartCount"] == 1)
    eventually(lambda: statuses()[0]["state"].get("running") and completed(5))
    assert pod() == first
    assert site.get("pods", "stream", "worker")[0]["metadata"]["uid"] == worker
    site.helm("uninstall", "stream", "--wait")


# The life of a release


def test_upgrade_runs_again_and_rollback_runs_the_former_again(site: Site) -> None:
    def jobs() -> set[str]:
        return {job["metadata"]["uid"] for job in site.get("jobs", "life", "master")}

    site.install("life", "matmul", app={"params": {"blocks": 2}})
    site.done("life", 16)
    first = jobs()
    site.install("life", "matmul", app={"params": {"blocks": 2}})
    assert jobs() == first, "the same values ran again"
    site.install("life", "matmul", app={"params": {"blocks": 3}})
    site.done("life", 45)
    second = jobs()
    assert not first & second
    site.helm("rollback", "life")
    site.done("life", 16)
    assert not jobs() & (first | second)
    assert site.results("life-results", "ls -d /results/.COMPSs/matmul.py_*").split() == [
        f"/results/.COMPSs/matmul.py_0{number}" for number in (1, 2, 3)
    ]


def test_two_in_a_namespace_and_the_same_name_in_two(site: Site) -> None:
    other = Site()
    places = [(site, "one", 2), (site, "two", 3), (other, "one", 1)]
    try:
        for place, release, blocks in places:
            place.install(release, "matmul", compss={"worker": {"number": 1}}, app={"params": {"blocks": blocks}})
        for place, release, blocks in places:
            place.done(release, 2 * blocks**2 + blocks**3)
        for place, release, _ in places:
            assert all(worker.startswith(f"{release}-") for worker in place.status(release).get("workers", {}))
        site.helm("uninstall", "one", "--wait")
        assert site.get("pods", "two", "master")
        assert other.get("pods", "one", "master")
    finally:
        other.remove()


def test_nothing_is_left_but_the_results(site: Site) -> None:
    site.install("gone", "matmul", compss={"worker": {"number": 1}}, app={"params": {"blocks": 1}})
    site.done("gone")
    tested = site.helm("test", "gone", "--logs", check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    site.helm("uninstall", "gone")
    eventually(lambda: [item["kind"] for item in site.get(LEFT, "gone")] == ["PersistentVolumeClaim"], 60)


# Bad input; what can be known when the chart is rendered is in test_chart.py


def test_more_memory_than_any_node_has(site: Site) -> None:
    site.install("huge", compss={"worker": {"number": 1, "resources": {"memory": 100_000}}})
    with pytest.raises(application.ApplicationError, match=r"no worker finds a node: .*Insufficient memory"):
        site.follow("huge")
    site.helm("uninstall", "huge")


def test_an_image_that_cannot_be_had(site: Site) -> None:
    site.install("image", image={"repository": "registry.invalid/none", "tag": "1"})
    with pytest.raises(
        application.ApplicationError, match=r"cannot start: registry.invalid/none:1: .*Expected an image"
    ):
        site.follow("image")
    site.helm("uninstall", "image")


def test_a_script_that_is_not_there(site: Site) -> None:
    site.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"other.py": ""}})
    source = {"files": None, "configMap": "other"}
    site.install("missing", app={"source": source}, compss={"worker": {"number": 1}})
    outcome, _ = site.follow("missing")
    assert (outcome["state"], outcome["attempts"]) == ("failed", 1)
    assert outcome["log"][-1] == "runcompss: /app/script.py: no such file"


def test_params_reach_the_script_whatever_is_in_them(site: Site) -> None:
    params = {
        "text": "a b  \"c\" 'd' $HOME $(id) `x` \\ ; rm -rf / # ü",
        "number": 1_000_000,
        "share": 0.5,
        "flag": True,
    }
    expected = ["--flag", "true", "--number", "1000000", "--share", "0.5", "--text", params["text"], "x y", "$(A)"]
    script = f"import sys\nassert sys.argv[1:] == {expected!r}, sys.argv\n{RIGHT}"
    site.install("params", script, app={"params": params, "args": ["x y", "$(A)"]}, compss={"worker": {"number": 1}})
    site.done("params")


# Where an application comes from


def test_application_from_a_configmap(site: Site) -> None:
    text = (ROOT / "apps" / "matmul" / "matmul.py").read_text()
    site.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine"}, "data": {"matmul.py": text}})
    values = {"context": {"file": "matmul.py"}, "source": {"files": None, "configMap": "mine"}, "params": {"blocks": 2}}
    site.install("configmap", app=values)
    site.done("configmap", 16)


def test_application_from_a_claim(site: Site) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "source"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    }
    site.apply(claim)
    text = (ROOT / "apps" / "matmul" / "matmul.py").read_text()
    site.results("source", f"mkdir -p /results/code && cat > /results/matmul.py <<'END'\n{text}\nEND")
    # A volume of one node takes master and workers there.
    values = {"context": {"file": "matmul.py"}, "source": {"files": None, "claim": "source"}, "params": {"blocks": 2}}
    site.install("claim", app=values)
    site.done("claim", 16)


def test_application_from_git(site: Site, embedded: Embedded, tmp_path: Path) -> None:
    embedded.build("tests/git:1", HERE / "git")
    work, served = tmp_path / "work", tmp_path / "served"
    git = ["git", "-C", str(work), "-c", "user.name=tests", "-c", "user.email=tests@example.org"]
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main", str(work)], check=True)
    (work / "main.py").write_text(RIGHT)
    subprocess.run([*git, "add", "main.py"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message=right"], check=True)
    subprocess.run([*git, "tag", "v1"], check=True)
    (work / "main.py").write_text("raise SystemExit('this is not the revision that was asked for')\n")
    subprocess.run([*git, "commit", "--quiet", "--all", "--message=wrong"], check=True)
    subprocess.run(["git", "clone", "--quiet", "--bare", str(work), str(served / "app.git")], check=True)
    listen = [f"--listen={embedded.gateway}", "--port=9418", "--reuseaddr"]
    daemon = subprocess.Popen(["git", "daemon", *listen, f"--base-path={served}", "--export-all", str(served)])
    try:
        git_source = {
            "repository": f"git://{embedded.gateway}/app.git",
            "revision": "v1",
            "image": f"{embedded.registry}/tests/git:1",
        }
        values = {"context": {"file": "main.py"}, "source": {"files": None, "git": git_source}}
        site.install("git", app=values, compss={"worker": {"number": 1}})
        site.done("git")
    finally:
        daemon.terminate()
        daemon.wait()


@pytest.mark.parametrize("builder", ["host", "cluster"])
def test_application_in_an_image(site: Site, embedded: Embedded, tmp_path: Path, builder: str) -> None:
    """Built by the role build_image, with a package that the engine's image has not."""
    # Another one each time: the registry may still have the last one.
    (tmp_path / "main.py").write_text(f"import six  # {uuid.uuid4()}\n{RIGHT}")
    (tmp_path / "requirements.txt").write_text("six==1.17.0\n")
    variables = {
        "build_image_reference": f"docker.io/tests/{builder}:1.0",
        "build_image_application": str(tmp_path),
        "build_image_requirements": "requirements.txt",
        "build_image_builder": builder,
        "build_image_namespace": f"{site.namespace}-build",
        "local_cluster_dir": str(embedded.directory),
        "local_cluster_node_subnet": embedded.gateway.rpartition(".")[0] + ".0/24",
    }
    try:
        assert "changed=0 " not in embedded.play("build_image", variables)
        assert "changed=0 " in embedded.play("build_image", variables)
    finally:
        site.kubectl("delete", "namespace", f"{site.namespace}-build", "--ignore-not-found", "--wait=false")
    image = {"repository": f"docker.io/tests/{builder}", "tag": "1.0"}
    site.install("own", app={"context": {"file": "main.py"}, "source": {"files": None}}, image=image)
    site.done("own")


# Where results go


def test_results_in_a_folder_of_a_node(site: Site, embedded: Embedded, tmp_path: Path) -> None:
    node = json.loads(site.kubectl("get", "nodes", "-o", "json"))["items"][-1]["metadata"]["name"]
    folder = tmp_path / "results"
    folder.mkdir()
    for path in (tmp_path, *tmp_path.parents):
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(0o755)
    os.chown(folder, 10001, 10001)
    compss = {"master": {"volume": {"localPath": str(folder), "node": node}}, "worker": {"number": 1}}
    site.install("folder", "matmul", compss=compss, app={"params": {"blocks": 1}}, results={"keep": False})
    site.done("folder", 3)
    assert site.masters("folder")[-1]["spec"]["nodeName"] == node
    assert (folder / ".COMPSs" / "matmul.py_01" / "runtime.log").exists()
    assert json.loads((folder / "last_run.json").read_text())["status"] == 0
    assert embedded
    site.helm("uninstall", "folder", "--wait")
    assert (folder / ".COMPSs" / "matmul.py_01" / "jobs").is_dir(), "the folder is the operator's"


def test_results_on_a_claim_of_ones_own(site: Site) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "own-claim"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "64Mi"}}},
    }
    site.apply(claim)
    site.install("mine", "matmul", results={"existingClaim": "own-claim"}, app={"params": {"blocks": 1}})
    site.done("mine", 3)
    site.helm("uninstall", "mine", "--wait")
    assert "runtime.log" in site.results("own-claim", "ls /results/.COMPSs/matmul.py_01")


# Engine compss, as far as it goes without its image


@pytest.fixture(scope="module")
def standin(site: Site) -> Object:
    """Values with an image that has sshd and a stand-in for COMPSs, and its keys."""
    embedded = Embedded()
    embedded.build("tests/compss-standin:2", HERE / "standin")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("master", "worker"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{name}"], check=True)
        keys = {"ssh-privatekey": "master", "authorized_keys": "master.pub", "ssh_host_key": "worker"}
        files = [f"--from-file={key}={folder}/{file}" for key, file in keys.items()]
        site.kubectl("create", "secret", "generic", "standin", *files)
    image = {"repository": f"{embedded.registry}/tests/compss-standin", "tag": "2"}
    return {"engine": "compss", "image": image, "ssh": {"existingSecret": "standin"}}


SLOW = """
import os, sys, time
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task

@task(returns=int)
def double(number):
    time.sleep(0.2)
    return 2 * number

if __name__ == "__main__":
    numbers = [double(number) for number in range(int(sys.argv[2]))]
    time.sleep(int(sys.argv[4]))
    assert compss_wait_on(numbers) == [2 * number for number in range(len(numbers))]
    print("the result is right")
    sys.exit(int(sys.argv[6]))
"""


def slow(tasks: int = 20, wait: int = 0, status: int = 0) -> Object:
    return {"args": ["--tasks", tasks, "--wait", wait, "--status", status]}


def test_the_master_logs_in_to_its_workers(site: Site, standin: Object) -> None:
    """ssh, keys, names, ports, both XML files, and the environment that tasks get."""
    site.install("standin", SLOW, **standin, app=slow(), deadlines={"double": {"seconds": 0.1}})
    outcome, _ = site.follow("standin")
    log = site.log("standin")
    assert outcome["state"] == "succeeded", log
    name = site.get("statefulsets", "standin")[0]["metadata"]["name"]
    for number in range(2):
        line = next(line for line in log.splitlines() if line.startswith(f"{name}-{number}.standin-workers: status 0"))
        assert f" {name}-{number} 10001 java of /usr/" in line
        for variable in (f"COMPSS_WORKER_NAME={name}-{number}", "COMPSS_DEADLINES=double=0.1+0"):
            assert variable in line.split()
    assert site.status("standin")["deadlines"] == {"double": {"checked": 0, "missed": None, "not_checked": 20}}
    site.workers_go("standin")


@pytest.mark.parametrize("status", [0, 2, 3])
def test_compss_leaves_status_results_and_metrics(site: Site, standin: Object, status: int) -> None:
    master = {"options": ["-d", "-g", "-t"], "retries": 0}
    site.install("ends", SLOW, **standin, app=slow(status=status), compss={"master": master}, run=f"ends{status}")
    outcome, _ = site.follow("ends")
    assert outcome["status"] == status, site.log("ends")
    assert outcome["application"]["totals"]["completed"] == 20
    shown = site.results(
        "ends-results", "cat /results/last_run.json; cd /results/.COMPSs; ls -t | head -1; ls */monitor */trace *"
    )
    assert f'"status": {status}' in shown
    for name in ("complete_graph.dot", "script.py_compss.prv", "status.json"):
        assert name in shown


@pytest.mark.parametrize("lost", [1, 2])
def test_a_new_master_finds_free_workers(site: Site, standin: Object, lost: int) -> None:
    site.install("again", SLOW, **standin, app=slow(tasks=100), run=f"lost{lost}")
    for _ in range(lost):
        eventually(lambda: site.status("again").get("totals", {}).get("completed", 0) > 2)
        pod = site.masters("again")[-1]["metadata"]
        site.kubectl("delete", "pod", pod["name"], "--grace-period=0", "--force")
        eventually(lambda uid=pod["uid"]: [each for each in site.masters("again") if each["metadata"]["uid"] != uid])
    assert "that an earlier master had left" in site.done("again")
    site.workers_go("again")


@pytest.mark.parametrize("volume", ["", "64Mi"])
def test_what_a_workers_pod_takes_along(site: Site, standin: Object, volume: str) -> None:
    """Results of finished tasks go with the pod, unless a claim keeps them."""
    compss = {"worker": {"number": 1, "volume": {"size": volume}}, "master": {"retries": 0}}
    site.install("data", SLOW, **standin, app=slow(tasks=5, wait=40), compss=compss, run=f"data{volume}".lower())
    eventually(lambda: site.status("data").get("totals", {}).get("completed", 0) == 5)
    worker = site.get("pods", "data", "worker")[0]["metadata"]["name"]
    site.kubectl("delete", "pod", worker, "--wait=true")
    outcome, _ = site.follow("data")
    assert outcome["status"] == (0 if volume else 1), site.log("data")
    assert ("FileNotFoundError" in site.log("data")) != bool(volume)
    site.helm("uninstall", "data", "--wait")


def test_a_late_worker_of_compss_gets_tasks(site: Site, standin: Object) -> None:
    site.install("late", SLOW, **standin, app=slow(tasks=150), compss={"worker": {"number": 1, "max": 3}})
    eventually(lambda: site.status("late").get("totals", {}).get("completed", 0) > 2)
    assert sum(each["up"] for each in site.status("late")["workers"].values()) == 1
    name = site.get("statefulsets", "late")[0]["metadata"]["name"]
    site.kubectl("scale", f"statefulset/{name}", "--replicas=2")
    eventually(lambda: sum(each["up"] for each in site.status("late")["workers"].values()) == 2, 60)
    site.done("late", 150)
    site.workers_go("late")


def test_compss_without_any_worker_ends_with_that_sentence(site: Site, standin: Object) -> None:
    compss = {"worker": {"number": 1, "nodeSelector": {"none": "such"}}, "master": {"workerTimeout": 5, "retries": 0}}
    site.install("none", SLOW, **standin, app=slow(), compss=compss)
    code, _ = eventually(lambda: site.master_end("none"), 120)
    assert code == 1
    assert "no worker can be started within 5 s" in site.log("none")
    site.helm("uninstall", "none", "--wait")
