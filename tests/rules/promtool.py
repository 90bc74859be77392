# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Prometheus' own judge of rules, for the tests that need it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def program() -> str:
    """promtool, from PROMTOOL or where the embedded cluster's programs lie. A test that needs it fails without it."""
    path = Path(os.environ.get("PROMTOOL") or ROOT / ".local/bin/promtool")
    if not os.access(path, os.X_OK):
        pytest.fail(f"no promtool at {path}; run `make up` once, which builds it, or set PROMTOOL to its path")
    return str(path)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program(), *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=300)
