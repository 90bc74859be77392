# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""A site's own metrics: every valid one renders to what Prometheus takes, every broken one is refused by name."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import (
    CATEGORIES,
    METRICS,
    Catalogue,
    CatalogueError,
    Selection,
    rules_file,
)
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.model import TYPES, UNITS
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.rules import KEY_LABELS
from ansible_collections.continuum.edge.tests.rules import promtool

# A few entries of the collection's own stand for all of them, which keeps ten thousand cases quick.
OWN_NAMES = ("container:cpu_usage_cores:rate", "pod:cpu_usage_cores:rate", "namespace:cpu_usage_cores:rate")
BASE = tuple(metric for metric in METRICS if metric.name in OWN_NAMES)
CASES = settings(
    max_examples=5000,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

words = st.sampled_from(["a", "site", "frames", "camera_1", "x9", "queue", "_hidden"])
names = st.builds("{}:{}:{}".format, words, words, words)
labels = st.sampled_from(["site", "zone", "camera", "node", "pod", "le"])
own_labels = st.sampled_from(["site", "zone", "team", "Tier", "_private"]).filter(lambda name: name not in KEY_LABELS)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.one_of(st.integers(-9, 10**6).map(str), st.sampled_from(["0.5", "1e-3", "+Inf", "NaN", "0x1f"]))
durations = st.sampled_from(["$window", "$trend", "5m", "1h30m", "90s"])


def string(value: str) -> str:
    """A PromQL string within a template."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return '"' + escaped.replace("$", "$$") + '"'


matcher = st.one_of(
    st.sampled_from(["$cadvisor", "$kube_state_metrics", '$cluster="edge"']),
    st.builds(lambda name, op, value: name + op + string(value), labels, st.sampled_from(["=", "!="]), texts),
    st.builds(lambda name, op: name + op + '"a|b.*"', labels, st.sampled_from(["=~", "!~"])),
)
matchers = st.lists(matcher, max_size=3).map(lambda parts: "{" + ", ".join(parts) + "}" if parts else "")
raw = st.builds(str.__add__, st.sampled_from(["up", "frames_total", "queue_length", "Latency_bucket"]), matchers)
by = st.lists(labels, max_size=3, unique=True).map(", ".join)


# Expressions that give a vector, over raw series, records of the collection and, where EARLIER stands, one of the site's.
vectors = st.recursive(
    st.one_of(
        raw,
        st.builds("{}({}[{}])".format, st.sampled_from(["rate", "increase", "max_over_time", "deriv"]), raw, durations),
        st.builds(str.__add__, st.sampled_from([*OWN_NAMES, "EARLIER", "EARLIER"]), matchers),
        st.builds("{} offset 5m".format, raw),
        st.just("vector(time())"),
    ),
    lambda inner: st.one_of(
        st.builds("{} by ($cluster, {}) ({})".format, st.sampled_from(["sum", "max", "avg", "group"]), by, inner),
        st.builds("sum without ({}) ({})".format, by, inner),
        st.builds("topk({}, {})".format, st.integers(1, 5), inner),
        st.builds("({}) {} {}".format, inner, st.sampled_from(["+", "/", ">", "== bool", "^"]), numbers),
        st.builds("({}) {} on ({}) ({})".format, inner, st.sampled_from(["-", "and", "or", "unless"]), by, inner),
        st.builds("({}) * on ({}) group_left (rack) ({})".format, inner, labels, inner),
        st.builds("-({})".format, inner),
        st.builds("clamp_min({}, {})".format, inner, numbers),
        st.builds("histogram_quantile(0.9, {})".format, inner),
        st.builds('label_replace({}, "x", "$$1", "y", "(.*)")'.format, inner),
        st.builds("max_over_time(({})[10m:1m])".format, inner),
        st.builds("absent({})".format, inner),
    ),
    max_leaves=4,
)


chosen = st.lists(names, min_size=1, max_size=4, unique=True)
meanings = texts.filter(str.strip)
options = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(CATEGORIES),
        "unit": st.sampled_from(UNITS),
        "type": st.sampled_from(TYPES),
        "absent": texts,
        "warning": st.floats(allow_nan=False),
        "critical": st.none(),
        "labels": st.dictionaries(own_labels, texts, max_size=2),
    },
)


@st.composite
def extensions(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Metrics of a site, of which later ones may read earlier ones."""
    metrics: list[dict[str, Any]] = []
    for name in draw(chosen):
        expr = draw(vectors).replace("EARLIER", metrics[-1]["name"] if metrics else "up")
        metrics.append({"name": name, "expr": expr, "meaning": draw(meanings), **draw(options)})
    return metrics


def groups(extras: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return Catalogue(metrics=BASE, alerts=(), extra_metrics=extras).groups(Selection())


def test_valid_extensions(tmp_path: Path) -> None:
    files: list[str] = []

    @CASES
    @given(extensions(), st.randoms(use_true_random=False))
    def case(extras: list[dict[str, Any]], chance: random.Random) -> None:
        rule_groups = groups(extras)
        content = rules_file(rule_groups)
        assert rules_file(groups(extras)) == content
        shuffled = list(extras)
        chance.shuffle(shuffled)
        assert json.dumps(groups(shuffled)) == json.dumps(rule_groups)
        made = [rule["record"] for group in rule_groups for rule in group["rules"]]
        assert sorted(made) == sorted([*OWN_NAMES, *(item["name"] for item in extras)])
        name = f"{len(files)}.yml"
        (tmp_path / name).write_text(content, encoding="utf-8")
        files.append(name)

    case()
    assert len(files) >= 5000
    result = promtool.run("check", "rules", "--lint=none", *files, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[:4000]
    assert result.stdout.count("SUCCESS") == len(files)


def other(item: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**item, **changes}


# How to break an extension: what it does to it, and what the refusal must name besides.
BREAKERS: dict[str, tuple[Callable[[dict[str, Any]], list[dict[str, Any]]], str]] = {
    "two parts": (lambda item: [other(item, name="site:frames")], "site:frames"),
    "capitals": (lambda item: [other(item, name="Site:frames:rate")], "Site:frames:rate"),
    "empty part": (lambda item: [other(item, name="site::rate")], "site::rate"),
    "blank in name": (lambda item: [other(item, name="a b:c:d")], "a b:c:d"),
    "twice": (lambda item: [item, dict(item)], "already in extra_metrics"),
    "the collection's": (lambda item: [other(item, name="pod:cpu_usage_cores:rate")], "already in the catalogue"),
    "open parenthesis": (lambda item: [other(item, expr=item["expr"] + " + (")], "not PromQL"),
    "dangling operator": (lambda item: [other(item, expr=item["expr"] + " /")], "not PromQL"),
    "unknown function": (lambda item: [other(item, expr=f"averange({item['expr']})")], "not PromQL"),
    "range": (lambda item: [other(item, expr="frames_total[5m]")], "range"),
    "subquery": (lambda item: [other(item, expr=f"({item['expr']})[5m:1m]")], "range"),
    "string": (lambda item: [other(item, expr='"text"')], "string"),
    "rate of an instant": (lambda item: [other(item, expr=f"rate({item['expr']})")], "not PromQL"),
    "bad regular expression": (lambda item: [other(item, expr='up{a=~"("}')], "not PromQL"),
    "experimental": (lambda item: [other(item, expr="mad_over_time(up[5m])")], "experimental"),
    "unknown placeholder": (lambda item: [other(item, expr=item["expr"] + " + up{$cadviser}")], "$cadviser"),
    "lone dollar": (lambda item: [other(item, expr=item["expr"] + " + $ ")], "$$"),
    "unknown record": (lambda item: [other(item, expr=item["expr"] + " + pod:cpu_usage:rate")], "pod:cpu_usage:rate"),
    "itself": (lambda item: [other(item, expr=f"{item['expr']} + {item['name']}")], "circle"),
    "circle": (
        lambda item: [other(item, expr="site:circle:one"), other(item, name="site:circle:one", expr=item["name"])],
        "site:circle:one",
    ),
    "label that tells records apart": (lambda item: [other(item, labels={"node": "n1"})], "'node'"),
    "bad label": (lambda item: [other(item, labels={"a-b": "c"})], "'a-b'"),
    "label that is no text": (lambda item: [other(item, labels={"site": 1})], "site"),
    "unknown unit": (lambda item: [other(item, unit="furlongs")], "furlongs"),
    "unknown category": (lambda item: [other(item, category="weather")], "weather"),
    "unknown type": (lambda item: [other(item, type="histogramm")], "histogramm"),
    "unknown key": (lambda item: [other(item, expresion="up")], "expresion"),
    "no meaning": (lambda item: [other(item, meaning=" ")], "meaning"),
    "threshold that is no number": (lambda item: [other(item, warning="high")], "warning"),
    "expr that is no text": (lambda item: [other(item, expr=5)], "expr"),
}


@settings(CASES, max_examples=170)
@given(extensions())
def test_broken_extensions(extras: list[dict[str, Any]]) -> None:
    """Each example is broken in each way: 170 times 30 cases."""
    *before, last = extras
    for how, (breaker, named) in BREAKERS.items():
        broken = breaker(last)
        with pytest.raises(CatalogueError) as refusal:
            groups([*before, *broken])
        assert named in str(refusal.value), how
        assert any(item["name"] in str(refusal.value) for item in broken), how
