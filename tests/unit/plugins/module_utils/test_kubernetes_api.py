"""What the Kubernetes API refuses becomes a message. The client and its requests are real, the server only answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

pytest.importorskip("kubernetes")

from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import (  # after what may be missing
    KubernetesApi,
    KubernetesError,
)

Json = dict[str, Any]

DISCOVERY = {
    "/version": {"major": "1", "minor": "35"},
    "/apis": {
        "kind": "APIGroupList",
        "groups": [
            {
                "name": "apps",
                "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
            }
        ],
    },
    "/api/v1": {
        "kind": "APIResourceList",
        "resources": [
            {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": []},
            {"name": "nodes", "kind": "Node", "namespaced": False, "verbs": []},
        ],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "resources": [{"name": "statefulsets", "kind": "StatefulSet", "namespaced": True, "verbs": []}],
    },
}
POD = "/api/v1/namespaces/place/pods/p"
STATEFUL_SET = "/apis/apps/v1/namespaces/place/statefulsets/db"
FORBIDDEN = {
    "kind": "Status",
    "reason": "Forbidden",
    "message": 'statefulsets "db" is forbidden: User "x" cannot patch',
}


class Server:
    """Answers by method and path, and keeps what was asked."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, Json]] = {
            ("GET", path): (200, DISCOVERY[path]) for path in DISCOVERY
        }
        self.asked: list[tuple[str, str, str, Json]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, _, query = self.path.partition("?")
                path = unquote(path)
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                if path not in DISCOVERY:
                    outer.asked.append((self.command, path, query, {"type": self.headers["Content-Type"], **body}))
                status, answer = outer.answers.get((self.command, path), (404, {"message": "not found"}))
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 # the names of http.server

            def log_message(self, *_: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.http.shutdown()
    thread.join()
    server.http.server_close()


def kubeconfig(folder: Path, address: str) -> str:
    file = folder / "kubeconfig"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": address}}],
                "users": [{"name": "u", "user": {"token": "t0psecret"}}],
            }
        )
    )
    return str(file)


@pytest.fixture
def api(server: Server, tmp_path: Path) -> KubernetesApi:
    return KubernetesApi(kubeconfig(tmp_path, f"http://127.0.0.1:{server.http.server_port}"), None, "place")


def test_objects_come_as_the_api_gives_them(api: KubernetesApi, server: Server) -> None:
    server.answers["GET", POD] = (200, {"kind": "Pod", "metadata": {"name": "p"}, "items": "its own"})
    server.answers["GET", "/api/v1/namespaces/place/pods"] = (200, {"items": [{"metadata": {"name": "p"}}]})
    assert api.get("v1", "Pod", "p") == {"kind": "Pod", "metadata": {"name": "p"}, "items": "its own"}
    assert api.list_objects("v1", "Pod", "app=a") == [{"metadata": {"name": "p"}}]
    assert server.asked[-1][2] == "labelSelector=app%3Da"


def test_what_is_not_there_is_none_and_goes_without_a_word(api: KubernetesApi) -> None:
    assert api.get("v1", "Pod", "p") is None
    api.delete("v1", "Pod", "p")


def test_a_merge_patch_is_one_and_can_be_tried_only(api: KubernetesApi, server: Server) -> None:
    server.answers["PATCH", STATEFUL_SET] = (200, {})
    server.answers["PATCH", "/api/v1/nodes/n"] = (200, {})
    api.merge_patch("apps/v1", "StatefulSet", "db", {"spec": {"replicas": 0}})
    api.merge_patch("v1", "Node", "n", {}, dry_run=True)
    first, second = server.asked
    assert first == (
        *("PATCH", STATEFUL_SET, "fieldManager=continuum.edge"),
        {"type": "application/merge-patch+json", "spec": {"replicas": 0}},
    )
    assert second[1:3] == ("/api/v1/nodes/n", "dryRun=All&fieldManager=continuum.edge")


@pytest.mark.parametrize(
    ("method", "path", "call", "doing"),
    [
        ("GET", POD, lambda api: api.get("v1", "Pod", "p"), "read Pod p"),
        ("GET", "/api/v1/namespaces/place/pods", lambda api: api.list_objects("v1", "Pod"), "list Pods"),
        ("DELETE", POD, lambda api: api.delete("v1", "Pod", "p"), "delete Pod p"),
        (
            "POST",
            "/api/v1/namespaces/place/pods",
            lambda api: api.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}),
            "create Pod p",
        ),
        (
            "PATCH",
            STATEFUL_SET,
            lambda api: api.merge_patch("apps/v1", "StatefulSet", "db", {"spec": {"replicas": 0}}),
            "change StatefulSet db",
        ),
        ("GET", f"{POD}/exec", lambda api: list(api.read("p", None, ["true"])), "run a command in Pod p"),
        (
            "POST",
            "/api/v1/namespaces/place/serviceaccounts/a.b/token",
            lambda api: api.request_token("a.b", 600),
            "give a token of ServiceAccount a.b",
        ),
        ("GET", f"{POD}/log", lambda api: api.container_log("p", "master", 20), "read the log of Pod p"),
    ],
)
def test_a_refusal_says_what_was_refused_and_what_to_do(
    method: str, path: str, call: Any, doing: str, api: KubernetesApi, server: Server
) -> None:
    server.answers[method, path] = (403, FORBIDDEN)
    with pytest.raises(KubernetesError) as error:
        call(api)
    assert str(error.value) == (
        f"The Kubernetes API refuses to {doing} in namespace place: 403 Forbidden: {FORBIDDEN['message']}. "
        "Expected the right to do so: use another kubeconfig or context, or grant it."
    )
    assert "t0psecret" not in str(error.value)


def test_an_error_without_a_status_object_is_told_as_well(api: KubernetesApi, server: Server) -> None:
    server.answers["PATCH", STATEFUL_SET] = (500, {})
    with pytest.raises(
        KubernetesError, match=r"change StatefulSet db in namespace place: 500 Internal Server Error\.$"
    ):
        api.merge_patch("apps/v1", "StatefulSet", "db", {})


def test_a_kind_that_the_cluster_does_not_have_is_named(api: KubernetesApi) -> None:
    with pytest.raises(KubernetesError, match=r"has no kind Prometheus of monitoring\.coreos\.com/v1"):
        api.get("monitoring.coreos.com/v1", "Prometheus", "p")


def test_a_service_is_asked_through_the_api(api: KubernetesApi, server: Server) -> None:
    server.answers["GET", "/api/v1/namespaces/place/services/app:15000/proxy/status"] = (200, {"phase": "running"})
    assert json.loads(api.ask_service("app", 15000, "status")) == {"phase": "running"}


def test_a_cluster_that_does_not_answer_is_told(tmp_path: Path) -> None:
    api = KubernetesApi(kubeconfig(tmp_path, "http://127.0.0.1:9"), None, "place")
    with pytest.raises(KubernetesError, match=r"The Kubernetes API does not answer: .*Expected a running cluster"):
        api.list_objects("v1", "Pod")


@pytest.mark.parametrize(("content", "context"), [("", None), ("{", None), ("contexts: []", "nope")])
def test_a_kubeconfig_that_gives_no_access_is_told(content: str, context: str | None, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(content)
    with pytest.raises(KubernetesError, match=r"No access to the cluster: .*continuum_kubeconfig"):
        KubernetesApi(str(file), context)
