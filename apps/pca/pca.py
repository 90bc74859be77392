"""Principal components of points in blocks: a tree of tasks adds the blocks' moments, tasks project each block.

The projections are compared with those of a singular value decomposition of all points in one piece.
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task
from pycompss.functions.reduce import merge_reduce

SEED = 13


def points_here(points: int, dimensions: int, block: int) -> np.ndarray:
    """Points of one block, spread around a centre along directions that are the same for all blocks."""
    directions, _ = np.linalg.qr(np.random.default_rng(SEED).normal(size=(dimensions, dimensions)))
    spread = 2.0 ** -np.arange(dimensions)
    placed: np.ndarray = 5 + np.random.default_rng((SEED, block)).normal(0, spread, (points, dimensions)) @ directions
    return placed


def signed(axes: np.ndarray) -> np.ndarray:
    """The axes, one a column, each turned so that its largest coordinate is positive."""
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
    turned: np.ndarray = axes * np.sign(largest)
    return turned


@task(returns=np.ndarray)
def generate(points: int, dimensions: int, block: int) -> np.ndarray:
    return points_here(points, dimensions, block)


@task(returns=np.ndarray)
def moments(points: np.ndarray) -> np.ndarray:
    """Sums of the products of all coordinates; in the last row and column the sums, in the corner the number."""
    extended = np.hstack([points, np.ones((len(points), 1))])
    products: np.ndarray = extended.T @ extended
    return products


@task(returns=np.ndarray)
def added(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    total: np.ndarray = first + second
    return total


@task(returns=2)
def principal(total: np.ndarray, components: int) -> tuple[np.ndarray, np.ndarray]:
    """The centre of all points, and the axes along which they are spread most, one a column."""
    centre = total[-1, :-1] / total[-1, -1]
    covariance = total[:-1, :-1] / total[-1, -1] - np.outer(centre, centre)
    _, axes = np.linalg.eigh(covariance)
    return centre, signed(axes[:, ::-1][:, :components])


@task(returns=np.ndarray)
def projected(points: np.ndarray, centre: np.ndarray, axes: np.ndarray) -> np.ndarray:
    projections: np.ndarray = (points - centre) @ axes
    return projections


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20_000, help="in each block")
    parser.add_argument("--blocks", type=int, default=8)
    parser.add_argument("--dimensions", type=int, default=8)
    parser.add_argument("--components", type=int, default=3)
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    if min(options.points, options.blocks, options.dimensions, options.components) < 1:
        parser.error("--points, --blocks, --dimensions, --components: expected at least 1 of each")
    if options.components > options.dimensions:
        parser.error(f"--components {options.components}: expected at most --dimensions {options.dimensions}")

    blocks = [generate(options.points, options.dimensions, block) for block in range(options.blocks)]
    centre, axes = principal(merge_reduce(added, [moments(block) for block in blocks]), options.components)
    projections = compss_wait_on([projected(block, centre, axes) for block in blocks])
    variances = ", ".join(f"{variance:.4f}" for variance in np.vstack(projections).var(axis=0))
    print(f"pca: {options.blocks} blocks of {options.points} points; variances along the axes: {variances}")
    if not options.check:
        return 0
    everything = np.vstack([points_here(options.points, options.dimensions, block) for block in range(options.blocks)])
    right = correct(np.vstack(projections), everything)
    print(f"pca: the result is {'right' if right else 'WRONG'}")
    return 0 if right else 1


def correct(projections: np.ndarray, points: np.ndarray) -> bool:
    """Whether these are the points' projections on their first principal axes."""
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ signed(axes[: projections.shape[1]].T)
    return bool(np.allclose(projections, expected, rtol=1e-7, atol=1e-7))


if __name__ == "__main__":
    sys.exit(main())
