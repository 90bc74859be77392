"""Sorts numbers in blocks: tasks cut each block into ranges, one task for each range puts its parts together and sorts.

The ranges are lists of futures in a list: COLLECTION_OUT fills them, COLLECTION_IN reads one of each block.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from pycompss.api.api import compss_wait_on
from pycompss.api.parameter import COLLECTION_IN, COLLECTION_OUT
from pycompss.api.task import task

SEED = 11


def numbers_here(size: int, block: int) -> np.ndarray:
    """The numbers of one block, from 0 to 1."""
    return np.random.default_rng((SEED, block)).random(size)


@task(parts=COLLECTION_OUT)
def cut(parts: list[list[float]], size: int, block: int) -> None:
    numbers = numbers_here(size, block)
    place = np.minimum((numbers * len(parts)).astype(int), len(parts) - 1)
    for number in range(len(parts)):
        parts[number] = numbers[place == number].tolist()


@task(parts=COLLECTION_IN, returns=np.ndarray)
def merge(parts: list[list[float]]) -> np.ndarray:
    return np.sort(np.concatenate([np.asarray(part) for part in parts]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--ranges", type=int, default=4)
    parser.add_argument("--size", type=int, default=100_000, help="numbers in each block")
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    if min(options.blocks, options.ranges, options.size) < 1:
        parser.error("--blocks, --ranges, --size: expected at least 1 of each")

    table: list[list[list[float]]] = [[[] for _ in range(options.ranges)] for _ in range(options.blocks)]
    for block, parts in enumerate(table):
        cut(parts, options.size, block)
    ranges = compss_wait_on([merge([parts[number] for parts in table]) for number in range(options.ranges)])
    print(f"blocksort: {options.blocks * options.size} numbers in {options.ranges} ranges")
    if not options.check:
        return 0
    right = correct(np.concatenate(ranges), options.size, options.blocks)
    print(f"blocksort: the result is {'right' if right else 'WRONG'}")
    return 0 if right else 1


def correct(numbers: np.ndarray, size: int, blocks: int) -> bool:
    """Whether these are all numbers in order."""
    return bool(
        np.array_equal(numbers, np.sort(np.concatenate([numbers_here(size, block) for block in range(blocks)])))
    )


if __name__ == "__main__":
    sys.exit(main())
