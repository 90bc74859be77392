# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Nodes: availability, health, the load of the machine below, and how work is spread over them."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Metric
from . import cpu, memory
from .compute import Resource
from .levels import over

SPREAD = (
    "Standard deviation over mean, across the nodes that take pods: 0 is even, 1 means that a typical node is off by "
    "as much as the mean."
)


def requests(resource: Resource) -> Iterator[Metric]:
    """What pods asked for on each node, and how evenly that is spread."""
    name, title = resource.name, resource.title
    allocatable = f"node:{name}_allocatable_{resource.unit}:max"
    requested = resource.declared("node", "request")
    yield Metric(
        name=allocatable,
        category="node",
        unit=resource.unit,
        type="gauge",
        meaning=f"{title} of a node that pods can request.",
        expr=f'max by ($cluster, node) (kube_node_status_allocatable{{$kube_state_metrics, resource="{name}"}})',
    )
    yield Metric(
        name=requested,
        category="node",
        unit=resource.unit,
        type="gauge",
        meaning=f"{title} that the pods of a node request.",
        expr=f"""\
{over("sum", "node", resource.declared("pod", "request") + '{node!=""}')}
or 0 * {allocatable}""",
        origin="requirement",
    )
    yield Metric(
        name=f"node:{name}_request:ratio",
        category="node",
        unit="ratio",
        type="ratio",
        meaning=f"Requested over allocatable {resource.word} of a node.",
        expr=f"{requested} / ({allocatable} > 0)",
        origin="requirement",
        warning=0.8,
        critical=0.95,
    )
    yield imbalance(f"{name}_request", f"node:{name}_request:ratio", f"requested {name}")
    yield imbalance(f"{name}_usage", f"node:{name}_usage:ratio", f"{name} in use")


def imbalance(metric: str, record: str, of: str) -> Metric:
    per_node = f"{record} and on ($cluster, node) (node:available:min == 1)"
    return Metric(
        name=f"cluster:{metric}_imbalance:ratio",
        category="node",
        unit="ratio",
        type="ratio",
        meaning=f"How unevenly {of} is spread over the nodes. {SPREAD}",
        expr=f"""\
stddev by ($cluster) ({per_node})
/ (avg by ($cluster) ({per_node}) > 0)""",
        origin="requirement",
        warning=0.5,
        critical=1,
    )


METRICS = (
    Metric(
        name="node:ready:max",
        category="node",
        unit="count",
        type="state",
        meaning="1 for a node that is Ready.",
        expr="""\
max by ($cluster, node) (
  kube_node_status_condition{$kube_state_metrics, condition="Ready", status="true"}
)""",
        origin="requirement",
    ),
    Metric(
        name="node:schedulable:min",
        category="node",
        unit="count",
        type="state",
        meaning="1 for a node that is not cordoned.",
        expr="1 - max by ($cluster, node) (kube_node_spec_unschedulable{$kube_state_metrics})",
        origin="requirement",
    ),
    Metric(
        name="node:available:min",
        category="node",
        unit="count",
        type="state",
        meaning="1 for a node that is Ready and not cordoned.",
        expr="node:ready:max * node:schedulable:min",
        origin="requirement",
    ),
    Metric(
        name="cluster:nodes_available:sum",
        category="node",
        unit="count",
        type="count",
        meaning="Available compute nodes: Ready and not cordoned.",
        expr="sum by ($cluster) (node:available:min)",
        origin="source",
        source=('count(count by (node) (kube_node_info{cluster=""}))',),
        difference=(
            "D3.2 counts every node that the API knows, NotReady and cordoned ones too. Ours counts those that "
            "take pods, and is 0, not absent, when there is none; the total is cluster:nodes:count."
        ),
    ),
    Metric(
        name="cluster:nodes:count",
        category="node",
        unit="count",
        type="count",
        meaning="Nodes that the API knows.",
        expr="count by ($cluster) (max by ($cluster, node) (kube_node_info{$kube_state_metrics}))",
        origin="source",
        source=('count(count by (node) (kube_node_info{cluster=""}))',),
        difference="The same number, by cluster instead of the empty one.",
    ),
    Metric(
        name="node:condition:max",
        category="node",
        unit="count",
        type="state",
        meaning=(
            "1 for each condition that a node reports as true (Ready, MemoryPressure, DiskPressure, PIDPressure, …)."
        ),
        expr='max by ($cluster, node, condition) (kube_node_status_condition{$kube_state_metrics, status="true"})',
        origin="requirement",
    ),
    Metric(
        name="node:problems:sum",
        category="node",
        unit="count",
        type="count",
        meaning="Node health: what is wrong with a node. Not Ready counts one, and so does each pressure.",
        expr="""\
sum by ($cluster, node) (node:condition:max{condition!="Ready"} or 1 - node:condition:max{condition="Ready"})""",
        origin="requirement",
        warning=1,
        critical=2,
    ),
    Metric(
        name="cluster:nodes_healthy:sum",
        category="node",
        unit="count",
        type="count",
        meaning="Nodes without a problem.",
        expr="sum by ($cluster) (node:problems:sum == bool 0)",
        origin="requirement",
    ),
    Metric(
        name="node:pods:count",
        category="node",
        unit="count",
        type="count",
        meaning="Pods on a node that are pending or running.",
        expr="""\
sum by ($cluster, node) (application_node:pods:count)
or 0 * node:ready:max""",
        origin="requirement",
    ),
    Metric(
        name="node:pods_allocatable:max",
        category="node",
        unit="count",
        type="gauge",
        meaning="Pods that a node takes at most.",
        expr='max by ($cluster, node) (kube_node_status_allocatable{$kube_state_metrics, resource="pods"})',
    ),
    Metric(
        name="node:pods:ratio",
        category="node",
        unit="ratio",
        type="ratio",
        meaning="Pods on a node over those that it takes.",
        expr="node:pods:count / (node:pods_allocatable:max > 0)",
        origin="requirement",
        warning=0.8,
        critical=0.95,
    ),
    imbalance("pods", "node:pods:count", "the number of pods"),
    *requests(cpu.USAGE),
    *requests(memory.USAGE),
    Metric(
        name="node:info:max",
        category="node",
        unit="info",
        type="info",
        meaning="1 for each node, with the architecture (machine) and kernel release of its machine.",
        expr="max by ($cluster, node, machine, release) (node_uname_info{$node_exporter})",
    ),
    Metric(
        name="node:uptime_seconds:max",
        category="node",
        unit="seconds",
        type="gauge",
        meaning="Time since a node's machine was started.",
        expr="max by ($cluster, node) (node_time_seconds{$node_exporter} - node_boot_time_seconds{$node_exporter})",
        origin="requirement",
    ),
    Metric(
        name="node:host_cpu_cores:count",
        category="node",
        unit="cores",
        type="count",
        meaning="Cores of the machine below a node.",
        expr=(
            "count by ($cluster, node) (max by ($cluster, node, cpu) "
            '(node_cpu_seconds_total{$node_exporter, mode="idle"}))'
        ),
    ),
    Metric(
        name="node:host_cpu_usage_cores:rate",
        category="node",
        unit="cores",
        type="rate",
        meaning="CPU in use on the machine below a node, by mode. Nodes that share a machine all show it whole.",
        expr="""\
sum by ($cluster, node, mode) (
  max by ($cluster, node, cpu, mode) (rate(node_cpu_seconds_total{$node_exporter, mode!="idle"}[$window]))
)""",
    ),
    Metric(
        name="node:host_cpu_usage:ratio",
        category="node",
        unit="ratio",
        type="ratio",
        meaning="Share of the machine's CPU time below a node that is not idle nor waiting for I/O.",
        expr="""\
sum by ($cluster, node) (node:host_cpu_usage_cores:rate{mode!~"iowait|guest.*"})
/ node:host_cpu_cores:count""",
        warning=0.8,
        critical=0.95,
    ),
    *(
        Metric(
            name=f"node:load{minutes}:max",
            category="node",
            unit="count",
            type="gauge",
            meaning=f"Load average of the machine below a node over {minutes} minute{'s' if minutes > 1 else ''}.",
            expr=f"max by ($cluster, node) (node_load{minutes}{{$node_exporter}})",
        )
        for minutes in (1, 5, 15)
    ),
    Metric(
        name="node:host_memory_size_bytes:max",
        category="node",
        unit="bytes",
        type="gauge",
        meaning="Memory of the machine below a node.",
        expr="max by ($cluster, node) (node_memory_MemTotal_bytes{$node_exporter})",
    ),
    Metric(
        name="node:host_memory_available_bytes:min",
        category="node",
        unit="bytes",
        type="gauge",
        meaning="Memory of the machine below a node that programs can still get without swapping.",
        expr="min by ($cluster, node) (node_memory_MemAvailable_bytes{$node_exporter})",
    ),
    Metric(
        name="node:host_memory_usage:ratio",
        category="node",
        unit="ratio",
        type="ratio",
        meaning="Share of the machine's memory below a node that is not available.",
        expr="1 - node:host_memory_available_bytes:min / node:host_memory_size_bytes:max",
        warning=0.8,
        critical=0.95,
    ),
)
