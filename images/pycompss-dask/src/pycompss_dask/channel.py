"""Messages between a worker and its executors: pickles over a socket, large values as shared memory."""

from __future__ import annotations

import os
import pickle
import socket
import struct
from typing import Any

from . import wire
from .wire import Blob

_HEADER = struct.Struct("!QI")
_DESCRIPTORS = 200  # Linux passes at most 253 in one message.


class Channel:
    def __init__(self, end: socket.socket) -> None:
        self.socket = end

    def send(self, head: Any, stored: list[Any] | tuple[Any, ...] = (), lent: tuple[int, ...] = ()) -> None:
        """Send a small message, stored values with it, and shared memory of these sizes for the answer."""
        descriptors: list[int] = []
        packed = []
        for value in stored:
            if type(value) is Blob and value.sizes:
                descriptors.append(value.share())
                packed.append((value.head, value.sizes, len(value.body)))
            else:
                packed.append(value)
        shared = [type(value) is Blob and bool(value.sizes) for value in stored]
        spare = [(size, descriptor) for size in lent if (descriptor := wire.pool.take(size)) >= 0]
        descriptors += [descriptor for _, descriptor in spare]
        sizes = tuple(size for size, _ in spare)
        data = pickle.dumps((head, packed, shared if descriptors else None, sizes), protocol=5)
        self.socket.sendall(_HEADER.pack(len(data), len(descriptors)))
        for start in range(0, len(descriptors), _DESCRIPTORS):
            socket.send_fds(self.socket, [b"F"], descriptors[start : start + _DESCRIPTORS])
        self.socket.sendall(data)
        for _, descriptor in spare:
            os.close(descriptor)  # it comes back with the answer, or is gone

    def receive(self) -> tuple[Any, list[Any]]:
        length, count = _HEADER.unpack(self._exactly(_HEADER.size))
        descriptors: list[int] = []
        while len(descriptors) < count:
            _, received, _, _ = socket.recv_fds(self.socket, 1, _DESCRIPTORS)
            if not received:
                raise EOFError("the other end closed")
            descriptors += received
        head, packed, shared, spare = pickle.loads(self._exactly(length))
        if shared:
            fds = iter(descriptors)
            packed = [
                Blob.received(value[0], value[1], next(fds), value[2]) if is_shared else value
                for value, is_shared in zip(packed, shared, strict=True)
            ]
        for size, descriptor in zip(spare, descriptors[count - len(spare) :], strict=True):
            wire.pool.give(descriptor, size)
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
