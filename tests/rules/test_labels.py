# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The labels that are told from an expression's syntax are those that Prometheus gives its series."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import METRICS, Catalogue, Selection, rules_file
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.labels import Labels, labels
from ansible_collections.continuum.edge.tests.rules import promtool

HERE = Path(__file__).parent
RECORDS = [metric.name for metric in METRICS]
SERIES = re.compile(r'\{__name__="(?P<name>[^"]+)"(?P<labels>(?:, \w+="[^"]*")*)\}')
# Raw series a and b, their labels, and a record with labels that are known.
RAW = {"left": "x y z", "right": "x y w"}
KNOWN = {"of:x:y": Labels(frozenset({"x", "y"}))}


def returned(tmp_path: Path, document: dict) -> str:
    """What promtool has for expressions that are said to give nothing."""
    (tmp_path / "asked.yml").write_text(json.dumps(document))
    result = promtool.run("test", "rules", "asked.yml", cwd=tmp_path)
    return result.stdout + result.stderr


def test_every_record_has_the_labels_that_prometheus_gives_it(tmp_path: Path) -> None:
    """Over all series of the tests beside this file. Every record is asked for at one time of each test."""
    catalogue = Catalogue()
    (tmp_path / "rules.yml").write_text(rules_file(catalogue.groups(Selection())))
    tests = []
    for path in sorted(HERE.glob("*.yml")):
        document = yaml.safe_load(path.read_text())
        for test in document["tests"] if document["rule_files"] == ["rules.yml"] else []:
            at = next((expectation["eval_time"] for expectation in test.get("promql_expr_test", [])), "10m")
            asked = [{"expr": name, "eval_time": at, "exp_samples": []} for name in RECORDS]
            tests.append({**test, "alert_rule_test": [], "promql_expr_test": asked})
    document = {"rule_files": ["rules.yml"], "evaluation_interval": "30s", "tests": tests}
    seen: dict[str, set[str]] = {}
    for match in SERIES.finditer(returned(tmp_path, document)):
        seen.setdefault(match["name"], set()).update(re.findall(r"(\w+)=", match["labels"]))
    assert seen == {name: set(catalogue.label_sets[name].names) for name in RECORDS}
    assert not any(catalogue.label_sets[name].others for name in RECORDS)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum by (x) (left)", "x"),
        ("sum without (y) (sum by (x, y) (left))", "x"),
        ("sum(left)", ""),
        ("topk by (x) (1, sum by (x, y) (left))", "x y"),
        ('count_values("v", sum by (x) (left))', "v"),
        ('count_values by (x) ("v", sum by (x, y) (left))', "x v"),
        ("max by (x) (left) / on (x) max by (x, y) (right)", "x"),
        ("max by (x, y) (left) * on (x) group_left (w) max by (x, w) (right)", "x y w"),
        ("max by (x, w) (right) * on (x) group_right (w) max by (x, y) (left)", "x y w"),
        ("max by (x, y) (left) / ignoring (y) max by (x) (right)", "x"),
        ("max by (x, y) (left) + max by (x, y) (right)", "x y"),
        ("max by (x) (left) or max by (y) (right)", "x y"),
        ("max by (x, y) (left) and on (x) right", "x y"),
        ("max by (x, y) (left) unless on (x) (right > 9)", "x y"),
        ("2 * max by (x) (left)", "x"),
        ("time() - max by (x) (left)", "x"),
        ("max by (x) (left) > bool 0", "x"),
        ('label_replace(max by (x) (left), "n", "$1", "x", "(.+)")', "x n"),
        ('label_replace(max by (x, y) (left), "y", "", "", "")', "x"),
        ('label_join(max by (x, y) (left), "n", "-", "x", "y")', "x y n"),
        ('absent(missing{x="1", y!="2", z=~"3"})', "x"),
        ("vector(time())", ""),
        ("-max by (x) (left)", "x"),
        ("clamp_min(max by (x) (left), 1)", "x"),
        ("max_over_time(max by (x) (left)[5m:1m])", "x"),
        ("sum by (x) (rate(left[2m]))", "x"),
        ("of:x:y", "x y"),
        ('of:x:y{y=""} or of:x:y', "x y"),
    ],
)
def test_operations(tmp_path: Path, expression: str, expected: str) -> None:
    told = labels(expression, KNOWN)
    assert (told.names, told.others) == (frozenset(expected.split()), False)
    series = [
        {"series": name + "{" + ", ".join(f'{label}="1"' for label in names.split()) + "}", "values": "1x20"}
        for name, names in {**RAW, "of:x:y": "x y"}.items()
    ]
    test = {"interval": "30s", "input_series": series}
    wanted = {"expr": expression, "eval_time": "5m", "exp_samples": []}
    output = returned(tmp_path, {"tests": [{**test, "promql_expr_test": [wanted]}]})
    got = [line for line in output.splitlines() if line.strip().startswith("got:") and "nil" not in line]
    assert got, output
    assert set(re.findall(r"(\w+)=", got[0])) - {"__name__"} == set(expected.split())


@pytest.mark.parametrize(
    ("expression", "names", "others", "dropped"),
    [
        ("rate(left[2m])", "", True, ""),
        ("sum without (x) (left)", "", True, "x"),
        ('label_replace(left, "x", "$1", "y", "(.+)")', "x", True, ""),
        ("histogram_quantile(0.5, left)", "", True, "le"),
        ('left{x=""}', "", True, "x"),
        ("left or sum by (x) (right)", "x", True, ""),
    ],
)
def test_raw_series_may_have_others(expression: str, names: str, others: bool, dropped: str) -> None:
    expected = Labels(frozenset(names.split()), others, frozenset(dropped.split()))
    assert labels(expression, KNOWN) == expected
