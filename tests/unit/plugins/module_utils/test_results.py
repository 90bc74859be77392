"""How results come from a volume to this machine, with a pod that is a folder here."""

from __future__ import annotations

import copy
import json
import subprocess
from pathlib import Path
from typing import IO, Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils.application import ApplicationError
from ansible_collections.continuum.edge.plugins.module_utils.results import fetch, reader

STARTED = 1795276800.0  # 2026-11-21 16:00:00 UTC
JOB: dict[str, Any] = {
    "metadata": {"name": "app-abc123"},
    "status": {"startTime": "2026-11-21T16:00:00Z"},
    "spec": {
        "template": {
            "spec": {
                "securityContext": {"runAsUser": 10001},
                "tolerations": [{"operator": "Exists"}],
                "initContainers": [{"name": "monitoring"}],
                "containers": [
                    {
                        "name": "master",
                        "image": "engine:1",
                        "imagePullPolicy": "Always",
                        "securityContext": {"readOnlyRootFilesystem": True},
                    }
                ],
                "volumes": [
                    {"name": "tmp", "emptyDir": {}},
                    {"name": "results", "persistentVolumeClaim": {"claimName": "mine"}},
                ],
            }
        }
    },
}


class Volume:
    """Pods that start at the second look; commands that run here, on a folder that stands for the volume."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pods: dict[str, dict[str, Any]] = {}
        self.created = 0
        self.starts = True

    def pod(self, name: str) -> dict[str, Any]:
        stored = self.pods.get(name, {})
        answer = copy.deepcopy(stored)
        if stored and self.starts:
            stored["status"] = {"phase": "Running"}
        return answer

    def create_pod(self, definition: dict[str, Any]) -> None:
        self.created += 1
        self.pods[definition["metadata"]["name"]] = {**definition, "status": {"phase": "Pending"}}

    def delete_pod(self, name: str) -> None:
        self.pods.pop(name, None)

    def execute(self, pod: str, command: list[str], output: IO[bytes]) -> None:
        assert self.pods[pod]["status"]["phase"] == "Running"
        here = [argument.replace("/results", str(self.folder)) for argument in command]
        output.write(subprocess.run(here, check=True, capture_output=True).stdout)

    def run(self, started: float = STARTED + 5, name: str = ".COMPSs/app.py_01", text: str = "first") -> None:
        """What an application leaves."""
        (self.folder / name / "jobs").mkdir(parents=True, exist_ok=True)
        (self.folder / name / "jobs" / "job1_NEW.out").write_text(text)
        (self.folder / name / "status.json").write_text(json.dumps({"totals": {"completed": 7}}))
        last = {"run": "abc123", "status": 0, "started": started, "ended": started + 3, "results": name}
        (self.folder / "last_run.json").write_text(json.dumps(last))


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    folder = tmp_path / "volume"
    folder.mkdir()
    return Volume(folder)


def bring(volume: Volume, folder: Path, job: dict[str, Any] = JOB, **arguments: Any) -> dict[str, Any]:
    return fetch(volume, "app", job, folder, lambda _: None, sleep=lambda _: None, **arguments)


def test_results_come_once(volume: Volume, tmp_path: Path) -> None:
    volume.run()
    first = bring(volume, tmp_path / "here")
    again = bring(volume, tmp_path / "here")
    assert first == {**again, "fetched": True}
    assert again["fetched"] is False
    assert volume.created == 1
    assert volume.pods == {}
    assert Path(first["results"], "jobs", "job1_NEW.out").read_text() == "first"
    assert (first["run"]["ended"] - first["run"]["started"], first["application"]["totals"]["completed"]) == (3, 7)


def test_what_a_person_removed_comes_again(volume: Volume, tmp_path: Path) -> None:
    volume.run()
    (Path(bring(volume, tmp_path / "here")["results"])).rename(tmp_path / "elsewhere")
    assert bring(volume, tmp_path / "here")["fetched"] is True


def test_results_of_an_earlier_cluster_move_aside(volume: Volume, tmp_path: Path) -> None:
    volume.run()
    bring(volume, tmp_path / "here")
    later = copy.deepcopy(JOB)
    later["status"]["startTime"] = "2026-11-21T17:00:00Z"
    volume.run(STARTED + 3605, text="second")
    assert bring(volume, tmp_path / "here", later)["fetched"] is True
    outputs = {
        path.name: (path / "jobs" / "job1_NEW.out").read_text()
        for path in (tmp_path / "here").iterdir()
        if path.is_dir()
    }
    assert sorted(outputs.values()) == ["first", "second"]
    assert outputs["app.py_01"] == "second"


def test_an_earlier_run_is_not_taken_for_this_one(volume: Volume, tmp_path: Path) -> None:
    volume.run(STARTED - 100)
    assert bring(volume, tmp_path / "here") == {"fetched": False, "results": "", "run": {}, "application": {}}
    assert volume.pods == {}


def test_an_application_that_left_nothing(volume: Volume, tmp_path: Path) -> None:
    assert bring(volume, tmp_path / "here")["results"] == ""


def test_an_application_that_keeps_no_results(volume: Volume, tmp_path: Path) -> None:
    job = copy.deepcopy(JOB)
    job["spec"]["template"]["spec"]["volumes"][1] = {"name": "results", "emptyDir": {}}
    assert bring(volume, tmp_path / "here", job)["results"] == ""
    assert volume.created == 0


def test_a_pod_that_does_not_start_is_an_error_and_goes(volume: Volume, tmp_path: Path) -> None:
    volume.starts = False
    with pytest.raises(ApplicationError, match="pod app-reader was not running in 0 s"):
        bring(volume, tmp_path / "here", timeout=0)
    assert volume.pods == {}


def test_the_reader_can_run_where_the_master_could_and_no_more() -> None:
    definition = reader("app-reader", JOB)
    assert definition is not None
    spec, (container,) = definition["spec"], definition["spec"]["containers"]
    assert (spec["securityContext"], spec["tolerations"]) == ({"runAsUser": 10001}, [{"operator": "Exists"}])
    assert spec["automountServiceAccountToken"] is False
    assert spec["volumes"] == [{"name": "results", "persistentVolumeClaim": {"claimName": "mine"}}]
    assert container["securityContext"] == {"readOnlyRootFilesystem": True}
    assert container["volumeMounts"][0]["readOnly"] is True
