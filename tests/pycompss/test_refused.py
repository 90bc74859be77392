"""What the engine does not have, and what is wrong, is refused by name."""

from __future__ import annotations

import importlib
from typing import Any

import pytest
from pycompss.api.api import compss_wait_on
from pycompss.api.binary import binary
from pycompss.api.constraint import constraint
from pycompss.api.epilog import epilog
from pycompss.api.implement import implement
from pycompss.api.IO import IO
from pycompss.api.on_failure import on_failure
from pycompss.api.parameter import *  # noqa: F403
from pycompss.api.prolog import prolog
from pycompss.api.reduction import reduction
from pycompss.api.software import software
from pycompss.api.task import task
from pycompss_dask.errors import NotSupported, PyCOMPSsException
from pycompss_dask.resources import machine
from pycompss_dask.runtime import Runtime

# ruff: noqa: F405


def function(a: Any, b: Any = 1) -> Any:
    return a, b


@pytest.mark.parametrize(
    "name",
    [
        *("mpi", "multinode", "ompss", "opencl", "decaf", "julia", "compss", "http", "container", "mpmd_mpi"),
        "data_transformation",
    ],
)
def test_decorator_is_refused_at_import(name: str) -> None:
    with pytest.raises(ImportError, match=rf"pycompss\.api\.{name} is not available on the Dask engine"):
        importlib.import_module(f"pycompss.api.{name}")


@pytest.mark.parametrize("name", ["dds", "streams"])
def test_package_is_refused_at_import(name: str) -> None:
    with pytest.raises(ImportError, match=f"pycompss.{name}"):
        importlib.import_module(f"pycompss.{name}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"numba": "fast"}, "numba is 'fast', expected True, flags or one of jit"),
        ({"computing_nodes": 2}, "computing_nodes is not available"),
        ({"processes_per_node": 4}, "processes_per_node is not available"),
        ({"on_failure": "SOMETIMES"}, "on_failure is 'SOMETIMES', expected one of RETRY"),
        ({"target_direction": "IN"}, "target_direction is 'IN', expected a direction"),
        ({"a": "IN"}, "expected a direction"),
        ({"a": STREAM_IN}, "STREAM_IN is not available"),
        ({"a": STREAM_OUT}, "STREAM_OUT is not available"),
        ({"a": {Type: STREAM_IN}}, "STREAM_IN is not available"),
        ({"a": {"typo": FILE_IN}}, "unknown keys"),
        ({"a": {Type: "FILE_IN"}}, "Type is 'FILE_IN'"),
        ({"a": {Direction: "sideways"}}, "Direction is 'sideways'"),
    ],
)
def test_task_argument(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(PyCOMPSsException, match=message):
        task(**arguments)(function)


@pytest.mark.parametrize("returns", ["nowhere", "value_of(a.b)", "value_of(z)"])
def test_returns_that_name_nothing(engine: Runtime, returns: str) -> None:
    with pytest.raises(PyCOMPSsException, match="is no number, global variable or value_of"):
        task(returns=returns)(function)(1)


def test_returns_of_a_parameter(engine: Runtime) -> None:
    assert compss_wait_on(task(returns="{{b}}")(function)(1, 2)) == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "name"), [({"z": IN}, "z"), ({"retruns": 1}, "retruns"), ({"pirority": True}, "pirority")]
)
def test_unknown_argument_of_task_is_warned_of(
    engine: Runtime, arguments: dict[str, Any], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    call = task(returns=1, **arguments)(function)
    assert f"WARNING: @task of function: {name} is neither" in capsys.readouterr().err
    assert compss_wait_on(call(1)) == (1, 1)


def test_unknown_argument_of_binary_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    binary(binary="x", colour=1)
    assert "WARNING: @binary: the argument colour is unknown" in capsys.readouterr().err


def test_coroutine() -> None:
    async def wait() -> None:
        """Nothing."""

    with pytest.raises(NotSupported, match="coroutine"):
        task()(wait)


@pytest.mark.parametrize("kind", [staticmethod, classmethod])
def test_method_kind_below_task(kind: Any) -> None:
    with pytest.raises(PyCOMPSsException, match="above @task"):
        task()(kind(function))


@pytest.mark.parametrize(
    ("decorator", "message"),
    [
        (constraint(memory_colour="red"), "constraint memory_colour is not available"),
        (constraint(is_local="yes"), "expected a boolean"),
        (constraint(processors=[{"processorType": "CPU", "colour": 1}]), "colour"),
        (on_failure(management="MAYBE"), "expected one of RETRY"),
    ],
)
def test_decorator_argument(decorator: Any, message: str) -> None:
    with pytest.raises(PyCOMPSsException, match=message):
        decorator(task()(function))


@pytest.mark.parametrize(
    ("decorator", "arguments", "message"),
    [
        (binary, {}, "argument binary is missing"),
        (binary, {"binary": "x", "engine": "docker"}, "engine"),
        (reduction, {"chunk": 1}, "chunk"),
        (reduction, {"chunk_size": "many"}, "expected a number"),
        (reduction, {"chunk_size": "$NO_SUCH_VARIABLE"}, "NO_SUCH_VARIABLE"),
        (IO, {"x": 1}, "x"),
        (prolog, {"args": "x"}, "argument binary is missing"),
        (epilog, {"binary": "x", "colour": 1}, "colour"),
        (implement, {"method": "x"}, "expected source_class and method"),
        (software, {"config_file": "/nonexistent.json"}, "cannot be read as JSON"),
    ],
)
def test_decorator_call(decorator: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(PyCOMPSsException, match=message):
        decorator(**arguments)


@pytest.mark.parametrize(
    "decorator", [constraint(), binary(binary="x"), reduction(), on_failure(management="FAIL"), IO()]
)
def test_decorator_without_task(decorator: Any) -> None:
    with pytest.raises(PyCOMPSsException, match="there is no @task below it"):
        decorator(function)


@pytest.mark.parametrize("value", ["$NO_SUCH_VARIABLE", "no_such_name", "a.b()", "__import__('os')", "a **"])
def test_constraint_that_names_nothing(engine: Runtime, value: str) -> None:
    call = constraint(computing_units=value)(task(returns=1)(function))
    with pytest.raises(PyCOMPSsException, match="@constraint of function"):
        call(1)


@pytest.mark.parametrize("name", ["compss_snapshot", "compss_request_resources", "compss_free_resources"])
def test_function_is_refused_at_call(engine: Runtime, name: str) -> None:
    from pycompss.api import api

    arguments = () if name == "compss_snapshot" else (1, None)
    with pytest.raises(NotSupported, match=name):
        getattr(api, name)(*arguments)


def test_interactive_start_is_refused() -> None:
    from pycompss.api.api import compss_start

    with pytest.raises(NotSupported, match="interactive"):
        compss_start(interactive=True)


def test_reduction_without_collection(engine: Runtime) -> None:
    with pytest.raises(PyCOMPSsException, match="found 0 collections"):
        reduction(chunk_size=2)(task(returns=1)(function))([1, 2, 3])


def test_collection_that_is_none(engine: Runtime) -> None:
    with pytest.raises(PyCOMPSsException, match="expected a collection"):
        task(returns=1, a=COLLECTION_IN)(function)(5)


def test_every_parameter_name_is_there() -> None:
    kinds = ("FILE", "FILE_STDIN", "DIRECTORY", "COLLECTION", "COLLECTION_FILE", "DICTIONARY")
    for name in (*DIRECTION.__dict__, *kinds):
        if not name.startswith("_"):
            assert name in globals(), name


@pytest.mark.parametrize("value", ["arm64", "amd64", "x86_64", "aarch64"])
def test_architectures_have_one_name(value: str) -> None:
    call = constraint(processor_architecture=value)(task()(function))
    (name,) = call.__compss__.constraints.resources
    assert name in ("architecture=arm64", "architecture=amd64")
    assert machine() in ("arm64", "amd64")


@pytest.mark.parametrize(
    "constraints",
    [
        {"processor_speed": "2.0"},
        {"processor_property_name": "x", "processor_property_value": "y"},
        {"processor_internal_memory_size": "1"},
        {"operating_system_version": "10"},
        {"wall_clock_limit": "10"},
        {"is_local": True},
        {"processors": [{"processorType": "CPU", "computingUnits": "1", "speed": "1.0", "name": "MainProcessor"}]},
    ],
    ids=lambda constraints: next(iter(constraints)),
)
def test_constraint_that_changes_nothing_is_taken(engine: Runtime, constraints: dict[str, Any]) -> None:
    call = constraint(**constraints)(task(returns=1)(function))
    assert compss_wait_on(call(1)) == (1, 1)


def test_constraint_of_an_expression() -> None:
    call = constraint(computing_units="max(int((a * 2) / b), -1)")(task()(function))
    assert call.__compss__.needs({"a": 5, "b": 4}) == (2, {})
