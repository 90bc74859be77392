# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Prometheus' web pages: when they are built, what is said where they cannot be. The build itself: tests/pages."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from ansible_collections.continuum.edge.plugins.module_utils.prometheus_pages import FOLDER, Pages, PagesError

GO_SUM = "github.com/prometheus/prometheus v0.315.0 h1:{digest}=\ngithub.com/other/other v1.0.0 h1:{other}=\n"


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """Pages of version a, built already."""
    source, tools = tmp_path / "source", tmp_path / "tools"
    source.mkdir()
    tools.mkdir()
    (source / "go.sum").write_text(GO_SUM.format(digest="a", other="a"))
    (tools / "package.json").write_text("{}")
    made = Pages(tmp_path / "bin" / "pages.tar", source, tools, go=str(tmp_path / "no-go"))
    made.archive.parent.mkdir()
    made.archive.write_bytes(b"pages of version a")
    made._stamp.write_text(made.key())
    return made


def test_what_is_built_is_kept(pages: Pages) -> None:
    assert not pages.outdated()
    (pages.source / "go.sum").write_text(GO_SUM.format(digest="a", other="b"))
    assert not pages.outdated(), "another module's version changes nothing"


@pytest.mark.parametrize("change", ["version", "tools", "archive", "stamp"])
def test_what_goes_into_them_makes_them_outdated(pages: Pages, change: str) -> None:
    if change == "version":
        (pages.source / "go.sum").write_text(GO_SUM.format(digest="b", other="a"))
    elif change == "tools":
        (pages.tools / "package.json").write_text('{"private": true}')
    else:
        (pages.archive if change == "archive" else pages._stamp).unlink()
    assert pages.outdated()


def test_what_is_missing_is_named_and_pages_of_another_version_are_gone(pages: Pages) -> None:
    (pages.source / "go.sum").write_text(GO_SUM.format(digest="b", other="a"))
    with pytest.raises(PagesError, match=r"^Prometheus' Go module .*: No such file or directory$"):
        pages.build()
    assert list(pages.archive.parent.iterdir()) == []


def test_a_failure_is_told_in_one_line(pages: Pages, tmp_path: Path) -> None:
    go = tmp_path / "no-go"
    go.write_text("#!/bin/sh\necho 'go: first' >&2\necho 'dial tcp: no route to host' >&2\nexit 1\n")
    go.chmod(0o755)
    pages.archive.unlink()
    with pytest.raises(PagesError, match=r": dial tcp: no route to host$"):
        pages.build()


def test_a_bundle_s_pages_are_taken_where_they_fit(pages: Pages, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(pages.archive.parent, bundle)
    pages.archive.unlink()
    assert pages.take(bundle)
    assert not pages.outdated()
    (pages.source / "go.sum").write_text(GO_SUM.format(digest="b", other="a"))
    assert not pages.take(bundle)


def test_the_archive_has_pages_and_licences(tmp_path: Path) -> None:
    assets = tmp_path / "web" / "ui" / "static" / "mantine-ui" / "assets"
    assets.mkdir(parents=True)
    (assets / "third-party-licenses.txt").write_text("MIT")
    for name in ("LICENSE", "NOTICE"):
        (tmp_path / name).write_text(name)
    Pages._pack(tmp_path, tmp_path / "pages.tar")
    with tarfile.open(tmp_path / "pages.tar") as packed:
        assert packed.getnames() == [
            f"{FOLDER}/static/mantine-ui/assets/third-party-licenses.txt",
            f"{FOLDER}/LICENSE",
            f"{FOLDER}/NOTICE",
        ]
