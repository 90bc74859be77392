"""The Monitoring API with a real cluster: its tokens, and the back-end kubernetes beside the API server's own figures."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tools import eventually, program

from .conftest import Api

pytestmark = pytest.mark.cluster
NAMESPACE = "monitoring-api-test"


def kubectl(*arguments: str, text: str = "") -> str:
    done = subprocess.run([program("kubectl"), *arguments], input=text, capture_output=True, text=True, check=True)
    return done.stdout


def manifest(name: str, role: str) -> list[dict[str, Any]]:
    api = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}},
        {
            "apiVersion": f"{api}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{NAMESPACE}-{name}"},
            "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        },
    ]


def in_namespace(name: str, role: str) -> list[dict[str, Any]]:
    """The account, with the role in its namespace only."""
    account, binding = manifest(name, role)
    return [account, {**binding, "kind": "RoleBinding", "metadata": {"name": name, "namespace": NAMESPACE}}]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Environment of the API with the rights of its chart, and accounts: `api`, `viewer`, `nobody` and `team`."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    chart = Path(__file__).resolve().parents[2] / "charts" / "monitoring-api"
    rendered = subprocess.run(
        [
            program("helm"),
            *("template", NAMESPACE, str(chart), "-n", NAMESPACE),
            *("--set", "backend=kubernetes,service.type=ClusterIP", "--show-only", "templates/rbac.yaml"),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # The role that the platform may have already is left alone.
    objects = [item for item in yaml.safe_load_all(rendered) if item["metadata"]["name"] != "continuum-viewer"]
    viewer = next(item for item in yaml.safe_load_all(rendered) if item["metadata"]["name"] == "continuum-viewer")
    viewer["metadata"]["name"] = f"{NAMESPACE}-viewer-role"
    accounts = [
        *objects,
        viewer,
        *manifest("viewer", f"{NAMESPACE}-viewer-role"),
        *manifest("nobody", "system:discovery"),
        *in_namespace("team", f"{NAMESPACE}-viewer-role"),
    ]
    text = yaml.safe_dump_all(accounts)
    kubectl("create", "namespace", NAMESPACE)
    try:
        kubectl("apply", "-f", "-", text=text)
        config = yaml.safe_load(kubectl("config", "view", "--raw", "--minify"))["clusters"][0]["cluster"]
        folder = tmp_path_factory.mktemp("cluster")
        (folder / "ca.crt").write_bytes(base64.b64decode(config["certificate-authority-data"]))
        (folder / "token").write_text(token(NAMESPACE), encoding="ascii")
        yield {
            "KUBERNETES_URL": config["server"],
            "KUBERNETES_CA_FILE": str(folder / "ca.crt"),
            "KUBERNETES_TOKEN_FILE": str(folder / "token"),
        }
    finally:
        kubectl("delete", "-f", "-", "--wait=false", text=text)
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def token(account: str) -> str:
    return kubectl("-n", NAMESPACE, "create", "token", account).strip()


def test_tokens_are_the_clusters(serve: Callable[..., Api], cluster: dict[str, str]) -> None:
    api = serve(**cluster, AUTHENTICATION="true")

    def status(bearer: str) -> int:
        return api.client.get("/api/v1/metrics", headers={"Authorization": f"Bearer {bearer}"}).status_code

    assert status(token("viewer")) == 200
    assert status(token("nobody")) == 403
    assert status("forged") == 401


@pytest.fixture(scope="module")
def team(serve: Callable[..., Api], cluster: dict[str, str]) -> Callable[[str, list[str]], httpx.Response]:
    """Asks with the token of an account that may read its own namespace only."""
    api, bearer = serve(**cluster, BACKEND="kubernetes", CLUSTER="edge", AUTHENTICATION="true"), token("team")

    def ask(path: str, selectors: list[str]) -> httpx.Response:
        parameters = {"metric": "namespace:cpu_usage_cores:rate", "labelSelector": selectors}
        return api.client.get(f"/api/v1/{path}", params=parameters, headers={"Authorization": f"Bearer {bearer}"})

    return ask


OWN = f"namespace={NAMESPACE}"


@pytest.mark.parametrize(
    ("path", "selectors", "expected"),
    [
        ("values", [OWN], 200),
        ("values", [f"{OWN},namespace!=a"], 200),
        ("metrics", [OWN], 200),
        ("values", [], 403),
        ("values", ["namespace=kube-system"], 403),
        ("values", [f"namespace in ({NAMESPACE},kube-system)"], 403),
        ("values", [f"namespace!={NAMESPACE}"], 403),
        ("values", ["!namespace"], 403),
        ("values", ["namespace"], 403),
        ("values", [OWN, "namespace=kube-system"], 403),
        ("values", [OWN, ""], 403),
        ("values", [f"{OWN},,"], 403),
        ("view", [OWN], 403),
        ("alerts", [OWN], 403),
        ("metrics/namespace:cpu_usage_cores:rate/reason", [OWN], 403),
        ("boards", [OWN], 403),
    ],
)
def test_a_team_reads_its_namespace(
    team: Callable[..., httpx.Response], path: str, selectors: list[str], expected: int
) -> None:
    answer = team(path, selectors)
    assert answer.status_code == expected, answer.text


def test_the_back_end_kubernetes_tells_the_present(serve: Callable[..., Api], cluster: dict[str, str]) -> None:
    api = serve(**cluster, BACKEND="kubernetes", CLUSTER="edge")
    nodes = {node["metadata"]["name"]: node for node in json.loads(kubectl("get", "nodes", "-o", "json"))["items"]}

    def values(metric: str) -> dict[str, float]:
        answer = api.get("/api/v1/values", metric=metric)
        assert answer.status_code == 200, answer.text
        return {item["labels"]["node"]: item["value"] for item in answer.json()["values"]}

    cores = values("node:cpu_allocatable_cores:max")
    assert cores == {name: float(node["status"]["allocatable"]["cpu"]) for name, node in nodes.items()}
    used = eventually(lambda: values("node:memory_working_set_bytes:sum"), what="metrics.k8s.io has figures")
    assert set(used) == set(nodes)
    assert min(used.values()) > 1e6
    pods = api.get("/api/v1/values", metric="pod:memory_working_set_bytes:sum", labelSelector="namespace=kube-system")
    assert {item["labels"]["namespace"] for item in pods.json()["values"]} == {"kube-system"}
    view = api.get("/api/v1/view").json()
    assert {node["name"]: node["architecture"] for node in view["nodes"]} == {
        name: node["status"]["nodeInfo"]["architecture"] for name, node in nodes.items()
    }
    assert "alerts" in view["not_given"]
    for path in ("/api/v1/history", "/api/v1/alerts"):
        assert api.get(path, metric="node:cpu_allocatable_cores:max").status_code == 501
    refused = api.get("/api/v1/values", metric="node:power_watts:max")
    assert refused.status_code == 501
    assert "node:cpu_allocatable_cores:max" in refused.json()["reason"]
