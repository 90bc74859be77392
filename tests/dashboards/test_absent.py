"""What a test cluster lacks: COMPSs applications, arm64 machines, GPUs, power sensors, request histograms, blackbox probes.

Their exporters are stood in for; Prometheus and the catalogue's rules are real, at one second where they have thirty.
Every panel that may be empty elsewhere then has data.
"""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from tools import free_port, program

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import (
    Catalogue,
    Configuration,
    Selection,
    rules_file,
)
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.promql import selectors

from .conftest import DASHBOARDS
from .faults import METRIC, filled, queries
from .test_live import Prometheus

POD = 'namespace="shop",pod="till-0"'
APP = 'namespace="science",application="matmul"'
TASK = f'{APP},task="multiply"'
WORKER = f'{APP},worker="worker-0"'
GPU = 'node="jetson",gpu="0",modelName="Orin"'
BUCKETS = ("0.1", "1", "+Inf")


def exposition(elapsed: float) -> dict[str, str]:
    """What each job's target says; counters grow by one each second."""
    n = 100 + elapsed
    histogram = "".join(
        f'compss_task_duration_seconds_bucket{{{TASK},worker="worker-0",le="{le}"}} {n}\n'
        f'http_request_duration_seconds_bucket{{{POD},le="{le}"}} {n}\n'
        for le in BUCKETS
    )
    states = "".join(f'compss_tasks{{{TASK},state="{s}"}} 3\n' for s in ("pending", "running", "completed", "failed"))
    return {
        "compss": f"""
compss_application_info{{{APP},engine="dask",version="1"}} 1
compss_application_start_time_seconds{{{APP}}} {time.time() - n}
{states}{histogram}compss_task_duration_seconds_sum{{{TASK},worker="worker-0"}} {n}
compss_task_duration_seconds_count{{{TASK},worker="worker-0"}} {n}
compss_task_resubmissions_total{{{TASK}}} {n}
compss_worker_up{{{WORKER}}} 1
compss_worker_computing_units{{{WORKER},architecture="arm64"}} 4
compss_worker_computing_units_used{{{WORKER}}} 2
compss_queue_length{{{APP}}} 0
compss_events_total{{{APP},result="refused"}} {n}
deadlines_missed{{{TASK}}} 2
deadlines_checked{{{TASK}}} 9
http_request_duration_seconds_sum{{{POD}}} {n}
http_request_duration_seconds_count{{{POD}}} {n}
probe_success{{instance="https://shop.example"}} 1
probe_duration_seconds{{instance="https://shop.example"}} 0.2
DCGM_FI_DEV_GPU_UTIL{{{GPU}}} 40
DCGM_FI_DEV_FB_USED{{{GPU}}} 1000
DCGM_FI_DEV_FB_FREE{{{GPU}}} 3000
DCGM_FI_DEV_GPU_TEMP{{{GPU}}} 55
DCGM_FI_DEV_POWER_USAGE{{{GPU}}} 12
scaph_host_power_microwatts{{node="jetson"}} 9e6
scaph_process_power_consumption_microwatts{{node="jetson",kubernetes_pod_namespace="science",pid="1"}} 1e6
""",
        "cadvisor": f"""
container_cpu_usage_seconds_total{{node="jetson",id="/"}} {n}
container_memory_working_set_bytes{{node="jetson",id="/"}} 1e9
container_fs_reads_bytes_total{{node="jetson",id="/kubepods/pod1",namespace="shop",pod="till-0",device="/dev/sda"}} {n}
container_fs_writes_bytes_total{{node="jetson",id="/kubepods/pod1",namespace="shop",pod="till-0",device="/dev/sda"}} {n}
""",
        "node-exporter": """
node_uname_info{node="jetson",machine="aarch64",release="6.1"} 1
node_load5{node="jetson"} 1
node_time_seconds{node="jetson"} 2000
node_boot_time_seconds{node="jetson"} 1000
""",
        "kube-state-metrics": f"""
kube_node_info{{node="jetson"}} 1
kube_node_status_capacity{{node="jetson",resource="cpu"}} 4
kube_node_status_capacity{{node="jetson",resource="memory"}} 4e9
kube_node_status_condition{{node="jetson",condition="Ready",status="true"}} 1
kube_node_spec_unschedulable{{node="jetson"}} 0
kube_pod_status_phase{{{POD},phase="Running"}} 1
kube_pod_info{{{POD},node="jetson",host_network="false"}} 1
kube_pod_owner{{{POD},owner_kind="StatefulSet",owner_name="till",owner_is_controller="true"}} 1
""",
    }


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    started = time.time()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(exposition(time.time() - started)[self.path[1:]].encode())

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    work: Path = tmp_path_factory.mktemp("prometheus")
    quick = Configuration(interval="1s", scrape_interval="1s", rate_window="4s", trend_window="10s")
    groups = Catalogue(configuration=quick).groups(Selection(alerts=False))
    (work / "rules.yml").write_text(rules_file(groups))
    jobs = [
        {
            "job_name": job,
            "metrics_path": f"/{job}",
            "static_configs": [{"targets": [f"127.0.0.1:{server.server_port}"], "labels": {"cluster": "far"}}],
            "honor_labels": True,
        }
        for job in exposition(0)
    ]
    settings = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": jobs,
    }
    (work / "prometheus.yml").write_text(yaml.safe_dump(settings))
    port = free_port()
    command = [
        program("prometheus"),
        f"--config.file={work / 'prometheus.yml'}",
        f"--storage.tsdb.path={work / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    process = subprocess.Popen(command)
    try:
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.terminate()
        process.wait(10)
        server.shutdown()


def test_panels_that_may_be_empty_have_data_where_there_is_some(stand_in: Prometheus) -> None:
    wanted = {
        (name, title, filled(expression, {"cluster": "far", "application": "matmul", "__interval": "1s"}))
        for name, dashboard in DASHBOARDS.items()
        for title, expression in queries(dashboard)
        for read in [[METRIC[s.name] for s in selectors(filled(expression)) if s.name in METRIC]]
        if "machine=~" in expression
        or any(record.name.startswith(("compss_", "gpu:", "cluster:compss", "probe:")) for record in read)
        or any("power_watts" in record.name or "response_time_seconds" in record.name for record in read)
    }
    assert len(wanted) > 60
    deadline = time.time() + 40
    while wanted and time.time() < deadline:
        time.sleep(1)
        try:
            wanted = {each for each in wanted if not stand_in.ask("query", query=each[2])["data"]["result"]}
        except (OSError, json.JSONDecodeError):
            continue
    assert sorted(wanted) == []


def test_hardware_is_counted(stand_in: Prometheus) -> None:
    """The tiles that say "no such hardware" elsewhere."""
    counts = {
        title: stand_in.ask("query", query=filled(expression, {"cluster": "far"}))["data"]["result"][0]["value"][1]
        for title, expression in queries(DASHBOARDS["devices"])
        if "vector(0)" in expression
    }
    assert counts == {"arm64 nodes": "1", "Nodes with a GPU": "1", "GPUs": "1", "Nodes that measure power": "1"}
