# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The content of a volume, to a file and back, through a pod that mounts it. Its image needs a tar, no more."""

from __future__ import annotations

import copy
import gzip
import hashlib
import re
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import Object
from ansible_collections.continuum.edge.plugins.module_utils.pod_command import PodCommandError

CHUNK = 1 << 18
WAIT = 2.0
# A file system that was made for a volume has a folder lost+found, which only root reads.
TAR_OUT = ["/bin/tar", "-cf", "-", "--exclude=./lost+found", "-C"]
TAR_IN = ["/bin/tar", "-xf", "-", "-C"]
# What a pod needs of another one's spec to run where that one could, and to read the same volume.
ALIKE = ("affinity", "imagePullSecrets", "nodeSelector", "securityContext", "tolerations")


class VolumeError(Exception):
    """What was found, what was expected, what to do."""


@dataclass(frozen=True)
class Workload:
    """What runs on the volume, and stops running where its replicas are none."""

    api_version: str
    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class Cluster(Protocol):
    """What is asked of the Kubernetes API."""

    namespace: str

    def get(self, api_version: str, kind: str, name: str) -> Object | None: ...
    def list_objects(self, api_version: str, kind: str) -> list[Object]: ...
    def create(self, obj: Object) -> None: ...
    def delete(self, api_version: str, kind: str, name: str) -> None: ...
    def merge_patch(self, api_version: str, kind: str, name: str, body: Object) -> None: ...
    def read(self, pod: str, container: str | None, command: list[str]) -> Iterator[bytes]: ...
    def write(self, pod: str, container: str, command: list[str], content: Iterator[bytes]) -> None: ...


@dataclass(frozen=True)
class Mount:
    """A container that has the volume, and where."""

    pod: Object
    container: Object
    path: str


def mounted(cluster: Cluster, claim: str) -> Mount:
    """The pod that runs on the volume."""
    for pod in using(cluster, claim):
        [volume] = [each["name"] for each in pod["spec"]["volumes"] if _claim(each) == claim]
        for container in pod["spec"]["containers"]:
            for mount in container.get("volumeMounts") or ():
                if mount["name"] == volume and pod.get("status", {}).get("phase") == "Running":
                    return Mount(pod, container, mount["mountPath"])
    raise VolumeError(
        f"No running pod in namespace {cluster.namespace} mounts the claim {claim}. Expected the one that it belongs "
        "to: run playbooks/site.yml first."
    )


def using(cluster: Cluster, claim: str) -> list[Object]:
    """The pods that have the claim, running or not."""
    pods = cluster.list_objects("v1", "Pod")
    return [pod for pod in pods if any(_claim(each) == claim for each in pod["spec"].get("volumes") or ())]


def _claim(volume: Object) -> str:
    return str((volume.get("persistentVolumeClaim") or {}).get("claimName", ""))


def until(ready: Callable[[], bool], timeout: float, otherwise: str) -> None:
    deadline = time.monotonic() + timeout
    while not ready():
        if time.monotonic() > deadline:
            raise VolumeError(f"{otherwise} within {timeout:.0f} s.")
        time.sleep(WAIT)


@contextmanager
def _with_tar() -> Iterator[None]:
    try:
        yield
    except PodCommandError as error:
        raise VolumeError(f"{error} Expected an image with a tar.") from error


# Saving a volume to a file


def save(cluster: Cluster, claim: str, archive: Path, guard: Guard | None, attempts: int = 3) -> str:
    """Save the volume from the pod that runs on it, while it runs. Returns the digest of the archive."""
    mount = mounted(cluster, claim)
    for _attempt in range(attempts):
        before = guard.state() if guard else ""
        digest = _save(cluster, mount, archive)
        if not guard or guard.state() == before:
            return digest
    archive.unlink()
    raise VolumeError(
        f"The files of claim {claim} were rearranged during each of {attempts} attempts to copy them. Run this later."
    )


def save_stopped(cluster: Cluster, claim: str, archive: Path, workload: Workload, timeout: float) -> str:
    """Save the volume while nothing runs on it, so that the copy is whole whatever writes to it otherwise."""
    mount = mounted(cluster, claim)
    with stopped(cluster, claim, workload, timeout), keeper(cluster, mount, claim, timeout) as helper:
        return _save(cluster, helper, archive)


def _save(cluster: Cluster, mount: Mount, archive: Path) -> str:
    archive.parent.mkdir(parents=True, exist_ok=True)
    partial = archive.with_name(f".{archive.name}.partial")
    name, container = mount.pod["metadata"]["name"], mount.container["name"]
    try:
        with (
            _with_tar(),
            partial.open("wb") as file,
            gzip.GzipFile(fileobj=file, mode="wb", mtime=0, compresslevel=1) as zipped,
        ):
            for chunk in cluster.read(name, container, [*TAR_OUT, mount.path, "."]):
                zipped.write(chunk)
        digest = _digest(partial)
        partial.replace(archive)
    finally:
        partial.unlink(missing_ok=True)
    sums_of(archive).write_text(f"{digest}  {archive.name}\n")
    return digest


@dataclass(frozen=True)
class Guard:
    """An address whose lines tell whether files were rearranged meanwhile."""

    url: str
    lines: str

    def state(self) -> str:
        try:
            with urllib.request.urlopen(self.url, timeout=20) as answer:  # noqa: S310 # the inventory's own
                text = answer.read().decode()
        except OSError as error:
            raise VolumeError(
                f"{self.url} does not answer: {error}. Expected what runs on the volume there."
            ) from error
        matches = re.findall(self.lines, text, re.MULTILINE)
        if not matches:
            raise VolumeError(f"{self.url} has no line {self.lines}. Expected what runs on the volume.")
        return "\n".join(matches)


# Restoring a volume from a file


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sums_of(archive: Path) -> Path:
    """The file with the digest, beside the archive and as sha256sum writes it."""
    return archive.with_name(f"{archive.name}.sha256")


def check(archive: Path) -> str:
    """Refuse an archive that is not as it was saved."""
    try:
        expected = sums_of(archive).read_text().split()[0]
        digest = _digest(archive)
    except (OSError, IndexError) as error:
        raise VolumeError(
            f"There is no backup {archive}, or no digest beside it: {error}. Expected what playbooks/backup.yml made."
        ) from error
    if digest != expected:
        raise VolumeError(f"Backup {archive} is damaged: its digest is {digest}, not {expected}. Nothing was changed.")
    return digest


def restore(cluster: Cluster, claim: str, archive: Path, workload: Workload, timeout: float) -> None:
    """Restore an archive into a new volume, which takes the place of the present one."""
    check(archive)
    mount = mounted(cluster, claim)
    with stopped(cluster, claim, workload, timeout):
        renew(cluster, claim, timeout)
        with keeper(cluster, mount, claim, timeout) as helper, gzip.open(archive) as content:
            chunks = iter(lambda: content.read(CHUNK), b"")
            # tar ends with the archive, not with its standard input.
            with _with_tar():
                cluster.write(helper.pod["metadata"]["name"], helper.container["name"], [*TAR_IN, helper.path], chunks)


@contextmanager
def stopped(cluster: Cluster, claim: str, workload: Workload, timeout: float) -> Iterator[None]:
    """Nothing runs on the volume. Whatever happens meanwhile, afterwards it runs again."""
    running = cluster.get(workload.api_version, workload.kind, workload.name)
    if running is None:
        raise VolumeError(f"There is no {workload} in namespace {cluster.namespace}. Run playbooks/site.yml first.")
    replicas = int(running["spec"].get("replicas", 1)) or 1
    _scale(cluster, workload, 0)
    try:
        until(lambda: not using(cluster, claim), timeout, f"{workload} did not stop")
        yield
    finally:
        _scale(cluster, workload, replicas)

    def ready() -> bool:
        pods = using(cluster, claim)
        return bool(pods) and all(
            any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions") or ())
            for pod in pods
        )

    until(ready, timeout, f"{workload} did not become ready again")


def _scale(cluster: Cluster, workload: Workload, replicas: int) -> None:
    body = {"spec": {"replicas": replicas}}
    cluster.merge_patch(workload.api_version, workload.kind, workload.name, body)


def renew(cluster: Cluster, claim: str, timeout: float) -> None:
    """The same claim with an empty volume."""
    old = cluster.get("v1", "PersistentVolumeClaim", claim)
    if old is None:
        raise VolumeError(f"There is no claim {claim} in namespace {cluster.namespace}.")
    given = re.compile(r"(pv|volume)\.(beta\.)?kubernetes\.io/")
    metadata = old["metadata"]
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if not given.match(key)}
    new = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": claim,
            "namespace": cluster.namespace,
            "labels": metadata.get("labels") or {},
            "annotations": annotations,
        },
        "spec": {key: value for key, value in old["spec"].items() if key != "volumeName"},
    }
    cluster.delete("v1", "PersistentVolumeClaim", claim)
    until(lambda: cluster.get("v1", "PersistentVolumeClaim", claim) is None, timeout, f"The claim {claim} did not go")
    cluster.create(new)


def pod_like(spec: Object, name: str, labels: Object, container: Object, volume: Object, **fields: int) -> Object:
    """A pod with one container and one volume that runs where a pod of ``spec`` could; it has no access to the API."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            **{key: copy.deepcopy(spec[key]) for key in ALIKE if key in spec},
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            **fields,
            "containers": [container],
            "volumes": [volume],
        },
    }


@contextmanager
def keeper(cluster: Cluster, mount: Mount, claim: str, timeout: float) -> Iterator[Mount]:
    """A pod like the one that ran on the volume, which does nothing."""
    name = f"{claim[:50]}-backup"
    spec = mount.pod["spec"]
    keep = ("image", "imagePullPolicy", "securityContext", "resources")
    [volume] = [each for each in spec["volumes"] if _claim(each) == claim]
    container = {
        **{key: copy.deepcopy(mount.container[key]) for key in keep if key in mount.container},
        "name": "keeper",
        # The image may have no other program that waits: tar waits for an archive that never comes.
        "command": [*TAR_IN, mount.path],
        "stdin": True,
        "volumeMounts": [each for each in mount.container["volumeMounts"] if each["name"] == volume["name"]],
    }
    labels = {"app.kubernetes.io/name": "backup", "app.kubernetes.io/managed-by": "continuum.edge"}
    cluster.create(pod_like(spec, name, labels, container, volume, terminationGracePeriodSeconds=0))

    def running() -> bool:
        return ((cluster.get("v1", "Pod", name) or {}).get("status") or {}).get("phase") == "Running"

    try:
        until(running, timeout, f"Pod {name} did not start")
        pod = cluster.get("v1", "Pod", name) or {}
        yield Mount(pod, container, mount.path)
    finally:
        cluster.delete("v1", "Pod", name)
        until(lambda: cluster.get("v1", "Pod", name) is None, timeout, f"Pod {name} did not go")
