"""What is rendered, before a live API server."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tools import program

from .conftest import render

pytestmark = pytest.mark.cluster

# Definitions as their makers publish them, in the Go modules that they are generated in.
DEFINITIONS = {
    "github.com/fluxcd/source-controller@v1.9.2": "config/crd/bases",
    "github.com/fluxcd/kustomize-controller@v1.9.1": "config/crd/bases",
    "github.com/fluxcd/helm-controller@v1.6.2": "config/crd/bases",
    "github.com/argoproj/argo-cd/v3@v3.5.0": "manifests/crds/application-crd.yaml",
}
NAMESPACES = ["argocd", "flux-system"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("fleet")
    subprocess.run(["git", "init", "-q", str(output)], check=True)
    render("local", output)
    [folder] = [path for path in output.iterdir() if path.name != ".git"]
    return folder


def kubectl(*arguments: str) -> str:
    if not os.environ.get("KUBECONFIG"):
        pytest.fail(
            "No KUBECONFIG: expected the file that gives access to a running cluster (make up: .local/kubeconfig)"
        )
    done = subprocess.run([program("kubectl"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def definitions() -> Iterator[None]:
    paths = []
    for module, path in DEFINITIONS.items():
        command = ["go", "mod", "download", "-json", module]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        paths += ["-f", f"{json.loads(done.stdout)['Dir']}/{path}"]
    try:
        kubectl("apply", "--server-side", *paths)
        kubectl("wait", "--for=condition=Established", "--timeout=60s", *paths)
        for namespace in NAMESPACES:
            kubectl("create", "namespace", namespace)
        yield
    finally:
        kubectl("delete", "--ignore-not-found", "--wait=false", "namespace", *NAMESPACES)
        kubectl("delete", "--ignore-not-found", *paths)


@pytest.mark.usefixtures("definitions")
def test_every_object_is_accepted(site: Path) -> None:
    files = sorted(path for folder in ("argocd", "flux", "manifests") for path in (site / folder).rglob("*.yaml"))
    assert files
    arguments = [argument for path in files for argument in ("-f", str(path))]
    said = kubectl("apply", "--server-side", "--dry-run=server", "--force-conflicts", *arguments).splitlines()
    assert [line for line in said if not line.endswith("serverside-applied (server dry run)")] == []
    assert sum(line.startswith("application.argoproj.io/") for line in said) >= 4
    assert sum(line.startswith("helmrelease.helm.toolkit.fluxcd.io/") for line in said) == 2
