"""The application's Dask graph: nodes are queued as the main program makes them, and go to the scheduler in batches."""

from __future__ import annotations

import itertools
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from dask._task_spec import DataNode, Task, TaskRef
from dask.highlevelgraph import HighLevelGraph, MaterializedLayer
from distributed import Client

from .data import Node
from .description import INLINE, together
from .errors import PyCOMPSsException
from .ledger import PREFIX
from .wire import Call, Pickled, pick
from .worker import execute

FLUSH_SIZE = 500  # calls that go to the scheduler in one message
FLUSH_DELAY = 0.004  # seconds that a call waits for company
CACHED_BYTES = 256 << 20  # values of the main program that are kept for the next call that uses them

# Priority, resources, and the address of the one worker that should run it.
Annotations = tuple[int, tuple[tuple[str, float], ...], str]
PLAIN: Annotations = (0, (), "")


class Graph:
    """The nodes of one run; `on_error` is told in a sentence when they cannot be sent."""

    def __init__(self, client: Client, run: str, on_error: Callable[[str], None]) -> None:
        #: The connection to the scheduler.
        self.client = client
        #: Part of every key: keys of two runs on one scheduler differ.
        self.run = run
        #: Called from the flusher's thread.
        self.on_error = on_error
        #: Held while a call is taken apart and while a batch is sent.
        self.lock = threading.RLock()
        #: Numbers of the nodes that are no tasks of the application.
        self.helpers = itertools.count(1)
        #: Nodes that wait to be sent, in the order in which they were made.
        self.batch: list[tuple[Node, Any, Annotations]] = []
        #: Nodes of the engine that have not run: they keep what they read.
        self.helping: list[Node] = []
        #: Large values of the main program by digest, with their bytes; the least recently used first.
        self.values: OrderedDict[bytes, tuple[Node, int]] = OrderedDict()
        #: Bytes of `values` together.
        self.cached = 0
        #: Set at the end of the run, for good.
        self.stopping = False
        #: Set when the first node of a batch waits.
        self.wake = threading.Event()
        self.thread = threading.Thread(target=self._flusher, name="compss-flusher", daemon=True)
        self.thread.start()

    # Making nodes

    def node(self, call: Call, inputs: list[Node], outputs: int) -> Node:
        """The node of a call of a task, not yet queued."""
        node = Node((f"{PREFIX}{self.run}-{call.name}", call.task), outputs, call.task, call.name)
        node.inputs = tuple(inputs)
        node.groups = call.groups
        return node

    def queue(self, node: Node, call: Call, priority: int, resources: dict[str, float], address: str) -> None:
        """Have the call run, on the worker of that address where there is one."""
        task = Task(node.key, execute, call, *[TaskRef(dependency.key) for dependency in node.inputs])
        self._queue(node, task, (priority, tuple(sorted(resources.items())), address))

    def together(self, nodes: list[Node], outputs: int) -> Node:
        """The node that stands for a task which runs on every worker."""
        node = self.help(together, *nodes, outputs=outputs)
        node.number = nodes[-1].number
        return node

    def literal(self, given: Any) -> Node:
        """The node of a value of the main program, which is pickled; equal large values are copied and sent once."""
        digest = b""
        if type(given) is Pickled and given.nbytes > INLINE:
            digest = given.digest()
            if digest in self.values:
                self.values.move_to_end(digest)
                return self.values[digest][0]
        node = Node((f"value-{self.run}", next(self.helpers)))
        self._queue(node, DataNode(node.key, given.stored() if type(given) is Pickled else given), PLAIN)
        if digest:
            self.values[digest] = (node, given.nbytes)
            self.cached += given.nbytes
            # The last one stays, however large it is: the next call is likely to get it, too.
            while self.cached > CACHED_BYTES and len(self.values) > 1:
                self.cached -= self.values.popitem(last=False)[1][1]
        return node

    def help(self, function: Callable[..., Any], *arguments: Any, outputs: int = 1) -> Node:
        """A node of the engine's own, that is no task of the application."""
        node = Node((f"{function.__name__}-{self.run}", next(self.helpers)), outputs)
        node.inputs = tuple(argument for argument in arguments if isinstance(argument, Node))
        refs = [TaskRef(argument.key) if isinstance(argument, Node) else argument for argument in arguments]
        # The node goes before all tasks: somebody waits for it, and it takes no time.
        self._queue(node, Task(node.key, function, *refs), (100, (), ""))
        self.helping.append(node)
        return node

    def output(self, node: Node | None, index: int) -> Node:
        """The node of one output; the others of that task need not travel with it."""
        if node is None:
            raise PyCOMPSsException("the data were deleted")
        if node.outputs <= 1 or index < 0:
            return node
        if index not in node.picked:
            node.picked[index] = self.help(pick, node, index)
        return node.picked[index]

    # Sending nodes to the scheduler

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
            if len(layers) == 1 and PLAIN in layers:
                graph: Any = layers[PLAIN]
            else:
                graph = HighLevelGraph(
                    {
                        f"layer{place}": MaterializedLayer(tasks, annotations=_annotated(annotations))
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
                self.on_error(f"cannot send tasks to the scheduler: {error!r}")

    def release(self) -> None:
        """Let go of what the engine's nodes that have run had to read."""
        if not self.helping:
            return
        with self.lock:
            waiting = []
            for node in self.helping:
                if node.future is not None and node.future.done():
                    node.inputs = ()
                else:
                    waiting.append(node)
            self.helping = waiting

    def close(self) -> None:
        """End the flusher; what still waits stays unsent."""
        self.stopping = True
        self.wake.set()


def _annotated(annotations: Annotations) -> dict[str, Any]:
    """The annotations as Dask takes them."""
    priority, resources, address = annotations
    named: dict[str, Any] = {}
    if priority:
        named["priority"] = priority
    if resources:
        named["resources"] = dict(resources)
    if address:
        named["workers"] = [address]
        named["allow_other_workers"] = True
    return named
