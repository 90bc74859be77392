# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Helm releases: what is deployed, what would be, the difference, and the way from one to the other.

Everything goes through the ``helm`` program (3.13 or newer, or 4). Reading costs three calls: the latest entry of the
release's history, then at once the release as the cluster has it and a server-side dry run that renders the chart
against the API's own capabilities. Where these say the same thing, nothing else is called.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

Json = dict[str, Any]

# Seconds for a call that only reads. Helm has no time-out of its own for these.
READ_TIMEOUT = 60
# Seconds between two looks at what a waiting release lacks.
WATCH_INTERVAL = 10.0

PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


class ReleaseError(Exception):
    """What was found, what was expected, what to do: for the person who runs the playbook."""


@dataclass(frozen=True)
class Spec:
    """The release that is wanted."""

    name: str
    namespace: str
    chart: str = ""
    repo: str | None = None
    version: str | None = None
    values: Json = field(default_factory=dict)
    create_namespace: bool = True
    timeout: str = "5m"
    rollback_on_failure: bool = True


@dataclass(frozen=True)
class Release:
    """A release, deployed or rendered."""

    status: str
    revision: int
    manifest: str
    hooks: tuple[str, ...]
    config: Json
    # name-version, as `helm list` shows it
    chart: str
    app_version: str
    namespace: str = ""
    # What the cluster has of it now: kind -> objects.
    resources: Mapping[str, list[Json]] = field(default_factory=dict)


# Programs


class Helm:
    """The helm program with its access to one cluster."""

    def __init__(self, program: str = "helm", kubeconfig: str | None = None, context: str | None = None) -> None:
        self.program = program
        self.kubeconfig = kubeconfig
        self.context = context
        self._access = [
            *(["--kubeconfig", kubeconfig] if kubeconfig else []),
            *(["--kube-context", context] if context else []),
        ]
        if kubeconfig and not Path(kubeconfig).is_file():
            raise ReleaseError(
                f"There is no kubeconfig {kubeconfig}. Expected the file that gives access to the cluster: "
                "start the cluster that writes it, or correct kubeconfig (inventory: continuum_kubeconfig)."
            )

    def call(self, *arguments: str, timeout: float | None = READ_TIMEOUT) -> str:
        """Standard output of ``helm arguments``; its error as :class:`HelmError`."""
        try:
            done = subprocess.run(
                [self.program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise HelmMissingError(self.program) from error
        except subprocess.TimeoutExpired as error:
            raise HelmError(f"Kubernetes cluster unreachable: no answer within {timeout:.0f} s") from error
        except OSError as error:
            raise ReleaseError(
                f"Cannot run {self.program}: {error.strerror}. Expected the helm program there."
            ) from error
        if done.returncode:
            raise HelmError(done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}")
        return done.stdout

    def cluster(self, *arguments: str, timeout: float | None = READ_TIMEOUT) -> str:
        """A call that talks to the cluster."""
        return self.call(*arguments, *self._access, timeout=timeout)

    def status(self, spec: Spec, revision: int = 0) -> Json:
        """The release as the cluster has it, with its objects and their pods. Helm 3 gives them on request only."""
        earlier = ("--revision", str(revision)) if revision else ()
        command = ("status", spec.name, "--namespace", spec.namespace, "--output", "json", *earlier)
        state: Json = json.loads(self.cluster(*command))
        # Only then is it worth a call to ask which Helm it is; Helm 4 does not know the flag.
        if not (state.get("info") or {}).get("resources") and self.major == 3:
            state = json.loads(self.cluster(*command, "--show-resources"))
        return state

    @cached_property
    def major(self) -> int:
        version = self.call("version", "--template", "{{.Version}}")
        found = re.match(r"v?(\d+)\.", version)
        if not found or int(found.group(1)) not in (3, 4):
            raise ReleaseError(f"{self.program} says it is version {version.strip()!r}. Expected Helm 3 or 4.")
        return int(found.group(1))


class HelmError(Exception):
    """What helm wrote when it failed, as it is."""


class HelmMissingError(ReleaseError):
    def __init__(self, program: str) -> None:
        super().__init__(
            f"There is no program {program}. Expected Helm 3 or 4: run the role continuum.edge.helm first, "
            "or name it (inventory: continuum_helm)."
        )


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
    text = _essence(str(error))
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


def _essence(text: str) -> str:
    """Helm's error without its log lines and warnings, on one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    logged = re.compile(r"^(level=|time=|I\d{4} |W\d{4} |E\d{4} |WARNING:|walk\.go:|\d{4}/\d\d/\d\d |Flag --)")
    kept = [line for line in lines if not logged.match(line)] or lines
    start = next((index for index, line in enumerate(kept) if line.startswith("Error:")), 0)
    joined = " ".join(kept[start:]).removeprefix("Error:").strip()
    return re.sub(r"^(UPGRADE FAILED|INSTALLATION FAILED): ", "", joined)


# Charts


def cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "continuum.edge" / "charts"


def is_remote(spec: Spec) -> bool:
    """Whether the chart has to be fetched: all but a path."""
    if spec.repo or re.match(r"(oci|https?)://", spec.chart):
        return True
    return not Path(spec.chart).expanduser().exists() and bool(re.fullmatch(r"[\w.-]+/[\w.-]+", spec.chart))


def locate(helm: Helm, spec: Spec, scratch: Path) -> str:
    """The chart as a path. A published version never changes, so it is downloaded once and kept."""
    if not is_remote(spec):
        path = Path(spec.chart).expanduser()
        if not path.exists():
            raise explain(HelmError(f"path {spec.chart} not found"), spec, helm)
        return str(path)
    exact = bool(spec.version and re.fullmatch(r"v?\d+\.\d+\.\d+[\w.+-]*", spec.version))
    identity = json.dumps([spec.repo, spec.chart, spec.version])
    kept = cache_directory() / hashlib.sha256(identity.encode()).hexdigest()[:24]
    if exact and (archives := sorted(kept.glob("*.tgz"))):
        return str(archives[0])
    arguments = [
        *(["--repo", spec.repo] if spec.repo else []),
        *(["--version", spec.version] if spec.version else []),
    ]
    try:
        helm.call("pull", spec.chart, *arguments, "--destination", str(scratch), timeout=300)
    except HelmError as error:
        # Helm's words for a server that does not answer are the same for a repository and for a cluster.
        known = explain(error, spec, helm)
        missing = re.search(r" does not exist: ", str(known))
        raise known if missing else explain(HelmError(f"failed to download: {error}"), spec, helm) from error
    archive = next(scratch.glob("*.tgz"))
    if not exact:
        return str(archive)
    try:
        kept.mkdir(parents=True, exist_ok=True)
        # In two steps, so that an interrupted copy is never taken for the chart.
        partial = kept / f".{os.getpid()}.part"
        partial.write_bytes(archive.read_bytes())
        partial.replace(kept / archive.name)
    except OSError:
        return str(archive)
    return str(kept / archive.name)


# One at a time


@contextmanager
def exclusive(helm: Helm, spec: Spec, tell: Callable[[str], None]) -> Iterator[None]:
    """No other run on this host changes the release: what that has begun is not what an interrupted run left."""
    identity = json.dumps([helm.kubeconfig or os.environ.get("KUBECONFIG"), helm.context, spec.namespace, spec.name])
    path = cache_directory().parent / "locks" / hashlib.sha256(identity.encode()).hexdigest()[:24]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise ReleaseError(
            f"Cannot write {path}: {error.strerror}. Set XDG_CACHE_HOME to a folder that can be written."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"another run is changing {spec.name}: waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# Reading


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
        return _release(helm.status(spec), spec, history)
    except HelmError as error:
        raise explain(error, spec, helm) from error


def _release(data: Json, spec: Spec, history: Json | None = None) -> Release:
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
    # Why it is not what the cluster itself would render, if so.
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
        return Rendering(_release(_last_json(helm.cluster(*command, "--dry-run=server")), spec))
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
        _release(_last_json(text), spec),
        f"The cluster does not know the kind {missing.group(1)} yet,"
        f" so release {spec.name} was rendered by Helm alone.",
    )


def _last_json(text: str) -> Json:
    """Helm may write notices before its JSON."""
    result: Json = json.loads(text[text.index("{") :])
    return result


# Comparing


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """As Kubernetes reads YAML: an equals sign (operators' definitions list it) and a date are text."""


for _tag in ("value", "timestamp"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_tag}", _Loader.construct_yaml_str)


def split(manifest: str) -> list[Json]:
    objects: list[Json] = []
    for document in yaml.load_all(manifest, Loader=_Loader):
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


# Showing

_SENSITIVE = re.compile(
    r"(password|passwd|passphrase|token|secret|secret_?key|access_?key|api_?key|private_?key|credentials?)$",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"^existing|^automount|^use|^create|^enable|name$", re.IGNORECASE)


def is_sensitive(key: str) -> bool:
    return bool(_SENSITIVE.search(key)) and not _REFERENCE.search(key)


def sensitive_strings(value: Any, *, inside: bool = False) -> Iterator[str]:
    """Every string below a key that names a secret."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from sensitive_strings(item, inside=inside or is_sensitive(str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from sensitive_strings(item, inside=inside)
    elif inside and isinstance(value, str) and len(value) > 2:
        yield value


def hidden(before: Any, after: Any) -> tuple[Any, Any]:
    """Both sides of a difference with the secrets taken out, but with what changed still to be seen."""
    return _hide(before, after, "before"), _hide(after, before, "after")


def _hide(value: Any, other: Any, side: str, *, inside: bool = False) -> Any:
    if isinstance(value, Mapping):
        peer = other if isinstance(other, Mapping) else {}
        secret = value.get("kind") == "Secret"
        return {
            key: _hide(
                item,
                peer.get(key),
                side,
                inside=inside or (secret and key in ("data", "stringData")) or is_sensitive(str(key)),
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        peers = other if isinstance(other, list) else []
        return [
            _hide(item, peers[index] if index < len(peers) else None, side, inside=inside)
            for index, item in enumerate(value)
        ]
    if not inside or value is None or isinstance(value, bool):
        return value
    return "(hidden)" if value == other or other is None else f"(hidden, {side})"


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Multi-line text as a block, so that a difference shows its lines."""


def _text(dumper: Any, value: str) -> Any:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def dump(value: Any) -> str:
    return "" if value is None else str(yaml.dump(value, Dumper=_Dumper, sort_keys=True, width=1000))


def diffs(difference: Difference) -> list[dict[str, str]]:
    """The difference in the form that Ansible shows with --diff."""
    shown = []
    for change in [*([difference.values] if difference.values else []), *difference.objects]:
        before, after = hidden(change.before, change.after)
        shown.append(
            {
                "before_header": change.title if change.before is not None else f"{change.title} (absent)",
                "after_header": change.title if change.after is not None else f"{change.title} (absent)",
                "before": dump(before),
                "after": dump(after),
            }
        )
    if difference.chart:
        shown.append({"before_header": "chart", "after_header": "chart", **_lines(*difference.chart)})
    shown += [
        {"before_header": name, "after_header": name, **_lines("deleted from the cluster", "created again")}
        for name in difference.missing
    ]
    if difference.failed:
        shown.append({"before_header": "status", "after_header": "status", **_lines("failed", "deployed")})
    return shown


def _lines(before: str, after: str) -> dict[str, str]:
    return {"before": before + "\n", "after": after + "\n"}


# Waiting


def unready(resources: Mapping[str, list[Json]]) -> list[str]:
    """What a release still lacks, from its objects and their pods: one short line each."""
    lines: list[str] = []
    for obj in (obj for objects in resources.values() for obj in (_items(objects))):
        lines.extend(_lacks(obj))
    return lines


def _items(objects: Iterable[Json]) -> Iterator[Json]:
    for obj in objects:
        if str(obj.get("kind", "")).endswith("List"):
            yield from obj.get("items") or ()
        else:
            yield obj


def _lacks(obj: Json) -> Iterator[str]:
    kind, status, spec = obj.get("kind"), obj.get("status") or {}, obj.get("spec") or {}
    if kind in ("Deployment", "StatefulSet"):
        wanted, ready = spec.get("replicas", 1), status.get("readyReplicas", 0)
        if ready < wanted:
            yield f"{title(obj)}: {ready} of {wanted} ready"
    elif kind == "DaemonSet":
        wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        if ready < wanted:
            yield f"{title(obj)}: {ready} of {wanted} ready"
    elif kind == "PersistentVolumeClaim" and status.get("phase") != "Bound":
        yield f"{title(obj)}: {status.get('phase', 'Pending')}, not Bound"
    elif kind == "Job":
        for condition in status.get("conditions") or ():
            if condition.get("type") == "Failed" and condition.get("status") == "True":
                yield f"{title(obj)}: failed: {condition.get('message', '')}"
    elif kind == "Pod":
        yield from _pod_lacks(obj, status)


def _pod_lacks(obj: Json, status: Json) -> Iterator[str]:
    if status.get("phase") == "Succeeded":
        return
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield f"{title(obj)}: {condition.get('reason', 'Unschedulable')}: {condition.get('message', '')}"
            return
    for container in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        state = container.get("state") or {}
        name = f"{title(obj)} container {container.get('name')}"
        ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated") or {}
        if waiting := state.get("waiting"):
            why = waiting.get("message") or (f"exit status {ended['exitCode']}" if "exitCode" in ended else "")
            yield f"{name}: {waiting.get('reason', 'waiting')}{': ' + why if why else ''}"
        elif "running" in state and not container.get("ready"):
            yield f"{name}: runs, but is not ready" + (
                f" (ended before with exit status {ended['exitCode']})" if "exitCode" in ended else ""
            )
        elif ended.get("exitCode"):
            yield f"{name}: ended with exit status {ended['exitCode']} {ended.get('reason', '')}".rstrip()


class Watcher:
    """Looks now and then, while helm waits, at what the release still lacks: after a roll-back it is gone."""

    def __init__(self, helm: Helm, spec: Spec, tell: Callable[[str], None], interval: float = WATCH_INTERVAL) -> None:
        self._helm, self._spec, self._tell = helm, spec, tell
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.lacks: list[str] = []

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._interval):
            try:
                info: Json = self._helm.status(self._spec).get("info") or {}
            except (HelmError, ReleaseError, ValueError):
                continue
            # Once helm rolls back, what it shows is the way back, not the fault.
            if info.get("status") not in PENDING[:2]:
                continue
            lacks = unready(info.get("resources") or {})
            if lacks:
                self.lacks = lacks
                self._tell(f"{self._spec.name}: {shorten(lacks, 2)}")


def shorten(lines: list[str], limit: int) -> str:
    shown = "; ".join(line if len(line) <= 300 else line[:297] + "..." for line in lines[:limit])
    return shown + (f"; and {len(lines) - limit} more" if len(lines) > limit else "")


def seconds(duration: str) -> float:
    """A Go duration such as 90s, 5m or 1h30m, in seconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ReleaseError(f"timeout is {duration!r}. Expected a duration such as 90s, 5m or 1h30m.")
    return sum(float(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit] for number, unit in parts)


# Changing


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
        # Without waiting: the upgrade that follows does that.
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
            return _release(_last_json(helm.cluster(*arguments, timeout=None)), spec)
        except HelmError as error:
            failed = error
    raise _failure(failed, helm, spec, old, watcher.lacks, time.time() - started) from failed


def _failure(
    error: HelmError, helm: Helm, spec: Spec, old: Release | None, lacks: list[str], took: float
) -> ReleaseError:
    text = _essence(str(error))
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


def at(helm: Helm, spec: Spec, revision: int) -> Release:
    """An earlier revision of the release."""
    try:
        return _release(helm.status(spec, revision), spec)
    except HelmError as error:
        raise ReleaseError(
            f"Release {spec.name} in namespace {spec.namespace} has no revision {revision}: {_essence(str(error))}. "
            f"`helm history {spec.name} --namespace {spec.namespace}` lists them."
        ) from error


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


def removal(old: Release) -> Difference:
    """What an uninstall takes away: all but what the chart keeps, and hooks, which are not the release's."""
    keep = "helm.sh/resource-policy"
    changes = [
        Change(name, obj, None)
        for name, obj in sorted(by_title(old.manifest).items())
        if ((obj.get("metadata") or {}).get("annotations") or {}).get(keep) != "keep"
    ]
    return Difference(changes, [], None, None, failed=False)
