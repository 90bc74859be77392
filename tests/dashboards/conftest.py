"""The dashboards as they are committed, and what their tests share."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = Path(__file__).resolve().parent / "grafana"
MODULES = ROOT / ".cache" / "dashboards"
sys.path.insert(0, str(ROOT / "dashboards"))

FILES = sorted((ROOT / "dashboards").glob("*/*.json"))


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


DASHBOARDS = {path.stem: load(path) for path in FILES}


@pytest.fixture(scope="session")
def grafana_faults() -> Callable[[list[Path]], dict[str, list[str]]]:
    """What Grafana's own types and units say of dashboards, by file."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.fail("node and npm are missing: install Node.js 20 or newer (Debian: apt-get install nodejs npm)")
    lock = GRAFANA / "package-lock.json"
    # npm keeps what it installed in node_modules itself; the copy of the lock file says of which.
    if not (MODULES / "installed.json").exists() or (MODULES / "installed.json").read_bytes() != lock.read_bytes():
        MODULES.mkdir(parents=True, exist_ok=True)
        for file in (GRAFANA / "package.json", lock):
            shutil.copy(file, MODULES)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
        done = subprocess.run(command, cwd=MODULES, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            pytest.fail(f"npm ci failed; is the npm registry reachable? {done.stderr}")
        shutil.copy(lock, MODULES / "installed.json")

    def check(files: list[Path]) -> dict[str, list[str]]:
        command = ["node", str(GRAFANA / "check.mjs"), str(MODULES), *map(str, files)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        faults: dict[str, list[str]] = json.loads(done.stdout)
        return faults

    return check
