"""Block matrix multiplication: C = A B, each of blocks x blocks blocks of size x size numbers."""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from pycompss.api.api import compss_barrier, compss_wait_on
from pycompss.api.parameter import INOUT
from pycompss.api.task import task


@task(returns=np.ndarray)
def generate(size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((size, size))


@task(c=INOUT)
def multiply(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    c += a @ b


def seed(matrix: int, row: int, column: int, blocks: int) -> int:
    return (matrix * blocks + row) * blocks + column


def correct(c: list[list[np.ndarray]], blocks: int, size: int) -> bool:
    """Multiply the same matrices here, without tasks."""
    a, b = (
        np.block(
            [
                [
                    np.random.default_rng(seed(matrix, row, column, blocks)).random((size, size))
                    for column in range(blocks)
                ]
                for row in range(blocks)
            ]
        )
        for matrix in (0, 1)
    )
    return bool(np.allclose(np.block(c), a @ b))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=4, help="blocks in each direction")
    parser.add_argument("--size", type=int, default=256, help="rows and columns of a block")
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    blocks, size = options.blocks, options.size
    if blocks < 1 or size < 1:
        parser.error(f"--blocks {blocks} --size {size}: expected at least 1 of each")

    began = time.time()
    a, b = (
        [[generate(size, seed(matrix, row, column, blocks)) for column in range(blocks)] for row in range(blocks)]
        for matrix in (0, 1)
    )
    c = [[np.zeros((size, size)) for _ in range(blocks)] for _ in range(blocks)]
    # Rows by columns in the innermost loop's order, so that all blocks of C advance together.
    for k in range(blocks):
        for i in range(blocks):
            for j in range(blocks):
                multiply(c[i][j], a[i][k], b[k][j])
    compss_barrier()
    print(f"matmul: {blocks}x{blocks} blocks of {size}x{size} in {time.time() - began:.3f} s")
    if options.check:
        right = correct(compss_wait_on(c), blocks, size)
        print(f"matmul: the result is {'right' if right else 'WRONG'}")
        return 0 if right else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
