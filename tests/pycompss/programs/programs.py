"""Small PyCOMPSs programs, each of which gives the same in parallel as in plain Python.

Each function named `case_…` is one program; what it returns is its result. EXPECTED holds the results that
say more when written down.
"""

from __future__ import annotations

import operator
import os
import tempfile
from collections import OrderedDict, defaultdict, deque, namedtuple
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from pycompss.api.api import (
    TaskGroup,
    compss_barrier,
    compss_barrier_group,
    compss_delete_file,
    compss_delete_object,
    compss_file_exists,
    compss_open,
    compss_wait_on,
    compss_wait_on_directory,
    compss_wait_on_file,
)
from pycompss.api.constraint import constraint
from pycompss.api.implement import implement
from pycompss.api.IO import IO
from pycompss.api.local import local
from pycompss.api.on_failure import on_failure
from pycompss.api.parameter import *  # noqa: F403
from pycompss.api.reduction import reduction
from pycompss.api.task import task
from pycompss.functions.map import map as map_tasks
from pycompss.functions.reduce import merge_n_reduce, merge_reduce, simple_reduce

# ruff: noqa: F405

EXPECTED: dict[str, Any] = {}


def expect(value: Any) -> Any:
    def note(function: Any) -> Any:
        EXPECTED[function.__name__] = value
        return function

    return note


# Returns


@task(returns=1)
def increment(value):
    return value + 1


@task(returns=int)
def add(a, b):
    return a + b


@task(returns=2)
def halves(values):
    middle = len(values) // 2
    return values[:middle], values[middle:]


@task(returns="3")
def three(value):
    return value, value + 1, value + 2


COUNT = 4


@task(returns="COUNT")
def counted(value):
    return [value] * COUNT


@task(returns=(int, str))
def typed(value):
    return value, str(value)


@task(returns=[list, dict])
def typed_list(value):
    return [value], {"value": value}


@task(returns="value_of(count)")
def as_many(count):
    return list(range(count))


@task()
def undeclared(value):
    return value * 2


@task()
def undeclared_pair(value):
    return value, -value


@task()
def hinted(value) -> int:
    return value + 100


@task()
def hinted_pair(value) -> (int, str):
    return value, str(value)


@task()
def nothing(value):
    value.append(1)


@task(returns=1)
def none_returned(value):
    return None


@task(returns=3)
def generated(start):
    for number in range(3):
        yield start + number


@task(returns=dict)
def as_dictionary(key, value):
    return {key: value}


@task(returns=np.ndarray)
def zeros(size):
    return np.zeros(size)


@task(returns=list)
def listed(*values):
    return list(values)


@expect(2)
def case_return_one():
    return compss_wait_on(increment(1))


@expect(5)
def case_return_type():
    return compss_wait_on(add(2, 3))


@expect(([1, 2], [3, 4]))
def case_return_two():
    first, second = halves([1, 2, 3, 4])
    return compss_wait_on(first), compss_wait_on(second)


def case_return_two_as_list():
    return list(compss_wait_on(halves([1, 2, 3, 4])))


def case_return_text_number():
    return list(compss_wait_on(three(1)))


def case_return_global():
    values = counted(9)
    assert len(values) == 4
    return list(compss_wait_on(values))


def case_return_tuple_of_types():
    number, text = typed(7)
    return compss_wait_on(number), compss_wait_on(text)


def case_return_list_of_types():
    return list(compss_wait_on(typed_list(7)))


def case_return_value_of():
    return list(compss_wait_on(as_many(5)))


def case_return_in_call():
    values = counted(3, returns=4)
    return list(compss_wait_on(values))


@expect(8)
def case_return_found_in_code():
    return compss_wait_on(undeclared(4))


def case_return_pair_found_in_code():
    first, second = undeclared_pair(4)
    return compss_wait_on(first), compss_wait_on(second)


def case_return_hint():
    return compss_wait_on(hinted(1))


def case_return_hint_pair():
    first, second = hinted_pair(4)
    return compss_wait_on(first), compss_wait_on(second)


@expect(None)
def case_return_nothing():
    return nothing([])


@expect(None)
def case_return_none():
    return compss_wait_on(none_returned(1))


def case_return_generator():
    first, second, third = generated(5)
    return compss_wait_on(first, second, third)


def case_return_dictionary():
    return compss_wait_on(as_dictionary("a", 1))


def case_return_array():
    return compss_wait_on(zeros(10)).tolist()


def case_return_large_array():
    array = compss_wait_on(zeros(100_000))
    array[0] = 5.0  # what the main program gets is its own, and writable
    return array.sum()


def case_return_of_return():
    return compss_wait_on(increment(increment(increment(0))))


def case_returned_part_as_argument():
    first, second = halves(list(range(10)))
    return compss_wait_on(listed(second, first))


# Kinds of values

VALUES: dict[str, Any] = {
    "zero": 0,
    "negative": -5,
    "large_integer": 2**100,
    "float": 1.5,
    "infinity": float("inf"),
    "complex": 1 + 2j,
    "true": True,
    "none": None,
    "text": "text",
    "empty_text": "",
    "unicode": "ñ€😀",
    "long_text": "x" * 50_000,
    "quotes": "a 'b' \"c\" $HOME `d`\n",
    "bytes": b"\x00\xff",
    "long_bytes": b"b" * 50_000,
    "list": [1, [2, [3]]],
    "empty_list": [],
    "tuple": (1, "a"),
    "set": {1, 2},
    "frozenset": frozenset({3}),
    "dictionary": {"a": [1], 2: None},
    "empty_dictionary": {},
    "range": range(5),
    "bytearray": bytearray(b"abc"),
    "array": np.arange(6).reshape(2, 3).tolist(),
    "path": Path("/tmp/x"),
}


@task(returns=1)
def same(value):
    return value


@task(returns=1)
def keyword_only(*, value):
    return value


# Arguments


@task(returns=1)
def defaults(a, b=2, c="c"):
    return [a, b, c]


@task(returns=1)
def variadic(first, *rest):
    return [first, *rest]


@task(returns=1)
def keywords(**named):
    return dict(sorted(named.items()))


@task(returns=1)
def everything(a, *rest, b=1, **named):
    return [a, list(rest), b, dict(sorted(named.items()))]


@task(returns=1, varargs_type=IN)
def summed(*values):
    return sum(values)


@task(varargs_type=INOUT)
def append_to_all(*lists):
    for entry in lists:
        entry.append(len(entry))


@expect([1, 2, "c"])
def case_defaults():
    return compss_wait_on(defaults(1))


def case_defaults_positional():
    return compss_wait_on(defaults(1, 5))


def case_defaults_by_name():
    return compss_wait_on(defaults(c=3, a=1))


def case_defaults_future():
    return compss_wait_on(defaults(increment(1), c=increment(2)))


def case_variadic():
    return compss_wait_on(variadic(1, 2, increment(2)))


def case_variadic_none():
    return compss_wait_on(variadic(1))


def case_keywords():
    return compss_wait_on(keywords(a=1, b=increment(1)))


def case_everything():
    return compss_wait_on(everything(1, 2, 3, b=4, x=5, y=increment(5)))


def case_unpacked_futures():
    return compss_wait_on(summed(*[increment(number) for number in range(20)]))


def case_unpacked_dictionary():
    return compss_wait_on(keywords(**{f"k{number}": increment(number) for number in range(5)}))


def case_varargs_inout():
    lists = [[], [1], [1, 2]]
    append_to_all(*lists)
    return compss_wait_on(lists)


def case_keyword_only():
    return compss_wait_on(keyword_only(value=increment(1)))


def case_function_as_argument():
    return compss_wait_on(apply(operator.add, 2, 3))


@task(returns=1)
def apply(function, *values):
    return function(*values)


def case_lambda_as_argument():
    factor = 3
    return compss_wait_on(apply(lambda value: value * factor, 2))


# INOUT, OUT and others


@task(values=INOUT)
def append(values, value):
    values.append(value)


@task(returns=1, values=INOUT)
def append_and_count(values, value):
    values.append(value)
    return len(values)


@task(returns=1)
def length(values):
    return len(values)


@task(a=INOUT, b=INOUT)
def swap_contents(a, b):
    a[:], b[:] = b[:], a[:]


@task(target=OUT)
def fill(target, count):
    target.extend(range(count))


@task(values=CONCURRENT, returns=1)
def concurrent_sum(values):
    return sum(values)


@task(values=COMMUTATIVE)
def commutative_add(values, number):
    values[0] += number


@task(values=IN_DELETE, returns=1)
def consume(values):
    return sum(values)


@task(matrix=INOUT)
def scale(matrix, factor):
    matrix *= factor


@task(table=INOUT)
def put(table, key, value):
    table[key] = value


@expect([0, 1, 2, 3, 4])
def case_inout_chain():
    values = []
    for number in range(5):
        append(values, number)
    return compss_wait_on(values)


def case_inout_long_chain():
    values = []
    for number in range(60):
        append(values, number)
    return compss_wait_on(values)


@expect([1, 2])
def case_inout_and_return():
    values = []
    counts = [append_and_count(values, number) for number in range(2)]
    return compss_wait_on(counts)


def case_inout_future():
    values = listed(1, 2)
    append(values, 3)
    append(values, 4)
    return compss_wait_on(values)


def case_inout_then_read():
    values = [1]
    append(values, 2)
    before = length(values)
    append(values, 3)
    after = length(values)
    return compss_wait_on(before, after)


def case_write_after_read():
    """A reader called before a writer sees the version of its time."""
    values = listed(1, 2, 3)
    counts = []
    for number in range(6):
        counts.append(length(values))
        append(values, number)
    return compss_wait_on(counts), compss_wait_on(values)


def case_inout_array():
    matrix = np.ones((50, 50))
    for factor in (2, 3, 5):
        scale(matrix, factor)
    return float(compss_wait_on(matrix).sum())


def case_inout_large_array():
    matrix = np.ones((300, 300))
    scale(matrix, 2)
    scale(matrix, 2)
    return float(compss_wait_on(matrix).sum())


def case_inout_dictionary():
    table = {}
    for number in range(4):
        put(table, number, increment(number))
    return compss_wait_on(table)


def case_inout_two():
    a, b = [1, 2], [3]
    swap_contents(a, b)
    return compss_wait_on(a), compss_wait_on(b)


def case_inout_after_wait():
    values = []
    append(values, 1)
    values = compss_wait_on(values)
    values.append("main")
    append(values, 2)
    return compss_wait_on(values)


def case_main_changes_between_calls():
    values = [1]
    first = length(values)
    values.append(2)
    second = length(values)
    return compss_wait_on(first, second)


@expect([0, 1, 2])
def case_out():
    target = []
    fill(target, 3)
    return compss_wait_on(target)


def case_concurrent():
    values = [1, 2, 3]
    sums = [concurrent_sum(values) for _ in range(3)]
    return compss_wait_on(sums)


@expect([45])
def case_commutative():
    values = [0]
    for number in range(10):
        commutative_add(values, number)
    return compss_wait_on(values)


def case_in_delete():
    return compss_wait_on(consume([1, 2, 3]))


def case_same_object_twice():
    values = [1]
    return compss_wait_on(same_object(values, values))


@task(returns=1)
def same_object(a, b):
    return a == b


def case_wait_on_read_only():
    values = [1]
    append(values, 2)
    before = list(compss_wait_on(values, mode="r"))
    append(values, 3)
    return before, compss_wait_on(values)


def case_delete_object():
    values = listed(1)
    count = compss_wait_on(length(values))
    assert compss_delete_object(values)
    return count


# Structures in wait_on


def case_wait_on_list():
    return compss_wait_on([increment(number) for number in range(10)])


def case_wait_on_nested_list():
    return compss_wait_on([[increment(a + b) for a in range(3)] for b in range(3)])


def case_wait_on_dictionary():
    return compss_wait_on({"a": increment(1), "b": [increment(2), {"c": increment(3)}]})


def case_wait_on_several():
    return list(compss_wait_on(increment(1), increment(2), 7))


def case_wait_on_plain():
    return compss_wait_on([1, "a", None])


def case_wait_on_twice():
    value = increment(1)
    return compss_wait_on(value), compss_wait_on(value)


def case_wait_on_empty():
    return compss_wait_on([])


def case_list_of_futures_as_plain_argument():
    return compss_wait_on(same([increment(1), 5, increment(2)]))


# Collections


@task(returns=1, values=COLLECTION_IN)
def total(values):
    return sum(values)


@task(returns=1, values={Type: COLLECTION_IN, Depth: 2})
def total_deep(values):
    return sum(sum(row) for row in values)


@task(values=COLLECTION_INOUT)
def increment_each(values):
    for place in range(len(values)):
        values[place] += 1


@task(values=COLLECTION_INOUT)
def append_each(values, value):
    for entry in values:
        entry.append(value)


@task(values={Type: COLLECTION_INOUT, Depth: 2})
def append_each_deep(values, value):
    for row in values:
        for entry in row:
            entry.append(value)


@task(values=COLLECTION_OUT)
def fill_each(values):
    for place in range(len(values)):
        values[place] = place * 10


@task(a=COLLECTION_IN, b=COLLECTION_INOUT)
def copy_into(a, b):
    for source, target in zip(a, b, strict=True):
        target.extend(source)


@task(returns=1, values={Type: COLLECTION_IN, Depth: 3})
def depth_three(values):
    return [[list(row) for row in plane] for plane in values]


@expect(15)
def case_collection_of_futures():
    return compss_wait_on(total([increment(number) for number in range(5)]))


def case_collection_of_values():
    return compss_wait_on(total([1, 2, 3]))


def case_collection_mixed():
    return compss_wait_on(total([1, increment(1), 3.5]))


def case_collection_empty():
    return compss_wait_on(total([]))


def case_collection_tuple():
    return compss_wait_on(total((1, increment(1))))


def case_collection_generator():
    return compss_wait_on(total(increment(number) for number in range(3)))


def case_collection_depth():
    return compss_wait_on(total_deep([[increment(a * b) for a in range(3)] for b in range(3)]))


def case_collection_depth_three():
    return compss_wait_on(depth_three([[[increment(1)], [2]], [[increment(3), 4]]]))


@expect([1, 2, 3])
def case_collection_inout_of_numbers():
    values = [0, 1, 2]
    increment_each(values)
    return compss_wait_on(values)


def case_collection_inout_of_numbers_twice():
    values = [0, 1, 2]
    increment_each(values)
    increment_each(values)
    return compss_wait_on(values), compss_wait_on(total(values))


def case_collection_inout_of_futures():
    values = [increment(number) for number in range(3)]
    increment_each(values)
    return compss_wait_on(values)


def case_collection_inout_of_objects():
    values = [[], [1], []]
    append_each(values, 7)
    append_each(values, 8)
    return compss_wait_on(values)


def case_collection_element_alone():
    values = [[], []]
    append_each(values, 1)
    append(values[0], 2)
    return compss_wait_on(values)


def case_collection_after_element():
    values = [[], []]
    append(values[1], 1)
    append_each(values, 2)
    return compss_wait_on(values)


def case_collection_inout_deep():
    values = [[[], []], [[1]]]
    append_each_deep(values, 5)
    return compss_wait_on(values)


def case_collection_out():
    values = [None, None, None]
    fill_each(values)
    return compss_wait_on(values)


def case_collection_in_and_inout():
    a, b = [[1], [2]], [[], [0]]
    copy_into(a, b)
    return compss_wait_on(b)


def case_collection_of_arrays():
    blocks = [zeros(4) for _ in range(3)]
    return compss_wait_on(total([length(block) for block in blocks]))


def case_collection_future_of_list():
    return compss_wait_on(total(listed(1, 2, 3)))


# Dictionaries


@task(returns=1, table=DICTIONARY_IN)
def total_of(table):
    return sum(table.values())


@task(table=DICTIONARY_INOUT)
def increment_values(table):
    for key in table:
        table[key] += 1


@task(table=DICTIONARY_OUT)
def set_values(table):
    for key in table:
        table[key] = key * 2


@task(returns=1, table={Type: DICTIONARY_IN, Depth: 2})
def deep_total(table):
    return sum(sum(inner.values()) for inner in table.values())


def case_dictionary_in():
    return compss_wait_on(total_of({"a": increment(1), "b": 2}))


def case_dictionary_inout():
    table = {"a": 1, "b": 2}
    increment_values(table)
    increment_values(table)
    return compss_wait_on(table)


def case_dictionary_inout_futures():
    table = {"a": increment(1), "b": increment(2)}
    increment_values(table)
    return compss_wait_on(table)


def case_dictionary_out():
    table = {"a": "", "b": ""}
    set_values(table)
    return compss_wait_on(table)


def case_dictionary_deep():
    return compss_wait_on(deep_total({"x": {"a": increment(1)}, "y": {"b": 2}}))


# Files


def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="case-", dir=os.environ.get("COMPSS_TEST_FOLDER")))


@task(path=FILE_OUT)
def write(path, text):
    with open(path, "w") as file:
        file.write(text)


@task(path=FILE_IN, returns=1)
def read(path):
    with open(path) as file:
        return file.read()


@task(path=FILE_INOUT)
def extend(path, text):
    with open(path, "a") as file:
        file.write(text)


@task(source=FILE_IN, target=FILE_OUT)
def copy(source, target):
    Path(target).write_bytes(Path(source).read_bytes())


@task(paths=COLLECTION_FILE_IN, returns=1)
def joined(paths):
    return "".join(Path(path).read_text() for path in paths)


@task(paths=COLLECTION_FILE_OUT)
def write_all(paths, text):
    for number, path in enumerate(paths):
        Path(path).write_text(f"{text}{number}")


@task(paths=COLLECTION_FILE_INOUT)
def extend_all(paths, text):
    for path in paths:
        with open(path, "a") as file:
            file.write(text)


@task(table=COLLECTION_FILE_OUT)
def write_table(table):
    for number, row in enumerate(table):
        for path in row:
            Path(path).write_text(str(number))


@task(table=COLLECTION_FILE_INOUT)
def extend_table(table, text):
    for row in table:
        for path in row:
            Path(path).write_text(Path(path).read_text() + text)


@task(table=COLLECTION_FILE_IN, returns=1)
def read_table(table):
    return [[Path(path).read_text() for path in row] for row in table]


@task(path=FILE_IN, returns=1)
def base_name(path):
    return os.path.basename(path)


@task(path=FILE_CONCURRENT)
def log_line(path, line):
    with open(path, "a") as file:
        file.write(line)


@task(path=FILE_COMMUTATIVE)
def count_up(path):
    value = int(Path(path).read_text())
    Path(path).write_text(str(value + 1))


@task(path=FILE_IN, returns=1)
def optional_file(path=None):
    return path is None


@task(where=DIRECTORY_OUT)
def make_tree(where, names):
    os.makedirs(os.path.join(where, "sub"), exist_ok=True)
    for name in names:
        Path(where, name).write_text(name)


@task(where=DIRECTORY_INOUT)
def add_to_tree(where, name):
    Path(where, name).write_text(name * 2)


@task(where=DIRECTORY_IN, returns=1)
def tree(where):
    return sorted((str(path.relative_to(where)), path.is_dir() or path.read_text()) for path in Path(where).rglob("*"))


@expect("hello")
def case_file_out_open():
    path = str(folder() / "f")
    write(path, "hello")
    with compss_open(path) as file:
        return file.read()


def case_file_in():
    path = folder() / "f"
    path.write_text("from main")
    return compss_wait_on(read(str(path)))


@expect("abc")
def case_file_inout_chain():
    path = folder() / "f"
    path.write_text("a")
    extend(str(path), "b")
    extend(str(path), "c")
    compss_wait_on_file(str(path))
    return path.read_text()


def case_file_out_then_in():
    path = str(folder() / "f")
    write(path, "x")
    return compss_wait_on(read(path))


def case_file_write_after_read():
    path = str(folder() / "f")
    contents = []
    write(path, "0")
    for number in range(1, 5):
        contents.append(read(path))
        write(path, str(number))
    return compss_wait_on(contents), compss_wait_on(read(path))


def case_file_copy():
    where = folder()
    (where / "a").write_bytes(bytes(range(256)))
    copy(str(where / "a"), str(where / "b"))
    copy(str(where / "b"), str(where / "c"))
    compss_wait_on_file(str(where / "c"))
    return (where / "c").read_bytes()


def case_file_name_is_kept():
    path = folder() / "the name.txt"
    path.write_text("")
    return compss_wait_on(base_name(str(path)))


def case_file_of_main_changes():
    path = folder() / "f"
    path.write_text("one")
    first = read(str(path))
    path.write_text("second")
    return compss_wait_on(first, read(str(path)))


def case_file_open_to_write():
    path = str(folder() / "f")
    write(path, "task")
    with compss_open(path, "a") as file:
        file.write(" main")
    return compss_wait_on(read(path))


def case_file_open_to_replace():
    path = str(folder() / "f")
    write(path, "task")
    with compss_open(path, "w") as file:
        file.write("main")
    return compss_wait_on(read(path))


def case_file_collection_in():
    where = folder()
    paths = [str(where / name) for name in "abc"]
    for path in paths:
        write(path, os.path.basename(path))
    return compss_wait_on(joined(paths))


def case_file_collection_out():
    where = folder()
    paths = [str(where / name) for name in "abc"]
    write_all(paths, "t")
    compss_wait_on_file(*paths)
    return [Path(path).read_text() for path in paths]


def case_file_collection_inout():
    where = folder()
    paths = [str(where / name) for name in "ab"]
    write_all(paths, "t")
    extend_all(paths, "+")
    extend(paths[0], "!")
    return compss_wait_on(joined(paths))


@expect([["0+", "0+!"], ["1+", "1+"]])
def case_file_collection_of_collections():
    where = folder()
    table = [[str(where / f"{row}{column}") for column in "ab"] for row in "xy"]
    write_table(table)
    extend_table(table, "+")
    extend(table[0][1], "!")
    return compss_wait_on(read_table(table))


def case_file_collection_same_name():
    where = folder()
    paths = []
    for name in "ab":
        (where / name).mkdir()
        paths.append(str(where / name / "same"))
        Path(paths[-1]).write_text(name)
    return compss_wait_on(joined(paths))


def case_file_concurrent():
    path = folder() / "log"
    path.write_text("")
    for number in range(5):
        log_line(str(path), f"{number}\n")
    compss_wait_on_file(str(path))
    return sorted(path.read_text().split())


def case_file_commutative():
    path = folder() / "count"
    path.write_text("0")
    for _ in range(5):
        count_up(str(path))
    return compss_wait_on(read(str(path)))


def case_file_none():
    return compss_wait_on(optional_file())


def case_file_exists():
    path = str(folder() / "f")
    before = compss_file_exists(path)
    write(path, "x")
    return before, compss_file_exists(path)


def case_file_delete():
    path = str(folder() / "f")
    write(path, "x")
    content = compss_wait_on(read(path))
    compss_wait_on_file(path)
    compss_delete_file(path)
    return content, compss_file_exists(path)


def case_directory():
    path = str(folder() / "d")
    make_tree(path, ["a", "b"])
    add_to_tree(path, "c")
    return compss_wait_on(tree(path))


def case_directory_of_main():
    path = folder() / "d"
    (path / "deep").mkdir(parents=True)
    (path / "deep" / "file").write_text("x")
    return compss_wait_on(tree(str(path)))


def case_directory_home():
    path = folder() / "d"
    make_tree(str(path), ["a"])
    compss_wait_on_directory(str(path))
    return sorted(entry.name for entry in path.iterdir())


def case_relative_file():
    here = Path.cwd()
    os.chdir(folder())
    try:
        write("relative", "x")
        compss_wait_on_file("relative")
        return Path("relative").read_text()
    finally:
        os.chdir(here)


# Classes


class Account:
    bank = "bank"

    def __init__(self, owner="nobody"):
        self.owner = owner
        self.balance = 0

    @task()
    def deposit(self, amount):
        self.balance += amount

    @task(returns=1, target_direction=IN)
    def read_balance(self):
        return self.balance

    @task(returns=1)
    def withdraw(self, amount):
        self.balance -= amount
        return self.balance

    @task(other=INOUT)
    def transfer(self, other, amount):
        self.balance -= amount
        other.balance += amount

    @classmethod
    @task(returns=1)
    def name_of_bank(cls):
        return f"{cls.__name__}:{cls.bank}"

    @staticmethod
    @task(returns=1)
    def interest(amount):
        return amount * 2

    @task(returns=1, target_direction=IN)
    def __secret(self):
        return self.owner * 2

    def reveal(self):
        return self.__secret()


class Savings(Account):
    bank = "savings"

    @task()
    def add_interest(self):
        self.balance *= 2


class Outer:
    class Inner:
        @task(returns=1, target_direction=IN)
        def depth(self):
            return "inner"


@task(returns=Account)
def open_account(amount):
    account = Account("task")
    account.balance = amount
    return account


@task(returns=1)
def owner_of(account):
    return account.owner


@task(returns=1)
def is_account(account):
    return isinstance(account, Account), type(account).__name__


def case_method_inout_by_default():
    account = Account()
    for amount in (5, 10):
        account.deposit(amount)
    return compss_wait_on(account).balance


def case_method_return():
    account = Account()
    account.deposit(5)
    return compss_wait_on(account.withdraw(2)), compss_wait_on(account).balance


def case_method_target_in():
    account = Account()
    account.deposit(5)
    return compss_wait_on(account.read_balance())


def case_method_two_objects():
    a, b = Account("a"), Account("b")
    a.deposit(10)
    a.transfer(b, 4)
    return compss_wait_on(a).balance, compss_wait_on(b).balance


def case_class_method():
    return compss_wait_on(Account.name_of_bank()), compss_wait_on(Savings.name_of_bank())


def case_static_method():
    return compss_wait_on(Account.interest(4)), compss_wait_on(Account().interest(5))


def case_inherited_method():
    account = Savings()
    account.deposit(4)
    account.add_interest()
    return compss_wait_on(account).balance


def case_private_method():
    return compss_wait_on(Account("me").reveal())


def case_inner_class():
    return compss_wait_on(Outer.Inner().depth())


def case_returned_object_method():
    account = open_account(3)
    account.deposit(4)
    balance = account.read_balance()
    return compss_wait_on(balance), compss_wait_on(account).balance


def case_object_as_argument():
    return compss_wait_on(owner_of(Account("me")))


def case_object_keeps_class():
    return list(compss_wait_on(is_account(open_account(1))))


def case_objects_in_collection():
    accounts = [Account(str(number)) for number in range(3)]
    for number, account in enumerate(accounts):
        account.deposit(number)
    return compss_wait_on(total([account.read_balance() for account in accounts]))


def case_local_class():
    class Here:
        def __init__(self, value):
            self.value = value

    return compss_wait_on(same(Here(3))).value


# Tasks in tasks, local functions, decorators


@task(returns=1)
def factorial(number):
    return 1 if number < 2 else number * factorial(number - 1)


@task(returns=1)
def uses_others(value):
    return compss_wait_on(add(increment(value), 1))


@local
def locally(value, extra):
    return value + extra


def case_nested_call():
    return compss_wait_on(uses_others(1))


def case_recursion():
    return compss_wait_on(factorial(5))


def case_local():
    return locally(increment(1), extra=increment(2))


def case_task_in_function():
    offset = 10

    @task(returns=1)
    def shifted(value):
        return value + offset

    return compss_wait_on(shifted(1))


def case_task_in_loop_sees_its_variable():
    products = []
    for factor in range(3):

        @task(returns=1)
        def times(value, factor=factor):
            return value * factor

        products.append(times(10))
    return compss_wait_on(products)


# Constraints and others that change no result


@constraint(computing_units=1)
@task(returns=1)
def one_unit(value):
    return value


@constraint(computing_units="2", memory_size=1.0)
@task(returns=1)
def two_units(value):
    return value


@constraint(computing_units="units")
@task(returns=1)
def units_by_parameter(value, units):
    return value


@constraint(computing_units="units * 1 + 1")
@task(returns=1)
def units_by_expression(value, units):
    return value


UNITS = 2


@constraint(computing_units="UNITS")
@task(returns=1)
def units_by_global(value):
    return value


@task(returns=1, priority=True)
def urgent(value):
    return value


@task(returns=1, is_replicated=True)
def everywhere(value):
    return value


@IO()
@task(returns=1)
def waits(value):
    return value


@task(returns=1, time_out=50)
def bounded(value):
    return value


@task(returns=1, isReplicated=False, timeOut=50, targetDirection=IN, cache_returns=False, is_distributed=True)
def legacy(value):
    return value


def case_constraint_one():
    return compss_wait_on(one_unit(1))


def case_constraint_two():
    return compss_wait_on([two_units(number) for number in range(3)])


def case_constraint_parameter():
    return compss_wait_on(units_by_parameter(1, 2))


def case_constraint_expression():
    return compss_wait_on(units_by_expression(1, 1))


def case_constraint_global():
    return compss_wait_on(units_by_global(1))


def case_priority():
    return compss_wait_on([urgent(number) if number % 2 else increment(number) for number in range(6)])


def case_replicated():
    return compss_wait_on(everywhere(5))


def case_io():
    return compss_wait_on(waits(5))


def case_time_out_not_reached():
    return compss_wait_on(bounded(5))


def case_legacy_names():
    return compss_wait_on(legacy(5))


# Reductions


@reduction(chunk_size=2)
@task(returns=1, values=COLLECTION_IN)
def reduce_by_two(values):
    return reduce(operator.add, values)


@reduction(chunk_size="3")
@task(returns=1, values=COLLECTION_IN)
def reduce_by_three(first, values, last):
    return reduce(operator.add, values)


@reduction()
@task(returns=1, values=COLLECTION_IN)
def reduce_whole(values):
    return sum(values)


def case_reduction_of_futures():
    return compss_wait_on(reduce_by_two([increment(number) for number in range(5)]))


def case_reduction_of_values():
    return compss_wait_on(reduce_by_three("a", list(range(10)), "z"))


def case_reduction_one():
    return compss_wait_on(reduce_by_two([7]))


def case_reduction_whole():
    return compss_wait_on(reduce_whole([1, 2, increment(3)]))


def case_reduction_keeps_order():
    return compss_wait_on(reduce_by_two(list("abcdefg")))


def case_merge_reduce():
    return compss_wait_on(merge_reduce(add, [increment(number) for number in range(7)]))


def case_merge_n_reduce():
    return compss_wait_on(merge_n_reduce(summed, 3, list(range(10))))


def case_simple_reduce():
    return compss_wait_on(simple_reduce(add, [1, 2, 3, 4]))


def case_map():
    return compss_wait_on(map_tasks(add, [1, 2, 3], [4, 5, 6]))


# Groups and barriers


def case_barrier():
    values = [increment(number) for number in range(3)]
    compss_barrier()
    return compss_wait_on(values)


def case_barrier_no_more_tasks():
    value = increment(1)
    compss_barrier(no_more_tasks=True)
    return compss_wait_on(value)


def case_group():
    with TaskGroup("group-a"):
        values = [increment(number) for number in range(3)]
    return compss_wait_on(values)


def case_group_without_barrier():
    with TaskGroup("group-b", False):
        values = [increment(number) for number in range(3)]
    compss_barrier_group("group-b")
    return compss_wait_on(values)


def case_nested_groups():
    values = []
    with TaskGroup("outer", implicit_barrier=False):
        for number in range(3):
            with TaskGroup(f"inner{number}", implicit_barrier=False):
                append(values, number)
    compss_barrier_group("outer")
    return compss_wait_on(values)


def case_group_used_again():
    values = []
    for number in range(3):
        with TaskGroup("again"):
            append(values, number)
    return compss_wait_on(values)


@on_failure(management="IGNORE")
@task(returns=1)
def never_fails(value):
    return value


def case_on_failure_not_needed():
    return compss_wait_on(never_fails(4))


# Containers of every kind


class Rows(list):
    """A list with a name of its own."""


Pair = namedtuple("Pair", "first second")


@expect([{0: [1, 3], 1: [2, 4]}, {0: 1, 1: 2, 2: 3}, [3, 4], (5, 6), {7}, [8], {"a": [{"b": 9}]}])
def case_wait_on_every_container():
    by_parity = defaultdict(list)
    for number in range(4):
        by_parity[number % 2].append(increment(number))
    return [
        compss_wait_on(by_parity),
        compss_wait_on(OrderedDict((number, increment(number)) for number in range(3))),
        compss_wait_on(Rows([increment(2), increment(3)])),
        compss_wait_on(Pair(increment(4), increment(5))),
        compss_wait_on({increment(6)}),
        list(compss_wait_on(deque([increment(7)], maxlen=3))),
        compss_wait_on({"a": [{"b": increment(8)}]}),
    ]


@expect([True] * 5)
def case_wait_on_keeps_the_type():
    by_parity = compss_wait_on(defaultdict(list, {1: increment(1)}))
    return [
        by_parity[2] == [],
        type(compss_wait_on(OrderedDict(a=increment(1)))) is OrderedDict,
        type(compss_wait_on(Rows([increment(2)]))) is Rows,
        compss_wait_on(Pair(increment(4), 1)).first == 5,
        compss_wait_on(deque([increment(7)], maxlen=3)).maxlen == 3,
    ]


@task(returns=1, rows=COLLECTION_IN)
def total_of_rows(rows):
    return sum(element for row in rows for group in row for element in group)


@expect(21)
def case_collection_in_follows_every_level():
    return compss_wait_on(total_of_rows([[[increment(0), increment(1)], [increment(2)]], [(increment(3), 5, 6)]]))


@task(rows=COLLECTION_INOUT)
def grow_rows(rows):
    for row in rows:
        for element in row:
            element[0] += 1


@expect([[[2], [3]], [[4]]])
def case_collection_inout_follows_every_level():
    rows = [[listed(1), listed(2)], [listed(3)]]
    grow_rows(rows)
    return compss_wait_on(rows)


@task(rows=COLLECTION_OUT)
def fill_rows(rows):
    for row in rows:
        for place in range(len(row)):
            row[place] = [place]


@expect([[[0], [1]], [[0]]])
def case_collection_out_follows_every_level():
    rows = [[[7], [7]], [[7]]]
    fill_rows(rows)
    return compss_wait_on(rows)


@task(returns=1, values={Type: COLLECTION_IN, Depth: 1})
def kinds_of(values):
    return [type(value).__name__ for value in values]


@expect(["list", "dict", "Rows", "int"])
def case_depth_limits_what_is_followed():
    return compss_wait_on(kinds_of([[1], {"a": 1}, Rows([1]), 1]))


@task(returns=1, values=COLLECTION_IN)
def described(values):
    return [[type(value).__name__, sorted(value)] for value in values]


@expect([["tuple", [[1], [2]]], ["set", [2]], ["frozenset", [3]], ["Pair", [4, 5]], ["Rows", [1, 2]]])
def case_collection_of_every_container():
    values = [(listed(1), [2]), {increment(1)}, frozenset([increment(2)]), Pair(increment(3), 5), Rows([1, 2])]
    return compss_wait_on(described(values))


@task(pairs=COLLECTION_INOUT)
def turn_pairs(pairs):
    pairs.reverse()


@expect([[3], [4], [1], [2]])
def case_collection_inout_takes_what_stands_at_each_place():
    pairs = [(listed(1), listed(2)), (listed(3), listed(4))]
    turn_pairs(pairs)
    return [compss_wait_on(element) for pair in pairs for element in pair]


@task(rows={Type: COLLECTION_INOUT, Depth: 2})
def replace_rows(rows):
    rows[0] = [[5]]
    rows[1][0] = [6]


@expect([[[5]], [[6]]])
def case_collection_inout_inner_list_replaced():
    rows = [[[1]], [[2]]]
    replace_rows(rows)
    return compss_wait_on(rows)


@task(rows=COLLECTION_INOUT)
def shorten(rows):
    rows[0].append(9)
    rows[1].append(9)
    del rows[1]


@expect([1, 9])
def case_collection_inout_made_shorter():
    rows = [listed(1), listed(2)]
    shorten(rows)
    return compss_wait_on(rows[0])


# Objects of the main program in local functions, futures inside of objects


@local
def length_here(value):
    return len(value)


@local
def largest(array):
    return float(array.max())


@expect([1, 2, 3])
def case_local_gives_the_object_its_value():
    values = []
    append(values, 1)
    first = length_here(values)
    append(values, 2)
    second = length_here(value=values)
    append(values, 3)
    return [first, second, len(compss_wait_on(values))]


@expect([[2.0, 2.0], [4.0, 4.0], [8.0, 8.0]])
def case_local_gives_an_array_its_value():
    array = np.ones(3)
    rows = []
    for _ in range(3):
        scale(array, 2)
        rows.append([largest(array), float(array[0])])
    return rows


class Model:
    """Holds futures that its tasks do not touch."""

    def __init__(self):
        self.size = 5
        self.scores = []


@task(returns=1)
def size_of(model):
    return model.size


@task(model=INOUT)
def enlarge(model):
    model.size += 1


@expect([5, 6, [2, 3]])
def case_object_that_holds_futures():
    model = Model()
    model.scores = [increment(1), increment(2)]
    before = size_of(model)
    enlarge(model)
    model = compss_wait_on(model)
    return [compss_wait_on(before), model.size, compss_wait_on(model.scores)]


# Type hints


@task()
def pair_by_hint(value) -> (int, list):
    return value, [value]


@task()
def tuple_by_hint(value) -> tuple[int, int]:
    return value, value


@task()
def nothing_by_hint(value) -> None:
    value + 1


@task()
def unknown_by_hint(value) -> OnlyForTypeCheckers:
    return value


@expect([[1, [2]], (3, 3), None, 5])
def case_returns_by_type_hint():
    first, second = pair_by_hint(1)[0], pair_by_hint(2)[1]
    pair = [compss_wait_on(first), compss_wait_on(second)]
    return [pair, compss_wait_on(tuple_by_hint(3)), nothing_by_hint(4), compss_wait_on(unknown_by_hint(5))]


@task(folder=DIRECTORY_OUT)
def make_folder(folder):
    os.mkdir(folder)
    with open(os.path.join(folder, "a"), "w") as file:
        file.write("x")


@expect(["a"])
def case_directory_out_is_made_by_the_task():
    folder = os.path.join(tempfile.mkdtemp(), "made")
    make_folder(folder)
    compss_wait_on_directory(folder)
    return os.listdir(folder)


# Generators, implementations


@task(returns=1)
def total_of_all(values):
    return sum(values)


@task(returns=1)
def counting(limit):
    return (number for number in range(limit))


@expect([6, [0, 1, 2], "generator"])
def case_generators():
    total = total_of_all(number for number in range(4))
    values = compss_wait_on(counting(3))
    return [compss_wait_on(total), list(values), type(values).__name__]


@implement(source_class="programs", method="increment")
@task(returns=1)
def increment_otherwise(value):
    return 1 + value


@expect(4)
def case_implementation():
    return compss_wait_on(increment_otherwise(increment(2)))


CASES = {name: function for name, function in list(globals().items()) if name.startswith("case_")}
