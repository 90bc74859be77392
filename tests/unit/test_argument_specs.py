"""What a role documents is what it does: argument specs and defaults name the same variables with the same values."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if (path / "defaults" / "main.yml").exists())


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text()) or {}


def options(role: Path) -> dict[str, Any]:
    return load(role / "meta" / "argument_specs.yml")["argument_specs"]["main"]["options"]


def test_there_are_roles() -> None:
    assert {"helm", "local_cluster", "prometheus"} <= {role.name for role in ROLES}


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_defaults_are_those_of_the_specs(role: Path) -> None:
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    assert documented == load(role / "defaults" / "main.yml")


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_options_carry_the_name_of_the_role(role: Path) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role.name}_")] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_options_are_typed_and_described(role: Path) -> None:
    assert [
        name for name, option in options(role).items() if not (option.get("type") and option.get("description"))
    ] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_a_role_can_be_removed(role: Path) -> None:
    state = options(role)[f"{role.name}_state"]
    assert state["default"] == "present"
    assert {"absent", "present"} <= set(state["choices"])


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_misspelt_variables_are_refused(role: Path) -> None:
    tasks = load(role / "tasks" / "preflight.yml")
    first = tasks[0].get("ansible.builtin.import_role", {})  # type: ignore[index]
    assert (first.get("name"), first.get("tasks_from")) == ("continuum.edge.common", "variables")


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_its_options_are_found_by_their_indentation(role: Path) -> None:
    """roles/common/tasks/variables.yml reads them so."""
    text = (role / "meta" / "argument_specs.yml").read_text()
    assert re.findall(rf"(?m)^      ({role.name}_[a-z0-9_]+):", text) == list(options(role))
