"""Paraver's configurations show what the traces of these engines hold. Paraver itself is not here: its grammar is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "roles/compss/files/paraver").glob("*.cfg"))
WRITER = (ROOT / "images/pycompss-dask/src/pycompss_dask/results.py").read_text()


def test_there_are_three() -> None:
    assert [path.stem for path in FILES] == ["compss_runtime", "compss_tasks", "compss_tasks_id"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_its_form(path: Path) -> None:
    head, _, body = path.read_text().partition("ConfigFile.EndDescription")
    assert head.startswith("#ParaverCFG\nConfigFile.Version: ")
    windows = re.findall(r"(?m)^< NEW DISPLAYING WINDOW (.+) >$", body)
    assert f"ConfigFile.NumWindows: {len(windows)}\n" in head
    assert re.findall(r"(?m)^window_name (.+)$", body) == windows
    for name in ("selected", "compose"):
        count, functions = re.search(rf"(?m)^window_{name}_functions {{ (\d+), {{ (.*) }} }}$", body).groups()  # type: ignore[union-attr]
        assert len(re.findall(r"{[^{}]+, [^{}]+}", functions)) == int(count)
    settings = [line for line in body.splitlines() if line and not line.startswith(("#", "<"))]
    assert [line for line in settings if not re.fullmatch(r"window_[a-z_]+ \S.*", line)] == []


def test_the_events_are_those_of_the_traces() -> None:
    """Each event that the writer of engine dask names, under the label that it has in the .pcf file."""
    numbers = dict(
        zip(
            ("TASK_EVENT", "NUMBER_EVENT"),
            re.search(r"TASK_EVENT, NUMBER_EVENT = (\d+), (\d+)", WRITER).groups(),  # type: ignore[union-attr]
            strict=True,
        )
    )
    written = {
        (numbers[name], label) for name, label in re.findall(r"EVENT_TYPE\\n0    {(\w+)}    ([\w ]+)\\n", WRITER)
    }
    assert len(written) == 2
    shown = set()
    for path in FILES:
        text = path.read_text()
        numbers_shown = re.findall(r"(?m)^window_filter_module evt_type 1 (\d+)$", text)
        labels = re.findall(r'(?m)^window_filter_module evt_type_label 1 "(.+)"$', text)
        shown |= set(zip(numbers_shown, labels, strict=True))
    assert shown == written
