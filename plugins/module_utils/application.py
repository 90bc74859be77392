# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Follows a COMPSs application, a release of the chart ``compss``, to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import IO, Protocol

from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import (
    KubernetesApi,
    KubernetesError,
    Object,
)
from ansible_collections.continuum.edge.plugins.module_utils.pod_command import PodCommandError

LABEL = "app.kubernetes.io/name=compss,app.kubernetes.io/instance={},app.kubernetes.io/component={}"
WRONG_IMAGES = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
# Seconds between two looks.
LOOK = 1.0


class ApplicationError(Exception):
    """An application cannot be followed; the text says what was found and what to do."""


class Api(Protocol):
    def jobs(self, selector: str) -> list[Object]: ...
    def pods(self, selector: str) -> list[Object]: ...
    def log(self, pod: str, lines: int) -> list[str]: ...
    def status(self, service: str, port: int) -> Object: ...


class Cluster(KubernetesApi):
    """What following an application, and fetching its results, ask of the Kubernetes API."""

    def jobs(self, selector: str) -> list[Object]:
        return self.list_objects("batch/v1", "Job", selector)

    def pods(self, selector: str) -> list[Object]:
        return self.list_objects("v1", "Pod", selector)

    def pod(self, name: str) -> Object:
        """A pod, empty where there is none."""
        return self.get("v1", "Pod", name) or {}

    def create_pod(self, definition: Object) -> None:
        self.create(definition)

    def delete_pod(self, name: str) -> None:
        self.delete("v1", "Pod", name, grace_period=0)

    def execute(self, pod: str, command: list[str], output: IO[bytes]) -> None:
        """Run a command in a pod, and write its standard output to a file."""
        try:
            for piece in self.read(pod, None, command):
                output.write(piece)
        except PodCommandError as error:
            raise ApplicationError(str(error)) from error

    def log(self, pod: str, lines: int) -> list[str]:
        """The last lines of a master, none where its log cannot be had."""
        with suppress(KubernetesError):
            return self.container_log(pod, "master", lines)
        return []

    def status(self, service: str, port: int) -> Object:
        """What the monitoring API says, nothing where it does not."""
        with suppress(KubernetesError, ValueError):
            answer = json.loads(self.ask_service(service, port, "status", timeout=5))
            return dict(answer) if isinstance(answer, dict) else {}
        return {}


def terminated(pod: Object) -> Object | None:
    """How the master's container ended."""
    for container in pod.get("status", {}).get("containerStatuses", ()):
        if container["name"] == "master":
            end = container["state"].get("terminated")
            return dict(end) if end else None
    return None


def obstacle(pod: Object) -> tuple[str, str]:
    """Why a pod does not run: a reason and its explanation, both empty where there is none."""
    status = pod.get("status", {})
    for container in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
        waiting = container["state"].get("waiting") or {}
        if waiting.get("reason") in (
            *WRONG_IMAGES,
            "CrashLoopBackOff",
            "CreateContainerConfigError",
            "CreateContainerError",
        ):
            return waiting["reason"], f"{container['image']}: {waiting.get('message', waiting['reason'])}"
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return condition.get("reason", "Unschedulable"), condition.get("message", "")
    return "", ""


def stamp(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def final(job: Object, end: Object) -> bool:
    """Whether no other master comes after one that ended so."""
    if end["exitCode"] in (0, 2):
        return True
    conditions = {c["type"] for c in job.get("status", {}).get("conditions", ()) if c["status"] == "True"}
    return bool(conditions & {"Failed", "FailureTarget", "Complete"})


def progress(status: Object) -> str:
    """One line for a person."""
    totals = status.get("totals")
    if not totals or status.get("phase") == "waiting":
        return "the application has not started yet"
    workers = sum(worker["up"] for worker in status.get("workers", {}).values())
    done = totals["completed"] + totals["failed"]
    text = f"{done} of {done + totals['pending'] + totals['running']} tasks done, {workers} workers"
    return text + (f", {totals['failed']} failed" if totals["failed"] else "")


@dataclass(frozen=True)
class Look:
    """What the cluster says of an application at one moment."""

    #: Seconds of a monotonic clock.
    time: float
    job: Object
    #: The pods of its masters, the oldest first: the Job starts another one where one has failed.
    masters: tuple[Object, ...]
    workers: tuple[Object, ...]
    #: The last word of the monitoring API, empty before its first.
    status: Object

    @property
    def conditions(self) -> dict[str, Object]:
        """Those of the Job that are true, by type."""
        return {c["type"]: c for c in self.job.get("status", {}).get("conditions", ()) if c["status"] == "True"}

    @property
    def pod(self) -> str:
        return str(self.masters[-1]["metadata"]["name"]) if self.masters else ""

    @property
    def end(self) -> Object | None:
        """How the last master ended."""
        return terminated(self.masters[-1]) if self.masters else None

    @property
    def obstacles(self) -> dict[str, tuple[str, str]]:
        """Reason and explanation of each worker that does not run, by the name of its pod."""
        pairs = ((pod["metadata"]["name"], obstacle(pod)) for pod in self.workers)
        return {name: (reason, text) for name, (reason, text) in pairs if reason}


def look(api: Api, name: str, port: int, now: float, status: Object) -> Look:
    """Look at an application; ``status`` is the last word of the monitoring API so far."""
    jobs = api.jobs(LABEL.format(name, "master"))
    if not jobs:
        raise ApplicationError(
            f"release {name} has no Job: expected an installed release of the chart compss whose master is one."
            " A Deployment has no end to wait for (compss_wait: false)."
        )
    job = max(jobs, key=lambda item: item["metadata"]["creationTimestamp"])
    masters = sorted(
        (
            pod
            for pod in api.pods(LABEL.format(name, "master"))
            if pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name") == job["metadata"]["name"]
        ),
        key=lambda pod: pod["metadata"]["creationTimestamp"],
    )
    if not (masters and terminated(masters[-1])):
        # Where nothing listens any more, the API server takes seconds to say so.
        status = api.status(name, port) or status
    # Workers of an earlier run may still be on their way out.
    workers = (
        pod
        for pod in api.pods(LABEL.format(name, "worker"))
        if pod["metadata"]["name"].startswith(f"{job['metadata']['name']}-")
    )
    return Look(now, job, tuple(masters), tuple(workers), status)


@dataclass(frozen=True)
class Memory:
    """What one look leaves to the next."""

    #: Since when the last master does not run, in seconds of the clock; None while it does.
    stuck_since: float | None = None
    #: Since when no worker has a node, in seconds of the clock; None while one has.
    homeless_since: float | None = None
    #: The obstacles of workers that have been told, each as the pod's name and the reason.
    told: frozenset[str] = frozenset()
    #: The last line about the master, which is not told twice in a row.
    line: str = ""


@dataclass(frozen=True)
class Decision:
    """What follows from a look."""

    #: Lines for a person, in their order.
    lines: tuple[str, ...]
    memory: Memory
    #: What the module returns; its state is ``running`` until the end.
    outcome: Object
    #: Why there is nothing to wait for, empty where there is.
    error: str = ""


def decide(name: str, now: Look, memory: Memory, patience: float) -> Decision:
    """What to tell, and whether to go on. A pure function: time is what the look says it is."""
    news = {f"{pod} {reason}": f"{pod} waits: {text}" for pod, (reason, text) in now.obstacles.items()}
    lines = [line for key, line in news.items() if key not in memory.told]
    memory = replace(memory, told=memory.told | news.keys())
    outcome = _outcome(now)
    if outcome["state"] != "running":
        return Decision(tuple(lines), memory, outcome)
    if failed := now.conditions.get("Failed"):
        error = f"Job {now.job['metadata']['name']} failed: {failed.get('message', '')}"
        return Decision(tuple(lines), memory, outcome, error)

    runs = bool(now.masters) and not now.end
    reason, text = obstacle(now.masters[-1]) if runs else ("", "")
    line = _line(now, text if reason else "")
    if line and line != memory.line:
        lines.append(line)
    homeless = bool(now.obstacles) and not any(pod.get("spec", {}).get("nodeName") for pod in now.workers)
    memory = replace(
        memory,
        stuck_since=_since(memory.stuck_since, now.time, bool(reason)) if runs else memory.stuck_since,
        homeless_since=_since(memory.homeless_since, now.time, homeless),
        line=line or memory.line,
    )
    error = ""
    if reason in WRONG_IMAGES and _lasts(memory.stuck_since, now.time, patience):
        error = f"{now.pod} cannot start: {text}. Expected an image that the node can pull."
    elif not now.end and _lasts(memory.homeless_since, now.time, patience):
        error = (
            f"{name}: no worker finds a node: {next(iter(now.obstacles.values()))[1]} Expected a node that has what a"
            " worker asks for: ask for less, or wait for it longer (compss_patience)."
        )
    return Decision(tuple(lines), memory, outcome, error)


def _outcome(now: Look) -> Object:
    outcome: Object = {
        "state": "running",
        "tasks": now.status.get("totals", {}),
        "attempts": len(now.masters),
        "pod": now.pod,
        "node": now.masters[-1]["spec"].get("nodeName", "") if now.masters else "",
        "waiting": {pod: text for pod, (_reason, text) in now.obstacles.items()},
        "job": now.job,
        "application": now.status,
    }
    if now.end and final(now.job, now.end):
        code, took = now.end["exitCode"], stamp(now.end["finishedAt"]) - stamp(now.end["startedAt"])
        outcome |= {"state": "failed" if code else "succeeded", "status": code, "seconds": took}
    elif "Complete" in now.conditions and not now.end:
        # Somebody has removed the master's pod.
        status = now.job["status"]
        took = stamp(status["completionTime"]) - stamp(status["startTime"])
        outcome |= {"state": "succeeded", "status": 0, "seconds": took, "log": []}
    return outcome


def _line(now: Look, why: str) -> str:
    """What a person is told of the master."""
    if now.end:
        return f"{now.pod} ended with status {now.end['exitCode']}; the Job starts another one"
    if why:
        return f"{now.pod} waits: {why}"
    return progress(now.status) if now.masters else ""


def _since(since: float | None, now: float, holds: bool) -> float | None:
    return (now if since is None else since) if holds else None


def _lasts(since: float | None, now: float, patience: float) -> bool:
    return since is not None and now - since >= patience


def follow(
    api: Api,
    name: str,
    port: int,
    timeout: float,
    patience: float,
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Object:
    """Look at an application until it has ended or ``timeout`` seconds are over. Returns what it came to."""
    deadline = clock() + timeout
    memory = Memory()
    status: Object = {}
    while True:
        now = look(api, name, port, clock(), status)
        decision = decide(name, now, memory, patience)
        for line in decision.lines:
            report(line)
        if decision.error:
            raise ApplicationError(decision.error)
        if decision.outcome["state"] != "running" or clock() >= deadline:
            return {"log": api.log(now.pod, 20) if now.pod else []} | decision.outcome
        memory, status = decision.memory, now.status
        sleep(LOOK)
