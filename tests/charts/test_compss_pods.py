"""What the pods of charts/compss have by a user's values, and odd values: names, nulls, numbers, values of other charts."""

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest

from .conftest import Objects, Render
from .test_charts import Template, pods
from .test_compss import configuration, master, one

POD: dict[str, Any] = {
    "env": {"TEXT": "a $(b) c", "NUMBER": 1000000, "KEY": {"secretKeyRef": {"name": "s3", "key": "key"}}},
    "envFrom": [{"secretRef": {"name": "s3.example.org"}}],
    "extraVolumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    "extraVolumeMounts": [{"name": "data", "mountPath": "/data", "readOnly": True}],
    "initContainers": [{"name": "first", "image": "docker.io/library/busybox:1.37"}],
    "runtimeClassName": "nvidia",
    "serviceAccountName": "reader",
}
GPU = {"name": "gpu", "resources": {"nvidia.com/gpu": 2}, "env": {"ONLY": "here"}}


def pool(objects: Objects, name: str) -> dict[str, Any]:
    return dict(one(objects, "StatefulSet", f"-{name}")["spec"]["template"]["spec"])


def container(spec: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in spec["containers"] if each["name"] in ("master", "worker"))


@pytest.mark.parametrize("role", ["master", "worker"])
@pytest.mark.parametrize("engine", ["dask", "compss"])
def test_the_pods_get_what_is_asked_for(application: Render, engine: str, role: str) -> None:
    objects = application({"engine": engine, "compss": {role: POD}})
    kind = {"master": "Job", "worker": "StatefulSet"}[role]
    (spec,) = [o["spec"]["template"]["spec"] for o in objects if o["kind"] == kind and "hook" not in str(o["metadata"])]
    application_container = container(spec)
    environment = {each["name"]: each for each in application_container["env"]}
    assert environment["TEXT"]["value"] == "a $$(b) c"
    assert environment["NUMBER"]["value"] == "1000000"
    assert environment["KEY"]["valueFrom"] == POD["env"]["KEY"]
    assert application_container["envFrom"] == POD["envFrom"]
    assert POD["extraVolumes"][0] in spec["volumes"]
    assert POD["extraVolumeMounts"][0] in application_container["volumeMounts"]
    assert spec["initContainers"][0] == POD["initContainers"][0]
    assert spec["runtimeClassName"] == "nvidia"
    assert spec["serviceAccountName"] == "reader"


def test_the_rights_go_to_an_account_of_ones_own(application: Render) -> None:
    objects = application({"engine": "dask", "compss": {"master": {"serviceAccountName": "mine"}}})
    assert not [o for o in objects if o["kind"] == "ServiceAccount"]
    assert one(objects, "RoleBinding")["subjects"][0]["name"] == "mine"


def test_an_environment_in_kubernetes_form(application: Render) -> None:
    given = [{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}]
    objects = application({"engine": "dask", "compss": {"worker": {"env": given}}})
    assert container(pool(objects, "worker"))["env"][-2:] == given


def test_requests_apart_from_limits(application: Render) -> None:
    resources = {"cpu": 2, "memory": 4, "requests": {"cpu": "250m"}, "ephemeral-storage": "2Gi"}
    objects = application({"engine": "dask", "compss": {"worker": {"resources": resources}}})
    assert container(pool(objects, "worker"))["resources"] == {
        "limits": {"cpu": "2", "memory": "4096Mi", "ephemeral-storage": "2Gi"},
        "requests": {"cpu": "250m", "memory": "4096Mi", "ephemeral-storage": "2Gi"},
    }


def test_a_gpu_is_offered_by_the_pool_whose_pods_have_one_and_by_no_other(application: Render) -> None:
    values: dict[str, Any] = {"compss": {"pools": [GPU]}}
    objects = application({**values, "engine": "dask"})
    for name, amount in {"gpu": 2, "worker": 0}.items():
        worker_container = container(pool(objects, name))
        assert worker_container["resources"]["limits"].get("nvidia.com/gpu", 0) == amount
        assert ("--resources=gpu=2" in worker_container["args"]) == bool(amount)
        assert not amount or {"name": "ONLY", "value": "here"} in worker_container["env"]
    text = configuration(application({**values, "engine": "compss"}))["resources.xml"]
    for node in ElementTree.fromstring(text.encode()):  # noqa: S314
        devices = [(p.findtext("Type"), p.findtext("ComputingUnits")) for p in node.findall("Processor")[1:]]
        assert devices == ([("GPU", "2")] if "-gpu-" in node.get("Name", "") else [])


@pytest.mark.parametrize("constraints", [{"gpu": 1}, {"fpga": "1"}])
def test_a_constraint_of_a_device_that_no_pod_asks_for_is_refused(
    application_template: Template, constraints: dict[str, Any]
) -> None:
    done = application_template({"engine": "dask", "compss": {"worker": {"constraints": constraints}}})
    assert done.returncode != 0
    assert "its pods ask for 0; expected an extended resource" in done.stderr


def test_a_spread_counts_the_workers_of_its_pool(application: Render) -> None:
    spread = [{"topologyKey": "topology.kubernetes.io/zone"}]
    template = one(
        application({"engine": "dask", "compss": {"worker": {"topologySpreadConstraints": spread}}}), "StatefulSet"
    )["spec"]["template"]
    (rule,) = template["spec"]["topologySpreadConstraints"]
    assert rule["labelSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert rule["maxSkew"] == 1


# Odd values


BLOCKS = [
    *("image", "imagePullSecrets", "commonLabels", "app", "app.context", "app.source", "app.source.git", "app.params"),
    *("compss", "compss.master", "compss.master.volume", "compss.master.resources", "compss.master.options"),
    *("compss.worker", "compss.worker.resources", "compss.worker.constraints", "compss.pools", "deadlines", "results"),
    *("monitoring", "monitoring.image", "monitoring.resources", "monitoring.buckets", "redis", "redis.image", "ssh"),
    *("podDisruptionBudget", "networkPolicy", "podSecurityContext", "containerSecurityContext", "engine", "run"),
]


@pytest.mark.parametrize("engine", ["compss", "dask"])
@pytest.mark.parametrize("block", BLOCKS)
def test_null_is_off_or_the_default(application: Render, block: str, engine: str) -> None:
    values: dict[str, Any] = {"engine": engine}
    place = values
    *parents, last = block.split(".")
    for name in parents:
        place = place.setdefault(name, {})
    place[last] = None
    objects = application(values)
    assert {"Job", "StatefulSet", "ConfigMap"} <= {o["kind"] for o in objects}
    # A template makes such texts of a value that is missing.
    assert "<no value>" not in str(objects)
    assert "None" not in [o["metadata"]["name"] for o in objects]


def test_null_takes_a_limit_away(application: Render) -> None:
    objects = application({"engine": "dask", "compss": {"master": {"resources": {"limits": {"cpu": None}}}}})
    assert master(objects)["resources"]["limits"] == {"memory": "1Gi"}


def test_common_labels_never_break_a_selector(application: Render) -> None:
    taken = {"app.kubernetes.io/name": "x", "app.kubernetes.io/instance": "x", "app.kubernetes.io/component": "x"}
    labels = {**taken, "continuum.edge/run": "x", "continuum.edge/pool": "x"}
    values = {"engine": "dask", "commonLabels": labels, "compss": {"worker": {"labels": labels}}}
    objects = application(values)
    for item in objects:
        assert item["metadata"]["labels"]["app.kubernetes.io/name"] == "compss"
        selector = item["spec"].get("selector") if item["kind"] == "StatefulSet" else None
        if selector:
            assert selector["matchLabels"].items() <= item["spec"]["template"]["metadata"]["labels"].items()
    selectors = [o["spec"]["selector"] for o in objects if o["kind"] == "Service"]
    labelled = [o["spec"]["template"]["metadata"]["labels"] for o in objects if o["kind"] in ("Job", "StatefulSet")]
    assert all(any(selector.items() <= labels.items() for labels in labelled) for selector in selectors)


@pytest.mark.parametrize("name", ["y", "no", "2024", "1e3", "null", "0x10"])
def test_names_that_yaml_reads_as_something_else(application: Render, name: str) -> None:
    for engine in ("dask", "compss"):
        objects = application({"engine": engine}, namespace=name, name=name)
        for item in objects:
            metadata = item["metadata"]
            assert isinstance(metadata["name"], str)
            assert metadata.get("namespace", name) == name
            assert metadata["labels"]["app.kubernetes.io/instance"] == name
            if item["kind"] == "Service":
                assert re.fullmatch("[a-z]([-a-z0-9]*[a-z0-9])?", metadata["name"])
        for _labels, spec in pods(objects):
            for each in [*spec.get("initContainers", ()), *spec["containers"]]:
                assert all(isinstance(entry.get("value", ""), str) for entry in each.get("env", ()))


def test_long_names_that_begin_alike_stay_apart(application: Render) -> None:
    names = ["analysis-of-the-harbour-cranes-one", "analysis-of-the-harbour-cranes-two"]
    made = [{(o["kind"], o["metadata"]["name"]) for o in application({"engine": "dask"}, name=name)} for name in names]
    assert not made[0] & made[1]
    assert all(len(name) <= 52 for each in made for _kind, name in each)


@pytest.mark.parametrize("number", [2**53, 2**53 + 1, -(2**60)])
def test_a_number_that_helm_would_change_is_refused(application_template: Template, number: int) -> None:
    done = application_template({"engine": "dask", "app": {"params": {"seed": number}}})
    assert done.returncode != 0
    assert "Expected it in quotes" in done.stderr


def test_the_largest_numbers_that_stay(application: Render) -> None:
    values = {"engine": "dask", "app": {"params": {"a": 2**53 - 1, "b": str(2**60 + 1), "c": -1, "d": 1e-7}}}
    arguments = master(application(values))["args"]
    assert arguments[arguments.index("--a") :] == [
        "--a",
        "9007199254740991",
        "--b",
        str(2**60 + 1),
        "--c",
        "-1",
        "--d",
        "1e-07",
    ]


# The keys of the charts of the ELIXIRION school and of VERGE, with the types that their values have.

CLIENT = {"enabled": False, "buckets": "-inf, 0.5, inf", "containerPort": 15000, "redisContainerPort": 6379}
BOTH: dict[str, Any] = {
    "image": {"repository": "registry.example/compss", "pullPolicy": "Always", "tag": "latest"},
    "compss": {
        "master": {"labels": {"node": "master"}, "ports": {"name": "ssh"}, "volume": {}, "prometheusClient": CLIENT},
        "worker": {
            "number": 1,
            "labels": {"node": "worker"},
            "resources": {"cpu": 4, "memory": 4},
            "ports": {"name": "ssh"},
            "prometheusClient": CLIENT,
        },
        "service": {"ssh": 22},
    },
    "monitoring": {"servicemonitor": {"releaseName": "prometheus"}},
    "app": {"context": {"folderPath": "/home/one/apps", "file": "gen.py"}, "params": {"get-fitness": "False"}},
}
SCHOOL: dict[str, Any] = {
    **BOTH,
    "mqtt": {
        "enabled": False,
        "image": {"repository": "registry.example/broker", "tag": "latest", "pullPolicy": "Always"},
        "port": 1883,
        "nodePort": 31883,
    },
    "compss": {
        **BOTH["compss"],
        "master": {
            **BOTH["compss"]["master"],
            "volume": {"localPath": "/home/one", "node": "minikube"},
            "scheduler_config": None,
        },
    },
    "monitoring": {
        **BOTH["monitoring"],
        "enabled": True,
        "port": 15000,
        "prometheusUrl": "http://prometheus-kube-prometheus-prometheus.monitoring.svc:9090",
        "image": {"repository": "registry.example/monitoring-api", "tag": "latest", "pullPolicy": "Always"},
        "namespace": "monitoring",
        "node": None,
    },
}
VERGE: dict[str, Any] = {
    **BOTH,
    "compss": {
        **BOTH["compss"],
        "master": {
            **BOTH["compss"]["master"],
            "scheduler_config": {
                "vertical_scalability": "true",
                "vertical_scaling_up_taskThreshold": "115",
                "vertical_increasing_cpus": 1,
            },
        },
    },
}


@pytest.mark.parametrize(
    ("values", "ignored"),
    [
        (SCHOOL, ["mqtt", "monitoring.namespace", "monitoring.image", "compss.service", "compss.master.ports"]),
        (VERGE, ["compss.master.scheduler_config", "compss.worker.prometheusClient"]),
    ],
    ids=["school", "verge"],
)
def test_values_of_the_public_charts_run_as_they_are(
    application: Render, application_template: Template, values: dict[str, Any], ignored: list[str]
) -> None:
    objects = application(values)
    assert master(objects)["image"] == "registry.example/compss:latest"
    assert "/home/one/apps/gen.py" in master(objects)["args"]
    limits = container(pool(objects, "worker"))["resources"]["limits"]
    assert limits == {"cpu": "4", "memory": "4096Mi"}
    job = one(objects, "Job", one(objects, "StatefulSet")["metadata"]["name"].removesuffix("-worker"))
    assert job["spec"]["template"]["metadata"]["labels"]["node"] == "master"
    sidecar = next(c for c in job["spec"]["template"]["spec"]["initContainers"] if c["name"] == "monitoring")
    assert "compss-monitoring" in sidecar["image"]
    warnings = re.findall(r"(?m)^# (\S+) is ignored\.", application_template(values).stdout)
    assert set(ignored) <= set(warnings)
    # The notes name only what was given.
    assert "nameOverride" not in warnings


def test_their_releases_label_is_that_of_the_monitor(application: Render) -> None:
    monitoring = {"discovery": "ServiceMonitor", "servicemonitor": {"releaseName": "prometheus"}}
    objects = application({"engine": "dask", "monitoring": monitoring})
    assert one(objects, "ServiceMonitor")["metadata"]["labels"]["release"] == "prometheus"


@pytest.mark.parametrize("engine", ["dask", "compss"])
def test_a_storage_is_an_option_a_file_and_a_secret(application: Render, engine: str) -> None:
    storage = {"implementation": "redis", "configuration": "STORAGE_URL=redis://a:1\n", "secretName": "words"}
    given = {"configMapRef": {"name": "given"}}
    objects = application({"engine": engine, "compss": {"storage": storage, "worker": {"envFrom": [given]}}})
    arguments = master(objects)["args"]
    at = arguments.index("--storage_impl=redis")
    assert arguments[at + 1] == "--storage_conf=/etc/compss/storage.conf"
    configuration = next(each for each in objects if each["kind"] == "ConfigMap" and "master.py" in each["data"])
    assert configuration["data"]["storage.conf"] == storage["configuration"]
    secret = {"secretRef": {"name": "words"}}
    assert master(objects)["envFrom"] == [secret]
    assert container(pool(objects, "worker"))["envFrom"] == [given, secret]


def test_without_a_storage_there_is_none(application: Render) -> None:
    objects = application({})
    assert "envFrom" not in master(objects)
    assert not [each for each in master(objects)["args"] if "storage" in each]


def test_a_storage_without_implementation_is_refused(application: Render) -> None:
    with pytest.raises(
        AssertionError, match=r"compss.storage has a configuration or secretName, and no implementation"
    ):
        application({"compss": {"storage": {"secretName": "words"}}})
