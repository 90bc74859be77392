"""The orchestrator with a real API server, Monitoring API, Prometheus and Pushgateway: what it does, and what it may."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import yaml
from tools import eventually, free_port, program

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import (
    Catalogue,
    Configuration,
    Selection,
    rules_file,
)
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.info import information

from .conftest import ROOT
from .test_template import REFERENCE

pytestmark = pytest.mark.cluster
NAMESPACE = "qos-test"
ACCOUNT = "orchestrator"
CHART = ROOT / "charts" / "orchestrator"
KIND = "qosagreements.continuum.edge"
#: What the tests' applications ask for; times are short, as nothing waits for a pod.
TEMPLATES = [
    {**REFERENCE, "coolDownSeconds": 3600},
    {**REFERENCE, "guaranteeName": "Impatient", "coolDownSeconds": 2, "calmSeconds": 0},
    {**REFERENCE, "guaranteeName": "Larger", "action": "scale_up", "scaleFactor": 2, "coolDownSeconds": 3600},
    {
        **REFERENCE,
        "guaranteeName": "Misspelt",
        "guarantees": [{"name": "a", "constraint": "compss_aplication:progress:ratio > 0"}],
    },
    {**REFERENCE, "guaranteeName": "Wrong", "scaleFactor": 0.5},
]


def kubectl(*arguments: str, text: str = "") -> str:
    done = subprocess.run([program("kubectl"), *arguments], input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.HTTPError:
        return False


class Program:
    """A process on this machine that is ended with the tests."""

    def __init__(self, command: list[str], **environment: str) -> None:
        self.process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True)

    def end(self, number: int = signal.SIGTERM) -> None:
        if self.process.poll() is None:
            self.process.send_signal(number)
            self.process.communicate()


@pytest.fixture(scope="module")
def gateway() -> Iterator[str]:
    """Address of a Pushgateway."""
    port = free_port()
    server = Program([program("pushgateway"), f"--web.listen-address=127.0.0.1:{port}"])
    eventually(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), 30, "the Pushgateway", 0.1)
    yield f"http://127.0.0.1:{port}"
    server.end()


@pytest.fixture(scope="module")
def monitoring(gateway: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Monitoring API before a Prometheus that scrapes the gateway and evaluates the catalogue's rules."""
    folder, port, api_port = tmp_path_factory.mktemp("monitoring"), free_port(), free_port()
    catalogue = Catalogue(Configuration(interval="1s", prompt_interval="1s"))
    names = ["compss_application:deadlines_missed:sum", "compss_application:tasks:sum"]
    (folder / "rules.yml").write_text(rules_file(catalogue.groups(Selection(names=names))))
    job = {
        "job_name": "pushgateway",
        "honor_labels": True,
        "static_configs": [{"targets": [gateway.removeprefix("http://")]}],
    }
    settings = {"global": {"scrape_interval": "1s"}, "rule_files": ["rules.yml"], "scrape_configs": [job]}
    (folder / "prometheus.yml").write_text(json.dumps(settings))
    (folder / "catalogue.json").write_text(json.dumps(information(catalogue)))
    server = Program(
        [
            program("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=error",
        ]
    )
    api = Program(
        [sys.executable, "-m", "monitoring_api"],
        PYTHONPATH=str(ROOT / "images" / "monitoring-api"),
        CATALOGUE=str(folder / "catalogue.json"),
        PROMETHEUS_URL=f"http://127.0.0.1:{port}",
        PORT=str(api_port),
        AUTHENTICATION="false",
    )
    eventually(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), 30, "Prometheus", 0.1)
    eventually(lambda: answers(f"http://127.0.0.1:{api_port}/healthz"), 30, "the Monitoring API", 0.1)
    yield f"http://127.0.0.1:{api_port}"
    api.end()
    server.end()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A kubeconfig with the rights of the chart, and a namespace that goes with the tests."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    helm = [program("helm"), "template", ACCOUNT, str(CHART), "-n", NAMESPACE, "--set", "viewer=false"]
    done = subprocess.run(helm, capture_output=True, text=True, check=True)
    objects = [
        item
        for item in yaml.safe_load_all(done.stdout)
        if item["kind"] not in ("Deployment", "NetworkPolicy", "ConfigMap")
    ]
    was_there = (
        subprocess.run([program("kubectl"), "get", "crd", KIND], capture_output=True, check=False).returncode == 0
    )
    if was_there:
        objects = [item for item in objects if item["kind"] != "CustomResourceDefinition"]
    text = yaml.safe_dump_all([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, *objects])
    kubectl("apply", "-f", "-", text=text)
    if not was_there:
        kubectl("wait", "--for=condition=Established", f"crd/{KIND}", "--timeout=30s")
    configuration = yaml.safe_load(kubectl("config", "view", "--raw", "--minify", "--flatten"))
    token = kubectl("-n", NAMESPACE, "create", "token", ACCOUNT, "--duration=1h").strip()
    configuration["users"] = [{"name": ACCOUNT, "user": {"token": token}}]
    configuration["contexts"][0]["context"]["user"] = ACCOUNT
    path = tmp_path_factory.mktemp("account") / "kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(configuration))
    yield path
    kubectl("delete", "--ignore-not-found", "--wait=false", "-f", "-", text=text)


class Seen(NamedTuple):
    """An agreement as it stands."""

    state: str
    reason: str
    replicas: int


class Site:
    """Applications in the namespace, what they push, and the orchestrators that look at them."""

    def __init__(self, gateway: str, monitoring: str, kubeconfig: Path, folder: Path) -> None:
        self.gateway, self.monitoring, self.kubeconfig, self.folder = gateway, monitoring, kubeconfig, folder
        self.programs: list[Program] = []
        (folder / "templates.json").write_text(json.dumps(TEMPLATES))

    def orchestrator(self, **environment: str) -> Program:
        started = Program(
            [sys.executable, "-m", "orchestrator"],
            **{
                "PYTHONPATH": str(ROOT / "images" / "orchestrator"),
                "TEMPLATES": str(self.folder / "templates.json"),
                "KUBECONFIG": str(self.kubeconfig),
                "MONITORING_API_URL": self.monitoring,
                "TOKEN_FILE": "",
                "PORT": str(free_port()),
                "LOOK": "0.5",
                **environment,
            },
        )
        self.programs.append(started)
        return started

    def application(self, name: str, template: str, *, pod: dict[str, Any] | None = None, **spec: Any) -> None:
        """Workers that never start, unless `pod` says otherwise, and their agreement."""
        labels = {"continuum.edge/pool": name}
        worker = {
            "name": "worker",
            "image": "none.example/none:1",
            "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        }
        workers = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "replicas": spec.pop("replicas", 4),
                "serviceName": name,
                "podManagementPolicy": "Parallel",
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 0,
                        "containers": [worker],
                        **({"schedulingGates": [{"name": "continuum.edge/test"}]} if pod is None else pod),
                    },
                },
            },
        }
        agreement = {
            "apiVersion": "continuum.edge/v1alpha1",
            "kind": "QoSAgreement",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"template": template, "application": name, "target": name, "min": 1, "max": 8, **spec},
        }
        kubectl("apply", "-f", "-", text=yaml.safe_dump_all([workers, agreement]))

    def push(self, name: str, missed: int, waiting: int = 10) -> None:
        """As an application's monitoring container does."""
        body = (
            f'deadlines_missed{{application="{name}",task="t"}} {missed}\n'
            f'compss_tasks{{application="{name}",task="t",state="pending"}} {waiting}\n'
        )
        url = f"{self.gateway}/metrics/job/compss/namespace/{NAMESPACE}/application/{name}"
        httpx.put(url, content=body).raise_for_status()

    def seen(self, name: str) -> Seen:
        agreement = json.loads(kubectl("-n", NAMESPACE, "get", KIND, name, "-o", "json"))
        status = agreement.get("status", {})
        replicas = kubectl("-n", NAMESPACE, "get", "statefulset", name, "-o", "jsonpath={.spec.replicas}")
        return Seen(status.get("state", ""), status.get("reason", ""), int(replicas))

    def becomes(self, name: str, state: str, seconds: float = 30) -> Seen:
        def look() -> Seen | None:
            seen = self.seen(name)
            return seen if seen.state == state else None

        return eventually(look, seconds, f"{name} becomes {state}")

    def events(self, name: str) -> list[tuple[str, str]]:
        items = json.loads(
            kubectl("-n", NAMESPACE, "get", "events", f"--field-selector=involvedObject.name={name}", "-o", "json")
        )
        return [(item["reason"], item["message"]) for item in items["items"] if item["reason"].startswith("QoS")]


@pytest.fixture
def site(gateway: str, monitoring: str, account: Path, tmp_path: Path) -> Iterator[Site]:
    site = Site(gateway, monitoring, account, tmp_path)
    yield site
    for each in site.programs:
        each.end()
    kubectl("-n", NAMESPACE, "delete", f"{KIND},statefulset", "--all", "--wait=false")


def test_a_miss_brings_four_workers_to_six_whoever_looks(site: Site) -> None:
    """Two orchestrators at once, one killed and one started anew: one change, one Event."""
    site.application("busy", "DeadlinesMissed_1")
    site.push("busy", 0)
    first, _ = site.orchestrator(), site.orchestrator()
    assert site.becomes("busy", "Holds").replicas == 4
    site.push("busy", 1)
    eventually(lambda: site.seen("busy").replicas == 6, 30, "six workers")
    first.end(signal.SIGKILL)
    site.orchestrator()
    site.push("busy", 2)
    time.sleep(3)
    assert site.seen("busy").replicas == 6
    assert [reason for reason, _ in site.events("busy")] == ["QoSScaled"]
    assert "4 -> 6 workers" in site.events("busy")[0][1]
    # What people see.
    table = kubectl("-n", NAMESPACE, "get", "qos")
    assert table.splitlines()[0].split() == [
        "NAME",
        "TEMPLATE",
        "STATE",
        "MIN",
        "WORKERS",
        "MAX",
        "VIOLATIONS",
        "SINCE",
    ]
    assert table.splitlines()[1].split()[:6] == ["busy", "DeadlinesMissed_1", "CoolingDown", "1", "6", "8"]


def test_what_was_decided_before_a_kill_is_done_after_it(site: Site) -> None:
    site.application("decided", "DeadlinesMissed_1")
    site.push("decided", 1)
    record = {
        "state": "CoolingDown",
        "reason": "because; 4 -> 6 workers",
        "begun": True,
        "source": 4,
        "target": 6,
        "until": time.time() + 3600,
    }
    base = [["compss_application:deadlines_missed:sum", "", 1.0]]
    status = json.dumps({"status": {"state": "CoolingDown", "record": {**record, "base": base}}})
    kubectl("-n", NAMESPACE, "patch", KIND, "decided", "--subresource=status", "--type=merge", "-p", status)
    site.orchestrator()
    eventually(lambda: site.seen("decided").replicas == 6, 30, "six workers")
    eventually(lambda: site.events("decided") == [("QoSScaled", "because; 4 -> 6 workers")], 10, "the Event")


def test_a_monitoring_api_that_is_away_is_no_violation(site: Site) -> None:
    site.application("blind", "DeadlinesMissed_1")
    orchestrator = site.orchestrator(MONITORING_API_URL=f"http://127.0.0.1:{free_port()}")
    seen = site.becomes("blind", "NoData")
    assert "the Monitoring API does not answer" in seen.reason
    assert seen.replicas == 4
    assert orchestrator.process.poll() is None


def test_an_api_server_that_is_away_ends_nothing(site: Site) -> None:
    configuration = yaml.safe_load(site.kubeconfig.read_text())
    configuration["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{free_port()}"
    away = site.folder / "away"
    away.touch(mode=0o600)
    away.write_text(yaml.safe_dump(configuration))
    orchestrator = site.orchestrator(KUBECONFIG=str(away))
    assert orchestrator.process.stderr is not None
    assert (
        "the API server does not answer"
        in orchestrator.process.stderr.readline() + orchestrator.process.stderr.readline()
    )
    time.sleep(1)
    assert orchestrator.process.poll() is None


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        (
            "Misspelt",
            "there is no metric 'compss_aplication:progress:ratio'; did you mean compss_application:progress:ratio",
        ),
        ("Wrong", "scaleFactor is 0.5; scale_out needs more than 1"),
        ("Absent", "there is no template Absent; there are DeadlinesMissed_1, Impatient, Larger, Misspelt"),
    ],
)
def test_a_wrong_template_is_said_and_takes_no_other_along(site: Site, template: str, fault: str) -> None:
    site.application("wrong", template)
    site.application("right", "DeadlinesMissed_1")
    site.push("right", 0)
    site.orchestrator()
    assert fault in site.becomes("wrong", "Invalid").reason
    site.becomes("right", "Holds")


def test_workers_that_find_no_node_are_taken_back(site: Site) -> None:
    site.application(
        "crowded", "Impatient", pod={"nodeSelector": {"continuum.edge/test": "nowhere"}}, replicas=2, min=1
    )
    site.push("crowded", 0)
    site.orchestrator()
    assert site.becomes("crowded", "NoRoom").replicas == 1
    eventually(lambda: "QoSNoRoom" in dict(site.events("crowded")), 10, "the Event")
    assert "no node has room for 2 of 2 workers; 2 -> 1 workers" in dict(site.events("crowded"))["QoSNoRoom"]


def test_a_running_worker_grows_in_place(site: Site) -> None:
    images = kubectl("get", "pods", "-A", "-o", "jsonpath={.items[*].spec.containers[*].image}").split()
    image = next((each for each in images if "pushgateway" in each), None)
    if image is None:
        pytest.skip("no Pushgateway runs on the cluster, whose image would run here")
    resources = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "100m", "memory": "64Mi"}}
    worker = {"name": "worker", "image": image, "resources": resources}
    site.application("small", "Larger", pod={"containers": [worker]}, replicas=1, limits={"cpu": "150m"})
    kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/small-0", "--timeout=60s")
    site.push("small", 0)
    site.orchestrator()
    site.becomes("small", "Holds")
    site.push("small", 1)

    def given() -> dict[str, Any]:
        pod = json.loads(kubectl("-n", NAMESPACE, "get", "pod", "small-0", "-o", "json"))
        status = pod["status"]["containerStatuses"][0]
        assert status["restartCount"] == 0
        return dict(status["resources"])

    grown = {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"cpu": "150m", "memory": "64Mi"}}
    eventually(lambda: given() == grown, 60, "twice the request, and as much as the limit allows")
    assert [reason for reason, _ in site.events("small")] == ["QoSResized"]


@pytest.mark.parametrize(
    ("verb", "resource", "allowed"),
    [
        ("list", KIND, "yes"),
        ("patch", f"{KIND}/status", "yes"),
        ("patch", "statefulsets/scale", "yes"),
        ("patch", "pods/resize", "yes"),
        ("patch", KIND, "no"),
        ("patch", "statefulsets", "no"),
        ("create", "pods", "no"),
        ("get", "secrets", "no"),
        ("create", "pods/exec", "no"),
        ("delete", "pods", "no"),
    ],
)
def test_it_may_no_more_than_it_does(account: Path, verb: str, resource: str, allowed: str) -> None:
    kind, _, sub = resource.partition("/")
    asked = ["auth", "can-i", verb, kind, "-n", "default", *([f"--subresource={sub}"] if sub else [])]
    done = subprocess.run(
        [program("kubectl"), "--kubeconfig", str(account), *asked], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == allowed


def test_an_agreement_that_makes_no_sense_is_refused_by_the_api_server(site: Site) -> None:
    with pytest.raises(AssertionError, match="min is above max"):
        site.application("senseless", "DeadlinesMissed_1", min=9, max=8)
