# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What runs on a cluster, where, in which version, and what is unhealthy: rows of the table at a playbook's end."""

from __future__ import annotations

import base64
import binascii
import gzip
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
Row = dict[str, str]

# What runs pods, in the API groups that it is asked for in.
WORKLOADS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
}
RELEASE = "meta.helm.sh/release-name"
# Why a container waits that is only about to start.
STARTING = ("ContainerCreating", "PodInitializing")


@dataclass(frozen=True)
class Release:
    """The newest revision of a release of Helm."""

    name: str
    namespace: str
    status: str
    chart: str
    version: str
    app_version: str


@dataclass
class Site:
    """What the API of a cluster says."""

    version: str
    nodes: list[Object] = field(default_factory=list)
    #: Of type helm.sh/release.v1: they hold the releases.
    secrets: list[Object] = field(default_factory=list)
    workloads: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    services: list[Object] = field(default_factory=list)


def rows(address: str, site: Site) -> list[Row]:
    """The cluster, each release on it, and each unhealthy pod that is of none."""
    table = [_cluster(address, site)]
    told: set[str] = set()
    for release in releases(site.secrets):
        mine = [each for each in site.workloads if _release(each) == (release.namespace, release.name)]
        pods = [pod for pod in site.pods if any(_of(pod, workload) for workload in mine)]
        told |= {pod["metadata"]["uid"] for pod in pods}
        table.append(_row(release, mine, pods, site))
    for pod in site.pods:
        if pod["metadata"]["uid"] not in told and (why := trouble(pod)):
            where = f"{pod['metadata']['namespace']} on {pod['spec'].get('nodeName') or 'no node'}"
            table.append(_line(f"pod {pod['metadata']['name']}", "unhealthy", where, why))
    return table


def _line(component: str, status: str, where: str, note: str) -> Row:
    return {"component": component, "status": status, "where": where, "note": note}


def _cluster(address: str, site: Site) -> Row:
    bad = [f"{node['metadata']['name']} is not ready" for node in site.nodes if not _ready(node)]
    kinds = sorted({node["status"]["nodeInfo"]["architecture"] for node in site.nodes})
    status = "unhealthy" if bad or not site.nodes else "running"
    what = f"Kubernetes {site.version}, {len(site.nodes)} nodes"
    return _line(what, status, address, ", ".join(bad or kinds) or "no node")


def _ready(node: Object) -> bool:
    return "Ready" in _conditions(node)


def _conditions(item: Object) -> dict[str, str]:
    """The messages of those that are true, by type."""
    conditions = (item.get("status") or {}).get("conditions") or ()
    return {each["type"]: each.get("message", "") for each in conditions if each["status"] == "True"}


def releases(secrets: Iterable[Object]) -> list[Release]:
    """The newest revision of each, by namespace and name."""
    newest: dict[tuple[str, str], Object] = {}
    for secret in secrets:
        labels = secret["metadata"].get("labels") or {}
        if labels.get("owner") != "helm" or not str(labels.get("version", "")).isdigit():
            continue
        key = (secret["metadata"]["namespace"], labels["name"])
        if key not in newest or int(labels["version"]) > int(newest[key]["metadata"]["labels"]["version"]):
            newest[key] = secret
    return [_decoded(secret) for _key, secret in sorted(newest.items())]


def _decoded(secret: Object) -> Release:
    labels = secret["metadata"]["labels"]
    try:
        # Kubernetes encodes the data of a Secret, and Helm has encoded it before.
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        chart = json.loads(gzip.decompress(packed))["chart"]["metadata"]
    except (KeyError, ValueError, OSError, EOFError, binascii.Error):
        chart = {}
    return Release(
        labels["name"],
        secret["metadata"]["namespace"],
        labels.get("status", "unknown"),
        chart.get("name", "?"),
        chart.get("version", "?"),
        chart.get("appVersion", ""),
    )


def _release(workload: Object) -> tuple[str, str]:
    metadata = workload["metadata"]
    return metadata.get("namespace", ""), (metadata.get("annotations") or {}).get(RELEASE, "")


def _of(pod: Object, workload: Object) -> bool:
    """Whether a pod has what a workload selects; a CronJob selects nothing, and its Jobs are workloads themselves."""
    wanted = ((workload["spec"].get("selector") or {}).get("matchLabels")) or {}
    labels = pod["metadata"].get("labels") or {}
    same = pod["metadata"]["namespace"] == workload["metadata"].get("namespace")
    return bool(wanted) and same and wanted.items() <= labels.items()


def _row(release: Release, workloads: list[Object], pods: list[Object], site: Site) -> Row:
    reasons = [] if release.status == "deployed" else [f"Helm says {release.status}"]
    reasons += [why for each in workloads if (why := _short(each))]
    reasons += [f"{pod['metadata']['name']}: {why}" for pod in pods if (why := trouble(pod))]
    state = "unhealthy" if reasons else _state(workloads)
    nodes = sorted({pod["spec"]["nodeName"] for pod in pods if pod["spec"].get("nodeName")})
    places = [release.namespace, *(["on " + ", ".join(nodes)] if nodes else []), *_addresses(release, site)]
    version = f"{release.chart}-{release.version}" + (f", version {release.app_version}" if release.app_version else "")
    return _line(release.name, state, " ".join(places), "; ".join([version, *reasons]))


def _state(workloads: list[Object]) -> str:
    """Of what is healthy: an application says how far it is, all else runs."""
    for each in workloads:
        if each["kind"] == "CronJob":
            return "suspended" if each["spec"].get("suspend") else "scheduled"
        if each["kind"] == "Job":
            if each["spec"].get("suspend"):
                return "suspended"
            return "succeeded" if "Complete" in _conditions(each) else "running"
    return "running"


def _short(workload: Object) -> str:
    """What a workload lacks."""
    kind, name = workload["kind"], workload["metadata"]["name"]
    status = workload.get("status") or {}
    if kind == "Job":
        failed = _conditions(workload).get("Failed")
        return "" if failed is None else f"Job {name} has failed: {failed}".rstrip(": ")
    if kind == "CronJob":
        return ""
    if kind == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
    else:
        wanted, ready = workload["spec"].get("replicas", 1), status.get("readyReplicas", 0)
    return f"{kind} {name} has {ready} of {wanted} ready" if ready < wanted else ""


def trouble(pod: Object) -> str:
    """Why a pod is unhealthy; empty where it is not, or is only about to start."""
    status = pod.get("status") or {}
    if status.get("phase") == "Failed":
        return str(status.get("reason") or "failed")
    for condition in status.get("conditions") or ():
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return f"{condition.get('reason')}: {condition.get('message', '')}".rstrip(": ")
    for each in (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or []):
        waits = (each.get("state") or {}).get("waiting") or {}
        if waits.get("reason") and waits["reason"] not in STARTING:
            return f"container {each['name']} waits: {waits['reason']}"
    return ""


def _addresses(release: Release, site: Site) -> Iterator[str]:
    """Where people reach what is published outside of the cluster."""
    host = next((each["address"] for node in site.nodes for each in node["status"].get("addresses") or ()), "")
    for service in site.services:
        if _release(service) != (release.namespace, release.name):
            continue
        ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
        for port in service["spec"].get("ports") or ():
            if ingress:
                yield f"{ingress[0].get('ip') or ingress[0].get('hostname')}:{port['port']}"
            elif port.get("nodePort") and host:
                yield f"{host}:{port['nodePort']}"
