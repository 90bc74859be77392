"""The Monitoring API and its page as the role installs them: at its node port, for whom the cluster's tokens let in."""

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
from playwright.sync_api import Browser, Page, expect
from tools import chromium

expect.set_options(timeout=60_000)
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["wide", "phone"])
def page(browser: Browser, token: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page whose user has given a token. It fails with its first error, and with what it asks of anybody else."""
    width, scheme = request.param
    opened = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    # The first question is asked without a token.
    opened.on(
        "response", lambda answer: faults.append(answer.url) if answer.status > 399 and answer.status != 401 else None
    )
    opened.on("request", lambda asked: None if asked.url.startswith(API) else faults.append(asked.url))
    opened.goto(API)
    opened.get_by_label("Token of the cluster").fill(token)
    opened.keyboard.press("Enter")
    yield opened
    # Nothing is wider than the screen.
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    opened.close()
    assert faults == []


def test_the_overview_shows_the_cluster(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Cluster overview")
    nodes = page.get_by_role("article").filter(has=page.get_by_role("heading", name="Nodes", exact=True))
    expect(nodes).to_contain_text("3")
    expect(page.get_by_role("img", name="CPU: in use").locator("canvas")).to_be_visible()


def test_by_keyboard_alone_to_one_node(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text("Cluster overview")
    page.get_by_role("link", name="Nodes", exact=True).focus()
    page.keyboard.press("Enter")
    table = page.get_by_role("region", name="Nodes")
    expect(table.get_by_role("row")).to_have_count(4)
    page.get_by_label("Node", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(table.get_by_role("row")).to_have_count(2)


def test_a_histogram_is_drawn(page: Page) -> None:
    page.get_by_role("link", name="API server").click()
    expect(page.get_by_role("img", name="Execution times")).to_be_visible()


def test_alerts_and_the_reference(page: Page) -> None:
    page.get_by_role("link", name="Alerts").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Alerts")
    page.get_by_role("link", name="Metrics").click()
    page.get_by_label("Find a metric").fill(ALLOCATABLE)
    metric = page.get_by_role("article").filter(visible=True)
    metric.get_by_role("button").click()
    expect(metric.get_by_role("status")).to_have_text("it is not empty")
