#!/usr/bin/env python3
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Write the dashboards from the metric catalogue: Grafana's, whose folders here are folders there, and the page's.

    dashboards/generate.py            write
    dashboards/generate.py --check    fail, naming the files that are stale

It needs grafana-foundation-sdk (requirements-dev.txt).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
# Its own modules, and the collection, which a checkout holds under its name.
sys.path[:0] = [str(HERE), str(HERE.parent / "collections")]

from generator import compss, devices, platform  # noqa: E402
from generator.board import render_board  # noqa: E402
from generator.page import render_pages  # noqa: E402

BOARDS = (*platform.BOARDS, *devices.BOARDS, *compss.BOARDS)
PAGE = HERE.parent / "images" / "monitoring-api" / "monitoring_api" / "boards.json"


def written(content: Any) -> str:
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def files() -> dict[Path, str]:
    """Every dashboard by its path."""
    titles = {board.key: board.title for board in BOARDS}
    grafana = {HERE / board.folder / f"{board.key}.json": written(render_board(board, titles)) for board in BOARDS}
    return {**grafana, PAGE: written(render_pages(BOARDS))}


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a file is stale")
    arguments = parser.parse_args()
    wanted = files()
    surplus = [path for path in HERE.glob("*/*.json") if path not in wanted]
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if arguments.check:
        for path in [*stale, *surplus]:
            print(f"{path.relative_to(HERE.parent)} is stale: run dashboards/generate.py")
        return 1 if stale or surplus else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
    for path in surplus:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
