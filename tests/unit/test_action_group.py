"""The action group has every module that talks to a cluster, and gives each of them its access."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GROUP = "group/continuum.edge.kubernetes"


def documentation(module: Path) -> str:
    return module.read_text().partition('"""\n\nEXAMPLES')[0]


def test_the_group_has_every_module_that_takes_an_access() -> None:
    members = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["kubernetes"]
    names = {member for member in members if isinstance(member, str)}
    modules = (ROOT / "plugins/modules").glob("*.py")
    assert names == {path.stem for path in modules if "- continuum.edge.kubernetes\n" in documentation(path)}


def test_no_module_describes_an_access_of_its_own() -> None:
    for path in (ROOT / "plugins/modules").glob("*.py"):
        assert "\n  kubeconfig:" not in documentation(path), path.name


@pytest.mark.parametrize("playbook", sorted((ROOT / "playbooks").glob("*.yml")), ids=lambda path: path.stem)
def test_a_play_gives_the_access_once(playbook: Path) -> None:
    for play in yaml.safe_load(playbook.read_text()):
        defaults = play.get("module_defaults", {})
        assert [name for name, given in defaults.items() if "kubeconfig" in given] in ([], [GROUP])
        assert "kubeconfig" not in json.dumps(play.get("roles", []))
