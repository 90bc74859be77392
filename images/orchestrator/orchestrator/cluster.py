"""The API server: who is guarded, and what is changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from .agreement import CONTAINER, GROUP, PLURAL, VERSION, Agreement, Memory, Workers
from .monitoring import Unavailable

COMPONENT = "orchestrator"
CONFLICT, GONE = 409, 404


class Conflict(Exception):  # noqa: N818 - it is an answer
    """Somebody else has written since the object was read, or it is gone."""


class Cluster:
    """Each method raises Unavailable where the API server is away or refuses, and Conflict where it writes."""

    def __init__(self, kubeconfig: str, timeout: float) -> None:
        if kubeconfig:
            configured = config.new_client_from_config(kubeconfig)
        else:
            settings = client.Configuration()
            config.load_incluster_config(settings)
            configured = client.ApiClient(settings)
        configured.configuration.retries = False
        self.timeout, self.plain = timeout, configured.sanitize_for_serialization
        self.core, self.apps = client.CoreV1Api(configured), client.AppsV1Api(configured)
        self.custom = client.CustomObjectsApi(configured)

    def call(self, method: Any, *arguments: Any, **options: Any) -> Any:
        """The answer, as plain data."""
        try:
            return self.plain(method(*arguments, _request_timeout=self.timeout, **options))
        except client.ApiException as error:
            if error.status in (CONFLICT, GONE):
                raise Conflict(_message(error)) from None
            raise Unavailable(f"the API server answers {error.status}: {_message(error)}") from None
        except (HTTPError, OSError) as error:
            raise Unavailable(f"the API server does not answer: {error}") from None

    def agreements(self) -> list[Agreement]:
        sets = self.call(self.apps.list_stateful_set_for_all_namespaces)["items"]
        workers = {(each["metadata"]["namespace"], each["metadata"]["name"]): Workers.read(each) for each in sets}
        items = self.call(self.custom.list_cluster_custom_object, GROUP, VERSION, PLURAL)["items"]
        return [Agreement.read(item, workers) for item in items]

    def pods(self, agreement: Agreement) -> list[dict[str, Any]]:
        """The workers' pods that are to stay."""
        selector = f"{GROUP}/pool={agreement.target}"
        items = self.call(self.core.list_namespaced_pod, agreement.namespace, label_selector=selector)["items"]
        return [item for item in items if "deletionTimestamp" not in item["metadata"]]

    def remember(self, agreement: Agreement, memory: Memory, workers: int) -> None:
        body = {"metadata": {"resourceVersion": agreement.version}, "status": memory.status(workers)}
        place = (GROUP, VERSION, agreement.namespace, PLURAL, agreement.name)
        self.call(self.custom.patch_namespaced_custom_object_status, *place, body)

    def scale(self, agreement: Agreement, replicas: int) -> None:
        version = agreement.workers.version if agreement.workers else ""
        body = {"metadata": {"resourceVersion": version}, "spec": {"replicas": replicas}}
        self.call(self.apps.patch_namespaced_stateful_set_scale, agreement.target, agreement.namespace, body)

    def resize(self, pod: Mapping[str, Any], resources: Mapping[str, Any]) -> None:
        body = {"spec": {"containers": [{"name": CONTAINER, "resources": resources}]}}
        metadata = pod["metadata"]
        self.call(self.core.patch_namespaced_pod_resize, metadata["name"], metadata["namespace"], body)

    def event(self, agreement: Agreement, reason: str, message: str, *, warning: bool) -> None:
        now = datetime.now(UTC).isoformat()
        body = {
            "metadata": {"generateName": f"{agreement.name}-"},
            "type": "Warning" if warning else "Normal",
            "reason": reason,
            "message": message[:1024],
            "involvedObject": {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": "QoSAgreement",
                "name": agreement.name,
                "namespace": agreement.namespace,
                "uid": agreement.uid,
            },
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": COMPONENT},
        }
        self.call(self.core.create_namespaced_event, agreement.namespace, body)


def unschedulable(pods: Sequence[Mapping[str, Any]]) -> int:
    """Pods that no node has room for."""
    return sum(
        condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
        for pod in pods
        for condition in pod["status"].get("conditions", [])
    )


def _message(error: client.ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
