"""Clusters points by k-means: tasks sum the points of their block next to each centre, a tree of tasks adds the sums.

The points lie around known centres; the result is compared with the same steps taken in one piece.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task
from pycompss.functions.reduce import merge_reduce

SEED = 7


def points_here(points: int, dimensions: int, clusters: int, block: int) -> np.ndarray:
    """Points of one block, around centres that are the same for all blocks."""
    middles = np.random.default_rng(SEED).uniform(-10, 10, (clusters, dimensions))
    source = np.random.default_rng((SEED, block))
    return middles[source.integers(clusters, size=points)] + source.normal(0, 0.5, (points, dimensions))


def sums_here(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """For each centre the sum of the points next to it, and in the last column their number."""
    nearest = ((points[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2).argmin(axis=1)
    sums = np.zeros((len(centres), points.shape[1] + 1))
    np.add.at(sums, nearest, np.hstack([points, np.ones((len(points), 1))]))
    return sums


def moved(centres: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """The centres in the middle of their points; one without points stays."""
    counts = sums[:, -1:]
    return np.where(counts > 0, sums[:, :-1] / np.maximum(counts, 1), centres)


@task(returns=np.ndarray)
def generate(points: int, dimensions: int, clusters: int, block: int) -> np.ndarray:
    return points_here(points, dimensions, clusters, block)


@task(returns=np.ndarray)
def partial_sums(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return sums_here(points, centres)


@task(returns=np.ndarray)
def added(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    total: np.ndarray = first + second
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20_000, help="in each block")
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--clusters", type=int, default=5)
    parser.add_argument("--dimensions", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=10)
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    size = (options.points, options.dimensions, options.clusters)
    if min(*size, options.blocks, options.iterations) < 1:
        parser.error("--points, --blocks, --clusters, --dimensions, --iterations: expected at least 1 of each")

    first = np.random.default_rng((SEED, 1, 2)).uniform(-10, 10, (options.clusters, options.dimensions))
    blocks = [generate(*size, block) for block in range(options.blocks)]
    centres = first
    for _ in range(options.iterations):
        sums = merge_reduce(added, [partial_sums(block, centres) for block in blocks])
        centres = moved(centres, compss_wait_on(sums))
    print(f"kmeans: {options.blocks} blocks of {options.points} points, {options.iterations} iterations")
    if not options.check:
        return 0
    everything = np.vstack([points_here(*size, block) for block in range(options.blocks)])
    expected = first
    for _ in range(options.iterations):
        expected = moved(expected, sums_here(everything, expected))
    right = correct(centres, expected)
    print(f"kmeans: the result is {'right' if right else 'WRONG'}")
    return 0 if right else 1


def correct(centres: np.ndarray, expected: np.ndarray) -> bool:
    """Whether the centres are those of the computation in one piece, but for the order of additions."""
    return bool(np.allclose(centres, expected, rtol=1e-9, atol=1e-9))


if __name__ == "__main__":
    sys.exit(main())
