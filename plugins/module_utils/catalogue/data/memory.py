# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Memory. Unit: bytes of working set, the figure by which the kubelet evicts."""

from __future__ import annotations

from ..model import Metric

NO_LIMIT = "no container has a memory limit"

METRICS = (
    Metric(
        name="node:memory_capacity_bytes:max",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory of a node.",
        expr='max by ($cluster, node) (kube_node_status_$node_size{$kube_state_metrics, resource="memory"})',
        difference=(
            "As node:cpu_capacity_cores:max: machine_memory_bytes is the machine's, on every node that shares it."
        ),
    ),
    Metric(
        name="node:memory_working_set_bytes:sum",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory that a node holds, pods and system together.",
        expr=(
            "sum by ($cluster, node) (max by ($cluster, node, id) "
            '(container_memory_working_set_bytes{$cadvisor, id=~"$node_cgroup"}))'
        ),
        difference=(
            'id="/" is the whole machine. Where nodes share one, node_cgroup names the cgroups that are '
            "the node's own."
        ),
    ),
    Metric(
        name="node:memory_usage:ratio",
        category="memory",
        unit="ratio",
        type="ratio",
        meaning="Share of a node's memory in use.",
        expr="node:memory_working_set_bytes:sum / node:memory_capacity_bytes:max",
        warning=0.8,
        critical=0.95,
    ),
    Metric(
        name="cluster:memory_capacity_bytes:sum",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory of all nodes.",
        expr="sum by ($cluster) (node:memory_capacity_bytes:max)",
    ),
    Metric(
        name="cluster:memory_working_set_bytes:sum",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory that all nodes hold.",
        expr="sum by ($cluster) (node:memory_working_set_bytes:sum)",
    ),
    Metric(
        name="cluster:memory_usage:percent",
        category="memory",
        unit="percent",
        type="percent",
        meaning="Memory in use over the memory of all nodes that report.",
        expr="""\
100
  * sum by ($cluster) (node:memory_working_set_bytes:sum and on ($cluster, node) node:memory_capacity_bytes:max)
  / sum by ($cluster) (node:memory_capacity_bytes:max and on ($cluster, node) node:memory_working_set_bytes:sum)""",
        origin="source",
        source=(
            'sum(container_memory_working_set_bytes{id="/",kubernetes_io_hostname=~"^.*$"}) / '
            'sum(machine_memory_bytes{kubernetes_io_hostname=~"^.*$"}) * 100',
        ),
        difference="As cluster:cpu_usage:percent.",
        warning=80,
        critical=95,
    ),
    Metric(
        name="container:memory_working_set_bytes:max",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory that a container holds.",
        expr="""\
max by ($cluster, node, namespace, pod, container) (
  container_memory_working_set_bytes{$cadvisor, container!~"|POD", image!=""}
)""",
        origin="source",
        source=(
            'sum(container_memory_working_set_bytes{image!="",name!~"^k8s_.*",kubernetes_io_hostname=~"^.*$"}) '
            "by (kubernetes_io_hostname,name,image)",
        ),
        difference=(
            "Selected as container:cpu_usage_cores:rate. max: just after a restart the old and the new container are "
            "both visible, and only one of them holds memory."
        ),
    ),
    Metric(
        name="process:memory_working_set_bytes:max",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning=(
            "Memory that the processes of a cgroup hold. The kubelet sees cgroups, not processes; a cgroup contains "
            "those below it, so never add them up."
        ),
        expr="""\
max by ($cluster, node, id, namespace, pod, container) (
  container_memory_working_set_bytes{$cadvisor, id!="/"}
)""",
        origin="source",
        source=('sum(container_memory_working_set_bytes{id!="/",kubernetes_io_hostname=~"^.*$"}) by (id)',),
        difference="As process:cpu_usage_cores:rate.",
    ),
    Metric(
        name="pod:memory_working_set_bytes:sum",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory that the containers of a pod hold.",
        expr="sum by ($cluster, node, namespace, pod) (container:memory_working_set_bytes:max)",
        origin="source",
        source=(
            'sum(container_memory_working_set_bytes{image!="",name=~"^k8s_.*",kubernetes_io_hostname=~"^.*$"}) '
            "by (pod_name)",
        ),
        difference="As pod:cpu_usage_cores:rate.",
    ),
    Metric(
        name="system_service:memory_working_set_bytes:sum",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory that a system service of a node holds, by its unit.",
        expr="""\
sum by ($cluster, node, unit) (
  label_replace(
    container_memory_working_set_bytes{$cadvisor, id=~"$service_cgroup", pod="", image=""},
    "unit", "$$1", "id", ".*/([^/]+)"
  )
)""",
        origin="source",
        source=(
            'sum(rate(container_cpu_usage_seconds_total{systemd_service_name!="",kubernetes_io_hostname=~"^.*$"}[1m])) '
            "by (systemd_service_name)",
        ),
        difference="The source repeats its CPU query by mistake. Units as in system_service:cpu_usage_cores:rate.",
        absent="the hosts have no systemd, or the kubelet does not account their services",
    ),
    Metric(
        name="namespace:memory_working_set_bytes:sum",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory that the pods of a namespace hold.",
        expr="sum by ($cluster, namespace) (pod:memory_working_set_bytes:sum)",
        origin="source",
        source=(
            'sum(container_memory_working_set_bytes{container!="",kubernetes_io_hostname=~"^.*$"}) by (namespace)',
        ),
        difference="The sum of the pods, so that the levels agree.",
    ),
    Metric(
        name="container:memory_limit_bytes:max",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory limit of a container.",
        expr="""\
max by ($cluster, node, namespace, pod, container) (
  kube_pod_container_resource_limits{$kube_state_metrics, resource="memory"}
)
and on ($cluster, namespace, pod) (pod:active:max == 1)""",
        origin="candidate",
        difference="Pods that have ended keep their limits in the API and hold nothing: only active pods count.",
        absent=NO_LIMIT,
    ),
    Metric(
        name="pod:memory_limit_bytes:sum",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory limits of a pod's containers that have one.",
        expr="sum by ($cluster, node, namespace, pod) (container:memory_limit_bytes:max)",
        origin="candidate",
        absent=NO_LIMIT,
    ),
    Metric(
        name="namespace:memory_limit_bytes:sum",
        category="memory",
        unit="bytes",
        type="gauge",
        meaning="Memory limits of a namespace's containers that have one.",
        expr="sum by ($cluster, namespace) (pod:memory_limit_bytes:sum)",
        origin="candidate",
        absent=NO_LIMIT,
    ),
    Metric(
        name="container:memory_limit_usage:ratio",
        category="memory",
        unit="ratio",
        type="ratio",
        meaning="Memory that a container holds over its limit; at 1 it is killed.",
        expr="container:memory_working_set_bytes:max / (container:memory_limit_bytes:max > 0)",
        origin="candidate",
        absent=NO_LIMIT,
        warning=0.8,
        critical=0.95,
    ),
    Metric(
        name="pod:memory_limit_usage:ratio",
        category="memory",
        unit="ratio",
        type="ratio",
        meaning="Memory that a pod's containers with a limit hold, over these limits.",
        expr="""\
sum by ($cluster, node, namespace, pod) (
  container:memory_working_set_bytes:max and container:memory_limit_bytes:max > 0
)
/ sum by ($cluster, node, namespace, pod) (
  container:memory_limit_bytes:max > 0 and container:memory_working_set_bytes:max
)""",
        origin="candidate",
        absent=NO_LIMIT,
        warning=0.8,
        critical=0.95,
    ),
    Metric(
        name="namespace:memory_limit_usage:ratio",
        category="memory",
        unit="ratio",
        type="ratio",
        meaning="Memory that a namespace's containers with a limit hold, over these limits.",
        expr="""\
sum by ($cluster, namespace) (container:memory_working_set_bytes:max and container:memory_limit_bytes:max > 0)
/ sum by ($cluster, namespace) (container:memory_limit_bytes:max > 0 and container:memory_working_set_bytes:max)""",
        origin="candidate",
        absent=NO_LIMIT,
        warning=0.8,
        critical=0.95,
    ),
)
