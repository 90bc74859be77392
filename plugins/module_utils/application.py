# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Follows a COMPSs application, a release of the chart ``compss``, to its end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import IO, Any, Protocol

from ansible_collections.continuum.edge.plugins.module_utils import pod_command

Object = dict[str, Any]
LABEL = "app.kubernetes.io/name=compss,app.kubernetes.io/instance={},app.kubernetes.io/component={}"
WRONG_IMAGES = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
LOOK = 1.0


class ApplicationError(Exception):
    """An application cannot be followed; the text says what was found and what to do."""


class Api(Protocol):
    def jobs(self, selector: str) -> list[Object]: ...
    def pods(self, selector: str) -> list[Object]: ...
    def log(self, pod: str, lines: int) -> list[str]: ...
    def status(self, service: str, port: int) -> Object: ...


class Cluster:
    """The calls of the Kubernetes API that following an application, and fetching its results, need."""

    def __init__(self, kubeconfig: str | None, context: str | None, namespace: str) -> None:
        from kubernetes import client, config
        from kubernetes.config import ConfigException

        try:
            self.client = config.new_client_from_config(kubeconfig, context)  # type: ignore[no-untyped-call]
        except ConfigException as error:
            raise ApplicationError(f"no access to the cluster: {error}") from error
        self.batch = client.BatchV1Api(self.client)
        self.core = client.CoreV1Api(self.client)
        self.namespace = namespace

    def _call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Object:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            answer: Any = function(*arguments, _preload_content=False, _request_timeout=15, **named)
            return dict(json.loads(answer.data))
        except ApiException as error:
            if error.status == 404:
                return {}
            text = f"the cluster answers {error.status} {error.reason}: {message(error.body)}"
            raise ApplicationError(text.rstrip(": ")) from error
        except HTTPError as error:
            raise ApplicationError(f"the cluster does not answer: {error}") from error

    def jobs(self, selector: str) -> list[Object]:
        return list(self._call(self.batch.list_namespaced_job, self.namespace, label_selector=selector)["items"])

    def pods(self, selector: str) -> list[Object]:
        return list(self._call(self.core.list_namespaced_pod, self.namespace, label_selector=selector)["items"])

    def pod(self, name: str) -> Object:
        """A pod, empty where there is none."""
        return self._call(self.core.read_namespaced_pod, name, self.namespace)

    def create_pod(self, definition: Object) -> None:
        self._call(self.core.create_namespaced_pod, self.namespace, definition)

    def delete_pod(self, name: str) -> None:
        self._call(self.core.delete_namespaced_pod, name, self.namespace, grace_period_seconds=0)

    def execute(self, pod: str, command: list[str], output: IO[bytes]) -> None:
        """Run a command in a pod, and write its standard output to a file."""
        try:
            for piece in pod_command.run(self.core, self.namespace, pod, None, command):
                output.write(piece)
        except pod_command.PodCommandError as error:
            raise ApplicationError(str(error)) from error

    def log(self, pod: str, lines: int) -> list[str]:
        from kubernetes.client import ApiException

        try:
            answer: Any = self.core.read_namespaced_pod_log(
                pod, self.namespace, container="master", tail_lines=lines, _preload_content=False, _request_timeout=15
            )
        except ApiException:
            return []
        return list(answer.data.decode(errors="replace").splitlines())

    def status(self, service: str, port: int) -> Object:
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            answer: Any = self.core.connect_get_namespaced_service_proxy_with_path(
                f"{service}:{port}", self.namespace, "status", _preload_content=False, _request_timeout=5
            )
            found = json.loads(answer.data)
        except (ApiException, HTTPError, ValueError):
            return {}
        return dict(found) if isinstance(found, dict) else {}


def message(body: Any) -> str:
    """What an answer of the API says of an error."""
    try:
        return str(json.loads(body)["message"])
    except (TypeError, ValueError, KeyError):
        return ""


def terminated(pod: Object) -> Object | None:
    """How the master's container ended."""
    for container in pod.get("status", {}).get("containerStatuses", ()):
        if container["name"] == "master":
            found = container["state"].get("terminated")
            return dict(found) if found else None
    return None


def obstacle(pod: Object) -> tuple[str, str]:
    """Why a pod does not run: a reason and its explanation, both empty where there is none."""
    status = pod.get("status", {})
    for container in [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]:
        waiting = container["state"].get("waiting") or {}
        if waiting.get("reason") in (*WRONG_IMAGES, "CreateContainerConfigError", "CreateContainerError"):
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
    deadline = clock() + timeout
    stuck_since: float | None = None
    homeless_since: float | None = None
    status: Object = {}
    said: set[str] = set()
    last = ""

    def say(text: str) -> None:
        nonlocal last
        if text != last:
            report(text)
        last = text

    while True:
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
        ended = {c["type"]: c for c in job.get("status", {}).get("conditions", ()) if c["status"] == "True"}
        end = terminated(masters[-1]) if masters else None
        if not end:
            # Where nothing listens any more, the API server takes seconds to say so.
            status = api.status(name, port) or status
        waiting = {}
        # Those of an earlier run may still be on their way out.
        workers = [
            pod
            for pod in api.pods(LABEL.format(name, "worker"))
            if pod["metadata"]["name"].startswith(f"{job['metadata']['name']}-")
        ]
        for pod in workers:
            reason, text = obstacle(pod)
            if reason:
                waiting[pod["metadata"]["name"]] = text
                if f"{pod['metadata']['name']} {reason}" not in said:
                    said.add(f"{pod['metadata']['name']} {reason}")
                    report(f"{pod['metadata']['name']} waits: {text}")
        outcome: Object = {
            "state": "running",
            "tasks": status.get("totals", {}),
            "attempts": len(masters),
            "pod": masters[-1]["metadata"]["name"] if masters else "",
            "node": masters[-1]["spec"].get("nodeName", "") if masters else "",
            "waiting": waiting,
            "job": job,
            "application": status,
        }
        if end and final(job, end):
            outcome.update(
                state="succeeded" if end["exitCode"] == 0 else "failed",
                status=end["exitCode"],
                seconds=stamp(end["finishedAt"]) - stamp(end["startedAt"]),
                log=api.log(outcome["pod"], 20),
            )
            return outcome
        if "Failed" in ended:
            raise ApplicationError(f"Job {job['metadata']['name']} failed: {ended['Failed'].get('message', '')}")
        if "Complete" in ended and not end:
            # Somebody removed its pod.
            took = stamp(job["status"]["completionTime"]) - stamp(job["status"]["startTime"])
            outcome.update(state="succeeded", status=0, seconds=took, log=[])
            return outcome
        if masters and not end:
            reason, text = obstacle(masters[-1])
            if reason:
                say(f"{outcome['pod']} waits: {text}")
                stuck_since = stuck_since if stuck_since is not None else clock()
                if reason in WRONG_IMAGES and clock() - stuck_since >= patience:
                    raise ApplicationError(
                        f"{outcome['pod']} cannot start: {text}. Expected an image that the node can pull."
                    )
            else:
                stuck_since = None
                say(progress(status))
        elif end:
            say(f"{outcome['pod']} ended with status {end['exitCode']}; the Job starts another one")
        placed = [pod for pod in workers if pod.get("spec", {}).get("nodeName")]
        homeless_since = None if placed or not waiting else homeless_since if homeless_since is not None else clock()
        if homeless_since is not None and not end and clock() - homeless_since >= patience:
            raise ApplicationError(
                f"{name}: no worker finds a node: {next(iter(waiting.values()))} Expected a node that has what a worker"
                " asks for: ask for less, or wait for it longer (compss_patience)."
            )
        if clock() >= deadline:
            outcome["log"] = api.log(outcome["pod"], 20) if masters else []
            return outcome
        sleep(LOOK)
