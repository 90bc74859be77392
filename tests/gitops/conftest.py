"""A site as the playbooks apply it, and as Argo CD and Flux would, each as objects."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import program

ROOT = Path(__file__).resolve().parents[2]
REPOSITORY = "https://git.example/fleet.git"
# The inventory "local" as the tests' cluster has it.
VARIABLES = ["-e", "@molecule/cluster.yml"]

# Definitions as their makers publish them, in the Go modules that they are generated in.
DEFINITIONS = {
    "github.com/fluxcd/source-controller@v1.9.2": "config/crd/bases",
    "github.com/fluxcd/kustomize-controller@v1.9.1": "config/crd/bases",
    "github.com/fluxcd/helm-controller@v1.6.2": "config/crd/bases",
    "github.com/argoproj/argo-cd/v3@v3.5.0": "manifests/crds/application-crd.yaml",
}
NAMESPACES = ["argocd", "flux-system"]

Json = dict[str, Any]


def play(playbook: str, inventory: str, *arguments: str) -> str:
    """Run a playbook on this machine, which need not have the inventory's own Helm."""
    helm = program("helm")
    command = [
        *[str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-i", f"inventories/{inventory}"],
        *(VARIABLES if inventory == "local" else []),
        *["-e", f"continuum_helm={helm}", "--skip-tags", "helm", *arguments],
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def render(inventory: str, output: Path, *arguments: str, tools: str = '["argocd", "flux"]') -> str:
    extra = json.dumps({"gitops_output": str(output), "gitops_repo_url": REPOSITORY, "gitops_tools": json.loads(tools)})
    return play("playbooks/gitops.yml", inventory, "-e", extra, *arguments)


def documents(folder: Path) -> list[Json]:
    return [
        document
        for path in sorted(folder.rglob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8"))
        if document
    ]


@dataclass(frozen=True)
class Chart:
    """What Helm is called with. Rendered where the chart is at hand, else compared as it is."""

    name: str
    namespace: str
    # A folder, or repository, name and version.
    chart: Path | tuple[str, str, str]
    values: Json

    def objects(self, scratch: Path) -> dict[str, Any]:
        if not isinstance(self.chart, Path):
            return {f"chart {self.name} in {self.namespace}": [self.chart, self.values]}
        file = scratch / "values.json"
        file.write_text(json.dumps(self.values), encoding="utf-8")
        command = [program("helm"), "template", self.name, str(self.chart), "-n", self.namespace, "-f", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return named([document for document in yaml.safe_load_all(done.stdout) if document])


def named(objects: list[Json]) -> dict[str, Any]:
    result = {f"{obj['kind']} {obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}": obj for obj in objects}
    assert len(result) == len(objects), "two objects of one name"
    return result


def at_hand(repo: str, chart: str, version: str) -> Path | tuple[str, str, str]:
    """An upstream chart lies where the tests of the charts look for it, if anywhere."""
    folder = os.environ.get("CONTINUUM_CHARTS")
    path = Path(folder) / chart if folder else None
    return path if path and path.is_dir() else (repo, chart, version)


def by_playbook(releases: list[Json]) -> list[Chart]:
    return [
        Chart(
            each["name"],
            each["namespace"],
            at_hand(each["repo"], each["chart"], each["version"]) if each.get("repo") else Path(each["chart"]),
            each["values"],
        )
        for each in releases
    ]


def by_argocd(site: Path, checkout: Path) -> tuple[list[Chart], list[Json]]:
    """What Argo CD makes of the Applications: charts to render, and objects that lie there."""
    charts, objects = [], []
    for application in documents(site / "argocd"):
        spec = application["spec"]
        source = spec["source"]
        if "helm" not in source:
            objects += documents(checkout / source["path"])
            continue
        in_checkout = "path" in source
        assert not in_checkout or source["repoURL"] == REPOSITORY
        charts.append(
            Chart(
                source["helm"]["releaseName"],
                spec["destination"]["namespace"],
                checkout / source["path"]
                if in_checkout
                else at_hand(source["repoURL"], source["chart"], source["targetRevision"]),
                source["helm"]["valuesObject"],
            )
        )
    return charts, objects


def by_flux(site: Path, checkout: Path) -> tuple[list[Chart], list[Json]]:
    """What Flux makes of the folder; the namespaces are its own."""
    manifests = documents(site / "flux")
    repositories = {
        each["metadata"]["name"]: each["spec"]["url"] for each in manifests if each["kind"] == "HelmRepository"
    }
    charts, objects = [], []
    for each in manifests:
        spec = each.get("spec", {})
        if each["kind"] == "Kustomization":
            objects += documents(checkout / spec["path"])
        elif each["kind"] == "HelmRelease":
            chart = spec["chart"]["spec"]
            in_checkout = chart["sourceRef"]["kind"] == "GitRepository"
            charts.append(
                Chart(
                    spec["releaseName"],
                    spec["targetNamespace"],
                    checkout / chart["chart"]
                    if in_checkout
                    else at_hand(repositories[chart["sourceRef"]["name"]], chart["chart"], chart["version"]),
                    spec["values"],
                )
            )
    return charts, objects


def kubectl(*arguments: str) -> str:
    if not os.environ.get("KUBECONFIG"):
        pytest.fail(
            "No KUBECONFIG: expected the file that gives access to a running cluster (make up: .local/kubeconfig)"
        )
    done = subprocess.run([program("kubectl"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
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
