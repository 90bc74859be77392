# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Commands in a running container, with what goes in and comes out as streams of bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

# How long a command may neither say anything nor end, once it has all its input.
SILENCE = 300.0


class PodCommandError(Exception):
    """A command was not run to its end, or ended with another status than 0."""


def run(core: Any, namespace: str, pod: str, container: str | None, command: list[str]) -> Iterator[bytes]:
    """Yield the standard output. ``core`` is a CoreV1Api; a pod of one container needs no name of it.

    An ApiException says that the command was not started.
    """
    connection = _connect(core, namespace, pod, container, command, stdin=False)
    try:
        yield from _output(connection, f"{command[0]} in {pod}")
    finally:
        connection.close()


def feed(core: Any, namespace: str, pod: str, container: str, command: list[str], content: Iterable[bytes]) -> None:
    """Write to the standard input of a command that knows by itself where its input ends."""
    from websocket import WebSocketException

    connection = _connect(core, namespace, pod, container, command, stdin=True)
    try:
        # A command that ends before its input does says why.
        with suppress(WebSocketException, OSError):
            for chunk in content:
                connection.write_stdin(chunk)
        for _text in _output(connection, f"{command[0]} in {pod}"):
            pass
    finally:
        connection.close()


def _connect(core: Any, namespace: str, pod: str, container: str | None, command: list[str], *, stdin: bool) -> Any:
    from kubernetes.stream import stream

    connection: Any = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        namespace,
        container=container,
        command=command,
        stdin=stdin,
        stdout=True,
        stderr=True,
        tty=False,
        binary=True,
        _preload_content=False,
    )
    # The client would keep a copy of all that it receives.
    connection._all.write = lambda _: None
    return connection


def _output(connection: Any, what: str) -> Iterator[bytes]:
    """Yield all of the standard output, what came together with the end too, then look at the status."""
    from kubernetes.stream.ws_client import ERROR_CHANNEL
    from websocket import WebSocketException

    broken = PodCommandError(f"The connection to {what} broke off before it ended.")
    complaint = b""
    heard = time.monotonic()
    while True:
        is_open = connection.is_open()  # before reading: whatever is read with the end is still taken
        try:
            connection.update(timeout=15)
        except (WebSocketException, OSError) as error:
            raise broken from error
        output, errors = connection.read_stdout(timeout=0), connection.read_stderr(timeout=0)
        complaint += errors
        if output:
            yield output
        if output or errors:
            heard = time.monotonic()
        elif not is_open:
            break
        elif time.monotonic() - heard > SILENCE:
            raise PodCommandError(f"{what} did neither end nor say anything in {SILENCE:.0f} s.")
    answer = connection.read_channel(ERROR_CHANNEL)
    if not answer:
        raise broken
    status = json.loads(answer)
    if status["status"] != "Success":
        text = complaint.decode(errors="replace").strip()[-500:]
        raise PodCommandError(f"{what} failed: {status.get('message', status)}: {text}".rstrip(": "))
