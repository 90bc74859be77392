"""The action group has every module that talks to a cluster, and gives each of them its access."""

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
GROUP = "group/continuum.edge.kubernetes"
# A task of each module, with what it has to be given besides its access.
TASKS: dict[str, dict[str, Any]] = {
    "continuum.edge.application": {"name": "a", "namespace": "n"},
    "continuum.edge.nodes": {"nodes": [{"name": "n"}]},
    "continuum.edge.release": {"name": "a", "namespace": "n", "state": "absent"},
    "continuum.edge.volume": {
        **{"state": "saved", "archive": "/nowhere/a", "namespace": "n", "claim": "c"},
        "workload": {"api_version": "apps/v1", "kind": "Deployment", "name": "d"},
    },
    "kubernetes.core.k8s_info": {"kind": "Node"},
}


def documentation(module: Path) -> str:
    return module.read_text().partition('"""\n\nEXAMPLES')[0]


def test_the_group_has_every_module_that_takes_an_access() -> None:
    members = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["kubernetes"]
    names = {member for member in members if isinstance(member, str)}
    modules = (ROOT / "plugins/modules").glob("*.py")
    assert names == {path.stem for path in modules if "- continuum.edge.kubernetes\n" in documentation(path)}
    assert {f"continuum.edge.{name}" for name in names} < TASKS.keys()


def test_no_module_describes_an_access_of_its_own() -> None:
    for path in (ROOT / "plugins/modules").glob("*.py"):
        assert "\n  kubeconfig:" not in documentation(path), path.name


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_a_play_gives_the_access_once(playbook: Path) -> None:
    for play in yaml.safe_load(playbook.read_text()):
        defaults = play.get("module_defaults", {})
        assert [name for name, given in defaults.items() if "kubeconfig" in given] in ([], [GROUP])
        assert "kubeconfig" not in json.dumps(play.get("roles", []))


@pytest.mark.slow
def test_the_access_reaches_every_module(tmp_path: Path) -> None:
    access = {"kubeconfig": str(tmp_path / "kubeconfig"), "context": "nowhere"}
    (tmp_path / "kubeconfig").write_text("contexts: []")
    # Complains of what it is given.
    helm = tmp_path / "helm"
    helm.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
    helm.chmod(0o755)
    defaults = {GROUP: access, "continuum.edge.release": {"helm": str(helm)}}
    tasks: list[dict[str, Any]] = [
        {"name": name, name: options, "ignore_errors": True, "register": name.rpartition(".")[2]}
        for name, options in TASKS.items()
    ]
    results = "{{ [" + ", ".join(task["register"] for task in tasks) + "] | to_json }}"
    tasks.append({"name": "Keep the results", "copy": {"content": results, "dest": str(tmp_path / "results")}})
    play = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", tmp_path / "play.yml"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name, result in zip(TASKS, json.loads((tmp_path / "results").read_text()), strict=True):
        assert result["failed"], name
        assert "nowhere" in result["msg"], name
