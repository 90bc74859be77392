"""What a worker and its executors hand each other."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from pycompss_dask import wire
from pycompss_dask.channel import Channel

SIZE = 4096


@pytest.fixture
def lent() -> Iterator[tuple[int, ...]]:
    """Sizes of what the pool has for one call with three outputs."""
    wire.pool.limit = 3 * SIZE
    for _ in range(3):
        descriptor = os.memfd_create("lent", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, SIZE)
        wire.pool.give(descriptor, SIZE)
    yield (SIZE, SIZE, SIZE)
    wire.pool.clear()
    wire.pool.limit = 0


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_memory_of_equal_sizes_is_lent_for_each_output_and_none_of_it_is_lost(lent: tuple[int, ...]) -> None:
    one, other = (Channel(end) for end in socket.socketpair())
    before = open_descriptors()
    one.send("call", (), lent)
    assert wire.pool.held == 0
    assert other.receive() == ("call", [])
    # The pool is the borrower's, too, as both ends are of one process here.
    assert len(wire.pool.free[SIZE]) == len(lent)
    assert open_descriptors() == before
