# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The releases of a site as the files that Argo CD and Flux read.

What comes in is what the roles hand to Helm; nothing about a release is said here a second time. What comes out is a
mapping from paths to contents that depends on nothing else, so that rendering twice gives no difference:

    README.md               how to hook the folder up
    charts/<chart>/         charts of this collection that the releases use
    manifests/<release>/    objects that are kept as they are, one a file
    argocd/<release>.yaml   Applications
    flux/<release>.yaml     HelmReleases and Kustomizations, with sources.yaml and namespaces.yaml
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.continuum.edge.plugins.module_utils import kubernetes_yaml
from ansible_collections.continuum.edge.plugins.module_utils.helm import Json, is_sensitive

# Every cluster has these: neither tool makes or prunes them.
GIVEN_NAMESPACES = ("default", "kube-system")
# The workers of an application are scaled while it runs, and sent away at its end.
WORKERS = {"group": "apps", "kind": "StatefulSet", "jsonPointers": ["/spec/replicas"]}
MARK = "<!-- Rendered by continuum.edge.gitops: do not edit. -->"


class GitOpsError(Exception):
    """What was found, what was expected, what to do."""


@dataclass(frozen=True)
class Entry:
    """A release as a role describes it."""

    name: str
    namespace: str
    chart: str
    values: Json
    timeout: str
    repo: str = ""
    version: str = ""
    # Releases that have to be there first.
    after: tuple[str, ...] = ()
    # Secrets that somebody else makes.
    secrets: tuple[str, ...] = ()
    # No release at all: only its objects.
    plain: bool = False
    # An application, which ends by itself: its outcome is its Job's, and its workers go before.
    ends: bool = False
    # Objects ("Kind name") to keep as manifests, and the values that leave them out of the release.
    apart_objects: tuple[str, ...] = ()
    apart_values: Json | None = None

    @property
    def local(self) -> bool:
        return not self.repo and "://" not in self.chart

    @property
    def manifests(self) -> bool:
        return self.plain or bool(self.apart_objects)


@dataclass(frozen=True)
class Settings:
    """Where the folder will lie, and who reads it."""

    cluster: str
    # The site's folder in the repository.
    path: str
    tools: tuple[str, ...] = ("argocd", "flux")
    repo_url: str = ""
    revision: str = "main"
    argocd_namespace: str = "argocd"
    argocd_project: str = "default"
    argocd_server: str = "https://kubernetes.default.svc"
    flux_namespace: str = "flux-system"
    flux_source: str = "flux-system"
    interval: str = "10m"


# Entry -> its objects as Helm renders them, and where its chart lies on this machine.
Template = Callable[[Entry], list[Json]]


def render(entries: list[Entry], settings: Settings, template: Template) -> dict[str, bytes]:
    """All files of the site, by path."""
    _refuse(entries, settings)
    files: dict[str, bytes] = {}
    charts: dict[str, str] = {}
    for entry in entries:
        if entry.local and not entry.plain:
            content, name = _chart(Path(entry.chart).expanduser())
            files.update(content)
            charts[entry.name] = name
        for obj in _apart(entry, template) if entry.manifests else ():
            files[f"manifests/{entry.name}/{obj['kind'].lower()}-{obj['metadata']['name']}.yaml"] = _yaml(obj)
    if "argocd" in settings.tools:
        for name, objects in _argocd(entries, settings, charts).items():
            files[f"argocd/{name}.yaml"] = _yaml(*objects)
    if "flux" in settings.tools:
        for name, objects in _flux(entries, settings, charts).items():
            files[f"flux/{name}.yaml"] = _yaml(*objects)
    files["README.md"] = _readme(entries, settings).encode()
    return files


# Refusing what cannot be rendered


def _refuse(entries: list[Entry], settings: Settings) -> None:
    for entry in entries:
        if paths := list(secrets_in(entry.values)):
            raise GitOpsError(
                f"The values of release {entry.name} have a secret in {', '.join(paths)}, and everything here goes "
                "into a repository. Expected a reference: name a Secret of the cluster, and read it from there."
            )
        if (entry.values.get("app") or {}).get("source", {}).get("archive"):
            raise GitOpsError(
                f"The folder of application {entry.name} has links, empty folders or more than a ConfigMap holds, and "
                "nobody hands it over here. Expected it in the image (playbooks/build_image.yml), on a claim or in a "
                "git repository (app.source of the chart), or a smaller one (.dockerignore)."
            )
        if not entry.local and not entry.version:
            raise GitOpsError(
                f"Release {entry.name} has chart {entry.chart} without a version. Expected an exact one: without it a "
                "commit would not say what runs."
            )
    if "argocd" in settings.tools and not settings.repo_url:
        raise GitOpsError(
            "gitops_repo_url is empty. Expected the address of the repository that Argo CD reads this folder from; "
            "or leave argocd out of gitops_tools."
        )


def secrets_in(value: Any, path: str = "", *, inside: bool = False) -> Iterator[str]:
    """Paths of the strings below a key that names a secret, but for references such as $__file{...} and ${VARIABLE}."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from secrets_in(item, f"{path}.{key}" if path else str(key), inside=inside or is_sensitive(str(key)))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from secrets_in(item, f"{path}[{index}]", inside=inside)
    elif inside and isinstance(value, str) and value and not value.startswith("$"):
        yield path


# Charts and manifests


def _chart(source: Path) -> tuple[dict[str, bytes], str]:
    """The files of a chart that is a folder or an archive, below charts/, and its name."""
    content: dict[str, bytes] = {}
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            if path.is_file():
                content[f"charts/{source.name}/{path.relative_to(source)}"] = path.read_bytes()
        return content, source.name
    if not source.is_file():
        raise GitOpsError(f"There is no chart at {source}. Expected a folder with a Chart.yaml or a .tgz archive.")
    with tarfile.open(source) as archive:
        for member in archive:
            if member.isfile() and ".." not in Path(member.name).parts and (file := archive.extractfile(member)):
                content[f"charts/{member.name}"] = file.read()
    return content, next(iter(content)).split("/")[1]


def _apart(entry: Entry, template: Template) -> list[Json]:
    """The objects of a release that are kept as manifests."""
    objects = template(entry)
    if not entry.plain:
        by_name = {f"{obj['kind']} {obj['metadata']['name']}": obj for obj in objects}
        if missing := [name for name in entry.apart_objects if name not in by_name]:
            raise GitOpsError(
                f"Chart {entry.chart} of release {entry.name} makes no {', '.join(missing)}, which is kept apart "
                f"from it; it makes {', '.join(sorted(by_name))}. Expected the chart that the flavour is written for."
            )
        objects = [by_name[name] for name in entry.apart_objects]
    if any(obj["kind"] == "Secret" for obj in objects):
        raise GitOpsError(f"Release {entry.name} has a Secret, which has no place in a repository.")
    return objects


def _values(entry: Entry) -> Json:
    """The values of the release without what is kept apart from it."""
    return merged(entry.values, entry.apart_values or {}) if entry.apart_objects else entry.values


def merged(left: Json, right: Json) -> Json:
    """The way of Ansible's combine(recursive=true), but an empty mapping on the right replaces what is on the left."""
    result = dict(left)
    for key, item in right.items():
        both = isinstance(item, dict) and item and isinstance(result.get(key), dict)
        result[key] = merged(result[key], item) if both else item
    return result


def waves(entries: list[Entry]) -> dict[str, int]:
    """How many releases each has before it, one after the other."""
    by_name = {entry.name: entry for entry in entries}
    depths: dict[str, int] = {}

    def wave(name: str) -> int:
        if name not in depths:
            depths[name] = max((wave(before) + 1 for before in by_name[name].after if before in by_name), default=0)
        return depths[name]

    for entry in entries:
        wave(entry.name)
    return depths


# Files for Argo CD


def _argocd(entries: list[Entry], settings: Settings, charts: Mapping[str, str]) -> dict[str, list[Json]]:
    order = waves(entries)
    result: dict[str, list[Json]] = {}
    for entry in entries:
        # Each release has two steps: its manifests come right before it.
        wave = 2 * order[entry.name]
        objects = []
        if entry.manifests:
            name = entry.name if entry.plain else f"{entry.name}-manifests"
            source: Json = {
                **_repository(settings),
                "path": f"{settings.path}/manifests/{entry.name}".lstrip("/"),
            }
            objects.append(_application(name, entry, source, wave, settings))
        if not entry.plain:
            if entry.name in charts:
                source = {**_repository(settings), "path": f"{settings.path}/charts/{charts[entry.name]}".lstrip("/")}
            elif entry.repo:
                source = {"repoURL": entry.repo, "chart": entry.chart, "targetRevision": entry.version}
            else:
                # Argo CD names an OCI registry without its scheme.
                registry, _slash, chart = entry.chart.removeprefix("oci://").rpartition("/")
                source = {"repoURL": registry, "chart": chart, "targetRevision": entry.version}
            source["helm"] = {"releaseName": entry.name, "valuesObject": _values(entry)}
            objects.append(_application(entry.name, entry, source, wave + 1, settings))
        result[entry.name] = objects
    return result


def _repository(settings: Settings) -> Json:
    return {"repoURL": settings.repo_url, "targetRevision": settings.revision}


def _application(name: str, entry: Entry, source: Json, wave: int, settings: Settings) -> Json:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": f"{settings.cluster}-{name}",
            "namespace": settings.argocd_namespace,
            "annotations": {"argocd.argoproj.io/sync-wave": str(wave)},
            # Argo CD removes what an Application has installed when the Application goes.
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": settings.argocd_project,
            "destination": {"server": settings.argocd_server, "namespace": entry.namespace},
            "source": source,
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "retry": {"limit": 5, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "3m"}},
                # Definitions and dashboards are larger than the annotation of a client-side apply may be.
                "syncOptions": [
                    *("CreateNamespace=true", "ServerSideApply=true"),
                    *(["RespectIgnoreDifferences=true"] if entry.ends else []),
                ],
            },
            **({"ignoreDifferences": [WORKERS]} if entry.ends else {}),
        },
    }


# Files for Flux


def _flux(entries: list[Entry], settings: Settings, charts: Mapping[str, str]) -> dict[str, list[Json]]:
    plain = {entry.name for entry in entries if entry.plain}
    result: dict[str, list[Json]] = {}
    for entry in entries:
        objects = []
        if entry.manifests:
            objects.append(_kustomization(entry, settings))
        if not entry.plain:
            objects.append(_helm_release(entry, settings, charts, plain))
        result[entry.name] = objects
    if repositories := {
        name: url for entry in entries if (repository := _helm_repository(entry)) for name, url in [repository]
    }:
        result["sources"] = [
            {
                "apiVersion": "source.toolkit.fluxcd.io/v1",
                "kind": "HelmRepository",
                "metadata": {"name": name, "namespace": settings.flux_namespace},
                "spec": {"interval": "1h", "url": url, **({"type": "oci"} if url.startswith("oci:") else {})},
            }
            for name, url in sorted(repositories.items())
        ]
    result["namespaces"] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            # A namespace that is pruned takes volumes and other people's objects with it.
            "metadata": {"name": name, "annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}},
        }
        for name in sorted({entry.namespace for entry in entries} - {*GIVEN_NAMESPACES})
    ]
    return {name: objects for name, objects in result.items() if objects}


def _helm_repository(entry: Entry) -> tuple[str, str] | None:
    """Name and address of the repository of an entry's chart."""
    if entry.local:
        return None
    url = entry.repo or entry.chart.rpartition("/")[0]
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"^\w+://", "", url.lower())).strip("-"), url


# What runs on is waited for, tested, brought back to what it was and kept so.
_STAYS: Json = {
    "install": {"crds": "Create", "createNamespace": True, "remediation": {"retries": 3}},
    "upgrade": {
        "crds": "CreateReplace",
        "cleanupOnFail": True,
        "remediation": {"retries": 3, "strategy": "rollback", "remediateLastFailure": True},
    },
    "test": {"enable": True},
    "driftDetection": {"mode": "enabled"},
}
# An application is started, once for each commit that changes it; how long it takes is its own affair.
_ENDS: Json = {
    "install": {
        "createNamespace": True,
        "disableWait": True,
        "disableWaitForJobs": True,
        "remediation": {"retries": 3},
    },
    "upgrade": {"disableWait": True, "disableWaitForJobs": True, "remediation": {"retries": 3}},
    "driftDetection": {"mode": "disabled"},
}


def _helm_release(entry: Entry, settings: Settings, charts: Mapping[str, str], plain: set[str]) -> Json:
    repository = _helm_repository(entry)
    if repository:
        chart: Json = {
            "chart": entry.chart.rpartition("/")[2],
            "version": entry.version,
            "sourceRef": {"kind": "HelmRepository", "name": repository[0]},
        }
    else:
        chart = {
            "chart": f"./{settings.path}/charts/{charts[entry.name]}".replace("//", "/"),
            "sourceRef": {"kind": "GitRepository", "name": settings.flux_source},
        }
    # A Kustomization is no HelmRelease: what mounts its ConfigMaps waits for them by itself.
    before = [name for name in entry.after if name not in plain]
    return {
        "apiVersion": "helm.toolkit.fluxcd.io/v2",
        "kind": "HelmRelease",
        "metadata": {"name": entry.name, "namespace": settings.flux_namespace},
        "spec": {
            "interval": settings.interval,
            "timeout": entry.timeout,
            "releaseName": entry.name,
            "targetNamespace": entry.namespace,
            # Helm and the playbooks look for a release in its own namespace.
            "storageNamespace": entry.namespace,
            "maxHistory": 10,
            "chart": {"spec": chart},
            **({"dependsOn": [{"name": name} for name in before]} if before else {}),
            **(_ENDS if entry.ends else _STAYS),
            "values": _values(entry),
        },
    }


def _kustomization(entry: Entry, settings: Settings) -> Json:
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {
            "name": f"{settings.cluster}-{entry.name}",
            "namespace": settings.flux_namespace,
        },
        "spec": {
            "interval": settings.interval,
            # Flux tries again until the definitions of its kinds, and its namespace, exist.
            "retryInterval": "30s",
            "timeout": entry.timeout,
            "path": f"./{settings.path}/manifests/{entry.name}".replace("//", "/"),
            "prune": True,
            "wait": True,
            "sourceRef": {"kind": "GitRepository", "name": settings.flux_source},
        },
    }


# YAML and the README of the folder


def _yaml(*objects: Json) -> bytes:
    return "---\n".join(kubernetes_yaml.dump(obj, sort_keys=True) for obj in objects).encode()


def _readme(entries: list[Entry], settings: Settings) -> str:
    secrets = sorted({f"{entry.namespace}/{name}" for entry in entries for name in entry.secrets})
    lines = [
        f"# {settings.cluster}",
        MARK,
        "",
        f"Made from an inventory of continuum.edge: {', '.join(entry.name for entry in entries)}.",
        "",
    ]
    if "argocd" in settings.tools:
        lines.append(
            f"- Argo CD: one Application whose path is `{settings.path}/argocd`. It waits between the waves where"
            " Argo CD judges the health of Applications (`resource.customizations.health.argoproj.io_Application`)."
        )
    if "flux" in settings.tools:
        lines.append(
            f"- Flux: one Kustomization whose path is `./{settings.path}/flux`, with the GitRepository"
            f" `{settings.flux_source}` in `{settings.flux_namespace}`, as `flux bootstrap` makes it."
        )
    lines += [f"- Secrets to be there first: {', '.join(f'`{name}`' for name in secrets)}."] if secrets else []
    return "\n".join([*lines, ""])
