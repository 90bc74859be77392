"""The way of a task call through the engine's files: short enough to read."""

from __future__ import annotations

import itertools
import sys
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pycompss_dask
from pycompss_dask.runtime import Runtime

import programs

ENGINE = Path(pycompss_dask.__file__).parent
MOST = 3


def files(frame: FrameType | None) -> list[str]:
    """The engine's files on the way to a frame, from the outside in. A call within a file does not enter it again."""
    way = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        way.append(path.name if path.parent == ENGINE else "")
        frame = frame.f_back
    return [name for name, _ in itertools.groupby(reversed(way)) if name]


def entered(call: Callable[[], Any]) -> dict[str, tuple[int, list[str]]]:
    """How often, at most, one call path of it enters each of the engine's files, and that path."""
    most: dict[str, tuple[int, list[str]]] = {}

    def look(frame: FrameType, event: str, _: Any) -> None:
        if event == "call" and Path(frame.f_code.co_filename).parent == ENGINE:
            way = files(frame)
            for name, times in Counter(way).items():
                most[name] = max(most.get(name, (0, [])), (times, way))

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return most


# One of each kind of call.
CALLS = [
    "return_two",
    "inout_chain",
    "delete_object",
    "collection_depth_three",
    "collection_inout_deep",
    "dictionary_inout_futures",
    "file_inout_chain",
    "file_collection_inout",
    "directory",
    "method_two_objects",
    "local",
    "reduction_whole",
    "nested_groups",
    "barrier",
    "constraint_expression",
    "replicated",
    "implementation",
    "wait_on_several",
    "object_that_holds_futures",
    "task_in_function",
]


def test_no_call_path_enters_a_file_of_the_engine_more_than_three_times(engine: Runtime) -> None:
    del engine
    most = entered(lambda: [programs.CASES[f"case_{name}"]() for name in CALLS])
    assert {"decorators.py", "runtime.py", "arguments.py", "graph.py"} <= set(most)
    assert {name: way for name, (times, way) in most.items() if times > MOST} == {}
