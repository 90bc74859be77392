# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Brings the results of a COMPSs application from its volume to a folder of this machine."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, Protocol

from .application import ApplicationError, obstacle, stamp
from .kubernetes_api import Object
from .volume import pod_like

LAST = "last_run.json"
LOOK = 0.3
# The monitoring API leaves its last word there, a moment after the application's end.
PACK = """\
cd "/results/$3"
for _ in 1 2 3 4 5 6 7 8 9 10; do test -e "$1/status.json" -o "$2" = no && break; sleep 0.5; done
exec tar -cz "$1"
"""


class Volume(Protocol):
    def pod(self, name: str) -> Object: ...
    def create_pod(self, definition: Object) -> None: ...
    def delete_pod(self, name: str) -> None: ...
    def execute(self, pod: str, command: list[str], output: IO[bytes]) -> None: ...


def written(path: Path) -> Object:
    """A JSON object of a file, empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return dict(content) if isinstance(content, dict) else {}


def of_job(run: Object, job: Object) -> bool:
    """Whether a run is that of a Job: an earlier one of the same values, of another cluster too, began before."""
    began = job.get("status", {}).get("startTime")
    same = job["metadata"]["name"].endswith(f"-{run.get('run')}")
    return bool(began) and same and run["started"] >= stamp(began) - 1


def reader(name: str, job: Object) -> Object | None:
    """A pod that shows the results, None where the application keeps none."""
    spec = job["spec"]["template"]["spec"]
    volume = next(volume for volume in spec["volumes"] if volume["name"] == "results")
    if "persistentVolumeClaim" not in volume:
        return None
    master = next(container for container in spec["containers"] if container["name"] == "master")
    container = {
        "name": "reader",
        "image": master["image"],
        "imagePullPolicy": master["imagePullPolicy"],
        "command": ["sleep", "900"],
        "securityContext": master.get("securityContext", {}),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "500m", "memory": "128Mi"}},
        "volumeMounts": [{"name": "results", "mountPath": "/results", "readOnly": True}],
    }
    labels = {"app.kubernetes.io/name": "compss", "app.kubernetes.io/component": "reader"}
    # Kubernetes ends the pod where nobody removes it.
    return pod_like(spec, name, labels, container, volume, activeDeadlineSeconds=900)


def open_volume(volume: Volume, definition: Object, timeout: float, sleep: Callable[[float], None]) -> None:
    name = definition["metadata"]["name"]
    deadline = time.monotonic() + timeout
    volume.delete_pod(name)  # an interrupted run may have left it
    while volume.pod(name):
        sleep(LOOK)
    volume.create_pod(definition)
    while (pod := volume.pod(name)).get("status", {}).get("phase") != "Running":
        if not pod or time.monotonic() > deadline:
            why = obstacle(pod)[1] or "it does not start"
            raise ApplicationError(f"the results cannot be read: pod {name} was not running in {timeout:g} s: {why}")
        sleep(LOOK)


def place(folder: Path, name: str) -> Path:
    """Where results go. Those of another cluster that stand there move aside."""
    path = folder / name
    if path.exists():
        changed = datetime.fromtimestamp(path.stat().st_mtime)
        path.rename(folder / f"{name}.{changed:%Y%m%d-%H%M%S}")
    return path


def unpack(archive: IO[bytes], folder: Path, name: str) -> Path:
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as scratch:
        with tarfile.open(fileobj=archive, mode="r:gz") as packed:
            packed.extractall(scratch, filter="data")
        return Path(shutil.move(Path(scratch) / name, place(folder, name)))


def fetch(
    volume: Volume,
    name: str,
    job: Object,
    folder: Path,
    report: Callable[[str], None],
    timeout: float = 120,
    sleep: Callable[[float], None] = time.sleep,
) -> Object:
    """The results of a Job that has ended: where they are, what is known of the run, and whether they came just now."""
    run = written(folder / LAST)
    if not run or not of_job(run, job) or not (folder / PurePosixPath(run.get("results", "")).name).is_dir():
        definition = reader(f"{name}-reader", job)
        if definition is None:
            return {"fetched": False, "results": "", "run": {}, "application": {}}
        run = _fetch(volume, definition, job, folder, report, timeout, sleep)
        fetched = bool(run)
    else:
        fetched = False
    # On the volume they lie where runcompss puts them, in .COMPSs; here at the top.
    results = folder / PurePosixPath(run["results"]).name if run.get("results") else None
    application = written(results / "status.json") if results else {}
    return {"fetched": fetched, "results": str(results or ""), "run": run, "application": application}


def _fetch(
    volume: Volume,
    definition: Object,
    job: Object,
    folder: Path,
    report: Callable[[str], None],
    timeout: float,
    sleep: Callable[[float], None],
) -> Object:
    pod = definition["metadata"]["name"]
    monitored = any(each["name"] == "monitoring" for each in job["spec"]["template"]["spec"].get("initContainers", ()))
    try:
        open_volume(volume, definition, timeout, sleep)
        output = io.BytesIO()
        volume.execute(pod, ["sh", "-c", f"cat /results/{LAST} || true"], output)
        run: dict[str, Any] = json.loads(output.getvalue() or b"{}")
        if not run or not of_job(run, job) or not run["results"]:
            report("the application left no results")
            return {}
        folder.mkdir(parents=True, exist_ok=True)
        left = PurePosixPath(run["results"])
        with tempfile.TemporaryFile() as archive:
            pack = ["sh", "-c", PACK, "sh", left.name, "yes" if monitored else "no", str(left.parent)]
            volume.execute(pod, pack, archive)
            report(f"fetched {archive.tell() / 1000:,.0f} kB of results, packed")
            archive.seek(0)
            unpack(archive, folder, left.name)
    finally:
        volume.delete_pod(pod)
    # This file is written last: a run that is interrupted before it fetches again.
    (folder / LAST).write_text(json.dumps(run, indent=1) + "\n", encoding="utf-8")
    return run
