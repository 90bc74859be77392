"""Constraints: what they mean, and that nothing else than a constraint is ever evaluated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from orchestrator.constraint import ALIASES, Constraint, ConstraintError

MISSED = "compss_application:deadlines_missed:sum"


@pytest.mark.parametrize(
    ("text", "values", "holds"),
    [
        ("deadlines_missed < 1", {MISSED: 0}, True),
        ("deadlines_missed < 1", {MISSED: 1}, False),
        ("compss_application:progress:ratio >= 0.5", {"compss_application:progress:ratio": 0.5}, True),
        ("a:b:c < 1 and d:e:f > 2", {"a:b:c": 0, "d:e:f": 2}, False),
        ("a:b:c < 1 or d:e:f > 2", {"a:b:c": 0, "d:e:f": 2}, True),
        ("not a:b:c < 1", {"a:b:c": 0}, False),
        ("0 < a:b:c <= 5", {"a:b:c": 5}, True),
        ("a:b:c / d:e:f < 0.5", {"a:b:c": 1, "d:e:f": 4}, True),
        ("a:b:c / d:e:f < 0.5", {"a:b:c": 1, "d:e:f": 0}, False),
        ("-a:b:c * 2 + 1 == -5", {"a:b:c": 3}, True),
        ("a:b:c > 1e3", {"a:b:c": 1001}, True),
        ("a:b:c != a:b:c", {"a:b:c": 1}, False),
    ],
)
def test_what_a_constraint_means(text: str, values: dict[str, float], holds: bool) -> None:
    constraint = Constraint(text)
    assert set(constraint.names) == set(values)
    assert constraint.holds(values) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1 < 2",
        "a:b:c",
        "a:b:c + 1",
        "a:b:c <",
        "a:b:c < 'x'",
        "a:b:c < True",
        "a:b:c is None",
        "a:b:c in (1, 2)",
        "a:b:c < 9 ** 9",
        "a:b:c < 1 << 99",
        "a:b:c < len(d:e:f)",
        "a:b:c.real < 1",
        "a:b:c[0] < 1",
        "f'{a}' < 1",
        "a:b:c < [1][0]",
        "a:b:c < (lambda: 1)()",
        "a:b:c < 1 if d:e:f > 1 else 2",
        "(a := 3) < 1",
        "[x for x in a] < 1",
        "__import__('os').system('true') < 1",
        "a:b:c < 1; import os",
        "a:b:c < 1\nimport os",
        "a:b:c < " + "(" * 400 + "1" + ")" * 400,
        "a:b:c < 1" + " " * 1000,
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ConstraintError):
        Constraint(text)


@given(st.text(alphabet="ab:1.<>=!()+-*/ andornot[]{}'\"\\\n_fx,;@%^&|~", max_size=60))
def test_whatever_stands_there_is_a_constraint_or_refused(text: str) -> None:
    try:
        constraint = Constraint(text)
    except ConstraintError:
        return
    assert constraint.holds(dict.fromkeys(constraint.names, 1.0)) in (True, False)


def test_the_reference_systems_name_stands_for_a_name_of_the_catalogue() -> None:
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue import Catalogue

    entries = Catalogue().entries
    assert all(name in entries for name in ALIASES.values())
