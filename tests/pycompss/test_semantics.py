"""Every program gives in parallel what it gives in plain Python."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pycompss.api.api import compss_wait_on
from pycompss.functions.data import generator
from pycompss_dask import graph, wire
from pycompss_dask.runtime import Runtime
from support import plainly

import programs

stored = wire.Pickled.stored


@pytest.mark.parametrize("name", sorted(programs.CASES))
def test_program(engine: Runtime, name: str) -> None:
    function = programs.CASES[name]
    before = len(engine.results.tasks)
    result = function()
    # It ran as tasks, not by itself.
    assert len(engine.results.tasks) > before or name in ("case_wait_on_plain", "case_wait_on_empty")
    with plainly():
        assert result == function()
    if name in programs.EXPECTED:
        assert result == programs.EXPECTED[name]


@pytest.mark.parametrize("name", sorted(programs.VALUES))
@pytest.mark.parametrize("by_name", [False, True], ids=["positional", "by name"])
def test_value_goes_and_comes_back(engine: Runtime, name: str, by_name: bool) -> None:
    value = programs.VALUES[name]
    answer = compss_wait_on(programs.keyword_only(value=value) if by_name else programs.same(value))
    assert answer == value
    assert type(answer) is type(value)


@pytest.mark.parametrize("kind", ["float64", "int8", "complex128", "bool", "U5", "O", "M8[s]"])
@pytest.mark.parametrize("size", [0, 3, 5000])
def test_array_goes_and_comes_back(engine: Runtime, kind: str, size: int) -> None:
    value = np.ones(size).astype(kind) if kind != "M8[s]" else np.zeros(size, dtype=kind)
    for given in (value, value[::2], np.asfortranarray(value.reshape(1, -1))):
        answer = compss_wait_on(programs.same(given))
        assert answer.dtype == given.dtype
        assert (answer == given).all()
        assert answer.flags.writeable


@pytest.mark.parametrize("kind", ["array", "list", "object", "file"])
def test_unchanged_value_is_copied_and_sent_once(
    engine: Runtime, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "CACHED_BYTES", 100_000)  # one value alone may be larger
    copies = []
    monkeypatch.setattr(wire.Pickled, "stored", lambda given: copies.append(given.nbytes) or stored(given))
    if kind == "file":
        path = tmp_path / "large"
        path.write_text("x" * 200_000)
        assert compss_wait_on([programs.read(str(path)) for _ in range(3)]) == ["x" * 200_000] * 3
    else:
        array = np.zeros(25_000)
        value = {"array": array, "list": array.tolist(), "object": {"a": array, "b": ["text"]}}[kind]
        changing = value["a"] if isinstance(value, dict) else value
        answers = [programs.same(value) for _ in range(3)]
        assert len([size for size in copies if size > 100_000]) == 1
        # What the main program changes in place is seen by the calls that follow.
        changing[24_999] = 1.0
        answers.append(programs.same(value))
        values = [each["a"] if isinstance(each, dict) else each for each in compss_wait_on(answers)]
        assert [each[24_999] for each in values] == [0.0, 0.0, 0.0, 1.0]
    assert len([size for size in copies if size > 100_000]) == (1 if kind == "file" else 2)


@pytest.mark.parametrize(
    ("distribution", "draw"),
    [
        ("random", lambda source: source.random()),
        ("normal", lambda source: source.gauss(0.0, 1.0)),
        ("uniform", lambda source: source.uniform(-1.0, 1.0)),
    ],
)
def test_generator_gives_the_data_of_its_seed(
    engine: Runtime, distribution: str, draw: Callable[[random.Random], float]
) -> None:
    source = random.Random(10)  # noqa: S311 - data, not secrets
    fragment = [[draw(source) for _ in range(3)] for _ in range(2)]
    assert generator((4, 3), 2, 10, distribution, True) == [fragment, fragment]
