# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Labels and taints of nodes: what a site wants, without a look at what others put there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import KubernetesApi, Object

K = TypeVar("K")
V = TypeVar("V")
# Where a node keeps what was given to it, so that it can be taken away again.
ANNOTATION = "continuum.edge/given"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
TAINT = re.compile(rf"(?P<key>[^=:\s]+)(?:=(?P<value>[^=:\s]*))?:(?P<effect>{'|'.join(EFFECTS)})")


class NodesError(Exception):
    """What is wanted cannot be done; the text says what was found and what to do."""


@dataclass(frozen=True)
class Taint:
    key: str
    effect: str
    value: str = ""

    @classmethod
    def parse(cls, text: str) -> Taint:
        match = TAINT.fullmatch(text)
        if not match:
            raise NodesError(
                f"'{text}' is no taint. Expected key=value:effect or key:effect with an effect of {', '.join(EFFECTS)}."
            )
        return cls(match["key"], match["effect"], match["value"] or "")

    @classmethod
    def of(cls, taint: Object) -> Taint:
        return cls(taint["key"], taint["effect"], taint.get("value", ""))

    def body(self) -> Object:
        return {"key": self.key, "effect": self.effect} | ({"value": self.value} if self.value else {})

    def __str__(self) -> str:
        return f"{self.key}{'=' if self.value else ''}{self.value}:{self.effect}"


@dataclass
class Marks:
    """Labels, and taints by key and effect, of which a node has one each."""

    labels: dict[str, str] = field(default_factory=dict)
    taints: dict[tuple[str, str], Taint] = field(default_factory=dict)

    @classmethod
    def of(cls, labels: Mapping[str, Any], taints: Iterable[str]) -> Marks:
        parsed = [Taint.parse(taint) for taint in taints]
        return cls({key: text(value) for key, value in labels.items()}, {(t.key, t.effect): t for t in parsed})

    def written(self) -> Object:
        return {"labels": dict(sorted(self.labels.items())), "taints": sorted(str(t) for t in self.taints.values())}

    def __bool__(self) -> bool:
        return bool(self.labels or self.taints)


def text(value: Any) -> str:
    """What YAML reads as a number or a truth is a text in a label."""
    return json.dumps(value) if isinstance(value, bool) else str(value)


def taints_of(node: Object) -> dict[Taint, Object]:
    return {Taint.of(each): each for each in node.get("spec", {}).get("taints") or ()}


def present(node: Object) -> Marks:
    return Marks(dict(node["metadata"].get("labels") or {}), {(t.key, t.effect): t for t in taints_of(node)})


def given(node: Object) -> tuple[Marks, Marks]:
    """What an earlier run gave to the node, and what the node had in its place."""
    kept: Object = json.loads((node["metadata"].get("annotations") or {}).get(ANNOTATION) or "{}")
    had: Object = kept.get("had", {})
    return (
        Marks.of(kept.get("labels", {}), kept.get("taints", ())),
        Marks.of(had.get("labels", {}), had.get("taints", ())),
    )


def settle(
    now: Mapping[K, V], wanted: Mapping[K, V], before: Mapping[K, V], had: Mapping[K, V]
) -> tuple[dict[K, V], dict[K, V], dict[K, V]]:
    """What the node is to have, what of it this run and earlier ones give, and what the node had in place of that."""
    after = dict(now)
    for key in before.keys() - wanted.keys():
        # A value that somebody has changed since belongs to them.
        if now.get(key) == before[key]:
            del after[key]
            after |= {key: had[key]} if key in had else {}
    ours = {key: value for key, value in wanted.items() if key in before or now.get(key) != value}
    return (
        after | dict(wanted),
        ours,
        {key: (had if key in before else now)[key] for key in ours if key in (had if key in before else now)},
    )


def plan(node: Object, wanted: Marks) -> tuple[Object, Object]:
    """The labels and taints that the node is to have, and what of them was given to it.

    What an earlier run gave and nobody wants any more goes, and what the node had in its place comes back.
    """
    now, (before, had) = present(node), given(node)
    labels, our_labels, had_labels = settle(now.labels, wanted.labels, before.labels, had.labels)
    taints, our_taints, had_taints = settle(now.taints, wanted.taints, before.taints, had.taints)
    ours, displaced = Marks(our_labels, our_taints), Marks(had_labels, had_taints)
    kept = ours.written() if ours else {}
    return Marks(labels, taints).written(), kept | ({"had": displaced.written()} if displaced else {})


def patch(node: Object, wanted: Marks) -> Object:
    """A merge patch that brings the node there; empty where it is there already."""
    now = present(node)
    after, given_now = plan(node, wanted)
    body: Object = {}
    if after["labels"] != now.written()["labels"]:
        # In a merge patch, null takes a key away.
        body["metadata"] = {"labels": {key: None for key in now.labels if key not in after["labels"]} | after["labels"]}
    if after["taints"] != now.written()["taints"]:
        # One that is there already keeps its other fields, such as the time of a NoExecute.
        taints = taints_of(node)
        body["spec"] = {"taints": [taints.get(taint) or taint.body() for taint in map(Taint.parse, after["taints"])]}
    kept = json.dumps(given_now) if given_now else None
    if kept != (node["metadata"].get("annotations") or {}).get(ANNOTATION):
        body.setdefault("metadata", {})["annotations"] = {ANNOTATION: kept}
    if body:
        # The list of taints is replaced as a whole: not where somebody else has changed it meanwhile.
        body.setdefault("metadata", {})["resourceVersion"] = node["metadata"]["resourceVersion"]
    return body


class Cluster(KubernetesApi):
    """What labels and taints ask of the Kubernetes API."""

    def nodes(self) -> list[Object]:
        return self.list_objects("v1", "Node")

    def patch(self, name: str, body: Object, *, dry_run: bool) -> None:
        # The API server checks names and values of labels in a dry run, too.
        self.merge_patch("v1", "Node", name, body, dry_run=dry_run)


def apply(cluster: Cluster, wanted: Mapping[str, Marks], *, dry_run: bool) -> list[Object]:
    """Bring the named nodes there. Returns what each that changed had and has."""
    nodes = {node["metadata"]["name"]: node for node in cluster.nodes()}
    if unknown := sorted(wanted.keys() - nodes.keys()):
        raise NodesError(
            f"The cluster has no node {', '.join(unknown)}. It has {', '.join(sorted(nodes)) or 'none'}: correct"
            " node_name of the host, or let the node join the cluster first."
        )
    patches = {name: patch(nodes[name], marks) for name, marks in wanted.items()}
    changes = []
    for name, body in patches.items():
        if body:
            cluster.patch(name, body, dry_run=dry_run)
            after, _record = plan(nodes[name], wanted[name])
            changes.append({"name": name, "before": present(nodes[name]).written(), "after": after})
    return changes
