"""The decorators that stand above @task: each notes what it says in the task's definition."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from . import context
from .definition import Definition, checked_on_failure, definition_of
from .errors import PyCOMPSsException, unsupported
from .resources import CONSTRAINTS, LEGACY, UNASSIGNED, architecture

Function = Callable[..., Any]
Decorator = Callable[[Function], Function]

LEGACY_IMPLEMENT = {"sourceClass": "source_class"}
# Constraints that change nothing here.
WITHOUT_EFFECT = ("is_local", "wall_clock_limit")


def constraint(**arguments: Any) -> Decorator:
    """`@constraint(computing_units=2, memory_size="4.0", processor_architecture="arm64")`."""

    def decorate(function: Function) -> Function:
        definition = definition_of(function, "constraint")
        where = f"@constraint of {definition.name}"
        for given, value in arguments.items():
            name = LEGACY.get(given, given)
            if name == "is_local" and not isinstance(value, bool):
                raise PyCOMPSsException(f"{where}: is_local is {value!r}, expected a boolean")
            if name == "computing_units":
                definition.constraints.units = value
            elif name == "processors":
                _processors(definition, value, where)
            elif name in CONSTRAINTS:
                _constrain(definition, name, value)
            elif name not in WITHOUT_EFFECT:
                raise unsupported(f"constraint {given}", where)
        return function

    return decorate


def _constrain(definition: Definition, name: str, value: Any) -> None:
    """Note one constraint as the resources that it asks for."""
    resource, is_amount = CONSTRAINTS[name]
    if value in UNASSIGNED or (name == "processor_type" and str(value).upper() == "CPU"):
        return
    if is_amount:
        definition.constraints.resources[resource] = value
        return
    values = str(value).split(",") if resource in ("software", "queue") else [str(value)]
    for entry in values:
        text = architecture(entry.strip()) if resource == "architecture" else entry.strip()
        definition.constraints.resources[f"{resource}={text.lower()}"] = 1


def _processors(definition: Definition, value: Any, where: str) -> None:
    for processor in value:
        entry = {LEGACY.get(name, name): content for name, content in processor.items()}
        kind = str(entry.pop("processor_type", "CPU")).lower()
        units = entry.pop("computing_units", 1)
        if kind == "cpu":
            definition.constraints.units = units
        else:
            definition.constraints.resources[kind] = units
        for given, content in entry.items():
            name = given if given.startswith("processor_") else f"processor_{given}"
            if name not in CONSTRAINTS:
                raise unsupported(f"constraint processors: {given}", where)
            _constrain(definition, name, content)


def binary(**arguments: Any) -> Decorator:
    """`@binary(binary="grep", working_dir=…, args=…, fail_by_exit_value=…)`: the task is a program."""
    names = {"binary", "working_dir", "workingDir", "args", "params", "fail_by_exit_value", "engine", "image"}
    for name in sorted(set(arguments) - names):
        print(f"WARNING: @binary: the argument {name} is unknown; it has no effect", file=sys.stderr)
    if "binary" not in arguments:
        raise PyCOMPSsException("@binary: the argument binary is missing")
    for name in ("engine", "image"):
        if arguments.get(name) not in UNASSIGNED:
            raise unsupported(f"@binary({name}=…)")

    def decorate(function: Function) -> Function:
        definition = definition_of(function, "binary")
        definition.binary = _program(arguments, True) | {
            "parameters": {
                name: (parameter.stream, parameter.prefix, _mode(parameter))
                for name, parameter in definition.parameters.items()
            },
        }
        return function

    return decorate


def _program(arguments: dict[str, Any], fails: bool) -> dict[str, Any]:
    """A program as a worker runs it; `fails`: whether an exit value other than 0 is a failure where nothing is said."""
    value = arguments.get("fail_by_exit_value", fails)
    return {
        "binary": os.path.expandvars(str(arguments["binary"])),
        "working_dir": str(arguments.get("working_dir", arguments.get("workingDir", "")) or ""),
        "args": arguments.get("args", arguments.get("params")),
        "fail_by_exit_value": value.strip().lower() == "true" if isinstance(value, str) else bool(value),
        "parameters": {},
    }


def _around(place: str, fails: bool) -> Callable[..., Decorator]:
    def decorator(**arguments: Any) -> Decorator:
        if unknown := set(arguments) - {"binary", "args", "params", "fail_by_exit_value"}:
            raise PyCOMPSsException(f"@{place}: unknown arguments {sorted(unknown)}")
        if "binary" not in arguments:
            raise PyCOMPSsException(f"@{place}: the argument binary is missing")

        def decorate(function: Function) -> Function:
            program = _program(arguments, fails)
            program["args"] = program["args"] or ""
            definition_of(function, place).around[place] = program
            return function

        return decorate

    decorator.__doc__ = (
        f"`@{place}(binary=…, args=…)`: a program that the worker runs {'before' if fails else 'after'} the task."
    )
    return decorator


#: A prolog that fails fails the task; an epilog only if it says so.
prolog, epilog = _around("prolog", True), _around("epilog", False)


def implement(**arguments: Any) -> Decorator:
    """`@implement(source_class="module", method="name")`: does the same as another task; whichever is called runs."""
    names = {LEGACY_IMPLEMENT.get(name, name) for name in arguments}
    if names != {"source_class", "method"}:
        raise PyCOMPSsException(f"@implement: found {sorted(arguments)}, expected source_class and method")

    def decorate(function: Function) -> Function:
        definition_of(function, "implement")
        return function

    return decorate


def software(*, config_file: str) -> Decorator:
    """`@software(config_file="x.json")`: the decorators above a task, from a file."""
    where = f"@software(config_file={config_file!r})"
    try:
        content = json.loads(Path(os.path.expandvars(config_file)).read_text())
    except (OSError, ValueError) as error:
        raise PyCOMPSsException(f"{where}: cannot be read as JSON: {error}") from error
    execution = dict(content.get("execution") or {})
    kind = str(execution.pop("type", "task")).lower()
    if kind not in ("task", "binary"):
        raise unsupported(f"type {kind}", where)
    if unknown := set(content) - {"execution", "constraints", "prolog", "epilog"}:
        raise unsupported(", ".join(sorted(unknown)), where)
    decorators = [binary(**execution)] if kind == "binary" else []
    for name, decorator in (("constraints", constraint), ("prolog", prolog), ("epilog", epilog)):
        if name in content:
            decorators.append(decorator(**content[name]))

    def decorate(function: Function) -> Function:
        definition_of(function, "software")
        for decorator in decorators:
            function = decorator(function)
        return function

    return decorate


def _mode(parameter: Any) -> str:
    if parameter.stream in ("", "STDIN"):
        return "rb"
    return "wb" if parameter.direction == "OUT" else "ab"


def reduction(**arguments: Any) -> Decorator:
    """`@reduction(chunk_size=…)`: the task's collection is reduced in chunks, the chunks' results likewise."""
    if unknown := set(arguments) - {"chunk_size", "is_reduce"}:
        raise PyCOMPSsException(f"@reduction: unknown arguments {sorted(unknown)}")
    size = arguments.get("chunk_size", 0)
    if isinstance(size, str) and size.strip().startswith("$"):
        name = size.strip()[1:].strip("{}")
        if name not in os.environ:
            raise PyCOMPSsException(f"@reduction: environment variable {name} is not set")
        size = os.environ[name]
    try:
        count = int(size)
    except (TypeError, ValueError):
        raise PyCOMPSsException(f"@reduction: chunk_size is {size!r}, expected a number") from None

    def decorate(function: Function) -> Function:
        definition = definition_of(function, "reduction")
        definition.chunk_size = count
        definition.reduces = bool(arguments.get("is_reduce", True))
        return function

    return decorate


def on_failure(*, management: str, **defaults: Any) -> Decorator:
    """`@on_failure(management="IGNORE", returns=0)`: what happens when the task fails, and what then stands for it."""

    def decorate(function: Function) -> Function:
        definition = definition_of(function, "on_failure")
        definition.on_failure = checked_on_failure(management, f"@on_failure of {definition.name}")
        definition.defaults = dict(defaults)
        return function

    return decorate


def io(**arguments: Any) -> Decorator:
    """`@IO()`: the task waits for input or output most of the time and takes no computing unit."""
    if arguments:
        raise PyCOMPSsException(f"@IO: unknown arguments {sorted(arguments)}")

    def decorate(function: Function) -> Function:
        definition_of(function, "IO").constraints.units = 0
        return function

    return decorate


def local(function: Function) -> Function:
    """`@local`: a function of the main program that waits for the values of its arguments."""

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if context.role == "master" and context.runtime is not None:
            args, kwargs = context.runtime.wait_on((args, kwargs), in_place=True)
        return function(*args, **kwargs)

    return call
