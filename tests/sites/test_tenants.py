"""Teams on a running cluster: each runs its applications, and gets at nothing of another's, whatever its people try."""

from __future__ import annotations

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import yaml
from kubernetes import client, config
from tools import eventually, program

from .test_refusals import SITE, extra, play

pytestmark = pytest.mark.cluster
MARK = uuid.uuid4().hex[:5]
ACCOUNTS, OURS, THEIRS = f"tenants-{MARK}", f"ours-{MARK}", f"theirs-{MARK}"
IMAGE = "ghcr.io/continuum-edge/pycompss-dask:0.1.0"
PORT = 8000
Object = dict[str, Any]

TEAMS = [
    {
        **{"name": OURS, "scientists": ["ann"], "viewers": ["vic"], "quota": {"pods": 8}},
        # Images change under one tag.
        "variables": {"compss_pull_policy": "Always"},
    },
    {"name": THEIRS, "scientists": ["ben"]},
]
#: Answers every request with a series in the name of the other team, and goes on.
FORGE = f"""
from http.server import *
class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b'deadlines_missed{{namespace="{THEIRS}",application="victim",task="t"}} 1000\\n')
HTTPServer(("", {PORT}), Answer).serve_forever()
"""
CALL = """
import json, socket, sys
def answers(host, port):
    try:
        socket.create_connection((host, port), 2).close()
    except OSError:
        return False
    return True
print(json.dumps([answers(*each) for each in json.loads(sys.argv[1])]))
"""


class Person(NamedTuple):
    """Somebody with a kubeconfig."""

    kubeconfig: Path
    namespace: str = "default"

    def run(self, name: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        command = [program(name), *arguments]
        return subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=False)

    def kubectl(self, *arguments: str, text: str = "") -> str:
        done = self.run("kubectl", *arguments, text=text)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def apply(self, item: Object) -> subprocess.CompletedProcess[str]:
        return self.run("kubectl", "create", "-f", "-", text=json.dumps(item))


class Teams(NamedTuple):
    operator: Person
    ann: Person
    vic: Person
    ben: Person
    inventory: Path
    folder: Path

    def play(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return play("tenant.yml", self.inventory, *arguments)

    def left(self, team: str) -> str:
        """What of a team is on the cluster."""
        kinds = ("namespace", "validatingadmissionpolicy", "validatingadmissionpolicybinding")
        names = self.operator.kubectl(
            "get", ",".join(kinds), "-l", f"app.kubernetes.io/instance=tenant-{team}", "-o", "name"
        )
        return names.strip()


@pytest.fixture(scope="module")
def teams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Teams]:
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.fail("No KUBECONFIG: expected the file that gives access to a running cluster (.local/kubeconfig)")
    folder = tmp_path_factory.mktemp("teams")
    variables = {
        **SITE,
        **{"continuum_kubeconfig": str(Path(kubeconfig).resolve()), "continuum_helm": program("helm")},
        **{"tenant_teams": TEAMS, "tenant_namespace": ACCOUNTS, "tenant_folder": str(folder)},
    }
    inventory = folder / "site.yml"
    inventory.write_text(yaml.safe_dump({"continuum": {"hosts": {"site": {}}, "vars": variables}}))
    people = {
        name: Person(folder / team / name / "kubeconfig", team)
        for name, team in {"ann": OURS, "vic": OURS, "ben": THEIRS}.items()
    }
    made = Teams(Person(Path(kubeconfig).resolve()), **people, inventory=inventory, folder=folder)
    try:
        done = made.play()
        assert done.returncode == 0, done.stdout[-3000:]
        yield made
    finally:
        if made.left(OURS) or made.left(THEIRS):
            made.play("-e", "tenant_state=absent", "-e", "tenant_force=true")
        made.operator.run("kubectl", "delete", "namespace", ACCOUNTS, "--wait=false")


def pod(name: str, script: str, **spec: Any) -> Object:
    restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {"name": "python", "image": IMAGE, "command": ["python3", "-c", script], "securityContext": restricted}
    annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            **spec,
        },
    }


def running(person: Person, name: str) -> str:
    """The address of a pod that its owner has started."""

    def look() -> str:
        status = json.loads(person.kubectl("get", "pod", name, "-o", "json"))["status"]
        waiting = [each["state"].get("waiting", {}).get("reason") for each in status.get("containerStatuses", ())]
        if {"ErrImagePull", "ImagePullBackOff"} & set(waiting):
            pytest.skip(f"the cluster has no {IMAGE}: playbooks/run.yml --tags images brings it")
        return str(status["podIP"]) if status.get("phase") == "Running" else ""

    return eventually(look, 60, f"pod {name} runs")


@pytest.fixture(scope="module")
def addresses(teams: Teams) -> dict[str, str]:
    """Of the pods `caller` of our team, and `listener` and `neighbour` of theirs."""
    owners = {"caller": teams.ann, "listener": teams.ben, "neighbour": teams.ben}
    for name, owner in owners.items():
        done = owner.apply(pod(name, FORGE))
        assert done.returncode == 0, done.stderr
    return {name: running(owner, name) for name, owner in owners.items()}


def test_a_second_run_changes_nothing(teams: Teams) -> None:
    done = teams.play("--diff", "-v", *extra(tenant_teams=TEAMS[:1]))
    assert done.returncode == 0, done.stdout[-3000:]
    assert "changed=0" in done.stdout, done.stdout[-3000:]
    kubeconfigs = sorted(teams.folder.rglob("kubeconfig"))
    assert len(kubeconfigs) == 3
    for path in kubeconfigs:
        assert path.stat().st_mode & 0o777 == 0o600
        token = json.loads(path.read_text())["users"][0]["user"]["token"]
        assert token not in done.stdout


# What one team's scientist tries on the other team, and on what is nobody's of the teams.
ATTEMPTS = [
    ("kubectl", *each.split())
    for each in (
        f"-n {THEIRS} get secrets",
        f"-n {THEIRS} get pods",
        f"-n {THEIRS} get configmaps,jobs,services,events,resourcequotas",
        f"-n {THEIRS} get pod listener",
        f"-n {THEIRS} logs listener",
        f"-n {THEIRS} exec listener -- true",
        f"-n {THEIRS} delete pod listener",
        f"-n {THEIRS} create configmap mine",
        f"-n {THEIRS} scale statefulset any --replicas=9",
        f"-n {THEIRS} create token default",
        f"get --raw /api/v1/namespaces/{THEIRS}/services/any:15000/proxy/status",
        f"get --raw /apis/metrics.k8s.io/v1beta1/namespaces/{THEIRS}/pods",
        f"get namespace {THEIRS}",
        "get namespaces",
        "get pods --all-namespaces",
        "get nodes",
        "get persistentvolumes",
        "get clusterroles",
        "get validatingadmissionpolicies",
        f"delete validatingadmissionpolicybinding tenant-{OURS}",
        f"create clusterrolebinding mine-{MARK} --clusterrole=view --user=me",
        f"create namespace mine-{MARK}",
        "get secrets -n monitoring",
        "get --raw /api/v1/namespaces/monitoring/services/prometheus-server:9090/proxy/api/v1/labels",
        f"get secrets -n {ACCOUNTS}",
        f"create token -n {ACCOUNTS} {THEIRS}.ben",
        f"create token -n {ACCOUNTS} {OURS}.ann",
        "get pods --as=system:admin",
        f"label namespace {OURS} pod-security.kubernetes.io/enforce=privileged --overwrite",
        f"-n {OURS} delete resourcequota team",
        f"-n {OURS} delete limitrange team",
        f"-n {OURS} delete networkpolicy team",
    )
] + [("helm", "list", "-n", THEIRS), ("helm", "uninstall", "any", "-n", THEIRS)]


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=" ".join)
def test_a_team_does_not_get_at_the_others(teams: Teams, attempt: tuple[str, ...]) -> None:
    done = teams.ann.run(*attempt)
    assert done.returncode != 0, done.stdout
    assert "forbidden" in done.stderr.lower(), done.stderr


def test_a_team_has_no_right_in_the_others_namespace(teams: Teams) -> None:
    """All that the API server knows of the scientist there, so that no attempt is forgotten."""
    api = client.AuthorizationV1Api(config.new_client_from_config(str(teams.ann.kubeconfig)))
    for namespace in (THEIRS, ACCOUNTS, "monitoring", "kube-system"):
        review = api.create_self_subject_rules_review({"spec": {"namespace": namespace}})
        granted = {resource for rule in review.status.resource_rules for resource in rule.resources}
        assert granted <= {"selfsubjectaccessreviews", "selfsubjectrulesreviews", "selfsubjectreviews"}


RBAC = "rbac.authorization.k8s.io"


def binding(name: str, kind: str, subject: Object) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"mine-{MARK}"},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": name},
        "subjects": [subject],
    }


def service(**spec: Any) -> Object:
    ports = [{"port": PORT}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"mine-{MARK}"},
        "spec": {"ports": ports, **spec},
    }


OWN_ACCOUNT = {"kind": "ServiceAccount", "name": "default", "namespace": OURS}
HUGE = {"limits": {"cpu": "1000", "memory": "1Ti"}}
TRICKS: list[tuple[Object, str]] = [
    (
        binding("scientist", "Role", {"kind": "ServiceAccount", "name": f"{THEIRS}.ben", "namespace": ACCOUNTS}),
        "may name ServiceAccounts of that namespace only",
    ),
    (binding("scientist", "Role", {"kind": "User", "apiGroup": RBAC, "name": "ben"}), "may name ServiceAccounts"),
    (binding("admin", "ClusterRole", OWN_ACCOUNT), "not currently held"),
    (
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "Role",
            "metadata": {"name": f"mine-{MARK}"},
            "rules": [{"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["delete"]}],
        },
        "not currently held",
    ),
    (service(type="NodePort"), "exceeded quota"),
    (service(type="LoadBalancer"), "exceeded quota"),
    (service(externalIPs=["192.0.2.1"]), "external"),  # some clusters refuse them to everybody
    (pod("mine", FORGE, hostNetwork=True), "violates PodSecurity"),
    (pod("mine", FORGE, securityContext={}), "violates PodSecurity"),
    (pod("mine", FORGE, volumes=[{"name": "a", "hostPath": {"path": "/"}}]), "violates PodSecurity"),
    (pod("mine", FORGE, priorityClassName="system-node-critical"), "priority classes"),
    (
        pod("mine", FORGE, containers=[{**pod("mine", FORGE)["spec"]["containers"][0], "resources": HUGE}]),
        "exceeded quota",
    ),
]


@pytest.mark.parametrize(("item", "why"), TRICKS, ids=lambda value: value if isinstance(value, str) else value["kind"])
def test_a_team_does_not_grow_beyond_itself(teams: Teams, item: Object, why: str) -> None:
    done = teams.ann.apply(item)
    assert done.returncode != 0
    assert why in done.stderr, done.stderr


@pytest.mark.parametrize("name", ["role/scientist", "role/viewer", "rolebinding/scientist", "rolebinding/viewer"])
@pytest.mark.parametrize("verb", [("delete",), ("label", "a=b")], ids=" ".join)
def test_what_the_operator_has_made_stays(teams: Teams, name: str, verb: tuple[str, ...]) -> None:
    done = teams.ann.run("kubectl", verb[0], name, *verb[1:])
    assert done.returncode != 0
    assert "stays as the operator of the site has made it" in done.stderr, done.stderr


@pytest.mark.usefixtures("addresses")
def test_a_viewer_looks_and_changes_nothing(teams: Teams) -> None:
    assert "caller" in teams.vic.kubectl("get", "pods", "-o", "name")
    teams.vic.kubectl("logs", "caller")
    for attempt in (
        "get secrets",
        "delete pod caller",
        "exec caller -- true",
        "create configmap mine",
        "create role mine --verb=get --resource=pods",
    ):
        done = teams.vic.run("kubectl", *attempt.split())
        assert done.returncode != 0, done.stdout
        assert "forbidden" in done.stderr.lower(), done.stderr


def test_whom_a_pod_of_a_team_reaches(teams: Teams, addresses: dict[str, str]) -> None:
    def reached(person: Person, name: str, targets: list[tuple[str, int]]) -> list[bool]:
        answer = person.kubectl("exec", name, "--", "python3", "-c", CALL, json.dumps(targets))
        return [bool(each) for each in json.loads(answer)]

    listener = (addresses["listener"], PORT)
    services = json.loads(teams.operator.kubectl("get", "services", "-n", "monitoring", "-o", "json"))["items"]
    nodes = json.loads(teams.operator.kubectl("get", "nodes", "-o", "json"))["items"]
    hosts = [each["address"] for node in nodes for each in node["status"]["addresses"] if each["type"] == "InternalIP"]
    ports = [(each["metadata"]["name"], port) for each in services for port in each["spec"]["ports"]]
    named = {(f"{name}.monitoring.svc", port["port"]) for name, port in ports}
    api = {each for each in named if each[0].startswith("monitoring-api.")}
    outside = {(host, port["nodePort"]) for host in hosts for name, port in ports if "nodePort" in port} - {
        (host, port["nodePort"])
        for host in hosts
        for name, port in ports
        if name == "monitoring-api" and "nodePort" in port
    }
    refused = [listener, *sorted(named - api), *sorted(outside), *((host, 10250) for host in hosts)]
    assert any(host.startswith("prometheus-pushgateway.") for host, _ in refused)
    allowed = [(addresses["caller"], PORT), ("kubernetes.default.svc", 443), *sorted(api)]
    assert reached(teams.ben, "neighbour", [listener]) == [True]
    assert dict(zip(allowed, reached(teams.ann, "caller", allowed), strict=True)) == dict.fromkeys(allowed, True)
    assert dict(zip(refused, reached(teams.ann, "caller", refused), strict=True)) == dict.fromkeys(refused, False)


def ask_prometheus(teams: Teams, query: str) -> list[dict[str, str]]:
    """The labels of each series."""
    path = "/api/v1/namespaces/monitoring/services/prometheus-server:9090/proxy/api/v1/query?query="
    answer = json.loads(teams.operator.kubectl("get", "--raw", path + quote(query)))
    return [each["metric"] for each in answer["data"]["result"]]


@pytest.mark.usefixtures("addresses")
def test_a_scientist_runs_sees_and_removes_an_application(teams: Teams, tmp_path: Path) -> None:
    inventory = teams.folder / OURS / "ann" / "inventory.yml"
    assert "token" not in inventory.read_text()
    deadlines = {"multiply": {"seconds": 60, "jitter": 0}}
    asked = extra(compss_folder=str(tmp_path), compss_results_size="100Mi", compss_deadlines=deadlines)
    done = play("run.yml", inventory, *asked)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " succeeded " in done.stdout
    assert "matmul" in teams.ann.run("helm", "list", "-q").stdout
    assert "matmul" in teams.vic.kubectl("get", "jobs", "-o", "name")
    # Nothing of it was pushed.
    checked = f'deadlines_checked{{namespace="{OURS}",pod=~"matmul-.+"}}'
    eventually(lambda: ask_prometheus(teams, checked), 60, "Prometheus reads its metrics")
    removed = play("run.yml", inventory, *extra(compss_state="absent", compss_results_keep=False))
    assert removed.returncode == 0, removed.stdout[-3000:]
    left = teams.ann.kubectl("get", "jobs,statefulsets,services,persistentvolumeclaims,secrets", "-o", "name")
    assert left == ""


@pytest.mark.usefixtures("addresses")
def test_what_a_team_exposes_bears_its_own_namespace(teams: Teams) -> None:
    """The pods say that the other team's application misses its deadlines."""
    forged = eventually(lambda: ask_prometheus(teams, 'deadlines_missed{application="victim",pod="caller"}'), 90)
    assert {each["namespace"] for each in forged} == {OURS}


@pytest.mark.usefixtures("addresses")
def test_a_team_that_still_runs_is_not_removed_unless_told(teams: Teams) -> None:
    refused = teams.play("--check", "-e", "tenant_state=absent")
    assert refused.returncode != 0
    assert f"Pod {THEIRS}/listener" in refused.stdout
    done = teams.play("-e", "tenant_state=absent", "-e", "tenant_force=true")
    assert done.returncode == 0, done.stdout[-3000:]
    for team in (OURS, THEIRS):
        assert not teams.left(team)
        assert not (teams.folder / team).exists()
    # Nobody gets in any more.
    assert teams.operator.kubectl("get", "serviceaccounts", "-n", ACCOUNTS, "-o", "name").split() == [
        "serviceaccount/default"
    ]
