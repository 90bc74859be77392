"""The API server: who is guarded, and what is changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx2
from lightkube import ApiError, Client, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.resources.apps_v1 import StatefulSet, StatefulSetScale
from lightkube.resources.core_v1 import Event, Pod, PodResize
from lightkube.types import PatchType

from .agreement import CONTAINER, GROUP, KIND, PLURAL, VERSION, Agreement, Memory, Workers
from .monitoring import Unavailable

COMPONENT = "orchestrator"
CONFLICT, NOT_FOUND = 409, 404
EVERYWHERE = "*"
QoSAgreement = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)


class Conflict(Exception):  # noqa: N818 - it is an answer
    """Somebody else has written since the object was read, or it is gone."""


class Cluster:
    """Each method raises Unavailable where the API server is away or refuses, and Conflict where it writes.

    Which cluster it is, the pod's account says or, outside of one, KUBECONFIG.
    """

    def __init__(self, timeout: float) -> None:
        self.client = Client(KubeConfig.from_env(), timeout=httpx2.Timeout(timeout))

    def call(self, method: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return method(*arguments, **options)
        except ApiError as error:
            if error.status.code in (CONFLICT, NOT_FOUND):
                raise Conflict(str(error)) from None
            raise Unavailable(f"the API server answers {error.status.code}: {error}") from None
        except (httpx2.HTTPError, OSError) as error:
            raise Unavailable(f"the API server does not answer: {error}") from None

    def listed(self, kind: Any, **how: Any) -> list[Any]:
        """All of a kind; that the cluster does not know the kind is no conflict of two writers."""
        try:
            return list(self.call(lambda: list(self.client.list(kind, **how))))
        except Conflict as error:
            raise Unavailable(f"the API server does not list {kind.__name__}: {error}") from None

    def agreements(self) -> list[Agreement]:
        sets = self.listed(StatefulSet, namespace=EVERYWHERE)
        workers = {(each.metadata.namespace, each.metadata.name): Workers.read(each) for each in sets}
        items = self.listed(QoSAgreement, namespace=EVERYWHERE)
        return [Agreement.read(item, workers) for item in items]

    def pods(self, agreement: Agreement) -> list[dict[str, Any]]:
        """The workers' pods that are to stay."""
        labels = {f"{GROUP}/pool": agreement.target}
        items = self.listed(Pod, namespace=agreement.namespace, labels=labels)
        return [item.to_dict() for item in items if item.metadata.deletionTimestamp is None]

    def patch(self, kind: Any, namespace: str, name: str, body: Mapping[str, Any], **how: Any) -> None:
        self.call(self.client.patch, kind, name, body, namespace=namespace, **how)

    def remember(self, agreement: Agreement, memory: Memory, workers: int) -> None:
        body = {"metadata": {"resourceVersion": agreement.version}, "status": memory.status(workers)}
        how = {"patch_type": PatchType.MERGE}
        self.patch(QoSAgreement.Status, agreement.namespace, agreement.name, body, **how)

    def scale(self, agreement: Agreement, replicas: int) -> None:
        version = agreement.workers.version if agreement.workers else ""
        body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
        self.patch(StatefulSetScale, agreement.namespace, agreement.target, body, patch_type=PatchType.MERGE)

    def resize(self, pod: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
        body = {"spec": {"containers": [{"name": CONTAINER, "resources": resources}]}}
        self.patch(PodResize, pod["metadata"]["namespace"], pod["metadata"]["name"], body)

    def event(self, agreement: Agreement, reason: str, message: str, *, warning: bool) -> None:
        now = datetime.now(UTC).isoformat()
        body = {
            "metadata": {"generateName": f"{agreement.name}-", "namespace": agreement.namespace},
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:1024],
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": KIND,
                "name": agreement.name,
                "namespace": agreement.namespace,
                "uid": agreement.uid,
            },
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": COMPONENT},
        }
        self.call(self.client.create, Event.from_dict(body))


def unschedulable(pods: Sequence[Mapping[str, Any]]) -> int:
    """Pods that no node has room for."""
    return sum(
        condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
        for pod in pods
        for condition in pod["status"].get("conditions", [])
    )
