# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Memory. Unit: bytes of working set, the figure by which the kubelet evicts."""

from __future__ import annotations

from . import cpu
from .compute import Resource, ladder, limits
from .levels import printed

RAW = "container_memory_working_set_bytes"
USAGE = Resource(
    name="memory",
    title="Memory",
    unit="bytes",
    type="gauge",
    used="memory_working_set_bytes",
    verb="hold",
    taken=f"{RAW}%s",
    merge="max",
    one="max",
    many="sum",
    source={
        "percent": (
            f'sum({RAW}{{id="/",kubernetes_io_hostname=~"^.*$"}}) / '
            'sum(machine_memory_bytes{kubernetes_io_hostname=~"^.*$"}) * 100'
        ),
        **{level: printed(level, RAW, rate=False) for level in ("container", "process", "pod")},
        "system_service": printed("system_service", cpu.RAW),
        "namespace": f'sum({RAW}{{container!="",kubernetes_io_hostname=~"^.*$"}}) by (namespace)',
    },
    remarks={"limit": "; at 1 it is killed"},
    differences={
        "capacity": (
            "As node:cpu_capacity_cores:max: machine_memory_bytes is the machine's, on every node that shares it."
        ),
        "node": cpu.USAGE.differences["node"],
        "percent": "As cluster:cpu_usage:percent.",
        "container": (
            "Selected as container:cpu_usage_cores:rate. max: just after a restart the old and the new container are "
            "both visible, and only one of them holds memory."
        ),
        "process": "As process:cpu_usage_cores:rate.",
        "pod": "As pod:cpu_usage_cores:rate.",
        "system_service": ("D3.2 repeats its CPU query by mistake. Units as in system_service:cpu_usage_cores:rate."),
        "namespace": "The sum of the pods, so that the levels agree.",
    },
)

METRICS = (*ladder(USAGE), *limits(USAGE))
