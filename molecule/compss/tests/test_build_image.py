"""An application's image for several architectures, on a base image that has them."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(os.environ["MOLECULE_PROJECT_DIRECTORY"])
REGISTRY = "10.79.0.1:5001"
AUTH = str(PROJECT / ".local" / "molecule" / "registry-auth.json")
ARCHITECTURES = ["amd64", "arm64"]
OCI = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json"


def ansible(*command: str) -> str:
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def registered(path: str) -> Any:
    request = urllib.request.Request(f"http://{REGISTRY}/v2/{path}", headers={"Accept": OCI})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def built(folder: Path, state: str = "present") -> str:
    site = ["-i", "inventories/local", "-e", "@molecule/cluster.yml"]
    variables = {
        "build_image_reference": "tests/several:1",
        "build_image_base": "tests/base:1",
        "build_image_application": str(folder),
        "build_image_architectures": ARCHITECTURES,
        "build_image_state": state,
    }
    return ansible("ansible-playbook", "playbooks/build_image.yml", *site, "-e", json.dumps(variables))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An application's, with a base image for it in the registry."""
    (tmp_path / "Containerfile").write_text("FROM scratch\nCOPY app.py /base.py\n")
    (tmp_path / "app.py").write_text("print(1)\n")
    base = {
        "reference": "tests/base:1",
        "containerfile": str(tmp_path / "Containerfile"),
        "context": str(tmp_path),
        "architectures": ARCHITECTURES,
    }
    storage = str(tmp_path / "storage")
    module = {"registry": REGISTRY, "insecure": True, "auth_file": AUTH, "storage": storage, "images": [base]}
    ansible("ansible", "localhost", "-m", "continuum.edge.image", "-a", json.dumps(module))
    return tmp_path


def test_index_has_an_image_for_each_architecture(folder: Path) -> None:
    assert "changed=0 " not in built(folder)
    manifests = registered("tests/several/manifests/1")["manifests"]
    assert [each["platform"]["architecture"] for each in manifests] == ARCHITECTURES
    layers = [len(registered(f"tests/several/manifests/{each['digest']}")["layers"]) for each in manifests]
    assert layers == [2, 2], "the base's layer, and the application's"
    assert "changed=0 " in built(folder)
    built(folder, "absent")
    with pytest.raises(urllib.error.HTTPError, match="404"):
        registered("tests/several/manifests/1")
