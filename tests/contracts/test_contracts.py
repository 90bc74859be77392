"""What Ansible makes of the collection's contracts: the access of a group, and what an entry point takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GROUP = "group/continuum.edge.kubernetes"


def play(folder: Path, *options: str, **keywords: Any) -> subprocess.CompletedProcess[str]:
    """Run a play on this machine."""
    file = folder / "play.yml"
    file.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, **keywords}]))
    return subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", "-c", "local", *options, file],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        capture_output=True,
        text=True,
        check=False,
    )


# A task of each module, with what it has to be given besides its access.
TASKS: dict[str, dict[str, Any]] = {
    "continuum.edge.account_kubeconfig": {
        "path": "/nowhere/a",
        **dict.fromkeys(("account", "account_namespace", "namespace"), "n"),
    },
    "continuum.edge.application": {"name": "a", "namespace": "n"},
    "continuum.edge.application_upload": {"name": "a", "namespace": "n", "digest": "d"},
    "continuum.edge.images_info": {"images": ["a"]},
    "continuum.edge.nodes": {"nodes": [{"name": "n"}]},
    "continuum.edge.release": {"name": "a", "namespace": "n", "state": "absent"},
    "continuum.edge.site_info": {},
    "continuum.edge.volume": {
        **{"state": "saved", "archive": "/nowhere/a", "namespace": "n", "claim": "c"},
        "workload": {"api_version": "apps/v1", "kind": "Deployment", "name": "d"},
    },
    "kubernetes.core.k8s_info": {"kind": "Node"},
}


def test_the_access_reaches_every_module(tmp_path: Path) -> None:
    members = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["kubernetes"]
    assert {f"continuum.edge.{member}" for member in members if isinstance(member, str)} < TASKS.keys()

    access = {"kubeconfig": str(tmp_path / "kubeconfig"), "context": "nowhere"}
    (tmp_path / "kubeconfig").write_text("contexts: []")
    # Complains of what it is given.
    helm = tmp_path / "helm"
    helm.write_text('#!/bin/sh\necho "$@" >&2\nexit 1\n')
    helm.chmod(0o755)
    tasks: list[dict[str, Any]] = [
        {"name": name, name: options, "ignore_errors": True, "register": name.rpartition(".")[2]}
        for name, options in TASKS.items()
    ]
    results = "{{ [" + ", ".join(task["register"] for task in tasks) + "] | to_json }}"
    tasks.append({"name": "Keep the results", "copy": {"content": results, "dest": str(tmp_path / "results")}})
    defaults = {GROUP: access, "continuum.edge.release": {"helm": str(helm)}}
    done = play(tmp_path, module_defaults=defaults, tasks=tasks)
    assert done.returncode == 0, done.stdout + done.stderr
    for name, result in zip(TASKS, json.loads((tmp_path / "results").read_text()), strict=True):
        assert result["failed"], name
        assert "nowhere" in result["msg"], name


RELEASE = {
    "name": "a",
    "namespace": "n",
    "chart": str(ROOT / "charts" / "metrics-server"),
    "values": {"deep": 1},
    "timeout": "1m",
    "after": ["b"],
}


@pytest.mark.parametrize(
    ("entry", "arguments", "fault"),
    [
        ("common/release", {"common_release": RELEASE}, ""),
        ("common/release", {"common_release": {**RELEASE, "valeus": {}}}, "valeus"),
        ("common/release", {}, "missing required arguments: common_release"),
        ("common/upgrade", {}, "missing required arguments: common_component"),
        ("prometheus/backup", {"backup_state": "restroed", "backup_dir": "/b"}, "value of backup_state must be one of"),
        ("grafana/backup", {"backup_state": "saved"}, "missing required arguments: backup_dir"),
    ],
)
def test_an_entry_point_refuses_what_it_does_not_take(
    entry: str, arguments: dict[str, Any], fault: str, tmp_path: Path
) -> None:
    role, tasks_from = entry.split("/")
    called = {"include_role": {"name": f"continuum.edge.{role}", "tasks_from": tasks_from}, "vars": arguments}
    # There is no Helm: in check mode the module says so, and does no more.
    defaults = {"continuum.edge.release": {"helm": str(tmp_path / "helm")}}
    done = play(tmp_path, "--check", module_defaults=defaults, tasks=[called])
    output = " ".join((done.stdout + done.stderr).split())
    assert (done.returncode != 0) == bool(fault), output
    assert fault in output


def flat(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The tasks, and those of their blocks."""
    for task in tasks:
        yield task
        for part in ("block", "rescue", "always"):
            yield from flat(task.get(part, []))


def facts(role: Path) -> set[str]:
    """Names that the role's tasks set as facts for others, after the role's own name."""
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) or [] for file in (role / "tasks").glob("*.yml")]
    names = [name for tasks in files for task in flat(tasks) for name in task.get("ansible.builtin.set_fact", {})]
    return {name.removeprefix(f"{role.name}_") for name in names if name.startswith(f"{role.name}_")}


# Those that refuse variables which they do not know.
STRICT = sorted(path.parents[1] for path in ROOT.glob("roles/*/tasks/preflight.yml"))


@pytest.mark.parametrize("role", STRICT, ids=lambda path: path.name)
def test_what_a_role_hands_on_is_not_refused_by_its_next_call(role: Path) -> None:
    handed_on = yaml.safe_load((ROOT / "roles/common/vars/main.yml").read_text(encoding="utf-8"))["_common_handed_on"]
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    documented = {name.removeprefix(f"{role.name}_") for spec in specs.values() for name in spec.get("options", {})}
    assert facts(role) <= {*handed_on, *documented}
