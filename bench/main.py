#!/usr/bin/env python3
"""Measures this project on a cluster of its own, and writes docs/benchmarks.md.

Each figure is printed with its goal and the command that it is a figure of. The cluster stands beside the one of
`make up` (bench/cluster.yml), and is removed at the end, after Ctrl-C, too.
"""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parent))

import benchmarks
import report
from cluster import ROOT, Cluster, say

PAGE = ROOT / "docs" / "benchmarks.md"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench/run",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="benchmarks:\n" + "\n".join(f"  {name:<12}{each.title}" for name, each in benchmarks.ALL.items()),
    )
    default = [name for name, each in benchmarks.ALL.items() if not each.on_request]
    parser.add_argument("names", nargs="*", metavar="name", help=f"what to measure (default: {', '.join(default)})")
    parser.add_argument("--idle", type=float, default=600, help="seconds before the lean profile is read (default 600)")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions behind each median (default 3)")
    parser.add_argument("--keep", action="store_true", help="leave the cluster running, for the next run to use")
    parser.add_argument("--output", type=Path, default=PAGE, help="the page to write (default docs/benchmarks.md)")
    options = parser.parse_args()
    options.names = options.names or default
    if unknown := sorted({*options.names} - {*benchmarks.ALL}):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks.ALL)}")
    return options


def end(signum: int, _frame: FrameType | None) -> None:
    """Told to end, the way out is that of Ctrl-C: past everything that cleans up."""
    sys.exit(128 + signum)


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    missed = 0
    with Cluster(keep=options.keep) as cluster:
        for name, benchmark in benchmarks.ALL.items():
            if name not in options.names:
                continue
            say(f"{name}: {benchmark.title}")
            machine = report.machine()
            figures = benchmark.measure(cluster, options)
            for figure in figures:
                print(figure, flush=True)
            missed += sum(figure.met is False for figure in figures)
            # At once: what comes later may be interrupted.
            if figures:
                report.write(options.output, list(benchmarks.ALL), name, benchmark.title, machine, figures)
                say(f"written to {options.output}")
    if missed:
        say(f"{missed} goal{'s' if missed > 1 else ''} missed")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
