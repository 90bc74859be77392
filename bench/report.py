"""Figures, and the page that keeps them."""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from cluster import ROOT

INTRODUCTION = """\
# Benchmarks
<!-- Written by bench/run: do not edit. -->
`make bench` measures all of this on a cluster of its own; `bench/run --help` tells how to measure less, and how to
measure the cold start.
Each section says when, and on which machine, it was measured. A goal is an upper bound unless it says "at least".
"""


@dataclass(frozen=True)
class Figure:
    figure: str
    measured: float
    unit: str = ""
    goal: float | None = None
    command: str = ""
    # What the goal is: a bound from above (less) or from below (more).
    better: str = "less"
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.goal is None:
            return None
        return self.measured <= self.goal if self.better == "less" else self.measured >= self.goal

    def quantity(self, value: float) -> str:
        digits = 0 if value == int(value) or value >= 1000 else 1 if value >= 10 else 2 if value >= 0.1 else 4
        return f"{value:,.{digits}f}{'' if self.unit in ('', 'x') else ' '}{self.unit}"

    @property
    def wanted(self) -> str:
        if self.goal is None:
            return ""
        return f"{'at least ' if self.better == 'more' else ''}{self.quantity(self.goal)}"

    @property
    def verdict(self) -> str:
        return {None: "", True: "met", False: "missed"}[self.met]

    def __str__(self) -> str:
        goal = f" (goal {self.wanted}: {self.verdict})" if self.goal is not None else ""
        note = f"\n    {self.note}" if self.note else ""
        return f"{self.figure}: {self.quantity(self.measured)}{goal}\n    $ {self.command}{note}"

    def row(self) -> str:
        measured = f"**{self.quantity(self.measured)}**"
        command = self.command.replace("|", "\\|")
        return f"| {self.figure} | {self.wanted} | {measured} | {self.verdict} | `{command}` | {self.note} |"


def output_of(*command: str) -> str:
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def first(pattern: str, path: Path) -> str:
    found = re.search(pattern, path.read_text(), re.MULTILINE) if path.exists() else None
    return found.group(1).strip() if found else "unknown"


def machine() -> str:
    """One line on where and when, with the load before: on a busy machine times mean little."""
    processor = first(r"^model name\s*:(.*)", Path("/proc/cpuinfo"))
    memory = int(first(r"^MemTotal:\s+(\d+)", Path("/proc/meminfo"))) / 1024**2
    helm = first(r"^helm_version: (.*)", ROOT / "roles" / "helm" / "defaults" / "main.yml")
    kubernetes = first(r"k8s.io/kubernetes v(\S+)", ROOT / "images" / "kubernetes" / "go.mod")
    return ", ".join(
        [
            f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
            f"{len(os.sched_getaffinity(0))} cores ({processor})",
            f"{memory:.0f} GiB",
            f"load {os.getloadavg()[0]:.1f}",
            first(r'^PRETTY_NAME="(.*)"', Path("/etc/os-release")),
            f"Linux {platform.release()}",
            f"Python {platform.python_version()}",
            f"ansible-core {metadata.version('ansible-core')}",
            f"Helm {helm}",
            f"Kubernetes {kubernetes}",
            output_of("go", "env", "GOVERSION"),
            f"commit {output_of('git', 'describe', '--always', '--dirty')}",
        ]
    )


def write(page: Path, order: Sequence[str], name: str, title: str, machine: str, figures: Sequence[Figure]) -> None:
    """Puts one benchmark's section in its place, and leaves the others as they were measured."""
    kept = page.read_text() if page.exists() else ""
    sections = dict(re.findall(r"^<!-- (\w+) -->\n(.*?)(?=^<!-- \w+ -->\n|\Z)", kept, re.MULTILINE | re.DOTALL))
    sections[name] = "\n".join(
        [
            f"## {title}",
            f"{machine}.",
            "",
            "| figure | goal | measured | | command | detail |",
            "|---|---|---|---|---|---|",
            *[figure.row() for figure in figures],
            "",
        ]
    )
    text = [f"\n<!-- {each} -->\n{sections[each].rstrip()}\n" for each in order if each in sections]
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(INTRODUCTION + "".join(text))
