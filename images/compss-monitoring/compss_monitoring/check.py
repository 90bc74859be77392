"""`check <folder> <name>…`: waits for the end of the run, then looks whether it left these files and folders."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from .settings import Settings

PATIENCE = 240.0


def last_run(folder: Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / "last_run.json").read_text())
    except (OSError, ValueError):
        return {}
    return dict(content) if isinstance(content, dict) else {}


def check(settings: Settings, folder: Path, names: list[str], patience: float = PATIENCE) -> int:
    deadline = time.monotonic() + patience
    while last_run(folder).get("run") != settings.run:
        if time.monotonic() > deadline:
            print(f"run {settings.run} has not ended within {patience:g} s; the last that did: {last_run(folder)}")
            return 1
        time.sleep(1)
    run = last_run(folder)
    left = folder / run["results"] if run["results"] else None
    missing = [name for name in names if left is None or not (left / name).exists()]
    print(f"run {settings.run} ended with status {run['status']} after {run['ended'] - run['started']:.1f} s")
    print(f"results: {left}" + (f", without {', '.join(missing)}" if missing else ""))
    return 1 if run["status"] or missing else 0


def main(arguments: list[str]) -> int:
    if not arguments:
        print("check: which folder?", file=sys.stderr)
        return 2
    return check(Settings.from_environment(), Path(arguments[0]), arguments[1:])
