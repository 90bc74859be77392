"""Takes a call apart: which data it reads and writes, and in which versions."""

from __future__ import annotations

import itertools
import os
from collections import deque
from pathlib import Path
from typing import Any

from .containers import SEQUENCES, assume, elements, rebuilt
from .data import Datum, Future, Node, Tracker, passed
from .definition import Definition
from .description import DEPENDENCY, FILE, INLINE, LIST, MAPPING, NEW, SEQUENCE, VALUE, merge_files, pack
from .errors import PyCOMPSsException
from .graph import Graph
from .parameters import IN, Parameter
from .wire import IMMUTABLE, Pickled, dump, pickled, revive

PRIMITIVES = (int, float, bool, str, bytes, complex, tuple, list, dict, set, frozenset, object, type(None))

# What it is, its content, and its position among the outputs.
Description = tuple[Any, Any, int]


class Building:
    """One call while it is taken apart: its dependencies and outputs."""

    def __init__(self) -> None:
        #: Descriptions of the arguments by position, and the parameter's name of each.
        self.positional: list[Description] = []
        self.names: list[str] = []
        #: Descriptions of the arguments that are passed by name.
        self.named: dict[str, Description] = {}
        #: The nodes that the call depends on, each once.
        self.nodes: list[Node] = []
        #: The place in `nodes` by the node's identity.
        self.positions: dict[int, int] = {}
        #: What the call writes: the datum, the parameter's name, whether it is a file.
        self.outputs: list[tuple[Datum, str, bool]] = []
        #: For each output the dependency that holds its value before the call, or -1.
        self.before: list[int] = []
        #: The place in `outputs` by the datum's identity.
        self.written: dict[int, int] = {}
        #: Files of FILE_CONCURRENT: the call's version is put beside others, not in their place.
        self.branches: list[Datum] = []
        #: Number of the task that is read from, and the label of the version: the edges of the graph.
        self.reads: list[tuple[int, str]] = []
        #: Objects that are read as CONCURRENT: later tasks come after this one.
        self.concurrent: list[Datum] = []
        #: Container, key and datum of each number in a collection in whose place a future comes.
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


class Arguments:
    """The data of the main program: objects by their identity, files by their path, each in its last version."""

    def __init__(self, graph: Graph, settled: set[int]) -> None:
        #: Takes the values of the main program.
        self.graph = graph
        #: Numbers of cancelled tasks that the main program has waited for: their data go back to the version before.
        self.settled = settled
        #: Numbers of data, as the task graph shows them.
        self.numbers = itertools.count(1)
        #: Objects that tasks write.
        self.tracker = Tracker()
        #: Files that tasks read or write, by absolute path.
        self.files: dict[str, Datum] = {}

    # Taking a call apart

    def take(self, definition: Definition, arguments: dict[str, Any]) -> Building:
        """The call's dependencies and outputs, and the descriptions of its arguments."""
        building = Building()
        for name, parameter in definition.signature.parameters.items():
            value = arguments[name]
            if parameter.kind is parameter.VAR_KEYWORD:
                for key, element in value.items():
                    building.named[key] = self._describe(building, element, definition.parameter(key), key)
            elif parameter.kind is parameter.KEYWORD_ONLY:
                building.named[name] = self._describe(building, value, definition.parameter(name), name)
            else:
                several = value if parameter.kind is parameter.VAR_POSITIONAL else (value,)
                direction = definition.parameter(name)
                building.positional += [self._describe(building, element, direction, name) for element in several]
                building.names += [name] * len(several)
        return building

    def written(self, building: Building, node: Node, name: str) -> None:
        """From here on the new versions are what the main program's names mean."""
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
            container[key] = Future(datum, name)

    def returned(self, name: str, kind: Any, node: Node, index: int) -> Any:
        """A future; for a class that has task methods an empty object of it, so that they can be called."""
        datum = Datum(next(self.numbers), 2, node, index)
        if isinstance(kind, type) and kind not in PRIMITIVES:
            members = (getattr(kind, member, None) for member in dir(kind))
            if any(hasattr(member, "__compss__") for member in members):
                try:
                    value = kind()
                except TypeError:
                    return Future(datum, name)
                self.tracker.track(value, datum)
                return value
        return Future(datum, name)

    # Describing the argument of each parameter

    def _describe(self, building: Building, value: Any, parameter: Parameter, name: str) -> Description:
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

    def _container(self, building: Building, value: Any, parameter: Parameter, name: str, depth: int) -> Description:
        """A collection or dictionary, followed for `depth` levels; 0: for all there are."""
        mapping = isinstance(value, dict)
        if not mapping and not isinstance(value, SEQUENCES):
            try:
                value = list(value)
            except TypeError:
                raise PyCOMPSsException(
                    f"parameter {name}: found {type(value).__name__}, expected a collection"
                ) from None
        items = list(value.items()) if mapping else list(enumerate(value))
        if not parameter.writes and not parameter.of_files and all(_immutable(element) for _, element in items):
            return self._object(building, value, parameter.direction, name)
        described = [
            (key, self._element(building, value, key, element, parameter, name, depth)) for key, element in items
        ]
        if mapping:
            return (MAPPING, [(self._object(building, key, "IN", name), entry) for key, entry in described], -1)
        entries = [entry for _, entry in described]
        if isinstance(value, list):
            return (LIST, entries, -1)
        return (SEQUENCE, (dump(type(value)), entries), -1)

    def _element(
        self, building: Building, container: Any, key: Any, element: Any, parameter: Parameter, name: str, depth: int
    ) -> Description:
        """What stands in a container under `key`, which is an index where it is no dictionary."""
        if depth != 1 and self.tracker.find(element) is None and self._followed(element, parameter, depth):
            return self._container(building, element, parameter, name, max(depth - 1, 0))
        if parameter.of_files:
            return self._file(building, element, parameter, name)
        if parameter.writes and _immutable(element) and isinstance(container, (list, dict, deque)):
            # A number cannot be followed by its identity: a future takes its place.
            datum = Datum(next(self.numbers))
            before = building.depend(self.graph.literal(pickled(element)))
            building.replacements.append((container, key, datum))
            return (DEPENDENCY, before, building.write(datum, before, name))
        return self._object(building, element, parameter.direction, name)

    @staticmethod
    def _followed(element: Any, parameter: Parameter, depth: int) -> bool:
        """Whether an element is a collection itself. One that holds numbers alone is an object like others, unless
        the script says with Depth how far to go."""
        if not isinstance(element, (*SEQUENCES, dict)):
            return False
        return depth > 1 or parameter.of_files or not all(_immutable(entry) for entry in elements(element))

    def _object(self, building: Building, value: Any, direction: str, name: str) -> Description:
        if _immutable(value):
            if type(value) in (str, bytes) and len(value) > INLINE:
                return (DEPENDENCY, building.depend(self.graph.literal(pickled(value))), -1)
            return (VALUE, value, -1)
        datum = self.tracker.find(value)
        writes = direction in ("INOUT", "COMMUTATIVE")
        if direction == "OUT":
            if datum is None:
                datum = Datum(next(self.numbers), 0)
                self.tracker.track(value, datum)
            kind = object if type(value) is Future else type(value)
            return (NEW, dump(kind), building.write(datum, -1, name))
        if datum is None:
            passed.futures = []
            given = pickled(value)
            if passed.futures:
                if not writes and type(value) in (list, tuple) and Future in map(type, value):
                    return self._container(building, value, IN, name, 1)
                _refuse_futures(value)
            if not writes:
                if type(given) is Pickled and given.nbytes > INLINE:
                    return (DEPENDENCY, building.depend(self.graph.literal(given)), -1)
                return (VALUE, given.stored() if type(given) is Pickled else given, -1)
            datum = Datum(next(self.numbers), 1, self.graph.literal(given))
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

    def _file(self, building: Building, value: Any, parameter: Parameter, name: str) -> Description:
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
                datum = self.files[path] = Datum(next(self.numbers), 0, path=path)
            datum.is_directory = is_directory
            return (FILE, (-1, base, is_directory), building.write(datum, -1, name, True))
        datum = self._known_file(path, is_directory, parameter.key)
        if direction == "CONCURRENT":
            node = self._current(datum, building)
            position = building.depend(node)
            building.branches.append(datum)
            return (FILE, (position, base, False), building.write(datum, position, name, True))
        self.merge(datum)
        position = building.depend(self._current(datum, building))
        writes = direction in ("INOUT", "COMMUTATIVE")
        return (FILE, (position, base, is_directory), building.write(datum, position, name, True) if writes else -1)

    def _known_file(self, path: str, is_directory: bool, where: str) -> Datum:
        """The datum of a file; what the main program wrote since it was last seen counts as a new version."""
        datum = self.files.get(path)
        if datum is not None and (datum.seen is None or datum.seen == seen(path)):
            return datum
        if not Path(path).exists():
            raise PyCOMPSsException(f"{where}: {path} does not exist, and no task writes it")
        datum = datum or Datum(next(self.numbers), 0, path=path)
        datum.seen = seen(path)
        datum.is_directory = is_directory
        datum.version += 1
        datum.node, datum.index, datum.concurrent = self.graph.literal(pickled(pack(Path(path), is_directory))), 0, []
        self.files[path] = datum
        return datum

    def merge(self, datum: Datum) -> None:
        """Make one version of a file from those that CONCURRENT tasks left."""
        if datum.path and datum.concurrent:
            branches = [self.graph.output(node, index) for node, index in datum.concurrent]
            datum.node = self.graph.help(merge_files, self.graph.output(datum.node, datum.index), *branches)
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
                datum.node = self.graph.help(revive, self.graph.output(node, datum.index))
                datum.index = 0
                return datum.node
        return self.graph.output(node, datum.index)

    # What the main program waits for

    def wanted(self, values: tuple[Any, ...]) -> dict[int, tuple[Any, Datum, Node]]:
        """Futures and objects that tasks write, inside `values` too: each with its datum and node, by its identity."""
        wanted: dict[int, tuple[Any, Datum, Node]] = {}
        self._find(values, wanted)
        return wanted

    def _find(self, value: Any, wanted: dict[int, tuple[Any, Datum, Node]]) -> None:
        datum = self.tracker.find(value)
        if datum is None:
            for element in elements(value):
                self._find(element, wanted)
        elif datum.node is not None:
            wanted[id(value)] = (value, datum, self.graph.output(datum.node, datum.index))

    def filled(self, value: Any, values: dict[int, Any]) -> Any:
        """`value` with the values in place of what was waited for; `values` are by identity."""
        if id(value) in values:
            return values[id(value)]
        return rebuilt(value, lambda element: self.filled(element, values))

    def synchronised(self, value: Any, datum: Datum) -> None:
        """The main program has the object's last version: what it has now is its own again."""
        if type(value) is not Future and self.tracker.find(value) is datum:
            self.tracker.forget(value)

    def take_over(self, value: Any, datum: Datum, new: Any) -> Any:
        """Make the main program's object what `new` is, where that can be. Returns what has the new value."""
        if type(value) is Future or self.tracker.find(value) is not datum or not assume(value, new):
            return new
        self.tracker.forget(value)
        return value

    def forget(self) -> None:
        """Follow nothing any more."""
        self.tracker.entries.clear()
        self.files.clear()


def _refuse_futures(value: Any) -> None:
    """A future in an attribute travels as a stand-in; raises PyCOMPSsException for one in a container, whose value the
    task surely wants."""
    if future := _contained(value):
        raise PyCOMPSsException(
            f"{future!r} is inside an object that was passed to a task: declare the parameter COLLECTION_IN or"
            " DICTIONARY_IN, or get the value with compss_wait_on first"
        )


def _contained(value: Any) -> Future | None:
    """A future in a container, or in a container in it."""
    for element in elements(value):
        if future := element if type(element) is Future else _contained(element):
            return future
    return None


def _immutable(value: Any) -> bool:
    kind = type(value)
    return kind in IMMUTABLE or kind is str or kind is bytes


def seen(path: str) -> tuple[int, ...] | None:
    """What tells one state of a file from another, without reading it."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino)
