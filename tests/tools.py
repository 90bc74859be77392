"""What the tests share: the programs that they call, ports for them, a browser, and a way to wait."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
Found = TypeVar("Found")


def program(name: str) -> str:
    """The path of a program: the one that the environment names, the one that `make up` built, or the one on PATH."""
    built = ROOT / ".local" / "bin" / name
    path = os.environ.get(name.upper()) or (str(built) if built.exists() else shutil.which(name))
    if not path:
        pytest.fail(
            f"No {name}: expected .local/bin/{name} (make up builds it), one on PATH, or its path in {name.upper()}"
        )
    return path


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's browser. Playwright is imported by whom it is needed by."""
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if not path:
        pytest.fail("No chromium on PATH: install it (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        # Root, as which the tests may run, gets no sandbox.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


def node_modules(package: Path, name: str) -> Path:
    """A folder with what the lock file in `package` names, kept for the next time. Raises RuntimeError without npm."""
    if not shutil.which("node") or not shutil.which("npm"):
        raise RuntimeError("node and npm are missing: install Node.js 20 or newer (Debian: apt-get install nodejs npm)")
    modules, lock = ROOT / ".cache" / name, package / "package-lock.json"
    # npm keeps what it installed in node_modules itself; the copy of the lock file says of which.
    installed = modules / "installed.json"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        modules.mkdir(parents=True, exist_ok=True)
        for file in (package / "package.json", lock):
            shutil.copy(file, modules)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefer-offline"]
        done = subprocess.run(command, cwd=modules, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"npm ci failed; is the npm registry reachable? {done.stderr}")
        shutil.copy(lock, installed)
    return modules


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def eventually(
    look: Callable[[], Found], seconds: float = 120, what: str = "the condition", every: float = 0.5
) -> Found:
    """What ``look`` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(every)
    return answer
