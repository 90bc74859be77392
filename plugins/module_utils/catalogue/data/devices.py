# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Hardware that only some nodes have: NVIDIA GPUs (DCGM exporter) and power sensors (Scaphandre)."""

from __future__ import annotations

from ..model import Metric

NO_GPU = "no node has an NVIDIA GPU with the DCGM exporter"
NO_POWER = "no node has a power sensor that Scaphandre reads"


def gpu(
    metric: str,
    unit: str,
    kind: str,
    meaning: str,
    expr: str,
    warning: float | None = None,
    critical: float | None = None,
) -> Metric:
    return Metric(
        name=f"gpu:{metric}",
        category="node",
        unit=unit,
        type=kind,
        meaning=meaning,
        expr=f"max by ($cluster, node, gpu, modelName) ({expr})",
        absent=NO_GPU,
        warning=warning,
        critical=critical,
    )


METRICS = (
    gpu(
        "usage:ratio",
        "ratio",
        "ratio",
        "Share of the time in which a GPU computes.",
        "DCGM_FI_DEV_GPU_UTIL{$dcgm} / 100",
        warning=0.9,
    ),
    gpu(
        "memory_used_bytes:max",
        "bytes",
        "gauge",
        "Memory of a GPU in use.",
        "DCGM_FI_DEV_FB_USED{$dcgm} * 1048576",
    ),
    gpu(
        "memory_size_bytes:max",
        "bytes",
        "gauge",
        "Memory of a GPU that programs can use.",
        "(DCGM_FI_DEV_FB_USED{$dcgm} + DCGM_FI_DEV_FB_FREE{$dcgm}) * 1048576",
    ),
    Metric(
        name="gpu:memory_usage:ratio",
        category="node",
        unit="ratio",
        type="ratio",
        meaning="Share of a GPU's memory in use.",
        expr="gpu:memory_used_bytes:max / (gpu:memory_size_bytes:max > 0)",
        absent=NO_GPU,
        warning=0.9,
    ),
    gpu(
        "temperature_celsius:max",
        "celsius",
        "gauge",
        "Temperature of a GPU.",
        "DCGM_FI_DEV_GPU_TEMP{$dcgm}",
        warning=80,
        critical=90,
    ),
    gpu("power_watts:max", "watts", "gauge", "Electric power of a GPU.", "DCGM_FI_DEV_POWER_USAGE{$dcgm}"),
    Metric(
        name="node:gpus:count",
        category="node",
        unit="count",
        type="count",
        meaning="GPUs of a node.",
        expr="count by ($cluster, node) (gpu:usage:ratio)",
        absent=NO_GPU,
    ),
    Metric(
        name="node:power_watts:max",
        category="node",
        unit="watts",
        type="gauge",
        meaning="Electric power of a node.",
        expr="max by ($cluster, node) (scaph_host_power_microwatts{$scaphandre}) / 1e6",
        absent=NO_POWER,
    ),
    Metric(
        name="cluster:power_watts:sum",
        category="node",
        unit="watts",
        type="gauge",
        meaning="Electric power of all nodes that measure it.",
        expr="sum by ($cluster) (node:power_watts:max)",
        absent=NO_POWER,
    ),
    Metric(
        name="namespace:power_watts:sum",
        category="application",
        unit="watts",
        type="gauge",
        meaning="Electric power that Scaphandre attributes to the processes of a namespace's pods.",
        expr="""\
sum by ($cluster, namespace) (
  label_replace(
    scaph_process_power_consumption_microwatts{$scaphandre, kubernetes_pod_namespace!=""},
    "namespace", "$$1", "kubernetes_pod_namespace", "(.+)"
  )
) / 1e6""",
        absent=NO_POWER,
    ),
)
