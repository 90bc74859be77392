"""What is rendered, before a live API server."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .conftest import kubectl, render

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("fleet")
    subprocess.run(["git", "init", "-q", str(output)], check=True)
    render("local", output)
    [folder] = [path for path in output.iterdir() if path.name != ".git"]
    return folder


@pytest.mark.usefixtures("definitions")
def test_every_object_is_accepted(site: Path) -> None:
    files = sorted(path for folder in ("argocd", "flux", "manifests") for path in (site / folder).rglob("*.yaml"))
    assert files
    arguments = [argument for path in files for argument in ("-f", str(path))]
    lines = kubectl("apply", "--server-side", "--dry-run=server", "--force-conflicts", *arguments).splitlines()
    assert [line for line in lines if not line.endswith("serverside-applied (server dry run)")] == []
    assert sum(line.startswith("application.argoproj.io/") for line in lines) >= 4
    assert sum(line.startswith("helmrelease.helm.toolkit.fluxcd.io/") for line in lines) == 2
