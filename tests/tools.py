"""The programs that tests call, and ports for them."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def program(name: str) -> str:
    """The path of a program: the one that the environment names, the one that `make up` built, or the one on PATH."""
    own = ROOT / ".local" / "bin" / name
    found = os.environ.get(name.upper()) or (str(own) if own.exists() else shutil.which(name))
    if not found:
        pytest.fail(
            f"No {name}: expected .local/bin/{name} (make up builds it), one on PATH, or its path in {name.upper()}"
        )
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
