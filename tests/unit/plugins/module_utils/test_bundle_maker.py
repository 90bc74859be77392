"""A bundle is made of what is asked for, and of nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import application_folder, bundle, oci
from ansible_collections.continuum.edge.plugins.module_utils.bundle_maker import Request, make


@pytest.fixture
def request_(tmp_path: Path) -> Request:
    """Helm for two architectures, from a folder in the place of its server."""
    helm = tmp_path / "helm"
    helm.write_text("#!/bin/sh\necho v4.3.1\n")
    helm.chmod(0o755)
    server = tmp_path / "server"
    server.mkdir()
    for architecture in ("amd64", "arm64"):
        archive = server / f"helm-v4.3.1-linux-{architecture}.tar.gz"
        archive.write_bytes(architecture.encode())
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        archive.with_name(f"{archive.name}.sha256sum").write_text(f"{digest}  {archive.name}\n")
    return Request(
        folder=tmp_path / "bundle",
        releases=[],
        applications={},
        images=[],
        architectures=["amd64", "arm64"],
        layout=None,
        registry="",
        insecure=False,
        helm=str(helm),
        helm_archives=server.as_uri(),
        collections=[],
        requirements=None,
        python="python3",
        python_versions=[],
        programs=None,
    )


def made(request: Request, *, check: bool = False) -> tuple[bool, int]:
    return make(request, None, print, check=check)


def test_made_once_and_whole(request_: Request) -> None:
    assert made(request_, check=True) == (True, 0)
    assert not request_.folder.exists()
    changed, number = made(request_)
    assert changed
    assert bundle.verify(request_.folder) == number - 1, "all but the list of digests"
    assert sorted(path.name for path in (request_.folder / "bin").iterdir()) == [
        f"helm-v4.3.1-linux-{architecture}.tar.gz" for architecture in request_.architectures
    ]
    assert made(request_) == (False, number)


def test_what_it_no_longer_needs_goes(request_: Request) -> None:
    made(request_)
    assert made(dataclasses.replace(request_, architectures=["amd64"]))[0]
    assert [path.name for path in (request_.folder / "bin").iterdir()] == ["helm-v4.3.1-linux-amd64.tar.gz"]


def test_a_folder_with_something_else_is_left_alone(request_: Request) -> None:
    request_.folder.mkdir()
    (request_.folder / "photographs").mkdir()
    with pytest.raises(bundle.BundleError, match=r"has photographs, which are not of a bundle\. .*bundle_output"):
        made(request_)
    assert [path.name for path in request_.folder.iterdir()] == ["photographs"]


def test_an_archive_of_another_digest_is_refused_and_leaves_no_bundle(request_: Request, tmp_path: Path) -> None:
    made(request_)
    (tmp_path / "server" / "helm-v4.3.1-linux-arm64.tar.gz").write_bytes(b"other")
    (request_.folder / "bin" / "helm-v4.3.1-linux-arm64.tar.gz").unlink()
    with pytest.raises(bundle.BundleError, match=r"has not the digest of .*sha256sum\. Get it again"):
        made(request_)
    assert not (request_.folder / bundle.SUMS).exists()


def test_programs_are_packed_as_they_are(request_: Request, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "kube").write_bytes(b"program")
    (programs / "kube").chmod(0o755)
    (programs / ".kube.key").write_text("stamp")
    (programs / "kubectl").symlink_to("kube")
    request = dataclasses.replace(request_, programs=programs)
    made(request)
    packed = request.folder / "programs"
    assert sorted(path.name for path in packed.iterdir()) == [".kube.key", "kube"]
    assert (packed / "kube").stat().st_mode & 0o777 == 0o755
    assert not made(request)[0]
    (programs / "kube").write_bytes(b"another")
    assert made(request)[0]
    assert (packed / "kube").read_bytes() == b"another"
    assert bundle.verify(request.folder)


def test_folders_of_applications_are_packed_as_they_are(request_: Request, tmp_path: Path) -> None:
    folder = tmp_path / "kriging"
    (folder / "lib").mkdir(parents=True)
    (folder / "lib" / "__init__.py").write_text("x = 1\n")
    (folder / "run.sh").write_text("#!/bin/sh\n")
    (folder / "run.sh").chmod(0o755)
    request = dataclasses.replace(request_, applications={"map": str(folder)})
    made(request)
    archive = request.folder / "applications" / "map.tgz"
    with application_folder.unpacked(archive) as root:
        assert application_folder.read(root).digest() == application_folder.read(folder).digest()
        assert (root / "run.sh").stat().st_mode & 0o777 == 0o755
    assert not made(request)[0]
    (folder / "lib" / "__init__.py").write_text("x = 2\n")
    assert made(request)[0]
    assert bundle.verify(request.folder)
    assert made(request_)[0]
    assert not archive.exists()


def test_an_application_that_is_not_there_is_refused(request_: Request, tmp_path: Path) -> None:
    with pytest.raises(bundle.BundleError, match="nowhere"):
        made(dataclasses.replace(request_, applications={"map": str(tmp_path / "nowhere")}))


def test_an_image_that_is_built_here_comes_from_its_layout(request_: Request, tmp_path: Path) -> None:
    layout = oci.Layout(tmp_path / "layout")
    config = layout.store(b'{"architecture": "amd64", "os": "linux"}')
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 40},
        "layers": [],
    }
    content = json.dumps(manifest).encode()
    image = {"mediaType": manifest["mediaType"], "digest": layout.store(content), "size": len(content)}
    name = "registry.invalid/a:v1"
    layout.write({name: image})
    request = dataclasses.replace(request_, images=[name], layout=layout.folder)
    made(request)
    bundled = oci.Layout(request.folder / "images").images()[name]
    assert {key: bundled[key] for key in image} == image, "one image stays one, and becomes no index"
    assert bundle.verify(request.folder)
