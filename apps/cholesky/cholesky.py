"""Block Cholesky factorisation of a symmetric positive definite matrix: A = L L^T."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from pycompss.api.api import compss_barrier, compss_wait_on
from pycompss.api.parameter import INOUT
from pycompss.api.task import task


def numbers(row: int, column: int, blocks: int, size: int) -> np.ndarray:
    """Block (row, column) of the matrix; its strong diagonal makes it positive definite."""
    values = np.random.default_rng(row * blocks + column).random((size, size))
    if row == column:
        return (values + values.T) / 2 + 2 * blocks * size * np.eye(size)
    return values


@task(returns=np.ndarray)
def generate(row: int, column: int, blocks: int, size: int) -> np.ndarray:
    return numbers(row, column, blocks, size)


@task(diagonal=INOUT, priority=True)
def factorise(diagonal: np.ndarray) -> None:
    diagonal[:] = np.linalg.cholesky(diagonal)


@task(panel=INOUT)
def solve(diagonal: np.ndarray, panel: np.ndarray) -> None:
    """The panel X with X L^T = panel."""
    panel[:] = np.linalg.solve(diagonal, panel.T).T


@task(target=INOUT)
def update(left: np.ndarray, right: np.ndarray, target: np.ndarray) -> None:
    target -= left @ right.T


def correct(lower: list[list[np.ndarray]], blocks: int, size: int) -> bool:
    zero = np.zeros((size, size))
    whole = np.block([[lower[i][j] if j <= i else zero for j in range(blocks)] for i in range(blocks)])
    matrix = np.block(
        [
            [numbers(i, j, blocks, size) if j <= i else numbers(j, i, blocks, size).T for j in range(blocks)]
            for i in range(blocks)
        ]
    )
    return bool(np.allclose(whole @ whole.T, matrix) and np.allclose(whole, np.tril(whole)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=5, help="blocks in each direction")
    parser.add_argument("--size", type=int, default=200, help="rows and columns of a block")
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    blocks, size = options.blocks, options.size
    if blocks < 1 or size < 1:
        parser.error(f"--blocks {blocks} --size {size}: expected at least 1 of each")

    began = time.time()
    a = [[generate(i, j, blocks, size) for j in range(i + 1)] for i in range(blocks)]
    for k in range(blocks):
        factorise(a[k][k])
        for i in range(k + 1, blocks):
            solve(a[k][k], a[i][k])
        for i in range(k + 1, blocks):
            for j in range(k + 1, i + 1):
                update(a[i][k], a[j][k], a[i][j])
    compss_barrier()
    print(f"cholesky: {blocks}x{blocks} blocks of {size}x{size} in {time.time() - began:.3f} s")
    if options.check:
        right = correct(compss_wait_on(a), blocks, size)
        print(f"cholesky: the result is {'right' if right else 'WRONG'}")
        return 0 if right else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
