# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Hardware that not every cluster has. Where it is absent, every panel says so."""

from __future__ import annotations

from .board import Board, row, to
from .panels import Panel, graph, stat_, table_

NO_ARM = "no node has an arm64 machine"
ARM = 'node:info:max{machine=~"aarch64|arm.*"}'
ON_ARM = f"and on (cluster, node) {ARM}"
GPU = "{{node}} {{gpu}} {{modelName}}"
BLUE = ((None, "text"), (0.5, "blue"))


def number_of(title: str, expr: str, note: str) -> Panel:
    """A count that says in words that there is none."""
    return stat_(
        title, f"{expr} or vector(0)", width=6, note=note, thresholds=BLUE, options={"zero": "no such hardware"}
    )


DEVICES = Board(
    "devices",
    "Platform",
    "Devices",
    "arm64 machines such as NVIDIA Jetson, GPUs, and electric power; where there is no such hardware, it says so.",
    ("cluster", "node"),
    (
        row(
            "What there is",
            number_of("arm64 nodes", f"count({ARM})", "Nodes whose machine is arm64, such as NVIDIA Jetson."),
            number_of(
                "Nodes with a GPU", "count(node:gpus:count)", "Nodes with an NVIDIA GPU that the DCGM exporter reads."
            ),
            number_of("GPUs", "sum(node:gpus:count)", "NVIDIA GPUs that the DCGM exporter reads."),
            number_of(
                "Nodes that measure power",
                "count(node:power_watts:max)",
                "Nodes with a power sensor that Scaphandre reads.",
            ),
        ),
        row(
            "arm64 and Jetson",
            table_(
                "arm64 nodes",
                ("node", "machine", "release"),
                ("CPU", f"node:cpu_usage:ratio * on (cluster, node) group_left (machine, release) {ARM}"),
                ("memory", f"node:memory_usage:ratio * on (cluster, node) group_left (machine, release) {ARM}"),
                ("pods", f"node:pods:count * on (cluster, node) group_left (machine, release) {ARM}"),
                ("up for", f"node:uptime_seconds:max * on (cluster, node) group_left (machine, release) {ARM}"),
                absent=NO_ARM,
                key="node",
                link=to("nodes", node="${__data.fields.node}"),
                height=6,
            ),
            graph("CPU", ("{{node}}", f"node:cpu_usage:ratio {ON_ARM}"), width=8, absent=NO_ARM),
            graph("Memory", ("{{node}}", f"node:memory_usage:ratio {ON_ARM}"), width=8, absent=NO_ARM),
            graph("Load average", ("{{node}}", f"node:load5:max {ON_ARM}"), width=8, absent=NO_ARM),
        ),
        row(
            "GPUs",
            table_(
                "GPUs",
                ("node", "gpu", "modelName"),
                ("in use", "gpu:usage:ratio"),
                ("memory used", "gpu:memory_used_bytes:max"),
                ("memory", "gpu:memory_size_bytes:max"),
                ("memory share", "gpu:memory_usage:ratio"),
                ("temperature", "gpu:temperature_celsius:max"),
                ("power", "gpu:power_watts:max"),
                height=6,
            ),
            graph("GPUs in use", (GPU, "gpu:usage:ratio"), width=6),
            graph("Memory in use", (GPU, "gpu:memory_usage:ratio"), width=6),
            graph("Temperature", (GPU, "gpu:temperature_celsius:max"), width=6),
            graph("Power", (GPU, "gpu:power_watts:max"), width=6),
        ),
        row(
            "Electric power",
            stat_("All nodes", "cluster:power_watts:sum", width=6, height=8),
            graph("Nodes", ("{{node}}", "node:power_watts:max"), width=9),
            graph("Namespaces", ("{{namespace}}", "namespace:power_watts:sum"), width=9),
        ),
    ),
    ("cluster", "nodes"),
)

BOARDS = (DEVICES,)
