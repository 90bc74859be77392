"""No chart has a value that its templates do not read: changed, a value changes what is rendered, or is refused."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from .cases import CASES
from .conftest import ROOT

DASHBOARDS = {
    "dashboards": {"items": {"one": {"folder": "Platform", "file": "one.json", "content": "{}"}}},
    "datasources": {"content": {"apiVersion": 1}},
}
CHARTS = sorted(path.parent for path in (ROOT / "charts").glob("*/Chart.yaml"))
Rendered = tuple[int, str]


def paths(values: dict[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of the leaves; an empty object is one."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from paths(value, (*above, key))
        else:
            yield (*above, key)


def merged(values: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Values over others, as Helm merges them."""
    result = copy.deepcopy(values)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def other(value: Any) -> Any:
    """Another value, whether it makes sense or not."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return [*value, "other"]
    if isinstance(value, dict):
        return {**value, "other": "other"}
    return f"{value or ''}other"


def changed(values: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    result = copy.deepcopy(values)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = other(place[path[-1]])
    return result


def unread(chart: Path, cases: list[dict[str, Any]], helm: str, folder: Path) -> list[str]:
    """The values that change nothing in any of the cases."""
    defaults = yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8"))

    def rendered(name: str, values: dict[str, Any]) -> Rendered:
        file = folder / name.replace("/", "_")
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        command = [helm, "template", "test", str(chart), "--skip-schema-validation", "-f", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def judged(path: tuple[str, ...]) -> bool:
        name = ".".join(path)
        return any(rendered(name, changed(values, path)) != plain for values, plain in bases)

    bases = [(values, rendered("plain", values)) for values in (merged(defaults, case) for case in cases)]
    assert [code for _, (code, _) in bases] == [0] * len(bases)
    with ThreadPoolExecutor() as pool:
        leaves = list(paths(defaults))
        return [".".join(path) for path, read in zip(leaves, pool.map(judged, leaves), strict=True) if not read]


@pytest.mark.slow
@pytest.mark.parametrize("chart", CHARTS, ids=lambda path: path.name)
def test_every_value_is_read(chart: Path, helm: str, tmp_path: Path) -> None:
    cases = [{}, *CASES.get(chart.name, {"dashboards": DASHBOARDS}).values()]
    assert unread(chart, cases, helm, tmp_path) == []


def test_a_value_that_nothing_reads_is_seen(helm: str, tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("{apiVersion: v2, name: chart, version: 1.0.0}")
    (chart / "values.yaml").write_text("{read: {first: 1, if: false}, unread: {second: 1}}")
    (chart / "templates" / "one.yaml").write_text("a: {{ .Values.read.first }}\n{{ if .Values.read.if }}b: 1{{ end }}")
    assert unread(chart, [{}], helm, tmp_path) == ["unread.second"]
