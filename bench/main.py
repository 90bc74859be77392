"""Measures this project on a cluster of its own, and writes docs/benchmarks.md and docs/benchmarks.json.

Each figure is printed with its goal and the command that it is a figure of. The cluster stands beside the one of
`make up` (bench/cluster.yml), and is removed at the end, after Ctrl-C, too. Each round waits a while until
the load of the one before is gone.
"""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
from pathlib import Path
from types import FrameType

import benchmarks
import report
from cluster import Cluster, say


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
    parser.add_argument("--rounds", type=int, help="rounds of each benchmark (default 3, or 1 where one takes minutes)")
    parser.add_argument(
        "--append", action="store_true", help="add the rounds to those of the last run of the benchmark"
    )
    parser.add_argument(
        "--page", action="store_true", help="measure nothing: write the page of the rounds that are kept"
    )
    parser.add_argument(
        "--settle", type=float, default=180, help="seconds that a round waits until the load is gone (default 180)"
    )
    parser.add_argument("--keep", action="store_true", help="leave the cluster running, for the next run to use")
    parser.add_argument(
        "--output", type=Path, default=report.PAGE, help="the page to write (default docs/benchmarks.md)"
    )
    options = parser.parse_args()
    options.names = options.names or default
    if unknown := sorted({*options.names} - {*benchmarks.ALL}):
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(benchmarks.ALL)}")
    if options.rounds is not None and options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}, and at least 1 is needed")
    return options


def end(signum: int, _frame: FrameType | None) -> None:
    """A program that is told to end leaves as after Ctrl-C: past everything that cleans up."""
    sys.exit(128 + signum)


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    page = report.Report({name: each.title for name, each in benchmarks.ALL.items()}, options.output)
    if options.page:
        page.write()
        return 0
    chosen = {name: each for name, each in benchmarks.ALL.items() if name in options.names}
    # What cannot be appended is refused before anything is measured.
    series = {name: page.next_series(name, options.append) for name in chosen}
    with Cluster(keep=options.keep) as cluster:
        for name, benchmark in chosen.items():
            for number in range(options.rounds or benchmark.rounds):
                report.settle(options.settle)
                say(f"{name}: {benchmark.title}, round {number + 1}")
                begun = dataclasses.replace(report.Round.begin(), series=series[name])
                figures = benchmark.measure(cluster, options)
                print(*figures, sep="\n", flush=True)
                page.add(name, dataclasses.replace(begun, figures=figures))
    for row in (row for name in chosen for row in report.rows(page.series(name))):
        if row.verdict in ("missed", "measure again"):
            say(f"{row.verdict}: {row.kind.figure}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
