"""Flux takes the rendered folder from a git server: the objects are those of the playbook, and drift is repaired.

Its controllers take half an hour to build, so the tests do not do that by themselves. On a cluster without the platform:

    GOBIN=/path/to/folder go install -C tests/gitops/flux tool
    CONTINUUM_FLUX=/path/to/folder KUBECONFIG=/path/to/kubeconfig pytest -m cluster tests/gitops/test_flux.py
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from tools import eventually, free_port, program

from .conftest import Json, by_playbook, kubectl, play, render

FLUX = "flux-system"
RELEASES = {"prometheus": "monitoring", "grafana-dashboards": "monitoring", "metrics-server": "kube-system"}
pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("CONTINUUM_FLUX"), reason="CONTINUUM_FLUX names no folder with Flux' controllers"
    ),
]


def answer(request: BaseHTTPRequestHandler, projects: Path) -> None:
    """One request to git's own server, which speaks CGI."""
    path, _, query = request.path.partition("?")
    environment = {
        **os.environ,
        "GIT_PROJECT_ROOT": str(projects),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        "REQUEST_METHOD": request.command,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": request.headers.get("Content-Type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
        "REMOTE_ADDR": request.client_address[0],
    }
    asked = request.rfile.read(int(request.headers.get("Content-Length") or 0))
    told = subprocess.run(["git", "http-backend"], input=asked, env=environment, capture_output=True, check=True).stdout
    head, _, body = told.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
    request.send_response(int(headers.pop("Status", "200").split()[0]))
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a repository that holds what the playbook renders of the inventory local."""
    projects = tmp_path_factory.mktemp("projects")
    checkout = projects / "fleet"
    git = ["git", "-C", str(checkout), "-c", "user.name=test", "-c", "user.email=test@localhost"]
    checkout.mkdir()
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    render("local", checkout / "clusters", tools='["flux"]')
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "the platform"], check=True)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, projects)

        do_POST = do_GET  # noqa: N815 # http.server asks for it by this name

        def log_message(self, *_: Any) -> None:
            """Flux asks again and again."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/fleet/.git"
        server.shutdown()


@pytest.fixture(scope="module")
def controllers(definitions: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:  # noqa: ARG001 # before
    """Flux' three controllers, on this machine, as the user that the kubeconfig names."""
    folder = tmp_path_factory.mktemp("flux")
    serving = f"127.0.0.1:{free_port()}"
    extra = {"source": [f"--storage-addr={serving}", f"--storage-adv-addr={serving}", f"--storage-path={folder}"]}
    with ExitStack() as stack:
        for name in ("source", "kustomize", "helm"):
            command = [
                *[f"{os.environ['CONTINUUM_FLUX']}/{name}-controller", *extra.get(name, [])],
                *["--metrics-addr=127.0.0.1:0", f"--health-addr=127.0.0.1:{free_port()}"],
            ]
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            environment = {**os.environ, "RUNTIME_NAMESPACE": FLUX, "HOME": str(folder)}
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
        yield


def ready(kind: str, *names: str) -> None:
    """Wait until they are, whatever the reconciler says of them meanwhile."""

    def look() -> bool:
        items = json.loads(kubectl("get", "-n", FLUX, kind, "-o", "json"))["items"]
        states = {
            each["metadata"]["name"]: {
                condition["type"]: condition["status"] for condition in each.get("status", {}).get("conditions", [])
            }
            for each in items
        }
        return all(states.get(name, {}).get("Ready") == "True" for name in names)

    try:
        eventually(look, 420, f"{kind} {names} ready", every=2)
    except AssertionError:
        print(kubectl("get", "-n", FLUX, "gitrepositories,kustomizations,helmcharts,helmreleases"))
        raise


@pytest.fixture(scope="module")
def reconciled(fleet: str, controllers: None) -> Iterator[None]:  # noqa: ARG001 # they do it
    helm = [program("helm"), "list", "--all-namespaces", "--short"]
    if subprocess.run(helm, capture_output=True, text=True, check=True).stdout.strip():
        pytest.fail("This cluster has releases. Expected one without the platform: playbooks/remove.yml removes it.")
    objects = [
        {
            "apiVersion": "source.toolkit.fluxcd.io/v1",
            "kind": "GitRepository",
            "metadata": {"name": FLUX, "namespace": FLUX},
            "spec": {"interval": "1m", "url": fleet, "ref": {"branch": "main"}},
        },
        {
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
            "kind": "Kustomization",
            "metadata": {"name": "fleet", "namespace": FLUX},
            "spec": {
                "interval": "1m",
                "path": "./clusters/molecule/flux",
                "prune": True,
                "sourceRef": {"kind": "GitRepository", "name": FLUX},
            },
        },
    ]
    applied = [program("kubectl"), "apply", "--server-side", "-f", "-"]
    subprocess.run(applied, input="\n---\n".join(map(json.dumps, objects)), text=True, check=True)
    try:
        ready("kustomizations", "fleet")
        ready("kustomizations", "molecule-prometheus", "molecule-grafana-dashboards")
        ready("helmreleases", "prometheus", "metrics-server")
        yield
    finally:
        # What it has put there goes with it.
        kubectl("delete", "-n", FLUX, "kustomization", "fleet", "--timeout=300s")
        eventually(
            lambda: not json.loads(kubectl("get", "-n", FLUX, "helmreleases", "-o", "json"))["items"], 240, "removal"
        )
        kubectl("delete", "-n", FLUX, "gitrepository", FLUX)
        kubectl("delete", "namespace", "monitoring", "--timeout=300s")


def kind_and_name(objects: Iterable[Json]) -> list[tuple[str, str]]:
    return sorted((obj["kind"], obj["metadata"]["name"]) for obj in objects)


def put_there() -> list[tuple[str, str]]:
    """All that Flux made: what its own Helm has released, and what it has applied as it lay there."""
    objects = []
    for name in ("prometheus", "metrics-server"):
        command = [program("helm"), "get", "manifest", name, "-n", RELEASES[name]]
        manifest = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        objects += kind_and_name(each for each in yaml.safe_load_all(manifest) if each)
    for name in ("molecule-prometheus", "molecule-grafana-dashboards"):
        kustomization = json.loads(kubectl("get", "-n", FLUX, "kustomization", name, "-o", "json"))
        for entry in kustomization["status"]["inventory"]["entries"]:
            _, object_name, _, kind = entry["id"].split("_")
            objects.append((kind, object_name))
    return sorted(objects)


@pytest.mark.usefixtures("reconciled")
def test_the_same_objects(tmp_path: Path) -> None:
    play("tests/gitops/releases.yml", "local", "-e", f"output={tmp_path}")
    [described] = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert {each["name"]: each["namespace"] for each in described} == RELEASES
    expected = []
    for chart in by_playbook(described):
        objects = [
            obj
            for obj in chart.objects(tmp_path).values()
            if "helm.sh/hook" not in (obj["metadata"].get("annotations") or {})
        ]
        expected += kind_and_name(objects)
        # What the API server would change, were they applied as the playbook has them: nothing.
        done = subprocess.run(
            [program("kubectl"), "diff", "--server-side", "--force-conflicts", "-n", chart.namespace, "-f", "-"],
            input="\n---\n".join(map(json.dumps, objects)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert put_there() == sorted(expected)


def again(kind: str, name: str) -> None:
    """Ask for a reconciliation now, which otherwise comes with the interval."""
    kubectl("annotate", "-n", FLUX, kind, name, f"reconcile.fluxcd.io/requestedAt={time.time_ns()}", "--overwrite")


@pytest.mark.usefixtures("reconciled")
def test_drift_is_repaired() -> None:
    def rules() -> str:
        query = ["get", "-n", "monitoring", "configmap", "prometheus-rules", "-o", "jsonpath={.data}"]
        return kubectl(*query, "--ignore-not-found")

    def pushgateway(path: str) -> str:
        return kubectl("get", "-n", "monitoring", "deployment/prometheus-pushgateway", "-o", f"jsonpath={{{path}}}")

    before, image = rules(), pushgateway(".spec.template.spec.containers[0].image")
    kubectl("delete", "-n", "monitoring", "configmap", "prometheus-rules")
    kubectl("scale", "-n", "monitoring", "deployment/prometheus-pushgateway", "--replicas=0")
    kubectl("set", "image", "-n", "monitoring", "deployment/prometheus-pushgateway", "*=nowhere.example/other:1")
    assert pushgateway(".spec.replicas") == "0"
    again("kustomization", "molecule-prometheus")
    again("helmrelease", "prometheus")
    eventually(lambda: rules() == before, 240, "the rules are back")
    eventually(lambda: pushgateway(".spec.replicas") == "1", 240, "its replicas are back")
    eventually(lambda: pushgateway(".spec.template.spec.containers[0].image") == image, 240, "its image is back")
    ready("helmreleases", "prometheus")
