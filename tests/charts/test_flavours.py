"""The values that the roles hand to the charts of each flavour.

The charts of this collection take them always. Upstream's take them where CONTINUUM_UPSTREAM_CHARTS names a folder with the
unpacked charts prometheus, kube-prometheus-stack, prometheus-pushgateway and metrics-server, their dependencies in place.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from .conftest import ROOT, Render

HERE = Path(__file__).parent / "flavours"
JOBS = {
    "kubelet",
    "probes",
    "cadvisor",
    "kube-state-metrics",
    "node-exporter",
    "apiserver",
    "coredns",
    "pushgateway",
    "prometheus",
    "pods",
    "services",
}
CASES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": {
        "continuum_cluster": "garage",
        "prometheus_image_registry": "registry.example:5000",
        "prometheus_node_port": 0,
        "prometheus_external_url": "https://prometheus.example",
        "prometheus_storage_class": "fast",
        "prometheus_kubelet_insecure_tls": True,
        "prometheus_series_extra": {"kubelet": ["kubelet_pleg_relist_duration_seconds_count"]},
        "prometheus_metric_relabelings": {"cadvisor": [{"action": "drop", "source_labels": ["id"], "regex": "/x"}]},
        "prometheus_file_sd": [
            {
                "job": "sensors",
                "targets": [{"targets": ["10.0.0.5:9100"], "labels": {"room": "a"}}],
                "config": {"scheme": "https"},
            },
            {"job": "cameras", "configMap": "cameras"},
        ],
        "prometheus_http_sd": [{"job": "inventory", "url": "http://inventory.example/targets"}],
        "prometheus_scrape_configs_extra": [{"job_name": "router", "static_configs": [{"targets": ["10.0.0.1:9100"]}]}],
        "prometheus_external_labels": {"site": "garage"},
        "prometheus_remote_write": [
            {
                "url": "https://central.example/api/v1/write",
                "queue_config": {"max_shards": 2},
                "headers": {"X-Scope_Id": "a"},
            }
        ],
        "prometheus_remote_write_receiver": True,
        "prometheus_otlp_enabled": True,
        "prometheus_secrets": ["central"],
        "prometheus_node_selector": {"disk": "ssd"},
        "prometheus_tolerations": [{"operator": "Exists"}],
        "prometheus_pushgateway_storage_enabled": True,
        "metrics_server_image_registry": "registry.example:5000",
        "metrics_server_kubelet_insecure_tls": True,
        "metrics_server_node_selector": {"disk": "ssd"},
    },
    "bare": {
        "prometheus_recording_rules_enabled": False,
        "prometheus_storage_enabled": False,
        "prometheus_retention_size": "",
    },
}
Values = Callable[[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render the values of all cases, once: starting Ansible costs more than the rest."""
    output = tmp_path_factory.mktemp("flavours")
    playbook = str(Path(sys.executable).parent / "ansible-playbook")
    for case, variables in CASES.items():
        (output / case).mkdir()
        extra = json.dumps(variables | {"output": str(output / case)})
        command = [playbook, str(HERE / "values.yml"), "-i", "localhost,", "-e", extra]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return output


@pytest.fixture(scope="module")
def values(folder: Path) -> Values:
    def read(case: str, template: str) -> dict[str, Any]:
        result: dict[str, Any] = yaml.safe_load((folder / case / f"{template}.yml").read_text(encoding="utf-8"))
        return result

    return read


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("flavour", "chart"), [("prometheus-lean", "edge-monitoring"), ("metrics_server-lean", "metrics-server")]
)
def test_our_charts_take_them(flavour: str, chart: str, case: str, values: Values, render: Render) -> None:
    assert render(chart, values(case, flavour))


def test_lists_of_metrics_come_from_the_catalogue(values: Values) -> None:
    scrape = values("everything", "prometheus-lean")["scrape"]
    assert "container_cpu_usage_seconds_total" in scrape["cadvisor"]["keep"]
    assert "kubelet_pleg_relist_duration_seconds_count" in scrape["kubelet"]["keep"]
    assert "kubelet_volume_stats_used_bytes" in scrape["kubelet"]["keep"]
    # Without the rules, their records are missing, but not what somebody may ask for by hand.
    assert values("bare", "prometheus-lean")["scrape"]["cadvisor"]["keep"] == scrape["cadvisor"]["keep"]
    assert values("bare", "prometheus-lean")["prometheus"]["rules"] == {}


@pytest.mark.parametrize("case", CASES)
def test_chart_flavour_has_the_same_jobs_and_labels(case: str, values: Values, promtool: str, tmp_path: Path) -> None:
    configs = values(case, "prometheus-chart")["scrapeConfigs"]
    jobs = {name: dict(job) for name, job in configs.items() if job.pop("enabled", True)}
    own = {"sensors", "cameras", "inventory", "router"} if case == "everything" else set()
    # Of `prometheus` the chart keeps its own targets.
    jobs["prometheus"].setdefault("static_configs", [{"targets": ["localhost:9090"]}])
    assert set(jobs) == JOBS | own
    cluster = CASES[case].get("continuum_cluster", "cluster")
    for name, job in jobs.items():
        assert job["relabel_configs"][0] == {"target_label": "cluster", "replacement": cluster}, name
    for name in ("kubelet", "probes", "cadvisor", "node-exporter"):
        assert "node" in [rule.get("target_label") for rule in jobs[name]["relabel_configs"]], name
    file = tmp_path / "prometheus.yml"
    scrape_configs = [{"job_name": name, **job} for name, job in jobs.items()]
    file.write_text(yaml.safe_dump({"scrape_configs": scrape_configs}), encoding="utf-8")
    done = subprocess.run([promtool, "check", "config", "--syntax-only", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_operator_flavour_spells_remote_write_its_own_way(values: Values) -> None:
    entry = values("everything", "prometheus-operator")["prometheus"]["prometheusSpec"]["remoteWrite"][0]
    assert entry["queueConfig"] == {"maxShards": 2}
    assert entry["headers"] == {"X-Scope_Id": "a"}


def test_operator_flavour_finds_monitors_of_every_release(values: Values) -> None:
    spec = values("defaults", "prometheus-operator")["prometheus"]["prometheusSpec"]
    selectors = [key for key in spec if key.endswith("SelectorNilUsesHelmValues")]
    assert len(selectors) == 5
    assert not any(spec[key] for key in selectors)


UPSTREAM = {
    "prometheus-chart": "prometheus",
    "prometheus-operator": "kube-prometheus-stack",
    "prometheus-pushgateway": "prometheus-pushgateway",
    "metrics_server-chart": "metrics-server",
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("template", UPSTREAM)
def test_upstream_charts_take_them(template: str, case: str, folder: Path, helm: str) -> None:
    charts = os.environ.get("CONTINUUM_UPSTREAM_CHARTS")
    if not charts:
        pytest.skip("CONTINUUM_UPSTREAM_CHARTS does not name a folder with the upstream charts")
    chart = Path(charts) / UPSTREAM[template]
    file = folder / case / f"{template}.yml"
    command = [helm, "template", "prometheus", str(chart), "-n", "monitoring", "-f", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [document["kind"] for document in yaml.safe_load_all(done.stdout) if document]
