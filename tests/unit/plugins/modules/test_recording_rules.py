# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import ALERTS, METRICS
from ansible_collections.continuum.edge.plugins.modules import recording_rules, recording_rules_info


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a module in this process and returns what it reports."""

    def call(module: ModuleType, **arguments: Any) -> dict[str, Any]:
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return call


def test_returns_the_whole_catalogue(run: Any) -> None:
    result = run(recording_rules)
    assert result["changed"] is False
    assert set(result["records"]) == {metric.name for metric in METRICS}
    assert set(result["alert_names"]) == {alert.name for alert in ALERTS}
    assert yaml.safe_load(result["content"])["groups"] == result["groups"]


@pytest.mark.parametrize("check", [False, True], ids=["apply", "check"])
def test_writes_once_and_atomically(run: Any, tmp_path: Path, check: bool) -> None:
    path = tmp_path / "rules.yml"
    arguments = {"path": str(path), "mode": "0640", "_ansible_check_mode": check, "_ansible_diff": True}
    first = run(recording_rules, **arguments)
    assert first["changed"]
    assert first["diff"]["before"] == ""
    assert first["diff"]["after"] == first["content"]
    assert path.exists() is not check
    if check:
        return
    assert path.read_text() == first["content"]
    assert path.stat().st_mode & 0o777 == 0o640
    again = run(recording_rules, **arguments)
    assert not again["changed"]
    other = run(recording_rules, **{**arguments, "_ansible_check_mode": True, "categories": ["cpu"]})
    assert other["changed"]
    assert path.read_text() == first["content"]
    assert run(recording_rules, **{**arguments, "mode": "0600"})["changed"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["rules.yml"]


def test_formats(run: Any) -> None:
    metadata = {"name": "edge", "namespace": "monitoring", "metadata_labels": {"release": "prometheus"}}
    plain = run(recording_rules)
    config = yaml.safe_load(run(recording_rules, format="configmap", file="edge.yml", **metadata)["content"])
    custom = yaml.safe_load(run(recording_rules, format="prometheusrule", **metadata)["content"])
    assert (config["kind"], custom["kind"]) == ("ConfigMap", "PrometheusRule")
    assert config["metadata"] == custom["metadata"]
    assert custom["metadata"]["labels"] == {"release": "prometheus"}
    assert yaml.safe_load(config["data"]["edge.yml"])["groups"] == custom["spec"]["groups"] == plain["groups"]


def test_a_metric_of_the_site_s_own(run: Any) -> None:
    metric = {
        "name": "namespace:camera_frames:rate",
        "meaning": "Frames per second.",
        "expr": "sum by ($cluster, namespace) (rate(camera_frames_total[$window]))",
        "unit": "operations/s",
    }
    result = run(recording_rules, extra_metrics=[metric], names=[metric["name"]])
    assert result["records"] == [metric["name"]]
    assert result["series"][""] == ["camera_frames_total"]
    told = run(recording_rules_info, extra_metrics=[metric], names=[metric["name"]])
    assert told["metrics"][0]["expr"] == "sum by (cluster, namespace) (rate(camera_frames_total[2m]))"
    assert told["metrics"][0]["label_names"] == ["cluster", "namespace"]
    assert not told["metrics"][0]["more_labels"]
    # Without an aggregation its series have whatever labels the exporter gives them.
    frames = {**metric, "expr": "rate(camera_frames_total[$window])"}
    assert run(recording_rules_info, extra_metrics=[frames], names=[metric["name"]])["metrics"][0]["more_labels"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"rate_window": "1m"}, "four scrape intervals"),
        ({"names": ["no:such:metric"]}, "'no:such:metric', which is unknown"),
        ({"categories": ["storage"], "levels": ["process"]}, "the selection is empty"),
        ({"extra_metrics": [{"name": "a:b:c", "expr": "sum(", "meaning": "x"}]}, "metric a:b:c: expr is not PromQL"),
        ({"path": "/"}, "is a folder"),
        ({"path": "/nowhere/rules.yml"}, "its folder does not exist"),
    ],
)
def test_refusals(run: Any, arguments: dict[str, Any], message: str) -> None:
    result = run(recording_rules, **arguments)
    assert result["failed"]
    assert message in result["msg"]


def test_info_tells_what_may_be_absent_and_what_to_keep(run: Any) -> None:
    result = run(recording_rules_info)
    assert not result["changed"]
    assert len(result["metrics"]) == len(METRICS)
    by_name = {metric["name"]: metric for metric in result["metrics"]}
    assert by_name["cluster:cpu_usage:percent"]["absent"] == ""
    assert "GPU" in by_name["gpu:usage:ratio"]["absent"]
    assert "container_cpu_usage_seconds_total" in result["series"]["cadvisor"]
    assert {series["name"] for series in result["compss_series"]} >= {"compss_tasks", "deadlines_missed"}
    assert run(recording_rules_info, categories=["weather"])["failed"]


@pytest.mark.parametrize("module", [recording_rules, recording_rules_info])
def test_a_missing_parser_is_told(run: Any, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    monkeypatch.setattr(module, "available", lambda: False)
    result = run(module)
    assert result["failed"]
    assert "promql-parser" in result["msg"]


def test_documented_defaults_are_the_real_ones() -> None:
    from ansible_collections.continuum.edge.plugins.doc_fragments.catalogue import ModuleDocFragment
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue.arguments import ARGUMENTS

    documented = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
    assert set(documented) == set(ARGUMENTS)
    for name, option in ARGUMENTS.items():
        assert documented[name]["default"] == option["default"], name
        assert documented[name]["type"] == option["type"], name
