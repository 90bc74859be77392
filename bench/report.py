"""Rounds of figures, and the page that shows them. This module is the only writer of both.

A round is one measurement, kept with its time, load and commit. A series is the rounds that one run began and later
ones (``--append``) added to. The file keeps every series, the page shows the last one of each benchmark.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from cluster import ROOT, say

PAGE = ROOT / "docs" / "benchmarks.md"
INTRODUCTION = """\
# Benchmarks
<!-- Written by bench/run: do not edit. -->
`make bench` measures all of this on a cluster of its own; `bench/run --help` tells how to measure less, how to add
rounds, and how to measure the cold start.
A figure is the median of its rounds. A goal is an upper bound unless it says "at least". A round beyond what is
possible, such as one that is faster than linear, is noise: it stands in brackets and counts for nothing. Caveats say
what speaks against a figure: a machine that was busy before the round, a tree with changes that the commit does not
have, or rounds that are taken from the page that stood before the program kept them.
Every round, those of earlier series too, is in [benchmarks.json](benchmarks.json).
"""


def number(value: float) -> str:
    digits = 0 if value == int(value) or value >= 1000 else 1 if value >= 10 else 2 if value >= 0.1 else 4
    return f"{value:,.{digits}f}"


@dataclass(frozen=True)
class Figure:
    """What one round has measured. Rounds whose figures differ in no more than ``measured`` and ``note`` are of one
    kind."""

    figure: str
    measured: float
    unit: str = ""
    goal: float | None = None
    command: str = ""
    #: What the goal is: a bound from above (less) or from below (more).
    better: str = "less"
    note: str = ""
    #: What no measurement can exceed, in the same unit, such as 3 for 3 workers against 1.
    possible: float | None = None

    @property
    def kind(self) -> Figure:
        return replace(self, measured=0, note="")

    @property
    def sound(self) -> bool:
        return self.possible is None or self.measured <= self.possible

    def quantity(self, value: float) -> str:
        return f"{number(value)}{'' if self.unit in ('', 'x') else ' '}{self.unit}"

    @property
    def wanted(self) -> str:
        if self.goal is None:
            return ""
        return f"{'at least ' if self.better == 'more' else ''}{self.quantity(self.goal)}"

    def __str__(self) -> str:
        goal = f" (goal {self.wanted})" if self.goal is not None else ""
        note = f"\n    {self.note}" if self.note else ""
        return f"{self.figure}: {self.quantity(self.measured)}{goal}\n    $ {self.command}{note}"


@dataclass(frozen=True)
class Round:
    """One measurement of a benchmark, with what was so when it began."""

    #: UTC, to the minute.
    at: str
    #: The load average of the minute before, or None where nobody wrote it down.
    load: float | None
    cores: int
    commit: str
    #: Whether the tree had changes that the commit does not have.
    changed: bool
    #: Hardware and versions: rounds of one series have the same.
    machine: str
    figures: Sequence[Figure] = ()
    series: int = 1
    #: The page that stood before the program kept rounds, where the figures are taken from it.
    transcribed: str = ""

    @classmethod
    def begin(cls) -> Round:
        # The files that the benchmarks write are no change of what they measure.
        written = [f":(exclude)docs/benchmarks.{ending}" for ending in ("md", "json")]
        return cls(
            at=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M}",
            load=round(os.getloadavg()[0], 1),
            cores=cores(),
            commit=output_of("git", "rev-parse", "--short", "HEAD"),
            changed=bool(output_of("git", "status", "--porcelain", "--", ".", *written)),
            machine=machine(),
        )

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Round:
        return cls(**{**kept, "figures": [Figure(**each) for each in kept["figures"]]})

    def write(self) -> dict[str, Any]:
        """The round as JSON, without what is as it is by default."""
        defaults = {each.name: each.default for each in dataclasses.fields(Figure)}
        figures = [{k: v for k, v in asdict(each).items() if v != defaults[k]} for each in self.figures]
        fields = {k: v for k, v in asdict(self).items() if k != "transcribed" or v}
        return {**fields, "figures": figures}

    def __str__(self) -> str:
        load = "load not recorded" if self.load is None else f"load {self.load}"
        changed = " with changes" if self.changed else ""
        transcribed = f", taken from {self.transcribed}" if self.transcribed else ""
        return f"{self.at} UTC, {load}, commit {self.commit}{changed}{transcribed}"

    @property
    def caveats(self) -> list[str]:
        load = self.load is not None and self.load > self.cores
        return [
            *([f"load {self.load} on {self.cores} cores"] if load else []),
            *(["load not recorded"] if self.load is None else []),
            *(["changed tree"] if self.changed else []),
            *(["taken from an earlier page"] if self.transcribed else []),
        ]


@dataclass(frozen=True)
class Row:
    """The rounds of one kind, each with the figure that it has measured."""

    rounds: Sequence[tuple[Round, Figure]]

    @property
    def kind(self) -> Figure:
        return self.rounds[0][1].kind

    @property
    def median(self) -> float | None:
        """The median of the rounds that are possible; None where there is none."""
        sound = [figure.measured for _, figure in self.rounds if figure.sound]
        return statistics.median(sound) if sound else None

    @property
    def verdict(self) -> str:
        if self.median is None:
            return "measure again"
        if self.kind.goal is None:
            return ""
        met = self.median <= self.kind.goal if self.kind.better == "less" else self.median >= self.kind.goal
        return "met" if met else "missed"

    def __str__(self) -> str:
        """A row of the page's table."""
        kind = self.kind
        median = "" if self.median is None else f"**{kind.quantity(self.median)}**"
        rounds = [number(each.measured) if each.sound else f"({number(each.measured)})" for _, each in self.rounds]
        cells = [
            kind.figure,
            kind.wanted,
            median,
            self.verdict,
            ", ".join(rounds),
            ", ".join(dict.fromkeys(caveat for each, _ in self.rounds for caveat in each.caveats)),
            f"`{kind.command}`",
            "; ".join(dict.fromkeys(each.note for _, each in self.rounds if each.note)),
        ]
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def rows(rounds: Iterable[Round]) -> list[Row]:
    """One for each kind of figure, in the order in which they were measured."""
    kinds: dict[Figure, list[tuple[Round, Figure]]] = {}
    for each in rounds:
        for figure in each.figures:
            kinds.setdefault(figure.kind, []).append((each, figure))
    return [Row(each) for each in kinds.values()]


# What is true of the machine


def cores() -> int:
    return len(os.sched_getaffinity(0))


def output_of(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def first(pattern: str, path: Path) -> str:
    match = re.search(pattern, path.read_text(), re.MULTILINE) if path.exists() else None
    return match.group(1).strip() if match else "unknown"


def machine() -> str:
    processor = first(r"^model name\s*:(.*)", Path("/proc/cpuinfo"))
    memory = int(first(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo"))) / 1024**2
    helm = first(r"^helm_version: (.*)", ROOT / "roles" / "helm" / "defaults" / "main.yml")
    kubernetes = first(r"k8s.io/kubernetes v(\S+)", ROOT / "images" / "kubernetes" / "go.mod")
    return ", ".join(
        [
            f"{cores()} cores ({processor})",
            f"{memory:.0f} GiB",
            first(r'^PRETTY_NAME="(.*)"', Path("/etc/os-release")),
            f"Linux {platform.release()}",
            f"Python {platform.python_version()}",
            f"ansible-core {metadata.version('ansible-core')}",
            f"Helm {helm}",
            f"Kubernetes {kubernetes}",
            output_of("go", "env", "GOVERSION"),
        ]
    )


def settle(seconds: float) -> None:
    """Waits until the load of what was measured before is gone. On a machine that others keep busy it stays, and marks
    the figures."""
    deadline = time.monotonic() + seconds
    while os.getloadavg()[0] > cores() and time.monotonic() < deadline:
        time.sleep(5)


# The file of the rounds, and the page


class Report:
    """The rounds of all benchmarks, ``titles`` in the page's order, kept beside the page in a file of the same name."""

    def __init__(self, titles: Mapping[str, str], page: Path = PAGE) -> None:
        self.titles = titles
        self.page = page
        self.file = page.with_suffix(".json")
        kept = json.loads(self.file.read_text()) if self.file.exists() else {}
        self.rounds = {name: [Round.read(each) for each in kept.get(name, ())] for name in titles}

    def series(self, name: str) -> list[Round]:
        """The last one."""
        rounds = self.rounds[name]
        return [each for each in rounds if each.series == rounds[-1].series]

    def next_series(self, name: str, append: bool) -> int:
        """The number of the series that the next rounds are of.

        :raises SystemExit: where there is no series that they can be appended to.
        """
        rounds = self.rounds[name]
        if not append:
            return rounds[-1].series + 1 if rounds else 1
        if not rounds:
            sys.exit(f"bench: error: {self.file} has no rounds of {name} to append to: run it without --append first")
        if rounds[-1].transcribed:
            sys.exit(
                f"bench: error: no program kept the rounds of {name} that {self.file} has: run it without --append"
            )
        if rounds[-1].machine != machine():
            sys.exit(
                f"bench: error: the rounds of {name} are of another machine ({rounds[-1].machine}),"
                f" this is {machine()}: run it without --append, for a series of its own"
            )
        return rounds[-1].series

    def add(self, name: str, measured: Round) -> None:
        """Write the file at once, since what comes later may be interrupted."""
        self.rounds[name].append(measured)
        self.write()

    def write(self) -> None:
        self.page.parent.mkdir(parents=True, exist_ok=True)
        kept = {each: [one.write() for one in rounds] for each, rounds in self.rounds.items() if rounds}
        self.file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
        self.page.write_text(str(self))
        say(f"written to {self.page}")

    def section(self, name: str) -> str:
        series = self.series(name)
        lines = [
            f"\n## {self.titles[name]}",
            f"{series[-1].machine}.",
            "",
            *(f"- {each}" for each in dict.fromkeys(map(str, series))),
            "",
            "| figure | goal | median | | rounds | caveats | command | detail |",
            "|---|---|---|---|---|---|---|---|",
            *map(str, rows(series)),
        ]
        return "\n".join(lines) + "\n"

    def __str__(self) -> str:
        """The page."""
        return INTRODUCTION + "".join(self.section(name) for name in self.titles if self.rounds[name])
