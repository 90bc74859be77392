from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import progress


def test_lines_are_appended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "progress"
    target.touch()
    monkeypatch.setenv(progress.VARIABLE, str(target))
    progress.report("first")
    progress.report("second\n of two lines ")
    assert target.read_text() == "first\nsecond of two lines\n"


def test_silent_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(progress.VARIABLE, raising=False)
    progress.report("nobody listens")
    monkeypatch.setenv(progress.VARIABLE, str(tmp_path / "gone"))
    progress.report("the file is not made by a module")
    assert list(tmp_path.iterdir()) == []
