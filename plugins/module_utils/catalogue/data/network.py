# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Network. The kubelet accounts it per pod sandbox: containers of a pod share one network namespace."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Metric
from .levels import LABELS, over, printed

NOT_SPLIT = (
    "The kernel counts the traffic of a network namespace, which a pod's containers share. A pod with one container "
    "gives that container its traffic; for a pod with several the series has no container label. Nothing is split by "
    "guess, and the sum over a pod is the pod's."
)
OWN_NAMESPACE = (
    "The cgroup of a pod's sandbox holds the network namespace: there is one series per pod, under the sandbox's id. "
    "lo is left out. A pod of the host's network shows the node's interfaces and has no traffic of its own: only pods "
    "that the API says are not of the host's network count."
)


def direction(verb: str, verbed: str) -> Iterator[Metric]:
    """Every level of one direction."""
    raw = f"container_network_{verb}_bytes_total"

    def at(
        level: str, meaning: str, expr: str, difference: str, source: str = "", what: str = "bytes", origin: str = ""
    ) -> Metric:
        return Metric(
            name=f"{level}:network_{verb}_{what}:rate",
            category="network",
            unit=f"{'bytes' if what == 'bytes' else 'packets'}/s",
            type="rate",
            meaning=meaning,
            expr=expr,
            origin=origin or ("source" if source else "support"),
            source=(source,) if source else (),
            difference=difference,
            warning=None if what == "bytes" else 1,
        )

    def of_node(counter: str) -> str:
        rate = f'rate({counter}{{$node_exporter, device!~"$virtual_interfaces"}}[$window])'
        return over("sum", "node", f"max by ($cluster, node, device) ({rate})")

    def of_sandbox(labels: str, counter: str) -> str:
        return f"""\
sum by ({labels}) (
  max without (job, instance) (
    rate({counter}{{$cadvisor, interface!="lo"}}[$window])
  )
)
and on ($cluster, namespace, pod) kube_pod_info{{$kube_state_metrics, host_network="false"}}"""

    yield at(
        "process",
        f"Bytes per second {verbed} by the processes of a network namespace, by the cgroup that holds it.",
        of_sandbox("$cluster, node, id, namespace, pod", raw),
        OWN_NAMESPACE,
        printed("process", raw),
    )
    yield at(
        "pod",
        f"Bytes per second {verbed} by a pod; host-network pods are left out.",
        over("sum", "pod", f"process:network_{verb}_bytes:rate"),
        "pod_name is pod today. " + OWN_NAMESPACE,
        printed("pod", raw),
    )
    yield at(
        "container",
        f"Bytes per second {verbed} by a container, where the pod has one only; else by its containers together.",
        f"""\
pod:network_{verb}_bytes:rate
  * on ({LABELS["pod"]}) group_left (container) pod:container:info""",
        NOT_SPLIT,
        printed("container", raw),
    )
    yield at(
        "namespace",
        f"Bytes per second {verbed} by the pods of a namespace; host-network pods are left out.",
        over("sum", "namespace", f"pod:network_{verb}_bytes:rate"),
        'Today\'s sandbox has container="", so the query of D3.2 finds nothing. The sum of the pods, so that the '
        "levels agree.",
        f'sum(rate({raw}{{container!="",name=~"^k8s_.*",kubernetes_io_hostname=~"^.*$"}}[1m])) by (namespace)',
    )
    yield at(
        "node",
        f"Bytes per second {verbed} by a node's own interfaces.",
        of_node(f"node_network_{verb}_bytes_total"),
        "node-exporter's interfaces of the node. Bonds, bridges, VLANs, veth pairs and tunnels carry traffic that a "
        "real interface or a pod counts already, and are left out; see What counts once.",
    )
    yield at(
        "cluster",
        f"Bytes per second {verbed} by all nodes: the I/O pressure on the cluster's network.",
        over("sum", "cluster", f"node:network_{verb}_bytes:rate"),
        "D3.2 adds the machine's interfaces, every pod's and lo: most bytes twice or more. Ours counts each byte "
        "once, where it enters or leaves a node.",
        printed("cluster", raw),
    )
    yield at(
        "node",
        f"Packets per second that a node's own interfaces drop where they {verb}.",
        of_node(f"node_network_{verb}_drop_total"),
        "",
        what="dropped_packets",
        origin="candidate",
    )
    yield at(
        "pod",
        f"Packets per second that a pod drops where it {verb}s.",
        of_sandbox(LABELS["pod"], f"container_network_{verb}_packets_dropped_total"),
        OWN_NAMESPACE,
        what="dropped_packets",
        origin="candidate",
    )


METRICS = (
    Metric(
        name="pod:container:info",
        category="network",
        unit="info",
        type="info",
        meaning="1 for a pod with containers that run; with the container's name where it is one only.",
        expr=f"""\
group by ({LABELS["container"]}) (container:cpu_usage_cores:rate)
  and on ({LABELS["pod"]}) (count by ({LABELS["pod"]}) (container:cpu_usage_cores:rate) == 1)
or
group by ({LABELS["pod"]}) (count by ({LABELS["pod"]}) (container:cpu_usage_cores:rate) > 1)""",
    ),
    *direction("receive", "received"),
    *direction("transmit", "transmitted"),
)
