"""What can be known before anything is built, fetched or changed is refused first: no cluster is there, and none is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SITE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "compss_engine": "dask"}


@pytest.fixture
def sites(tmp_path: Path) -> Path:
    """Two sites whose clusters are not there."""
    path = tmp_path / "hosts.yml"
    hosts = {name: {"continuum_kubeconfig": f"/nonexistent/{name}"} for name in ("garage", "harbour")}
    path.write_text(yaml.safe_dump({"continuum": {"hosts": hosts, "vars": SITE}}))
    return path


def play(playbook: str, inventory: Path | str, *arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "PWD": str(cwd),
    }
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(ROOT / "playbooks" / playbook)]
    return subprocess.run(
        [*command, "-i", str(inventory), *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def extra(**variables: Any) -> tuple[str, str]:
    return "-e", json.dumps(variables)


# Each needs a kubeconfig at last: who gets there has looked at all else, and has found the folder.
THERE = "There is no kubeconfig /nonexistent/garage"


@pytest.mark.parametrize("several", [False, True], ids=["variables", "applications"])
@pytest.mark.parametrize(("cwd", "folder"), [(".", "apps/cholesky"), ("apps", "cholesky"), ("apps/cholesky", ".")])
def test_a_relative_folder_begins_where_the_user_stands(sites: Path, cwd: str, folder: str, several: bool) -> None:
    variables = {"compss_name": "cholesky", "compss_application": folder, "compss_file": "cholesky.py"}
    asked = extra(applications=[variables]) if several else extra(**variables)
    done = play("run.yml", sites, "--limit", "garage", *asked, cwd=ROOT / cwd)
    assert THERE in done.stdout, done.stdout[-3000:]


def test_a_folder_that_is_not_there_is_named(sites: Path) -> None:
    done = play("run.yml", sites, "--limit", "garage", *extra(compss_application="apps/none"))
    assert done.returncode != 0
    assert f"{ROOT}/apps/none is no folder" in done.stdout


def test_silence_about_the_site_is_refused(sites: Path) -> None:
    done = play("run.yml", sites)
    assert done.returncode != 0
    assert "the inventory has the sites garage, harbour" in done.stdout
    assert "no kubeconfig" not in done.stdout


def test_a_site_that_is_not_there_is_refused(sites: Path) -> None:
    done = play("run.yml", sites, *extra(compss_sites=["harbor"]))
    assert "compss_sites names harbor; the group continuum has garage, harbour" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reached"),
    [
        (["--limit", "garage"], {"garage"}),
        (["--limit", "garage,harbour"], {"garage", "harbour"}),
        ([*extra(compss_sites=["all"])], {"garage", "harbour"}),
        ([*extra(compss_sites=["harbour"])], {"harbour"}),
    ],
    ids=["limit", "limit to both", "all", "one"],
)
def test_sites_that_are_asked_for(sites: Path, arguments: list[str], reached: set[str]) -> None:
    done = play("run.yml", sites, *arguments)
    assert {site for site in ("garage", "harbour") if f"no kubeconfig /nonexistent/{site}" in done.stdout} == reached


def test_one_failure_hides_no_other(sites: Path) -> None:
    applications = [
        {"compss_name": "lost", "compss_application": "apps/none", "compss_sites": ["all"]},
        {
            "compss_name": "found",
            "compss_application": "apps/cholesky",
            "compss_file": "cholesky.py",
            "compss_sites": ["harbour"],
        },
    ]
    done = play("run.yml", sites, *extra(applications=applications))
    rows = [
        line.split()[:3] for line in done.stdout.splitlines() if " failed " in line and "apps" not in line.split()[0]
    ]
    outcomes = {(row[0], row[1]) for row in rows if row[0] in ("garage", "harbour")}
    assert outcomes == {("garage", "lost"), ("harbour", "lost"), ("harbour", "found")}, done.stdout[-3000:]
    # The variables of one are not those of another.
    assert "no kubeconfig /nonexistent/harbour" in done.stdout
    assert THERE not in done.stdout


@pytest.mark.parametrize("playbook", ["gitops.yml", "bundle.yml"])
@pytest.mark.parametrize("inventory", ["kind", "edge", "local"])
def test_where_to_write_is_refused_before_helm_is_had(playbook: str, inventory: str) -> None:
    done = play(playbook, ROOT / "inventories" / inventory)
    assert done.returncode != 0
    assert "_output is empty" in done.stdout
    assert "continuum.edge.helm" not in done.stdout


def test_argo_cd_without_its_repository_is_refused_before_helm_is_had(tmp_path: Path) -> None:
    arguments = ["-e", f"gitops_output={tmp_path}"]
    done = play("gitops.yml", ROOT / "inventories" / "kind", *arguments)
    assert done.returncode != 0
    assert "gitops_repo_url is empty" in done.stdout
    assert "continuum.edge.helm" not in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_status_of_sites_that_do_not_answer(sites: Path) -> None:
    done = play("status.yml", sites)
    assert done.returncode == 0, done.stdout[-2000:]
    rows = [line.split()[:3] for line in done.stdout.splitlines() if " away " in line]
    assert sorted(rows) == [["garage", "site", "away"], ["harbour", "site", "away"]]
    assert "changed=0" in done.stdout


@pytest.mark.parametrize(
    ("teams", "why"),
    [
        ([{"name": "Physics"}], "tenant_teams names Physics. Expected lower-case letters"),
        ([{"name": "monitoring"}], "none of default, continuum-tenants, monitoring"),
        ([{"name": "a", "viewers": ["b.c"]}], "tenant_teams names b.c"),
        ([{"name": "a", "qouta": {}}], "tenant_teams.qouta. Supported parameters include"),
        ([{"name": "a", "quota": {"pods": "many", "secrets": None}}], "a: quota pods is many. Expected quantities"),
        ([{"name": "a"}, {"name": "a"}], "tenant_teams has a, a. Expected a name of its own"),
        ([{"name": "a", "variables": {"compos_file": "b"}}], "variables of tenant_teams has compos_file"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_team_that_makes_no_sense_is_refused(sites: Path, teams: list[dict[str, Any]], why: str) -> None:
    done = play("tenant.yml", sites, "--limit", "garage", *extra(tenant_teams=teams))
    assert done.returncode != 0
    assert why in " ".join(done.stdout.split())
    assert "/nonexistent/garage" not in done.stdout
