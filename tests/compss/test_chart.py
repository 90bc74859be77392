"""The chart compss without a cluster: what it renders, and what it refuses."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import ROOT, Objects, Template, program

Render = Callable[..., Objects]
CHART = ROOT / "charts" / "compss"
EVERYTHING: dict[str, Any] = {
    "fullnameOverride": "mine",
    "image": {"repository": "registry.example/app", "tag": "7"},
    "imagePullSecrets": [{"name": "pull"}],
    "commonLabels": {"team": "edge"},
    "app": {"params": {"size": 4}, "args": ["more"], "source": {"git": {"repository": "https://example/app.git"}}},
    "compss": {
        "master": {
            "volume": {"localPath": "/data/results", "node": "edge-1"},
            "timeLimit": 600,
            "env": {"A": "b"},
            "nodeSelector": {"a": "b"},
            "tolerations": [{"operator": "Exists"}],
            "affinity": {"nodeAffinity": {}},
            "priorityClassName": "high",
            "podAnnotations": {"a": "b"},
        },
        "worker": {
            "number": 1,
            "max": 3,
            "labels": {"tier": "work"},
            "resources": {"cpu": "1500m", "memory": 0.5},
            "memoryType": "Non-volatile",
            "podAntiAffinityPreset": "hard",
            "otherApplicationsPreset": "soft",
            "podAnnotations": {"a": "b"},
        },
        "pools": [{"name": "arm", "number": 2, "architecture": "arm64", "resources": {"cpu": 4, "memory": 8}}],
    },
    "deadlines": {"multiply": {"seconds": 2.5, "jitter": 0.5}},
    "monitoring": {"discovery": "ServiceMonitor"},
    "networkPolicy": {"from": [{"podSelector": {}}]},
}
CASES: dict[str, dict[str, Any]] = {
    "compss": {},
    "dask": {"engine": "dask"},
    "everything": EVERYTHING,
    "everything dask": {**EVERYTHING, "engine": "dask"},
    "stream": {"engine": "dask", "compss": {"master": {"kind": "Deployment"}}},
    "bare": {
        "engine": "dask",
        "monitoring": {"enabled": False},
        "results": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
    },
}


def pods(objects: Objects) -> Iterator[tuple[str, dict[str, Any]]]:
    for item in objects:
        if item["kind"] in ("Job", "Deployment", "StatefulSet"):
            yield item["metadata"]["name"], item["spec"]["template"]["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["name"], item["spec"]


def one(objects: Objects, kind: str, ending: str = "") -> dict[str, Any]:
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"].endswith(ending)]
    return found


def master(objects: Objects) -> dict[str, Any]:
    """The master's container."""
    job = next(o for o in objects if o["kind"] in ("Job", "Deployment") and "helm.sh/hook" not in str(o["metadata"]))
    (found,) = job["spec"]["template"]["spec"]["containers"]
    return dict(found)


def configuration(objects: Objects) -> dict[str, str]:
    return next(o["data"] for o in objects if o["kind"] == "ConfigMap" and "project.xml" in o["data"])


def test_lint() -> None:
    done = subprocess.run([program("helm"), "lint", "--strict", str(CHART)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES)
def test_renders_twice_the_same(template: Template, case: str) -> None:
    first, second = (template(CASES[case]) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


@pytest.mark.parametrize("case", CASES)
def test_every_container_is_restricted(render: Render, case: str) -> None:
    for name, spec in pods(render(CASES[case])):
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        assert not any("hostPath" in volume for volume in spec.get("volumes", ())), name
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["requests"]
            assert container["resources"]["limits"]


def test_the_token_is_in_the_monitoring_container_alone(render: Render) -> None:
    for _, spec in pods(render({"engine": "dask"})):
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            mounts = [mount["name"] for mount in container.get("volumeMounts", ())]
            assert ("token" in mounts) == (container["name"] == "monitoring")


def test_xml_says_what_the_pods_are(render: Render) -> None:
    objects = render(EVERYTHING)
    project = ElementTree.fromstring(configuration(objects)["project.xml"].encode())  # noqa: S314
    resources = ElementTree.fromstring(configuration(objects)["resources.xml"].encode())  # noqa: S314
    names = [node.get("Name") for node in project.findall("ComputeNode")]
    assert names == [node.get("Name") for node in resources.findall("ComputeNode")]
    wanted = []
    for item in objects:
        if item["kind"] != "StatefulSet":
            continue
        pool = item["metadata"]["name"].rpartition("-")[2]
        room = {"worker": 3, "arm": 2}[pool]
        wanted += [f"{item['metadata']['name']}-{number}.mine-workers" for number in range(room)]
        assert item["spec"]["serviceName"] == "mine-workers"
        spec = item["spec"]["template"]["spec"]
        described = next(n for n in resources if n.get("Name", "").startswith(item["metadata"]["name"]))
        assert spec["nodeSelector"]["kubernetes.io/arch"] == described.findtext("Processor/Architecture")
        limits = spec["containers"][0]["resources"]["limits"]
        assert limits["memory"] == f"{float(described.findtext('Memory/Size') or 0) * 1024:.0f}Mi"
        assert described.findtext("Processor/ComputingUnits") == {"worker": "1", "arm": "4"}[pool]
        assert described.findtext("Memory/Type") == "Non-volatile"
    assert sorted(names) == sorted(wanted)
    for node in resources:
        ports = node.find("Adaptors/Adaptor/Ports")
        assert ports is not None
        assert [child.text for child in ports] == ["43001", "43002", "2222"]


def test_params_reach_the_script_as_they_are(render: Render) -> None:
    params = {"big": 1000000, "text": "a b \"c\" 'd' $HOME $(id) `x` ; rm", "flag": True, "share": 0.5}
    found = master(render({"engine": "dask", "app": {"params": params, "args": ["x y", 3]}}))["args"]
    assert found[found.index("/app/matmul.py") + 1 :] == [
        *("--big", "1000000", "--flag", "true", "--share", "0.5", "--text"),
        # Kubernetes reads $$( as $(, and expands nothing.
        params["text"].replace("$(", "$$("),  # type: ignore[attr-defined]
        *("x y", "3"),
    ]


@pytest.mark.parametrize(("preset", "hard", "soft"), [("hard", 1, 0), ("soft", 0, 1), ("none", 0, 0)])
def test_placement(render: Render, preset: str, hard: int, soft: int) -> None:
    values = {"engine": "dask", "compss": {"worker": {"podAntiAffinityPreset": preset}}}
    spec = one(render(values), "StatefulSet")["spec"]["template"]["spec"]
    rules = spec.get("affinity", {}).get("podAntiAffinity", {})
    assert len(rules.get("requiredDuringSchedulingIgnoredDuringExecution", ())) == hard
    assert len(rules.get("preferredDuringSchedulingIgnoredDuringExecution", ())) == soft


def test_other_values_are_another_run(render: Render) -> None:
    def run(values: dict[str, Any]) -> str:
        return str(one(render({"engine": "dask", **values}), "StatefulSet", "worker")["metadata"]["name"])

    assert run({}) == run({})
    assert len({run({}), run({"run": "2"}), run({"app": {"params": {"a": 1}}})}) == 3


def test_ports_of_the_network_policies(render: Render) -> None:
    for engine in ("compss", "dask"):
        objects = render({"engine": engine})
        found = {
            item["metadata"]["name"]: [port["port"] for rule in item["spec"]["ingress"] for port in rule["ports"]]
            for item in objects
            if item["kind"] == "NetworkPolicy"
        }
        assert found == {
            "app-master": [43100, 43001, 43002, 49049, 6379, "http-metrics"],
            "app-worker": [2222, 43001, 43002, 49049],
        }


def test_the_role_allows_the_workers_of_this_run_and_no_more(render: Render) -> None:
    objects = render({"engine": "dask"})
    assert one(objects, "Role")["rules"] == [
        {
            "apiGroups": ["apps"],
            "resources": ["statefulsets/scale"],
            "resourceNames": [one(objects, "StatefulSet")["metadata"]["name"]],
            "verbs": ["patch"],
        },
        {
            "apiGroups": ["batch"],
            "resources": ["jobs"],
            "resourceNames": [one(objects, "StatefulSet")["metadata"]["name"].removesuffix("-worker")],
            "verbs": ["get"],
        },
    ]


def test_no_secret_is_rendered(render: Render) -> None:
    for values in CASES.values():
        assert not [o for o in render(values) if o["kind"] == "Secret"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"engine": "spark"}, "engine"),
        ({"compss": {"worker": {"nubmer": 1}}}, "nubmer"),
        ({"compss": {"worker": {"number": 0}}}, "expected at least one"),
        ({"compss": {"worker": {"number": "two"}}}, "number"),
        ({"compss": {"worker": {"resources": {"cpu": 1, "memory": "2Gi"}}}}, "memory"),
        ({"compss": {"pools": [{"name": "a"}, {"name": "a"}]}}, "two pools"),
        ({"compss": {"pools": [{"name": "worker"}]}}, "pools"),
        ({"compss": {"master": {"volume": {"localPath": "/data"}}}}, "expected both"),
        ({"app": {"source": {"files": {"other.py": ""}}}}, "has only other.py"),
        ({"app": {"source": {"configMap": "a", "claim": "b"}}}, "expected one of them"),
        ({"app": {"params": {"a": {"b": 1}}}}, "params"),
        ({"deadlines": {"a": {"seconds": 0}}}, "seconds"),
        ({"monitoring": {"pushgatewayUrl": "pushgateway:9091"}}, "pushgatewayUrl"),
    ],
    ids=str,
)
def test_bad_values_are_refused_by_name(template: Template, values: dict[str, Any], said: str) -> None:
    done = template(values)
    assert done.returncode != 0
    assert said in done.stderr


def test_two_releases_share_no_name(render: Render) -> None:
    names = [
        {(o["kind"], o["metadata"]["name"]) for o in render({"engine": "dask"}, name=name)} for name in ("one", "two")
    ]
    assert not names[0] & names[1]


def test_readme_and_schema_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "charts" / "docs.py"), "--check", str(CHART)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
