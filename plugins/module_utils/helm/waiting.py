# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What a release that is not ready lacks."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping

from .comparing import title
from .model import Json, ReleaseError, Spec
from .program import Helm, HelmError

# Seconds between two looks at what a waiting release lacks.
WATCH_INTERVAL = 10.0
PENDING = ("pending-install", "pending-upgrade", "pending-rollback", "uninstalling")


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
    """Looks now and then, while helm waits, at what the release still lacks: a roll-back takes that away."""

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
