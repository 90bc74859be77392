"""The dashboards as they are committed, and what their tests share."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tools import node_modules

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = Path(__file__).resolve().parent / "grafana"
sys.path.insert(0, str(ROOT / "dashboards"))

FILES = sorted((ROOT / "dashboards").glob("*/*.json"))


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


DASHBOARDS = {path.stem: load(path) for path in FILES}


@pytest.fixture(scope="session")
def grafana_faults() -> Callable[[list[Path]], dict[str, list[str]]]:
    """What Grafana's own types and units say of dashboards, by file."""
    try:
        modules = node_modules(GRAFANA, "dashboards")
    except RuntimeError as error:
        pytest.fail(str(error))

    def check(files: list[Path]) -> dict[str, list[str]]:
        command = ["node", str(GRAFANA / "check.mjs"), str(modules), *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        faults: dict[str, list[str]] = json.loads(done.stdout)
        return faults

    return check
