"""What a role documents is what it does: argument specs and defaults name the same variables with the same values."""

from __future__ import annotations

import re
from collections.abc import Iterator
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


# Every role's first task is one of this entry point, which takes no arguments: a specification would be a task more for each.
WITHOUT_SPECIFICATION = {("common", "variables")}
FILES = [path for folder in ("playbooks", "roles") for path in (ROOT / folder).rglob("*.yml")]


def entry_points(tasks: Any) -> Iterator[tuple[str, str]]:
    """The entry points besides main that tasks or roles call."""
    if isinstance(tasks, dict):
        name = str(tasks.get("name"))
        if "tasks_from" in tasks and name.startswith("continuum.edge.") and "{{" not in name:
            yield name.removeprefix("continuum.edge."), tasks["tasks_from"]
        tasks = list(tasks.values())
    for task in tasks if isinstance(tasks, list) else ():
        yield from entry_points(task)


def test_every_entry_point_that_is_called_has_a_specification() -> None:
    called = {each for path in FILES for each in entry_points(load(path))}
    assert {
        ("common", "release"),
        ("common", "started"),
        ("prometheus", "backup"),
        ("metrics_server", "ready"),
    } < called
    specified = {
        (path.parts[-3], entry)
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
        for entry in load(path)["argument_specs"]
    }
    assert called - specified == WITHOUT_SPECIFICATION


def test_every_specification_is_of_a_task_file() -> None:
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        for entry in load(path)["argument_specs"]:
            assert (path.parents[1] / "tasks" / f"{entry}.yml").is_file(), (path.parts[-3], entry)


def test_nobody_reads_what_a_role_keeps_for_itself() -> None:
    names = sorted((path.name for path in (ROOT / "roles").iterdir()), key=len, reverse=True)
    private = re.compile(rf"(?<![\w.])_({'|'.join(names)})_\w+")
    for path in [*FILES, *(ROOT / "roles").rglob("*.j2")]:
        place = path.relative_to(ROOT).parts
        for variable in private.finditer(path.read_text()):
            assert place[:2] == ("roles", variable[1]), f"{path.relative_to(ROOT)} reads {variable[0]}"
