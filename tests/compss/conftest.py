"""What the tests of applications share: the monitoring API's package, and where programs are."""

import os
import shutil
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The image's program is not installed here.
sys.path.insert(0, str(ROOT / "images" / "compss-monitoring"))


def program(name: str) -> str:
    own = ROOT / ".local" / "bin" / name
    found = os.environ.get(name.upper()) or (str(own) if own.exists() else shutil.which(name))
    if not found:
        pytest.fail(f"No {name}: expected .local/bin/{name} (make up), one on PATH, or its path in {name.upper()}")
    return found
