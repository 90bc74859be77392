"""Counts words in files, as a pipeline: tasks write the files, tasks count each, and a task merges the counts.

The words are drawn by a known generator, so the counts are known, too.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from pycompss.api.api import compss_open
from pycompss.api.parameter import COLLECTION_IN, FILE_IN, FILE_OUT
from pycompss.api.task import task

WORDS = ("edge", "task", "worker", "graph", "data", "node", "fog", "cloud")


def words_here(count: int, seed: int) -> list[str]:
    """The words of one file."""
    source = random.Random(seed)  # noqa: S311 - text, not secrets
    return [source.choice(WORDS) for _ in range(count)]


@task(path=FILE_OUT)
def write(path: str, count: int, seed: int) -> None:
    Path(path).write_text(" ".join(words_here(count, seed)))


@task(path=FILE_IN, returns=dict)
def counted(path: str) -> dict[str, int]:
    return dict(Counter(Path(path).read_text().split()))


@task(counts=COLLECTION_IN, report=FILE_OUT)
def merge(counts: list[dict[str, int]], report: str) -> None:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    Path(report).write_text(json.dumps(total, sort_keys=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=16)
    parser.add_argument("--words", type=int, default=100_000, help="in each file")
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    if options.files < 1 or options.words < 1:
        parser.error(f"--files {options.files} --words {options.words}: expected at least 1 of each")

    with tempfile.TemporaryDirectory() as folder:
        paths = [f"{folder}/text{number}.txt" for number in range(options.files)]
        for number, path in enumerate(paths):
            write(path, options.words, number)
        report = f"{folder}/report.json"
        merge([counted(path) for path in paths], report)
        with compss_open(report) as file:
            total = json.load(file)
    print(f"wordcount: {sum(total.values())} words in {options.files} files")
    if not options.check:
        return 0
    right = correct(total, options.files, options.words)
    print(f"wordcount: the result is {'right' if right else 'WRONG'}")
    return 0 if right else 1


def correct(total: dict[str, int], files: int, words: int) -> bool:
    """Whether the counts are those of the words that were drawn."""
    return total == Counter(word for seed in range(files) for word in words_here(words, seed))


if __name__ == "__main__":
    sys.exit(main())
