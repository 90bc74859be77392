"""How an application is followed to its end, on what a cluster would answer."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils.application import (
    ApplicationError,
    follow,
    obstacle,
    progress,
)

TOTALS = {"pending": 1, "running": 1, "completed": 2, "failed": 0}
STATUS = {"phase": "running", "totals": TOTALS, "workers": {"w-0": {"up": True}, "w-1": {"up": False}}}
CLOCK = "2026-11-21T16:00:{:02}Z"


def job(condition: str = "", name: str = "app-1") -> dict[str, Any]:
    conditions = [{"type": condition, "status": "True", "message": "because"}] if condition else []
    status = {"startTime": CLOCK.format(0), "completionTime": CLOCK.format(30), "conditions": conditions}
    return {"metadata": {"name": name, "creationTimestamp": CLOCK.format(0)}, "status": status}


def master(state: dict[str, Any], number: int = 0, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"app-1-{number}",
            "creationTimestamp": CLOCK.format(number),
            "labels": {"batch.kubernetes.io/job-name": "app-1"},
        },
        "spec": {"nodeName": "edge-1"},
        "status": {"containerStatuses": [{"name": "master", "image": "app:1", "state": state}], **status},
    }


def ended(code: int, number: int = 0) -> dict[str, Any]:
    times = {"startedAt": CLOCK.format(10), "finishedAt": CLOCK.format(14)}
    return master({"terminated": {"exitCode": code, **times}}, number)


RUNNING: dict[str, Any] = {"running": {}}
UNPULLED = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
PENDING = {
    "metadata": {"name": "app-1-worker-2"},
    "status": {
        "conditions": [
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "didn't match anti-affinity",
            }
        ]
    },
}


class Answers:
    """A cluster that says one thing after the other, and then the last one."""

    def __init__(
        self, *steps: tuple[dict[str, Any], list[dict[str, Any]]], workers: list[dict[str, Any]] | None = None
    ):
        self.steps = list(steps)
        self.workers = workers or []
        self.seconds = 0.0
        self.reports: list[str] = []

    def jobs(self, selector: str) -> list[dict[str, Any]]:
        assert "instance=app" in selector
        return [self.steps[0][0]] if self.steps else []

    def pods(self, selector: str) -> list[dict[str, Any]]:
        return self.workers if "component=worker" in selector else self.steps[0][1]

    def log(self, pod: str, lines: int) -> list[str]:
        return [f"the last {lines} lines of {pod}"]

    def status(self, service: str, port: int) -> dict[str, Any]:
        return {**STATUS, "where": f"{service}:{port}"}

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        if len(self.steps) > 1:
            del self.steps[0]

    def follow(self, timeout: float = 100, patience: float = 60) -> dict[str, Any]:
        return follow(self, "app", 15000, timeout, patience, self.reports.append, lambda: self.seconds, self.sleep)


def test_followed_to_a_good_end() -> None:
    cluster = Answers((job(), [master(RUNNING)]), (job(), [master(RUNNING)]), (job("Complete"), [ended(0)]))
    outcome = cluster.follow()
    assert (outcome["state"], outcome["status"], outcome["seconds"], outcome["attempts"]) == ("succeeded", 0, 4.0, 1)
    assert (outcome["pod"], outcome["node"], outcome["tasks"]) == ("app-1-0", "edge-1", TOTALS)
    assert outcome["log"] == ["the last 20 lines of app-1-0"]
    # The line comes once, though the application was looked at twice.
    assert cluster.reports == ["2 of 4 tasks done, 1 workers"]


@pytest.mark.parametrize(("code", "condition"), [(2, ""), (1, "Failed"), (137, "FailureTarget")])
def test_followed_to_a_bad_end(code: int, condition: str) -> None:
    outcome = Answers((job(condition), [ended(code)])).follow()
    assert (outcome["state"], outcome["status"]) == ("failed", code)


def test_the_next_master_is_waited_for() -> None:
    cluster = Answers((job(), [ended(1)]), (job("Complete"), [ended(1), ended(0, 1)]))
    outcome = cluster.follow()
    assert (outcome["state"], outcome["attempts"], outcome["pod"]) == ("succeeded", 2, "app-1-1")
    assert cluster.reports == ["app-1-0 ended with status 1; the Job starts another one"]


def test_a_job_whose_pod_somebody_removed_has_ended_all_the_same() -> None:
    outcome = Answers((job("Complete"), [])).follow()
    assert (outcome["state"], outcome["seconds"], outcome["pod"]) == ("succeeded", 30.0, "")


def test_masters_of_an_earlier_run_do_not_count() -> None:
    outcome = Answers((job(name="app-2"), [ended(0)])).follow(timeout=0)
    assert (outcome["state"], outcome["attempts"]) == ("running", 0)


def test_a_worker_without_a_place_is_told_once() -> None:
    cluster = Answers((job(), [master(RUNNING)]), (job(), [ended(0)]), workers=[PENDING])
    cluster.workers.append({"metadata": {"name": "app-1-worker-0"}, "spec": {"nodeName": "edge-1"}})
    assert cluster.follow(patience=0)["waiting"] == {"app-1-worker-2": "didn't match anti-affinity"}
    assert cluster.reports[0] == "app-1-worker-2 waits: didn't match anti-affinity"
    assert sum("worker-2" in line for line in cluster.reports) == 1


def test_no_worker_with_a_place_is_an_error_after_a_while() -> None:
    cluster = Answers((job(), [master(RUNNING)]), workers=[PENDING])
    with pytest.raises(
        ApplicationError, match="app: no worker finds a node: didn't match anti-affinity Expected a node"
    ):
        cluster.follow(patience=5)
    assert cluster.seconds == 5


def test_workers_of_an_earlier_run_do_not_count() -> None:
    gone = {**PENDING, "metadata": {"name": "app-0-worker-2"}}
    assert Answers((job(), [ended(0)]), workers=[gone]).follow(patience=0)["waiting"] == {}


def test_an_image_that_cannot_be_pulled_is_an_error_after_a_while() -> None:
    cluster = Answers((job(), [master(UNPULLED)]))
    with pytest.raises(ApplicationError, match=r"app-1-0 cannot start: app:1: no such image. Expected an image"):
        cluster.follow(patience=5)
    assert cluster.seconds == 5


def test_the_time_is_up() -> None:
    cluster = Answers((job(), [master(RUNNING)]))
    outcome = cluster.follow(timeout=3)
    assert (outcome["state"], cluster.seconds) == ("running", 3)


def test_a_job_that_failed_without_an_end_of_its_master_says_why() -> None:
    with pytest.raises(ApplicationError, match="Job app-1 failed: because"):
        Answers((job("Failed"), [])).follow()


def test_no_job_is_an_error() -> None:
    with pytest.raises(ApplicationError, match="release app has no Job"):
        Answers().follow()


def test_a_pod_that_runs_has_no_obstacle() -> None:
    assert obstacle(master(RUNNING)) == ("", "")


def test_progress_before_the_first_task() -> None:
    assert progress({}) == progress({"phase": "waiting", "totals": TOTALS}) == "the application has not started yet"
    assert progress({**STATUS, "totals": {**TOTALS, "failed": 3}}) == "5 of 7 tasks done, 1 workers, 3 failed"
