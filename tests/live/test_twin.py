# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The digital twin follows a stream on a cluster, by what Prometheus has scraped of it.

Needs KUBECONFIG and PROMETHEUS_URL, and the images of `playbooks/run.yml --tags images`. The test is what a controller
would be: it asks Prometheus, calls the twin, and gives the stream the threads that are recommended. Takes 14 minutes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from tools import eventually

from ansible_collections.continuum.edge.tests.compss.test_cluster import Site

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "images" / "orchestrator"))

from orchestrator.twin import Configuration, Observation, Twin  # noqa: E402

pytestmark = [pytest.mark.cluster, pytest.mark.slow]

PORT = 8000
#: Seconds of a step: two scrapes.
STEP = 60
LOW, HIGH = 125, 185
#: Of each step.
RATES = [*[LOW] * 3, *[HIGH] * 5, *[LOW] * 5]
DATA = {
    "arrivalRates": [100, 125, 150, 160, 170, 185],
    "controls": [{"size": 16, "serviceRate": 500 / 3}, {"size": 32, "serviceRate": 2000 / 9}],
    "acceptableLength": 20,
    "stepSeconds": STEP,
}


class Counters(NamedTuple):
    """At one scrape: when it was, and what has been counted by then."""

    time: float
    arrived: float
    waited: float


class Stream:
    def __init__(self, site: Site) -> None:
        self.site = site
        #: Where kubectl reaches the stream by way of the API server.
        self.settings = f"/api/v1/namespaces/{site.namespace}/pods/stream:{PORT}/proxy/settings"
        site.apply(*self.objects())
        site.kubectl("wait", "--for=condition=Ready", "pod/stream", "--timeout=180s")

    def objects(self) -> tuple[dict[str, Any], ...]:
        file = ROOT / "apps" / "queue" / "stream.py"
        annotations = {"prometheus.io/scrape": "true", "prometheus.io/port": str(PORT)}
        container = {
            "name": "stream",
            "image": "ghcr.io/continuum-edge/compss-monitoring:0.1.0",
            "command": ["python3", "/app/stream.py", f"--port={PORT}", f"--rate={LOW}", "--threads=16"],
            "ports": [{"containerPort": PORT}],
            "readinessProbe": {"httpGet": {"path": "/settings", "port": PORT}},
            "resources": {"requests": {"cpu": "50m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}},
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumeMounts": [{"name": "app", "mountPath": "/app"}],
        }
        return (
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "stream"},
                "data": {file.name: file.read_text(encoding="utf-8")},
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": "stream", "annotations": annotations},
                "spec": {
                    "automountServiceAccountToken": False,
                    "terminationGracePeriodSeconds": 5,
                    "containers": [container],
                    "volumes": [{"name": "app", "configMap": {"name": "stream"}}],
                },
            },
        )

    def set(self, **settings: float) -> None:
        self.site.kubectl("replace", "--raw", self.settings, "-f", "-", text=json.dumps(settings))

    def counters(self, after: float) -> Counters | None:
        """Those of the last scrape, where it was later than that."""
        names = "stream_events_arrived_total|stream_queue_length_seconds_total"
        query = f'{{__name__=~"{names}", namespace="{self.site.namespace}", pod="stream"}}[2m]'
        address = os.environ["PROMETHEUS_URL"].rstrip("/") + "/api/v1/query"
        answer = httpx.get(address, params={"query": query}, timeout=30).raise_for_status().json()
        last = {series["metric"]["__name__"]: series["values"][-1] for series in answer["data"]["result"]}
        if len(last) < 2:
            return None
        (moment, arrived), (_, waited) = (last[name] for name in names.split("|"))
        return Counters(moment, float(arrived), float(waited)) if moment > after else None


@pytest.fixture
def stream() -> Iterator[Stream]:
    site = Site()
    yield Stream(site)
    site.kubectl("delete", "namespace", site.namespace, "--wait=false")


def test_the_twin_follows_a_stream_on_the_cluster(stream: Stream) -> None:
    twin, size, switched = Twin(Configuration.model_validate(DATA)), 16, False
    before = eventually(lambda: stream.counters(0), what="a scrape of the stream")
    recommendations: list[int | None] = []
    switches: list[int] = []
    for index, rate in enumerate(RATES):
        if index and rate != RATES[index - 1]:
            stream.set(rate=rate)
        time.sleep(STEP)
        now = eventually(lambda last=before: stream.counters(last.time), what="another scrape")
        seconds = now.time - before.time
        length, counted = (now.waited - before.waited) / seconds, (now.arrived - before.arrived) / seconds
        step = twin.step(Observation(None if switched else size, length, counted))
        print(f"step {index}: {rate} Hz, {size} threads; {counted:.1f} Hz and {length:.2f} waiting: {step.reason}")
        before, switched = now, step.recommendation not in (None, size)
        size = step.recommendation or size
        if switched:
            stream.set(threads=size)
        recommendations.append(step.recommendation)
        switches.append(step.memory.switches)
    up, down = RATES.index(HIGH), len(RATES) - 5
    assert recommendations[up - 1] == 16
    assert 32 in recommendations[up : up + 3]
    assert 16 in recommendations[down : down + 3]
    assert (switches[up - 1], switches[down - 1], switches[-1]) == (0, 1, 2)
