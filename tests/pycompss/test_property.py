"""Random programs of tasks over objects, arrays, collections and files give what sequential execution gives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pycompss.api.api import TaskGroup, compss_barrier, compss_wait_on, compss_wait_on_file
from pycompss.api.parameter import *  # noqa: F403
from pycompss.api.task import task
from pycompss_dask.runtime import Runtime
from support import plainly

import programs

# ruff: noqa: F405

LISTS, NUMBERS, FILES = 4, 4, 3


@task(target=INOUT, returns=1)
def take_first(target: list[int], source: list[int], number: int) -> int:
    target.append(sum(source) + number)
    return len(target) + number


@task(target=INOUT, path=FILE_IN)
def read_into(target: list[int], path: str) -> None:
    target.append(len(Path(path).read_text()))


@task(path=FILE_INOUT, values=COLLECTION_IN)
def log_values(path: str, values: list[list[int]]) -> None:
    with Path(path).open("a") as file:
        file.write(repr(values))


@task(values=COLLECTION_INOUT, returns=1)
def rotate(values: list[list[int]], number: int) -> int:
    for place, value in enumerate(values):
        value.append(number + place)
    return sum(map(len, values))


@task(source=FILE_IN, target=FILE_OUT)
def copy_file(source: str, target: str) -> None:
    Path(target).write_text(Path(source).read_text()[-100:] + "c")


@task(table=DICTIONARY_INOUT)
def change_table(table: dict[str, list[int]], number: int) -> None:
    for value in table.values():
        value.append(number)


a_list = st.integers(0, LISTS - 1)
a_number = st.integers(0, NUMBERS - 1)
a_file = st.integers(0, FILES - 1)
some_lists = st.lists(a_list, min_size=1, max_size=3, unique=True)
steps = st.one_of(
    st.tuples(st.just("append"), a_list, a_number),
    st.tuples(st.just("take"), a_list, a_list, a_number, a_number),
    st.tuples(st.just("length"), a_list, a_number),
    st.tuples(st.just("add"), a_number, a_number, a_number),
    st.tuples(st.just("rotate"), some_lists, a_number, a_number),
    st.tuples(st.just("table"), some_lists, a_number),
    st.tuples(st.just("fill"), a_list, st.integers(0, 4)),
    st.tuples(st.just("write"), a_file, st.text("ab", max_size=5)),
    st.tuples(st.just("extend"), a_file, st.text("ab", max_size=5)),
    st.tuples(st.just("copy"), a_file, a_file),
    st.tuples(st.just("read"), a_file, a_list),
    st.tuples(st.just("log"), a_file, some_lists),
    st.tuples(st.just("wait"), a_list),
    st.tuples(st.just("wait number"), a_number),
    st.tuples(st.just("barrier")),
    st.tuples(st.just("group"), a_list, a_number),
    st.tuples(st.just("halves"), a_list, a_list),
    st.tuples(st.just("home"), a_file),
)


def run(program: list[tuple[Any, ...]]) -> Any:
    """One program; in plain Python the calls happen at once."""
    lists: list[Any] = [[number] for number in range(LISTS)]
    numbers: list[Any] = list(range(NUMBERS))
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"f{number}") for number in range(FILES)]
        for file in files:
            Path(file).write_text("0")
        for step in program:
            match step:
                case "append", place, number:
                    programs.append(lists[place], numbers[number])
                case "take", target, source, number, into:
                    # The same object as both would be read and written at once.
                    if target != source:
                        numbers[into] = take_first(lists[target], lists[source], numbers[number])
                case "length", place, into:
                    numbers[into] = programs.length(lists[place])
                case "add", a, b, into:
                    numbers[into] = programs.add(numbers[a], numbers[b])
                case "rotate", places, number, into:
                    numbers[into] = rotate([lists[place] for place in places], numbers[number])
                case "table", places, number:
                    change_table({str(place): lists[place] for place in places}, numbers[number])
                case "fill", place, count:
                    lists[place] = []
                    programs.fill(lists[place], count)
                case "write", file, text:
                    programs.write(files[file], text)
                case "extend", file, text:
                    programs.extend(files[file], text)
                case "copy", source, target:
                    if source != target:
                        copy_file(files[source], files[target])
                case "read", file, place:
                    read_into(lists[place], files[file])
                case "log", file, places:
                    log_values(files[file], [lists[place] for place in places])
                case "wait", place:
                    lists[place] = compss_wait_on(lists[place])
                case "wait number", number:
                    numbers[number] = compss_wait_on(numbers[number])
                case ("barrier",):
                    compss_barrier()
                case "group", place, number:
                    with TaskGroup("property", implicit_barrier=bool(place % 2)):
                        programs.append(lists[place], numbers[number])
                case "halves", source, into:
                    first, _ = programs.halves(lists[source])
                    programs.append(lists[into], programs.length(first))
                case "home", file:
                    compss_wait_on_file(files[file])
                case _:
                    raise AssertionError(step)
        lists = compss_wait_on(lists)
        numbers = compss_wait_on(numbers)
        compss_wait_on_file(files)
        return lists, numbers, [Path(file).read_text() for file in files]


@pytest.mark.usefixtures("engine")
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=st.lists(steps, min_size=1, max_size=40))
def test_random_program(program: list[tuple[Any, ...]]) -> None:
    result = run(program)
    with plainly():
        assert result == run(program)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary()),
        lambda inner: st.one_of(
            st.lists(inner), st.tuples(inner, inner), st.dictionaries(st.text(), inner), st.sets(st.integers())
        ),
        max_leaves=20,
    )
)
def test_any_value_goes_and_comes_back(engine: Runtime, value: Any) -> None:
    answer = compss_wait_on(programs.same(value))
    assert answer == value
    assert type(answer) is type(value)
