# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""From one revision of a release to another."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable

from .advice import essence, explain
from .model import Json, Release, ReleaseError, Spec
from .program import Helm, HelmError
from .reading import as_release, last_json
from .waiting import WATCH_INTERVAL, Watcher, seconds, shorten


def recover(helm: Helm, spec: Spec, old: Release) -> str:
    """Frees a release that an interrupted run left pending. Returns what was done."""
    try:
        history: list[Json] = json.loads(
            helm.cluster("history", spec.name, "--namespace", spec.namespace, "--output", "json")
        )
        good = [int(entry["revision"]) for entry in history if entry.get("status") in ("deployed", "superseded")]
        if not good or old.status in ("pending-install", "uninstalling"):
            _uninstall(helm, spec)
            return f"Release {spec.name} was left {old.status} by an interrupted run; what there was of it was removed."
        # The upgrade that follows waits; the roll-back does not.
        where = ["--namespace", spec.namespace, "--timeout", spec.timeout]
        helm.cluster("rollback", spec.name, str(max(good)), *where, timeout=None)
    except HelmError as error:
        raise explain(error, spec, helm) from error
    return f"Release {spec.name} was left {old.status} by an interrupted run; it was set back to revision {max(good)}."


def upgrade(
    helm: Helm, spec: Spec, chart: str, values_file: str, old: Release | None, tell: Callable[[str], None]
) -> Release:
    """Installs or upgrades, waits until it is ready, and rolls back where that fails."""
    arguments = [
        *["upgrade", "--install", spec.name, chart, "--namespace", spec.namespace],
        *["--values", values_file, "--output", "json", "--wait", "--timeout", spec.timeout, "--history-max", "10"],
        *(["--create-namespace"] if spec.create_namespace else []),
    ]
    if spec.rollback_on_failure:
        arguments.append("--rollback-on-failure" if helm.major >= 4 else "--atomic")
    started = time.time()
    interval = min(WATCH_INTERVAL, max(1.0, seconds(spec.timeout) / 3))
    with Watcher(helm, spec, tell, interval) as watcher:
        try:
            return as_release(last_json(helm.cluster(*arguments, timeout=None)), spec)
        except HelmError as error:
            failed = error
    raise _failure(failed, helm, spec, old, watcher.lacks, time.time() - started) from failed


def _failure(
    error: HelmError, helm: Helm, spec: Spec, old: Release | None, lacks: list[str], took: float
) -> ReleaseError:
    text = essence(str(error))
    waited = re.search(r"not ready|deadline exceeded|timed out|progress deadline", text)
    if not waited and not lacks:
        return explain(error, spec, helm)
    if not spec.rollback_on_failure:
        after = "It was left as it is (rollback_on_failure is false)."
    elif re.search(r"error occurred while (rolling back|uninstalling|finding)|unable to find a previously", text):
        after = "Rolling it back failed as well: see helm's message."
    elif old:
        after = f"It was rolled back to what ran before (revision {old.revision})."
    else:
        after = "It was removed again."
    parts = [
        f"Release {spec.name} in namespace {spec.namespace} did not become ready"
        f" ({took:.0f} s, timeout {spec.timeout}). {after}"
    ]
    if lacks:
        parts.append(f"Not ready: {shorten(lacks, 6)}.")
    parts.append(f"Helm said: {text[:600]}")
    return ReleaseError(" ".join(parts))


def roll_back(helm: Helm, spec: Spec, revision: int) -> None:
    """Deploys an earlier revision once more, and waits until it is ready."""
    where = ["--namespace", spec.namespace, "--wait", "--timeout", spec.timeout]
    try:
        helm.cluster("rollback", spec.name, str(revision), *where, timeout=None)
    except HelmError as error:
        raise explain(error, spec, helm) from error


def uninstall(helm: Helm, spec: Spec) -> None:
    """Removes the release and waits until its objects, and the pods that they own, are gone."""
    try:
        _uninstall(helm, spec)
    except HelmError as error:
        raise explain(error, spec, helm) from error


def _uninstall(helm: Helm, spec: Spec) -> None:
    helm.cluster(
        *["uninstall", spec.name, "--namespace", spec.namespace, "--ignore-not-found", "--cascade", "foreground"],
        # Helm 4's watcher takes objects that it has not heard of yet for gone, and may end before they are.
        *["--wait=legacy" if helm.major >= 4 else "--wait", "--timeout", spec.timeout],
        timeout=None,
    )
