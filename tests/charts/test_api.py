"""A live API server takes every object that the charts render (a server-side dry run; nothing is made)."""

import os
from typing import Any

import pytest
from kubernetes import client, config, dynamic
from kubernetes.dynamic.exceptions import DynamicApiError

from .cases import CASES
from .conftest import Render

pytestmark = pytest.mark.cluster
ALL = [(chart, case) for chart, cases in CASES.items() for case in cases]
# A namespace that is always there.
NAMESPACE = "default"


@pytest.fixture(scope="module")
def api() -> dynamic.DynamicClient:
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.fail(
            "No KUBECONFIG: expected the file that gives access to a running cluster (make up: .local/kubeconfig)"
        )
    return dynamic.DynamicClient(config.new_client_from_config(kubeconfig))


def untaken(item: dict[str, Any]) -> dict[str, Any]:
    """Return the object without what only one in a cluster can have, as an installed release may have it."""
    if item["metadata"].get("namespace"):
        # A namespace that the chart itself makes is not there.
        item["metadata"]["namespace"] = NAMESPACE
    if item["kind"] == "Service":
        for port in item["spec"]["ports"]:
            port.pop("nodePort", None)
    if item["kind"] == "APIService":
        item["spec"]["group"] = f"tests.{item['spec']['group']}"
        item["metadata"]["name"] = f"{item['spec']['version']}.{item['spec']['group']}"
    return item


def apply(api: dynamic.DynamicClient, item: dict[str, Any]) -> str:
    """Return what the API server has against the object; nothing is made."""
    try:
        api.server_side_apply(
            api.resources.get(api_version=item["apiVersion"], kind=item["kind"]),
            body=item,
            name=item["metadata"]["name"],
            namespace=item["metadata"].get("namespace"),
            field_manager="continuum-edge-tests",
            force_conflicts=True,
            dry_run="All",
            # A field that the API does not know is an error, as a typo would be.
            query_params=[("fieldValidation", "Strict")],
        )
    except (DynamicApiError, client.ApiException) as error:
        why = error.summary() if isinstance(error, DynamicApiError) else str(error)
        return f"{item['kind']} {item['metadata']['name']}: {why}"
    return ""


@pytest.mark.parametrize(("chart", "case"), ALL)
def test_server_side_dry_run(api: dynamic.DynamicClient, render: Render, chart: str, case: str) -> None:
    items = render(chart, CASES[chart][case], NAMESPACE)
    # The cluster has neither Prometheus' operator nor, perhaps, the orchestrator, whose kinds these are.
    served = [
        item for item in items if not item["apiVersion"].startswith(("monitoring.coreos.com/", "continuum.edge/"))
    ]
    refused = [apply(api, untaken(item)) for item in served]
    assert not any(refused), "\n".join(filter(None, refused))


def test_the_dry_run_refuses_an_unknown_field(api: dynamic.DynamicClient) -> None:
    item = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "test", "namespace": NAMESPACE}, "dataa": {}}
    assert "dataa" in apply(api, item)
