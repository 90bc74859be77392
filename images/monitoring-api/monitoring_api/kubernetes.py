"""The API server: nodes, Jobs, whether a token is good; and the back-end kubernetes, for devices without Prometheus."""

from __future__ import annotations

import ssl
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from .backend import NotGiven, Series, Shared, Target, Unavailable
from .catalogue import Exporter
from .selector import Requirement, fits
from .settings import Settings
from .web import Asker

#: metrics-server asks the kubelets every 15 s.
SHARED_SECONDS = 2.0
#: What a quantity's suffix stands for.
SUFFIXES = {
    **{"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18},
    **{"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60},
}


def quantity(text: str) -> float:
    """A quantity of Kubernetes, such as 250m, 2Gi or 1e3, in its base unit."""
    number = text.rstrip("KMGTPEinumk")
    return float(number) * SUFFIXES.get(text[len(number) :], 1)


class Token(httpx.Auth):
    """The pod's token, which the kubelet renews in its file."""

    def __init__(self, file: str) -> None:
        self.file = Path(file)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncIterator[httpx.Request]:  # type: ignore[override]
        if self.file.exists():
            request.headers["Authorization"] = f"Bearer {self.file.read_text(encoding='ascii').strip()}"
        yield request


class Cluster:
    """The API server, as the pod's ServiceAccount may ask it."""

    def __init__(self, settings: Settings) -> None:
        authority = Path(settings.kubernetes_ca_file)
        self.http = Asker(
            "the API server",
            settings.kubernetes_url,
            settings.timeout,
            settings.answer_bytes,
            verify=ssl.create_default_context(cafile=str(authority)) if authority.exists() else True,
            auth=Token(settings.kubernetes_token_file),
        )
        self.shared = Shared(SHARED_SECONDS)

    async def items(self, path: str, **parameters: str) -> list[dict[str, Any]]:
        async def ask() -> list[dict[str, Any]]:
            status, answer = await self.http.ask("GET", path, params=parameters)
            if status != 200 or not isinstance(answer, dict):
                raise Unavailable(f"the API server answered {status} for {path}")
            return list(answer["items"])

        answer: list[dict[str, Any]] = await self.shared.get((path, *sorted(parameters.items())), ask)
        return answer

    async def nodes(self) -> list[dict[str, Any]]:
        return await self.items("api/v1/nodes")

    async def review(self, kind: str, api: str, spec: dict[str, Any]) -> dict[str, Any]:
        """The status of a review such as TokenReview."""
        body = {"apiVersion": api, "kind": kind, "spec": spec}
        status, answer = await self.http.ask("POST", f"apis/{api}/{kind.lower()}s", json=body)
        if status != 201 or not isinstance(answer, dict):
            raise Unavailable(f"the API server answered {status} to a {kind}")
        return dict(answer["status"])

    async def close(self) -> None:
        await self.http.close()


def condition(node: dict[str, Any], name: str) -> bool:
    conditions = node["status"].get("conditions", [])
    return any(item["type"] == name and item["status"] == "True" for item in conditions)


def ready(node: dict[str, Any]) -> bool:
    return condition(node, "Ready")


def schedulable(node: dict[str, Any]) -> bool:
    return not node["spec"].get("unschedulable", False)


#: Figures of a node that the API server itself has.
_OF_NODE: dict[str, Callable[[dict[str, Any]], float]] = {
    "node:ready:max": ready,
    "node:schedulable:min": schedulable,
    "node:available:min": lambda node: ready(node) and schedulable(node),
    "node:cpu_capacity_cores:max": lambda node: quantity(node["status"]["capacity"]["cpu"]),
    "node:cpu_allocatable_cores:max": lambda node: quantity(node["status"]["allocatable"]["cpu"]),
    "node:memory_capacity_bytes:max": lambda node: quantity(node["status"]["capacity"]["memory"]),
    "node:memory_allocatable_bytes:max": lambda node: quantity(node["status"]["allocatable"]["memory"]),
    "node:pods_allocatable:max": lambda node: quantity(node["status"]["allocatable"]["pods"]),
}
#: Figures of use, by their resource, and the levels that they are summed over.
_OF_USE = {
    "cpu": ("cpu_usage_cores:rate", "cpu_usage_cores:rate", "cpu_usage_cores:rate", "cpu_usage_cores:rate"),
    "memory": (
        *("memory_working_set_bytes:sum", "memory_working_set_bytes:sum"),
        *("memory_working_set_bytes:sum", "memory_working_set_bytes:max"),
    ),
}
_LEVELS = ("node", "namespace", "pod", "container")
#: Figures of what pods request.
_OF_REQUEST = {"cpu": "cpu_request_cores", "memory": "memory_request_bytes"}

GIVEN = frozenset(
    [
        *_OF_NODE,
        *(f"{level}:{name}" for names in _OF_USE.values() for level, name in zip(_LEVELS, names, strict=True)),
        *(f"{level}:{name}:sum" for name in _OF_REQUEST.values() for level in ("node", "namespace", "pod")),
        *("node:pods:count", "cluster:nodes:count", "cluster:nodes_available:sum"),
    ]
)

NO_HISTORY = "the back-end kubernetes has no history: nothing keeps it without Prometheus"

Figure = tuple[str, dict[str, str], float]


def of_nodes(nodes: list[dict[str, Any]], used: list[dict[str, Any]]) -> Iterator[Figure]:
    """Figures of nodes and of the cluster."""
    for node in nodes:
        for name, figure in _OF_NODE.items():
            yield name, {"node": node["metadata"]["name"]}, float(figure(node))
    yield "cluster:nodes:count", {}, float(len(nodes))
    yield "cluster:nodes_available:sum", {}, float(sum(ready(node) and schedulable(node) for node in nodes))
    for item in used:
        for resource, names in _OF_USE.items():
            yield f"node:{names[0]}", {"node": item["metadata"]["name"]}, quantity(item["usage"][resource])


def of_pods(pods: list[dict[str, Any]], used: list[dict[str, Any]]) -> Iterator[Figure]:
    """Figures of containers, pods and namespaces, and of what is requested on nodes."""
    nodes = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod["spec"].get("nodeName", "") for pod in pods}
    sums: defaultdict[tuple[str, tuple[tuple[str, str], ...]], float] = defaultdict(float)

    def add(name: str, value: float, **labels: str) -> None:
        sums[name, tuple(labels.items())] += value

    for item in used:
        namespace, pod = item["metadata"]["namespace"], item["metadata"]["name"]
        place = {"node": nodes.get((namespace, pod), ""), "namespace": namespace, "pod": pod}
        for container in item["containers"]:
            for resource, names in _OF_USE.items():
                value = quantity(container["usage"][resource])
                add(f"namespace:{names[1]}", value, namespace=namespace)
                add(f"pod:{names[2]}", value, **place)
                add(f"container:{names[3]}", value, **place, container=container["name"])
    for item in pods:
        namespace, pod, node = item["metadata"]["namespace"], item["metadata"]["name"], item["spec"].get("nodeName", "")
        if not node or item["status"].get("phase") in ("Succeeded", "Failed"):
            continue
        add("node:pods:count", 1, node=node)
        for container in item["spec"]["containers"]:
            requests = container.get("resources", {}).get("requests", {})
            for resource, name in _OF_REQUEST.items():
                if resource in requests:
                    value = quantity(requests[resource])
                    add(f"node:{name}:sum", value, node=node)
                    add(f"namespace:{name}:sum", value, namespace=namespace)
                    add(f"pod:{name}:sum", value, node=node, namespace=namespace, pod=pod)
    for (name, labels), value in sums.items():
        yield name, dict(labels), value


class Kubernetes:
    """What metrics.k8s.io and the API server have: the present of nodes and pods. The rest is refused."""

    kind = "kubernetes"

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self.cluster, self.label = cluster, settings.cluster

    async def values(self, names: tuple[str, ...], requirements: tuple[Requirement, ...]) -> list[Series]:
        if missing := sorted(set(names) - GIVEN):
            raise NotGiven(
                f"the back-end kubernetes has no {', '.join(missing)}: without Prometheus there are only "
                f"{', '.join(sorted(GIVEN))}"
            )
        figures = [*of_nodes(await self.cluster.nodes(), await self.used("nodes"))]
        if any(not name.startswith(("node:", "cluster:")) or "request" in name or "pods:" in name for name in names):
            figures += of_pods(await self.cluster.items("api/v1/pods"), await self.used("pods"))
        now, place = time.time(), {"cluster": self.label} if self.label else {}
        return [
            Series(name, {**place, **labels}, [(now, value)])
            for name, labels, value in figures
            if name in names and fits(requirements, {**place, **labels})
        ]

    async def used(self, what: str) -> list[dict[str, Any]]:
        return await self.cluster.items(f"apis/metrics.k8s.io/v1beta1/{what}")

    async def history(self, *_: Any) -> list[Series]:
        raise NotGiven(NO_HISTORY)

    async def label_values(self, *_: Any) -> list[str]:
        raise NotGiven(NO_HISTORY)

    async def drawn(self, *_: Any) -> list[list[Series]]:
        raise NotGiven("the back-end kubernetes has no boards: they are drawn from records that Prometheus keeps")

    async def alerts(self) -> list[dict[str, Any]]:
        raise NotGiven("the back-end kubernetes has no alerts: nothing evaluates them without Prometheus")

    async def targets(self, exporter: Exporter) -> list[Target] | None:  # noqa: ARG002 - nothing is scraped
        return None

    async def close(self) -> None:
        """The cluster is closed by who made it."""
