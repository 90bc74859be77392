# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The Kubernetes API: one client for all that talks to a cluster, and one way to say what it refuses."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible_collections.continuum.edge.plugins.module_utils import pod_command

Object = dict[str, Any]

# Seconds for a request.
TIMEOUT = 15
# What every module that talks to a cluster takes; the documentation is in the fragment continuum.edge.kubernetes.
ACCESS: dict[str, Object] = {"kubeconfig": {"type": "path"}, "context": {"type": "str"}}


class KubernetesError(Exception):
    """The API does not answer, or refuses; the text says what was asked for, why it was refused and what to do."""


class KubernetesApi:
    """A cluster, and in it one namespace for what has a namespace."""

    def __init__(self, kubeconfig: str | None, context: str | None, namespace: str = "") -> None:
        from kubernetes import client, config

        self.namespace = namespace
        self._where = f"kubeconfig {kubeconfig}" if kubeconfig else "the kubeconfig"
        try:
            self._client = config.new_client_from_config(kubeconfig, context)  # type: ignore[no-untyped-call]
        except Exception as error:  # the client has an exception of its own for each fault of a kubeconfig
            raise KubernetesError(
                f"No access to the cluster: {' '.join(str(error).split())}. Correct kubeconfig and context "
                "(inventory: continuum_kubeconfig, continuum_context)."
            ) from error
        self._core = client.CoreV1Api(self._client)

    @property
    def address(self) -> str:
        """Where the API answers."""
        return str(self._client.configuration.host)

    @property
    def authority(self) -> str:
        """The certificates that the API server's own is checked by, as PEM; empty where the machine's own ones do."""
        path = self._client.configuration.ssl_ca_cert
        return Path(path).read_text(encoding="utf-8") if path else ""

    def version(self) -> str:
        """The version of Kubernetes, such as v1.35.4."""
        from kubernetes import client

        with self._told("read its version"):
            return str(client.VersionApi(self._client).get_code(_request_timeout=TIMEOUT).git_version)

    # Objects of any kind

    def get(self, api_version: str, kind: str, name: str) -> Object | None:
        """The object; None where there is none."""
        return self._request("get", f"read {kind} {name}", api_version, kind, name=name)

    def list_objects(self, api_version: str, kind: str, selector: str = "") -> list[Object]:
        """All objects of the kind, or those whose labels match the selector."""
        answer = self._request("get", f"list {kind}s", api_version, kind, label_selector=selector or None)
        return list((answer or {}).get("items") or ())

    def create(self, obj: Object) -> None:
        kind, name = obj["kind"], obj["metadata"]["name"]
        self._request("create", f"create {kind} {name}", obj["apiVersion"], kind, body=obj, absent=False)

    def delete(self, api_version: str, kind: str, name: str, grace_period: int | None = None) -> None:
        """Does nothing where there is no such object. The grace period of a pod is in seconds."""
        self._request(
            "delete", f"delete {kind} {name}", api_version, kind, name=name, grace_period_seconds=grace_period
        )

    def merge_patch(self, api_version: str, kind: str, name: str, body: Object, *, dry_run: bool = False) -> None:
        """RFC 7396. The API server checks a dry run as it checks a change."""
        self._request(
            *("patch", f"change {kind} {name}", api_version, kind),
            name=name,
            body=body,
            absent=False,
            content_type="application/merge-patch+json",
            field_manager="continuum.edge",
            dry_run="All" if dry_run else None,
        )

    def request_token(self, account: str, seconds: int) -> str:
        """A new token of a ServiceAccount. The API server may give one for a shorter time."""
        request: Any = {"spec": {"expirationSeconds": seconds}}
        with self._told(f"give a token of ServiceAccount {account}"):
            answer: Any = self._core.create_namespaced_service_account_token(
                account, self.namespace, request, _request_timeout=TIMEOUT
            )
        return str(answer.status.token)

    def _request(
        self, verb: str, doing: str, api_version: str, kind: str, *, absent: bool = True, **options: Any
    ) -> Object | None:
        """The answer; None where the object may be absent, and is."""
        from kubernetes.dynamic.exceptions import NotFoundError, ResourceNotFoundError

        with self._told(doing):
            try:
                resource = self._dynamic.resources.get(api_version=api_version, kind=kind)
            except ResourceNotFoundError as error:
                raise KubernetesError(
                    f"The cluster has no kind {kind} of {api_version}. Expected its definition: install what brings it."
                ) from error
            place = {"namespace": self.namespace} if resource.namespaced else {}
            try:
                return dict(getattr(resource, verb)(serializer=_plain, **place, **options))
            except NotFoundError:
                if absent:
                    return None
                raise

    # What a pod or a service says

    def container_log(self, pod: str, container: str, lines: int) -> list[str]:
        with self._told(f"read the log of Pod {pod}"):
            answer: Any = self._core.read_namespaced_pod_log(
                pod,
                self.namespace,
                container=container,
                tail_lines=lines,
                _preload_content=False,
                _request_timeout=TIMEOUT,
            )
        return list(answer.data.decode(errors="replace").splitlines())

    def ask_service(self, service: str, port: int, path: str, timeout: float = TIMEOUT) -> bytes:
        """What a service answers to an HTTP request, which the API server hands on."""
        with self._told(f"ask Service {service}"):
            answer: Any = self._core.connect_get_namespaced_service_proxy_with_path(
                f"{service}:{port}", self.namespace, path, _preload_content=False, _request_timeout=timeout
            )
        return bytes(answer.data)

    def read(self, pod: str, container: str | None, command: list[str]) -> Iterator[bytes]:
        """What a command in a container writes to its standard output."""
        with self._told(f"run a command in Pod {pod}"):
            yield from pod_command.run(self._core, self.namespace, pod, container, command)

    def write(self, pod: str, container: str, command: list[str], content: Iterator[bytes]) -> None:
        """Write to the standard input of a command in a container."""
        with self._told(f"run a command in Pod {pod}"):
            pod_command.feed(self._core, self.namespace, pod, container, command, content)

    # The client, and its errors

    @cached_property
    def _dynamic(self) -> Any:
        """Knows the kinds of the cluster from the cluster itself."""
        from kubernetes.dynamic import DynamicClient

        class Client(DynamicClient):
            """The client, with a limit of time for its questions about kinds, too."""

            def request(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
                return super().request(method, path, body, **{"_request_timeout": TIMEOUT, **options})

        # The client keeps the answers in a file that all users of a machine share, unless it is given another place.
        with tempfile.TemporaryDirectory() as scratch:
            return Client(self._client, cache_file=f"{scratch}/kinds.json")  # type: ignore[no-untyped-call]

    @contextmanager
    def _told(self, doing: str) -> Iterator[None]:
        """An error of the API as a message for the person who runs the playbook."""
        from kubernetes.client import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            status, reason, body = _answer(error)
            where = f" in namespace {self.namespace}" if self.namespace else ""
            why = ": ".join(filter(None, (f"{status or ''} {reason}".strip(), _message(body))))
            advice = " Expected the right to do so: use another kubeconfig or context, or grant it."
            raise KubernetesError(
                f"The Kubernetes API refuses to {doing}{where}: {why.rstrip('.')}."
                f"{advice if status in (401, 403) else ''}"
            ) from error
        except HTTPError as error:
            raise KubernetesError(
                f"The Kubernetes API does not answer: {error}. Expected a running cluster behind {self._where}: "
                "start it, or correct kubeconfig and context (inventory: continuum_kubeconfig, continuum_context)."
            ) from error


def _plain(_client: Any, answer: Object) -> Object:
    return answer


def _answer(error: Any) -> tuple[int, str, Any]:
    """Status, reason and body; the client gives all of a refused websocket as one text."""
    refused = re.match(r"Handshake status (\d+) (.+?) -\+-\+- .* -\+-\+- (.*)", str(error.reason), re.DOTALL)
    if not refused:
        return error.status or 0, error.reason or "", error.body
    return int(refused[1]), refused[2], refused[3]


def _message(body: Any) -> str:
    """What the Status object of an answer says."""
    try:
        return str(json.loads(body)["message"])
    except (TypeError, ValueError, KeyError):
        return ""
