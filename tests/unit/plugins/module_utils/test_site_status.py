"""What `make status` says of what the API says. Real answers have more fields; those that are read are here."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils.site_status import Site, releases, rows, trouble

Object = dict[str, Any]
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def node(name: str, status: str = "True") -> Object:
    return {
        "metadata": {"name": name},
        "status": {
            "conditions": [{"type": "Ready", "status": status}],
            "nodeInfo": {"architecture": "arm64"},
            "addresses": [{"type": "InternalIP", "address": "192.0.2.11"}],
        },
    }


def secret(name: str, version: int, status: str = "deployed", chart: str = "compss") -> Object:
    content = {
        "chart": {"metadata": {"name": chart, "version": "0.1.0", "appVersion": "1"}},
        "config": {"password": "x"},
    }
    packed = base64.b64encode(base64.b64encode(gzip.compress(json.dumps(content).encode()))).decode()
    labels = {"owner": "helm", "name": name, "version": str(version), "status": status}
    return {"metadata": {"namespace": "compss", "labels": labels}, "data": {"release": packed}}


def workload(kind: str, name: str, spec: Object | None = None, status: Object | None = None) -> Object:
    metadata = {"name": name, "namespace": "compss", "annotations": {"meta.helm.sh/release-name": "matmul"}}
    selector = {"selector": {"matchLabels": {"app": name}}}
    return {"kind": kind, "metadata": metadata, "spec": {**selector, **(spec or {})}, "status": status or {}}


def pod(app: str, waiting: str = "", node_name: str = "garage-1") -> Object:
    state = {"waiting": {"reason": waiting}} if waiting else {"running": {}}
    return {
        "metadata": {"name": f"{app}-0", "namespace": "compss", "labels": {"app": app}, "uid": f"{app}{node_name}"},
        "spec": {"nodeName": node_name},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": state}]},
    }


def row(site: Site, number: int = 1) -> dict[str, str]:
    return rows("https://192.0.2.11:6443", site)[number]


def test_a_cluster_and_its_release() -> None:
    site = Site("v1.35.4", [node("garage-1")], [secret("matmul", 1, "superseded"), secret("matmul", 2)])
    site.workloads = [workload("Deployment", "web", {"replicas": 2}, {"readyReplicas": 2})]
    site.pods = [pod("web"), pod("web", node_name="garage-2")]
    service = workload("Service", "web", {"ports": [{"port": 9090, "nodePort": 31000}]})
    site.services = [service]
    cluster, release = rows("https://192.0.2.11:6443", site)
    assert cluster == {
        "component": "Kubernetes v1.35.4, 1 nodes",
        "status": "running",
        "where": "https://192.0.2.11:6443",
        "note": "arm64",
    }
    assert release == {
        "component": "matmul",
        "status": "running",
        "where": "compss on garage-1, garage-2 192.0.2.11:31000",
        "note": "compss-0.1.0, version 1",
    }


def test_nothing_of_the_values_is_told() -> None:
    assert "password" not in str(releases([secret("matmul", 1)]))


@pytest.mark.parametrize(
    ("kind", "spec", "status", "state", "words"),
    [
        ("Deployment", {"replicas": 2}, {"readyReplicas": 1}, "unhealthy", "Deployment main has 1 of 2 ready"),
        ("StatefulSet", {"replicas": 0}, {}, "running", ""),
        ("DaemonSet", {}, {"desiredNumberScheduled": 3, "numberReady": 2}, "unhealthy", "DaemonSet main has 2 of 3"),
        ("Job", {}, {}, "running", ""),
        ("Job", {"suspend": True}, {}, "suspended", ""),
        ("Job", {}, {"conditions": [{"type": "Complete", "status": "True"}]}, "succeeded", ""),
        ("Job", {}, {"conditions": [{"type": "Failed", "status": "True"}]}, "unhealthy", "Job main has failed"),
        ("CronJob", {"selector": None}, {}, "scheduled", ""),
        ("CronJob", {"selector": None, "suspend": True}, {}, "suspended", ""),
    ],
)
def test_how_far_it_is(kind: str, spec: Object, status: Object, state: str, words: str) -> None:
    site = Site("v1", [node("garage-1")], [secret("matmul", 1)], [workload(kind, "main", spec, status)])
    assert row(site)["status"] == state
    assert words in row(site)["note"]


def test_a_release_that_helm_has_not_deployed() -> None:
    site = Site("v1", [node("garage-1")], [secret("matmul", 1, "pending-upgrade")])
    assert row(site)["status"] == "unhealthy"
    assert row(site)["note"] == "compss-0.1.0, version 1; Helm says pending-upgrade"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}
                ]
            },
            "Unschedulable: no node",
        ),
        (
            {"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "ImagePullBackOff"}}}]},
            "container a waits: ImagePullBackOff",
        ),
        ({"containerStatuses": [{"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}]}, ""),
        ({"phase": "Succeeded"}, ""),
    ],
)
def test_why_a_pod_is_unhealthy(status: Object, why: str) -> None:
    assert trouble({"status": status}) == why


def test_an_unhealthy_pod_of_nobody_and_a_lost_node() -> None:
    site = Site("v1", [node("garage-1", "Unknown")], pods=[pod("stray", "CrashLoopBackOff"), pod("fine")])
    assert row(site, 0)["status"] == "unhealthy"
    assert row(site, 0)["note"] == "garage-1 is not ready"
    assert row(site)["component"] == "pod stray-0"
    assert len(rows("", site)) == 2
