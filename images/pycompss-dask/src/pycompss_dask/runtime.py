"""The master: what the main program asks for, on top of the graph, the data and the progress of its tasks."""

from __future__ import annotations

import contextlib
import itertools
import os
import pickle
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import distributed
from distributed import Client
from distributed.client import FutureCancelledError

from compss_telemetry.sink import Sink

from . import context
from .arguments import Arguments, seen
from .data import Datum, Future, Node
from .definition import Definition
from .description import unpack
from .errors import COMPSsException, PyCOMPSsException, TaskFailed
from .graph import Graph
from .ledger import Ledger, begin, drain, offer, wake
from .progress import Progress
from .report import Report
from .resources import NO_UNIT, undeclared
from .results import Results
from .wire import MISSING, Call, Outcome, load
from .worker import Cancellation, Host, Offer

PATIENCE = 5.0
IO_PRIORITY = 1000  # an I/O task is the next that starts: it takes nothing from the others
BLOCKED_TIMEOUT = 45.0  # seconds after which a task that no worker can run ends the application


class Runtime:
    """One run of an application; what fails for good raises TaskFailed, what is used wrongly PyCOMPSsException."""

    def __init__(
        self,
        client: Client,
        *,
        results: Results | None = None,
        sink: Sink | None = None,
        host: Host | None = None,
        on_fatal: Callable[[str], None] | None = None,
        expected: int = 0,
        blocked_timeout: float = BLOCKED_TIMEOUT,
    ) -> None:
        #: The connection to the scheduler.
        self.client = client
        #: The results folder.
        self.results = results or Results(None)
        #: Where events go.
        self.sink = sink or Sink()
        #: What workers get.
        self.host = host or Host()
        #: Called once, in the thread that notices, with the reason why the application cannot go on.
        self.on_fatal = on_fatal
        #: Workers that are to come: until they have, a task that none can run waits for them.
        self.expected = expected
        #: Seconds that it waits then.
        self.blocked_timeout = blocked_timeout
        #: Tasks that the user was told of, as no worker can run them.
        self.blocked: set[int] = set()
        #: Properties that workers offer which declare nothing of their kind.
        self.offered: set[str] = set()
        #: Tells this run's keys and plugins from those of others on the same scheduler.
        self.run = uuid.uuid4().hex[:8]
        #: Notified whenever records of tasks have come.
        self.changed = threading.Condition()
        #: Held while the end of a task is noted.
        self.endings = threading.RLock()
        #: Numbers of tasks, from 1 in the order of their calls.
        self.numbers = itertools.count(1)
        #: Numbers of the messages that cancel tasks.
        self.cancellations = itertools.count(1)
        self.progress = Progress()
        self.report = Report(self.results, self.sink)
        self.graph = Graph(client, self.run, self._fail)
        self.arguments = Arguments(self.graph, self.progress.settled)
        #: Set at the end of the run, for good.
        self.stopping = False
        client.register_plugin(Ledger())
        client.run_on_scheduler(begin)
        self.host.run = self.run
        client.register_plugin(self.host)
        # The workers that are there are known before the first call, as replicated tasks need them.
        self._received(client.run_on_scheduler(drain, 0.0))
        self.listener = threading.Thread(target=self._listener, name="compss-listener", daemon=True)
        self.listener.start()

    @property
    def main(self) -> tuple[str, str] | None:
        """Name of the script's module, and its path among the sources; none where tasks are found by import alone."""
        return self.host.main

    @property
    def pending(self) -> dict[int, Node]:
        """Tasks that have not ended, by number."""
        return self.progress.pending

    @property
    def ended(self) -> int:
        """How many tasks have ended."""
        return self.progress.ended

    @property
    def fatal(self) -> str | None:
        """Why the application cannot go on."""
        return self.progress.fatal

    @property
    def open_groups(self) -> list[str]:
        """Names of the groups that a task called now belongs to."""
        return self.progress.open_groups

    @property
    def workers(self) -> dict[str, tuple[str, int]]:
        """Name and computing units of each worker that is there, by address."""
        return self.progress.workers

    # Submitting calls

    def call(self, definition: Definition, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Submit one call of a task. Returns its values, as futures."""
        self.progress.check()
        override = kwargs.pop("returns", None) if "returns" not in definition.names else None
        bound = definition.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        if definition.reduces and definition.chunk_size > 1:
            self._reduce(definition, bound)
        with self.graph.lock:
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
                with self.graph.lock:
                    reduced.append(self._submit(definition, {**bound.arguments, names[0]: chunk}, None))
            values = reduced
        bound.arguments[names[0]] = values

    def _submit(self, definition: Definition, arguments: dict[str, Any], override: Any) -> Any:
        building = self.arguments.take(definition, arguments)
        count, types = definition.returns(override, arguments)
        units, resources = definition.needs(arguments)
        options: dict[str, Any] = {}
        if definition.on_failure == "IGNORE" and definition.defaults:
            positions = {place: (name, is_file) for place, (_, name, is_file) in enumerate(building.outputs)}
            options["defaults"] = {**definition.defaults, "#outputs": positions}
        if definition.binary is not None:
            options["binary"] = definition.binary
        if definition.numba is not None:
            options["numba"] = definition.numba
        options.update(definition.around)
        if "binary" in options or definition.around:
            options["names"] = building.names
        call = Call(
            task=0,
            name=definition.name,
            function=definition.reference(),
            on_failure=definition.on_failure,
            time_out=definition.time_out,
            units=units,
            groups=tuple(self.open_groups),
            before=tuple(building.before),
            returns=count,
            options=options,
            body=pickle.dumps((building.positional, building.named), protocol=5),
        )
        self._offer(resources)
        priority = definition.priority
        if units == 0:
            priority += IO_PRIORITY
            resources = {**resources, NO_UNIT: 1.0}
        elif units > 1:
            resources = {**resources, "units": float(units)}
        outputs = len(building.outputs)
        addresses = list(self.workers) if definition.replicated and len(self.workers) > 1 else [""]
        nodes = []
        for address in addresses:
            call = call._replace(task=next(self.numbers))
            node = self.graph.node(call, building.nodes, outputs + count)
            self.progress.submitted(node)
            self.results.submitted(call.task, call.name, building.reads, call.groups)
            self.graph.queue(node, call, priority, resources, address)
            nodes.append(node)
        node = nodes[0] if len(nodes) == 1 else self.graph.together(nodes, outputs + count)
        self.arguments.written(building, node, definition.name)
        futures = [
            self.arguments.returned(definition.name, kind, node, outputs + place) for place, kind in enumerate(types)
        ]
        if count == 0:
            return None
        return futures[0] if count == 1 and not isinstance(definition.options["returns"], (list, tuple)) else futures

    def _offer(self, resources: Iterable[str]) -> None:
        """Have workers that say nothing of a property take tasks that ask for it."""
        for resource in undeclared(resources, ()):
            if resource not in self.offered:
                self.offered.add(resource)
                self.client.register_plugin(Offer(resource))
                self.client.run_on_scheduler(offer, resource)

    # Records that come from the scheduler

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
        cancel: set[int] = set()
        for record in records:
            if "task" in record:
                cancel |= self._ended(record)
            elif "started" in record:
                self.report.started(record)
            elif "joined" in record:
                self.workers[record["address"]] = (record["joined"], record["units"])
                self.report.worker(record["joined"], "joined", record["units"], record["time"])
            elif "left" in record:
                self.workers.pop(record["address"], None)
                self.report.worker(record["left"], "left", 0, record["time"])
            elif self.run not in record["key"]:
                continue
            elif "blocked" in record:
                self._blocked(record)
            elif reason := self.progress.erred(record["erred"], record["message"]):
                self._fail(reason)
        self._cancel(cancel)
        self.graph.release()
        self.report.send(self.progress.totals())
        with self.changed:
            self.changed.notify_all()

    def _blocked(self, record: dict[str, Any]) -> None:
        """Tell of a task that no worker can run, once; after a while the application ends."""
        node = self.pending.get(record["blocked"])
        if node is None:
            return
        message = f"task {node.number} ({node.name}) asks for what no worker has: {'; '.join(record['lacking'])}"
        if node.number not in self.blocked:
            self.blocked.add(node.number)
            self.results.log("WARN", message)
            print(f"[ERRMGR]  -  WARNING: {message}", file=sys.stderr, flush=True)
        if record["seconds"] > self.blocked_timeout and len(self.workers) >= self.expected:
            self._fail(message)

    def _ended(self, record: dict[str, Any]) -> set[int]:
        """Note the end of a task. Returns the numbers of the tasks to cancel for it."""
        with self.endings:
            ending = self.progress.ending(record)
            if ending is None:
                return set()
            self.report.ended(record, ending.node)
            # The engine need not keep what the task has read.
            ending.node.inputs = ()
        if ending.fatal:
            self._fail(ending.fatal)
        return ending.cancel

    def _abandon(self) -> None:
        """End what is pending here, as nobody will tell of it any more: each task has an end."""
        with self.endings:
            for number in list(self.pending):
                now = time.time()
                self._ended({"task": number, "state": "CANCELED", "worker": "", "begin": now, "end": now, "slot": 0})
            self.report.send(self.progress.totals())

    def _cancel(self, numbers: Iterable[int]) -> None:
        if numbers := self.progress.still(numbers):
            self.client.register_plugin(Cancellation(self.run, next(self.cancellations), numbers))

    def _fail(self, message: str) -> None:
        if self.progress.fail(message):
            self.results.log("ERROR", message)
            self._abandon()
            if self.on_fatal is not None:
                self.on_fatal(message)
        with self.changed:
            self.changed.notify_all()

    # What the main program asks for

    def _wait(self, done: Callable[[], bool]) -> None:
        self.graph.flush()
        with self.changed:
            while not done():
                self.progress.check()
                self.changed.wait(1.0)
        self.progress.check()
        self.progress.settle()

    def barrier(self) -> None:
        """Wait for all tasks; raises the COMPSsException of one outside of groups."""
        self._wait(lambda: not self.pending)
        self.results.synchronised("barrier", [])
        self.progress.waited()

    def open_group(self, name: str) -> None:
        """Tasks called from here on belong to the group, too."""
        with self.graph.lock:
            self.progress.open_group(name)

    def close_group(self, name: str) -> None:
        """Tasks called from here on do not belong to the group."""
        with self.graph.lock:
            self.progress.close_group(name)

    def barrier_group(self, name: str) -> None:
        """Wait for the tasks of a group; raises their COMPSsException."""
        group = self.progress.group(name)
        self._wait(lambda: not group.pending)
        self.results.synchronised("barrier", [])
        self.progress.waited(group)

    def cancel_group(self, name: str) -> None:
        """Cancel the tasks of a group that have not ended, and wait until they have."""
        group = self.progress.group(name)
        self.graph.flush()
        self._cancel(set(group.pending))
        self._wait(lambda: not group.pending)
        self.progress.waited(group)

    def wait_on(self, *values: Any, mode: str = "rw", in_place: bool = False) -> Any:
        """The values of futures and of objects that tasks change, in containers too.

        `in_place`: the main program's objects get their values themselves, where they can.
        """
        if mode not in ("r", "rw", "w"):
            raise PyCOMPSsException(f"compss_wait_on: mode is {mode!r}, expected 'r' or 'rw'")
        self.progress.check()
        with self.graph.lock:
            wanted = self.arguments.wanted(values)
        stored = self._gather([node for _, _, node in wanted.values()])
        values_by_id = {key: self._value(value) for key, value in zip(wanted, stored, strict=True)}
        for key, (value, datum, _) in wanted.items():
            if in_place:
                values_by_id[key] = self.arguments.take_over(value, datum, values_by_id[key])
            elif mode != "r":
                self.arguments.synchronised(value, datum)
        if wanted:
            self.results.synchronised("sync", [datum.node.number for _, datum, _ in wanted.values() if datum.node])
        result = [self.arguments.filled(value, values_by_id) for value in values]
        return result[0] if len(result) == 1 else result

    def awaits(self, value: Any) -> bool:
        """Whether `value` stands for what tasks write, or holds something that does."""
        with self.graph.lock:
            return bool(self.arguments.wanted((value,)))

    def _gather(self, nodes: list[Node]) -> list[Any]:
        """Wait for nodes. Returns what is stored for each."""
        self.graph.flush()
        futures = [node.future for node in nodes]
        patience = 1.0
        while True:
            try:
                with self.client.as_current():
                    distributed.wait(futures, timeout=patience)
                break
            except (TimeoutError, distributed.TimeoutError):
                self.progress.check()
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
            self.progress.check()
            self.progress.settle()
        return list(stored)

    def _value(self, stored: Any) -> Any:
        """What the main program gets for a stored value."""
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

    # Files and objects of the main program

    def bring_home(self, path: str) -> None:
        """Write the last version of a file, if a task made one, to its place in the main program's file system."""
        path = os.path.abspath(path)  # noqa: PTH100
        with self.graph.lock:
            datum = self.arguments.files.get(path)
            if datum is None or datum.node is None:
                return
            self.arguments.merge(datum)
            if datum.seen is not None:
                return
            node = self.graph.output(datum.node, datum.index)
        content = self._value(self._gather([node])[0])
        if content is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            unpack(content, Path(path))
        datum.seen = seen(path)
        self.results.synchronised("sync", [datum.node.number])

    def open(self, path: str, mode: str) -> IO[Any]:
        """The file in its last version."""
        if not mode.startswith("w"):
            self.bring_home(path)
        if mode != "r":
            # From here on the main program's file is the last version.
            self.arguments.files.pop(os.path.abspath(path), None)  # noqa: PTH100
        return Path(path).open(mode)

    def file_exists(self, path: str) -> bool:
        """Whether the file is there, or a task makes it."""
        return Path(path).exists() or os.path.abspath(path) in self.arguments.files  # noqa: PTH100

    def delete_file(self, path: str) -> bool:
        """Forget and remove a file or folder. Returns whether there was one."""
        absolute = os.path.abspath(path)  # noqa: PTH100
        tracked = self.arguments.files.pop(absolute, None) is not None
        place = Path(absolute)
        if place.is_dir():
            shutil.rmtree(place)
            return True
        exists = place.exists()
        place.unlink(missing_ok=True)
        return tracked or exists

    def delete_object(self, value: Any) -> bool:
        """Forget an object or future. Returns whether tasks had written it."""
        if type(value) is Future:
            datum: Datum = value._datum
            tracked, datum.node = datum.node is not None, None
            return tracked
        return self.arguments.tracker.forget(value)

    def resources(self) -> int:
        """How many workers there are."""
        return len(self.workers)

    # Ending the run

    def stop(self, cancel: bool = False) -> None:
        """Wait for all tasks, bring the files home, write the results."""
        error: BaseException | None = None
        try:
            if cancel:
                self.graph.flush()
                self._cancel(list(self.pending))
                with self.changed:
                    self.changed.wait_for(lambda: not self.pending or self.fatal is not None, PATIENCE)
                self._abandon()
            else:
                try:
                    self.barrier()
                except COMPSsException as raised:
                    error = raised
                for path in list(self.arguments.files):
                    self.bring_home(path)
        finally:
            self.stopping = True
            self.graph.close()
            with contextlib.suppress(Exception):  # where the scheduler is gone, so is the listener
                self.client.run_on_scheduler(wake)
            for thread in (self.graph.thread, self.listener):
                if thread is not threading.current_thread():
                    thread.join(timeout=PATIENCE + 5)
            self.report.close("failed" if self.fatal or error else "ended")
            self.arguments.forget()
        if error is not None:
            raise error


def start(runtime: Runtime) -> None:
    """From here on task calls of the main program go to `runtime`."""
    if context.role != "none":
        raise PyCOMPSsException(f"the runtime cannot be started in the role {context.role}")
    context.runtime = runtime
    context.role = "master"


def stop(cancel: bool = False) -> None:
    """End the runtime where there is one; `cancel` ends its tasks instead of waiting for them."""
    runtime = context.runtime
    if not isinstance(runtime, Runtime):
        return
    try:
        runtime.stop(cancel)
    finally:
        context.runtime = None
        context.role = "none"
