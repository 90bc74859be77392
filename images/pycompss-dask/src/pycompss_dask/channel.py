"""Messages between a worker and its executors: pickles over a socket, large values as shared memory."""

from __future__ import annotations

import pickle
import socket
import struct
from typing import Any

from .wire import Blob

_HEADER = struct.Struct("!QI")
_DESCRIPTORS = 200  # Linux passes at most 253 in one message.


class Channel:
    def __init__(self, end: socket.socket) -> None:
        self.socket = end

    def send(self, head: Any, stored: list[Any] | tuple[Any, ...] = ()) -> None:
        """Send a small message, and stored values with it."""
        descriptors: list[int] = []
        packed = []
        for value in stored:
            if type(value) is Blob and value.sizes:
                descriptors.append(value.share())
                packed.append((value.head, value.sizes, len(value.body)))
            else:
                packed.append(value)
        shared = [type(value) is Blob and bool(value.sizes) for value in stored]
        data = pickle.dumps((head, packed, shared if descriptors else None), protocol=5)
        self.socket.sendall(_HEADER.pack(len(data), len(descriptors)))
        for start in range(0, len(descriptors), _DESCRIPTORS):
            socket.send_fds(self.socket, [b"F"], descriptors[start : start + _DESCRIPTORS])
        self.socket.sendall(data)

    def receive(self) -> tuple[Any, list[Any]]:
        length, count = _HEADER.unpack(self._exactly(_HEADER.size))
        descriptors: list[int] = []
        while len(descriptors) < count:
            _, received, _, _ = socket.recv_fds(self.socket, 1, _DESCRIPTORS)
            if not received:
                raise EOFError("the other end closed")
            descriptors += received
        head, packed, shared = pickle.loads(self._exactly(length))
        if shared:
            fds = iter(descriptors)
            packed = [
                Blob.received(value[0], value[1], next(fds), value[2]) if is_shared else value
                for value, is_shared in zip(packed, shared, strict=True)
            ]
        return head, packed

    def _exactly(self, size: int) -> bytes:
        if size <= 65536:
            data = self.socket.recv(size, socket.MSG_WAITALL)
            if len(data) == size:
                return data
        else:
            data = b""
        area = bytearray(data)
        while len(area) < size:
            part = self.socket.recv(min(size - len(area), 1 << 20))
            if not part:
                raise EOFError("the other end closed")
            area += part
        return bytes(area)

    def close(self) -> None:
        self.socket.close()
