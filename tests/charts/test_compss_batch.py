"""Batch habits of charts/compss: schedules, suspension, what goes by itself, queues."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Objects, Render
from .test_charts import Template
from .test_compss import one


def job(objects: Objects, kind: str = "Job") -> dict[str, Any]:
    """What runs the master."""
    (item,) = [each for each in objects if each["kind"] == kind and "helm.sh/hook" not in str(each["metadata"])]
    return dict(item)


NIGHT = {"schedule": "0 3 * * *", "timeZone": "Europe/Madrid"}


def test_a_schedule_runs_what_a_job_runs(application: Render) -> None:
    once = job(application({"engine": "dask"}))["spec"]
    scheduled = application({"engine": "dask", "compss": {"master": NIGHT}})
    cron = job(scheduled, "CronJob")
    assert cron["spec"]["schedule"] == "0 3 * * *"
    assert cron["spec"]["timeZone"] == "Europe/Madrid"
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert cron["spec"]["suspend"] is False
    run = cron["spec"]["jobTemplate"]["spec"]
    assert {key: run[key] for key in once if key != "template"} == {key: once[key] for key in once if key != "template"}
    assert [each["name"] for each in run["template"]["spec"]["containers"]] == ["master"]
    assert not [each for each in scheduled if each["kind"] == "Job" and "hook" not in str(each["metadata"])]


def test_each_run_of_a_schedule_starts_its_workers(application: Render) -> None:
    objects = application({"engine": "dask", "compss": {"master": NIGHT, "worker": {"number": 3}}})
    assert one(objects, "StatefulSet")["spec"]["replicas"] == 0
    (monitoring,) = [
        each
        for each in one(objects, "CronJob")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["initContainers"]
        if each["name"] == "monitoring"
    ]
    environment = {each["name"]: each for each in monitoring["env"]}
    assert environment["START_WORKERS"]["value"] == "1"
    assert '"number":3' in environment["POOLS"]["value"]
    assert environment["JOB"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['batch.kubernetes.io/job-name']"
    # Every run is a Job whose name is not known beforehand.
    (jobs,) = [rule for rule in one(objects, "Role")["rules"] if rule["resources"] == ["jobs"]]
    assert jobs == {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]}


@pytest.mark.parametrize("master", [{"suspend": True}, {**NIGHT, "suspend": True}])
def test_what_is_held_has_no_workers(application: Render, master: dict[str, Any]) -> None:
    objects = application({"engine": "dask", "compss": {"master": master}})
    assert one(objects, "StatefulSet")["spec"]["replicas"] == 0
    assert job(objects, "CronJob" if "schedule" in master else "Job")["spec"]["suspend"] is True


@pytest.mark.parametrize(("seconds", "given"), [(-1, None), (0, 0), (600, 600)])
def test_a_job_that_goes_by_itself(application: Render, seconds: int, given: int | None) -> None:
    objects = application({"engine": "dask", "compss": {"master": {"ttlSecondsAfterFinished": seconds}}})
    assert job(objects)["spec"].get("ttlSecondsAfterFinished") == given


def test_kueue_sees_one_group_of_all_pods(application: Render) -> None:
    compss = {"queue": "edge", "worker": {"number": 2}, "pools": [{"name": "more", "number": 3}]}
    objects = application({"engine": "dask", "compss": compss})
    templates = [job(objects)["spec"]["template"]["metadata"]]
    templates += [each["spec"]["template"]["metadata"] for each in objects if each["kind"] == "StatefulSet"]
    assert len(templates) == 3
    for metadata in templates:
        assert metadata["labels"]["kueue.x-k8s.io/queue-name"] == "edge"
        assert metadata["annotations"]["kueue.x-k8s.io/pod-group-total-count"] == "6"
    assert len({metadata["labels"]["kueue.x-k8s.io/pod-group-name"] for metadata in templates}) == 1
    assert "kueue" not in str(application({"engine": "dask"}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"compss": {"master": {**NIGHT, "kind": "Deployment"}}}, "expected Job"),
        ({"compss": {"master": {"suspend": True, "kind": "Deployment"}}}, "expected Job"),
        ({"compss": {"master": NIGHT}, "monitoring": {"enabled": False}}, "starts the workers of each run"),
        ({"compss": {"master": NIGHT}, "app": {"source": {"archive": "0" * 64}}}, "nobody hands a folder to a run"),
        ({"compss": {"master": NIGHT, "queue": "edge"}}, "expected one of them"),
        ({"compss": {"master": {"schedule": "at night"}}}, "schedule"),
    ],
)
def test_what_cannot_be_is_refused(application_template: Template, values: dict[str, Any], words: str) -> None:
    done = application_template(values)
    assert done.returncode != 0
    assert words in done.stderr
