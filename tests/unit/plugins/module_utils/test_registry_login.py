"""Logins of registries: podman's and docker's files, their helpers, and what a registry is sent."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils import oci, registry_login

HELPER = """#!/bin/sh
test "$1" = get || exit 9
read name
case "$name" in
registry.example) echo '{"ServerURL": "registry.example", "Username": "helped", "Secret": "s3"}' ;;
renewed.example) echo '{"ServerURL": "", "Username": "<token>", "Secret": "refresh"}' ;;
broken.example) echo 'no keyring' >&2; exit 1 ;;
*) echo 'credentials not found in native keychain'; exit 1 ;;
esac
"""


def entry(user: str) -> dict[str, str]:
    return {"auth": base64.b64encode(f"{user}:secret of {user}".encode()).decode()}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    program = tmp_path / "bin" / "docker-credential-test"
    program.parent.mkdir()
    program.write_text(HELPER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return tmp_path


def write(path: Path, config: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(config))


PODMAN = ["run/containers/auth.json", ".config/containers/auth.json"]


@pytest.mark.parametrize("place", [*PODMAN, ".docker/config.json"])
def test_where_logins_are_kept(home: Path, place: str) -> None:
    write(home / place, {"auths": {"registry.example": entry("one")}})
    login = registry_login.find("registry.example", "a/b")
    assert login == registry_login.Login("one", "secret of one")
    assert "secret" not in repr(login)


def test_a_file_that_the_environment_names(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home / ".docker/config.json", {"auths": {"registry.example": entry("docker")}})
    write(home / PODMAN[0], {"auths": {"registry.example": entry("podman")}})
    write(home / "named.json", {"auths": {"registry.example": entry("named")}})
    users = []
    for name in ("", str(home / "named.json")):
        monkeypatch.setenv("REGISTRY_AUTH_FILE", name)
        users.append(getattr(registry_login.find("registry.example", "a"), "user", None))
    assert users == ["podman", "named"]


def test_the_longest_part_of_a_registry_wins(home: Path) -> None:
    auths = {
        "registry.example": entry("all"),
        "registry.example/team": entry("team"),
        "registry.example/team/x": entry("x"),
    }
    write(home / PODMAN[1], {"auths": auths})
    logins = [registry_login.find("registry.example", name) for name in ("team/x", "team/y/z", "other")]
    assert [each.user if each else "" for each in logins] == ["x", "team", "all"]


def test_docker_hub_has_another_name(home: Path) -> None:
    write(home / ".docker/config.json", {"auths": {registry_login.HUB: entry("hub")}})
    assert registry_login.find("docker.io", "library/redis") == registry_login.Login("hub", "secret of hub")


@pytest.mark.parametrize("config", [{"credHelpers": {"registry.example": "test"}}, {"credsStore": "test"}], ids=str)
def test_credential_helpers(home: Path, config: dict[str, Any]) -> None:
    # docker leaves such an entry where a helper has the secret.
    write(home / ".docker/config.json", {"auths": {"registry.example": {}}, **config})
    assert registry_login.find("registry.example", "a") == registry_login.Login("helped", "s3")
    assert registry_login.find("unknown.example", "a") is None


def test_a_helper_that_fails_is_named(home: Path) -> None:
    write(home / ".docker/config.json", {"credsStore": "test"})
    with pytest.raises(registry_login.LoginError, match="docker-credential-test ended with status 1"):
        registry_login.find("broken.example", "a")
    write(home / ".docker/config.json", {"credsStore": "missing"})
    with pytest.raises(registry_login.LoginError, match="docker-credential-missing, which is not on PATH"):
        registry_login.find("registry.example", "a")


def test_a_file_that_is_given_comes_first(home: Path) -> None:
    write(home / PODMAN[0], {"auths": {"registry.example": entry("one"), "other.example": entry("two")}})
    write(home / "given.json", {"auths": {"registry.example": entry("given")}})
    logins = [
        registry_login.find(host, "a", str(home / "given.json")) for host in ("registry.example", "other.example")
    ]
    assert [login.user for login in logins if login] == ["given", "two"]


def test_a_damaged_file_is_named(home: Path) -> None:
    write(home / PODMAN[0], {"auths": {"registry.example": {"auth": "%%%"}}})
    with pytest.raises(registry_login.LoginError, match=r"has a login for registry\.example that is none"):
        registry_login.find("registry.example", "a")
    (home / PODMAN[0]).write_text("{")
    with pytest.raises(registry_login.LoginError, match="cannot be read"):
        registry_login.find("registry.example", "a")


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    """A registry that wants a token, which its /token gives to those who may have it."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: Any) -> None: ...

        def answer(self, status: int, content: Any = None, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode() if content is not None else b"")

        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.answer(*((200, {"access_token": "good"}) if "refresh_token=refresh" in sent else (401,)))

        def do_GET(self) -> None:
            host = self.headers["Host"]
            if self.path.startswith("/token"):
                allowed = self.headers.get("Authorization") == f"Basic {entry('one')['auth']}"
                self.answer(*((200, {"token": "good"}) if allowed else (401,)))
            elif self.headers.get("Authorization") == "Bearer good":
                self.answer(200, {"schemaVersion": 2}, Content_Type=oci.MANIFESTS[0])
            else:
                self.answer(
                    401, WWW_Authenticate=f'Bearer realm="http://{host}/token",service="s",scope="repository:a:pull"'
                )

    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http_server.serve_forever, daemon=True).start()
    yield http_server
    http_server.shutdown()


def test_a_registry_gets_the_login_and_says_when_it_is_wrong(home: Path, server: ThreadingHTTPServer) -> None:
    host = f"127.0.0.1:{server.server_port}"
    with pytest.raises(oci.OciError, match="refuses the login: 401"):
        oci.Registry(host, insecure=True).manifest("a", "1")
    write(home / PODMAN[0], {"auths": {host: entry("other")}})
    with pytest.raises(oci.OciError, match="refuses the login of other: 401") as refused:
        oci.Registry(host, insecure=True).manifest("a", "1")
    assert "secret" not in str(refused.value)
    write(home / PODMAN[0], {"auths": {host: entry("one")}})
    assert oci.Registry(host, insecure=True).manifest("a", "1")[1] == oci.MANIFESTS[0]
    write(home / PODMAN[0], {"auths": {host: {"auth": "", "identitytoken": "refresh"}}})
    assert oci.Registry(host, insecure=True).manifest("a", "1")[1] == oci.MANIFESTS[0]
