"""What an orchestrator decides by, composed of records and of what the API server has."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from .backend import Backend, NotGiven, Series
from .catalogue import Catalogue
from .kubernetes import GIVEN, Cluster

#: Figures of a node, by their place in the answer.
NODE = {
    "healthy": "node:ready:max",
    "schedulable": "node:schedulable:min",
    "problems": "node:problems:sum",
    "cpu_cores.size": "node:cpu_capacity_cores:max",
    "cpu_cores.allocatable": "node:cpu_allocatable_cores:max",
    "cpu_cores.used": "node:cpu_usage_cores:rate",
    "cpu_cores.requested": "node:cpu_request_cores:sum",
    "memory_bytes.size": "node:memory_capacity_bytes:max",
    "memory_bytes.allocatable": "node:memory_allocatable_bytes:max",
    "memory_bytes.used": "node:memory_working_set_bytes:sum",
    "memory_bytes.requested": "node:memory_request_bytes:sum",
    "filesystem_bytes.size": "node:filesystem_size_bytes:sum",
    "filesystem_bytes.free": "node:filesystem_available_bytes:sum",
    "pods.allocatable": "node:pods_allocatable:max",
    "pods.used": "node:pods:count",
    "gpus": "node:gpus:count",
    "power_watts": "node:power_watts:max",
}
FLAGS = ("healthy", "schedulable")
#: Figures of an application.
APPLICATION = {
    "progress": "compss_application:progress:ratio",
    "workers": "compss_application:workers:sum",
    "computing_units": "compss_application:computing_units:sum",
    "queue_length": "compss_application:queue_length:max",
    "executions_per_second": "compss_application:executions:rate",
    "run_time_seconds": "compss_application:run_time_seconds:max",
    "deadlines_missed": "compss_application:deadlines_missed:sum",
}
TASKS = "compss_application:tasks:sum"
#: The Jobs of the chart compss.
MASTERS = "app.kubernetes.io/name=compss,app.kubernetes.io/component=master"
JOBS = {"Complete": "succeeded", "Failed": "failed", "Suspended": "suspended"}


def put(place: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        place = place.setdefault(parent, {})
    place[last] = value


def nodes(series_list: list[Series], objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each node that has a record or is in the API; a figure that nobody has is not in it."""
    places = {name: path for path, name in NODE.items()}
    entries: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for item in series_list:
        path, value = places[item.metric], item.points[-1][1]
        put(entries[item.labels.get("node", "")], path, bool(value) if path in FLAGS else value)
    for node in objects:
        entries[node["metadata"]["name"]] |= {
            "labels": node["metadata"].get("labels", {}),
            "architecture": node["status"]["nodeInfo"]["architecture"],
            "taints": node["spec"].get("taints", []),
        }
    for entry in entries.values():
        for resource in ("cpu_cores", "memory_bytes"):
            figures = entry.get(resource, {})
            if "allocatable" in figures:
                figures["free"] = figures["allocatable"] - figures.get("requested", 0)
        if "allocatable" in (pods := entry.get("pods", {})):
            pods["free"] = pods["allocatable"] - pods.get("used", 0)
    return [{"name": name, **entry} for name, entry in sorted(entries.items()) if name]


def applications(series_list: list[Series], jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """COMPSs applications: those with records and those whose Job is in the API, ended or not."""
    places = {name: path for path, name in APPLICATION.items()}
    entries: defaultdict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for item in series_list:
        entry = entries[item.labels.get("namespace", ""), item.labels.get("application", "")]
        path = f"tasks.{item.labels.get('state', '')}" if item.metric == TASKS else places[item.metric]
        put(entry, path, item.points[-1][1])
    for job in jobs:
        metadata, status = job["metadata"], job.get("status", {})
        ended = [
            JOBS[item["type"]]
            for item in status.get("conditions", [])
            if item["type"] in JOBS and item["status"] == "True"
        ]
        key = metadata["namespace"], metadata["labels"].get("app.kubernetes.io/instance", metadata["name"])
        entries[key] |= {
            "state": ended[0] if ended else "running" if status.get("active") else "pending",
            "started": status.get("startTime", ""),
            "ended": status.get("completionTime", ""),
        }
    return [
        {"namespace": namespace, "name": name, "state": "running", **entry}
        for (namespace, name), entry in sorted(entries.items())
    ]


async def compose(backend: Backend, catalogue: Catalogue, cluster: Cluster | None) -> dict[str, Any]:
    """Nodes, applications and alerts; `not_given` says what the back-end never has, and why."""
    refused: dict[str, str] = {}
    objects = await cluster.nodes() if cluster else []
    jobs = await cluster.items("apis/batch/v1/jobs", labelSelector=MASTERS) if cluster else []
    wanted = [*NODE.values(), *APPLICATION.values(), TASKS]
    if backend.kind == "kubernetes":
        missing = sorted(set(wanted) - GIVEN)
        refused["metrics"] = f"the back-end kubernetes has no {', '.join(missing)}"
        wanted = [name for name in wanted if name in GIVEN]
    series_list = await backend.values(tuple(name for name in wanted if name in catalogue.metrics), ())
    alerts: list[dict[str, Any]] = []
    try:
        alerts = [alert for alert in await backend.alerts() if alert["state"] == "firing"]
    except NotGiven as error:
        refused["alerts"] = str(error)
    of_nodes = set(NODE.values())
    return {
        "nodes": nodes([item for item in series_list if item.metric in of_nodes], objects),
        "applications": applications([item for item in series_list if item.metric not in of_nodes], jobs),
        "alerts": alerts,
        "not_given": refused,
    }
