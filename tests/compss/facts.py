#!/usr/bin/env python3
"""Write docs/compss.md from standin/facts.json, by which the stand-in for COMPSs behaves: a fact stands in one place.

tests/compss/facts.py            write
tests/compss/facts.py --check    fail where it is stale
"""

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGE = HERE.parents[1] / "docs" / "compss.md"
HEAD = """\
<!-- Written by tests/compss/facts.py from tests/compss/standin/facts.json. -->
# What COMPSs does

Facts about COMPSs 3.3 that the chart compss, the monitoring API and the role rest on. They were seen elsewhere, on a cluster
of three nodes with the real runtime and this chart; COMPSs itself has not been run by this repository's tests. These run a
stand-in, `tests/compss/standin`, which reads the same file as this page.

| what | |
|---|---|
"""


def row(name: str, fact: dict[str, Any]) -> str:
    return f"| {name.replace('_', ' ')} | {fact['says'].replace('|', chr(92) + '|')} |\n"


def read() -> dict[str, dict[str, Any]]:
    """By name: what it `says`, and the `value` that the stand-in reads."""
    return dict(json.loads((HERE / "standin" / "facts.json").read_text(encoding="utf-8")))


def page() -> str:
    facts = read()
    left = ", ".join(
        f"`{name}`" + (f" ({option})" if option else "") for name, option in facts["left"]["value"].items()
    )
    return HEAD + "".join(row(name, fact) for name, fact in facts.items()) + f"\nLeft by a run: {left}.\n"


def main(arguments: list[str]) -> int:
    if "--check" not in arguments:
        PAGE.write_text(page(), encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == page():
        return 0
    print(f"docs/{PAGE.name} is stale: run tests/compss/facts.py")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
