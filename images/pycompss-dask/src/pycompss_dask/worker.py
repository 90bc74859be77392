"""The worker's side: takes calls from Dask, runs them in executors, reports what happened.

`execute` is the one function that Dask runs for a task. Its record (when, where, what the task printed)
travels as metadata of the same message that tells the scheduler of the result, so that no task is
reported without its result, and none twice.
"""

from __future__ import annotations

import contextlib
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from dask.sizeof import sizeof
from dask.typing import Key
from distributed import Reschedule, Worker, get_worker, secede
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.protocol.serialize import dask_deserialize, dask_serialize
from distributed.utils import sync
from tornado.ioloop import PeriodicCallback

from . import memory, wire
from .channel import Channel
from .description import PREPARE
from .resources import LARGE, NO_UNIT, undeclared
from .storage import Storage
from .wire import MISSING, Blob, Call, Outcome, Outputs

MAX_OUTPUT = 1 << 20  # bytes of a task's printed output that travel to the master
POOL = 128 << 20  # bytes of shared memory kept for reuse, and no more than a part of the worker's memory
POOL_SHARE = 1 / 16
START_DELAY = 0.2  # a task that ends sooner is reported once, at its end
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
AGAIN = object()  # in place of stored values: the task is to be tried again
# How an attempt ended, and how the task is reported.
STATES = {
    "done": "COMPLETED",
    "ignored": "IGNORED",
    "raised": "RAISED",
    "error": "FAILED",
    "cancelled": "CANCELED",
}


@dask_serialize.register(Blob)
def _serialize(blob: Blob) -> tuple[dict[str, Any], list[Any]]:
    return {"sizes": blob.sizes}, [blob.head, blob.body]


@dask_deserialize.register(Blob)
def _deserialize(header: dict[str, Any], frames: list[Any]) -> Blob:
    return Blob(bytes(frames[0]), tuple(header["sizes"]), frames[1] if len(frames) > 1 else b"")


@sizeof.register(Blob)
def _sizeof(blob: Blob) -> int:
    return blob.nbytes


class Gone(Exception):
    """The executor ended before its task did."""


class OutOfMemory(Gone):
    """The kernel ended the executor, as the worker's memory ran out."""


class Kills:
    """Tells executors that the kernel ended for want of memory from those that somebody else did."""

    def __init__(self) -> None:
        #: How many of the kernel's kills have been put down to executors.
        self.counted = memory.kills()
        #: Held while one is.
        self.lock = threading.Lock()

    def claim(self, status: int) -> bool:
        """Whether an executor that ended with this status is one of the kernel's kills."""
        with self.lock:
            if status != -signal.SIGKILL or memory.kills() <= self.counted:
                return False
            self.counted += 1
            return True


class Slot:
    """One executor, and the place for it in the trace."""

    def __init__(self, number: int, folder: Path, configuration: Any, kills: Kills) -> None:
        #: From 0; the row in the trace.
        self.number = number
        #: Working folder of the executor; its tasks' output lies there.
        self.folder = folder / f"executor{number}"
        #: What the executor is told first: the script, the folders to import from, the storage,
        #: the application's arguments.
        self.configuration = configuration
        #: The executor; none after it ended, until the next task.
        self.process: subprocess.Popen[bytes] | None = None
        #: The process that has imported all that a task with a time_out needs, and that task's function.
        self.prepared: tuple[int, Any] | None = None
        #: The kernel's kills on this worker.
        self.kills = kills
        #: Whether the task that runs now was cancelled.
        self.cancelled = False
        #: Set when the worker ends, for good.
        self.closed = False

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        here, theirs = socket.socketpair()
        environment = dict(os.environ)
        # Numeric libraries must not start a thread per core of the machine, but one per computing unit of the task:
        # one, until a task has more. What the worker's environment says is left as it is.
        ours = [name for name in THREADS if name not in environment]
        environment.update(dict.fromkeys(ours, "1"), COMPSS_THREADS=" ".join(ours))
        source = str(Path(__file__).parent.parent)
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, (source, environment.get("PYTHONPATH"))))
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pycompss_dask.executor", str(theirs.fileno()), str(self.folder)],
                pass_fds=[theirs.fileno()],
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        self.channel = Channel(here)
        self.channel.send(self.configuration)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.channel.close()
            self.process = None

    def run(self, call: Any, dependencies: Any, time_out: float, lent: tuple[int, ...] = ()) -> tuple[Any, list[Any]]:
        if self.closed:
            raise Reschedule
        if self.process is None:
            self.start()
        assert self.process is not None  # noqa: S101
        try:
            if time_out and self.prepared != (self.process.pid, call[0]):
                self.channel.socket.settimeout(None)
                self.channel.send((PREPARE, call[0]))
                self.channel.receive()
                self.prepared = (self.process.pid, call[0])
            self.channel.socket.settimeout(time_out or None)
            self.channel.send(call, dependencies, lent)
            return self.channel.receive()
        except TimeoutError:
            self.stop()
            raise Gone(f"the task ran longer than its time_out of {time_out:g} s and was ended") from None
        except (EOFError, OSError):
            process = self.process
            status = process.wait() if process else 0
            self.stop()
            if self.kills.claim(status):
                raise OutOfMemory from None
            raise Gone(f"the process of the task ended with status {status}") from None

    def printed(self, sizes: tuple[int, ...] | None) -> tuple[bytes, bytes]:
        """What the task wrote to its standard output and error."""
        if sizes == (0, 0):
            return b"", b""
        texts = []
        for name in ("out", "err"):
            path = self.folder / name
            if not path.exists():
                texts.append(b"")
                continue
            with path.open("rb") as file:
                data = file.read(MAX_OUTPUT)
                if file.read(1):
                    data += f"\n[{path.stat().st_size} bytes; what follows was left out]\n".encode()
            texts.append(data)
        return texts[0], texts[1]


class Units:
    """Computing units, or executors for I/O, of the worker: given out in the order in which they are asked for."""

    def __init__(self, total: int) -> None:
        #: How many there are, and how many are not given out.
        self.total = self.free = total
        #: Who waits, in the order of asking.
        self.waiting: list[object] = []
        #: Notified when somebody's turn may have come.
        self.changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, count: int) -> Iterator[None]:
        count = min(count, self.total)
        turn = object()
        with self.changed:
            if self.waiting or self.free < count:
                self.waiting.append(turn)
                self.changed.wait_for(lambda: self.waiting[0] is turn and self.free >= count)
                del self.waiting[0]
            self.free -= count
            if self.waiting:
                self.changed.notify_all()
        try:
            yield
        finally:
            with self.changed:
                self.free += count
                if self.waiting:
                    self.changed.notify_all()


class Host(WorkerPlugin):
    """What the engine keeps in a worker; the scheduler gives it to each worker that comes, late ones too."""

    name = "compss"

    def __init__(
        self,
        main: tuple[str, str] | None = None,
        paths: Iterable[str] | None = None,
        sources: dict[str, bytes] | None = None,
        source_paths: list[str] | None = None,
        storage: Storage | None = None,
        arguments: Iterable[str] = (),
        io_executors: int = 0,
    ) -> None:
        #: The run that it serves, which gives itself this name.
        self.run = ""
        #: Name of the script's module, and its path among the sources.
        self.main = main
        #: Folders of this machine to import from.
        self.paths = list(sys.path if paths is None else paths)
        #: Files of the application, by path below the folder that they get.
        self.sources = sources or {}
        #: Folders among the sources to import from; they come before `paths`.
        self.source_paths = source_paths or []
        #: Where persistent objects are.
        self.storage = storage
        #: The application's own arguments.
        self.arguments = list(arguments)
        #: Tasks without a computing unit that run at a time; 0 stands for as many as there are units.
        self.io_executors = io_executors

    def setup(self, worker: Worker) -> None:
        self.worker = worker
        #: The worker's name as users know it.
        self.label = str(worker.name).partition("#")[0]
        self.folder = Path(tempfile.mkdtemp(prefix=f"compss-{self.run}-"))
        main, paths = self.main, self.paths.copy()
        if self.sources:
            application = self.folder / "application"
            for name, content in self.sources.items():
                path = application / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            paths[:0] = [str(application / path) for path in self.source_paths]
            if main is not None:
                main = (main[0], str(application / main[1]))
        #: What the worker declared when it came, before anything was offered for it.
        self.declared: list[str] = getattr(worker, "compss_declared", list(worker.state.total_resources))
        worker.compss_declared = self.declared  # type: ignore[attr-defined]
        units = worker.state.nthreads
        self.units = Units(units)
        #: What tasks that take no computing unit get instead.
        self.io = Units(self.io_executors or units)
        #: Those of them that are about to start: for each Dask has a thread more.
        self.starting: set[Key] = set()
        #: Executors that run no task; the last one used comes first.
        self.slots: queue.LifoQueue[Slot] = queue.LifoQueue()
        kills = Kills()
        #: All executors; those beyond the units start when they are needed.
        configuration = (main, paths, self.storage, self.arguments)
        self.all = [Slot(number, self.folder, configuration, kills) for number in range(units + self.io.total)]
        for slot in reversed(self.all):
            if slot.number < units:
                slot.start()
            self.slots.put(slot)
        #: Numbers of tasks that must not run any more.
        self.cancelled: set[int] = set()
        #: Bytes of the outputs of the last task of each name: the next one's are likely to be as large.
        self.sizes: dict[str, tuple[int, ...]] = {}
        wire.recycles = True
        wire.pool.limit = min(POOL, int(memory.limit() * POOL_SHARE))
        #: By the number of the task: its executor, its begin in seconds since 1970, its name.
        self.running: dict[int, tuple[Slot, float, str]] = {}
        #: Those of `running` that the master was told of.
        self.announced: set[int] = set()
        worker.compss = self  # type: ignore[attr-defined]
        self.announcer = PeriodicCallback(self.announce, START_DELAY * 1000)
        self.announcer.start()

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002
        self.announcer.stop()
        self.starting.clear()
        self._threads()
        for slot in self.all:
            slot.closed = True
            slot.stop()
        # The next run's values have other sizes.
        wire.pool.limit = 0
        wire.pool.clear()
        shutil.rmtree(self.folder, ignore_errors=True)

    def transition(self, key: Key, start: str, finish: str, **_: Any) -> None:
        """A task that has its value needs those before it no more; Dask would remember them to the end of the chain.

        Dask starts no more tasks than it has threads, whatever they ask for: an I/O task brings one when it is ready,
        and takes it along when it starts.
        """
        if finish == "memory":
            task = self.worker.state.tasks[key]
            for dependency in task.dependencies:
                dependency.dependents.discard(task)
            task.dependencies.clear()
        elif finish == "ready" and NO_UNIT in self.worker.state.tasks[key].resource_restrictions:
            # The next transition makes it "constrained", and Dask looks then for tasks to start.
            self.starting.add(key)
            self._threads()
        elif start == "constrained" and key in self.starting:
            self.starting.remove(key)
            self._threads()

    def _threads(self) -> None:
        self.worker.state.nthreads = self.units.total + len(self.starting)

    def announce(self) -> None:
        """Tell of the tasks that have been running for a while; those that ended tell of themselves."""
        running = dict(self.running)
        self.announced &= running.keys()
        now = time.time()
        started = [
            (task, name, begin, slot.number)
            for task, (slot, begin, name) in running.items()
            if task not in self.announced and now - begin >= START_DELAY / 2
        ]
        if started:
            self.announced.update(task for task, *_ in started)
            # Dask puts the worker's address under the key "worker".
            self.worker.log_event("compss", {"label": self.label, "started": started})

    def cancel(self, tasks: list[int]) -> None:
        self.cancelled.update(tasks)
        for task in tasks:
            if task in self.running:
                slot = self.running[task][0]
                slot.cancelled = True
                if slot.process is not None:
                    slot.process.kill()


class Offer(WorkerPlugin):
    """Has every worker that declares nothing of its kind offer a property; the scheduler's side is in the ledger."""

    def __init__(self, resource: str) -> None:
        self.name = f"compss-offer-{resource}"
        self.resource = resource

    def setup(self, worker: Worker) -> None:
        if undeclared([self.resource], worker.compss.declared):  # type: ignore[attr-defined]
            worker.state.total_resources[self.resource] = LARGE
            worker.state.available_resources.setdefault(self.resource, LARGE)


class Cancellation(WorkerPlugin):
    """Tells every worker, and those that come later, of tasks that must not run."""

    def __init__(self, run: str, number: int, tasks: list[int]) -> None:
        self.name = f"compss-{run}-cancel-{number}"
        self.run = run
        self.tasks = tasks

    def setup(self, worker: Worker) -> None:
        if worker.compss.run == self.run:  # type: ignore[attr-defined]
            worker.compss.cancel(self.tasks)  # type: ignore[attr-defined]


def execute(call: Call, *dependencies: Any) -> Any:
    """Run one task; what it returns is stored by Dask under the task's key."""
    worker = get_worker()
    host: Host = worker.compss  # type: ignore[attr-defined]
    key = worker.get_current_task()
    if not call.units:
        # Dask counts the task no more: those that compute need not wait for it.
        secede()
    execution = Execution(call, dependencies, host, key)
    stored = execution.stored()
    worker.state.tasks[key].metadata = {"compss": execution.record}
    return stored


class Attempt(NamedTuple):
    """How one attempt at a task went."""

    #: `done`, `ignored`, `raised`, `error`, or `cancelled`.
    state: str
    #: Seconds since 1970.
    begin: float
    end: float
    #: Why it did not go well.
    message: str
    #: The stored values, where there are any.
    outputs: list[Any]
    #: What the task wrote to its standard output and error.
    out: bytes
    err: bytes
    #: Whether another attempt would fail as this one did.
    hopeless: bool = False


class Execution:
    """One task on one worker: whether it may run, its attempts, and what they come to."""

    def __init__(self, call: Call, dependencies: tuple[Any, ...], host: Host, key: Any) -> None:
        #: What to run.
        self.call = call
        #: The stored values that it reads; those of tasks that raised become usable ones by `admit`.
        self.dependencies = dependencies
        #: The worker.
        self.host = host
        #: Dask's name for the task.
        self.key = key
        #: What the master is told when the task has ended.
        self.record: dict[str, Any] = {"task": call.task, "worker": host.label, "begin": 0.0, "end": 0.0, "slot": 0}
        #: Attempts on this worker that failed: begin, end, message, output and error.
        self.failures: list[tuple[float, float, str, bytes, bytes]] = []

    def stored(self) -> Any:
        """The values of the task, or the Outcome in their place."""
        refused = self.admit()
        if refused is not None:
            return refused
        available = self.host.units if self.call.units else self.host.io
        with available.taken(max(self.call.units, 1)):
            while self.call.task not in self.host.cancelled:
                stored = self.judge(self.run())
                if stored is not AGAIN:
                    return stored
        return self._never_ran("its group was cancelled")

    def admit(self) -> Outcome | None:
        """The outcome of a task that must not run, as one that it depends on gave no value."""
        usable = []
        for value in self.dependencies:
            if type(value) is Outcome:
                outside = value.kind == "raised" and not set(value.groups) & set(self.call.groups)
                if not outside or value.value is MISSING:
                    return self._never_ran(f"cancelled with task {value.task}")
                value = value.value
            usable.append(value)
        self.dependencies = tuple(usable)
        return None

    def run(self) -> Attempt:
        """Make one attempt."""
        call, host = self.call, self.host
        message = (
            call.function,
            call.body,
            len(call.before),
            call.returns,
            call.on_failure == "IGNORE",
            {"units": call.units, **call.options},
        )
        slot = host.slots.get()
        slot.cancelled = False
        began = time.time()
        host.running[call.task] = (slot, began, call.name)
        outputs: list[Any] = []
        hopeless = False
        try:
            (state, begin, end, text, sizes), outputs = slot.run(
                message, self.dependencies, call.time_out, host.sizes.get(call.name, ())
            )
            host.sizes[call.name] = tuple(len(value.body) for value in outputs if type(value) is Blob and value.sizes)
        except OutOfMemory:
            text = (
                f"killed by the memory limit of {memory.limit() / 2**20:.0f} MiB (worker {host.label}):"
                " give compss_worker_memory more"
            )
            state, begin, end, sizes = "error", began, time.time(), None
            # A task that had the worker for itself would run out of memory again.
            hopeless = len(host.running) == 1
        except Gone as error:
            state, begin, end, text, sizes = "error", began, time.time(), str(error), None
        finally:
            host.running.pop(call.task, None)
            self.record["slot"] = slot.number
            out, err = slot.printed(sizes) if not slot.cancelled else (b"", b"")
            host.slots.put(slot)
        if slot.cancelled or call.task in host.cancelled:
            state = "cancelled"
        elif state == "error" and not sizes:
            # The process could not tell by itself.
            err += f"{text}\n".encode()
        return Attempt(state, begin, end, text, outputs, out, err, hopeless)

    def judge(self, attempt: Attempt) -> Any:
        """What is stored after this attempt, or AGAIN."""
        self.record.update(begin=attempt.begin, end=attempt.end, out=attempt.out, err=attempt.err)
        self.record["state"] = STATES[attempt.state]
        if attempt.state == "cancelled":
            return self._outcome("cancelled", "its group was cancelled")
        if attempt.state == "done":
            if self.failures:
                self.record["failures"] = self.failures
            return _values(attempt.outputs)
        self.record["message"] = attempt.message
        if attempt.state == "ignored":
            return _values(attempt.outputs)
        if attempt.state == "raised":
            self.record["failures"] = self.failures
            return Outcome("raised", self.call.task, tuple(attempt.outputs), self.call.groups, attempt.message)
        return self._failed(attempt)

    def _failed(self, attempt: Attempt) -> Any:
        """What is stored after an attempt that failed, as on_failure says, or AGAIN."""
        call = self.call
        if call.on_failure == "IGNORE":
            # The executor itself is gone, and with it what the task had done to its parameters.
            self.record["state"] = "IGNORED"
            returns = call.options.get("defaults", {}).get("returns") if call.returns == 1 else None
            outputs = [self.dependencies[before] if before >= 0 else None for before in call.before]
            return _values([*outputs, *[returns] * call.returns])
        if call.on_failure == "CANCEL_SUCCESSORS":
            self.record["fatal"] = False
            return self._outcome("cancelled", attempt.message)
        if call.on_failure == "RETRY":
            # The task is tried twice here, then twice where the scheduler sends it next.
            self.failures.append((attempt.begin, attempt.end, attempt.message, attempt.out, attempt.err))
            if not attempt.hopeless and len(self.failures) < 2:
                return AGAIN
            if not attempt.hopeless and self._elsewhere() == "again":
                raise Reschedule
        self.record["fatal"] = True
        return self._outcome("failed", attempt.message)

    def _elsewhere(self) -> str:
        """Tell the scheduler of the failures; `again` where it will have the task run once more."""
        return sync(  # type: ignore[no-any-return]
            self.host.worker.loop,
            self.host.worker.scheduler.compss_failed,
            key=self.key,
            worker=self.host.worker.address,
            task=self.call.task,
            failures=self.failures,
        )

    def _never_ran(self, message: str) -> Outcome:
        self.record["state"] = "CANCELED"
        self.record["begin"] = self.record["end"] = time.time()
        return self._outcome("cancelled", message)

    def _outcome(self, kind: str, message: str) -> Outcome:
        """The outcome of a task that did not run to its end: its INOUT data stay as they were before it."""
        values = []
        for before in self.call.before:
            value = self.dependencies[before] if before >= 0 else MISSING
            values.append(value.value if type(value) is Outcome else value)
        return Outcome(kind, self.call.task, (*values, *[MISSING] * self.call.returns), self.call.groups, message)


def _values(values: list[Any]) -> Any:
    """What is stored for the values of a task."""
    if len(values) == 1:
        return values[0]
    return Outputs(values) if values else None
