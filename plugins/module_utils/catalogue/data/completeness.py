# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What records count, against what the API says there is: no record is silently empty or doubled on a node."""

from __future__ import annotations

from ..model import Metric
from . import cpu, memory
from .levels import LABELS

NODE, POD, CONTAINER = (f"on ({LABELS[level]})" for level in ("node", "pod", "container"))
# Records that every node has that is Ready. A node without an interface or a file system in them has its own ones taken
# for others', by the rules of what counts once.
OF_NODES = (
    cpu.USAGE.usage("node"),
    memory.USAGE.usage("node"),
    "node:network_receive_bytes:rate",
    "node:network_transmit_bytes:rate",
    "node:filesystem_size_bytes:sum",
)
# Pods that are ready, and have run for as long as a rate takes: all their containers run. One node for each, even while
# the API still shows an earlier pod of that name.
RUNNING = """\
(
  topk by ($cluster, namespace, pod) (1,
    max by ($cluster, node, namespace, pod) (kube_pod_info{$kube_state_metrics, node!=""})
  )
  and on ($cluster, namespace, pod) (pod:ready:max == 1)
  and on ($cluster, namespace, pod)
    kube_pod_status_phase{$kube_state_metrics, phase="Running"} offset $window == 1
)"""
CONTAINERS = f"""\
max by ($cluster, namespace, pod, container) (kube_pod_container_status_restarts_total{{$kube_state_metrics}})
* on ($cluster, namespace, pod) group_left (node) {RUNNING}"""


def gaps(record: str, expr: str) -> str:
    """The gaps of one record on each node, 0 where there is none."""
    return f"""\
label_replace(
  {expr} or 0 * node:ready:max,
  "record", "{record}", "", ""
)"""


def missing(record: str, present: str, labels: str) -> str:
    return gaps(record, f"count by ({LABELS['node']}) ({present} unless {labels} {record})")


def doubled(record: str, whole: str) -> str:
    """Pods together can hold more than their node only where something counts twice. A quarter is for rounding."""
    return gaps(record, f"(sum by ({LABELS['node']}) ({record}) > bool 1.25 * {whole})")


METRICS = (
    Metric(
        name="node:record_gaps:count",
        category="node",
        unit="count",
        type="count",
        meaning=(
            "What a record leaves out or counts twice on a node, by the record: of the nodes, pods and containers that "
            "the API says are there, those without a series."
        ),
        expr="\nor\n".join(
            [
                *(missing(record, "(node:ready:max == 1)", NODE) for record in OF_NODES),
                missing(cpu.USAGE.usage("pod"), RUNNING, POD),
                missing(cpu.USAGE.usage("container"), CONTAINERS, CONTAINER),
                doubled(memory.USAGE.usage("pod"), memory.USAGE.usage("node")),
            ]
        ),
        difference=(
            "Pods count once they are ready and have run for a rate window, containers with them; so what has just "
            "started, or restarts, is no gap."
        ),
        warning=1,
    ),
)
