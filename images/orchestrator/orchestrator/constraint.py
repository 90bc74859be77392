"""A guarantee's constraint: comparisons of catalogue names and numbers, joined by and, or, not."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from simpleeval import SimpleEval

#: A name of the catalogue has colons, which no Python name has.
NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w:]*")
WORDS = frozenset({"and", "or", "not", "True", "False"})
#: Names of the reference system, by what the catalogue calls them.
ALIASES = {"deadlines_missed": "compss_application:deadlines_missed:sum"}
OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    **{ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv},
    **{ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge},
    **{ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Not: operator.not_, ast.USub: operator.neg},
}
MAX_LENGTH = 1000


class ConstraintError(ValueError):
    """A text that is no constraint."""


class Constraint:
    """`names` are the catalogue's, in the order of the text. Raises ConstraintError."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ConstraintError(f"a constraint of {len(text)} characters; at most {MAX_LENGTH}")
        self.text = text
        places: dict[str, str] = {}

        def placed(match: re.Match[str]) -> str:
            if match[0] in WORDS:
                return match[0]
            return places.setdefault(ALIASES.get(match[0], match[0]), f"m{len(places)}")

        source = NAME.sub(placed, text)
        self.places = places
        self.names = tuple(places)
        try:
            self.tree = ast.parse(source.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise ConstraintError(f"{text!r} is no constraint; expected such as 'deadlines_missed < 1'") from None
        self._condition(self.tree)
        if not places:
            raise ConstraintError(f"{text!r} reads no metric")

    def _condition(self, node: ast.expr) -> None:
        match node:
            case ast.BoolOp():
                for value in node.values:
                    self._condition(value)
            case ast.UnaryOp(op=ast.Not()):
                self._condition(node.operand)
            case ast.Compare() if all(type(one) in OPERATORS for one in node.ops):
                for one in (node.left, *node.comparators):
                    self._number(one)
            case _:
                raise ConstraintError(f"{self.text!r} is no condition: it compares nothing, or by what is not allowed")

    def _number(self, node: ast.expr) -> None:
        match node:
            case ast.Name():
                return
            case ast.Constant() if type(node.value) in (int, float):
                return
            case ast.BinOp() if type(node.op) in OPERATORS:
                self._number(node.left)
                self._number(node.right)
            case ast.UnaryOp(op=ast.USub()):
                self._number(node.operand)
            case _:
                raise ConstraintError(
                    f"{self.text!r} has something else than names, numbers, comparisons, + - * / and, or, not"
                )

    def holds(self, values: Mapping[str, float]) -> bool:
        """Whether it holds for the values of its names. A division by zero does not."""
        names = {place: values[name] for name, place in self.places.items()}
        evaluator = SimpleEval(operators=OPERATORS, functions={}, names=names)
        try:
            return bool(evaluator.eval(self.text, previously_parsed=self.tree))
        except ZeroDivisionError:
            return False
