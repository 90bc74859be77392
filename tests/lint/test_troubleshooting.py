"""docs/troubleshooting.md quotes messages that are in the sources, and commands that can be typed."""

from __future__ import annotations

import itertools
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/troubleshooting.md"
#: Message, cause and command of every row.
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| `")
]
#: Programs that a command may begin with, besides this repository's own.
PROGRAMS = {
    *("ansible-playbook", "ansible-doc", "ansible-inventory", "kubectl", "helm", "promtool", "make", "./bootstrap"),
    *("cat", "go", "ss", "sha256sum"),
}


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def spoken(path: Path) -> str:
    """A source with its texts in one piece: literals that stand side by side are joined, white space is one blank."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r'"[ \t]*\\\n\s*"', " ", text)
    text = re.sub(r'["\']\s*\n\s*f?["\']', "", text)
    return re.sub(r"\s+", " ", text)


@pytest.fixture(scope="module")
def sources() -> list[str]:
    files = [path for folder in ("roles", "plugins") for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [spoken(path) for path in (*files, ROOT / "bootstrap") if path.suffix != ".pyc"]


@pytest.fixture(scope="module")
def variables() -> set[str]:
    """Those that roles document."""
    names: set[str] = set()
    for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"):
        specs = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values()
        names.update(name for spec in specs for name in spec.get("options", {}))
    return names


def quoted_in(message: str, sources: list[str]) -> bool:
    pieces = [re.escape(piece.strip()) for piece in message.split("…") if piece.strip(" .,:;")]
    pattern = re.compile(".{0,200}?".join(pieces))
    return any(pattern.search(source) for source in sources)


def test_there_are_twenty_rows() -> None:
    assert len(ROWS) >= 20
    assert all(len(row) == 3 and all(row) for row in ROWS)
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("message", [message for row in ROWS for message in code(row[0])])
def test_the_message_is_in_the_sources(message: str, sources: list[str]) -> None:
    assert quoted_in(message, sources)


def test_a_message_that_nobody_writes_is_seen(sources: list[str]) -> None:
    assert not quoted_in("The Kubernetes API is tired: …. Expected a rested one", sources)
    assert not quoted_in("Backup … is damaged: its colour is …", sources)


@pytest.mark.parametrize("cause", [row[1] for row in ROWS])
def test_the_cause_names_variables_that_are_there(cause: str, variables: set[str]) -> None:
    inventory = (ROOT / "inventories/local/group_vars/all.yml").read_text(encoding="utf-8")
    named = {name for name in code(cause) if "_" in name and name not in inventory}
    assert named <= variables


@pytest.mark.parametrize("command", [command for row in ROWS for command in code(row[2])])
def test_the_command_can_be_typed(command: str, variables: set[str]) -> None:
    typed = re.sub(r"<(\w+)>", r"\1", command)
    assert subprocess.run(["bash", "-n", "-c", typed], check=False).returncode == 0
    program, *arguments = [word for word in shlex.split(typed) if word != "sudo" and not re.match(r"[A-Z_]+=", word)]
    assert program in PROGRAMS
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    if program == "ansible-doc":
        assert (ROOT / "roles" / arguments[-1].rpartition(".")[2]).is_dir()
    if program == "ansible-playbook":
        assert (ROOT / arguments[0]).is_file()
        assert arguments[arguments.index("-i") + 1] in ("inventories/site", "inventories/local")
        pairs = set(itertools.pairwise(arguments))
        assert {value.partition("=")[0] for word, value in pairs if word == "-e"} <= variables
        assert {value for word, value in pairs if word == "--tags"} <= {"helm", "prometheus", "grafana"}
