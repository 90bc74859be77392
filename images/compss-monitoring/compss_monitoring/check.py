"""`check <folder>`: waits for the end of the run, then looks at what it left."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from .settings import Settings

LEFT = ("runtime.log", "jobs", "monitor/complete_graph.dot", "trace", "workers")


def last_run(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "last_run.json").read_text())
    except (OSError, ValueError):
        return {}
    return dict(found) if isinstance(found, dict) else {}


def check(settings: Settings, folder: Path, patience: float) -> int:
    deadline = time.monotonic() + patience
    while last_run(folder).get("run") != settings.run:
        if time.monotonic() > deadline:
            print(f"run {settings.run} has not ended within {patience:g} s; the last that did: {last_run(folder)}")
            return 1
        time.sleep(1)
    run = last_run(folder)
    newest = max((path.parent for path in folder.glob("*/runtime.log")), key=lambda p: p.stat().st_mtime, default=None)
    missing = list(LEFT) if newest is None else [name for name in LEFT if not (newest / name).exists()]
    print(f"run {settings.run} ended with status {run['status']} after {run['ended'] - run['started']:.1f} s")
    print(f"results: {newest}" + (f", without {', '.join(missing)}" if missing else ""))
    return 1 if run["status"] or missing else 0


def main(arguments: list[str]) -> int:
    if not arguments:
        print("check: which folder?", file=sys.stderr)
        return 2
    patience = float(arguments[1]) if len(arguments) > 1 else 240.0
    return check(Settings.from_environment(), Path(arguments[0]), patience)
