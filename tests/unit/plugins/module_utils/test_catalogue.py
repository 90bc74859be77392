# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import (
    ALERTS,
    CATEGORIES,
    COMPSS_SERIES,
    EXPORTERS,
    METRICS,
    Catalogue,
    CatalogueError,
    Configuration,
    Selection,
    promql,
    rules_file,
)
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.info import information
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.model import ORIGINS, seconds
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.reference import reference

ROOT = Path(__file__).resolve().parents[4]
CATALOGUE = Catalogue()
EVERY_LEVEL = ("cluster", "container", "process", "pod", "system_service", "namespace")


def levels(category: str, pattern: str) -> set[str]:
    return {m.level for m in METRICS if m.category == category and re.fullmatch(pattern, m.name.split(":")[1])}


def test_every_metric_of_the_source_has_its_levels() -> None:
    assert levels("cpu", "cpu_usage(_cores)?") >= {*EVERY_LEVEL, "node", "application"}
    assert levels("memory", "memory_(usage|working_set_bytes)") >= {*EVERY_LEVEL, "node", "application"}
    for verb in ("receive", "transmit"):
        expected = {"cluster", "container", "process", "pod", "namespace", "node", "application"}
        assert levels("network", f"network_{verb}_bytes") == expected
        assert levels("network", f"network_{verb}_dropped_packets") == {"node", "pod"}
    for verb in ("read", "written"):
        assert levels("storage", f"disk_{verb}_bytes") == {"node", "pod", "namespace", "application"}
    assert levels("storage", ".*used") == {"filesystem", "node", "volume", "namespace", "application"}
    for resource in ("cpu", "memory"):
        assert levels(resource, f"{resource}_limit_usage") == {"container", "pod", "namespace"}
        assert levels("application", f"{resource}_efficiency") == {"namespace", "application"}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_entry(metric) -> None:
    assert metric.origin in ORIGINS
    assert metric.meaning.endswith((".", ")."))
    assert not metric.source or metric.difference, "a query of D3.2, and no word on why ours differs"
    assert metric.warning is None or metric.critical is None or metric.warning <= metric.critical
    entry = CATALOGUE.entries[metric.name]
    for selector in entry.reads:
        if selector.name in CATALOGUE.entries or selector.name == "up":
            continue
        assert CATALOGUE.exporters[metric.name].get("", set()) == set(), "a raw series without its exporter's selector"
    unit = {
        "bytes/s": "_bytes:rate",
        "bytes": "_bytes:",
        "cores": "_cores:",
        "seconds": "seconds",
        "percent": ":percent",
    }
    assert unit.get(metric.unit, "") in metric.name
    assert metric.name.endswith(":ratio") == (metric.type == "ratio")


def test_no_average_of_ratios() -> None:
    ratios = {metric.name for metric in METRICS if metric.unit in ("ratio", "percent")}
    for metric in METRICS:
        # How evenly ratios are spread is a matter of their mean; nothing else is.
        if "imbalance" not in metric.name:
            assert not (
                re.search(r"\bavg (by|without)", metric.expr) and CATALOGUE.entries[metric.name].record_names & ratios
            )


def test_configuration_is_never_written_into_an_expression() -> None:
    for item in (*METRICS, *ALERTS):
        assert not re.search(
            r"\bjob=|\[\d+[smhd]\]|\bcluster\b(?!:)", re.sub(r"cluster:\w+:\w+|\$cluster", "", item.expr)
        ), item


def test_series_are_those_of_the_expressions() -> None:
    raw = {
        selector.name
        for entry in CATALOGUE.entries.values()
        for selector in entry.reads
        if selector.name not in CATALOGUE.entries
    }
    series = CATALOGUE.series()
    assert {name for names in series.values() for name in names} | {"up"} == raw
    assert list(series) == [exporter.name for exporter in EXPORTERS]
    assert all(series.values())
    assert series["kubelet"] == [f"kubelet_volume_stats_{part}_bytes" for part in ("available", "capacity", "used")]
    assert CATALOGUE.series(["volume:used:ratio"])["kubelet"] == [
        "kubelet_volume_stats_capacity_bytes",
        "kubelet_volume_stats_used_bytes",
    ]


def test_compss_series_are_written_as_they_are_read() -> None:
    offered = set()
    for name, kind, *_ in COMPSS_SERIES:
        offered |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    read = set(CATALOGUE.series()["compss"]) | set(CATALOGUE.series()["pushgateway"])
    assert read == offered


def test_selection() -> None:
    def names(**selection: object) -> list[str]:
        return [entry.name for entry in CATALOGUE.select(Selection(**selection))]  # type: ignore[arg-type]

    assert set(names()) == {item.name for item in (*METRICS, *ALERTS)}
    assert set(names(alerts=False)) == {metric.name for metric in METRICS}
    assert names(names=["cluster:nodes:count"]) == ["cluster:nodes:count"]
    # The selection brings along what a record reads, before it.
    assert names(names=["namespace:cpu_usage_cores:rate"]) == [
        "container:cpu_usage_cores:rate",
        "pod:cpu_usage_cores:rate",
        "namespace:cpu_usage_cores:rate",
    ]
    both = names(categories=["cpu"], levels=["namespace"])
    assert "namespace:cpu_usage_cores:rate" in both
    assert not {"namespace:memory_working_set_bytes:sum", "cluster:cpu_usage:percent"} & set(both)
    assert "NodeDown" in names(categories=["node"])
    assert "cluster:nodes:count" in names(categories=["cpu"], names=["cluster:nodes:count"])


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"categories": ["cpus"]}, "'cpus', which is unknown (did you mean cpu?); expected one of cpu, memory"),
        ({"levels": ["pods"]}, "did you mean pod?"),
        ({"names": ["pod:cpu_usage_cores:rates"]}, "did you mean pod:cpu_usage_cores:rate?"),
    ],
)
def test_unknown_selection(selection: dict[str, list[str]], message: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(message)):
        CATALOGUE.select(Selection(**selection))


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({"rate_window": "1m"}, "rate_window 1m is shorter than four scrape intervals of 30s"),
        ({"rate_window": "3m", "scrape_interval": "1m"}, "set it to 240s or more"),
        ({"interval": "soon"}, "interval is 'soon'; expected a duration"),
        ({"interval": "0s"}, "above zero"),
        ({"query_offset": "late"}, "query_offset is 'late'"),
        ({"interval": ""}, "above zero"),
        ({"selectors": {"cadviser": 'job="x"'}}, "'cadviser', which is unknown"),
        ({"selectors": {"cadvisor": " "}}, "the selector of cadvisor is empty"),
        ({"cluster_label": "my-cluster"}, "cluster_label is 'my-cluster'"),
        ({"node_size": "big"}, "expected capacity or allocatable"),
        ({"cluster_size": "mean"}, "expected sum or max"),
        ({"node_cgroup": "("}, "node_cgroup is '(', which is no regular expression"),
        ({"virtual_disks": ""}, "virtual_disks is empty"),
    ],
)
def test_bad_configuration(configuration: dict[str, object], message: str) -> None:
    with pytest.raises(CatalogueError, match=re.escape(message)):
        Configuration(**configuration)  # type: ignore[arg-type]


def test_bad_selector_is_named_with_the_entry_that_uses_it() -> None:
    with pytest.raises(CatalogueError, match="metric node:cpu_usage_cores:rate: expr is not PromQL"):
        Catalogue(Configuration(selectors={"cadvisor": "job=cadvisor"}))


def test_configuration_reaches_every_expression() -> None:
    configuration = Configuration(
        selectors={exporter.key: f'src="{exporter.key}"' for exporter in EXPORTERS},
        cluster_label="site",
        rate_window="5m",
        node_cgroup='/a\\b"c',
    )
    catalogue = Catalogue(configuration)
    text = rules_file(catalogue.groups(Selection()))
    assert "job=" not in text.replace("by (site, job)", "")
    assert "[2m]" not in text
    assert not re.search(r"[( ]cluster[,)]", text)
    node = next(s for s in catalogue.entries["node:cpu_usage_cores:rate"].reads)
    assert node.matchers["id"] == '/a\\b"c'


def test_labels_and_cluster() -> None:
    catalogue = Catalogue(labels={"site": "lab"}, cluster="edge")
    for group in catalogue.groups(Selection()):
        for rule in group["rules"]:
            assert {"site": "lab", "cluster": "edge"}.items() <= rule["labels"].items()
    with pytest.raises(CatalogueError, match="'node', by which records are told apart"):
        Catalogue(labels={"node": "n1"})
    with pytest.raises(CatalogueError, match="the cluster's name is given by cluster"):
        Catalogue(labels={"cluster": "edge"})


def test_key_labels_are_all_labels_that_records_are_grouped_by() -> None:
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue.rules import KEY_LABELS

    used = {
        label.strip()
        for metric in METRICS
        for group in re.findall(r"\bby \(([^)]*)\)", metric.expr)
        for label in group.split(",")
    }
    inner = {"ip", "cpu", "endpoint", "deployment", "statefulset", "daemonset"}
    assert used - {"$cluster"} - inner <= KEY_LABELS


def test_query_offset_is_written_where_it_is_wanted() -> None:
    assert all("query_offset" not in group for group in CATALOGUE.groups(Selection()))
    late = Catalogue(Configuration(query_offset="1m")).groups(Selection())
    offsets = {group["name"].endswith(".prompt"): group.get("query_offset") for group in late}
    assert offsets == {False: "1m", True: None}, "what is acted on is of the present"


def test_what_is_acted_on_is_recorded_in_groups_of_its_own() -> None:
    groups = Catalogue(Configuration(prompt_interval="3s")).groups(Selection())
    [prompt] = [group for group in groups if group["name"].endswith(".prompt")]
    assert (prompt["name"], prompt["interval"]) == ("continuum.edge.application.prompt", "3s")
    names = {"compss_task:deadlines_missed:max", "compss_application:deadlines_missed:sum"}
    assert {rule["record"] for rule in prompt["rules"]} >= names
    metric = next(item for item in METRICS if item.prompt)
    slow = replace(metric, name="compss_task:slow:max", prompt=False)
    reading = replace(metric, name="compss_task:reading:max", expr="compss_task:slow:max")
    with pytest.raises(CatalogueError, match="compss_task:reading:max is prompt, and reads compss_task:slow:max"):
        Catalogue(metrics=[slow, reading], alerts=())


def test_groups_are_told_by_their_subject() -> None:
    groups = CATALOGUE.groups(Selection())
    assert len({group["name"] for group in groups}) == len(groups)
    subjects = {group["name"].removeprefix("continuum.edge.").removesuffix(".prompt") for group in groups}
    assert subjects <= set(CATEGORIES)
    assert sum(len(group["rules"]) for group in groups) == len(METRICS) + len(ALERTS)


def test_multi_line_expressions_are_blocks() -> None:
    text = rules_file(CATALOGUE.groups(Selection(names=["container:cpu_usage_cores:rate"])))
    assert "expr: |" in text
    assert yaml.safe_load(text)["groups"][0]["rules"][0]["record"] == "container:cpu_usage_cores:rate"


def test_information() -> None:
    facts = information(CATALOGUE)
    by_name = {metric["name"]: metric for metric in facts["metrics"]}
    assert len(by_name) == len(METRICS)
    pod = by_name["pod:network_receive_bytes:rate"]
    assert pod["level"] == "pod"
    assert pod["reads"] == ["process:network_receive_bytes:rate"]
    assert sorted(pod["exporters"]) == ["cadvisor", "kube-state-metrics"]
    assert facts["series"] == CATALOGUE.series()
    # The optional hardware is what may be absent for want of hardware, and is told as such.
    assert all(m["absent"] for m in facts["metrics"] if {"dcgm", "scaphandre"} & set(m["exporters"]))
    assert all(m["absent"] for m in facts["metrics"] if {"compss", "blackbox", "applications"} & set(m["exporters"]))


@pytest.mark.parametrize(("text", "length"), [("30s", 30), ("2m", 120), ("1h30m", 5400), ("1d", 86400)])
def test_durations(text: str, length: int) -> None:
    assert seconds(text, "x") == length


def test_reference_is_fresh() -> None:
    assert (ROOT / "docs/metrics.md").read_text(encoding="utf-8") == reference(), (
        "docs/metrics.md is stale; write it with: PYTHONPATH=collections python -m "
        "ansible_collections.continuum.edge.plugins.module_utils.catalogue.reference docs/metrics.md"
    )


def test_rendering_is_quick() -> None:
    promql.selectors.cache_clear()
    started = time.process_time()
    rules_file(Catalogue().groups(Selection()))
    assert time.process_time() - started < 0.3


def test_a_missing_parser_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promql, "promql_parser", None)
    promql.selectors.cache_clear()
    with pytest.raises(CatalogueError, match="pip install promql-parser"):
        Catalogue()
