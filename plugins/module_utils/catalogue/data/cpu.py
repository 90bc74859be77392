# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""CPU. Unit: cores; one core is 100 % of D3.2."""

from __future__ import annotations

from ..model import Metric
from .compute import Resource, ladder, limits
from .levels import CONTAINER, over, printed, quotient

NO_QUOTA = "no container has a CPU limit"
NO_THROTTLE = "no container with a CPU limit has run"
RAW = "container_cpu_usage_seconds_total"
USAGE = Resource(
    name="cpu",
    title="CPU",
    unit="cores",
    type="rate",
    used="cpu_usage_cores",
    verb="use",
    taken=f"rate({RAW}%s[$window])",
    merge="sum",
    one="rate",
    many="rate",
    source={
        "percent": (
            f'sum(rate({RAW}{{id="/",kubernetes_io_hostname=~"^.*$"}}[1m])) / '
            'sum(machine_cpu_cores{kubernetes_io_hostname=~"^.*$"}) * 100'
        ),
        **{level: printed(level, RAW) for level in ("container", "process", "pod", "system_service")},
    },
    remarks={"container": ", 0 to its node's cores; 1 is 100 % of a core"},
    differences={
        "capacity": (
            "machine_cpu_cores tells the machine's cores. Nodes that share a machine each tell all of them, so the "
            "denominator is the node's own size as the API knows it. max: two instances of kube-state-metrics, one "
            "just gone, tell the same."
        ),
        "node": (
            'id="/" is the whole machine. Where nodes share one, node_cgroup names the cgroups that are the '
            "node's own."
        ),
        "percent": (
            "The text of D3.2 says used over free, its query used over total: total is meant. A node counts above and "
            "below the line or not at all, so that a node that does not answer dilutes nothing. Cores and usage of a "
            "node as in node:cpu_capacity_cores:max and node:cpu_usage_cores:rate."
        ),
        "container": (
            "name is an opaque id under containerd, so the query of D3.2 took the pause container for one more "
            'container. A container of today has a container and an image label; the pause container has container="" '
            "(POD with some runtimes), pod and system cgroups have no image."
        ),
        "process": (
            "The node is kept, so that equal ids of two nodes stay two; so are the names of what the id belongs to. "
            "The lean flavour stores no cgroup of a pod's sandbox (the pause container), which the pod's contains."
        ),
        "pod": (
            "pod_name is pod today, and two namespaces may have pods of one name. The sum of the pod's containers, "
            "never with the pod's own cgroup, which contains them."
        ),
        "system_service": "systemd_service_name does not exist today; the unit is the last part of the cgroup's id.",
        "namespace": "D3.2 describes it and prints no query.",
    },
)


def throttled(level: str, of: str) -> Metric:
    periods = f"rate(container_cpu_cfs_%speriods_total{{$cadvisor, {CONTAINER}}}[$window])"
    return Metric(
        name=f"{level}:cpu_throttled:ratio",
        category="cpu",
        unit="ratio",
        type="ratio",
        meaning=f"Share of the enforcement periods in which {of} throttled.",
        expr=quotient(over("sum", level, periods % "throttled_"), over("sum", level, periods % "")),
        origin="candidate",
        absent=NO_THROTTLE,
        warning=0.25,
        critical=0.5,
    )


METRICS = (
    *ladder(USAGE),
    *limits(USAGE),
    Metric(
        name="container:cpu_quota_cores:max",
        category="cpu",
        unit="cores",
        type="gauge",
        meaning="CPU quota that the kernel enforces on a container: CFS quota over period.",
        expr=over(
            "max",
            "container",
            f"container_spec_cpu_quota{{$cadvisor, {CONTAINER}}}\n"
            f"/ container_spec_cpu_period{{$cadvisor, {CONTAINER}}}",
        ),
        origin="candidate",
        absent=NO_QUOTA,
    ),
    throttled("container", "a container was"),
    throttled("pod", "a pod's containers were"),
    throttled("namespace", "a namespace's containers were"),
)
