"""Every NetworkPolicy of every chart: who gets through to which port, and who does not.

Each chart is rendered, and its policies are applied as they are, in a namespace of the test. Each of its workloads
has a pod there with the labels and ports that the chart gives it, but nothing runs in it: listeners and callers are
processes of this machine in the pods' networks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import eventually

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
CLUSTER = PROJECT / ".local" / "molecule"
NAMESPACES = ("policies", "elsewhere", "team")
UNUSED = 9999  # a port that no policy names
Object = dict[str, Any]

# Of each release its chart and its values: as they are by default, and with peers of one's own.
FRIENDS = {"networkPolicy": {"from": [{"podSelector": {"matchLabels": {"probe": "friend"}}}]}}
RELEASES: dict[str, tuple[str, Object]] = {
    "app": ("compss", {}),
    "site": ("edge-monitoring", {}),
    "metrics": ("metrics-server", {}),
    "api": ("monitoring-api", {}),
    "qos": ("orchestrator", {}),
    "closed-app": ("compss", FRIENDS),
    "closed-site": ("edge-monitoring", FRIENDS),
    "closed-api": ("monitoring-api", FRIENDS),
    "closed-qos": ("orchestrator", FRIENDS),
    # Its policy is about a namespace of its own.
    "team": ("tenant", {"platformNamespace": "elsewhere"}),
}
# Who calls besides the charts' own pods. Those elsewhere have the labels of ones that a policy lets in.
CALLERS = {
    "policies/stranger": {"probe": "stranger"},
    "policies/other-stranger": {"probe": "stranger"},
    "policies/friend": {"probe": "friend"},
    "team/one": {},
    "team/other": {},
}
DOUBLES = {
    "elsewhere/friend": "policies/friend",
    "elsewhere/site-server": "policies/site-server",
    "elsewhere/app-worker": "policies/app-worker",
    "elsewhere/api": "policies/api",
}

EVERYBODY = {"*"}
NOBODY: set[str] = set()
APP = {"policies/app-master", "policies/app-worker", "policies/app-forget"}
CLOSED_APP = {name.replace("app", "closed-app") for name in APP}
PLATFORM = {"elsewhere/friend", "elsewhere/site-server", "elsewhere/app-worker", "elsewhere/api"}
TEAM = {"team/one", "team/other"}
# Of each pod, and each port, who gets through. A pod that no policy selects is open.
GETS_THROUGH: dict[str, dict[int, set[str]]] = {
    "policies/stranger": {UNUSED: EVERYBODY},
    "policies/app-master": {**dict.fromkeys((43100, 43001, 43002, 49049, 6379), APP), 15000: EVERYBODY, UNUSED: NOBODY},
    "policies/app-worker": {**dict.fromkeys((2222, 43001, 43002, 49049), APP), 6379: NOBODY, UNUSED: NOBODY},
    "policies/site-server": {9090: EVERYBODY, UNUSED: NOBODY},
    "policies/site-kube-state-metrics": {8080: {"policies/site-server"}, 8081: NOBODY, UNUSED: NOBODY},
    "policies/site-pushgateway": {9091: EVERYBODY, UNUSED: NOBODY},
    "policies/metrics": {10250: EVERYBODY, UNUSED: NOBODY},
    "policies/api": {8080: EVERYBODY, UNUSED: NOBODY},
    "policies/qos": {8080: EVERYBODY, UNUSED: NOBODY},
    "policies/closed-app-master": {43100: CLOSED_APP, 15000: {"policies/friend"}, UNUSED: NOBODY},
    "policies/closed-app-worker": {43001: CLOSED_APP, UNUSED: NOBODY},
    "policies/closed-api": {8080: {"policies/friend"}, UNUSED: NOBODY},
    "policies/closed-qos": {8080: {"policies/friend"}, UNUSED: NOBODY},
    "policies/closed-site-server": {9090: {"policies/friend"}, UNUSED: NOBODY},
    "policies/closed-site-kube-state-metrics": {8080: {"policies/closed-site-server"}, UNUSED: NOBODY},
    "policies/closed-site-pushgateway": {9091: {"policies/friend", "policies/closed-site-server"}, UNUSED: NOBODY},
    "elsewhere/api": {8080: EVERYBODY, UNUSED: EVERYBODY},
    "team/one": {UNUSED: TEAM | PLATFORM},
    "team/other": {UNUSED: TEAM | PLATFORM},
}
# Whom a pod reaches that is not let out to everybody.
LET_OUT = {name: {("team/one", UNUSED), ("team/other", UNUSED), ("elsewhere/api", 8080)} for name in TEAM}

LISTEN = """
import json, socket, sys, threading
def serve(listener):
    while True:
        listener.accept()[0].close()
for port in json.loads(sys.argv[1]):
    threading.Thread(target=serve, args=[socket.create_server(("", port))]).start()
"""
CALL = """
import concurrent.futures, json, socket, sys
def answers(address):
    try:
        socket.create_connection(address, 3).close()
    except OSError:
        return False
    return True
with concurrent.futures.ThreadPoolExecutor(32) as pool:
    print(json.dumps(list(pool.map(answers, map(tuple, json.loads(sys.argv[1]))))))
"""


def run(*command: str, stdin: str = "") -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, f"{command[:4]}: {done.stderr}"
    return done.stdout


def kubectl(*arguments: str, stdin: str = "") -> str:
    return run(f"{CLUSTER}/bin/kubectl", f"--kubeconfig={CLUSTER}/kubeconfig", *arguments, stdin=stdin)


def rendered(release: str) -> list[Object]:
    chart, values = RELEASES[release]
    helm = ["template", release, str(PROJECT / "charts" / chart), "--namespace", "policies", "--values", "-"]
    return [each for each in yaml.safe_load_all(run(f"{CLUSTER}/bin/helm", *helm, stdin=json.dumps(values))) if each]


def pod(name: str, labels: Mapping[str, str], containers: list[Object], node: str) -> Object:
    """One that runs nothing. Its first container has the ports of all of them, and a sidecar those of the sidecars."""
    namespace, _, name = name.partition("/")
    still = {"image": "registry.k8s.io/pause:3.10.1"}
    sidecars = [each for each in containers if each.get("restartPolicy") == "Always"]
    spec: Object = {
        "nodeName": node,
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "initContainers": [
            {**still, "name": c["name"], "restartPolicy": "Always", "ports": c.get("ports", [])} for c in sidecars
        ],
        "containers": [
            {**still, "name": c["name"], "ports": c.get("ports", [])} for c in containers if c not in sidecars
        ],
    }
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def pods_of(release: str, objects: list[Object]) -> Iterator[tuple[str, Mapping[str, str], list[Object]]]:
    """Name, labels and containers of a pod for each workload that has a network of its own."""
    for each in objects:
        template = each.get("spec", {}).get("template", {})
        if "containers" in template.get("spec", {}) and not template["spec"].get("hostNetwork"):
            labels = template["metadata"]["labels"]
            component = labels.get("app.kubernetes.io/component")
            name = f"policies/{release}-{component}" if component else f"policies/{release}"
            yield name, labels, [*template["spec"].get("initContainers", ()), *template["spec"]["containers"]]


class Pods:
    """The pods' addresses, and processes of this machine in their networks."""

    def __init__(self) -> None:
        items = [
            each
            for space in NAMESPACES
            for each in json.loads(kubectl("-n", space, "get", "pods", "-o", "json"))["items"]
        ]
        named = {f"{each['metadata']['namespace']}/{each['metadata']['name']}": each for each in items}
        self.address = {name: each["status"]["podIP"] for name, each in named.items()}
        processes = {}
        for group in Path("/proc").glob("[0-9]*/cgroup"):
            try:
                content = group.read_text()
            except OSError:
                continue  # it has ended
            processes |= {name: group.parent.name for name, each in named.items() if each["metadata"]["uid"] in content}
        assert processes.keys() == named.keys()
        self.inside = {name: ["nsenter", f"--net=/proc/{process}/ns/net"] for name, process in processes.items()}

    def listen(self, name: str, ports: list[int]) -> subprocess.Popen[bytes]:
        return subprocess.Popen([*self.inside[name], sys.executable, "-c", LISTEN, json.dumps(ports)])

    def reached(self, caller: str, targets: list[tuple[str, int]]) -> list[bool]:
        addresses = [(self.address[name], port) for name, port in targets]
        answer: list[bool] = json.loads(run(*self.inside[caller], sys.executable, "-c", CALL, json.dumps(addresses)))
        return answer


@pytest.fixture(scope="module")
def objects() -> dict[str, list[Object]]:
    return {release: rendered(release) for release in RELEASES}


@pytest.fixture(scope="module")
def pods(objects: dict[str, list[Object]]) -> Iterator[Pods]:
    nodes = kubectl("get", "nodes", "-o", "jsonpath={.items[*].metadata.name}").split()
    described = [one for release, each in objects.items() for one in pods_of(release, each)]
    described += [(name, labels, [{"name": "none"}]) for name, labels in CALLERS.items()]
    labels = {name: each for name, each, _ in described}
    described += [(double, labels[name], [{"name": "none"}]) for double, name in DOUBLES.items()]
    items = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in NAMESPACES]
    items += [one for each in objects.values() for one in each if one["kind"] == "NetworkPolicy"]
    items += [pod(*each, nodes[number % len(nodes)]) for number, each in enumerate(described)]
    listeners: list[subprocess.Popen[bytes]] = []
    try:
        kubectl("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
        for namespace in NAMESPACES:
            kubectl("-n", namespace, "wait", "pod", "--all", "--for=condition=Ready", "--timeout=120s")
        running = Pods()
        listeners = [running.listen(name, list(ports)) for name, ports in GETS_THROUGH.items()]
        yield running
    finally:
        for listener in listeners:
            listener.kill()
            listener.wait()
        kubectl("delete", "namespace", *NAMESPACES, "--ignore-not-found")


def test_every_policy_is_in_the_table(objects: dict[str, list[Object]]) -> None:
    charts = {
        path.relative_to(PROJECT).parts[1]
        for path in PROJECT.glob("charts/*/templates/**/*.yaml")
        if "kind: NetworkPolicy" in path.read_text()
    }
    assert charts == {chart for chart, _ in RELEASES.values()}
    for release, each in objects.items():
        labels = {name: values for name, values, _ in pods_of(release, each)}
        labels |= {name: values for name, values in CALLERS.items() if name.startswith(f"{release}/")}
        for policy in (one["spec"] for one in each if one["kind"] == "NetworkPolicy"):
            wanted = policy["podSelector"].get("matchLabels", {}).items()
            selected = {name for name, values in labels.items() if wanted <= values.items()}
            assert selected
            assert selected <= GETS_THROUGH.keys()


def test_who_gets_through_and_who_does_not(pods: Pods) -> None:
    targets = [(name, port) for name, ports in GETS_THROUGH.items() for port in ports]
    expected: dict[str, list[bool]] = {}
    for caller in pods.address:
        allowed = [GETS_THROUGH[name][port] for name, port in targets]
        let_out = LET_OUT.get(caller, targets)
        expected[caller] = [
            caller == target[0] or (target in let_out and (allow == EVERYBODY or caller in allow))
            for allow, target in zip(allowed, targets, strict=True)
        ]

    reached: dict[str, list[bool]] = {}

    def as_expected() -> bool:
        # At once: what is refused is told with a limit for each caller, and else waited for.
        with ThreadPoolExecutor(len(expected)) as pool:
            reached.update(zip(expected, pool.map(lambda caller: pods.reached(caller, targets), expected), strict=True))
        return reached == expected

    try:
        eventually(as_expected, 60, "the policies' enforcement")
    except AssertionError:
        wrong = {
            f"{caller} -> {name}:{port} {'gets' if got else 'does not get'} through"
            for caller in pods.address
            for (name, port), got, want in zip(targets, reached[caller], expected[caller], strict=True)
            if got != want
        }
        pytest.fail("\n".join(sorted(wrong)))
