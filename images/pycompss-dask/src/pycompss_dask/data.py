"""How the master follows data: which task wrote the last version of what."""

from __future__ import annotations

import itertools
import threading
import weakref
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import wire

if TYPE_CHECKING:
    from distributed import Future as DaskFuture


class Node:
    """A key in the Dask graph. It stays wanted for as long as somebody refers to it."""

    __slots__ = ("future", "groups", "inputs", "key", "name", "number", "outputs", "picked")

    def __init__(self, key: tuple[str, int], outputs: int = 1, number: int = 0, name: str = "") -> None:
        #: Dask's name for it.
        self.key = key
        #: How many values it gives.
        self.outputs = outputs
        #: Number and name of the task; 0 where it is a node of the engine.
        self.number = number
        self.name = name
        #: What keeps its result wanted; set when it is sent.
        self.future: DaskFuture[Any] | None = None
        #: Nodes that Dask must not forget before this one has run.
        self.inputs: tuple[Node, ...] = ()
        #: The nodes of its single outputs, by position.
        self.picked: dict[int, Node] = {}
        #: Task groups that it belongs to.
        self.groups: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Datum:
    """An object or file as it changes over time: each writer makes a new version, so readers never block writers."""

    #: Its number, as the task graph shows it.
    number: int
    #: Counts up with each writer.
    version: int = 1
    #: What holds the last version; none after it was deleted.
    node: Node | None = None
    #: Which of the node's outputs it is.
    index: int = 0
    #: The absolute path of a file or directory; empty for an object.
    path: str = ""
    is_directory: bool = False
    #: What the file in the main program's file system looked like when it was this version.
    seen: tuple[int, ...] | None = None
    #: CONCURRENT accesses since the last version: later tasks come after all of them.
    concurrent: list[tuple[Node, int]] = field(default_factory=list)

    @property
    def label(self) -> str:
        return f"d{self.number}v{self.version}"


class Future:
    """What a task call returns in place of a value: pass it to other tasks, or to compss_wait_on."""

    __slots__ = ("__weakref__", "_datum", "_name")

    def __init__(self, datum: Datum, name: str) -> None:
        object.__setattr__(self, "_datum", datum)
        object.__setattr__(self, "_name", name)

    def __repr__(self) -> str:
        return f"<Future of {self._name}, {self._datum.label}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(f"{self!r} has no attribute {name!r} yet: get its value with compss_wait_on first")

    def __reduce__(self) -> Any:
        # Inside of an object it travels as a stand-in, which the main program knows again when the object comes back.
        passed.futures.append(self)
        number = next(_stand_ins)
        wire.futures[number] = self
        return wire.future, (number, repr(self))


class _Passed(threading.local):
    """Futures that were pickled by this thread since it last looked."""

    def __init__(self) -> None:
        self.futures: list[Future] = []


passed = _Passed()
_stand_ins = itertools.count(1)


class Tracker:
    """Finds the datum of an object by the object's identity."""

    def __init__(self) -> None:
        #: The object, referred to weakly where it can be, and its datum, by the object's identity.
        self.entries: dict[int, tuple[Any, Datum]] = {}

    def find(self, value: Any) -> Datum | None:
        if type(value) is Future:
            return value._datum  # type: ignore[no-any-return]
        entry = self.entries.get(id(value))
        if entry is None:
            return None
        holder, datum = entry
        return datum if (holder() if isinstance(holder, weakref.ref) else holder) is value else None

    def track(self, value: Any, datum: Datum) -> None:
        key = id(value)

        def forget(_: Any, entries: dict[int, tuple[Any, Datum]] = self.entries) -> None:
            entries.pop(key, None)

        try:
            holder: Any = weakref.ref(value, forget)
        except TypeError:
            # Lists and dictionaries cannot be referred to weakly: they stay until waited for or deleted.
            holder = value
        self.entries[key] = (holder, datum)

    def forget(self, value: Any) -> bool:
        return self.entries.pop(id(value), None) is not None
