"""The process: reads, answers, pushes, and sees the application to its end."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST

from .cluster import Cluster
from .metrics import Application, exposition
from .push import Pusher
from .queue import Reader
from .settings import Settings
from .state import NotTold, State

LOOK = 0.3
SETTLE = 1.0  # what the last events lead to is a moment away


class Monitor:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = State(settings)
        self.reader = Reader(self.state)
        self.pusher = Pusher(self.state)
        self.cluster = Cluster(settings)
        self.began = time.time()
        self.complete = threading.Event()  # all that there is to know is known
        self.scraped = threading.Event()  # and was told

    def serve(self) -> int:
        stopping, told = threading.Event(), threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: told.set())
        server = ThreadingHTTPServer(("", self.settings.port), handler(self))
        reading = threading.Thread(target=self.reader.run, args=(self.began, stopping), daemon=True)
        for thread in (
            reading,
            threading.Thread(target=server.serve_forever, daemon=True),
            threading.Thread(target=self.pusher.run, args=(stopping,), daemon=True),
        ):
            thread.start()
        if self.settings.start_workers:
            threading.Thread(target=self.start_workers, daemon=True).start()
        ended = False
        while not told.wait(LOOK):
            ended = ended or self.look_for_the_end()
        ended = ended or self.look_for_the_end()
        stopping.set()
        reading.join(10)
        self.finish(ended)
        server.shutdown()
        return 0

    def look_for_the_end(self) -> bool:
        """Whether the master has ended, and has told so; the workers go at once."""
        path = Path(self.settings.control) / "ended"
        if not path.exists():
            return False
        record = json.loads(path.read_text())
        while self.reader.step(self.began):
            pass
        self.state.end(record["status"], record["ended"])
        self.complete.set()
        self.keep(record.get("results") or "")
        if not self.settings.keep_workers:
            threading.Thread(target=self.remove_workers, args=(record["status"],), daemon=True).start()
        return True

    def keep(self, folder: str) -> None:
        """Leave the last word with the results."""
        path = Path(self.settings.results) / folder / "status.json"
        if folder:
            try:
                path.write_text(json.dumps(self.state.status(), indent=1))
            except OSError as error:
                print(f"{path} could not be written: {error}", flush=True)

    def start_workers(self) -> None:
        self.persist(self.cluster.start_workers, "started")

    def remove_workers(self, status: int) -> None:
        def remove() -> None:
            if self.cluster.last_attempt(status):
                self.cluster.remove_workers()
                print("the application has ended; its workers go", flush=True)

        self.persist(remove, "sent away")

    @staticmethod
    def persist(action: Callable[[], None], done: str) -> None:
        for wait in (0, 1, 2, 5, 10):
            time.sleep(wait)
            try:
                action()
                return
            except OSError as error:
                print(f"the workers could not be {done}: {error}; trying again", flush=True)

    def finish(self, ended: bool) -> None:
        """Count what is left, and stay for one more scrape; not where the pod is removed before its end."""
        while self.reader.step(self.began):
            pass
        self.pusher.push()
        if ended and self.settings.linger and self.scraped.wait(self.settings.linger):
            time.sleep(SETTLE)


def handler(monitor: Monitor) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                last = monitor.complete.is_set()
                self.answer(exposition(Application(monitor.state)), CONTENT_TYPE_LATEST)
                if last and self.headers.get("User-Agent", "").startswith("Prometheus/"):
                    monitor.scraped.set()
            elif path in ("/", "/status"):
                self.answer(json.dumps(monitor.state.status(), indent=1).encode(), "application/json")
            elif path in ("/graph", "/timeline"):
                try:
                    content, status = getattr(monitor.state, path[1:])(), HTTPStatus.OK
                except NotTold as error:
                    content, status = {"reason": str(error)}, HTTPStatus.NOT_FOUND
                self.answer(json.dumps(content).encode(), "application/json", status)
            elif path == "/healthz":
                self.answer(b"ok\n", "text/plain")
            else:
                self.answer(
                    b"There are /metrics, /status, /graph, /timeline and /healthz.\n",
                    "text/plain",
                    HTTPStatus.NOT_FOUND,
                )

        def answer(self, body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Scrapes are not worth a line."""

    return Handler
