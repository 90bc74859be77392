"""The chart that carries the dashboards to the cluster."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import program

from .conftest import ROOT

CHART = ROOT / "charts" / "grafana-dashboards"
ITEM = {"folder": "Site", "file": "a.json", "content": '{"title": "{{node}} \\u00e9 ${x}"}\n'}


def helm(command: str, values: dict[str, Any], work: Path) -> subprocess.CompletedProcess[str]:
    file = work / "values.json"
    file.write_text(json.dumps(values))
    name = [] if command == "lint" else ["test"]
    more = ["--strict"] if command == "lint" else []
    full = [program("helm"), command, *name, str(CHART), "-n", "monitoring", "-f", str(file), *more]
    return subprocess.run(full, capture_output=True, text=True, check=False)


def test_lint(tmp_path: Path) -> None:
    done = helm("lint", {"dashboards": {"items": {"a": ITEM}}}, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_content_arrives_byte_by_byte(tmp_path: Path) -> None:
    """Braces, which Helm's own language uses, too, and the end of the file."""
    values = {"commonLabels": {"team": "edge"}, "dashboards": {"items": {"a": ITEM}, "label": "board"}}
    (made,) = [o for o in yaml.safe_load_all(helm("template", values, tmp_path).stdout) if o]
    assert made["data"] == {"a.json": ITEM["content"]}
    assert made["metadata"]["name"] == "test-a"
    assert made["metadata"]["labels"]["board"] == "1"
    assert made["metadata"]["labels"]["team"] == "edge"
    assert made["metadata"]["annotations"] == {"grafana_folder": "Site"}


def test_nothing_asked_for_nothing_made(tmp_path: Path) -> None:
    assert [o for o in yaml.safe_load_all(helm("template", {}, tmp_path).stdout) if o] == []


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "unknown key": ({"dashboard": {}}, "dashboard"),
    "unknown key of a dashboard": ({"dashboards": {"items": {"a": {**ITEM, "json": ""}}}}, "json"),
    "no folder": ({"dashboards": {"items": {"a": {"file": "a.json", "content": "{}"}}}}, "folder"),
    "file with a path": ({"dashboards": {"items": {"a": {**ITEM, "file": "../a.json"}}}}, "file"),
    "more than a ConfigMap holds": ({"dashboards": {"items": {"a": {**ITEM, "content": "x" * 1_000_001}}}}, "content"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_values_are_refused(name: str, tmp_path: Path) -> None:
    values, word = WRONG[name]
    done = helm("template", values, tmp_path)
    assert done.returncode != 0
    assert word in done.stderr
