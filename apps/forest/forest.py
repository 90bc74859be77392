"""Random forest on samples in blocks: a task grows each tree from all blocks, tasks collect the trees' votes.

The votes are compared with those of the same trees grown and asked one after the other.
"""

from __future__ import annotations

import argparse
import sys
from typing import Tuple, Union

import numpy as np
from pycompss.api.api import compss_wait_on
from pycompss.api.parameter import COLLECTION_IN
from pycompss.api.task import task
from pycompss.functions.reduce import merge_reduce

SEED = 19
FEATURES = 6
CLASSES = 3
CANDIDATES = 12  # divisions that are tried for each node

#: The label of a leaf; of an inner node a feature, a threshold, and what is grown of the samples up to it and above.
Tree = Union[int, Tuple[int, float, "Tree", "Tree"]]


def samples_here(samples: int, block: int) -> np.ndarray:
    """Samples of one block: their features, and in the last column the class, one in twenty of which is wrong."""
    source = np.random.default_rng((SEED, block))
    features = source.normal(size=(samples, FEATURES))
    classes = (features[:, 0] + features[:, 1] > 0).astype(int) + (features[:, 2] > 0.5)
    wrong = source.random(samples) < 0.05
    return np.column_stack([features, np.where(wrong, source.integers(CLASSES, size=samples), classes)])


def classes_of(samples: np.ndarray) -> np.ndarray:
    return samples[:, -1].astype(int)


def impurity(samples: np.ndarray) -> float:
    """Gini's impurity, times the number of samples."""
    counts = np.bincount(classes_of(samples))
    return float(len(samples) - (counts**2).sum() / max(len(samples), 1))


def divided(samples: np.ndarray, feature: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    low = samples[:, feature] <= threshold
    return samples[low], samples[~low]


def grown_here(samples: np.ndarray, depth: int, source: np.random.Generator) -> Tree:
    """A tree; each node takes the best of some divisions that are drawn at random."""
    if depth == 0 or impurity(samples) == 0:
        return int(np.bincount(classes_of(samples)).argmax())
    features = source.integers(FEATURES, size=CANDIDATES)
    thresholds = samples[source.integers(len(samples), size=CANDIDATES), features]
    best = min(
        zip(features.tolist(), thresholds.tolist()),
        key=lambda division: sum(impurity(part) for part in divided(samples, *division)),
    )
    below, above = divided(samples, *best)
    if not len(above):
        return grown_here(samples, 0, source)
    return (*best, grown_here(below, depth - 1, source), grown_here(above, depth - 1, source))


def tree_here(samples: np.ndarray, depth: int, number: int) -> Tree:
    """The tree of that number, grown from as many samples drawn of all, some of them several times."""
    source = np.random.default_rng((SEED, number, 1))
    return grown_here(samples[source.integers(len(samples), size=len(samples))], depth, source)


def labels_here(tree: Tree, samples: np.ndarray) -> np.ndarray:
    """The class that the tree gives to each sample."""
    if isinstance(tree, int):
        return np.full(len(samples), tree)
    feature, threshold, below, above = tree
    low = samples[:, feature] <= threshold
    labels = np.empty(len(samples), int)
    labels[low] = labels_here(below, samples[low])
    labels[~low] = labels_here(above, samples[~low])
    return labels


def votes_here(tree: Tree, samples: np.ndarray) -> np.ndarray:
    """For each sample and class 1 where the tree is for it, else 0."""
    marks: np.ndarray = np.eye(CLASSES, dtype=int)[labels_here(tree, samples)]
    return marks


@task(returns=np.ndarray)
def generate(samples: int, block: int) -> np.ndarray:
    return samples_here(samples, block)


@task(blocks=COLLECTION_IN, returns=1)
def grown(blocks: list[np.ndarray], depth: int, number: int) -> Tree:
    return tree_here(np.vstack(blocks), depth, number)


@task(returns=np.ndarray)
def votes(tree: Tree, samples: np.ndarray) -> np.ndarray:
    return votes_here(tree, samples)


@task(returns=np.ndarray)
def added(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    total: np.ndarray = first + second
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=16)
    parser.add_argument("--samples", type=int, default=2000, help="in each block")
    parser.add_argument("--blocks", type=int, default=8, help="from which trees are grown")
    parser.add_argument("--tests", type=int, default=2, help="further blocks, whose classes the forest tells")
    parser.add_argument("--depth", type=int, default=8, help="of the trees")
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    if min(options.trees, options.samples, options.blocks, options.tests, options.depth) < 1:
        parser.error("--trees, --samples, --blocks, --tests, --depth: expected at least 1 of each")

    blocks = [generate(options.samples, block) for block in range(options.blocks)]
    tests = [generate(options.samples, options.blocks + test) for test in range(options.tests)]
    trees = [grown(blocks, options.depth, number) for number in range(options.trees)]
    counts = [merge_reduce(added, [votes(tree, block) for tree in trees]) for block in tests]
    counted, classes = np.vstack(compss_wait_on(counts)), classes_of(np.vstack(compss_wait_on(tests)))
    share = (counted.argmax(axis=1) == classes).mean()
    print(f"forest: {options.trees} trees tell {100 * share:.1f} % of {len(classes)} classes as they are")
    if not options.check:
        return 0
    right = correct(counted, options.trees, options.samples, options.blocks, options.depth)
    print(f"forest: the result is {'right' if right else 'WRONG'}")
    return 0 if right else 1


def correct(counted: np.ndarray, trees: int, samples: int, blocks: int, depth: int) -> bool:
    """Whether these are the trees' votes for the blocks that come after those of which they are grown."""
    everything = np.vstack([samples_here(samples, block) for block in range(blocks)])
    tests = np.vstack([samples_here(samples, blocks + test) for test in range(len(counted) // samples)])
    expected = sum(votes_here(tree_here(everything, depth, number), tests) for number in range(trees))
    return bool(np.array_equal(counted, expected))


if __name__ == "__main__":
    sys.exit(main())
