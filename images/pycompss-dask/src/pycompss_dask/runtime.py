"""The master: turns task calls into a Dask graph, and waits for what the main program asks for."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import pickle
import shutil
import sys
import threading
import time
import uuid
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import distributed
from dask._task_spec import DataNode, Task, TaskRef
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from distributed import Client
from distributed.client import FutureCancelledError

from compss_telemetry.sink import Sink

from . import context, executor
from .data import Datum, Future, Node, Tracker
from .definition import Definition, checked_on_failure
from .errors import COMPSsException, PyCOMPSsException, TaskFailed
from .executor import DEPENDENCY, FILE, LIST, MAPPING, NEW, TUPLE, VALUE
from .ledger import PREFIX, Ledger, begin, drain, wake
from .parameters import IN, Parameter
from .results import Results
from .wire import IMMUTABLE, MISSING, Blob, Call, Outcome, dump, load, pick, revive
from .worker import Cancellation, Host, execute

INLINE = 8 * 1024  # bytes up to which a value travels inside the call that uses it
FLUSH_SIZE = 500  # calls that go to the scheduler in one message
FLUSH_DELAY = 0.004  # seconds that a call waits for company
CACHED_BYTES = 256 << 20  # values of the main program that are kept for the next call that uses them
PATIENCE = 5.0
PRIMITIVES = (int, float, bool, str, bytes, complex, tuple, list, dict, set, frozenset, object, type(None))

Annotations = tuple[int, tuple[tuple[str, float], ...], str]


@dataclass
class Group:
    name: str
    pending: set[int] = field(default_factory=set)
    exception: str | None = None


class Building:
    """One call while it is taken apart: its dependencies and outputs."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.positions: dict[int, int] = {}
        self.outputs: list[tuple[Datum, str, bool]] = []
        self.before: list[int] = []
        self.written: dict[int, int] = {}
        self.branches: list[Datum] = []
        self.reads: list[tuple[int, str]] = []
        self.concurrent: list[Datum] = []
        self.replacements: list[tuple[Any, Any, Datum]] = []

    def depend(self, node: Node) -> int:
        position = self.positions.get(id(node))
        if position is None:
            position = self.positions[id(node)] = len(self.nodes)
            self.nodes.append(node)
        return position

    def write(self, datum: Datum, before: int, name: str, is_file: bool = False) -> int:
        """The output for a new version of `datum`; one for each datum, however often it is passed."""
        if id(datum) in self.written:
            return self.written[id(datum)]
        self.outputs.append((datum, name, is_file))
        self.before.append(before)
        position = self.written[id(datum)] = len(self.outputs) - 1
        return position


def merge_files(*versions: Any) -> Any:
    """The file that CONCURRENT tasks leave: the first version, and what each task appended to it."""
    if any(type(version) is Outcome for version in versions):
        return next(version for version in versions if type(version) is Outcome)
    mode, base = load(versions[0])
    base = bytes(base)
    content = base
    for version in versions[1:]:
        changed = bytes(load(version)[1])
        if changed == base:
            continue
        if changed.startswith(base):
            content += changed[len(base) :]
        elif content == base:
            content = changed
        else:
            raise PyCOMPSsException(
                "two tasks changed the same FILE_CONCURRENT in other ways than by appending to it;"
                " these changes cannot be put together without a shared file system: use FILE_COMMUTATIVE"
            )
    return dump((mode, pickle.PickleBuffer(content)))


def together(*stored: Any) -> Any:
    """The outputs of a task that ran on every worker: those of the first, unless one of them did not end well."""
    return next((value for value in stored if type(value) is Outcome), stored[0])


class Runtime:
    def __init__(
        self,
        client: Client,
        *,
        results: Results | None = None,
        sink: Sink | None = None,
        main: tuple[str, str] | None = None,
        sources: dict[str, bytes] | None = None,
        source_paths: list[str] | None = None,
        paths: Iterable[str] | None = None,
        on_fatal: Callable[[str], None] | None = None,
    ) -> None:
        self.client = client
        self.results = results or Results(None)
        self.sink = sink or Sink()
        self.main = main
        self.on_fatal = on_fatal
        self.run = uuid.uuid4().hex[:8]
        self.lock = threading.RLock()
        self.changed = threading.Condition()
        self.numbers = itertools.count(1)
        self.data_numbers = itertools.count(1)
        self.helpers = itertools.count(1)
        self.tracker = Tracker()
        self.files: dict[str, Datum] = {}
        self.values: OrderedDict[bytes, tuple[Node, int]] = OrderedDict()
        self.cached = 0
        self.batch: list[tuple[Node, Any, Annotations]] = []
        self.helping: list[Node] = []
        self.pending: dict[int, Node] = {}
        # By name. Each is written by one thread: what is pending is their difference.
        self.submitted_names: Counter[str] = Counter()
        self.ended_names: Counter[str] = Counter()
        self.groups: dict[str, Group] = {}
        self.open_groups: list[str] = []
        self.ungrouped: str | None = None
        self.cancelled: set[int] = set()
        self.settled: set[int] = set()
        self.fatal: str | None = None
        self.workers: dict[str, tuple[str, int]] = {}
        self.ended = 0
        self.stopping = False
        self.wake = threading.Event()
        self.cancellations = itertools.count(1)
        client.register_plugin(Ledger())
        client.run_on_scheduler(begin)
        client.register_plugin(
            Host(self.run, main, list(sys.path if paths is None else paths), sources, source_paths),
        )
        # The workers that are there are known before the first call, as replicated tasks need them.
        self._received(client.run_on_scheduler(drain, 0.0))
        self.threads = [
            threading.Thread(target=target, name=f"compss-{target.__name__}", daemon=True)
            for target in (self._flusher, self._listener)
        ]
        for thread in self.threads:
            thread.start()

    # Calls

    def call(self, definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Submit one call of a task; what it returns, as futures."""
        self._check()
        override = kwargs.pop("returns", None) if "returns" not in definition.names else None
        bound = definition.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if definition.reduces and definition.chunk_size > 1:
            self._reduce(definition, bound)
        with self.lock:
            return self._submit(definition, bound.arguments, override)

    def _reduce(self, definition: Definition, bound: Any) -> None:
        """Reduce a collection in chunks until one call can take what is left."""
        names = [name for name, parameter in definition.parameters.items() if parameter.kind == "collection"]
        if len(names) != 1:
            raise PyCOMPSsException(f"@reduction of {definition.name}: found {len(names)} collections, expected one")
        values = list(bound.arguments[names[0]])
        size = definition.chunk_size
        while len(values) > size:
            reduced = []
            for start in range(0, len(values), size):
                chunk = values[start : start + size]
                if len(chunk) == 1:
                    reduced += chunk
                    continue
                with self.lock:
                    reduced.append(self._submit(definition, {**bound.arguments, names[0]: chunk}, None))
            values = reduced
        bound.arguments[names[0]] = values

    def _submit(self, definition: Definition, arguments: dict[str, Any], override: Any) -> Any:
        building = Building()
        positional: list[Any] = []
        named: dict[str, Any] = {}
        names: list[str] = []
        for name, parameter in definition.signature.parameters.items():
            value = arguments[name]
            if parameter.kind is parameter.VAR_POSITIONAL:
                direction = definition.parameter(name)
                positional += [self._describe(building, element, direction, name) for element in value]
                names += [name] * len(value)
            elif parameter.kind is parameter.VAR_KEYWORD:
                for key, element in value.items():
                    named[key] = self._describe(building, element, definition.parameter(key), key)
            elif parameter.kind is parameter.KEYWORD_ONLY:
                named[name] = self._describe(building, value, definition.parameter(name), name)
            else:
                positional.append(self._describe(building, value, definition.parameter(name), name))
                names.append(name)
        count, types = definition.returns(override, arguments)
        units, resources = definition.needs(arguments)
        options: dict[str, Any] = {}
        if definition.on_failure == "IGNORE" and definition.defaults:
            positions = {place: (name, is_file) for place, (_, name, is_file) in enumerate(building.outputs)}
            options["defaults"] = {**definition.defaults, "#outputs": positions}
        if definition.binary is not None:
            options["binary"] = definition.binary
            options["names"] = names
        groups = tuple(self.open_groups)
        number = next(self.numbers)
        call = Call(
            task=number,
            name=definition.name,
            function=definition.reference(),
            on_failure=definition.on_failure,
            time_out=definition.time_out,
            units=units,
            groups=groups,
            before=tuple(building.before),
            returns=count,
            options=options,
            body=pickle.dumps((positional, named), protocol=5),
        )
        wanted = resources if units <= 1 else {**resources, "units": float(units)}
        node = self._place(definition, call, building, len(building.outputs) + count, wanted)
        self.results.submitted(number, definition.name, building.reads, groups)
        # From here on the new versions are what the main program's names mean.
        for index, (datum, _, _) in enumerate(building.outputs):
            if datum in building.branches:
                datum.concurrent.append((node, index))
                continue
            datum.version += 1
            datum.node, datum.index = node, index
            datum.seen = None
            datum.concurrent = []
        for datum in building.concurrent:
            datum.concurrent.append((node, -1))
        for container, key, datum in building.replacements:
            container[key] = Future(datum, definition.name)
        futures = [
            self._returned(definition, kind, Datum(next(self.data_numbers), 2, node, len(building.outputs) + place))
            for place, kind in enumerate(types)
        ]
        if count == 0:
            return None
        return futures[0] if count == 1 and not isinstance(definition.options["returns"], (list, tuple)) else futures

    def _place(
        self, definition: Definition, call: Call, building: Building, outputs: int, resources: dict[str, float]
    ) -> Node:
        """Queue the call; for a replicated task one call for each worker."""
        annotations = (definition.priority, tuple(sorted(resources.items())))
        if not (definition.replicated and len(self.workers) > 1):
            return self._enqueue(call, building, outputs, (*annotations, ""))
        replicas = []
        for position, address in enumerate(list(self.workers)):
            if position:
                call = call._replace(task=next(self.numbers))
                self.results.submitted(call.task, definition.name, building.reads, call.groups)
            replicas.append(self._enqueue(call, building, outputs, (*annotations, address)))
        node = self._help(together, *replicas, outputs=outputs)
        node.number = call.task
        return node

    def _enqueue(self, call: Call, building: Building, outputs: int, annotations: Annotations) -> Node:
        node = Node((f"{PREFIX}{self.run}-{call.name}", call.task), outputs, call.task, call.name)
        node.inputs = tuple(building.nodes)
        node.groups = call.groups
        self.pending[call.task] = node
        self.submitted_names[call.name] += 1
        for name in call.groups:
            self.groups[name].pending.add(call.task)
        task = Task(node.key, execute, call, *[TaskRef(dependency.key) for dependency in building.nodes])
        self._queue(node, task, annotations)
        return node

    def _returned(self, definition: Definition, kind: Any, datum: Datum) -> Any:
        """A future; for a class that has task methods an empty object of it, so that they can be called."""
        if isinstance(kind, type) and kind not in PRIMITIVES:
            members = (getattr(kind, name, None) for name in dir(kind))
            if any(hasattr(member, "__compss__") for member in members):
                try:
                    value = kind()
                except TypeError:
                    return Future(datum, definition.name)
                self.tracker.track(value, datum)
                return value
        return Future(datum, definition.name)

    # Parameters

    def _describe(self, building: Building, value: Any, parameter: Parameter, name: str) -> tuple[Any, Any, int]:
        """The description of an argument for the executor; notes what the call depends on and writes."""
        kind = parameter.kind
        if kind == "object":
            return self._object(building, value, parameter.direction, name)
        if kind in ("file", "directory"):
            return self._file(building, value, parameter, name)
        datum = self.tracker.find(value)
        if value is None or type(value) is Future or (datum is not None and datum.node is not None):
            return self._object(building, value, parameter.direction, name)
        return self._container(building, value, parameter, name, parameter.depth)

    def _container(
        self, building: Building, value: Any, parameter: Parameter, name: str, depth: int
    ) -> tuple[Any, Any, int]:
        mapping = isinstance(value, dict)
        if not mapping and not isinstance(value, (list, tuple)):
            try:
                value = list(value)
            except TypeError:
                raise PyCOMPSsException(
                    f"parameter {name}: found {type(value).__name__}, expected a collection"
                ) from None
        items = list(value.items()) if mapping else list(enumerate(value))
        described = []
        for key, element in items:
            if depth > 1 and isinstance(element, (list, tuple, dict)) and self.tracker.find(element) is None:
                description = self._container(building, element, parameter, name, depth - 1)
            elif parameter.of_files:
                description = self._file(building, element, parameter, name)
            elif parameter.writes and _immutable(element) and not isinstance(value, tuple):
                # A number cannot be followed by its identity: a future takes its place.
                datum = Datum(next(self.data_numbers))
                node = self._literal(element)
                before = building.depend(node)
                building.replacements.append((value, key, datum))
                description = (DEPENDENCY, before, building.write(datum, before, name))
            else:
                description = self._object(building, element, parameter.direction, name)
            described.append((key, description))
        if mapping:
            return (MAPPING, [(self._object(building, key, "IN", name), entry) for key, entry in described], -1)
        return (TUPLE if isinstance(value, tuple) else LIST, [entry for _, entry in described], -1)

    def _object(self, building: Building, value: Any, direction: str, name: str) -> tuple[Any, Any, int]:
        if _immutable(value):
            if type(value) in (str, bytes) and len(value) > INLINE:
                return (DEPENDENCY, building.depend(self._literal(value)), -1)
            return (VALUE, value, -1)
        datum = self.tracker.find(value)
        writes = direction in ("INOUT", "COMMUTATIVE")
        if direction == "OUT":
            if datum is None:
                datum = Datum(next(self.data_numbers), 0)
                self.tracker.track(value, datum)
            kind = object if type(value) is Future else type(value)
            return (NEW, dump(kind), building.write(datum, -1, name))
        if datum is None:
            if not writes:
                if type(value) in (list, tuple) and any(type(element) is Future for element in value):
                    return self._container(building, value, IN, name, 1)
                stored = dump(value)
                if type(stored) is Blob and stored.nbytes > INLINE:
                    return (DEPENDENCY, building.depend(self._literal(value, stored)), -1)
                return (VALUE, stored, -1)
            datum = Datum(next(self.data_numbers), 1, self._literal(value))
            self.tracker.track(value, datum)
        node = self._current(datum, building)
        position = building.depend(node)
        if direction == "CONCURRENT":
            building.concurrent.append(datum)
        else:
            for other, _ in datum.concurrent:
                building.depend(other)
        if direction == "IN_DELETE":
            self.tracker.forget(value)
        return (DEPENDENCY, position, building.write(datum, position, name) if writes else -1)

    def _file(self, building: Building, value: Any, parameter: Parameter, name: str) -> tuple[Any, Any, int]:
        if value is None:
            return (VALUE, None, -1)
        if type(value) is Future:
            raise PyCOMPSsException(f"parameter {name} is {parameter.key}: found {value!r}, expected a path")
        path = os.path.abspath(os.fspath(value))  # noqa: PTH100 - the path need not exist yet
        is_directory = parameter.kind == "directory"
        base = os.path.basename(path)  # noqa: PTH119
        direction = parameter.direction
        if direction == "OUT":
            datum = self.files.get(path)
            if datum is None:
                datum = self.files[path] = Datum(next(self.data_numbers), 0, path=path)
            datum.is_directory = is_directory
            return (FILE, (-1, base, is_directory), building.write(datum, -1, name, True))
        datum = self._known_file(path, is_directory, parameter.key)
        if direction == "CONCURRENT":
            node = self._current(datum, building)
            position = building.depend(node)
            building.branches.append(datum)
            return (FILE, (position, base, False), building.write(datum, position, name, True))
        self._merge(datum)
        position = building.depend(self._current(datum, building))
        writes = direction in ("INOUT", "COMMUTATIVE")
        return (FILE, (position, base, is_directory), building.write(datum, position, name, True) if writes else -1)

    def _known_file(self, path: str, is_directory: bool, where: str) -> Datum:
        """The datum of a file; what the main program wrote since it was last seen counts as a new version."""
        datum = self.files.get(path)
        if datum is not None and (datum.seen is None or datum.seen == _seen(path)):
            return datum
        if not Path(path).exists():
            raise PyCOMPSsException(f"{where}: {path} does not exist, and no task writes it")
        datum = datum or Datum(next(self.data_numbers), 0, path=path)
        datum.seen = _seen(path)
        datum.is_directory = is_directory
        datum.version += 1
        datum.node, datum.index, datum.concurrent = self._literal(executor.pack(Path(path), is_directory)), 0, []
        self.files[path] = datum
        return datum

    def _merge(self, datum: Datum) -> None:
        if datum.path and datum.concurrent:
            branches = [self._output(node, index) for node, index in datum.concurrent]
            datum.node = self._help(merge_files, self._output(datum.node, datum.index), *branches)
            datum.index, datum.concurrent, datum.seen = 0, [], None
            datum.version += 1

    def _current(self, datum: Datum, building: Building) -> Node:
        """The node that holds the last version of a datum."""
        node = datum.node
        if node is None:
            raise PyCOMPSsException(f"{datum.path or datum.label} was deleted")
        if node.number:
            building.reads.append((node.number, datum.label))
            if node.number in self.settled:
                datum.node = self._help(revive, self._output(node, datum.index))
                datum.index = 0
                return datum.node
        return self._output(node, datum.index)

    def _output(self, node: Node | None, index: int) -> Node:
        """The node of one output; the others of that task need not travel with it."""
        if node is None:
            raise PyCOMPSsException("the data were deleted")
        if node.outputs <= 1 or index < 0:
            return node
        if index not in node.picked:
            node.picked[index] = self._help(pick, node, index)
        return node.picked[index]

    def _literal(self, value: Any, stored: Any = MISSING) -> Node:
        """The node of a value of the main program; equal large values are sent once."""
        if stored is MISSING:
            stored = dump(value)
        digest = b""
        if type(stored) is Blob and stored.nbytes > INLINE:
            sum_ = hashlib.blake2b(stored.head, digest_size=16)
            sum_.update(stored.body)
            digest = sum_.digest()
            if digest in self.values:
                self.values.move_to_end(digest)
                return self.values[digest][0]
        node = Node((f"value-{self.run}", next(self.helpers)))
        self._queue(node, DataNode(node.key, stored), (0, (), ""))
        if digest:
            self.values[digest] = (node, stored.nbytes)
            self.cached += stored.nbytes
            while self.cached > CACHED_BYTES:
                self.cached -= self.values.popitem(last=False)[1][1]
        return node

    def _help(self, function: Callable[..., Any], *arguments: Any, outputs: int = 1) -> Node:
        """A node of the engine's own, that is no task of the application."""
        node = Node((f"{function.__name__}-{self.run}", next(self.helpers)), outputs)
        node.inputs = tuple(argument for argument in arguments if isinstance(argument, Node))
        refs = [TaskRef(argument.key) if isinstance(argument, Node) else argument for argument in arguments]
        # Before all tasks: somebody waits for it, and it takes no time.
        self._queue(node, Task(node.key, function, *refs), (100, (), ""))
        self.helping.append(node)
        return node

    # To the scheduler

    def _queue(self, node: Node, task: Any, annotations: Annotations) -> None:
        with self.lock:
            self.batch.append((node, task, annotations))
            if len(self.batch) >= FLUSH_SIZE:
                self.flush()
            elif len(self.batch) == 1:
                self.wake.set()

    def flush(self) -> None:
        """Send the queued part of the graph in one message."""
        with self.lock:
            batch, self.batch = self.batch, []
            if not batch:
                return
            layers: dict[Annotations, dict[Any, Any]] = {}
            for node, task, annotations in batch:
                layers.setdefault(annotations, {})[node.key] = task
            if len(layers) == 1 and next(iter(layers)) == (0, (), ""):
                graph: Any = layers[0, (), ""]
            else:
                graph = HighLevelGraph(
                    {
                        f"layer{place}": MaterializedLayer(tasks, annotations=_annotations(annotations))
                        for place, (annotations, tasks) in enumerate(layers.items())
                    },
                    {f"layer{place}": set() for place in range(len(layers))},
                )
            futures = self.client.get(graph, [node.key for node, _, _ in batch], sync=False)
            for (node, _, _), future in zip(batch, futures, strict=True):
                node.future = future

    def _flusher(self) -> None:
        while not self.stopping:
            self.wake.wait()
            self.wake.clear()
            time.sleep(FLUSH_DELAY)
            try:
                self.flush()
            except Exception as error:
                self._fail(f"cannot send tasks to the scheduler: {error!r}")

    # From the scheduler

    def _listener(self) -> None:
        while True:
            try:
                records = self.client.run_on_scheduler(drain, PATIENCE if not self.stopping else 0.0)
            except Exception as error:
                if not self.stopping:
                    self._fail(f"lost the scheduler: {error!r}")
                return
            if records:
                try:
                    self._received(records)
                except Exception as error:
                    self._fail(f"cannot process the records of tasks: {error!r}")
            if self.stopping and not records:
                return

    def _received(self, records: list[dict[str, Any]]) -> None:
        events: list[dict[str, Any]] = []
        cancel: set[int] = set()
        for record in records:
            if "task" in record:
                self._task_ended(record, events, cancel)
            elif "started" in record:
                events += [
                    {
                        "event": "start",
                        "id": task,
                        "name": name,
                        "worker": record["label"],
                        "time": begin,
                        "slot": slot,
                    }
                    for task, name, begin, slot in record["started"]
                ]
            elif "joined" in record:
                self.workers[record["address"]] = (record["joined"], record["units"])
                self.results.joined(record["joined"], record["units"])
                events.append(
                    {
                        "event": "worker",
                        "worker": record["joined"],
                        "state": "joined",
                        "computing_units": record["units"],
                        "time": record["time"],
                    }
                )
            elif "left" in record:
                self.workers.pop(record["address"], None)
                self.results.left(record["left"])
                events.append(
                    {
                        "event": "worker",
                        "worker": record["left"],
                        "state": "left",
                        "computing_units": 0,
                        "time": record["time"],
                    }
                )
            elif "erred" in record and self.run in record["key"] and (record["erred"] or 0) in {0, *self.pending}:
                node = self.pending.get(record["erred"] or 0)
                name = f"task {node.number} ({node.name})" if node else "data of the engine"
                self._fail(f"{name}: {record['message']}")
        if cancel:
            self._cancel(cancel)
        # What a helper has read need not be kept for it.
        if self.helping:
            with self.lock:
                waiting = []
                for node in self.helping:
                    if node.future is not None and node.future.done():
                        node.inputs = ()
                    else:
                        waiting.append(node)
                self.helping = waiting
        self.results.counts(self.ended, len(self.pending))
        names = {name: count - self.ended_names[name] for name, count in list(self.submitted_names.items())}
        names = {name: count for name, count in names.items() if count}
        totals = {"ended": self.ended, "pending": sum(names.values()), "names": names}
        events.append({"event": "tasks", **totals, "time": time.time()})
        self.sink.send(events)
        with self.changed:
            self.changed.notify_all()

    def _task_ended(self, record: dict[str, Any], events: list[dict[str, Any]], cancel: set[int]) -> None:
        number = record["task"]
        node = self.pending.get(number)
        if node is None:
            # Its result was lost with a worker and made again: it was counted the first time.
            return
        state = record["state"]
        self.ended += 1
        labels = self.results.ended(record, node.name)
        duration = record["end"] - record["begin"]
        event = {
            "event": "end",
            "id": number,
            "name": node.name,
            "worker": record["worker"],
            "start": record["begin"],
            "time": record["end"],
            "duration": duration,
            "state": "FAILED" if state == "RAISED" else state,
            "attempt": labels,
            "slot": record["slot"],
            **self.sink.deadlines.of(node.name),
        }
        events.append(event)
        if state != "CANCELED" and self.sink.deadlines.check(node.name, duration):
            events.append({**event, "event": "deadline"})
        message = record.get("message", "")
        if state in ("CANCELED", "FAILED"):
            self.cancelled.add(number)
        if state == "FAILED":
            self.results.log("ERROR", f"task {number} ({node.name}) failed on {record['worker']}: {message}")
        if state == "RAISED":
            self.results.log("WARN", f"task {number} ({node.name}) raised COMPSsException: {message}")
            groups = [self.groups[name] for name in node.groups]
            for group in groups:
                group.exception = group.exception or message
                cancel |= group.pending - {number}
            if not groups:
                self.ungrouped = message
                cancel |= {other for other, node in self.pending.items() if not node.groups and other != number}
        node.inputs = ()
        for name in node.groups:
            self.groups[name].pending.discard(number)
        del self.pending[number]
        self.ended_names[node.name] += 1
        if record.get("fatal"):
            printed = bytes(record.get("err") or b"").decode(errors="replace").strip()
            self._fail(f"task {number} ({node.name}) failed on {record['worker']}: {message}\n{printed}".strip())

    def _cancel(self, numbers: Iterable[int]) -> None:
        numbers = [number for number in numbers if number in self.pending]
        if numbers:
            self.client.register_plugin(Cancellation(self.run, next(self.cancellations), numbers))

    def _fail(self, message: str) -> None:
        if self.fatal is None:
            self.fatal = message
            self.results.log("ERROR", message)
            if self.on_fatal is not None:
                self.on_fatal(message)
        with self.changed:
            self.changed.notify_all()

    def _check(self) -> None:
        if self.fatal is not None:
            raise TaskFailed(self.fatal)

    # What the main program asks for

    def _wait(self, done: Callable[[], bool]) -> None:
        self.flush()
        with self.changed:
            while not done():
                self._check()
                self.changed.wait(1.0)
        self._check()
        self.settled |= self.cancelled

    def barrier(self) -> None:
        self._wait(lambda: not self.pending)
        self.results.synchronised("barrier", [])
        if self.ungrouped is not None:
            message, self.ungrouped = self.ungrouped, None
            raise COMPSsException(message)

    def open_group(self, name: str) -> None:
        with self.lock:
            self.groups.setdefault(name, Group(name)).exception = None
            self.open_groups.append(name)

    def close_group(self, name: str) -> None:
        with self.lock:
            self.open_groups.remove(name)

    def barrier_group(self, name: str) -> None:
        group = self._group(name)
        self._wait(lambda: not group.pending)
        self.results.synchronised("barrier", [])
        if group.exception is not None:
            message, group.exception = group.exception, None
            raise COMPSsException(message)

    def cancel_group(self, name: str) -> None:
        group = self._group(name)
        self.flush()
        self._cancel(set(group.pending))
        self._wait(lambda: not group.pending)
        if group.exception is not None:
            message, group.exception = group.exception, None
            raise COMPSsException(message)

    def _group(self, name: str) -> Group:
        if name not in self.groups:
            raise PyCOMPSsException(f"there is no task group {name!r}")
        return self.groups[name]

    def wait_on(self, *values: Any, mode: str = "rw") -> Any:
        """The values of futures and of objects that tasks change, in lists, tuples and dictionaries too."""
        if mode not in ("r", "rw", "w"):
            raise PyCOMPSsException(f"compss_wait_on: mode is {mode!r}, expected 'r' or 'rw'")
        self._check()
        with self.lock:
            found: dict[int, tuple[Any, Datum, Node]] = {}
            self._find(values, found)
        stored = self._gather([node for _, _, node in found.values()])
        known = {key: self._value(value) for key, value in zip(found, stored, strict=True)}
        for value, datum, _ in found.values():
            if mode != "r" and type(value) is not Future and self.tracker.find(value) is datum:
                self.tracker.forget(value)
        if found:
            self.results.synchronised("sync", [datum.node.number for _, datum, _ in found.values() if datum.node])
        result = [self._filled(value, known) for value in values]
        return result[0] if len(result) == 1 else result

    def _find(self, value: Any, found: dict[int, tuple[Any, Datum, Node]]) -> None:
        datum = self.tracker.find(value)
        if datum is not None:
            if datum.node is not None:
                found[id(value)] = (value, datum, self._output(datum.node, datum.index))
        elif isinstance(value, (list, tuple)):
            for element in value:
                self._find(element, found)
        elif isinstance(value, dict):
            for key, element in value.items():
                self._find(key, found)
                self._find(element, found)

    def _filled(self, value: Any, known: dict[int, Any]) -> Any:
        if id(value) in known:
            return known[id(value)]
        if type(value) is list:
            return [self._filled(element, known) for element in value]
        if type(value) is tuple:
            return tuple(self._filled(element, known) for element in value)
        if type(value) is dict:
            return {self._filled(key, known): self._filled(element, known) for key, element in value.items()}
        return value

    def _gather(self, nodes: list[Node]) -> list[Any]:
        self.flush()
        futures = [node.future for node in nodes]
        patience = 1.0
        while True:
            try:
                with self.client.as_current():
                    distributed.wait(futures, timeout=patience)
                break
            except (TimeoutError, distributed.TimeoutError):
                self._check()
                patience = min(2 * patience, 30.0)
        try:
            stored = self.client.gather(futures)
        except FutureCancelledError as error:
            raise TaskFailed(f"data were lost: {error}") from error
        if any(type(value) is Outcome for value in stored):
            # The records tell why, and arrive a little later than the values.
            with self.changed:
                self.changed.wait_for(
                    lambda: (
                        self.fatal is not None
                        or not any(type(value) is Outcome and value.task in self.pending for value in stored)
                    ),
                    PATIENCE,
                )
            self._check()
            self.settled |= self.cancelled
        return list(stored)

    def _value(self, stored: Any) -> Any:
        if type(stored) is Outcome:
            if stored.value is MISSING:
                print(
                    f"WARNING: the task that makes this value was cancelled or ignored ({stored.message})."
                    " Returning None.",
                    file=sys.stderr,
                )
                return None
            stored = stored.value
        return load(stored)

    # Files

    def bring_home(self, path: str) -> None:
        """Write the last version of a file, if a task made one, to its place in the main program's file system."""
        path = os.path.abspath(path)  # noqa: PTH100
        with self.lock:
            datum = self.files.get(path)
            if datum is None or datum.node is None:
                return
            self._merge(datum)
            if datum.seen is not None:
                return
            node = self._output(datum.node, datum.index)
        content = self._value(self._gather([node])[0])
        if content is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            executor.unpack(content, Path(path))
        datum.seen = _seen(path)
        self.results.synchronised("sync", [datum.node.number])

    def open(self, path: str, mode: str) -> IO[Any]:
        if not mode.startswith("w"):
            self.bring_home(path)
        if mode != "r":
            # From here on the main program's file is the last version.
            self.files.pop(os.path.abspath(path), None)  # noqa: PTH100
        return Path(path).open(mode)

    def file_exists(self, path: str) -> bool:
        return Path(path).exists() or os.path.abspath(path) in self.files  # noqa: PTH100

    def delete_file(self, path: str) -> bool:
        absolute = os.path.abspath(path)  # noqa: PTH100
        known = self.files.pop(absolute, None) is not None
        place = Path(absolute)
        if place.is_dir():
            shutil.rmtree(place)
            return True
        exists = place.exists()
        place.unlink(missing_ok=True)
        return known or exists

    def delete_object(self, value: Any) -> bool:
        if type(value) is Future:
            datum: Datum = value._datum
            known, datum.node = datum.node is not None, None
            return known
        return self.tracker.forget(value)

    def resources(self) -> int:
        return len(self.workers)

    # The end

    def stop(self, cancel: bool = False) -> None:
        """Wait for all tasks, bring the files home, write the results."""
        error: BaseException | None = None
        try:
            if cancel:
                self.flush()
                self._cancel(list(self.pending))
            else:
                try:
                    self.barrier()
                except COMPSsException as raised:
                    error = raised
                for path in list(self.files):
                    self.bring_home(path)
        finally:
            self.stopping = True
            self.wake.set()
            with contextlib.suppress(Exception):  # where the scheduler is gone, so is the listener
                self.client.run_on_scheduler(wake)
            for thread in self.threads:
                if thread is not threading.current_thread():
                    thread.join(timeout=PATIENCE + 5)
            self.results.finish()
            self.sink.send(
                [{"event": "run", "state": "failed" if self.fatal or error else "ended", "time": time.time()}]
            )
            self.sink.close()
            self.tracker.known.clear()
            self.files.clear()
        if error is not None:
            raise error


def _immutable(value: Any) -> bool:
    kind = type(value)
    return kind in IMMUTABLE or kind is str or kind is bytes


def _seen(path: str) -> tuple[int, ...] | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def _annotations(annotations: Annotations) -> dict[str, Any]:
    priority, resources, address = annotations
    found: dict[str, Any] = {}
    if priority:
        found["priority"] = priority
    if resources:
        found["resources"] = dict(resources)
    if address:
        found["workers"] = [address]
        found["allow_other_workers"] = True
    return found


def start(runtime: Runtime) -> None:
    if context.role != "none":
        raise PyCOMPSsException(f"the runtime cannot be started in the role {context.role}")
    context.runtime = runtime
    context.role = "master"


def stop(cancel: bool = False) -> None:
    runtime = context.runtime
    if runtime is None:
        return
    try:
        runtime.stop(cancel)
    finally:
        context.runtime = None
        context.role = "none"


__all__ = ["Runtime", "checked_on_failure", "start", "stop"]
