# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What is deployed, and what would be."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from .advice import essence, explain
from .model import Json, Release, ReleaseError, Spec
from .program import Helm, HelmError


def latest(helm: Helm, spec: Spec) -> Json | None:
    """The latest entry of the release's history; None where there is none."""
    try:
        text = helm.cluster("history", spec.name, "--namespace", spec.namespace, "--output", "json", "--max", "1")
    except HelmError as error:
        if re.search(r"release: not found", str(error)):
            return None
        raise explain(error, spec, helm) from error
    entries: list[Json] = json.loads(text)
    return entries[-1] if entries else None


def deployed(helm: Helm, spec: Spec, history: Json | None = None) -> Release | None:
    """The latest revision of the release as the cluster has it; None where there is none."""
    history = history or latest(helm, spec)
    if not history:
        return None
    try:
        return as_release(helm.status(spec), spec, history)
    except HelmError as error:
        raise explain(error, spec, helm) from error


def as_release(data: Json, spec: Spec, history: Json | None = None) -> Release:
    info: Json = data.get("info") or {}
    metadata: Json = (data.get("chart") or {}).get("metadata") or {}
    history = history or {}
    chart = history.get("chart") or f"{metadata.get('name')}-{metadata.get('version')}"
    return Release(
        status=str(info.get("status", "unknown")),
        revision=int(data.get("version", 1)),
        manifest=str(data.get("manifest") or ""),
        hooks=tuple(sorted(str(hook.get("manifest") or "") for hook in data.get("hooks") or ())),
        config=data.get("config") or {},
        chart=str(chart),
        app_version=str(history.get("app_version") or metadata.get("appVersion") or ""),
        namespace=spec.namespace,
        resources=info.get("resources") or {},
    )


@dataclass(frozen=True)
class Rendering:
    release: Release
    # Why the cluster itself would render something else; None where it would not.
    caveat: str | None = None


def render(
    helm: Helm, spec: Spec, chart: str, values_file: str, *, pending: bool = False, validate: bool = True
) -> Rendering:
    """What an upgrade would deploy, rendered against the cluster. Validating it takes two thirds of the time."""
    common = [
        *[spec.name, chart, "--namespace", spec.namespace, "--values", values_file, "--output", "json"],
        *([] if validate else ["--disable-openapi-validation"]),
    ]
    # A dry run of an upgrade refuses a release that an interrupted run left pending; one of an install does not.
    command = ["install", *common] if pending else ["upgrade", "--install", *common]
    try:
        return Rendering(as_release(last_json(helm.cluster(*command, "--dry-run=server")), spec))
    except HelmError as error:
        missing = re.search(r'no matches for kind "([^"]+)"', str(error))
        if not missing:
            raise explain(error, spec, helm) from error
    # The chart brings that kind itself, or an earlier step of the same run does: the cluster cannot judge it yet.
    try:
        text = helm.cluster("install", *common, "--dry-run=client")
    except HelmError as error:
        raise explain(error, spec, helm) from error
    return Rendering(
        as_release(last_json(text), spec),
        f"The cluster does not know the kind {missing.group(1)} yet,"
        f" so release {spec.name} was rendered by Helm alone.",
    )


def last_json(text: str) -> Json:
    """Helm may write notices before its JSON."""
    result: Json = json.loads(text[text.index("{") :])
    return result


def at(helm: Helm, spec: Spec, revision: int) -> Release:
    """An earlier revision of the release."""
    try:
        return as_release(helm.status(spec, revision), spec)
    except HelmError as error:
        raise ReleaseError(
            f"Release {spec.name} in namespace {spec.namespace} has no revision {revision}: {essence(str(error))}. "
            f"`helm history {spec.name} --namespace {spec.namespace}` lists them."
        ) from error
