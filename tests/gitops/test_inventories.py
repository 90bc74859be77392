"""What GitOps applies is what the playbook applies: object by object, for every inventory."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .conftest import ROOT, Chart, Json, by_argocd, by_flux, by_playbook, named, play, render

INVENTORIES = sorted(path.parent.name for path in (ROOT / "inventories").glob("*/hosts.yml"))
# What no inventory asks for by itself.
ASKED_FOR = ["-e", "monitoring_api_enabled=true", "-e", "orchestrator_enabled=true"]


@pytest.fixture(scope="module", params=INVENTORIES)
def sites(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Each site's folder in a checkout, and what the playbook hands to Helm, by the name of the site."""
    checkout, described = tmp_path_factory.mktemp("checkout"), tmp_path_factory.mktemp("described")
    subprocess.run(["git", "init", "-q", str(checkout)], check=True)
    try:
        render(request.param, checkout / "fleet", *ASKED_FOR)
    except AssertionError as error:
        if "cannot be downloaded" in " ".join(str(error).split()):
            pytest.skip(f"inventories/{request.param} has upstream charts, and their repository does not answer")
        raise
    play("tests/gitops/releases.yml", request.param, "-e", f"output={described}", *ASKED_FOR)
    return checkout, {path.stem: json.loads(path.read_text()) for path in described.glob("*.json")}


def rendered(charts: list[Chart], objects: list[Json], scratch: Path) -> dict[str, Any]:
    result = named(objects)
    for chart in charts:
        chart_objects = chart.objects(scratch)
        assert not result.keys() & chart_objects.keys()
        result |= chart_objects
    return result


@pytest.mark.parametrize("tool", [by_argocd, by_flux], ids=["argocd", "flux"])
def test_the_same_objects(tool: Any, sites: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    checkout, described = sites
    assert described
    assert sorted(described) == sorted(path.name for path in (checkout / "fleet").iterdir())
    for site, releases in described.items():
        playbook = rendered(by_playbook(releases), [], tmp_path)
        theirs = rendered(*tool(checkout / "fleet" / site, checkout), tmp_path)
        assert theirs.keys() == playbook.keys()
        for name, obj in playbook.items():
            assert theirs[name] == obj, name


def test_rules_and_dashboards_lie_there(tmp_path: Path) -> None:
    render("local", tmp_path)
    manifests = tmp_path / "molecule" / "manifests"
    rules = (manifests / "prometheus" / "configmap-prometheus-rules.yaml").read_text()
    assert "record: cluster:cpu_usage:percent" in rules
    dashboards = list((manifests / "grafana-dashboards").glob("configmap-grafana-dashboards-platform-*.yaml"))
    assert len(dashboards) == len(list((ROOT / "dashboards" / "Platform").glob("*.json")))
    # The rules stand nowhere else.
    assert "record:" not in (tmp_path / "molecule" / "flux" / "prometheus.yaml").read_text()


def test_twice_the_same_and_nothing_stale(tmp_path: Path) -> None:
    def recap(output: str) -> int:
        return int(output.split("changed=")[-1].split()[0])

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    announced = render("local", tmp_path, "--check", "--diff")
    assert files() == {}
    assert recap(announced) == 1
    assert "+kind: HelmRelease" in announced
    render("local", tmp_path)
    first = files()
    assert recap(render("local", tmp_path)) == 0
    assert files() == first
    assert recap(render("local", tmp_path, "--check", tools='["flux"]')) == 1
    assert files() == first
    render("local", tmp_path, tools='["flux"]')
    assert sorted(files()) == sorted(path for path in first if "/argocd/" not in path)
    # The README names what reads the folder.
    assert [path for path in files() if files()[path] != first[path]] == [str(tmp_path / "molecule" / "README.md")]
