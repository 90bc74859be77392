"""The tasks of the benchmarks, in a module that workers import."""

from __future__ import annotations

import numpy as np

from pycompss.api.parameter import INOUT
from pycompss.api.task import task


def nothing(number: int) -> None:
    """An empty task of bare Dask."""


@task()
def empty(number: int) -> None:
    """An empty PyCOMPSs task."""


def random_block(size: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((size, size))


def add_product(c: np.ndarray | None, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a @ b if c is None else c + a @ b


@task(returns=np.ndarray)
def generate(size: int, seed: int) -> np.ndarray:
    return random_block(size, seed)


@task(returns=np.ndarray)
def first_product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return a @ b


@task(c=INOUT)
def multiply(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    c += a @ b
