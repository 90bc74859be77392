# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The difference between two releases."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .. import kubernetes_yaml
from .model import Json, Release, ReleaseError, Spec


def split(manifest: str) -> list[Json]:
    objects: list[Json] = []
    for document in kubernetes_yaml.load_all(manifest):
        if isinstance(document, dict):
            objects.extend(document["items"] if document.get("kind") == "List" else [document])
    return objects


def title(obj: Json) -> str:
    metadata = obj.get("metadata") or {}
    namespace = metadata.get("namespace")
    return f"{obj.get('kind', '?')} {namespace + '/' if namespace else ''}{metadata.get('name', '?')}"


def by_title(manifest: str) -> dict[str, Json]:
    objects: dict[str, Json] = {}
    for obj in split(manifest):
        name = title(obj)
        # Two API groups may have a kind of the same name.
        objects[f"{name} ({obj.get('apiVersion')})" if name in objects else name] = obj
    return objects


@dataclass(frozen=True)
class Change:
    """One object that differs. None stands for its absence."""

    title: str
    before: Json | None
    after: Json | None


@dataclass(frozen=True)
class Difference:
    objects: list[Change]
    # Objects of the release that someone deleted from the cluster.
    missing: list[str]
    values: Change | None
    chart: tuple[str, str] | None
    failed: bool

    def __bool__(self) -> bool:
        return bool(self.objects or self.missing or self.values or self.chart or self.failed)


def compare(old: Release | None, new: Release | None) -> Difference:
    before = old.manifest + _hook_documents(old) if old else ""
    after = new.manifest + _hook_documents(new) if new else ""
    changes: list[Change] = []
    if before != after:
        left, right = by_title(before), by_title(after)
        changes = [
            Change(name, left.get(name), right.get(name))
            for name in sorted({*left, *right})
            if left.get(name) != right.get(name)
        ]
    old_values, new_values = old.config if old else {}, new.config if new else {}
    both = old and new
    return Difference(
        objects=changes,
        missing=_missing(old) if old and both else [],
        values=Change("values", old_values or None, new_values or None) if old_values != new_values else None,
        chart=(old.chart, new.chart) if old and new and old.chart != new.chart else None,
        failed=bool(old and both and old.status == "failed"),
    )


def chart_name(chart: str) -> str:
    """The name in name-version. Names have hyphens, too; versions begin with three numbers."""
    return re.sub(r"-v?\d+\.\d+\.\d+[\w.+-]*$", "", chart)


def refuse_other_chart(spec: Spec, old: Release, new: Release) -> None:
    """Another chart under the same name is most often a mistake, and would replace all that runs."""
    if chart_name(old.chart) != chart_name(new.chart):
        raise ReleaseError(
            f"Release {spec.name} in namespace {spec.namespace} is of chart {old.chart}. Expected chart "
            f"{chart_name(new.chart)}. Remove the release first (state absent), or set replace_chart to true."
        )


def _hook_documents(release: Release) -> str:
    return "".join(f"\n---\n{hook}" for hook in release.hooks)


# Group, kind, namespace and name: what the API tells objects apart by.
Identity = tuple[str, str, str, str]


def _identity(obj: Json, namespace: str) -> Identity:
    return (
        str(obj.get("apiVersion") or "").rpartition("/")[0],
        str(obj.get("kind") or ""),
        namespace,
        str((obj.get("metadata") or {}).get("name") or ""),
    )


def _namespace(obj: Json) -> str:
    return str((obj.get("metadata") or {}).get("namespace") or "")


def _missing(release: Release) -> list[str]:
    """Objects that the release has and the cluster has not."""
    if not release.resources or release.status != "deployed":
        return []
    live = {_identity(obj, _namespace(obj)) for objects in release.resources.values() for obj in objects}

    def is_live(obj: Json) -> bool:
        # A manifest may leave out the namespace of the release, and may name one for an object of the whole cluster.
        return any(_identity(obj, namespace) in live for namespace in (_namespace(obj) or release.namespace, ""))

    return sorted(title(obj) for obj in split(release.manifest) if not is_live(obj))


def removal(old: Release) -> Difference:
    """What an uninstall takes away: all but what the chart keeps, and hooks, which are not the release's."""
    keep = "helm.sh/resource-policy"
    changes = [
        Change(name, obj, None)
        for name, obj in sorted(by_title(old.manifest).items())
        if ((obj.get("metadata") or {}).get("annotations") or {}).get(keep) != "keep"
    ]
    return Difference(changes, [], None, None, failed=False)
