"""Tells how long a run of tests/run took, and what it left out: `python tests/summary.py FOLDER`.

The folder has `durations.tsv` (what, seconds), `left_out.tsv` (what, why) and the JUnit files of pytest. The summary is
printed and written beside them as `summary.md`.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

SLOWEST = 10


@dataclass(frozen=True)
class Case:
    name: str
    seconds: float
    #: Why it was skipped, or nothing.
    skipped: str


def cases(folder: Path) -> Iterator[Case]:
    for file in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(file).iter("testcase"):  # noqa: S314 # pytest wrote it
            skipped = case.find("skipped")
            why = "" if skipped is None else skipped.get("message", "")
            yield Case(f"{case.get('classname')}::{case.get('name')}", float(case.get("time", 0)), why)


def rows(file: Path) -> list[list[str]]:
    return [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()] if file.exists() else []


def summary(folder: Path) -> str:
    tests = list(cases(folder))
    slowest = sorted(tests, key=lambda case: -case.seconds)[:SLOWEST]
    left_out = rows(folder / "left_out.tsv")
    skipped = Counter(case.skipped for case in tests if case.skipped)
    lines = [
        f"# Durations, on {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f} at the end",
        *(f"- {int(seconds):5} s  {what}" for what, seconds in rows(folder / "durations.tsv")),
        "",
        f"# The {len(slowest)} slowest of {len(tests)} tests",
        *(f"- {case.seconds:5.1f} s  {case.name}" for case in slowest),
        "",
        f"# Left out: {len(left_out)} parts of this run, and {sum(skipped.values())} tests",
        *(f"- {what}: {why}" for what, why in left_out),
        *(f"- {number} tests: {why}" for why, number in skipped.most_common()),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    text = summary(Path(sys.argv[1]))
    Path(sys.argv[1], "summary.md").write_text(text, encoding="utf-8")
    print(f"\n{text}")
