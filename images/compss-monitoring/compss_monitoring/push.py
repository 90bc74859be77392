"""The Pushgateway: missed deadlines, while the application runs."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.parse
import urllib.request

from .metrics import Deadlines, exposition
from .settings import Settings
from .state import State

INTERVAL = 1.0  # what has not changed is not pushed
AGAIN = 60.0  # a Pushgateway that was restarted has forgotten everything


def group(settings: Settings) -> str:
    quoted = (urllib.parse.quote(value, safe="") for value in (settings.namespace, settings.application))
    return "{}/metrics/job/compss/namespace/{}/application/{}".format(settings.pushgateway, *quoted)


def request(settings: Settings, method: str, body: bytes | None = None) -> str:
    """Send the Pushgateway a request. Returns what went wrong, empty where nothing did."""
    call = urllib.request.Request(group(settings), data=body, method=method)  # noqa: S310 (the schema wants http)
    try:
        with urllib.request.urlopen(call, timeout=5):  # noqa: S310
            return ""
    except (OSError, ValueError) as error:
        return f"{method} {group(settings)}: {error}"


class Pusher:
    def __init__(self, state: State) -> None:
        self.state = state
        self.pushed = b""
        self.pushed_at = 0.0
        self.last_error = ""

    def push(self) -> None:
        if not self.state.settings.pushgateway:
            return
        with self.state.lock:
            if not self.state.deadlines():
                return
        body = exposition(Deadlines(self.state))
        if body == self.pushed and time.monotonic() - self.pushed_at < AGAIN:
            return
        error = request(self.state.settings, "PUT", body)
        if error:
            if error != self.last_error:
                print(f"not pushed: {error}; trying again", flush=True)
        else:
            self.pushed, self.pushed_at = body, time.monotonic()
        self.last_error = error

    def run(self, stopping: threading.Event) -> None:
        while not stopping.wait(INTERVAL):
            self.push()
