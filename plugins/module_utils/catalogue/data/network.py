# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Network. The kubelet accounts it per pod sandbox: containers of a pod share one network namespace."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Metric

NOT_SPLIT = (
    "The kernel counts the traffic of a network namespace, which a pod's containers share. A pod with one container "
    "gives that container its traffic; for a pod with several the series has no container label. Nothing is split by "
    "guess, and the sum over a pod is the pod's."
)
OWN_NAMESPACE = (
    "The cgroup of a pod's sandbox holds the network namespace: there is one series per pod, under the sandbox's "
    "id. lo "
    "is left out. A pod of the host's network shows the node's interfaces and has no traffic of its own: only pods "
    "that the API says are not of the host's network count."
)


def direction(verb: str, verbed: str) -> Iterator[Metric]:
    """Every level of one direction."""
    raw = f"container_network_{verb}_bytes_total"
    yield Metric(
        name=f"process:network_{verb}_bytes:rate",
        category="network",
        unit="bytes/s",
        type="rate",
        meaning=f"Bytes per second {verbed} by the processes of a network namespace, by the cgroup that holds it.",
        expr=f"""\
sum by ($cluster, node, id, namespace, pod) (
  rate({raw}{{$cadvisor, interface!="lo", pod!=""}}[$window])
)
and on ($cluster, namespace, pod) kube_pod_info{{$kube_state_metrics, host_network="false"}}""",
        origin="source",
        source=(f'sum(rate({raw}{{id!="/",kubernetes_io_hostname=~"^.*$"}}[1m])) by (id)',),
        difference=OWN_NAMESPACE,
    )
    yield Metric(
        name=f"pod:network_{verb}_bytes:rate",
        category="network",
        unit="bytes/s",
        type="rate",
        meaning=f"Bytes per second {verbed} by a pod; host-network pods are left out.",
        expr=f"sum by ($cluster, node, namespace, pod) (process:network_{verb}_bytes:rate)",
        origin="source",
        source=(f'sum(rate({raw}{{image!="",name=~"^k8s_.*",kubernetes_io_hostname=~"^.*$"}}[1m])) by (pod_name)',),
        difference="pod_name is pod today. " + OWN_NAMESPACE,
    )
    yield Metric(
        name=f"container:network_{verb}_bytes:rate",
        category="network",
        unit="bytes/s",
        type="rate",
        meaning=(
            f"Bytes per second {verbed} by a container, where the pod has one only; else by its containers together."
        ),
        expr=f"""\
pod:network_{verb}_bytes:rate
  * on ($cluster, node, namespace, pod) group_left (container) pod:only_container:max
or
pod:network_{verb}_bytes:rate unless on ($cluster, node, namespace, pod) pod:only_container:max""",
        origin="source",
        source=(
            f'sum(rate({raw}{{image!="",name!~"^k8s_.*",kubernetes_io_hostname=~"^.*$"}}[1m])) '
            "by (kubernetes_io_hostname,name,image)",
        ),
        difference=NOT_SPLIT,
    )
    yield Metric(
        name=f"namespace:network_{verb}_bytes:rate",
        category="network",
        unit="bytes/s",
        type="rate",
        meaning=f"Bytes per second {verbed} by the pods of a namespace; host-network pods are left out.",
        expr=f"sum by ($cluster, namespace) (pod:network_{verb}_bytes:rate)",
        origin="source",
        source=(
            f'sum(rate({raw}{{container!="",name=~"^k8s_.*",kubernetes_io_hostname=~"^.*$"}}[1m])) by (namespace)',
        ),
        difference=(
            "Today's sandbox has container=\"\", so the source's query finds nothing. The sum of the pods, so that the "
            "levels agree."
        ),
    )
    yield Metric(
        name=f"node:network_{verb}_bytes:rate",
        category="network",
        unit="bytes/s",
        type="rate",
        meaning=f"Bytes per second {verbed} by a node's own interfaces.",
        expr=f"""\
sum by ($cluster, node) (
  rate(node_network_{verb}_bytes_total{{$node_exporter, device!~"$virtual_interfaces"}}[$window])
)""",
        difference=(
            "node-exporter's interfaces of the node. Bridges, veth pairs and tunnels carry traffic that a real "
            "interface or a pod counts already, and are left out."
        ),
    )
    yield Metric(
        name=f"cluster:network_{verb}_bytes:rate",
        category="network",
        unit="bytes/s",
        type="rate",
        meaning=f"Bytes per second {verbed} by all nodes: the I/O pressure on the cluster's network.",
        expr=f"sum by ($cluster) (node:network_{verb}_bytes:rate)",
        origin="source",
        source=(f'sum(rate({raw}{{kubernetes_io_hostname=~"^.*$"}}[1m]))',),
        difference=(
            "The source adds the machine's interfaces, every pod's and lo: most bytes twice or more. Ours counts each "
            "byte once, where it enters or leaves a node."
        ),
    )
    for level, of, by, matchers, exporter, prefix in (
        (
            "node",
            "a node's own interfaces",
            "$cluster, node",
            'device!~"$virtual_interfaces"',
            "$node_exporter",
            "node_network",
        ),
        (
            "pod",
            "a pod",
            "$cluster, node, namespace, pod",
            'interface!="lo", pod!=""',
            "$cadvisor",
            "container_network",
        ),
    ):
        counter = f"{prefix}_{verb}_drop_total" if level == "node" else f"{prefix}_{verb}_packets_dropped_total"
        expr = f"""\
sum by ({by}) (
  rate({counter}{{{exporter}, {matchers}}}[$window])
)"""
        if level == "pod":
            expr += '\nand on ($cluster, namespace, pod) kube_pod_info{$kube_state_metrics, host_network="false"}'
        yield Metric(
            name=f"{level}:network_{verb}_dropped_packets:rate",
            category="network",
            unit="packets/s",
            type="rate",
            meaning=f"Packets per second dropped where {of} {verb}s.",
            expr=expr,
            origin="candidate",
            difference="" if level == "node" else OWN_NAMESPACE,
            warning=1,
        )


METRICS = (
    Metric(
        name="pod:only_container:max",
        category="network",
        unit="info",
        type="info",
        meaning="1 for a pod that runs one container only, with that container's name.",
        expr="""\
0 * container:cpu_usage_cores:rate + 1
and on ($cluster, node, namespace, pod)
count by ($cluster, node, namespace, pod) (container:cpu_usage_cores:rate) == 1""",
    ),
    *direction("receive", "received"),
    *direction("transmit", "transmitted"),
)
