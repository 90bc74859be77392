"""The charts without a cluster: they render, their schema refuses what is wrong, and what they render is sound."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .cases import CASES, EVERYTHING
from .conftest import ROOT, Objects, Render

Template = Callable[..., subprocess.CompletedProcess[str]]
ALL = [(chart, case) for chart, cases in CASES.items() for case in cases]
POD_OWNERS = ("CronJob", "DaemonSet", "Deployment", "Job", "StatefulSet")
LEAN = "edge-monitoring"
# Names of the pods that need a token for the API; the others must not have one.
TALKS_TO_API = {
    LEAN: ("-server", "-server-check", "-kube-state-metrics"),  # the check looks for the files that are configured
    "metrics-server": ("test", "ms"),
    "monitoring-api": ("test", "api"),
    "orchestrator": ("test", "qos"),
    "compss": (),  # one container has it, by a volume
    "tenant": (),
}


def schema(chart: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((ROOT / "charts" / chart / "values.schema.json").read_text(encoding="utf-8"))
    return result


def defaults(chart: str) -> dict[str, Any]:
    result: dict[str, Any] = yaml.safe_load((ROOT / "charts" / chart / "values.yaml").read_text(encoding="utf-8"))
    return result


def pod_template(owner: dict[str, Any]) -> dict[str, Any]:
    """Return the template of a workload's pods."""
    spec = owner["spec"]["jobTemplate"]["spec"] if owner["kind"] == "CronJob" else owner["spec"]
    result: dict[str, Any] = spec["template"]
    return result


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the name and the pod's spec of all that runs."""
    for item in objects:
        if item["kind"] in POD_OWNERS:
            yield item["metadata"]["name"], pod_template(item)["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item["spec"]


def configuration(objects: Objects) -> dict[str, Any]:
    """Return the configuration of Prometheus among the objects."""
    text = next(o["data"]["prometheus.yml"] for o in objects if "prometheus.yml" in (o.get("data") or {}))
    result: dict[str, Any] = yaml.safe_load(text)
    return result


@pytest.mark.parametrize("chart", CASES)
def test_helm_lint(helm: str, chart: str) -> None:
    done = subprocess.run([helm, "lint", "--strict", str(ROOT / "charts" / chart)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_and_schema_are_fresh() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "charts" / "docs.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("chart", sorted(path.parent.name for path in (ROOT / "charts").glob("*/Chart.yaml")))
def test_helper_templates_carry_the_name_of_their_chart(chart: str) -> None:
    """Of two charts that are parts of a third one, the templates of one name would be one."""
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "charts" / chart / "templates").rglob("*.*")]
    defined = {name for text in texts for name in re.findall(r'define "([^"]+)"', text)}
    used = {name for text in texts for name in re.findall(r'(?:include|template) "([^"]+)"', text)}
    assert {name for name in defined if not name.startswith(f"{chart}.")} == set()
    assert used == defined


@pytest.mark.parametrize(("chart", "case"), ALL)
def test_renders_twice_the_same_without_empty_fields(template: Template, chart: str, case: str) -> None:
    first, second = (template(chart, CASES[chart][case]) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    # A field that is null never equals what the API gives back: GitOps tools would see a difference for ever.
    for item in yaml.safe_load_all(first.stdout):
        empty = list(nulls(item or {}))
        assert not empty, f"{item['kind']} {item['metadata']['name']} has null at {empty}"


def nulls(value: Any, path: str = "") -> Iterator[str]:
    if value is None:
        yield path
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from nulls(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nulls(item, f"{path}[{index}]")


@pytest.mark.parametrize(("chart", "case"), ALL)
def test_every_pod_is_restricted(render: Render, chart: str, case: str) -> None:
    for name, spec in pods(render(chart, CASES[chart][case])):
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is name.endswith(TALKS_TO_API[chart]), name
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            if CASES[chart][case].get("resources") != {}:
                assert container["resources"]["requests"], name
                assert container["resources"]["limits"], name
        allowed = {"node-exporter"} if name.endswith("node-exporter") else set()
        unusual = {v["name"] for v in spec.get("volumes", ()) if "hostPath" in v}
        assert bool(unusual or spec.get("hostNetwork")) == bool(allowed), name
        assert not spec.get("hostPID"), name


@pytest.mark.parametrize(("chart", "case"), ALL)
def test_every_service_selects_a_pod(render: Render, chart: str, case: str) -> None:
    objects = render(chart, CASES[chart][case])
    labels = [pod_template(o)["metadata"]["labels"] for o in objects if o["kind"] in POD_OWNERS]
    for item in objects:
        if item["kind"] in ("Service", "NetworkPolicy"):
            if item["spec"].get("podSelector") == {}:
                continue  # of all pods of its namespace
            selector = item["spec"].get("selector") or item["spec"]["podSelector"]["matchLabels"]
            matches = [entry for entry in labels if selector.items() <= entry.items()]
            # The pools of an application are several workloads of one kind.
            expected = max(1, sum(o["kind"] == "StatefulSet" for o in objects)) if len(matches) > 1 else 1
            assert len(matches) == expected, (
                f"{item['kind']} {item['metadata']['name']} selects {len(matches)} workloads"
            )


@pytest.mark.parametrize("case", CASES[LEAN])
def test_promtool_accepts_the_configuration(render: Render, promtool: str, tmp_path: Path, case: str) -> None:
    objects = render(LEAN, CASES[LEAN][case])
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration(objects)), encoding="utf-8")
    done = subprocess.run([promtool, "check", "config", "--syntax-only", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    for item in objects:
        if item["kind"] == "ConfigMap" and item["metadata"]["name"].endswith("-rules"):
            for name, text in item["data"].items():
                (tmp_path / name).write_text(text, encoding="utf-8")
                done = subprocess.run(
                    [promtool, "check", "rules", str(tmp_path / name)], capture_output=True, text=True
                )
                assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES[LEAN])
def test_every_job_names_the_cluster(render: Render, case: str) -> None:
    config = configuration(render(LEAN, CASES[LEAN][case]))
    cluster = CASES[LEAN][case].get("cluster", "cluster")
    assert config["global"]["external_labels"]["cluster"] == cluster
    for job in config["scrape_configs"]:
        assert {"target_label": "cluster", "replacement": cluster} in job["relabel_configs"], job["job_name"]


def test_jobs_share_their_watches(render: Render) -> None:
    """Prometheus opens one watch for all jobs whose discovery is equal to the letter."""
    jobs = configuration(render(LEAN, EVERYTHING))["scrape_configs"]
    discoveries = {json.dumps(job["kubernetes_sd_configs"]) for job in jobs if "kubernetes_sd_configs" in job}
    assert len(discoveries) == 3


def test_kube_state_metrics_may_read_what_it_watches_and_no_more(render: Render) -> None:
    values = {
        "scrape": {"kube-state-metrics": {"keep": ["kube_pod_info", "kube_poddisruptionbudget_labels", "kube_job_.+"]}}
    }
    objects = render(LEAN, values)
    spec = next(spec for name, spec in pods(objects) if name.endswith("kube-state-metrics"))
    assert "--resources=jobs,poddisruptionbudgets,pods" in spec["containers"][0]["args"]
    role = next(
        o for o in objects if o["kind"] == "ClusterRole" and o["metadata"]["name"].endswith("kube-state-metrics")
    )
    granted = {
        (group, resource) for rule in role["rules"] for group in rule["apiGroups"] for resource in rule["resources"]
    }
    assert granted == {("batch", "jobs"), ("policy", "poddisruptionbudgets"), ("", "pods")}
    assert all(rule["verbs"] == ["list", "watch"] for rule in role["rules"])


def test_node_exporter_runs_the_collectors_that_are_read(render: Render) -> None:
    values = {"scrape": {"node-exporter": {"keep": ["node_load1", "node_network_receive_bytes_total"]}}}
    spec = next(spec for name, spec in pods(render(LEAN, values)) if name.endswith("node-exporter"))
    arguments = [a for a in spec["containers"][0]["args"] if a.startswith("--collector.") and "=" not in a]
    assert arguments == ["--collector.disable-defaults", "--collector.loadavg", "--collector.netdev"]


# What the schema refuses


def objects_of(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of every object of a schema that has a closed set of keys."""
    if node.get("additionalProperties") is False:
        yield path
    for key, item in node.get("properties", {}).items():
        yield from objects_of(item, (*path, key))


def at(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return the values that set one key."""
    result = value
    for key in reversed(path):
        result = {key: result}
    return dict(result)


CLOSED = [(chart, path) for chart in CASES for path in objects_of(schema(chart))]


@pytest.mark.parametrize(("chart", "path"), [*CLOSED, (LEAN, ("scrape", "cadvisor"))])
def test_unknown_key_is_refused_by_name(template: Template, chart: str, path: tuple[str, ...]) -> None:
    done = template(chart, at((*path, "retentoin"), "1d"))
    assert done.returncode != 0
    assert "retentoin" in done.stderr


def resolved(chart: str, item: dict[str, Any]) -> dict[str, Any]:
    """Return a schema with what it refers to."""
    if "$ref" not in item:
        return item
    return {**schema(chart)["definitions"][item["$ref"].rpartition("/")[2]], **item}


def leaves(node: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield path and schema of every value that has no keys of its own; those of other charts, which do nothing, are none."""
    for key, item in node.get("properties", {}).items():
        if item.get("description", "").startswith("Of other charts."):
            continue
        if "properties" in item:
            yield from leaves(item, (*path, key))
        else:
            yield (*path, key), item


LEAVES = [(chart, path) for chart in CASES for path, _ in leaves(schema(chart)) if path != ("global",)]
WRONG = {"string": 7, "integer": "seven", "boolean": "yes", "array": "one", "object": "one"}


@pytest.mark.parametrize(("chart", "path"), LEAVES)
def test_wrong_type_is_refused(template: Template, chart: str, path: tuple[str, ...]) -> None:
    types = resolved(chart, dict(leaves(schema(chart)))[path]).get("type", "object")
    # Of several types, a mapping is none.
    done = template(chart, at(path, WRONG[types] if isinstance(types, str) else {"a": "b"}))
    assert done.returncode != 0
    assert path[-1] in done.stderr


@pytest.mark.parametrize(
    "values",
    [
        {"prometheus": {"retention": {"time": "two weeks"}}},
        {"prometheus": {"retention": {"size": "4Gi"}}},
        {"prometheus": {"rules": {"rules.txt": {"groups": []}}}},
        {"prometheus": {"service": {"nodePort": 70000}}},
        {"scrape": {"kubelet": {"keep": [""]}}},
        {"fileSd": [{"job": "a"}]},
        {"fileSd": [{"job": "a", "targets": [], "configMap": "b"}]},
        {"httpSd": [{"job": "a", "url": "ftp://a"}]},
        {"cluster": ""},
    ],
    ids=json.dumps,
)
def test_wrong_value_is_refused(template: Template, values: dict[str, Any]) -> None:
    assert template(LEAN, values).returncode != 0


# No value is without effect.

OTHER_VALUES: dict[tuple[str, ...], Any] = {
    ("budgets",): {"changed": 7},
    ("templates",): [
        {
            "type": "infr",
            "guaranteeName": "Changed",
            "maxAllowed": 0,
            "action": "notify",
            "guarantees": [{"name": "changed", "constraint": "cluster:nodes:count > 1"}],
        }
    ],
    ("fileSd",): [{"job": "changed", "configMap": "changed"}],
    ("httpSd",): [{"job": "changed", "url": "http://changed"}],
    ("extraScrapeConfigs",): [{"job_name": "changed"}],
    ("prometheus", "remoteWrite"): [{"url": "http://changed"}],
    ("prometheus", "rules"): {"changed.yml": {"groups": []}},
    ("kubeStateMetrics", "labelsAllowlist"): {"pods": ["changed"]},
    ("kubeletPreferredAddressTypes",): ["ExternalDNS"],
    ("app", "args"): ["changed"],
    ("app", "context", "folderPath"): "/changed",
    ("app", "source", "archive"): "a" * 64,
    ("app", "source", "binaryFiles"): {"matmul.py": "cGFzcw=="},
    ("app", "source", "executables"): ["lib/tool"],
    ("app", "source", "files"): {"matmul.py": "pass"},
    ("commonLabels",): {"changed": "changed"},
    ("compss", "master", "env"): {"CHANGED": "changed"},
    ("compss", "worker", "env"): {"CHANGED": "changed"},
    ("compss", "master", "schedule"): "0 3 * * *",
    ("compss", "master", "stateInterval"): 500,
    ("compss", "master", "volume", "localPath"): "/changed",
    ("compss", "pools"): [{"name": "changed", "number": 1}],
    ("compss", "worker", "resources"): {"cpu": 3, "memory": 3},
    ("compss", "worker", "volume", "size"): "7Gi",
    ("deadlines",): {"changed": {"seconds": 1}},
    ("limits", "default"): {"cpu": 7},
    ("limits", "defaultRequest"): {"cpu": 7},
    ("limits", "max"): {"cpu": 7},
    ("monitoring", "buckets"): [1, 2],
    ("monitoring", "port"): 7000,
    ("monitoring", "prometheusUrl"): "http://changed",
    ("monitoring", "pushgatewayUrl"): "http://changed",
    ("quota",): {"pods": 7},
    ("results", "accessModes"): ["ReadWriteMany"],
    ("ssh", "server"): "/changed",
}
PATTERNS = ("77s", "77GB")


def other(path: tuple[str, ...], item: dict[str, Any], now: Any) -> Any:
    """Return a valid value that is not the present one."""
    if path in OTHER_VALUES:
        return OTHER_VALUES[path]
    if path[0] == "scrape" and "$ref" in item:
        return {"enabled": False}
    if "enum" in item:
        return next(choice for choice in item["enum"] if choice != now)
    if "pattern" in item:
        return PATTERNS["GB" in item["pattern"]]
    if item["type"] == "array":
        return ["changed"] if item.get("items", {}).get("type") == "string" else [{"name": "changed"}]
    return {"string": "changed", "integer": 7, "boolean": not now, "object": {"changed": "changed"}}[item["type"]]


def look(values: dict[str, Any], path: tuple[str, ...]) -> Any:
    for key in path:
        values = values[key]
    return values


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = copy.deepcopy(base)
    for key, value in over.items():
        default = result.get(key)
        result[key] = merged(default, value) if isinstance(default, dict) and isinstance(value, dict) else value
    return result


def anonymous(text: str) -> str:
    """Return what the chart compss renders without the name of the run, which follows from all values."""
    run = re.search(r'name: COMPSS_RUN, value: "(\w+)"', text)
    return text.replace(run[1], "run") if run else text


@pytest.fixture(scope="module")
def rendered(template: Template) -> Callable[[str, str], str]:
    cache: dict[tuple[str, str], str] = {}

    def get(chart: str, case: str) -> str:
        if (chart, case) not in cache:
            cache[chart, case] = anonymous(template(chart, CASES[chart][case]).stdout)
        return cache[chart, case]

    return get


# The run of an application is another one: test_compss.py.
@pytest.mark.parametrize(("chart", "path"), [leaf for leaf in LEAVES if leaf != ("compss", ("run",))])
def test_no_value_is_unused(
    template: Template, rendered: Callable[[str, str], str], chart: str, path: tuple[str, ...]
) -> None:
    value = other(path, resolved(chart, dict(leaves(schema(chart)))[path]), look(defaults(chart), path))
    errors = []
    for case in CASES[chart]:
        done = template(chart, merged(CASES[chart][case], at(path, value)))
        if done.returncode == 0 and anonymous(done.stdout) != rendered(chart, case):
            return
        errors.append(done.stderr)
    pytest.fail(f"{'.'.join(path)} = {value!r} changes nothing in what {chart} renders {' '.join(errors)}")
