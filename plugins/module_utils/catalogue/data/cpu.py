# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""CPU. Unit: cores; one core is the source's 100 %."""

from __future__ import annotations

from ..model import Metric

NO_LIMIT = "no container has a CPU limit"
NO_THROTTLE = "no container with a CPU limit has run"

METRICS = (
    Metric(
        name="node:cpu_capacity_cores:max",
        category="cpu",
        unit="cores",
        type="gauge",
        meaning="Cores of a node.",
        expr='max by ($cluster, node) (kube_node_status_$node_size{$kube_state_metrics, resource="cpu"})',
        difference=(
            "machine_cpu_cores tells the machine's cores. Nodes that share a machine each tell all of them, so the "
            "denominator is the node's own size as the API knows it. max: two instances of kube-state-metrics, one "
            "just gone, tell the same."
        ),
    ),
    Metric(
        name="node:cpu_usage_cores:rate",
        category="cpu",
        unit="cores",
        type="rate",
        meaning="CPU that a node uses, pods and system together.",
        expr=(
            'sum by ($cluster, node) (rate(container_cpu_usage_seconds_total{$cadvisor, id=~"$node_cgroup"}[$window]))'
        ),
        difference=(
            'id="/" is the whole machine. Where nodes share one, node_cgroup names the cgroups that are the '
            "node's own."
        ),
    ),
    Metric(
        name="node:cpu_usage:ratio",
        category="cpu",
        unit="ratio",
        type="ratio",
        meaning="Share of a node's cores in use.",
        expr="node:cpu_usage_cores:rate / node:cpu_capacity_cores:max",
        warning=0.8,
        critical=0.95,
    ),
    Metric(
        name="cluster:cpu_capacity_cores:sum",
        category="cpu",
        unit="cores",
        type="gauge",
        meaning="Cores of all nodes.",
        expr="sum by ($cluster) (node:cpu_capacity_cores:max)",
    ),
    Metric(
        name="cluster:cpu_usage_cores:rate",
        category="cpu",
        unit="cores",
        type="rate",
        meaning="CPU that all nodes use.",
        expr="sum by ($cluster) (node:cpu_usage_cores:rate)",
    ),
    Metric(
        name="cluster:cpu_usage:percent",
        category="cpu",
        unit="percent",
        type="percent",
        meaning="CPU in use over the CPU of all nodes that report.",
        expr="""\
100
  * sum by ($cluster) (node:cpu_usage_cores:rate and on ($cluster, node) node:cpu_capacity_cores:max)
  / sum by ($cluster) (node:cpu_capacity_cores:max and on ($cluster, node) node:cpu_usage_cores:rate)""",
        origin="source",
        source=(
            'sum(rate(container_cpu_usage_seconds_total{id="/",kubernetes_io_hostname=~"^.*$"}[1m])) / '
            'sum(machine_cpu_cores{kubernetes_io_hostname=~"^.*$"}) * 100',
        ),
        difference=(
            "The source's text says used over free, its query used over total: total is meant. A node counts above and "
            "below the line or not at all, so that a node that does not answer dilutes nothing. Cores and usage of a "
            "node as in node:cpu_capacity_cores:max and node:cpu_usage_cores:rate."
        ),
        warning=80,
        critical=95,
    ),
    Metric(
        name="container:cpu_usage_cores:rate",
        category="cpu",
        unit="cores",
        type="rate",
        meaning="CPU that a container uses, 0 to its node's cores; 1 is 100 % of a core.",
        expr="""\
sum by ($cluster, node, namespace, pod, container) (
  rate(container_cpu_usage_seconds_total{$cadvisor, container!~"|POD", image!=""}[$window])
)""",
        origin="source",
        source=(
            ""
            'sum(rate(container_cpu_usage_seconds_total{image!="",name!~"^k8s_.*",kubernetes_io_hostname=~"^.*$"}'
            "[1m])) "
            "by (kubernetes_io_hostname,name,image)",
        ),
        difference=(
            "name is an opaque id under containerd, so the source's query took the pause container for one more "
            'container. A container of today has a container and an image label; the pause container has container="" '
            "(POD with some runtimes), pod and system cgroups have no image."
        ),
    ),
    Metric(
        name="process:cpu_usage_cores:rate",
        category="cpu",
        unit="cores",
        type="rate",
        meaning=(
            "CPU that the processes of a cgroup use. The kubelet sees cgroups, not processes; a cgroup contains those "
            "below it, so never add them up."
        ),
        expr="""\
sum by ($cluster, node, id, namespace, pod, container) (
  rate(container_cpu_usage_seconds_total{$cadvisor, id!="/"}[$window])
)""",
        origin="source",
        source=('sum(rate(container_cpu_usage_seconds_total{id!="/",kubernetes_io_hostname=~"^.*$"}[1m])) by (id)',),
        difference=(
            "The node is kept, so that equal ids of two nodes stay two; so are the names of what the id belongs to."
        ),
    ),
    Metric(
        name="pod:cpu_usage_cores:rate",
        category="cpu",
        unit="cores",
        type="rate",
        meaning="CPU that the containers of a pod use.",
        expr="sum by ($cluster, node, namespace, pod) (container:cpu_usage_cores:rate)",
        origin="source",
        source=(
            ""
            'sum(rate(container_cpu_usage_seconds_total{image!="",name=~"^k8s_.*",kubernetes_io_hostname=~"^.*$"}'
            "[1m])) "
            "by (pod_name)",
        ),
        difference=(
            "pod_name is pod today, and two namespaces may have pods of one name. The sum of the pod's containers, "
            "never with the pod's own cgroup, which contains them."
        ),
    ),
    Metric(
        name="system_service:cpu_usage_cores:rate",
        category="cpu",
        unit="cores",
        type="rate",
        meaning="CPU that a system service of a node uses, by its unit.",
        expr="""\
sum by ($cluster, node, unit) (
  label_replace(
    rate(container_cpu_usage_seconds_total{$cadvisor, id=~"$service_cgroup", pod="", image=""}[$window]),
    "unit", "$$1", "id", ".*/([^/]+)"
  )
)""",
        origin="source",
        source=(
            'sum(rate(container_cpu_usage_seconds_total{systemd_service_name!="",kubernetes_io_hostname=~"^.*$"}[1m])) '
            "by (systemd_service_name)",
        ),
        difference="systemd_service_name does not exist today; the unit is the last part of the cgroup's id.",
        absent="the hosts have no systemd, or the kubelet does not account their services",
    ),
    Metric(
        name="namespace:cpu_usage_cores:rate",
        category="cpu",
        unit="cores",
        type="rate",
        meaning="CPU that the pods of a namespace use.",
        expr="sum by ($cluster, namespace) (pod:cpu_usage_cores:rate)",
        origin="source",
        difference="The source describes it and prints no query.",
    ),
    Metric(
        name="container:cpu_limit_cores:max",
        category="cpu",
        unit="cores",
        type="gauge",
        meaning="CPU limit of a container.",
        expr="""\
max by ($cluster, node, namespace, pod, container) (
  kube_pod_container_resource_limits{$kube_state_metrics, resource="cpu"}
)
and on ($cluster, namespace, pod) (pod:active:max == 1)""",
        origin="candidate",
        difference="Pods that have ended keep their limits in the API and hold nothing: only active pods count.",
        absent=NO_LIMIT,
    ),
    Metric(
        name="pod:cpu_limit_cores:sum",
        category="cpu",
        unit="cores",
        type="gauge",
        meaning="CPU limits of a pod's containers that have one.",
        expr="sum by ($cluster, node, namespace, pod) (container:cpu_limit_cores:max)",
        origin="candidate",
        absent=NO_LIMIT,
    ),
    Metric(
        name="namespace:cpu_limit_cores:sum",
        category="cpu",
        unit="cores",
        type="gauge",
        meaning="CPU limits of a namespace's containers that have one.",
        expr="sum by ($cluster, namespace) (pod:cpu_limit_cores:sum)",
        origin="candidate",
        absent=NO_LIMIT,
    ),
    Metric(
        name="container:cpu_quota_cores:max",
        category="cpu",
        unit="cores",
        type="gauge",
        meaning="CPU quota that the kernel enforces on a container: CFS quota over period.",
        expr="""\
max by ($cluster, node, namespace, pod, container) (
  container_spec_cpu_quota{$cadvisor, container!~"|POD", image!=""}
  / container_spec_cpu_period{$cadvisor, container!~"|POD", image!=""}
)""",
        origin="candidate",
        absent=NO_LIMIT,
    ),
    Metric(
        name="container:cpu_limit_usage:ratio",
        category="cpu",
        unit="ratio",
        type="ratio",
        meaning="CPU that a container uses over its limit.",
        expr="container:cpu_usage_cores:rate / (container:cpu_limit_cores:max > 0)",
        origin="candidate",
        absent=NO_LIMIT,
        warning=0.8,
        critical=0.95,
    ),
    Metric(
        name="pod:cpu_limit_usage:ratio",
        category="cpu",
        unit="ratio",
        type="ratio",
        meaning="CPU that a pod's containers with a limit use, over these limits.",
        expr="""\
sum by ($cluster, node, namespace, pod) (container:cpu_usage_cores:rate and container:cpu_limit_cores:max > 0)
/ sum by ($cluster, node, namespace, pod) (container:cpu_limit_cores:max > 0 and container:cpu_usage_cores:rate)""",
        origin="candidate",
        absent=NO_LIMIT,
        warning=0.8,
        critical=0.95,
    ),
    Metric(
        name="namespace:cpu_limit_usage:ratio",
        category="cpu",
        unit="ratio",
        type="ratio",
        meaning="CPU that a namespace's containers with a limit use, over these limits.",
        expr="""\
sum by ($cluster, namespace) (container:cpu_usage_cores:rate and container:cpu_limit_cores:max > 0)
/ sum by ($cluster, namespace) (container:cpu_limit_cores:max > 0 and container:cpu_usage_cores:rate)""",
        origin="candidate",
        absent=NO_LIMIT,
        warning=0.8,
        critical=0.95,
    ),
    Metric(
        name="container:cpu_periods:rate",
        category="cpu",
        unit="count",
        type="rate",
        meaning="Enforcement periods per second in which a container with a CPU limit wanted to run.",
        expr="""\
sum by ($cluster, node, namespace, pod, container) (
  rate(container_cpu_cfs_periods_total{$cadvisor, container!~"|POD", image!=""}[$window])
)""",
        absent=NO_THROTTLE,
    ),
    Metric(
        name="container:cpu_throttled_periods:rate",
        category="cpu",
        unit="count",
        type="rate",
        meaning="Enforcement periods per second in which a container was throttled.",
        expr="""\
sum by ($cluster, node, namespace, pod, container) (
  rate(container_cpu_cfs_throttled_periods_total{$cadvisor, container!~"|POD", image!=""}[$window])
)""",
        absent=NO_THROTTLE,
    ),
    Metric(
        name="container:cpu_throttled:ratio",
        category="cpu",
        unit="ratio",
        type="ratio",
        meaning="Share of the enforcement periods in which a container was throttled.",
        expr="container:cpu_throttled_periods:rate / (container:cpu_periods:rate > 0)",
        origin="candidate",
        absent=NO_THROTTLE,
        warning=0.25,
        critical=0.5,
    ),
    Metric(
        name="pod:cpu_throttled:ratio",
        category="cpu",
        unit="ratio",
        type="ratio",
        meaning="Share of the enforcement periods in which a pod's containers were throttled.",
        expr="""\
sum by ($cluster, node, namespace, pod) (container:cpu_throttled_periods:rate)
/ (sum by ($cluster, node, namespace, pod) (container:cpu_periods:rate) > 0)""",
        origin="candidate",
        absent=NO_THROTTLE,
        warning=0.25,
        critical=0.5,
    ),
    Metric(
        name="namespace:cpu_throttled:ratio",
        category="cpu",
        unit="ratio",
        type="ratio",
        meaning="Share of the enforcement periods in which a namespace's containers were throttled.",
        expr="""\
sum by ($cluster, namespace) (container:cpu_throttled_periods:rate)
/ (sum by ($cluster, namespace) (container:cpu_periods:rate) > 0)""",
        origin="candidate",
        absent=NO_THROTTLE,
        warning=0.25,
        critical=0.5,
    ),
)
