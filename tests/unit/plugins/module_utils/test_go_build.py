"""Building Go programs: what makes one outdated, and what an interruption or an error leaves behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.continuum.edge.plugins.module_utils.go_build import Builder, GoBuildError, Program

GO = shutil.which("go") or "/usr/local/go/bin/go"
HELLO = Program("hello", "./cmd/hello", "-X main.version=1")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module of one program, which prints the version that the linker gives it."""
    source = tmp_path / "module"
    (source / "cmd" / "hello").mkdir(parents=True)
    (source / "go.mod").write_text("module example.org/hello\n\ngo 1.24\n")
    (source / "go.sum").write_text("")
    (source / "cmd" / "hello" / "main.go").write_text(
        'package main\n\nvar version = "none"\n\nfunc main() { println(version) }\n'
    )
    return source


def builder(module: Path, tmp_path: Path, reports: list[str] | None = None) -> Builder:
    return Builder(tmp_path / "bin", module, GO, (reports if reports is not None else []).append)


def test_program_is_built_once(module: Path, tmp_path: Path) -> None:
    reports: list[str] = []
    build = builder(module, tmp_path, reports)
    assert build.build([HELLO]) == ["hello"]
    assert subprocess.run([tmp_path / "bin" / "hello"], capture_output=True, text=True, check=True).stderr == "1\n"
    assert "hello: built in" in reports[-1]
    assert build.build([HELLO]) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda source: (source / "cmd" / "hello" / "main.go").open("a").write("// changed\n"),
        lambda source: (source / "go.mod").open("a").write("// changed\n"),
        lambda source: (source / "go.sum").open("a").write("\n"),
    ],
)
def test_change_of_what_goes_in_makes_it_outdated(module: Path, tmp_path: Path, change) -> None:
    build = builder(module, tmp_path)
    build.build([HELLO])
    change(module)
    assert list(build.outdated([HELLO])) == ["hello"]


def test_change_of_flags_makes_only_that_program_outdated(module: Path, tmp_path: Path) -> None:
    build = builder(module, tmp_path)
    other = Program("other", "./cmd/hello")
    build.build([HELLO, other])
    assert list(build.outdated([Program("hello", "./cmd/hello", "-X main.version=2"), other])) == ["hello"]


def test_lost_program_is_outdated(module: Path, tmp_path: Path) -> None:
    build = builder(module, tmp_path)
    build.build([HELLO])
    (tmp_path / "bin" / "hello").unlink()
    assert list(build.outdated([HELLO])) == ["hello"]


def test_error_names_the_line_and_leaves_no_program(module: Path, tmp_path: Path) -> None:
    build = builder(module, tmp_path)
    build.build([HELLO])
    (module / "cmd" / "hello" / "main.go").write_text("package main\n\nfunc main() { nothing }\n")
    with pytest.raises(GoBuildError, match=r"could not build hello.*\n?.*main.go:3:15: undefined: nothing"):
        build.build([HELLO])
    assert list(build.outdated([HELLO])) == ["hello"]


def test_nothing_is_built_unverified(module: Path, tmp_path: Path) -> None:
    (module / "go.sum").unlink()
    with pytest.raises(GoBuildError, match=r"no go.sum.*go mod tidy"):
        builder(module, tmp_path).build([HELLO])


def test_missing_go_is_named(module: Path, tmp_path: Path) -> None:
    with pytest.raises(GoBuildError, match="no-such-go is not there: install Go"):
        Builder(tmp_path / "bin", module, "no-such-go").build([HELLO])
