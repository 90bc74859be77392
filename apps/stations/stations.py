"""Sums up the readings of stations, as a pipeline of files: a file is changed in place, sorted by a program, cut into
a folder with a file for each day, of which tasks make one report.

The report is compared with the means of the same readings taken without files.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path
from statistics import mean

from pycompss.api.api import compss_open
from pycompss.api.binary import binary
from pycompss.api.parameter import (
    COLLECTION_FILE_IN,
    DIRECTORY_IN,
    DIRECTORY_OUT,
    FILE_IN,
    FILE_IN_STDIN,
    FILE_INOUT,
    FILE_OUT,
    FILE_OUT_STDOUT,
)
from pycompss.api.task import task

MINUTES = 24 * 60
FAULT = -9999  # what a station writes where it could not measure


def readings_here(days: int, station: int) -> list[tuple[int, int]]:
    """Minute and value of each reading of a station, in the order in which they arrive."""
    source = random.Random(station)  # noqa: S311 - readings, not secrets
    readings = [
        (minute, FAULT if source.random() < 0.1 else source.randrange(150, 250)) for minute in range(days * MINUTES)
    ]
    source.shuffle(readings)
    return readings


@task(path=FILE_OUT)
def record(path: str, days: int, station: int) -> None:
    Path(path).write_text("".join(f"{minute} {value}\n" for minute, value in readings_here(days, station)))


@task(path=FILE_INOUT)
def clean(path: str) -> None:
    """Take out what could not be measured."""
    lines = Path(path).read_text().splitlines(keepends=True)
    Path(path).write_text("".join(line for line in lines if int(line.split()[1]) != FAULT))


@binary(binary="sort")
@task(unsorted=FILE_IN_STDIN, result=FILE_OUT_STDOUT)
def sort(how: str, unsorted: str, result: str) -> None:
    """The lines in the order of their numbers."""


@task(path=FILE_IN, folder=DIRECTORY_OUT)
def cut(path: str, folder: str) -> None:
    """Write a file for each day into the folder."""
    days: dict[int, list[str]] = {}
    for line in Path(path).read_text().splitlines(keepends=True):
        days.setdefault(int(line.split()[0]) // MINUTES, []).append(line)
    Path(folder).mkdir(exist_ok=True)
    for day, lines in days.items():
        (Path(folder) / f"day{day}.txt").write_text("".join(lines))


@task(folder=DIRECTORY_IN, summary=FILE_OUT)
def summarise(folder: str, days: int, summary: str) -> None:
    """Write each day's mean and the value that it began with."""
    lines = []
    for day in range(days):
        values = [int(line.split()[1]) for line in (Path(folder) / f"day{day}.txt").read_text().splitlines()]
        lines.append(f"{mean(values):.4f} {values[0]}\n")
    Path(summary).write_text("".join(lines))


@task(summaries=COLLECTION_FILE_IN, report=FILE_OUT)
def join(summaries: list[str], report: str) -> None:
    Path(report).write_text("".join(Path(summary).read_text() for summary in summaries))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stations", type=int, default=8)
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    if options.stations < 1 or options.days < 1:
        parser.error(f"--stations {options.stations} --days {options.days}: expected at least 1 of each")

    with tempfile.TemporaryDirectory() as place:
        summaries = []
        for station in range(options.stations):
            readings, in_order, days = (f"{place}/{kind}{station}" for kind in ("readings", "in_order", "days"))
            summary = f"{place}/summary{station}.txt"
            record(readings, options.days, station)
            clean(readings)
            sort("-n", readings, in_order)
            cut(in_order, days)
            summarise(days, options.days, summary)
            summaries.append(summary)
        report = f"{place}/report.txt"
        join(summaries, report)
        with compss_open(report) as file:
            text = file.read()
    print(f"stations: {len(text.splitlines())} days of {options.stations} stations")
    if not options.check:
        return 0
    right = correct(text, options.stations, options.days)
    print(f"stations: the result is {'right' if right else 'WRONG'}")
    return 0 if right else 1


def correct(report: str, stations: int, days: int) -> bool:
    """Whether the report has each day's mean and first value, station by station."""
    expected = []
    for station in range(stations):
        readings = sorted(reading for reading in readings_here(days, station) if reading[1] != FAULT)
        for day in range(days):
            values = [value for minute, value in readings if minute // MINUTES == day]
            expected.append(f"{mean(values):.4f} {values[0]}\n")
    return report == "".join(expected)


if __name__ == "__main__":
    sys.exit(main())
