"""The examples of docs/pipelines.md: their lines, as the shell of a runner has them, do what the text says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import ROOT, program

TEXT = (ROOT / "docs/pipelines.md").read_text()
GITLAB, GITHUB = (yaml.safe_load(block) for block in re.findall(r"(?s)```yaml\n(.*?)```", TEXT))
GITLAB_LINES = [line for job in ("plan", "deploy") for line in GITLAB[job]["script"]]
GITHUB_LINES = [step["run"] for job in GITHUB["jobs"].values() for step in job["steps"] if "run" in step]
LINES = [line for line in dict.fromkeys(GITLAB_LINES + GITHUB_LINES) if "ansible-playbook" in line]


def shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        **variables,
    }
    # Paths of the checkout stay its own; what is written lies below the test's folder.
    line = re.sub(r"(?<= )(playbooks|inventories)/", rf"{ROOT}/\1/", line)
    command = ["sh", "-euc", line]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_lines_are_there() -> None:
    assert len(LINES) == 4


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_line_is_what_ansible_takes(tmp_path: Path, line: str) -> None:
    done = shell(f"{line} --syntax-check", tmp_path, SITE="edge")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "playbook: " in done.stdout


def test_the_plan_of_a_gitops_folder(tmp_path: Path) -> None:
    (line,) = [line for line in GITLAB_LINES if "gitops.yml" in line]
    helm = json.dumps({"continuum_helm": program("helm")})
    done = shell(f"{line} --skip-tags helm -e '{helm}'", tmp_path, SITE="local")
    assert done.returncode == 0, done.stdout[-3000:]
    plan: dict[str, Any] = json.loads((tmp_path / "plan/gitops.json").read_text())
    (entries,) = plan["sites"].values()
    assert {each["change"] for each in entries} == {"added"}
    assert any("prometheus" in each["object"] for each in entries)
    text = (tmp_path / "plan/gitops.md").read_text()
    assert all(f"`{each['object']}`" in text for each in entries)
    assert not (tmp_path / "fleet").exists()


def test_a_canary_that_fails_is_the_last_one(tmp_path: Path) -> None:
    """Three sites whose clusters are not there: the first one fails, and the others are not touched."""
    hosts = {f"site-{number}": {"continuum_kubeconfig": f"/nonexistent/{number}"} for number in (1, 2, 3)}
    site = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "continuum_helm": program("helm"),
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"continuum": {"hosts": hosts, "vars": site}}))
    line = next(line for line in GITLAB_LINES if "upgrade.yml" in line).replace("inventories/$SITE", "hosts.yml")
    done = shell(f"{line} --skip-tags helm", tmp_path)
    assert done.returncode != 0
    results = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "results").glob("*.json")}
    assert {name: each["status"] for name, each in results.items()} == {
        "site-1": "failed",
        "site-2": "not reached",
        "site-3": "not reached",
    }, done.stdout[-3000:]
    assert "/nonexistent/1" in results["site-1"]["failure"]


@pytest.mark.cluster
def test_the_plan_of_a_site(tmp_path: Path) -> None:
    site = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "continuum_helm": program("helm"),
        "continuum_kubeconfig": os.environ["KUBECONFIG"],
        "continuum_cluster": "planned",
        "prometheus_flavour": "lean",
        "prometheus_namespace": "pipelines-plan",
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"continuum": {"hosts": {"edge": site}}}))
    line = next(line for line in GITHUB_LINES if "site.yml" in line).replace("inventories/$SITE", "hosts.yml")
    done = shell(f"{line} --tags prometheus", tmp_path)
    assert done.returncode == 0, done.stdout[-3000:]
    entries = json.loads((tmp_path / "plan/site.json").read_text())["sites"]["edge"]
    planned = {(each["change"], each["object"]) for each in entries}
    assert ("added", "StatefulSet pipelines-plan/prometheus-server") in planned, sorted(planned)
