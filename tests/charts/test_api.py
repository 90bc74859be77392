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


def without_node_ports(item: dict[str, Any]) -> dict[str, Any]:
    """Return the object with the cluster's choice of node ports: those of the values may be taken by what runs there."""
    for port in item.get("spec", {}).get("ports", []) if item["kind"] == "Service" else []:
        port.pop("nodePort", None)
    return item


@pytest.mark.parametrize(("chart", "case"), ALL)
def test_server_side_dry_run(api: dynamic.DynamicClient, render: Render, chart: str, case: str) -> None:
    refused = []
    for item in map(without_node_ports, render(chart, CASES[chart][case], NAMESPACE)):
        resource = api.resources.get(api_version=item["apiVersion"], kind=item["kind"])
        try:
            api.server_side_apply(
                resource,
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
            refused.append(
                f"{item['kind']} {item['metadata']['name']}: {error.summary() if hasattr(error, 'summary') else error}"
            )
    assert not refused, "\n".join(refused)
