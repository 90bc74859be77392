"""Random data sets in fragments, made by tasks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pycompss.api.api import compss_wait_on
from pycompss.api.task import task


def chunks(values: Sequence[Any], size: int, balanced: bool = False) -> Iterator[Sequence[Any]]:
    """Pieces of `size` values; balanced: what is left over goes to the first ones, one each."""
    rest = len(values) % size if balanced else 0
    start = 0
    while start < len(values):
        length = size + (rest > 0)
        yield values[start : start + length]
        start, rest = start + length, rest - (rest > 0)


@task(returns=list)
def _fragment(elements: int, dimensions: int, seed: int | None, distribution: str) -> list[list[float]]:
    source = random.Random(seed)  # noqa: S311 - data, not secrets
    draws: dict[str, Callable[[], float]] = {
        "random": source.random,
        "normal": lambda: source.gauss(0.0, 1.0),
        "uniform": lambda: source.uniform(-1.0, 1.0),
    }
    draw = draws[distribution]
    return [[draw() for _ in range(dimensions)] for _ in range(elements)]


def generator(
    size: tuple[int, int], num_frag: int, seed: int | None = None, distribution: str = "random", wait: bool = False
) -> list[Any]:
    """`size` is (elements, dimensions).

    `distribution`: random (0 to 1), normal (mean 0, deviation 1), uniform (-1 to 1).
    One future for each fragment, or with `wait` its values. The same seed gives the same data, those of COMPSs: with a
    seed each fragment has the same values.
    """
    if distribution not in ("random", "normal", "uniform"):
        raise ValueError(f"distribution is {distribution!r}, expected random, normal or uniform")
    elements = size[0] // num_frag
    fragments = [_fragment(elements, size[1], seed, distribution) for _ in range(num_frag)]
    return compss_wait_on(fragments) if wait else fragments


__all__ = ["chunks", "generator"]
