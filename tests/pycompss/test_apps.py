"""The example applications give the right result on the engine and in plain Python, and notice a wrong one."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from support import APPS, ENVIRONMENT, runcompss

SMALL = {
    "matmul": ("--blocks", "3", "--size", "64"),
    "cholesky": ("--blocks", "4", "--size", "40"),
    "genetic": ("--islands", "3", "--population", "30", "--epochs", "3", "--generations", "5"),
    "kmeans": ("--points", "200", "--blocks", "4", "--iterations", "3"),
    "wordcount": ("--files", "4", "--words", "500"),
    "blocksort": ("--blocks", "3", "--ranges", "3", "--size", "500"),
    "pca": ("--points", "200", "--blocks", "3", "--dimensions", "4", "--components", "2"),
    "neighbours": ("--points", "100", "--blocks", "5", "--queries", "10", "--neighbours", "3"),
    "forest": ("--trees", "4", "--samples", "200", "--blocks", "2", "--tests", "1", "--depth", "3"),
    "stations": ("--stations", "2", "--days", "2"),
    "stream": ("--frames", "4", "--period", "0.01", "--iterations", "1000"),
    "independent": ("--tasks", "50", "--iterations", "1000"),
}


def load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"app_{name}", APPS / name / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", SMALL)
def test_on_the_engine(name: str, tmp_path: Path) -> None:
    options = (f"--log_dir={tmp_path}", "--local_workers=2", "--computing_units=1")
    ended = runcompss(*options, str(APPS / name / f"{name}.py"), *SMALL[name])
    assert ended.returncode == 0, ended.stderr
    assert "the result is right" in ended.stdout


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("name", ["kmeans", "wordcount", "blocksort", "pca", "neighbours", "forest", "stations"])
def test_on_fewer_and_more_workers(name: str, workers: int, tmp_path: Path) -> None:
    options = (f"--log_dir={tmp_path}", f"--local_workers={workers}", "--computing_units=1")
    ended = runcompss(*options, str(APPS / name / f"{name}.py"), *SMALL[name])
    assert ended.returncode == 0, ended.stderr
    assert "the result is right" in ended.stdout


@pytest.mark.parametrize("name", SMALL)
def test_in_plain_python(name: str) -> None:
    command = [sys.executable, str(APPS / name / f"{name}.py"), *SMALL[name]]
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "the result is right" in ended.stdout


@pytest.mark.parametrize("name", SMALL)
def test_bad_parameters_are_refused(name: str) -> None:
    first = SMALL[name][0]
    command = [sys.executable, str(APPS / name / f"{name}.py"), first, "-1"]
    ended = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "expected at least" in ended.stderr


def test_wrong_results_are_noticed() -> None:
    matmul = load("matmul")
    assert not matmul.correct([[np.zeros((4, 4))] * 2] * 2, 2, 4)
    cholesky = load("cholesky")
    assert not cholesky.correct([[np.eye(4)] * 2] * 2, 2, 4)
    assert not load("kmeans").correct(np.zeros((2, 2)), np.full((2, 2), 1e-6))
    assert not load("wordcount").correct({"edge": 10}, 1, 10)
    assert not load("blocksort").correct(np.sort(load("blocksort").numbers_here(10, 1)), 10, 1)
    assert not load("pca").correct(np.zeros((9, 2)), load("pca").points_here(9, 3, 0))
    neighbours = load("neighbours")
    beyond = neighbours.nearest_here(neighbours.points_here(4, 1, 0), neighbours.points_here(9, 0, 0), 3, 0)[:, 1:]
    assert not neighbours.correct(beyond, 9, 1, 4)
    assert not load("forest").correct(np.zeros((9, 3)), 2, 9, 1, 2)
    assert not load("stations").correct("200.0000 200\n", 1, 1)
    independent = load("independent")
    assert independent.expected(7, 12345) == independent.step.__wrapped__(7, 12345)
    assert independent.expected(7, 12345) != independent.expected(7, 12346)


def test_genetic_finds_the_minimum() -> None:
    genetic = load("genetic")
    populations = [genetic.start_here(100, 10, 1, island) for island in range(4)]
    for epoch in range(8):
        populations = [genetic.evolve_here(p, 25, 1, island, epoch) for island, p in enumerate(populations)]
        populations = genetic.migrate_here(populations, 10)
    assert min(genetic.cost(population)[0] for population in populations) < 0.01


def test_forest_tells_classes() -> None:
    forest = load("forest")
    samples = forest.samples_here(1000, 0)
    tests = forest.samples_here(500, 1)
    counted = sum(forest.votes_here(forest.tree_here(samples, 8, number), tests) for number in range(12))
    # One sample in twenty has a class that is drawn, right by chance every third time.
    assert (counted.argmax(axis=1) == forest.classes_of(tests)).mean() > 0.85
