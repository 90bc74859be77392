"""The values that the roles hand to the charts of each flavour.

The charts of this collection take them always. Upstream's take them where CONTINUUM_CHARTS names a folder with the charts
prometheus, kube-prometheus-stack, prometheus-pushgateway and metrics-server: `<chart>-<version>.tgz`, or unpacked with their
dependencies in place.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import Catalogue

from .cases import JOBS
from .conftest import ROOT, Render
from .test_charts import configuration

HERE = Path(__file__).parent / "flavours"
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
        "prometheus_alert_receivers": [
            {"name": "team", "email_configs": [{"to": "team@example.org"}]},
            {
                "name": "chat",
                "slack_configs": [{"api_url_file": "/etc/alertmanager/secrets/chat/url", "channel": "#edge"}],
            },
        ],
        "prometheus_alert_routes": [{"matchers": ['severity="critical"'], "receiver": "chat"}],
        "prometheus_alert_global": {"smtp_smarthost": "mail.example:587", "smtp_from": "edge@example.org"},
        "prometheus_alert_secrets": ["chat"],
        "prometheus_alert_external_url": "https://alerts.example",
        "metrics_server_image_registry": "registry.example:5000",
        "metrics_server_kubelet_insecure_tls": True,
        "metrics_server_node_selector": {"disk": "ssd"},
    },
    "dollar": {"continuum_cluster": "a$1", "prometheus_external_labels": {"site": "$HOME"}},
    "bare": {
        "prometheus_recording_rules_enabled": False,
        "prometheus_storage_enabled": False,
        "prometheus_retention_size": "",
    },
}
Values = Callable[[str, str], dict[str, Any]]


# Every other documented variable, with another value than its default.
VARIABLES: dict[str, Any] = {
    "prometheus_cluster": "garage",
    "prometheus_image_registry": "registry.example:5000",
    "prometheus_node_port": 31234,
    "prometheus_external_url": "https://prometheus.example",
    "prometheus_storage_enabled": False,
    "prometheus_storage_size": "30Gi",
    "prometheus_storage_class": "fast",
    "prometheus_retention_time": "90d",
    "prometheus_retention_size": "20GB",
    "prometheus_pushgateway_storage_enabled": True,
    "prometheus_scrape_interval": "15s",
    "prometheus_prompt_interval": "3s",
    "prometheus_kubelet_insecure_tls": True,
    "prometheus_file_sd": CASES["everything"]["prometheus_file_sd"],
    "prometheus_http_sd": CASES["everything"]["prometheus_http_sd"],
    "prometheus_scrape_configs_extra": CASES["everything"]["prometheus_scrape_configs_extra"],
    "prometheus_recording_rules_enabled": False,
    "prometheus_rate_window": "5m",
    "prometheus_recording_rules": {"categories": ["cpu"]},
    "prometheus_recording_rules_extra": [
        {
            "name": "namespace:camera_frames:rate",
            "meaning": "Frames per second.",
            "unit": "operations/s",
            "type": "rate",
            "expr": "sum by ($cluster, namespace) (rate(camera_frames_total[$window]))",
        }
    ],
    "prometheus_external_labels": {"site": "garage"},
    "prometheus_remote_write": CASES["everything"]["prometheus_remote_write"],
    "prometheus_remote_write_receiver": True,
    "prometheus_otlp_enabled": True,
    "prometheus_secrets": ["central"],
    "prometheus_alert_receivers": CASES["everything"]["prometheus_alert_receivers"],
    "prometheus_alert_routes": CASES["everything"]["prometheus_alert_routes"],
    "prometheus_alert_group_by": ["cluster", "alertname"],
    "prometheus_alert_global": CASES["everything"]["prometheus_alert_global"],
    "prometheus_alert_inhibit_rules": [
        {"source_matchers": ["a=b"], "target_matchers": ["c=d"], "equal": ["namespace"]}
    ],
    "prometheus_alert_secrets": ["chat"],
    "prometheus_alert_watchdog_receiver": "chat",
    "prometheus_alert_watchdog_interval": "77s",
    "prometheus_alert_external_url": "https://alerts.example",
    "prometheus_resources": {"requests": {"cpu": "77m"}},
    "prometheus_node_selector": {"disk": "ssd"},
    "prometheus_tolerations": [{"operator": "Exists"}],
    "metrics_server_image_registry": "registry.example:5000",
    "metrics_server_kubelet_insecure_tls": True,
    "metrics_server_resolution": "77s",
    "metrics_server_resources": {"requests": {"cpu": "77m"}},
    "metrics_server_node_selector": {"disk": "ssd"},
    "metrics_server_tolerations": [{"operator": "Exists"}],
}
# Variables of the flavour lean alone, and those that are no matter of the values.
ELSEWHERE = re.compile(
    r"prometheus_(series_extra|metric_relabelings|agent)|\w+_(state|flavour|namespace|release|timeout|wait|values|api_url)"
    r"|\w+_chart(_repo|_version)?|prometheus_storage_keep"
)


def documented(role: str) -> set[str]:
    specs = yaml.safe_load((ROOT / "roles" / role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))
    return {name for name in specs["argument_specs"]["main"]["options"] if not ELSEWHERE.fullmatch(name)}


def test_every_documented_variable_has_a_case() -> None:
    assert set(VARIABLES) == documented("prometheus") | documented("metrics_server")


def render_values(output: Path, cases: dict[str, dict[str, Any]]) -> Path:
    """Render the values of all cases at once: starting Ansible costs more than the rest."""
    everybody: dict[str, Any] = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    for role in ("prometheus", "metrics_server"):
        everybody |= yaml.safe_load((ROOT / "roles" / role / "defaults" / "main.yml").read_text(encoding="utf-8"))
        everybody["role_path"] = str(ROOT / "roles" / role)
    inventory = output / "hosts.json"
    inventory.write_text(json.dumps({"all": {"vars": everybody | {"output": str(output)}, "hosts": cases}}))
    command = [str(Path(sys.executable).parent / "ansible-playbook"), str(HERE / "values.yml"), "-i", str(inventory)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_values(tmp_path_factory.mktemp("flavours"), CASES)


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
    # Records are missing without the rules, but not what somebody may ask for by hand.
    assert values("bare", "prometheus-lean")["scrape"]["cadvisor"]["keep"] == scrape["cadvisor"]["keep"]
    assert values("bare", "prometheus-lean")["prometheus"]["rules"] == {}


@pytest.mark.parametrize("case", [None, "everything"], ids=["the chart's defaults", "the role's"])
def test_what_records_and_alerts_read_is_stored(case: str | None, values: Values, render: Render) -> None:
    site = values(case, "prometheus-lean") if case else {"alertmanager": {"enabled": True}}
    jobs = {job["job_name"]: job for job in configuration(render("edge-monitoring", site))["scrape_configs"]}
    for name, read in Catalogue().series().items():
        rules = jobs.get(name, {}).get("metric_relabel_configs", [])
        kept = [rule["regex"] for rule in rules if rule["action"] == "keep"]
        assert [series for series in read if not all(re.fullmatch(regex, series) for regex in kept)] == [], name
    assert {"kube-state-metrics", "apiserver", "prometheus", "alertmanager"} <= set(jobs)


@pytest.mark.parametrize("case", CASES)
def test_chart_flavour_has_the_same_jobs_and_labels(case: str, values: Values, promtool: str, tmp_path: Path) -> None:
    configs = values(case, "prometheus-chart")["scrapeConfigs"]
    jobs = {name: dict(job) for name, job in configs.items() if job.pop("enabled", True)}
    site_jobs = {"sensors", "cameras", "inventory", "router"} if case == "everything" else set()
    # The chart keeps its own targets of the job `prometheus`.
    jobs["prometheus"].setdefault("static_configs", [{"targets": ["localhost:9090"]}])
    assert set(jobs) == {*JOBS} | site_jobs
    # Prometheus expands $ in a replacement; $$ is one.
    cluster = CASES[case].get("continuum_cluster", "cluster").replace("$", "$$")
    for name, job in jobs.items():
        assert job["relabel_configs"][0] == {"target_label": "cluster", "replacement": cluster}, name
    # A node that is down silences what is said of its targets by this label.
    for name in ("kubelet", "probes", "cadvisor", "node-exporter", "coredns"):
        assert "node" in [rule.get("target_label") for rule in jobs[name]["relabel_configs"]], name
    file = tmp_path / "prometheus.yml"
    scrape_configs = [{"job_name": name, **job} for name, job in jobs.items()]
    file.write_text(yaml.safe_dump({"scrape_configs": scrape_configs}), encoding="utf-8")
    done = subprocess.run([promtool, "check", "config", "--syntax-only", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_dollar_stays_one_in_every_flavour(values: Values) -> None:
    wanted = {"cluster": "a$$1", "site": "$$HOME"}
    assert values("dollar", "prometheus-chart")["server"]["global"]["external_labels"] == wanted
    operator = values("dollar", "prometheus-operator")
    assert operator["prometheus"]["prometheusSpec"]["externalLabels"] == wanted
    for template in ("prometheus-chart", "prometheus-operator"):
        text = str(values("dollar", template))
        assert "'replacement': 'a$$1'" in text
        assert "'replacement': 'a$1'" not in text
    # The chart of the lean flavour doubles it itself.
    assert values("dollar", "prometheus-lean")["cluster"] == "a$1"


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
    "prometheus-chart": ("prometheus", "chart"),
    "prometheus-operator": ("kube-prometheus-stack", "operator"),
    "prometheus-pushgateway": ("prometheus-pushgateway", "operator"),
    "metrics_server-chart": ("metrics-server", "chart"),
}
Upstream = Callable[[str, Path], str]


@pytest.fixture(scope="module")
def upstream(helm: str) -> Upstream:
    """Render the upstream chart that takes the values of a template."""
    charts = os.environ.get("CONTINUUM_CHARTS")
    if not charts:
        pytest.skip("CONTINUUM_CHARTS names no folder with charts: rendering with the upstream charts is left out")

    def run(template: str, values: Path) -> str:
        name = UPSTREAM[template][0]
        candidates = [*sorted(Path(charts).glob(f"{name}-[0-9]*.tgz")), Path(charts) / name]
        if not candidates[0].exists():
            pytest.fail(f"no {name}-<version>.tgz and no folder {name} in CONTINUUM_CHARTS={charts}")
        command = [helm, "template", "prometheus", str(candidates[0]), "-n", "monitoring", "-f", str(values)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("template", UPSTREAM)
def test_upstream_charts_take_them(upstream: Upstream, template: str, case: str, folder: Path) -> None:
    rendered = upstream(template, folder / case / f"{template}.yml")
    assert [document["kind"] for document in yaml.safe_load_all(rendered) if document]


@pytest.fixture(scope="module")
def each_variable(upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Values with each variable changed alone, and what the charts render with none of them."""
    cases = {"defaults": {}} | {name: {name: value} for name, value in VARIABLES.items()}
    output = render_values(tmp_path_factory.mktemp("variables"), cases)
    return output, {template: upstream(template, output / "defaults" / f"{template}.yml") for template in UPSTREAM}


@pytest.mark.parametrize(
    ("variable", "flavour"),
    [
        (name, of)
        for of in ("chart", "operator")
        for name in VARIABLES
        if of == "chart" or name.startswith("prometheus_")
    ],
)
def test_no_variable_is_without_effect(
    upstream: Upstream, each_variable: tuple[Path, dict[str, str]], variable: str, flavour: str
) -> None:
    output, unchanged = each_variable
    role = variable.split("_")[0]
    templates = [each for each, (_, of) in UPSTREAM.items() if of == flavour and each.startswith(role)]
    changed = {each: upstream(each, output / variable / f"{each}.yml") for each in templates}
    assert changed != {each: unchanged[each] for each in templates}
