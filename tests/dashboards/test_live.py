"""Every query of every panel, variable and annotation, as Grafana sends it, against the Prometheus of a live cluster."""

from __future__ import annotations

import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest
from kubernetes import client, config

from ansible_collections.continuum.edge.plugins.module_utils.catalogue.promql import selectors

from .conftest import DASHBOARDS
from .faults import METRIC, filled, queries, used

pytestmark = pytest.mark.cluster

NODE_PORT = 31000
# Questions that find nothing on a healthy cluster, besides those of records that the catalogue says may be absent: by
# what the expression has of it.
QUIET = {
    'alertstate="firing"': "no alert fires",
    'machine=~"aarch64|arm.*"': "no node has an arm64 machine",
    "pod:restarts:increase": "no container was started again in the last hour",
    "changes(": "nothing was deployed",
    "offset": "no node came or went",
}


# A platform that was installed just now has its rates after some scrapes, and the records of records after some more.
FRESH_UNTIL = time.time() + 180


class Prometheus:
    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, path: str, **parameters: str) -> Any:
        data = urllib.parse.urlencode(parameters).encode()
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data=data or None)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)


@pytest.fixture(scope="module")
def prometheus() -> Prometheus:
    url = os.environ.get("PROMETHEUS_URL")
    if not url:
        kubeconfig = os.environ.get("KUBECONFIG")
        if not kubeconfig:
            pytest.fail("No KUBECONFIG and no PROMETHEUS_URL: expected a running cluster (make up: .local/kubeconfig)")
        nodes = client.CoreV1Api(config.new_client_from_config(kubeconfig)).list_node().items
        address = next(a.address for a in nodes[0].status.addresses if a.type == "InternalIP")
        url = f"http://{address}:{NODE_PORT}"
    return Prometheus(url)


@pytest.fixture(scope="module")
def values(prometheus: Prometheus) -> dict[str, list[str]]:
    """What Grafana would offer for each variable: the first cluster, and of the others all."""
    records = {"cluster": "cluster:nodes:count", "node": "node:ready:max", "namespace": "namespace:pods:count"}
    answers = {
        name: prometheus.ask(f"label/{name}/values?" + urllib.parse.urlencode({"match[]": record}))["data"]
        for name, record in records.items()
    }
    assert all(answers.values()), f"no values for a variable: {answers}; is the platform installed for some minutes?"
    return answers


def may_be_empty(expression: str) -> str:
    reasons = [METRIC[s.name].absent for s in selectors(filled(expression)) if s.name in METRIC]
    return next(filter(None, reasons), "") or next((why for part, why in QUIET.items() if part in expression), "")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_query_answers(name: str, prometheus: Prometheus, values: dict[str, list[str]]) -> None:
    """Every query answers with all nodes, namespaces and pods chosen."""
    failed, empty = [], []
    for title, expression in queries(DASHBOARDS[name]):
        chosen = filled(expression, {"cluster": values["cluster"][0], "application": "none"})
        while True:
            now = time.time()
            answer = prometheus.ask("query_range", query=chosen, start=str(now - 600), end=str(now), step="30")
            answered = answer["status"] != "success" or answer["data"]["result"] or may_be_empty(expression)
            if answered or now > FRESH_UNTIL:
                break
            time.sleep(5)
        if answer["status"] != "success":
            failed.append(f"{title}: {answer['error']}: {chosen}")
        elif not answer["data"]["result"] and not may_be_empty(expression):
            empty.append(f"{title}: {chosen}")
    assert failed == []
    assert empty == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_filter(name: str, prometheus: Prometheus, values: dict[str, list[str]]) -> None:
    """Nothing of another node or namespace is shown where one is chosen: the records do carry these labels."""
    chosen = {"cluster": values["cluster"][0], "node": values["node"][0], "namespace": values["namespace"][0]}
    wrong = []
    for title, expression in queries(DASHBOARDS[name]):
        answer = prometheus.ask("query", query=filled(expression, {**chosen, "application": "none"}))
        assert answer["status"] == "success", f"{title}: {answer.get('error')}"
        for series in answer["data"]["result"] if isinstance(answer["data"]["result"], list) else []:
            for variable in used(expression) & {"cluster", "node", "namespace"}:
                if series["metric"].get(variable, chosen[variable]) != chosen[variable]:
                    wrong.append(f"{title}: {series['metric']}")
    assert wrong == []


def test_another_cluster_is_empty(prometheus: Prometheus) -> None:
    """No query leaves out the cluster: with one that there is not, only counts that fall back to zero have data."""
    shown = []
    for name, dashboard in DASHBOARDS.items():
        for title, expression in queries(dashboard):
            if "$cluster" not in expression or "vector(0)" in expression:
                continue
            answer = prometheus.ask("query", query=filled(expression, {"cluster": "nowhere", "application": "none"}))
            if answer["data"]["result"]:
                shown.append(f"{name}: {title}: {expression}")
    assert shown == []
