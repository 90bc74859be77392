#!/usr/bin/env python3
"""Writes README.md's tables: the PyCOMPSs API from api.yml, runcompss' options from pycompss_dask/options.py.

`table.py` writes them, `table.py --check` compares.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
README = HERE / "README.md"
END = "<!-- End of the table. -->\n"
sys.path.insert(0, str(HERE / "src"))

from pycompss_dask import options  # noqa: E402


def entries() -> dict[str, Any]:
    """What api.yml says."""
    api: dict[str, Any] = yaml.safe_load((HERE / "api.yml").read_text())
    for entry in (entry for chapter in api.values() for entry in chapter.values()):
        for state in ("taken", "refused_names"):
            entry[state] = entry.get(state, "").split()
    return api


def _names(names: list[str]) -> str:
    return " ".join(f"`{name}`" for name in names)


def _rows(where: str, entry: dict[str, Any]) -> list[str]:
    refused = entry.get("refused", {})
    if isinstance(refused, str):
        return [f"| `{where}` | refused | all of it: {refused} |"]
    rows = []
    if taken := entry["taken"]:
        needs = f"; needs the package {entry['needs']}" if "needs" in entry else ""
        rows.append(f"| `{where}` | taken{needs} | {_names(taken)} |")
    rows += [f"| `{where}` | different | `{name}`: {how} |" for name, how in entry.get("different", {}).items()]
    rows += [f"| `{where}` | refused | `{name}`: {how} |" for name, how in refused.items()]
    if names := entry["refused_names"]:
        rows.append(f"| `{where}` | refused | {_names(names)} |")
    return rows


def table() -> str:
    """The table of the API in Markdown."""
    rows = ["| where | | names |", "|---|---|---|"]
    for chapter in ("modules", "arguments"):
        for where, entry in entries()[chapter].items():
            rows += _rows(where, entry)
    return "\n".join([*rows, ""])


TABLES = {"api.yml": table, "options.py": options.table}


def written(text: str) -> str:
    """README.md's text with the tables as they are now."""
    for source, content in TABLES.items():
        begin = f"<!-- The table is written by table.py from {source}. -->\n"
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(END)
        text = f"{head}{begin}{content()}{END}{tail}"
    return text


def main() -> int:
    text = README.read_text()
    if sys.argv[1:] == ["--check"]:
        return int(text != written(text))
    README.write_text(written(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
