"""What happens to a claim and to what runs on it. The volumes are folders here, and the commands run on them."""

from __future__ import annotations

import copy
import io
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import volume
from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import KubernetesError
from ansible_collections.continuum.edge.plugins.module_utils.pod_command import PodCommandError
from ansible_collections.continuum.edge.plugins.module_utils.volume import Guard, VolumeError, Workload

Object = dict[str, Any]

CLAIM = "data"
WORKLOAD = Workload("apps/v1", "StatefulSet", "db")
DEFINITION: Object = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {
        "name": CLAIM,
        "labels": {"app": "db"},
        "annotations": {
            "pv.kubernetes.io/bind-completed": "yes",
            "volume.kubernetes.io/selected-node": "n",
            "note": "x",
        },
        "uid": "1",
    },
    "spec": {"accessModes": ["ReadWriteOnce"], "volumeName": "pv-1", "storageClassName": "local"},
}
POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "db-0"},
    "spec": {
        "securityContext": {"fsGroup": 1},
        "tolerations": [{"operator": "Exists"}],
        "containers": [
            {"name": "proxy", "image": "proxy:1"},
            {
                "name": "db",
                "image": "db:1",
                "securityContext": {"runAsUser": 1},
                "volumeMounts": [{"name": "v", "mountPath": "/data"}, {"name": "tmp", "mountPath": "/tmp"}],
            },
        ],
        "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "v", "persistentVolumeClaim": {"claimName": CLAIM}}],
    },
    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
}


class Cluster:
    """A StatefulSet with one pod on one claim. What it is told happens at once, and is kept in its order."""

    namespace = "place"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.volumes = 0
        self.objects: dict[tuple[str, str], Object] = {
            ("StatefulSet", "db"): {"spec": {"replicas": 1}},
            ("Pod", "db-0"): copy.deepcopy(POD),
            ("PersistentVolumeClaim", CLAIM): copy.deepcopy(DEFINITION),
        }
        self.done: list[str] = []
        self.files.mkdir()

    @property
    def files(self) -> Path:
        return self.folder / f"volume-{self.volumes}"

    def get(self, _api_version: str, kind: str, name: str) -> Object | None:
        return copy.deepcopy(self.objects.get((kind, name)))

    def list_objects(self, _api_version: str, kind: str) -> list[Object]:
        return [copy.deepcopy(obj) for (each, _), obj in self.objects.items() if each == kind]

    def create(self, obj: Object) -> None:
        kind, name = obj["kind"], obj["metadata"]["name"]
        assert (kind, name) not in self.objects
        self.done.append(f"create {kind} {name}")
        self.objects[kind, name] = {**copy.deepcopy(obj), "status": {"phase": "Running", "conditions": []}}
        if kind == "PersistentVolumeClaim":
            self.volumes += 1
            self.files.mkdir()

    def delete(self, _api_version: str, kind: str, name: str) -> None:
        self.done.append(f"delete {kind} {name}")
        del self.objects[kind, name]

    def merge_patch(self, _api_version: str, kind: str, name: str, body: Object) -> None:
        replicas = body["spec"]["replicas"]
        self.done.append(f"scale {kind} {name} to {replicas}")
        self.objects[kind, name]["spec"]["replicas"] = replicas
        self.objects.pop(("Pod", "db-0"), None)
        if replicas:
            self.objects["Pod", "db-0"] = copy.deepcopy(POD)

    def here(self, pod: str, command: list[str]) -> list[str]:
        assert ("Pod", pod) in self.objects
        self.done.append(f"{command[1]} in {pod}")
        return ["tar", *(str(self.files) if part == "/data" else part for part in command[1:])]

    def read(self, pod: str, _container: str | None, command: list[str]) -> Iterator[bytes]:
        yield subprocess.run(self.here(pod, command), check=True, capture_output=True).stdout

    def write(self, pod: str, _container: str, command: list[str], content: Iterator[bytes]) -> None:
        subprocess.run(self.here(pod, command), check=True, input=b"".join(content))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setattr(volume, "WAIT", 0.0)
    made = Cluster(tmp_path)
    (made.files / "history").write_text("kept")
    (made.files / "lost+found").mkdir()
    return made


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "backup" / "data.tar.gz"


def members(archive: Path) -> list[str]:
    with tarfile.open(archive) as packed:
        return sorted(packed.getnames())


def save(cluster: Cluster, archive: Path) -> str:
    digest = volume.save(cluster, CLAIM, archive, None)
    cluster.done.clear()
    return digest


def test_saved_while_it_runs(cluster: Cluster, archive: Path) -> None:
    digest = volume.save(cluster, CLAIM, archive, None)
    assert cluster.done == ["-cf in db-0"]
    assert members(archive) == [".", "./history"]
    assert volume.sums_of(archive).read_text() == f"{digest}  data.tar.gz\n"
    assert volume.check(archive) == digest
    assert [path.name for path in archive.parent.iterdir() if path.name.startswith(".")] == []


def test_saved_again_where_files_were_rearranged(
    cluster: Cluster, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter(["1", "2", "2", "2"])
    monkeypatch.setattr(Guard, "state", lambda _: next(states))
    volume.save(cluster, CLAIM, archive, Guard("http://x", "^x"))
    assert cluster.done == ["-cf in db-0"] * 2


def test_no_archive_is_left_of_files_that_never_rest(
    cluster: Cluster, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = iter("123456")
    monkeypatch.setattr(Guard, "state", lambda _: next(states))
    with pytest.raises(VolumeError, match="rearranged during each of 3 attempts"):
        volume.save(cluster, CLAIM, archive, Guard("http://x", "^x"))
    assert not archive.exists()


def test_saved_with_nothing_running(cluster: Cluster, archive: Path) -> None:
    volume.save_stopped(cluster, CLAIM, archive, WORKLOAD, 1)
    assert cluster.done == [
        *("scale StatefulSet db to 0", "create Pod data-backup", "-cf in data-backup"),
        *("delete Pod data-backup", "scale StatefulSet db to 1"),
    ]
    assert members(archive) == [".", "./history"]


def test_its_helper_is_as_the_pod_that_ran_there(cluster: Cluster, archive: Path) -> None:
    made: list[Object] = []
    create = cluster.create
    cluster.create = lambda obj: (made.append(obj), create(obj))[1]  # type: ignore[method-assign, func-returns-value]
    volume.save_stopped(cluster, CLAIM, archive, WORKLOAD, 1)
    spec = made[0]["spec"]
    assert (spec["securityContext"], spec["tolerations"]) == ({"fsGroup": 1}, [{"operator": "Exists"}])
    assert not spec["automountServiceAccountToken"]
    [container] = spec["containers"]
    assert (container["image"], container["securityContext"]) == ("db:1", {"runAsUser": 1})
    assert container["volumeMounts"] == [{"name": "v", "mountPath": "/data"}]
    assert spec["volumes"] == [{"name": "v", "persistentVolumeClaim": {"claimName": CLAIM}}]


def test_restored_into_a_new_volume(cluster: Cluster, archive: Path) -> None:
    save(cluster, archive)
    (cluster.files / "history").write_text("lost")
    (cluster.files / "later").touch()
    volume.restore(cluster, CLAIM, archive, WORKLOAD, 1)
    assert cluster.done == [
        *(
            "scale StatefulSet db to 0",
            f"delete PersistentVolumeClaim {CLAIM}",
            f"create PersistentVolumeClaim {CLAIM}",
        ),
        *("create Pod data-backup", "-xf in data-backup", "delete Pod data-backup", "scale StatefulSet db to 1"),
    ]
    assert [path.name for path in cluster.files.iterdir()] == ["history"]
    assert (cluster.files / "history").read_text() == "kept"
    claim = cluster.objects["PersistentVolumeClaim", CLAIM]
    assert claim["metadata"] == {
        **{"name": CLAIM, "namespace": "place", "labels": {"app": "db"}},
        "annotations": {"note": "x"},
    }
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "storageClassName": "local"}


@pytest.mark.parametrize("damage", ["content", "digest", "archive"])
def test_a_damaged_backup_changes_nothing(damage: str, cluster: Cluster, archive: Path) -> None:
    save(cluster, archive)
    if damage == "content":
        archive.write_bytes(archive.read_bytes() + b"x")
    else:
        (volume.sums_of(archive) if damage == "digest" else archive).unlink()
    with pytest.raises(VolumeError, match=r"is damaged: its digest is|There is no backup"):
        volume.restore(cluster, CLAIM, archive, WORKLOAD, 1)
    assert cluster.done == []
    assert (cluster.files / "history").read_text() == "kept"


def test_it_runs_again_whatever_goes_wrong(cluster: Cluster, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(cluster, archive)

    def broken(*_: Any) -> None:
        raise PodCommandError("tar in data-backup failed.")

    monkeypatch.setattr(cluster, "write", broken)
    with pytest.raises(VolumeError, match=r"tar in data-backup failed\. Expected an image with a tar\."):
        volume.restore(cluster, CLAIM, archive, WORKLOAD, 1)
    assert cluster.done[-2:] == ["delete Pod data-backup", "scale StatefulSet db to 1"]


def test_what_may_not_be_scaled_keeps_its_claim(
    cluster: Cluster, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(cluster, archive)

    def refused(*_: Any) -> None:
        raise KubernetesError("403")

    monkeypatch.setattr(cluster, "merge_patch", refused)
    with pytest.raises(KubernetesError):
        volume.restore(cluster, CLAIM, archive, WORKLOAD, 1)
    assert cluster.done == []


def test_what_does_not_stop_keeps_its_claim_and_runs_again(
    cluster: Cluster, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(cluster, archive)
    scaled: list[int] = []
    monkeypatch.setattr(cluster, "merge_patch", lambda *args: scaled.append(args[3]["spec"]["replicas"]))
    with pytest.raises(VolumeError, match=r"StatefulSet db did not stop within 0 s\."):
        volume.restore(cluster, CLAIM, archive, WORKLOAD, 0)
    assert scaled == [0, 1]
    assert cluster.done == []


def test_the_number_of_replicas_comes_back(cluster: Cluster, archive: Path) -> None:
    cluster.objects["StatefulSet", "db"]["spec"]["replicas"] = 3
    volume.save_stopped(cluster, CLAIM, archive, WORKLOAD, 1)
    assert cluster.done[-1] == "scale StatefulSet db to 3"


@pytest.mark.parametrize(
    ("gone", "reason"),
    [
        (("Pod", "db-0"), r"No running pod in namespace place mounts the claim data\. .*site\.yml"),
        (("StatefulSet", "db"), r"There is no StatefulSet db in namespace place\."),
        (("PersistentVolumeClaim", CLAIM), r"There is no claim data in namespace place\."),
    ],
)
def test_what_is_not_there_is_named(gone: tuple[str, str], reason: str, cluster: Cluster, archive: Path) -> None:
    save(cluster, archive)
    del cluster.objects[gone]
    with pytest.raises(VolumeError, match=reason):
        volume.restore(cluster, CLAIM, archive, WORKLOAD, 1)
    assert not [each for each in cluster.done if each.startswith(("delete", "create"))]


@pytest.mark.parametrize(
    ("page", "reason"),
    [(None, "does not answer"), (b"other 1\n", r"has no line \^compactions .*\. Expected what runs")],
)
def test_a_guard_that_says_nothing_is_an_error(
    page: bytes | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*_: Any, **__: Any) -> io.BytesIO:
        if page is None:
            raise OSError("refused")
        return io.BytesIO(page)

    monkeypatch.setattr(volume.urllib.request, "urlopen", opened)
    with pytest.raises(VolumeError, match=reason):
        Guard("http://127.0.0.1:1/metrics", r"^compactions .*$").state()
