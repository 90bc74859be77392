# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What helm says when it fails, as a message that says what to do."""

from __future__ import annotations

import os
import re

from .model import ReleaseError, Spec
from .program import Helm, HelmError

# What helm says when it fails, and what a person can do about it. The first that matches is taken.
_ADVICE: tuple[tuple[str, str], ...] = (
    (
        r"context .* does not exist|no context exists|invalid configuration",
        "The kubeconfig {kubeconfig} does not give access{context}: {detail}. "
        "Correct kubeconfig and context (inventory: continuum_kubeconfig, continuum_context).",
    ),
    (
        r"is forbidden|[Uu]nauthorized|provide credentials|must be logged in",
        "The Kubernetes API refuses this account: {detail}. Expected the right to manage release {name} in "
        "namespace {namespace}: use another kubeconfig or context, or grant it.",
    ),
    (
        r"don't meet the specifications of the schema",
        "The values of release {name} do not fit the chart's schema: {detail}. "
        "Correct them; `helm show values {chart}` lists what the chart takes.",
    ),
    (
        r"no chart version found|chart .* version .* not found|not found in .* (index|repository)"
        r"|improper constraint|no chart name found|could not locate a version|manifest unknown",
        "Chart {chart}{version}{repo} does not exist: {detail}. "
        "Expected a chart and a version that the repository has: `helm search repo --versions` lists them.",
    ),
    (
        r"not a valid chart repository|cannot be reached|failed to fetch|failed to download"
        r"|repo .* not found|failed to perform .* on source|dial tcp: lookup(?!.*cluster unreachable)",
        "Chart {chart}{version}{repo} cannot be downloaded: {detail}. "
        "Expected a repository that answers: check its address and the network, or give the chart as a path.",
    ),
    (
        r"[Cc]hart\.yaml file is missing|path .* not found|no such file or directory|file does not exist",
        "There is no chart at {chart}: {detail}. Expected a folder with a Chart.yaml, a .tgz archive, "
        "a name together with repo, or oci://.",
    ),
    (
        r"missing in charts/ directory|chart dependencies",
        "Chart {chart} lacks its dependencies: {detail}. Run `helm dependency build {chart}`.",
    ),
    (
        r"cluster unreachable|cluster reachability|connection refused|i/o timeout|no such host|TLS handshake"
        r"|certificate signed by unknown|EOF$|context deadline exceeded.*(GET|Get) ",
        "The Kubernetes API does not answer: {detail}. Expected a running cluster behind kubeconfig "
        "{kubeconfig}{context}: start it, or correct kubeconfig and context "
        "(inventory: continuum_kubeconfig, continuum_context).",
    ),
    (
        r"namespaces .* not found",
        "There is no namespace {namespace} for release {name}: {detail}. Create it, or set create_namespace to true.",
    ),
    (
        r"cannot be imported into the current release|invalid ownership metadata",
        "Release {name} would take over objects that are not its own: {detail}. "
        "Remove them, or the release that owns them, first.",
    ),
    (
        r"uninstallation completed with .*(deadline exceeded|timed out)",
        "Release {name} is removed, but not all of its objects are gone after {timeout}: {detail}. "
        "Look for finalizers that hold them, or for a cluster whose controllers do not run.",
    ),
    (
        r"another operation .* is in progress",
        "Another helm is changing release {name} right now: {detail}. Wait for it, then run this again.",
    ),
)


def explain(error: HelmError, spec: Spec, helm: Helm) -> ReleaseError:
    """One clear message for what helm wrote."""
    text = essence(str(error))
    facts = {
        "name": spec.name,
        "namespace": spec.namespace,
        "chart": spec.chart or spec.name,
        "version": f" version {spec.version}" if spec.version else "",
        "repo": f" of {spec.repo}" if spec.repo else "",
        "kubeconfig": helm.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config",
        "context": f" (context {helm.context})" if helm.context else "",
        "timeout": spec.timeout,
        "detail": text.rstrip("."),
    }
    for pattern, advice in _ADVICE:
        if re.search(pattern, text):
            return ReleaseError(advice.format(**facts))
    return ReleaseError(f"Release {spec.name} in namespace {spec.namespace}: helm failed: {text}")


def essence(text: str) -> str:
    """Helm's error without its log lines and warnings, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    logged = re.compile(r"^(level=|time=|I\d{4} |W\d{4} |E\d{4} |WARNING:|walk\.go:|\d{4}/\d\d/\d\d |Flag --)")
    kept = [line for line in lines if not logged.match(line)] or lines
    start = next((index for index, line in enumerate(kept) if line.startswith("Error:")), 0)
    joined = " ".join(kept[start:]).removeprefix("Error:").strip()
    return re.sub(r"^(UPGRADE FAILED|INSTALLATION FAILED): ", "", joined)
