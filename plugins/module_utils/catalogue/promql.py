# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What an expression reads, told by its syntax tree and not by its text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from .model import CatalogueError

try:
    import promql_parser
except ImportError:  # the modules say so in their own words; see available()
    promql_parser = None  # type: ignore[assignment]

# Prometheus takes these only with a feature flag, and the parser does not mark them.
EXPERIMENTAL_AGGREGATIONS = ("limitk", "limit_ratio")


@dataclass(frozen=True)
class Selector:
    """One series selector of an expression; `name` is empty where only matchers tell it."""

    name: str
    matchers: Mapping[str, str] = field(default_factory=dict)


def available() -> bool:
    return promql_parser is not None


@lru_cache(maxsize=4096)
def selectors(expression: str) -> tuple[Selector, ...]:
    """Every series selector of a PromQL expression that a rule can record, from left to right."""
    if promql_parser is None:
        raise CatalogueError("the Python package promql-parser is missing; install it with: pip install promql-parser")
    try:
        tree = promql_parser.parse(expression)
    except ValueError as error:
        raise CatalogueError(f"is not PromQL: {error}") from error
    root = tree
    while isinstance(root, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        root = root.expr
    if isinstance(root, (promql_parser.MatrixSelector, promql_parser.SubqueryExpr)):
        raise CatalogueError(
            "is a range of samples; a rule records an instant: put a function such as rate() around it"
        )
    if isinstance(root, promql_parser.StringLiteral):
        raise CatalogueError("is a string; a rule records a number or a vector")

    result: list[Selector] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            if node.matchers.or_matchers:
                raise CatalogueError("uses 'or' between label matchers, which Prometheus does not know")
            matchers = {matcher.name: matcher.value for matcher in node.matchers.matchers}
            result.append(Selector(node.name or "", matchers))
        elif isinstance(node, promql_parser.Call) and node.func.experimental:
            raise CatalogueError(
                f"uses the experimental function {node.func.name}, which Prometheus refuses by default"
            )
        elif isinstance(node, promql_parser.AggregateExpr) and str(node.op) in EXPERIMENTAL_AGGREGATIONS:
            raise CatalogueError(f"uses the experimental aggregation {node.op}, which Prometheus refuses by default")
        return True

    promql_parser.walk(tree, visit)
    return tuple(result)
