"""The Monitoring API as the role installs it: at its node port, for whom the cluster's tokens let in."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

CLUSTER = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"]) / ".local" / "molecule"
PROMETHEUS, API = "http://10.79.0.11:31000", "http://10.79.0.11:31002"
NAMESPACE = "orchestrators"
ALLOCATABLE = "node:cpu_allocatable_cores:max"


def kubectl(*arguments: str, stdin: str = "") -> str:
    command = [f"{CLUSTER}/bin/kubectl", f"--kubeconfig={CLUSTER}/kubeconfig", *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def ask(url: str, token: str = "", **parameters: str) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{url}?{urllib.parse.urlencode(parameters)}", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture(scope="module")
def token() -> Iterator[str]:
    """Of an account that the ClusterRole continuum-viewer is bound to."""
    rbac = "rbac.authorization.k8s.io"
    objects: list[dict[str, Any]] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "viewer", "namespace": NAMESPACE}},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": NAMESPACE},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": "continuum-viewer"},
            "subjects": [{"kind": "ServiceAccount", "name": "viewer", "namespace": NAMESPACE}],
        },
    ]
    text = yaml.safe_dump_all(objects)
    try:
        kubectl("apply", "-f", "-", stdin=text)
        yield kubectl("-n", NAMESPACE, "create", "token", "viewer").strip()
    finally:
        kubectl("delete", "-f", "-", "--ignore-not-found", stdin=text)


def test_without_a_token_nobody_is_let_in() -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        ask(f"{API}/api/v1/metrics")


def test_its_values_are_those_of_prometheus(token: str) -> None:
    recorded = ask(f"{PROMETHEUS}/api/v1/query", query=ALLOCATABLE)["data"]["result"]
    told = ask(f"{API}/api/v1/values", token, metric=ALLOCATABLE)["values"]
    assert len(told) == 3
    assert {each["labels"]["node"]: each["value"] for each in told} == {
        each["metric"]["node"]: float(each["value"][1]) for each in recorded
    }


def test_its_view_has_the_nodes_and_the_applications_that_ran(token: str) -> None:
    view = ask(f"{API}/api/v1/view", token)
    nodes = json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    assert {node["name"]: node["architecture"] for node in view["nodes"]} == {
        node["metadata"]["name"]: node["status"]["nodeInfo"]["architecture"] for node in nodes
    }
    assert all(node["healthy"] for node in view["nodes"])
    assert {app["name"]: app["state"] for app in view["applications"]} == {"matmul": "succeeded", "clocks": "succeeded"}
