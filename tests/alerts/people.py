"""Whom alerts reach: a mail server and a web server of the test's own, and programs that it starts and kills."""

from __future__ import annotations

import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from tools import eventually, free_port, program

PASSWORD = "correct horse"


class Mailbox:
    """A mail server that takes mails of whoever knows the password, which a client tells another machine by TLS only."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.mails: list[Message] = []
        self.refuse = False
        self.refused = 0
        self._controller = Controller(
            self,
            hostname=host,
            port=free_port(host),
            authenticator=self._authenticate,
            auth_required=True,
            tls_context=tls,
            auth_require_tls=tls is not None,
            auth_exclude_mechanism=["LOGIN"],
        )
        self._controller.start()
        self.address = f"{host}:{self._controller.port}"

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: Any) -> AuthResult:
        return AuthResult(success=isinstance(data, LoginPassword) and data.password == PASSWORD.encode())

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.refuse:
            self.refused += 1
            return "451 come back later"
        self.mails.append(message_from_bytes(envelope.content or b""))
        return "250 OK"

    @property
    def subjects(self) -> list[str]:
        """Without the labels at their end."""
        return [str(mail["Subject"]).split(" (")[0] for mail in self.mails]

    def close(self) -> None:
        self._controller.stop()


class Web:
    """A web server: it keeps what is posted to each path, and has a metric while it is ``well``."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.posts: dict[str, list[dict[str, Any]]] = {}
        self.well = True
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(200 if web.well else 500, b"measured 1\n")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                web.posts.setdefault(self.path, []).append(body)
                self.answer(200, b"")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.address = f"{host}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def told(self, path: str) -> list[tuple[str, list[str]]]:
        """Of each message to a path its status, and the alerts that it names."""
        return [
            (post["status"], sorted(alert["labels"]["alertname"] for alert in post["alerts"]))
            for post in self.posts.get(path, [])
        ]

    def close(self) -> None:
        self._server.shutdown()


@dataclass
class Server:
    """A program that answers on a port of loopback and keeps its data in a folder."""

    name: str
    folder: Path
    arguments: list[str]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [program(self.name), *self.arguments, f"--web.listen-address=127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(command, cwd=self.folder, stderr=(self.folder / "log").open("ab"))
        eventually(self.ready, what=f"{self.name} to be ready")

    def ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=5).ok
        except requests.RequestException:
            return False

    def kill(self) -> None:
        """End it as the kernel does where memory is short: it can write nothing down any more."""
        if self.process:
            self.process.kill()
            self.process.wait()


class Alertmanager(Server):
    def __init__(self, folder: Path, configuration: Path) -> None:
        super().__init__(
            "alertmanager",
            folder,
            [
                f"--config.file={configuration}",
                f"--storage.path={folder}",
                "--data.maintenance-interval=1s",
                "--cluster.listen-address=",
            ],
        )

    def fire(self, *alerts: dict[str, str]) -> None:
        answer = requests.post(f"{self.url}/api/v2/alerts", json=[{"labels": labels} for labels in alerts], timeout=10)
        assert answer.ok, answer.text

    def alerts(self) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = requests.get(f"{self.url}/api/v2/alerts", timeout=10).json()
        return result

    def written(self, file: str) -> None:
        """Wait until what has happened so far is written down: until the second snapshot from now."""
        metric = {
            "nflog": "alertmanager_nflog_maintenance_total",
            "silences": "alertmanager_silences_maintenance_total",
        }

        def snapshots() -> float:
            lines = requests.get(f"{self.url}/metrics", timeout=10).text.splitlines()
            return next((float(line.split()[1]) for line in lines if line.startswith(f"{metric[file]} ")), 0)

        before = snapshots()
        eventually(lambda: snapshots() >= before + 2, what=f"a snapshot of {file}")


@contextmanager
def ended(server: Server) -> Iterator[Server]:
    """Start it, and end it afterwards."""
    server.start()
    try:
        yield server
    finally:
        server.kill()
