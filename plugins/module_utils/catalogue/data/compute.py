# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What CPU and memory have in common: one ladder from the cgroup to the cluster, limits, requests, and their use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..model import Metric
from .levels import ACTIVE, APPLICATION, CONTAINER, POD, over, quotient


@dataclass(frozen=True)
class Resource:
    """CPU or memory. `used` names what is used of it, `taken` the sample of a cgroup: a template with its matchers."""

    name: str
    title: str
    unit: str
    type: str
    used: str
    verb: str
    taken: str
    # How series of one container are put together; the operations in the names of records, of one cgroup and of many.
    merge: str
    one: str
    many: str
    # By level.
    source: Mapping[str, str] = field(default_factory=dict)
    differences: Mapping[str, str] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)

    def usage(self, level: str) -> str:
        """The record of what is used at a level."""
        return f"{level}:{self.used}:{self.one if level in ('process', 'container') else self.many}"

    def declared(self, level: str, what: str) -> str:
        """The record of limits or requests at a level."""
        return f"{level}:{self.name}_{what}_{self.unit}:{'max' if level == 'container' else 'sum'}"

    @property
    def word(self) -> str:
        """The title within a sentence."""
        return self.title if self.title.isupper() else self.title.lower()

    @property
    def size(self) -> str:
        """What a node has of the resource."""
        return "cores" if self.unit == "cores" else self.word

    @property
    def capacity(self) -> str:
        return f"node:{self.name}_capacity_{self.unit}:max"

    def sample(self, matchers: str) -> str:
        return self.taken % f"{{$cadvisor, {matchers}}}"


def ladder(resource: Resource) -> Iterator[Metric]:
    """What is used at every level, and what nodes and the cluster have."""
    title, unit, usage = resource.title, resource.unit, resource.usage

    def at(level: str, meaning: str, expr: str, absent: str = "", origin: str = "support") -> Metric:
        source = resource.source.get(level)
        return Metric(
            name=usage(level),
            category=resource.name,
            unit=unit,
            type=resource.type,
            meaning=f"{title} that {meaning}{resource.remarks.get(level, '')}.",
            expr=expr,
            origin="source" if source or level == "namespace" else origin,
            source=(source,) if source else (),
            difference=resource.differences.get(level, ""),
            absent=absent,
        )

    verb = resource.verb
    yield Metric(
        name=resource.capacity,
        category=resource.name,
        unit=unit,
        type="gauge",
        meaning=f"{resource.size.capitalize()} of a node.",
        expr=over("max", "node", f'kube_node_status_$node_size{{$kube_state_metrics, resource="{resource.name}"}}'),
        difference=resource.differences["capacity"],
    )
    # max: a kubelet that is scraped under two addresses tells the same twice.
    cgroups = "max by ($cluster, node, id) ({})".format(resource.sample('id=~"$node_cgroup"'))
    yield at("node", f"a node {verb}s, pods and system together", over("sum", "node", cgroups))
    yield Metric(
        name=f"node:{resource.name}_usage:ratio",
        category=resource.name,
        unit="ratio",
        type="ratio",
        meaning=f"Share of a node's {resource.size} in use.",
        expr=f"{usage('node')} / {resource.capacity}",
        warning=0.8,
        critical=0.95,
    )
    yield Metric(
        name=f"cluster:{resource.name}_capacity_{unit}:sum",
        category=resource.name,
        unit=unit,
        type="gauge",
        meaning=f"{resource.size.capitalize()} of all nodes; of one, where all stand on one machine.",
        expr=over("$cluster_size", "cluster", resource.capacity),
    )
    yield at("cluster", f"all nodes {verb}", over("sum", "cluster", usage("node")))
    both = "{}\nand on ($cluster, node) {}"
    yield Metric(
        name=f"cluster:{resource.name}_usage:percent",
        category=resource.name,
        unit="percent",
        type="percent",
        meaning=f"{title} in use over the {resource.word} of all nodes that report.",
        expr=f"""\
100 * {over("sum", "cluster", both.format(usage("node"), resource.capacity))}
/ {over("$cluster_size", "cluster", both.format(resource.capacity, usage("node")))}""",
        origin="source",
        source=(resource.source["percent"],),
        difference=resource.differences["percent"],
        warning=80,
        critical=95,
    )
    yield at(
        "process",
        f"the processes of a cgroup {verb}. The kubelet sees cgroups, not processes; a cgroup contains those below it, "
        "so never add them up",
        over("max", "process", resource.sample('id!="/"')),
    )

    def lives(level: str, matchers: str) -> str:
        # A container or pod that was made anew has two cgroups for a while.
        taken = resource.sample(matchers)
        return over(resource.merge, level, over("max", "process", taken) if resource.merge == "sum" else taken)

    yield at("container", f"a container {verb}s", lives("container", CONTAINER))
    yield at(
        "pod",
        f"the containers of a pod {verb}; where the runtime shows none, what its cgroup tells",
        f"{over('sum', 'pod', usage('container'))}\nor\n{lives('pod', POD)}",
    )
    yield at(
        "system_service",
        f"a system service of a node {verb}s, by its unit",
        over(
            "sum",
            "system_service",
            "label_replace(\n  "
            + over("max", "process", resource.sample('id=~"$service_cgroup", namespace=""'))
            + ',\n  "unit", "$$1", "id", ".*/([^/]+)"\n)',
        ),
        absent="the hosts have no systemd, or the kubelet does not account their services",
    )
    yield at("namespace", f"the pods of a namespace {verb}", over("sum", "namespace", usage("pod")))
    of_pods = over("sum", "application", f"{usage('pod')}\n{APPLICATION}")
    yield at("application", f"an application {verb}s", of_pods, origin="requirement")


def running(series: str) -> str:
    """kube-state-metrics' series of the containers that run as long as their pod: native sidecars (init containers with
    restartPolicy Always) are such, too. In `series`, %s stands for container or init_container."""
    sidecar = 'kube_pod_init_container_info{$kube_state_metrics, restart_policy="Always"}'
    return f"""\
{series % "container"}
or
{series % "init_container"}
  and on ($cluster, namespace, pod, container) {sidecar}"""


def declared(resource: Resource, what: str, category: str, origin: str, absent: str) -> Iterator[Metric]:
    """Limits or requests, as the API has them."""
    title = resource.title
    for level, meaning, expr in (
        (
            "container",
            f"{title} {what} of a container.",
            over(
                "max",
                "container",
                running(f'kube_pod_%s_resource_{what}s{{$kube_state_metrics, resource="{resource.name}"}}'),
            )
            + f"\n{ACTIVE}",
        ),
        (
            "pod",
            f"{title} {what}s of a pod's containers that have one.",
            over("sum", "pod", resource.declared("container", what)),
        ),
        (
            "namespace",
            f"{title} {what}s of a namespace's containers that have one.",
            over("sum", "namespace", resource.declared("pod", what)),
        ),
    ):
        yield Metric(
            name=resource.declared(level, what),
            category=category,
            unit=resource.unit,
            type="gauge",
            meaning=meaning,
            expr=expr,
            origin=origin,
            difference=(
                f"Pods that have ended keep their {what}s in the API and hold nothing: only active pods count."
                if level == "container"
                else ""
            ),
            absent=absent,
        )


def limits(resource: Resource) -> Iterator[Metric]:
    """Limits, and usage over them: the quota of an application."""
    absent = f"no container has a {resource.word} limit"
    yield from declared(resource, "limit", resource.name, "candidate", absent)
    usage, limit = resource.usage("container"), resource.declared("container", "limit")
    for level, meaning, expr in (
        (
            "container",
            f"{resource.title} that a container {resource.verb}s over its limit{resource.remarks.get('limit', '')}.",
            f"{usage} / ({limit} > 0)",
        ),
        *(
            (
                level,
                f"{resource.title} that a {level}'s containers with a limit {resource.verb}, over these limits.",
                quotient(over("sum", level, f"{usage} and {limit}"), resource.declared(level, "limit")),
            )
            for level in ("pod", "namespace")
        ),
    ):
        yield Metric(
            name=f"{level}:{resource.name}_limit_usage:ratio",
            category=resource.name,
            unit="ratio",
            type="ratio",
            meaning=meaning,
            expr=expr,
            origin="candidate",
            absent=absent,
            warning=0.8,
            critical=0.95,
        )


NO_REQUEST = "no container has such a request"


def efficiency(resource: Resource) -> Iterator[Metric]:
    """Requests, and what is used of them."""
    yield from declared(resource, "request", "application", "requirement", NO_REQUEST)
    request = resource.declared("pod", "request")
    yield Metric(
        name=resource.declared("application", "request"),
        category="application",
        unit=resource.unit,
        type="gauge",
        meaning=f"{resource.title} that the pods of an application request.",
        expr=over("sum", "application", f"{request}\n{APPLICATION}"),
        origin="requirement",
        absent=NO_REQUEST,
    )
    used = f"{resource.usage('pod')} and {request} > 0"
    for level, pods in (("namespace", used), ("application", f"({used})\n{APPLICATION}")):
        yield Metric(
            name=f"{level}:{resource.name}_efficiency:ratio",
            category="application",
            unit="ratio",
            type="ratio",
            meaning=(
                f"Resource efficiency: {resource.word} used over "
                "requested, of the pods that request it. Above 1 more is used than asked for, far below 1 room is set "
                "aside for nothing."
            ),
            expr=quotient(over("sum", level, pods), resource.declared(level, "request")),
            origin="requirement",
            difference=(
                "What pods that wait, or whose node does not answer, request counts too: room is set aside for them."
            ),
            absent=NO_REQUEST,
        )
