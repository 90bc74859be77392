"""A genetic algorithm on islands: populations evolve by themselves, and now and then the best ones move on.

It minimises the Rastrigin function, whose smallest value is 0 at the origin. Every random number comes from
the seed, the island and the generation, so the result is the same however the tasks are scheduled.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from pycompss.api.api import compss_wait_on
from pycompss.api.parameter import COLLECTION_IN
from pycompss.api.task import task

RANGE = 5.12
SURVIVORS = 0.3


def cost(population: np.ndarray) -> np.ndarray:
    """Rastrigin's function of each row."""
    return np.asarray((population**2 - 10 * np.cos(2 * np.pi * population) + 10).sum(axis=1))


def ranked(population: np.ndarray) -> np.ndarray:
    return population[np.argsort(cost(population), kind="stable")]


def start_here(size: int, genes: int, seed: int, island: int) -> np.ndarray:
    return ranked(np.random.default_rng([seed, island]).uniform(-RANGE, RANGE, (size, genes)))


def evolve_here(population: np.ndarray, generations: int, seed: int, island: int, epoch: int) -> np.ndarray:
    random = np.random.default_rng([seed, island, epoch])
    size, genes = population.shape
    parents = max(2, int(size * SURVIVORS))
    for generation in range(generations):
        pairs = random.integers(0, parents, (size - parents, 2))
        mask = random.random((size - parents, genes)) < 0.5
        children = np.where(mask, population[pairs[:, 0]], population[pairs[:, 1]])
        # Steps get smaller as the search goes on.
        scale = RANGE * 0.3 * 0.9 ** (epoch * 10 + generation * 10 / generations)
        change = random.random(children.shape) < 1.5 / genes
        children = np.clip(children + change * random.normal(0, scale, children.shape), -RANGE, RANGE)
        population = ranked(np.vstack((population[:parents], children)))
    return population


def migrate_here(populations: list[np.ndarray], migrants: int) -> list[np.ndarray]:
    """The best of each island replace the worst of the next."""
    return [
        ranked(np.vstack((population[:-migrants], populations[place - 1][:migrants])))
        for place, population in enumerate(populations)
    ]


@task(returns=np.ndarray)
def start(size: int, genes: int, seed: int, island: int) -> np.ndarray:
    return start_here(size, genes, seed, island)


@task(returns=np.ndarray)
def evolve(population: np.ndarray, generations: int, seed: int, island: int, epoch: int) -> np.ndarray:
    return evolve_here(population, generations, seed, island, epoch)


@task(returns="islands", populations=COLLECTION_IN)
def migrate(populations: list[np.ndarray], migrants: int) -> list[np.ndarray]:
    return migrate_here(populations, migrants)


islands = 4


def main() -> int:
    global islands
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--islands", type=int, default=4)
    parser.add_argument("--population", type=int, default=100, help="individuals on each island")
    parser.add_argument("--genes", type=int, default=10, help="dimensions of the function")
    parser.add_argument("--epochs", type=int, default=8, help="times that islands exchange their best")
    parser.add_argument("--generations", type=int, default=25, help="generations in an epoch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    islands = options.islands
    if islands < 2 or options.population < 10:
        parser.error(f"--islands {islands} --population {options.population}: expected at least 2 and 10")
    migrants = max(1, options.population // 10)

    began = time.time()
    populations = [start(options.population, options.genes, options.seed, island) for island in range(islands)]
    for epoch in range(options.epochs):
        populations = [
            evolve(population, options.generations, options.seed, island, epoch)
            for island, population in enumerate(populations)
        ]
        populations = migrate(populations, migrants)
    final = compss_wait_on(populations)
    best = min(float(cost(population[:1])[0]) for population in final)
    count = options.epochs * options.generations
    print(f"genetic: best {best:.6f} after {count} generations in {time.time() - began:.3f} s")
    if options.check:
        same = [start_here(options.population, options.genes, options.seed, island) for island in range(islands)]
        first = min(float(cost(population[:1])[0]) for population in same)
        for epoch in range(options.epochs):
            same = [
                evolve_here(population, options.generations, options.seed, island, epoch)
                for island, population in enumerate(same)
            ]
            same = migrate_here(same, migrants)
        right = len(final) == len(same) and all(map(np.array_equal, final, same)) and best < first
        print(f"genetic: the result is {'right' if right else 'WRONG'}")
        return 0 if right else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
