"""What only the chart compss has: runs, pools, the XML files of COMPSs, arguments of the script."""

import os
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import pytest
import xmlschema

from .cases import APPLICATION, CASES
from .conftest import Objects, Render
from .test_charts import Template, pods


def one(objects: Objects, kind: str, ending: str = "") -> dict[str, Any]:
    (item,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"].endswith(ending)]
    return item


def master(objects: Objects) -> dict[str, Any]:
    """The master's container."""
    job = next(o for o in objects if o["kind"] in ("Job", "Deployment") and "helm.sh/hook" not in str(o["metadata"]))
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return dict(container)


def configuration(objects: Objects) -> dict[str, str]:
    return next(o["data"] for o in objects if o["kind"] == "ConfigMap" and "project.xml" in o["data"])


def test_the_token_is_in_the_monitoring_container_alone(application: Render) -> None:
    for _, spec in pods(application({"engine": "dask"})):
        for container in [*spec.get("initContainers", ()), *spec["containers"]]:
            mounts = [mount["name"] for mount in container.get("volumeMounts", ())]
            assert ("token" in mounts) == (container["name"] == "monitoring")


@pytest.fixture(scope="module")
def schemas() -> Path:
    """Those of an installed COMPSs: /opt/COMPSs/Runtime/configuration/xml, or compss/runtime/config/xml of its sources."""
    folder = os.environ.get("CONTINUUM_COMPSS_SCHEMAS")
    if not folder:
        pytest.skip("CONTINUUM_COMPSS_SCHEMAS names no folder with COMPSs' schemas: validating by them is left out")
    return Path(folder)


@pytest.mark.parametrize(
    "case", sorted(name for name, values in CASES["compss"].items() if values.get("engine") != "dask")
)
def test_xml_is_valid(application: Render, schemas: Path, case: str) -> None:
    files = configuration(application(CASES["compss"][case]))
    for kind in ("project", "resources"):
        (schema,) = schemas.rglob(f"{kind}_schema.xsd")
        xmlschema.validate(files[f"{kind}.xml"], str(schema))


def test_xml_says_what_the_pods_are(application: Render) -> None:
    objects = application(APPLICATION)
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


# What the schemas of COMPSs 3.3 allow of what the chart writes, by element: its children, which of them must be there,
# and whether their order counts. A text is one of these types.
TEXT, INTEGER, NUMBER = "[^<]+", "[0-9]+", "[0-9]+([.][0-9]+)?"
SCHEMAS: dict[str, dict[str, tuple[str, str, bool] | str]] = {
    "project.xml": {
        "Project": ("MasterNode ComputeNode", "MasterNode", False),
        "MasterNode": ("", "", False),
        "ComputeNode": ("InstallDir WorkingDir User Application", "InstallDir WorkingDir", False),
        "Application": ("AppDir Pythonpath", "", False),
        **dict.fromkeys(("InstallDir", "WorkingDir", "User", "AppDir", "Pythonpath"), TEXT),
    },
    "resources.xml": {
        "ResourcesList": ("ComputeNode", "", False),
        "ComputeNode": ("Processor Memory Adaptors", "Processor Adaptors", False),
        "Processor": ("ComputingUnits Architecture Type", "ComputingUnits", False),
        "Memory": ("Size Type", "Size", False),
        "Adaptors": ("Adaptor", "Adaptor", True),
        "Adaptor": ("SubmissionSystem Ports", "SubmissionSystem Ports", False),
        "SubmissionSystem": ("Interactive", "", False),
        "Interactive": ("", "", False),
        "Ports": ("MinPort MaxPort SpawnerPort", "MinPort MaxPort", True),
        **dict.fromkeys(("ComputingUnits", "MinPort", "MaxPort", "SpawnerPort"), INTEGER),
        **dict.fromkeys(("Architecture", "Type"), TEXT),
        "Size": NUMBER,
    },
}
NAMED = {"ComputeNode", "Processor", "Adaptor"}


def conforms(node: ElementTree.Element, schema: dict[str, tuple[str, str, bool] | str]) -> None:
    allowed = schema[node.tag]
    assert node.keys() == (["Name"] if node.tag in NAMED else [])
    if isinstance(allowed, str):
        assert len(node) == 0
        assert re.fullmatch(allowed, node.text or ""), f"{node.tag} is {node.text!r}"
        return
    children = [child.tag for child in node]
    assert set(children) <= set(allowed[0].split()), node.tag
    assert set(allowed[1].split()) <= set(children), node.tag
    if allowed[2]:
        assert children == [name for name in allowed[0].split() if name in children]
    for child in node:
        conforms(child, schema)


@pytest.mark.parametrize("case", CASES["compss"])
@pytest.mark.parametrize("file", SCHEMAS)
def test_xml_is_what_the_schemas_of_compss_ask_for(application: Render, file: str, case: str) -> None:
    text = configuration(application(CASES["compss"][case]))[file]
    conforms(ElementTree.fromstring(text.encode()), SCHEMAS[file])  # noqa: S314


def test_params_reach_the_script_as_they_are(application: Render) -> None:
    params = {"big": 1000000, "text": "a b \"c\" 'd' $HOME $(id) `x` ; rm", "flag": True, "share": 0.5}
    arguments = master(application({"engine": "dask", "app": {"params": params, "args": ["x y", 3]}}))["args"]
    assert arguments[arguments.index("/app/matmul.py") + 1 :] == [
        *("--big", "1000000", "--flag", "true", "--share", "0.5", "--text"),
        # Kubernetes reads $$( as $(, and expands nothing.
        params["text"].replace("$(", "$$("),  # type: ignore[attr-defined]
        *("x y", "3"),
    ]


@pytest.mark.parametrize(("preset", "hard", "soft"), [("hard", 1, 0), ("soft", 0, 1), ("none", 0, 0)])
def test_placement(application: Render, preset: str, hard: int, soft: int) -> None:
    values = {"engine": "dask", "compss": {"worker": {"podAntiAffinityPreset": preset}}}
    spec = one(application(values), "StatefulSet")["spec"]["template"]["spec"]
    rules = spec.get("affinity", {}).get("podAntiAffinity", {})
    assert len(rules.get("requiredDuringSchedulingIgnoredDuringExecution", ())) == hard
    assert len(rules.get("preferredDuringSchedulingIgnoredDuringExecution", ())) == soft


def test_workers_repel_those_of_their_own_run(application: Render) -> None:
    """The workers of the run before are no part: they are on their way out when the new ones look for a node."""
    values = {"engine": "dask", "compss": {"worker": {"podAntiAffinityPreset": "hard"}}}
    template = one(application(values), "StatefulSet")["spec"]["template"]
    (rule,) = template["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    labels = template["metadata"]["labels"]
    selected = rule["labelSelector"]["matchLabels"]
    assert selected.items() <= labels.items()
    assert "continuum.edge/run" in selected


def test_other_values_are_another_run(application: Render) -> None:
    def run(values: dict[str, Any]) -> str:
        return str(one(application({"engine": "dask", **values}), "StatefulSet", "worker")["metadata"]["name"])

    assert run({}) == run({})
    assert len({run({}), run({"run": "2"}), run({"app": {"params": {"a": 1}}})}) == 3


def test_ports_of_the_network_policies(application: Render) -> None:
    for engine in ("compss", "dask"):
        objects = application({"engine": engine})
        ports = {
            item["metadata"]["name"]: [port["port"] for rule in item["spec"]["ingress"] for port in rule["ports"]]
            for item in objects
            if item["kind"] == "NetworkPolicy"
        }
        assert ports == {
            "test-master": [43100, 43001, 43002, 49049, 6379, "http-metrics"],
            "test-worker": [2222, 43001, 43002, 49049],
        }


def test_the_role_allows_the_workers_of_this_run_and_no_more(application: Render) -> None:
    objects = application({"engine": "dask"})
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


def environment(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container["env"] if "value" in each}


def worker(objects: Objects) -> dict[str, Any]:
    return dict(one(objects, "StatefulSet", "worker")["spec"]["template"]["spec"]["containers"][0])


@pytest.mark.parametrize(
    "compss",
    [
        {},
        {"worker": {"number": 1, "max": 3}},
        {"pools": [{"name": "late", "number": 0, "max": 3}]},
        {"pools": [{"name": "arm", "number": 1, "max": 2}]},
    ],
    ids=str,
)
def test_workers_of_any_pool_may_come_late(application: Render, compss: dict[str, Any]) -> None:
    assert int(environment(master(application({"compss": compss})))["COMPSS_SSH_TIMEOUT"]) >= 24 * 3600 * 1000


def test_the_runtime_keeps_the_status_and_writes_where_it_may(application: Render) -> None:
    for engine in ("compss", "dask"):
        for container in (master(application({"engine": engine})), worker(application({"engine": engine}))):
            assert container["workingDir"] == "/tmp"
    assert environment(master(application({})))["DEFAULT_GENERATE_TRACE"] == "false"


def test_what_costs_is_no_default(application: Render) -> None:
    arguments = master(application({}))["args"]
    assert "-g" in arguments
    assert not {"-d", "-t"} & set(arguments)


@pytest.mark.parametrize(
    ("compss", "heap"),
    [
        ({}, 256),
        ({"worker": {"resources": {"cpu": 1, "memory": 0.5}}}, 128),
        ({"worker": {"resources": {"cpu": 1, "memory": 64}}}, 1024),
        (
            {"pools": [{"name": "small", "resources": {"memory": 0.25}}, {"name": "big", "resources": {"memory": 8}}]},
            64,
        ),
        ({"worker": {"resources": {"cpu": 1, "memory": "0.4"}}}, 102),
    ],
    ids=str,
)
def test_the_workers_heap_follows_their_memory(application: Render, compss: dict[str, Any], heap: int) -> None:
    assert f"--jvm_workers_opts=-Xmx{heap}m" in master(application({"compss": compss}))["args"]


def test_ones_own_heap_of_the_workers_wins(application: Render) -> None:
    """runcompss takes the last of an option that is given twice."""
    arguments = master(application({"compss": {"master": {"options": ["--jvm_workers_opts=-Xmx2g"]}}}))["args"]
    assert [each for each in arguments if "jvm_workers" in each][-1] == "--jvm_workers_opts=-Xmx2g"


def test_a_workers_data_outlives_its_pod_where_it_has_a_claim(application: Render) -> None:
    volume = {"size": "2Gi", "storageClass": "fast"}
    (small,) = [{"name": "small", "volume": {"size": ""}}]
    objects = application({"compss": {"worker": {"volume": volume}, "pools": [small]}})
    workers = one(objects, "StatefulSet", "worker")["spec"]
    (claim,) = workers["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == "fast"
    assert claim["spec"]["resources"] == {"requests": {"storage": "2Gi"}}
    mounts = {each["name"]: each["mountPath"] for each in workers["template"]["spec"]["containers"][0]["volumeMounts"]}
    working = re.findall("<WorkingDir>(.*)/</WorkingDir>", configuration(objects)["project.xml"])
    assert set(working) == {mounts["data"]}
    assert "volumeClaimTemplates" not in one(objects, "StatefulSet", "small")["spec"]
    assert "volumeClaimTemplates" not in one(application({}), "StatefulSet")["spec"]


def test_deadlines_reach_tasks_without_quotes(application: Render) -> None:
    """The deadlines are written as sshd's SetEnv can hand them on, and as compss_telemetry reads them."""
    limits = {"add": {"seconds": 2.5}, "big": {"seconds": 1000000, "jitter": 0.000001}}
    variable = environment(worker(application({"deadlines": limits})))["COMPSS_DEADLINES"]
    assert variable == "add=2.5+0,big=1000000+1e-06"


@pytest.mark.parametrize(
    ("engine", "options", "left"),
    [
        ("compss", ["-g"], {"monitor/complete_graph.dot"}),
        ("compss", [], set()),
        ("compss", ["-d", "-t"], {"trace"}),
        ("dask", [], {"monitor/complete_graph.dot", "trace"}),
    ],
)
def test_helm_test_asks_for_what_the_options_leave(
    application: Render, engine: str, options: list[str], left: set[str]
) -> None:
    objects = application({"engine": engine, "compss": {"master": {"options": options}}})
    arguments = one(objects, "Pod")["spec"]["containers"][0]["args"]
    assert arguments[:2] == ["check", "/results"]
    assert set(arguments[2:]) == {"runtime.log", "jobs", "monitor/COMPSs_state.xml"} | left


def test_no_secret_is_rendered(application: Render) -> None:
    for values in CASES["compss"].values():
        assert not [o for o in application(values) if o["kind"] == "Secret"]


@pytest.mark.parametrize(
    ("values", "message"),
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
        ({"deadlines": {'a"b': {"seconds": 1}}}, "does not match pattern"),
        ({"compss": {"worker": {"volume": {"size": "much"}}}}, "size"),
        ({"compss": {"pools": [{"name": "a", "volume": {"size": "2 GB"}}]}}, "size"),
        ({"compss": {"worker": {"max": 3, "qos": {"template": "T", "min": 4}}}}, "Expected a max of 4 at least"),
        ({"monitoring": {"pushgatewayUrl": "pushgateway:9091"}}, "pushgatewayUrl"),
    ],
    ids=str,
)
def test_bad_values_are_refused_by_name(application_template: Template, values: dict[str, Any], message: str) -> None:
    done = application_template(values)
    assert done.returncode != 0
    assert message in done.stderr


def test_two_releases_share_no_name(application: Render) -> None:
    names = [
        {(o["kind"], o["metadata"]["name"]) for o in application({"engine": "dask"}, name=name)}
        for name in ("one", "two")
    ]
    assert not names[0] & names[1]


def test_each_pool_has_an_agreement_of_its_own_or_none(application: Render) -> None:
    objects = application(CASES["compss"]["guaranteed"])
    agreements = [item for item in objects if item["kind"] == "QoSAgreement"]
    assert all(one(objects, "StatefulSet", item["spec"]["target"]) for item in agreements)
    specs = [item["spec"] for item in agreements]
    bounds = {spec["template"]: (spec["min"], spec["max"], spec.get("limits")) for spec in specs}
    assert bounds == {"DeadlinesMissed_1": (1, 8, {"cpu": "2"}), "Patient": (2, 3, None)}
