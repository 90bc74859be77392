# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Hands the archive of an application's folder to the master's pod, which waits for it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator
from typing import Protocol

from .application import LABEL, WRONG_IMAGES, ApplicationError, obstacle
from .kubernetes_api import Object

CONTAINER = "application"
KEPT = "/results/.application"
LOOK = 0.3


class Api(Protocol):
    def jobs(self, selector: str) -> list[Object]: ...
    def pods(self, selector: str) -> list[Object]: ...


def waiting(pod: Object) -> bool:
    """Whether the container runs, and has not got the folder yet."""
    for status in pod.get("status", {}).get("initContainerStatuses", ()):
        if status["name"] == CONTAINER:
            return "running" in status["state"] and not status.get("started")
    return False


def done(pod: Object) -> bool:
    """Whether the container has the folder, or waits for it no more."""
    if pod.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return True
    named = [each for each in pod["spec"].get("initContainers", ()) if each["name"] == CONTAINER]
    return not named or any(
        status["name"] == CONTAINER and status.get("started")
        for status in pod.get("status", {}).get("initContainerStatuses", ())
    )


def receiver(
    api: Api,
    name: str,
    timeout: float,
    patience: float,
    report: Callable[[str], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """The pod of the newest run's master that waits for the folder; empty where none does."""
    began = clock()
    last_report = ""
    while True:
        jobs = api.jobs(LABEL.format(name, "master"))
        if not jobs:
            return ""
        job = max(jobs, key=lambda item: item["metadata"]["creationTimestamp"])
        if any(each["status"] == "True" for each in job.get("status", {}).get("conditions", ())):
            return ""
        pods = [
            pod
            for pod in api.pods(LABEL.format(name, "master"))
            if pod["metadata"].get("labels", {}).get("batch.kubernetes.io/job-name") == job["metadata"]["name"]
        ]
        newest = max(pods, key=lambda pod: pod["metadata"]["creationTimestamp"], default=None)
        if newest and waiting(newest):
            return str(newest["metadata"]["name"])
        if newest and done(newest):
            return ""
        reason, text = obstacle(newest) if newest else ("", "")
        if text != last_report:
            report(f"{newest['metadata']['name'] if newest else name} waits: {text}")
            last_report = text
        passed = clock() - began
        if passed >= timeout or (reason in WRONG_IMAGES and passed >= patience):
            raise ApplicationError(
                f"the folder of {name} was not handed over: its master did not come to take it in {passed:.0f} s"
                f"{': ' + text if text else ''}. Run this again once it can."
            )
        sleep(LOOK)


def command(digest: str, size: int) -> list[str]:
    """The command that takes the archive: it ends with its input, whose size it knows, and shows only what is whole."""
    part, whole = (shlex.quote(f"{KEPT}/{digest}{ending}") for ending in (".part", ".tgz"))
    return [
        "sh",
        "-ec",
        f"mkdir -p {shlex.quote(KEPT)}; head -c {size} > {part}; test $(wc -c < {part}) = {size}; mv {part} {whole}",
    ]


def chunks(file: Iterator[bytes], size: int, report: Callable[[str], None]) -> Iterator[bytes]:
    """What goes over the wire, with a line each ten megabytes."""
    sent = told = 0
    for chunk in file:
        yield chunk
        sent += len(chunk)
        if sent - told > 10_000_000:
            report(f"{sent / 1e6:,.0f} of {size / 1e6:,.0f} MB handed over")
            told = sent
