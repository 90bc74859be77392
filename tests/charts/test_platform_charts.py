# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Odd values of the charts of the platform: names, nulls, labels; addresses of IPv6."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHARTS = ("edge-monitoring", "metrics-server", "monitoring-api", "orchestrator")
Template = Callable[..., subprocess.CompletedProcess[str]]


def rendered(template: Template, chart: str, values: dict[str, Any], **options: str) -> list[dict[str, Any]]:
    done = template(chart, values, **options)
    assert done.returncode == 0, done.stderr
    return [item for item in yaml.safe_load_all(done.stdout) if item]


def blocks(values: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every mapping and list among values."""
    return [
        each
        for name, value in values.items()
        if isinstance(value, (dict, list))
        for each in [(*path, name), *(blocks(value, (*path, name)) if isinstance(value, dict) else [])]
    ]


@pytest.mark.parametrize("chart", CHARTS)
def test_null_is_the_default_or_nothing(template: Template, chart: str) -> None:
    values = yaml.safe_load((ROOT / "charts" / chart / "values.yaml").read_text(encoding="utf-8"))
    kinds = {item["kind"] for item in rendered(template, chart, {})}
    wrong = {}
    for *parents, last in blocks(values):
        given: dict[str, Any] = {}
        place = given
        for name in parents:
            place = place.setdefault(name, {})
        place[last] = None
        done = template(chart, given)
        made = {item["kind"] for item in yaml.safe_load_all(done.stdout) if item} if done.returncode == 0 else set()
        if made != kinds or "<no value>" in done.stdout:
            wrong[".".join([*parents, last])] = done.stderr.splitlines()[:1]
    assert wrong == {}


@pytest.mark.parametrize("chart", CHARTS)
@pytest.mark.parametrize("name", ["y", "no", "2024", "1e3", "null", "0x10"])
def test_names_that_yaml_reads_as_something_else(template: Template, chart: str, name: str) -> None:
    """Read a manifest as Kubernetes does, by the rules of YAML 1.1 (PyYAML) with the numbers of 1.2."""
    done = template(chart, {}, name=name, namespace=name)
    assert done.returncode == 0, done.stderr
    assert not re.search(rf"^\s*(- )?[\w./]+: {name}$", done.stdout, re.MULTILINE)
    for item in yaml.safe_load_all(done.stdout):
        assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == name
        if item["kind"] == "Service":
            assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", item["metadata"]["name"])


@pytest.mark.parametrize("chart", CHARTS)
def test_common_labels_never_break_a_selector(template: Template, chart: str) -> None:
    taken = {f"app.kubernetes.io/{part}": "x" for part in ("name", "instance", "component")}
    items = rendered(template, chart, {"commonLabels": {**taken, "team": "north"}})
    templates = [item["spec"]["template"]["metadata"]["labels"] for item in items if "template" in item.get("spec", {})]
    assert all(labels["team"] == "north" for labels in templates)
    selectors = [item["spec"]["selector"] for item in items if "selector" in item.get("spec", {})]
    for selector in selectors:
        wanted = selector.get("matchLabels", selector).items()
        assert any(wanted <= labels.items() for labels in templates), selector


def prometheus(template: Template, values: dict[str, Any]) -> dict[str, Any]:
    items = rendered(template, "edge-monitoring", values)
    texts = (item["data"]["prometheus.yml"] for item in items if "prometheus.yml" in item.get("data", {}))
    return yaml.safe_load(next(texts))


def test_a_dollar_in_the_cluster_s_name_stays(template: Template) -> None:
    """Prometheus expands $1 and ${1} in replacements, and variables in external labels; $$ is a dollar in both."""
    document = prometheus(template, {"cluster": "a$1${b}", "prometheus": {"externalLabels": {"site": "$HOME"}}})
    assert document["global"]["external_labels"] == {"cluster": "a$$1$${b}", "site": "$$HOME"}
    for job in document["scrape_configs"]:
        assert {"target_label": "cluster", "replacement": "a$$1$${b}"} in job["relabel_configs"]


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("fd00::1:2", "9100", "[fd00::1:2]:9100"),
        ("fd00::1:2", "", "[fd00::1:2]"),
        ("::ffff:10.0.0.1", "9100", "[::ffff:10.0.0.1]:9100"),
        ("[fd00::1:2]:8080", "9100", "[fd00::1:2]:9100"),
        ("[fd00::1:2]:8080", "", "[fd00::1:2]:8080"),
        ("10.0.0.1", "9100", "10.0.0.1:9100"),
        ("10.0.0.1:8080", "9100", "10.0.0.1:9100"),
        ("10.0.0.1:8080", "", "10.0.0.1:8080"),
        ("node-1.example:8080", "9100", "node-1.example:9100"),
    ],
)
@pytest.mark.parametrize("job", ["pods", "services"])
def test_addresses(template: Template, job: str, address: str, port: str, expected: str) -> None:
    """The relabelling of __address__, applied as Prometheus does: anchored expressions, the first source label first."""
    configs = {config["job_name"]: config for config in prometheus(template, {})["scrape_configs"]}
    labels = {"__address__": address}
    for rule in configs[job]["relabel_configs"]:
        if rule.get("target_label") != "__address__":
            continue
        source = ";".join(labels["__address__"] if name == "__address__" else port for name in rule["source_labels"])
        if match := re.fullmatch(rule["regex"], source):
            labels["__address__"] = match.expand(re.sub(r"\$(\d)", r"\\\1", rule["replacement"]))
    assert labels["__address__"] == expected
