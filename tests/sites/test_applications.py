"""Applications of an inventory in the folder for Argo CD and Flux, each with the addresses of its site's flavour."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import program

from .test_refusals import ROOT, extra, play

APPLICATIONS = [
    {"compss_name": "cholesky", "compss_application": "apps/cholesky", "compss_file": "cholesky.py"},
    {"compss_name": "genetic", "compss_application": "apps/genetic", "compss_file": "genetic.py", "compss_workers": 3},
    {"compss_name": "elsewhere", "compss_application": "apps/genetic", "compss_sites": ["harbour-1"]},
    {"compss_name": "gone", "compss_application": "apps/none", "compss_state": "absent"},
]


@pytest.mark.parametrize(
    ("flavour", "query", "push"),
    [
        ("lean", "http://prometheus-server.monitoring.svc:9090", "http://prometheus-pushgateway.monitoring.svc:9091"),
        (
            "operator",
            "http://prometheus-prometheus.monitoring.svc:9090",
            "http://prometheus-pushgateway.monitoring.svc:9091",
        ),
    ],
)
def test_applications_lie_beside_the_platform(tmp_path: Path, flavour: str, query: str, push: str) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    # The flavour is that of the applications alone: its charts are upstream's, and are not rendered.
    applications = [{"compss_engine": "dask", "prometheus_flavour": flavour, **each} for each in APPLICATIONS]
    arguments = extra(
        applications=applications,
        gitops_output=str(tmp_path / "fleet"),
        gitops_repo_url="https://git.example/fleet.git",
        continuum_helm=program("helm"),
    )
    done = play("gitops.yml", ROOT / "inventories" / "local", *arguments, "--skip-tags", "helm")
    assert done.returncode == 0, done.stdout[-3000:]
    (site,) = (tmp_path / "fleet").iterdir()
    releases = {path.stem: path for path in (site / "flux").glob("*.yaml")}
    assert {"cholesky", "genetic", "prometheus"} <= releases.keys()
    assert not {"elsewhere", "gone"} & releases.keys()
    for name, workers in {"cholesky": 2, "genetic": 3}.items():
        values: dict[str, Any] = yaml.safe_load(releases[name].read_text())["spec"]["values"]
        assert values["monitoring"]["prometheusUrl"] == query
        assert values["monitoring"]["pushgatewayUrl"] == push
        assert values["compss"]["worker"]["number"] == workers
        source = ROOT / "apps" / name / f"{name}.py"
        assert values["app"]["source"]["files"][f"{name}.py"] == source.read_text()
