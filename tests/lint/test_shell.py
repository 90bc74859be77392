"""Shellcheck over every shell script, and over what the shell templates of roles and scenarios render to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted(
    path
    for path in [*ROOT.glob("roles/*/templates/*.j2"), *ROOT.glob("molecule/*/templates/*.j2")]
    if path.name.endswith(".sh.j2") or path.read_text(encoding="utf-8").startswith("#!")
)


def scripts() -> Iterator[Path]:
    """Tracked files, and those that will be, which name a shell in their first line."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        path = ROOT / name
        if path.is_file() and path.suffix != ".j2":
            first = path.open("rb").readline()
            if first.startswith(b"#!") and first.split()[-1].rpartition(b"/")[2] in (b"sh", b"bash"):
                yield path


class Anything(StrictUndefined):
    """Whatever a template does with a variable; its text is a number, which is also a word. Loops run twice, so that pairs
    can be unpacked, and conditions hold or do not."""

    holds = True

    def anything(self, *_: Any, **__: Any) -> Anything:
        return type(self)()

    __getattr__ = __getitem__ = __call__ = __add__ = __radd__ = __sub__ = __mul__ = __mod__ = __and__ = anything

    def __iter__(self) -> Iterator[Any]:
        yield from (self, self)

    def __str__(self) -> str:
        return "7"

    def __bool__(self) -> bool:
        return self.holds

    __hash__ = StrictUndefined.__hash__

    def __eq__(self, _: object) -> bool:
        return self.holds

    def __lt__(self, _: object) -> bool:
        return self.holds

    __gt__ = __le__ = __ge__ = __contains__ = __lt__


class Nothing(Anything):
    holds = False


class Filters(dict[str, Any]):
    """Filters and tests, whatever their names are."""

    def __init__(self, result: Any) -> None:
        self.result = result

    def __contains__(self, _: object) -> bool:
        return True

    def __missing__(self, _: str) -> Any:
        return lambda *_, **__: self.result

    def get(self, name: str, _: Any = None) -> Any:
        return self[name]


def rendered(template: Path, variable: type[Anything]) -> str:
    # Ansible's own settings, as far as they concern lines.
    environment = Environment(  # noqa: S701 # no HTML
        loader=FileSystemLoader(template.parent), undefined=variable, trim_blocks=True, keep_trailing_newline=True
    )
    environment.filters, environment.tests = Filters(variable()), Filters(variable.holds)
    environment.globals.clear()
    return environment.get_template(template.name).render()


# Templates break these rules: a rendered list can have one word, and what `eval` calls stands in single quotes.
EXPECTED = "--exclude=SC2016,SC2043,SC2329"


def shellcheck(text: str, *options: str) -> str:
    shell = [] if text.startswith("#!") else ["--shell=bash"]
    command = [str(shutil.which("shellcheck")), "--format=gcc", *shell, *options, "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("script", [*scripts()], ids=lambda path: str(path.relative_to(ROOT)))
def test_script(script: Path) -> None:
    assert shellcheck(script.read_text(encoding="utf-8")) == ""


@pytest.mark.parametrize("variable", [Anything, Nothing])
@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_template(template: Path, variable: type[Anything]) -> None:
    assert shellcheck(rendered(template, variable), EXPECTED) == ""


def test_both_branches_are_rendered_and_judged(tmp_path: Path) -> None:
    template = tmp_path / "both.sh.j2"
    template.write_text(
        "{% for n in names | map('upper') %}{% if n.a is x %}\necho $one\n{% else %}\necho $two\n{% endif %}{% endfor %}"
    )
    assert "one is referenced but not assigned" in shellcheck(rendered(template, Anything), EXPECTED)
    assert "two is referenced but not assigned" in shellcheck(rendered(template, Nothing), EXPECTED)
