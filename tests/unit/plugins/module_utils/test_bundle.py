"""What a bundle consists of, and what makes it unfit."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import bundle
from ansible_collections.continuum.edge.plugins.module_utils.helm import Spec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "charts").mkdir()
    (tmp_path / "charts" / "edge-monitoring-0.1.0.tgz").write_bytes(b"chart")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "promql_parser-0.12.0-cp311-abi3-manylinux_2_17_x86_64.whl").write_bytes(b"wheel")
    (tmp_path / bundle.SUMS).write_text(bundle.seal(tmp_path))
    return tmp_path


def test_as_it_was_made(folder: Path) -> None:
    assert bundle.verify(folder) == 2


def test_coreutils_read_the_list(folder: Path) -> None:
    assert os.system(f"cd {folder} && sha256sum --check --quiet {bundle.SUMS}") == 0  # noqa: S605


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda f: (f / "charts" / "edge-monitoring-0.1.0.tgz").write_bytes(b"Chart"), r"damaged: charts/edge-mon"),
        (lambda f: (f / "charts" / "edge-monitoring-0.1.0.tgz").unlink(), r"missing: charts/edge-monitoring-0\.1\.0"),
        (lambda f: (f / "wheels" / "stranger").write_bytes(b""), r"not part of it: wheels/stranger"),
        (lambda f: (f / bundle.SUMS).unlink(), r"There is no bundle"),
    ],
)
def test_what_is_wrong_is_named(folder: Path, harm: object, words: str) -> None:
    harm(folder)  # type: ignore[operator]
    with pytest.raises(bundle.BundleError, match=words):
        bundle.verify(folder)


def test_packing_twice_gives_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    first = bundle.pack_folder(tmp_path, "x/")
    os.utime(tmp_path / "a", (0, 0))
    assert bundle.pack_folder(tmp_path, "x/") == first


def test_an_archive_has_its_folders(tmp_path: Path) -> None:
    # ansible-galaxy refuses a collection without its folders.
    (tmp_path / "a" / "__pycache__").mkdir(parents=True)
    (tmp_path / "a" / "b").write_bytes(b"1")
    with tarfile.open(fileobj=io.BytesIO(bundle.pack_folder(tmp_path))) as archive:
        assert {member.name: member.isdir() for member in archive} == {"a": True, "a/b": False}


def test_a_collection_lists_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("x")
    names = {"README.md": "file", ".github": "dir", ".github/ci.yml": "file", ".": "dir"}
    (tmp_path / "FILES.json").write_text(json.dumps({"files": [{"name": n, "ftype": k} for n, k in names.items()]}))
    info = {"namespace": "a", "name": "b", "version": "1.0.0"}
    manifest = {"collection_info": info, "file_manifest_file": {"chksum_sha256": "0"}}
    (tmp_path / "MANIFEST.json").write_text(json.dumps(manifest))
    name, content = bundle.pack_collection(tmp_path)
    assert name == "a-b-1.0.0.tar.gz"
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert sorted(archive.getnames()) == ["FILES.json", "MANIFEST.json", "README.md"]
        files, manifest = (archive.extractfile(each).read() for each in ("FILES.json", "MANIFEST.json"))  # type: ignore[union-attr]
    assert [each["name"] for each in json.loads(files)["files"]] == ["README.md", "."]
    assert json.loads(manifest)["file_manifest_file"]["chksum_sha256"] == hashlib.sha256(files).hexdigest()


def test_a_chart_is_found_by_name_and_version(folder: Path, tmp_path: Path) -> None:
    chart = tmp_path / "somewhere" / "else"
    chart.mkdir(parents=True)
    (chart / "Chart.yaml").write_text("name: edge-monitoring\nversion: 0.1.0\n")
    archive = bundle.chart_in(folder, Spec("prometheus", "monitoring", str(chart)))
    assert archive == str(folder / "charts" / "edge-monitoring-0.1.0.tgz")
    upstream = Spec("m", "kube-system", "metrics-server", "https://charts.example", "v3.13.1")
    with pytest.raises(bundle.BundleError, match=r"no chart metrics-server-3\.13\.1\.tgz.*it has edge-monitoring"):
        bundle.chart_in(folder, upstream)


def test_images_are_found_wherever_they_stand() -> None:
    pod = {
        "spec": {
            "template": {"spec": {"initContainers": [{"image": "busybox"}], "containers": [{"image": "a.io/b:1"}]}}
        }
    }
    operator = {
        "args": ["--prometheus-config-reloader=quay.io/prometheus-operator/prometheus-config-reloader:v0.90.0", "-v=2"]
    }
    assert bundle.images_of([pod, operator, {"image": ""}]) == {
        "docker.io/library/busybox:latest",
        "a.io/b:1",
        "quay.io/prometheus-operator/prometheus-config-reloader:v0.90.0",
    }


def test_everything_is_described(folder: Path) -> None:
    described = bundle.sbom(folder, "continuum.edge", "0.1.0")
    assert described == bundle.sbom(folder, "continuum.edge", "0.1.0")
    assert [(each["type"], each["name"], each["version"]) for each in described["components"]] == [
        ("application", "edge-monitoring", "0.1.0"),
        ("library", "promql_parser", "0.12.0"),
    ]
    assert described["components"][1]["purl"].startswith("pkg:pypi/promql-parser@0.12.0")


def test_the_description_is_valid(folder: Path) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    described = bundle.sbom(folder, "continuum.edge", "0.1.0")
    assert validator.validate_str(json.dumps(described)) is None
    assert validator.validate_str(json.dumps(described | {"vesion": 1})) is not None
