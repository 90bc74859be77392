"""What ruff and mypy cannot hold: how long a function is, what names tell, and that nothing is left out of them."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 60
#: What may be longer, and why. A name whose function is short again goes.
LONGER = {
    "plugins/module_utils/catalogue/data/compute.py: ladder": "a table of metrics",
    "plugins/module_utils/catalogue/data/network.py: direction": "a table of metrics",
    "plugins/modules/recording_rules.py: main": "a table of options",
    "plugins/modules/release.py: main": "a table of options",
}

#: Words that tell nothing of what a name holds.
FILLERS = {"found", "own", "there", "said", "known"}


def sources() -> list[str]:
    """Python files, tracked or about to be, by their path in the checkout."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).is_file() and python(ROOT / name)]


def python(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.readline()
    return path.suffix == ".py" or (not path.suffix and first.startswith(b"#!") and b"python" in first)


def is_test(name: str) -> bool:
    return "tests" in name.split("/")


def functions(text: str) -> Iterator[tuple[str, int]]:
    """Name and lines of each, from `def` to its end."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_function_is_too_long() -> None:
    long = {
        f"{source}: {name}": lines
        for source in sources()
        for name, lines in functions((ROOT / source).read_text(encoding="utf-8"))
        if lines > LONGEST
    }
    assert {name: lines for name, lines in long.items() if name not in LONGER} == {}
    assert [name for name in LONGER if name not in long] == [], "short again: their exceptions go"


def test_lines_of_a_function_are_counted() -> None:
    assert dict(functions("class A:\n    @property\n    def one(self):\n        x = 1\n\n        return x\n")) == {
        "one": 4
    }


def names(text: str) -> Iterator[tuple[int, str]]:
    """Line and name of each variable, parameter, attribute, function and class that the text makes."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield node.lineno, name


def test_names_tell_what_they_hold() -> None:
    fillers = [
        f"{source}:{line}: {name}"
        for source in sources()
        for line, name in names((ROOT / source).read_text(encoding="utf-8"))
        if name.strip("_") in FILLERS
    ]
    assert fillers == []


def test_every_name_is_seen() -> None:
    text = """
from a import b as b1
class C:
    def d(self, e, *f, g=0, **h):
        self.i = [j for j in (k := e)]
        with l as m, n as (o, p):
            pass
        try:
            for q in e: pass
        except E as r: pass
        match e:
            case [s]: pass
async def t(): lambda u: u
v: int = 0
w = 0
"""
    made = [*"Cdefghijkmopqrstuv", "b1", "self", "w"]
    assert sorted(name for _, name in names(text)) == sorted(made)


def test_every_program_is_seen_by_the_linters() -> None:
    """Ruff and mypy walk through folders for files with an ending."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    hidden = [source for source in sources() if not source.endswith(".py")]
    assert sorted(configuration["ruff"].get("extend-include", [])) == sorted(hidden)
    assert [source for source in hidden if not is_test(source)] == [], "mypy needs an ending"


@pytest.mark.parametrize("source", [each for each in sources() if not is_test(each)])
def test_every_source_is_type_checked(source: str) -> None:
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    checked = [
        each.removeprefix("collections/ansible_collections/continuum/edge/") for each in configuration["mypy"]["files"]
    ]
    assert any(source == each or source.startswith(f"{each}/") for each in checked)
