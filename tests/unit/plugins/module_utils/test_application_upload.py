"""Whose pod gets the folder of an application, and that it gets the whole of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import application_upload
from ansible_collections.continuum.edge.plugins.module_utils.application import ApplicationError


def job(name: str, created: str, ended: str = "") -> dict[str, Any]:
    conditions = [{"type": ended, "status": "True"}] if ended else []
    return {"metadata": {"name": name, "creationTimestamp": created}, "status": {"conditions": conditions}}


def pod(name: str, of: str, state: str, *, started: bool = False, archive: bool = True) -> dict[str, Any]:
    status = {"name": "application", "image": "i", "state": {state: {"reason": "ErrImagePull"}}, "started": started}
    return {
        "metadata": {"name": name, "creationTimestamp": "1", "labels": {"batch.kubernetes.io/job-name": of}},
        "spec": {"initContainers": [{"name": "application"}] if archive else []},
        "status": {"phase": "Pending", "initContainerStatuses": [status] if archive else []},
    }


class Fake:
    """What the API answers, look by look; the last answer stays."""

    def __init__(self, jobs: list[dict[str, Any]], *looks: list[dict[str, Any]]) -> None:
        self.runs, self.looks, self.time = jobs, list(looks), 0.0

    def jobs(self, selector: str) -> list[dict[str, Any]]:
        assert "component=master" in selector
        return self.runs

    def pods(self, selector: str) -> list[dict[str, Any]]:
        assert "component=master" in selector
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def receiver(self, **limits: float) -> str:
        return application_upload.receiver(
            self,
            "mine",
            limits.get("timeout", 100),
            limits.get("patience", 5),
            lambda _text: None,
            lambda: self.time,
            self.sleep,
        )


def test_the_newest_runs_master_gets_it_once_it_runs() -> None:
    jobs = [job("old", "1"), job("new", "2")]
    old = pod("old-a", "old", "running")
    api = Fake(jobs, [old], [old, pod("new-a", "new", "waiting")], [old, pod("new-a", "new", "running")])
    assert api.receiver() == "new-a"


@pytest.mark.parametrize(
    ("jobs", "pods"),
    [
        ([], []),
        ([job("new", "2", "Complete")], []),
        ([job("new", "2")], [pod("new-a", "new", "running", started=True)]),
        ([job("new", "2")], [pod("new-a", "new", "running", archive=False)]),
    ],
    ids=["no release", "ended", "has it", "needs none"],
)
def test_nobody_waits_for_it(jobs: list[dict[str, Any]], pods: list[dict[str, Any]]) -> None:
    assert not Fake(jobs, pods).receiver()


def test_an_image_that_cannot_be_pulled_is_said() -> None:
    api = Fake([job("new", "2")], [pod("new-a", "new", "waiting")])
    with pytest.raises(ApplicationError, match="its master did not come to take it"):
        api.receiver()
    assert api.time < 10


@pytest.mark.parametrize("sent", [b"x" * 1000, b"x" * 999])
def test_the_command_keeps_only_what_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(application_upload, "KEPT", str(tmp_path / "kept here"))
    done = subprocess.run(application_upload.command("abc", 1000), input=sent, check=False)
    whole = tmp_path / "kept here" / "abc.tgz"
    assert (done.returncode == 0) == whole.exists() == (len(sent) == 1000)
    assert not whole.exists() or whole.read_bytes() == sent
