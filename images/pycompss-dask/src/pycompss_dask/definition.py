"""What @task and the decorators above it say about a function, read once."""

from __future__ import annotations

import ast
import inspect
import os
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import update_wrapper
from pathlib import Path
from typing import Any

import cloudpickle

from . import context
from .description import run_binary
from .errors import PyCOMPSsException, unsupported
from .parameters import IN, INOUT, Parameter, described
from .wire import Blob

ON_FAILURE = ("RETRY", "CANCEL_SUCCESSORS", "FAIL", "IGNORE")

# Arguments of @task that are hints to COMPSs' own scheduler or tracing and change no result.
HINTS = {"cache_returns": True, "is_distributed": False, "isDistributed": False, "tracing_hook": False}
# Arguments that this engine cannot honour, with the values that ask for nothing.
REFUSED: dict[str, tuple[Any, ...]] = {
    "computing_nodes": (1, "1"),
    "processes_per_node": (1, "1"),
    "config_file": (None,),
}
# Numba's decorators.
NUMBA = ("jit", "njit", "generated_jit", "vectorize", "guvectorize", "stencil", "cfunc")
LEGACY = {
    "isReplicated": "is_replicated",
    "targetDirection": "target_direction",
    "timeOut": "time_out",
    "varargsType": "varargs_type",
}
ARGUMENTS = {
    "returns": None,
    "priority": False,
    "defaults": None,
    "time_out": 0,
    "is_replicated": False,
    "on_failure": "RETRY",
    "target_direction": INOUT,
    "varargs_type": IN,
    "is_reduce": False,
    "chunk_size": 0,
    "numba": None,
    "numba_flags": None,
    "numba_signature": None,
    "numba_declaration": None,
}


@dataclass
class Constraints:
    """What a task needs of a worker: a number of computing units, and amounts of the worker's other resources."""

    units: Any = 1
    resources: dict[str, Any] = field(default_factory=dict)


class Definition:
    """A task: its function and everything that its decorators say."""

    def __init__(self, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        self.function = function
        self.name = function.__name__
        where = f"@task of {self.name}"
        arguments = {LEGACY.get(name, name): value for name, value in arguments.items()}
        self.options = {name: arguments.pop(name, default) for name, default in ARGUMENTS.items()}
        for name in HINTS:
            arguments.pop(name, None)
        for name, harmless in REFUSED.items():
            if name in arguments and arguments.pop(name) not in harmless:
                raise unsupported(name, where)
        self.on_failure = checked_on_failure(self.options["on_failure"], where)
        self.defaults: dict[str, Any] = dict(self.options["defaults"] or {})
        self.time_out = float(self.options["time_out"] or 0)
        self.priority = 10 if self.options["priority"] in (True, "true", "True") else 0
        self.replicated = bool(self.options["is_replicated"])
        for name in ("target_direction", "varargs_type"):
            if not isinstance(self.options[name], Parameter):
                raise PyCOMPSsException(
                    f"{where}: {name} is {self.options[name]!r}, expected a direction such as INOUT"
                )
        self.constraints = Constraints()
        #: How workers compile the function.
        self.numba = numba_of(self.options, where)
        #: The program of a @binary task.
        self.binary: dict[str, Any] | None = None
        #: The programs of `prolog` and `epilog`.
        self.around: dict[str, dict[str, Any]] = {}
        self.chunk_size = int(self.options["chunk_size"] or 0)
        self.reduces = bool(self.options["is_reduce"])

        self.signature = inspect.signature(function)
        kinds = [parameter.kind for parameter in self.signature.parameters.values()]
        self.names = list(self.signature.parameters)
        self.varargs = next((n for n, k in zip(self.names, kinds, strict=True) if k is k.VAR_POSITIONAL), None)
        self.varkw = next((n for n, k in zip(self.names, kinds, strict=True) if k is k.VAR_KEYWORD), None)
        self.of_object = bool(self.names) and self.names[0] == "self"
        if self.varkw is None:
            for name in sorted(set(arguments) - set(self.names)):
                # An argument that is unknown changes nothing, as with COMPSs.
                print(
                    f"WARNING: {where}: {name} is neither an argument of @task nor a parameter of the function;"
                    " it has no effect",
                    file=sys.stderr,
                )
                del arguments[name]
        self.parameters = {name: described(value, f"{where}, {name}") for name, value in arguments.items()}
        if self.of_object:
            self.parameters.setdefault("self", self.options["target_direction"])
        if self.varargs:
            self.parameters.setdefault(self.varargs, self.options["varargs_type"])
        if inspect.iscoroutinefunction(function):
            raise unsupported("a coroutine as task", where)
        self._returns: Any = None
        self._by_reference: bool | None = None

    def parameter(self, name: str) -> Parameter:
        return self.parameters.get(name, IN)

    # How many values a call returns

    def returns(self, override: Any, bound: dict[str, Any]) -> tuple[int, list[Any]]:
        """How many values a call returns, and of which types where that is said."""
        declared = override if override is not None else self.options["returns"]
        if not declared:
            if self.binary is not None:
                return 0, []
            if self._returns is None:
                self._returns = returns_in_code(self.function)
            return self._returns, [None] * self._returns
        if isinstance(declared, str):
            count = self._returns_from_text(declared.strip(), bound)
            return count, [None] * count
        if isinstance(declared, (list, tuple)):
            return len(declared), list(declared)
        if isinstance(declared, bool):
            return 1, [None]
        if isinstance(declared, int):
            return declared, [None] * declared
        return 1, [declared]

    def _returns_from_text(self, text: str, bound: dict[str, Any]) -> int:
        try:
            if text.isdigit():
                return int(text)
            if text.startswith(("value_of", "{{")):
                name, *attributes = text.removeprefix("value_of").strip().strip("(){}").strip().split(".")
                value = bound[name]
                for attribute in attributes:
                    value = getattr(value, attribute)
                return int(value)
            return int(self.function.__globals__[text])
        except (KeyError, AttributeError, ValueError, TypeError) as error:
            raise PyCOMPSsException(
                f"@task of {self.name}: returns={text!r} is no number, global variable or value_of(parameter)"
            ) from error

    # How workers find the function

    def reference(self) -> Any:
        """(module, qualified name) where a worker can import the function, else the function itself, pickled."""
        if self.binary is not None:
            return None
        if self._by_reference is None:
            self._by_reference = importable(self.function)
        if self._by_reference:
            return self.function.__module__, self.function.__qualname__
        module = sys.modules.get(self.function.__module__)
        by_value = module is not None and module.__name__ != "__main__"
        if by_value:
            cloudpickle.register_pickle_by_value(module)
        try:
            return Blob(cloudpickle.dumps(self.function))
        finally:
            if by_value:
                cloudpickle.unregister_pickle_by_value(module)

    def run_binary(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
        """Run the program of a @binary task here and now."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        names: list[str] = []
        values: list[Any] = []
        for name, value in bound.arguments.items():
            several = value if name == self.varargs else [value]
            names += [name] * len(several)
            values += several
        return run_binary(self.binary or {}, names, values)

    # Resources that constraints ask for

    def needs(self, bound: dict[str, Any]) -> tuple[int, dict[str, float]]:
        """Computing units and other resources of one call; values may name parameters, globals or the environment."""
        constraints = self.constraints
        if constraints.units == 1 and not constraints.resources:
            return 1, {}
        units = int(self._amount(constraints.units, bound))
        resources = {name: float(self._amount(value, bound)) for name, value in constraints.resources.items()}
        return max(units, 0), resources

    def _amount(self, value: Any, bound: dict[str, Any]) -> Any:
        if not isinstance(value, str):
            return value
        text = value.strip()
        if text.startswith("$"):
            name = text[1:].strip("{}")
            if name not in os.environ:
                raise PyCOMPSsException(f"@constraint of {self.name}: environment variable {name} is not set")
            return os.environ[name]
        try:
            return float(text)
        except ValueError:
            names = {**self.function.__globals__, **bound}
            try:
                return arithmetic(ast.parse(text, mode="eval").body, names)
            except (SyntaxError, KeyError, PyCOMPSsException) as error:
                raise PyCOMPSsException(
                    f"@constraint of {self.name}: {text!r} is no number, parameter, global or expression of these"
                ) from error


def arithmetic(node: ast.expr, names: dict[str, Any]) -> Any:
    """The value of an expression of names, numbers, + - * / // % and simple functions of them."""
    operators: dict[type, Callable[[Any, Any], Any]] = {
        ast.Add: lambda a, b: a + b,
        ast.Sub: lambda a, b: a - b,
        ast.Mult: lambda a, b: a * b,
        ast.Div: lambda a, b: a / b,
        ast.FloorDiv: lambda a, b: a // b,
        ast.Mod: lambda a, b: a % b,
    }
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return names[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -arithmetic(node.operand, names)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        function = {each.__name__: each for each in (int, float, round, abs, min, max)}.get(node.func.id)
        if function is not None:
            return function(*[arithmetic(argument, names) for argument in node.args])
    if isinstance(node, ast.BinOp) and type(node.op) in operators:
        return operators[type(node.op)](arithmetic(node.left, names), arithmetic(node.right, names))
    raise PyCOMPSsException(f"{ast.unparse(node)} is not an arithmetic expression")


def checked_on_failure(value: Any, where: str) -> str:
    if value not in ON_FAILURE:
        raise PyCOMPSsException(f"{where}: on_failure is {value!r}, expected one of {', '.join(ON_FAILURE)}")
    return str(value)


def numba_of(options: dict[str, Any], where: str) -> tuple[str, tuple[Any, ...], dict[str, Any]] | None:
    """Numba's decorator for the task, with its arguments by position and by name; None where it is not compiled."""
    asked = options["numba"]
    if asked in (None, False):
        return None
    flags = dict(options["numba_flags"] or {})
    if isinstance(asked, dict):
        flags, asked = {**asked, **flags}, True
    decorator = "jit" if asked is True else asked
    if decorator not in NUMBA:
        raise PyCOMPSsException(f"{where}: numba is {asked!r}, expected True, flags or one of {', '.join(NUMBA)}")
    types = [options[name] for name in ("numba_signature", "numba_declaration") if options[name] is not None]
    return decorator, tuple(types), flags


def importable(function: Callable[..., Any]) -> bool:
    """Whether a worker finds the function by its module's path below `sys.path`, or in the application's script."""
    if "<locals>" in function.__qualname__:
        return False
    module = sys.modules.get(function.__module__)
    file = getattr(module, "__file__", None)
    if module is None or file is None:
        return False
    if module.__name__ == "__main__":
        return context.runtime is not None and context.runtime.main is not None
    relative = Path(*module.__name__.split("."))
    candidates = {relative.with_suffix(".py"), relative / "__init__.py"}
    where = Path(file).resolve()
    return any(where == (Path(entry or ".") / candidate).resolve() for entry in sys.path for candidate in candidates)


def returns_in_code(function: Callable[..., Any]) -> int:
    """How many values a function without `returns` gives back: by its annotation, else by its return statements.

    `-> (int, list)` are two values; any other type, a tuple's too, is one.
    """
    annotation = getattr(function, "__annotations__", {}).get("return", inspect.Signature.empty)
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, function.__globals__)  # noqa: S307 - the script's own text
        except Exception:
            # The annotation names what only type checkers see: it stands for a value of some type.
            annotation = Any
    if annotation is not inspect.Signature.empty:
        if isinstance(annotation, tuple):
            return len(annotation)
        return 0 if annotation is None else 1
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return 0
    count = 0
    pending = list(ast.iter_child_nodes(tree.body[0]))
    while pending:
        node = pending.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            elements = node.value.elts if isinstance(node.value, (ast.Tuple, ast.List)) else [node.value]
            count = max(count, len(elements))
        pending.extend(ast.iter_child_nodes(node))
    return count


def task_decorator(**arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`@task(...)`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        if isinstance(function, (classmethod, staticmethod)):
            raise PyCOMPSsException(
                f"@task of {function.__func__.__name__}: put @{type(function).__name__} above @task"
            )
        definition = Definition(function, arguments)

        def call(*args: Any, **kwargs: Any) -> Any:
            if context.role == "master" and context.runtime is not None:
                return context.runtime.call(definition, args, kwargs)
            if context.role == "worker":
                print(
                    f"WARNING: Calling task: {definition.name} from this task.\n"
                    "         It will be executed sequentially within the caller task.",
                    file=sys.stderr,
                )
            if "returns" not in definition.names:
                kwargs.pop("returns", None)
            if definition.binary is not None:
                return definition.run_binary(args, kwargs)
            return definition.function(*args, **kwargs)

        update_wrapper(call, function)
        call.__compss__ = definition  # type: ignore[attr-defined]
        return call

    return decorate


def definition_of(function: Callable[..., Any], decorator: str) -> Definition:
    """The task that a decorator stands above of."""
    definition = getattr(function, "__compss__", None)
    if definition is None:
        raise PyCOMPSsException(
            f"@{decorator} of {getattr(function, '__name__', function)}: there is no @task below it"
        )
    return definition  # type: ignore[no-any-return]
