# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Which labels the series of an expression have, told by its syntax tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import promql

try:
    import promql_parser
except ImportError:  # promql.available() says so
    promql_parser = None  # type: ignore[assignment]

SELECTING = ("topk", "bottomk", "limitk", "limit_ratio")


@dataclass(frozen=True)
class Labels:
    """The labels that series may have: `names`, or, where `others` is true, any but those in `dropped`."""

    names: frozenset[str] = frozenset()
    others: bool = False
    dropped: frozenset[str] = frozenset()

    def __or__(self, other: Labels) -> Labels:
        if self.others or other.others:
            named = self.names | other.names
            dropped = [side.dropped - named for side in (self, other) if side.others]
            return Labels(named, True, frozenset.intersection(*dropped))
        return Labels(self.names | other.names)

    def __and__(self, other: Labels) -> Labels:
        if self.others and other.others:
            dropped = self.dropped | other.dropped
            return Labels((self.names | other.names) - dropped, True, dropped)
        if self.others:
            return self.only(other.names)
        return other.only(self.names)

    def only(self, names: frozenset[str]) -> Labels:
        """What is left where these are kept."""
        return Labels(names - self.dropped if self.others else names & self.names)

    def without(self, names: frozenset[str]) -> Labels:
        return Labels(self.names - names, self.others, self.dropped | names if self.others else frozenset())

    def plus(self, names: frozenset[str]) -> Labels:
        return Labels(self.names | names, self.others, self.dropped - names)


NONE, ANY = Labels(), Labels(others=True)


def labels(expression: str, records: Mapping[str, Labels]) -> Labels:
    """The labels that series of a PromQL expression may have, without their name.

    `records` tells those of recorded series by name; a series that is not in it may have any.
    Raises CatalogueError where the expression is no PromQL that a rule can record.
    """
    promql.selectors(expression)
    return _of(promql_parser.parse(expression), records)


def _of(node: Any, records: Mapping[str, Labels]) -> Labels:
    rule = _RULES.get(type(node).__name__)
    return rule(node, records) if rule else NONE  # a number or a text has none


def _inner(node: Any, records: Mapping[str, Labels]) -> Labels:
    return _of(node.expr, records)


def _equal(node: Any) -> dict[str, str]:
    return {m.name: m.value for m in node.matchers.matchers if m.op == promql_parser.MatchOp.Equal}


def _selector(node: Any, records: Mapping[str, Labels]) -> Labels:
    equal = _equal(node)
    empty = frozenset(name for name, value in equal.items() if not value)
    return records.get(node.name or equal.get("__name__", ""), ANY).without(empty)


def _aggregation(node: Any, records: Mapping[str, Labels]) -> Labels:
    inner, operation = _of(node.expr, records), str(node.op)
    if operation in SELECTING:
        return inner
    grouped = NONE
    if node.modifier is not None:
        names = frozenset(node.modifier.labels)
        by = node.modifier.type == promql_parser.AggModifierType.By
        grouped = inner.only(names) if by else inner.without(names)
    return grouped.plus(frozenset({node.param.val})) if operation == "count_values" else grouped


def _is_scalar(node: Any) -> bool:
    if isinstance(node, promql_parser.Call):
        return bool(node.func.return_type == promql_parser.ValueType.Scalar)
    if isinstance(node, (promql_parser.ParenExpr, promql_parser.UnaryExpr)):
        return _is_scalar(node.expr)
    if isinstance(node, promql_parser.BinaryExpr):
        return _is_scalar(node.lhs) and _is_scalar(node.rhs)
    return isinstance(node, promql_parser.NumberLiteral)


def _binary(node: Any, records: Mapping[str, Labels]) -> Labels:
    left, right, operation = _of(node.lhs, records), _of(node.rhs, records), str(node.op)
    if operation == "or":
        return left | right
    if operation in ("and", "unless") or _is_scalar(node.rhs):
        return left
    if _is_scalar(node.lhs):
        return right
    modifier, cards = node.modifier, promql_parser.VectorMatchCardinality
    if modifier is None or modifier.card == cards.OneToOne:
        matching = modifier.matching if modifier else None
        if matching is None:
            return left & right
        names = frozenset(matching.labels)
        on = matching.type == promql_parser.LabelModifierType.Include
        return left.only(names) & right.only(names) if on else left.without(names) & right.without(names)
    many, one = (left, right) if modifier.card == cards.ManyToOne else (right, left)
    included = frozenset(modifier.group_labels or ())
    return many.without(included).plus(one.only(included).names)


def _call(node: Any, records: Mapping[str, Labels]) -> Labels:
    name, arguments = node.func.name, node.args
    if name in ("absent", "absent_over_time"):
        inner = arguments[0]
        selector = inner.vector_selector if isinstance(inner, promql_parser.MatrixSelector) else inner
        if not isinstance(selector, promql_parser.VectorSelector):
            return NONE
        matched = [matcher.name for matcher in selector.matchers.matchers]
        return Labels(
            frozenset(n for n, value in _equal(selector).items() if value and matched.count(n) == 1) - {"__name__"}
        )
    if name == "vector" or _is_scalar(node):
        return NONE
    vectors = (argument for argument in arguments if not isinstance(argument, promql_parser.StringLiteral))
    inner = next((_of(vector, records) for vector in vectors if not _is_scalar(vector)), NONE)
    if name in ("label_replace", "label_join"):
        target = frozenset({arguments[1].val})
        emptied = name == "label_replace" and not arguments[2].val
        return inner.without(target) if emptied and not arguments[4].val else inner.plus(target)
    return inner.without(frozenset({"le"})) if name.startswith("histogram_quantile") else inner


# By the kind of a node of the syntax tree.
_RULES: dict[str, Callable[[Any, Mapping[str, Labels]], Labels]] = {
    "VectorSelector": _selector,
    "MatrixSelector": lambda node, records: _selector(node.vector_selector, records),
    "SubqueryExpr": _inner,
    "ParenExpr": _inner,
    "UnaryExpr": _inner,
    "AggregateExpr": _aggregation,
    "BinaryExpr": _binary,
    "Call": _call,
}
