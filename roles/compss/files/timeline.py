#!/usr/bin/env python3
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Draws a Paraver trace of COMPSs as a picture: one row for each computing unit, one bar for each task.

timeline.py <trace.prv> <timeline.svg>
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from html import escape
from pathlib import Path

TASK_EVENT = 8000000
WIDTH, LEFT, TOP, ROW = 1200, 220, 40, 22
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999")
Row = tuple[int, int, int]  # appl, task and thread: a node is an appl to COMPSs, and a task to engine dask
Bar = tuple[int, int, int]  # from, to, value


def read(text: str) -> tuple[int, dict[Row, list[Bar]]]:
    """The trace's length in nanoseconds, and the bars of each row."""
    header, *records = text.splitlines()
    length = re.match(r"#Paraver \(.*?\):(\d+)", header)
    if not length:
        raise ValueError(f"not a Paraver trace: it starts with {header[:60]!r}")
    bars: dict[Row, list[Bar]] = defaultdict(list)
    running: dict[Row, tuple[int, int]] = {}
    for record in records:
        kind, *fields = record.split(":")
        if kind != "2":
            continue
        _, appl, task, thread, moment, *pairs = map(int, fields)
        row = (appl, task, thread)
        for event, value in zip(pairs[::2], pairs[1::2], strict=True):
            if event != TASK_EVENT:
                continue
            if row in running:
                start, which = running.pop(row)
                bars[row].append((start, moment, which))
            if value:
                running[row] = (moment, value)
    return int(length[1]), bars


def names(text: str) -> dict[int, str]:
    """Names of the tasks by their value, from the .pcf file."""
    part = re.search(rf"EVENT_TYPE\n\d+\s+{TASK_EVENT}\s.*?\nVALUES\n(.*?)\n\s*\n", text, re.DOTALL)
    lines = part[1].splitlines() if part else []
    pairs = (line.strip().split(maxsplit=1) for line in lines)
    return {int(value): name.rpartition(".")[2] for value, name in pairs if value != "0"}


def rows(text: str) -> dict[Row, str]:
    """The workers of the rows, from the .row file; COMPSs names none there, it tells which rows are of one worker."""
    named = re.findall(r"^THREAD (\d+)\.(\d+)\.(\d+) \((.*)\)$", text, re.MULTILINE)
    by_thread = {(int(appl), int(task), int(thread)): name for appl, task, thread, name in named if int(task) > 1}
    executors = re.findall(r"^EXECUTOR \((\d+)\.(\d+)\.(\d+)\)$", text, re.MULTILINE)
    for appl, task, thread in executors:
        row = (int(appl), int(task), int(thread))
        by_thread[row] = worker(row)
    return by_thread


def worker(row: Row) -> str:
    """A name for the worker of a row; the first appl, or the first task, is the master."""
    appl, task, _ = row
    return f"worker {(appl if appl > 1 else task) - 1}"


def draw(length: int, bars: dict[Row, list[Bar]], tasks: dict[int, str], labels: dict[Row, str]) -> str:
    order = sorted({*bars, *labels})
    # Nothing happens while the workers start.
    begin = min((bar[0] for row in bars.values() for bar in row), default=0)
    end = max((bar[1] for row in bars.values() for bar in row), default=length)
    scale = (WIDTH - LEFT - 20) / max(end - begin, 1)
    height = TOP + ROW * len(order) + 60
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="20">{sum(map(len, bars.values()))} tasks in {(end - begin) / 1e9:.3f} s</text>',
    ]
    units: Counter[str] = Counter()
    for place, row in enumerate(order):
        y = TOP + place * ROW
        name = labels.get(row) or worker(row)
        units[name] += 1
        label = f"{name} [{units[name]}]"
        out.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
        out.append(f'<rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - 20}" height="{ROW - 4}" fill="#f4f4f4"/>')
        for start, stop, value in bars.get(row, ()):
            x, width = LEFT + (start - begin) * scale, max((stop - start) * scale, 0.5)
            title = f"{tasks.get(value, value)}: {(stop - start) / 1e6:.1f} ms"
            colour = COLOURS[(value - 1) % len(COLOURS)]
            out.append(
                f'<rect x="{x:.2f}" y="{y}" width="{width:.2f}" height="{ROW - 4}" fill="{colour}">'
                f"<title>{escape(title)}</title></rect>"
            )
    y = TOP + ROW * len(order) + 24
    for place, (value, name) in enumerate(sorted(tasks.items())):
        x = LEFT + place * 150
        out.append(f'<rect x="{x}" y="{y - 11}" width="12" height="12" fill="{COLOURS[(value - 1) % len(COLOURS)]}"/>')
        out.append(f'<text x="{x + 18}" y="{y}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    trace, picture = map(Path, arguments)
    beside = [trace.with_suffix(suffix) for suffix in (".pcf", ".row")]
    pcf, row = (path.read_text(encoding="utf-8") if path.exists() else "" for path in beside)
    try:
        length, bars = read(trace.read_text(encoding="utf-8"))
    except ValueError as error:
        print(f"{trace}: {error}", file=sys.stderr)
        return 1
    picture.write_text(draw(length, bars, names(pcf), rows(row)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
