"""What travels between master, workers and executors: values, and the outcomes of tasks that gave none.

A value of any size is pickled once, by whoever produced it, and unpickled by every reader. So each task
works on a copy of its own, as in PyCOMPSs, where values travel as files. The buffers of large values
(NumPy arrays, for instance) lie in anonymous shared memory that goes from process to process as a descriptor;
very large ones are mapped privately, so that a reader copies only what it changes.
"""

from __future__ import annotations

import mmap
import os
import pickle
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import GeneratorType
from typing import Any, NamedTuple

import cloudpickle
import xxhash

IMMUTABLE = (int, float, bool, complex, type(None))
SMALL_TEXT = 1024
OUT_OF_BAND = 16 * 1024
ALIGNMENT = 64
# Bytes from which a reader maps shared memory. Below, reading it into memory that the process has is faster than
# the page faults of a new mapping.
MAPPED = 16 * 1024 * 1024


class _Missing:
    """Stands where a task that was cancelled should have left a value."""

    def __repr__(self) -> str:
        return "MISSING"

    def __reduce__(self) -> str:
        return "MISSING"


MISSING = _Missing()


_sharing = threading.Lock()


def _aligned(size: int) -> int:
    return (size + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT


class Pool:
    """Shared memory whose value is gone, for the next value of its size: new pages cost more than writing them."""

    def __init__(self, limit: int = 0) -> None:
        #: Bytes that are kept at most.
        self.limit = limit
        #: Bytes that are kept now.
        self.held = 0
        #: Descriptors by the bytes of each.
        self.free: dict[int, list[int]] = {}
        #: Held while a descriptor is taken or given.
        self.lock = threading.Lock()

    def take(self, size: int) -> int:
        """A descriptor of `size` bytes, or -1."""
        with self.lock:
            buffers = self.free.get(size)
            if not buffers:
                return -1
            self.held -= size
            return buffers.pop()

    def give(self, descriptor: int, size: int) -> None:
        with self.lock:
            if size <= MAPPED and self.held + size <= self.limit:
                self.held += size
                self.free.setdefault(size, []).append(descriptor)
                return
        os.close(descriptor)

    def clear(self) -> None:
        with self.lock:
            for descriptors in self.free.values():
                for descriptor in descriptors:
                    os.close(descriptor)
            self.free.clear()
            self.held = 0


# In a worker: memory of values that were deleted. In an executor: what the worker lends for the outputs of a call.
pool = Pool()
# Whether this process is the last to use the memory of its values: so in a worker, whose executors only borrow it.
recycles = False
# Whether what `__main__` defines travels with the values that use it, as workers cannot import it: so in a notebook.
main_by_value = False


class Blob:
    """A pickled value: its stream, and its large buffers one after the other in `body`."""

    __slots__ = ("body", "fd", "head", "sizes")

    def __init__(self, head: bytes, sizes: tuple[int, ...] = (), body: Any = b"", fd: int = -1) -> None:
        self.head = head
        self.sizes = sizes
        self.body = body
        self.fd = fd

    @property
    def nbytes(self) -> int:
        return len(self.head) + len(self.body)

    def load(self) -> Any:
        """Unpickle, over a private and writable copy of the buffers."""
        if not self.sizes:
            return pickle.loads(self.head)
        size = len(self.body)
        if self.fd < 0:
            area = memoryview(bytearray(self.body))
        elif size > MAPPED:
            area = memoryview(mmap.mmap(self.fd, size, flags=mmap.MAP_PRIVATE))
        else:
            copy = bytearray(size)
            os.preadv(self.fd, [copy], 0)
            area = memoryview(copy)
        return pickle.loads(self.head, buffers=self._buffers(area))

    def _buffers(self, area: memoryview) -> list[memoryview]:
        buffers, start = [], 0
        for size in self.sizes:
            buffers.append(area[start : start + size])
            start += _aligned(size)
        return buffers

    def share(self) -> int:
        """The descriptor of the shared memory that holds the buffers."""
        with _sharing:
            if self.fd < 0:
                self.fd, self.body = _shared([self.body])
        return self.fd

    def __del__(self) -> None:
        if self.fd < 0:
            return
        if recycles:
            size, area = len(self.body), self.body.obj
            self.body.release()
            try:
                area.close()
            except BufferError:
                pass  # it is on its way to another worker
            else:
                pool.give(self.fd, size)
                return
        os.close(self.fd)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return Blob, (self.head, self.sizes, pickle.PickleBuffer(self.body) if protocol >= 5 else bytes(self.body))

    @classmethod
    def received(cls, head: bytes, sizes: tuple[int, ...], fd: int, size: int) -> Blob:
        """A value whose buffers another process left in the shared memory `fd`."""
        return cls(head, sizes, memoryview(mmap.mmap(fd, size, prot=mmap.PROT_READ)), fd)


def _shared(buffers: list[Any]) -> tuple[int, memoryview]:
    """Shared memory that holds the buffers; written, not mapped, to spare a page fault for every 4 KiB."""
    size = sum(_aligned(memoryview(buffer).nbytes) for buffer in buffers)
    fd = pool.take(size)
    if fd < 0:
        fd = os.memfd_create("compss", os.MFD_CLOEXEC)
    start = 0
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        written = 0
        while written < view.nbytes:
            written += os.pwrite(fd, view[written:], start + written)
        start += _aligned(view.nbytes)
    os.ftruncate(fd, size)
    return fd, memoryview(mmap.mmap(fd, size, prot=mmap.PROT_READ))


# In the main program: futures that travel inside of objects, by the number of their stand-ins.
futures: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()


class StandIn:
    """A future inside of an object, seen by a task: it has no value there."""

    def __init__(self, number: int, text: str) -> None:
        self.__dict__.update(number=number, text=text)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(
            f"{self.text} was passed inside of an object and has no value in the task:"
            " pass it as a parameter, or get its value with compss_wait_on before"
        )

    def __repr__(self) -> str:
        return str(self.text)

    def __reduce__(self) -> Any:
        return future, (self.number, self.text)


def future(number: int, text: str) -> Any:
    """The future of that number where it is known, else its stand-in."""
    return futures.get(number) or StandIn(number, text)


class _Values:
    """The values of a generator, which is one again where they are loaded."""

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = list(values)

    def __reduce__(self) -> Any:
        return _generated, (self.values,)


def _generated(values: list[Any]) -> Iterator[Any]:
    yield from values


class Pickled(NamedTuple):
    """A pickled value whose large buffers still lie in the value itself."""

    head: bytes
    buffers: list[memoryview]

    @property
    def nbytes(self) -> int:
        return len(self.head) + sum(view.nbytes for view in self.buffers)

    def digest(self) -> bytes:
        """Tells one value from another. It reads the buffers at the speed of memory: cheaper than a copy of them."""
        sum_ = xxhash.xxh3_128(self.head)
        for view in self.buffers:
            sum_.update(view.nbytes.to_bytes(8, "big"))
            sum_.update(view)
        return sum_.digest()

    def stored(self) -> Blob:
        """The value with a copy of its buffers, which does not change with them."""
        if not self.buffers:
            return Blob(self.head)
        fd, area = _shared(self.buffers)
        return Blob(self.head, tuple(view.nbytes for view in self.buffers), area, fd)


def dump(value: Any) -> Any:
    """What is stored for `value`: itself where it cannot change, else a Blob."""
    given = pickled(value)
    return given.stored() if type(given) is Pickled else given


def pickled(value: Any) -> Any:
    """`value` itself where it cannot change, else Pickled."""
    kind = type(value)
    if kind in IMMUTABLE or (kind in (str, bytes) and len(value) <= SMALL_TEXT):
        return value
    if kind is GeneratorType:
        # It travels as the values that it gives.
        value = _Values(value)
    return out_of_band(value)


def out_of_band(value: Any) -> Pickled:
    """A value of any type, pickled."""
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        """Take large buffers out of the stream, leave small ones in."""
        view = buffer.raw()
        if view.nbytes < OUT_OF_BAND:
            return True
        buffers.append(view)
        return False

    try:
        head = pickle.dumps(value, protocol=5, buffer_callback=keep)
    except (pickle.PicklingError, AttributeError, TypeError):
        # Lambdas, closures and local classes.
        head = None
    if head is None or (main_by_value and b"__main__" in head):
        buffers.clear()
        head = cloudpickle.dumps(value, protocol=5, buffer_callback=keep)
    return Pickled(head, buffers)


def load(stored: Any) -> Any:
    return stored.load() if type(stored) is Blob else stored


class Outputs(tuple[Any, ...]):
    """The values of a task that has several: its INOUT and OUT parameters, then its returns."""

    __slots__ = ()


@dataclass(slots=True)
class Outcome:
    """What stands in place of the values of a task that did not end well.

    `kind` is `cancelled`, `failed` or `raised` (a COMPSsException, whose values count outside its groups).
    Each value is what a later task may still use: for INOUT the last valid one, else MISSING.
    """

    kind: str
    task: int
    values: tuple[Any, ...] = ()
    groups: tuple[str, ...] = ()
    message: str = ""

    def only(self, index: int) -> Outcome:
        return Outcome(self.kind, self.task, self.values[index : index + 1], self.groups, self.message)

    @property
    def value(self) -> Any:
        return self.values[0] if self.values else MISSING


def pick(stored: Any, index: int) -> Any:
    """One of the outputs of a task that has several."""
    return stored.only(index) if type(stored) is Outcome else stored[index]


def revive(stored: Any) -> Any:
    """The last valid value of data whose writer was cancelled."""
    return stored.value if type(stored) is Outcome and stored.value is not MISSING else stored


class Call(NamedTuple):
    """One call of a task, as the worker needs it. A tuple, as it is pickled four times on its way."""

    task: int
    name: str
    function: Any
    on_failure: str = "RETRY"
    time_out: float = 0
    units: int = 1
    groups: tuple[str, ...] = ()
    # For each output the dependency that holds its value before the task, or -1.
    before: tuple[int, ...] = ()
    returns: int = 0
    options: Mapping[str, Any] = {}
    # Pickled (args, kwargs) of argument descriptions, read by the executor only.
    body: bytes = b""
