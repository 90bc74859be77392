"""The administrator's password, on a cluster: made once, kept in its Secret, shown nowhere, gone with the rest."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes import client, config
from tools import program

from .test_role import HERE, ansible

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
PLACE = "grafana-test"


@pytest.fixture(scope="module")
def api() -> Iterator[client.CoreV1Api]:
    kubeconfig = os.environ.get("KUBECONFIG")
    if not kubeconfig:
        pytest.fail(
            "No KUBECONFIG: expected the file that gives access to a running cluster (make up: .local/kubeconfig)"
        )
    api = client.CoreV1Api(config.new_client_from_config(kubeconfig))
    yield api
    with contextlib.suppress(client.ApiException):
        api.delete_namespace(PLACE)
    while PLACE in [n.metadata.name for n in api.list_namespace().items]:
        time.sleep(1)


class Stand(BaseHTTPRequestHandler):
    """The part of Grafana's API that the verification asks, for whoever knows the password."""

    password = ""
    datasource = 200

    def do_GET(self) -> None:
        authorized = (
            f"Basic {base64.b64encode(f'admin:{self.password}'.encode()).decode()}" == self.headers["Authorization"]
        )
        answers: dict[str, tuple[int, Any]] = {
            "/api/health": (200, {"database": "ok"}),
            "/api/datasources/uid/prometheus/health": (self.datasource if authorized else 401, {"status": "OK"}),
            "/api/search": (200 if authorized else 401, [{"uid": "door"}, {"uid": "gate"}]),
        }
        status, content = answers[self.path.partition("?")[0]]
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def grafana() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stand)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def play(book: str, *more: str, **variables: Any) -> str:
    given = {
        "continuum_kubeconfig": os.environ["KUBECONFIG"],
        "continuum_helm": program("helm"),
        "grafana_flavour": "chart",
        "grafana_namespace": PLACE,
        # A stand-in, which runs nothing: neither chart nor image need be at hand.
        "grafana_chart": str(HERE / "chart"),
        "grafana_chart_repo": "",
        "grafana_chart_version": "",
        "grafana_dashboards_enabled": False,
        "grafana_dashboards_dir": str(HERE / "site"),
        **variables,
    }
    arguments = ["-i", "inventories/local", "--tags", "grafana", "--skip-tags", "verify", "-e", json.dumps(given)]
    done = ansible(f"playbooks/{book}.yml", *arguments, *more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def changed(output: str) -> int:
    match = re.search(r"changed=(\d+)", output)
    assert match, output
    return int(match[1])


def test_password(api: client.CoreV1Api, grafana: str) -> None:
    announced = play("site", "--check", "--diff")
    assert changed(announced) == 3  # two releases and the Secret: nothing is there, not even the namespace
    assert PLACE not in [n.metadata.name for n in api.list_namespace().items]

    output = play("site", "--diff", "-vvv")
    secret = api.read_namespaced_secret("grafana-admin", PLACE)
    word = base64.b64decode(secret.data["admin-password"]).decode()
    assert re.fullmatch(r"[A-Za-z0-9]{24}", word)
    encoded = secret.data["admin-password"]

    again = play("site", "--diff", "-vvv")
    assert changed(again) == 0
    assert api.read_namespaced_secret("grafana-admin", PLACE).data == secret.data

    access = ["--kubeconfig", os.environ["KUBECONFIG"], "--namespace", PLACE]
    told = [
        subprocess.run(
            [program("helm"), "get", "all", release, *access], capture_output=True, text=True, check=True
        ).stdout
        for release in ("grafana", "grafana-dashboards")
    ]
    maps = [str(m.data) for m in api.list_namespaced_config_map(PLACE).items]
    for text in (output, again, *told, *maps):
        assert word not in text
        assert encoded not in text
    assert "grafana-admin" in told[0]

    # The verification asks with that password, and believes what it is told.
    Stand.password = word
    verified = play("verify", "-vvv", grafana_api_url=grafana)
    assert changed(verified) == 0
    assert word not in verified
    assert "left out, not verified" not in verified
    Stand.datasource = 500
    with pytest.raises(AssertionError, match="Data source prometheus answers 500"):
        play("verify", grafana_api_url=grafana)

    play("remove")
    left = [*api.list_namespaced_secret(PLACE).items, *api.list_namespaced_config_map(PLACE).items]
    assert [o.metadata.name for o in left if o.metadata.name != "kube-root-ca.crt"] == []


def test_named_secret_must_be_there(api: client.CoreV1Api) -> None:
    with pytest.raises(AssertionError, match="Secret mine in namespace grafana-test"):
        play("site", "--check", grafana_admin_secret="mine")
    assert "grafana-admin" not in [s.metadata.name for s in api.list_namespaced_secret(PLACE).items]
