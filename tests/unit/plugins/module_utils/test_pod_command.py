"""What a command says arrives whole, whatever the frames it comes in. The frames are real, the API server is not."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from typing import Any

import pytest

websocket = pytest.importorskip("websocket")
ws_client = pytest.importorskip("kubernetes.stream.ws_client")

from ansible_collections.continuum.edge.plugins.module_utils import pod_command  # noqa: E402 # after what may be missing

STDOUT, STDERR, STATUS = 1, 2, 3
SUCCESS = (STATUS, json.dumps({"status": "Success"}).encode())
FAILURE = (STATUS, json.dumps({"status": "Failure", "message": "exit status 1"}).encode())


def frame(channel: int, content: bytes) -> bytes:
    return bytes(websocket.ABNF(1, 0, 0, 0, websocket.ABNF.OPCODE_BINARY, 0, bytes([channel]) + content).format())


def answering(monkeypatch: pytest.MonkeyPatch, frames: list[tuple[int, bytes]], *, closed: bool = True) -> Any:
    """A connection on which the frames come in one go, and the end with them."""
    ours, theirs = socket.socketpair()

    def connected(*_: Any) -> Any:
        client = websocket.WebSocket()
        client.sock, client.connected = ours, True
        return client

    def answer() -> None:
        end = websocket.ABNF(1, 0, 0, 0, websocket.ABNF.OPCODE_CLOSE, 0, b"\x03\xe8").format() if closed else b""
        with theirs, suppress(ConnectionResetError):
            theirs.sendall(b"".join(frame(*each) for each in frames) + end)
            while closed and theirs.recv(1 << 16):
                """The client says goodbye, too."""

    monkeypatch.setattr(ws_client, "create_websocket", connected)
    threading.Thread(target=answer, daemon=True).start()
    return ws_client.WSClient(None, "", {}, capture_all=False, binary=True)


@pytest.mark.parametrize("size", [1, 1000, 70_000])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_all_of_the_output_arrives(monkeypatch: pytest.MonkeyPatch, size: int, count: int) -> None:
    pieces = [bytes([number]) * size for number in range(count)]
    frames = [part for piece in pieces for part in ((STDOUT, piece), (STDERR, b"."))]
    connection = answering(monkeypatch, [*frames, SUCCESS])
    assert b"".join(pod_command._output(connection, "tar in a pod")) == b"".join(pieces)


def test_a_status_is_told_with_what_was_complained_of(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = answering(monkeypatch, [(STDOUT, b"half"), (STDERR, b"no space left"), FAILURE])
    output = pod_command._output(connection, "tar in a pod")
    with pytest.raises(pod_command.PodCommandError, match="tar in a pod failed: exit status 1: no space left"):
        list(output)


def test_a_connection_that_breaks_off_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    for closed in (True, False):
        connection = answering(monkeypatch, [(STDOUT, b"half")], closed=closed)
        with pytest.raises(pod_command.PodCommandError, match="broke off"):
            list(pod_command._output(connection, "tar in a pod"))


def test_a_silent_command_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = answering(monkeypatch, [(STDOUT, b"half")])
    monkeypatch.setattr(connection, "update", lambda **_: None)
    monkeypatch.setattr(pod_command, "SILENCE", 0.0)
    with pytest.raises(pod_command.PodCommandError, match="neither end nor say anything"):
        list(pod_command._output(connection, "tar in a pod"))
