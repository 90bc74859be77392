"""Nearest neighbours among points in blocks: a task for each pair of blocks, a reduction for each block of queries.

The neighbours are compared with those among all points in one piece.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from pycompss.api.api import compss_wait_on
from pycompss.api.parameter import COLLECTION_IN
from pycompss.api.reduction import reduction
from pycompss.api.task import task

SEED = 17
DIMENSIONS = 3


def points_here(points: int, kind: int, block: int) -> np.ndarray:
    """One block of the points (kind 0) or of the queries (kind 1)."""
    return np.random.default_rng((SEED, kind, block)).random((points, DIMENSIONS))


def nearest_here(queries: np.ndarray, points: np.ndarray, neighbours: int, first: int) -> np.ndarray:
    """For each query its nearest points, the nearest first: squared distance and number, counted from `first`."""
    distances = ((queries[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
    order = distances.argsort(axis=1, kind="stable")[:, :neighbours]
    return np.stack([np.take_along_axis(distances, order, axis=1), order + first], axis=2)


@task(returns=np.ndarray)
def generate(points: int, kind: int, block: int) -> np.ndarray:
    return points_here(points, kind, block)


@task(returns=np.ndarray)
def nearest(queries: np.ndarray, points: np.ndarray, neighbours: int, first: int) -> np.ndarray:
    return nearest_here(queries, points, neighbours, first)


@reduction(chunk_size="4")
@task(parts=COLLECTION_IN, returns=np.ndarray)
def closest(parts: list[np.ndarray]) -> np.ndarray:
    """Of what was near in each block, what is nearest of all; each part has as many neighbours as are wanted."""
    together = np.concatenate(parts, axis=1)
    order = together[..., :1].argsort(axis=1, kind="stable")[:, : parts[0].shape[1]]
    return np.take_along_axis(together, order, axis=1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=2000, help="in each block")
    parser.add_argument("--blocks", type=int, default=8, help="of points")
    parser.add_argument("--queries", type=int, default=200, help="in each block; of these there are half as many")
    parser.add_argument("--neighbours", type=int, default=5)
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    points, blocks, queries, neighbours = options.points, options.blocks, options.queries, options.neighbours
    if min(points, blocks, queries, neighbours) < 1:
        parser.error("--points, --blocks, --queries, --neighbours: expected at least 1 of each")
    if neighbours > points:
        parser.error(f"--neighbours {neighbours}: expected at most --points {points}")

    pieces = [generate(points, 0, block) for block in range(blocks)]
    asked = [generate(queries, 1, block) for block in range((blocks + 1) // 2)]
    results = compss_wait_on(
        [
            closest([nearest(block, piece, neighbours, number * points) for number, piece in enumerate(pieces)])
            for block in asked
        ]
    )
    print(f"neighbours: {neighbours} of {blocks * points} points for each of {len(asked) * queries} queries")
    if not options.check:
        return 0
    right = correct(np.concatenate(results), points, blocks, queries)
    print(f"neighbours: the result is {'right' if right else 'WRONG'}")
    return 0 if right else 1


def correct(results: np.ndarray, points: int, blocks: int, queries: int) -> bool:
    """Whether these are the nearest of all points for all queries."""
    everything = np.vstack([points_here(points, 0, block) for block in range(blocks)])
    expected = [
        nearest_here(points_here(queries, 1, block), everything, results.shape[1], 0)
        for block in range((blocks + 1) // 2)
    ]
    return bool(np.array_equal(results, np.concatenate(expected)))


if __name__ == "__main__":
    sys.exit(main())
