"""What is known of the application: events go in, numbers come out. Nothing here talks to anybody.

Everything is bounded: names beyond the limit are one more name, `other`; of single tasks those that run are kept, and
what record.py says. All of it can be written as JSON and read back, so that a restarted monitor goes on where it was.
"""

from __future__ import annotations

import json
import math
import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any

from .record import MAX_SPANS, Record, Single, Span
from .settings import Settings
from .state_xml import Snapshot

OTHER = "other"
UNNAMED = "unnamed"  # tasks of applications that report only their times
MAX_RUNS = 10_000  # writers whose last event is remembered
MAX_RUNNING = 100_000
TELEMETRY = "compss_telemetry in the application's tasks checks each (docs/applications.md)"
ATTEMPTS = ("NEW", "RESUBMITTED", "RESCHEDULED", "RESCHEDULED_RESUBMITTED")
END_STATES = ("COMPLETED", "FAILED", "CANCELED", "IGNORED")


class RefusedError(Exception):
    """An event that cannot be understood."""


class NotTold(Exception):  # noqa: N818 - it is an answer
    """What nobody tells of the tasks of this application."""


@dataclass
class Durations:
    """Durations of the executions of one task on one worker; `counts` has one more than there are bounds."""

    counts: list[int]
    total: float = 0.0

    def add(self, bounds: tuple[float, ...], seconds: float, number: int = 1) -> None:
        self.counts[bisect_left(bounds, seconds)] += number
        self.total += seconds * number

    @property
    def count(self) -> int:
        return sum(self.counts)


@dataclass
class Worker:
    up: bool
    units: int
    architecture: str = ""


@dataclass
class Tasks:
    """Tasks of one name that have ended."""

    completed: int = 0
    failed: int = 0


@dataclass
class Running:
    name: str
    worker: str
    units: int
    since: float = 0.0


@dataclass
class Executed:
    """What COMPSs' state file tells of the executions of one name."""

    count: int = 0
    spent: float = 0.0  # seconds, in all
    mean: float = 0.0  # seconds, of those that came last
    waiting: int = 0  # counted as executed before they are counted as completed


@dataclass
class Totals:
    """What it tells of all tasks."""

    completed: int = 0
    unnamed: int = 0  # completed, and not known under which name
    open: int = 0
    running: dict[str, int] = field(default_factory=dict)  # by worker


@dataclass
class Data:
    """All that is kept."""

    application_run: str = ""
    phase: str = "waiting"
    started: float = 0.0
    ended: float = 0.0
    seen: OrderedDict[str, int] = field(default_factory=OrderedDict)
    tasks: dict[str, Tasks] = field(default_factory=dict)
    pending: int = 0
    pending_names: dict[str, int] = field(default_factory=dict)
    unnamed_pending: bool = False  # there have been some; a series that was told must come back to 0
    running: dict[str, Running] = field(default_factory=dict)
    durations: dict[tuple[str, str], Durations] = field(default_factory=dict)
    resubmissions: dict[str, int] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    accepted: int = 0
    refused: int = 0
    missed: dict[str, int] = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)
    executed: dict[str, Executed] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    task_names: list[str] = field(default_factory=list)
    worker_names: list[str] = field(default_factory=list)


def text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise RefusedError(f"{name} is {value!r}, expected a name")
    return value


def number(event: dict[str, Any], name: str, default: float | None = None) -> float:
    value = event.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RefusedError(f"{name} is {value!r}, expected a number")
    return value


def count(event: dict[str, Any], name: str, default: int | None = None) -> int:
    value = number(event, name, default)
    if value < 0 or value != int(value):
        raise RefusedError(f"{name} is {value!r}, expected a count")
    return int(value)


def seconds(value: Any) -> float:
    """A duration: a number, or what it looks like."""
    try:
        duration = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise RefusedError(f"{str(value)[:50]!r} is no duration") from error
    if isinstance(value, bool) or not math.isfinite(duration) or duration < 0:
        raise RefusedError(f"{value!r} is no duration")
    return duration


class State:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.data = Data()
        self.record = Record()
        self.queue_length = 0
        self.lock = threading.Lock()
        self.last_refusal = ""

    # Taking events, times and the runtime's file

    def apply(self, entries: list[bytes]) -> None:
        """Take events as they came from the queue."""
        with self.lock:
            for entry in entries:
                try:
                    try:
                        event = json.loads(entry)
                    except ValueError as error:
                        raise RefusedError("it is no JSON") from error
                    if not isinstance(event, dict):
                        raise RefusedError("it is no object")
                    if self._event(event):
                        self.data.accepted += 1
                except RefusedError as error:
                    self._refuse(entry, error)
                except Exception as error:  # whatever one event is, the others are read
                    self._refuse(entry, RefusedError(f"{type(error).__name__}: {error}"))

    def _refuse(self, entry: Any, error: RefusedError) -> None:
        self.data.refused += 1
        if str(error) != self.last_refusal:
            # One line for each kind: a broken writer must not fill the log.
            self.last_refusal = str(error)
            print(f"refused the event {str(entry)[:200]}: {error}", flush=True)

    def _event(self, event: dict[str, Any]) -> bool:
        run, kind = event.get("run", ""), event.get("event")
        if not isinstance(run, str):
            raise RefusedError(f"run is {run!r}, expected a name")
        if run and self._repeated(run, count(event, "seq")):
            return False
        handler = self.HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise RefusedError(f"event is {kind!r}, expected one of {', '.join(self.HANDLERS)}")
        handler(self, run, event)
        return True

    def _repeated(self, run: str, seq: int) -> bool:
        """Whether the event was here before: its writer was not told that it had arrived, and sent it again."""
        seen = self.data.seen
        if seq <= seen.get(run, 0):
            return True
        seen[run] = seq
        seen.move_to_end(run)
        if len(seen) > MAX_RUNS:
            seen.popitem(last=False)
        return False

    def _run(self, run: str, event: dict[str, Any]) -> None:
        state = text(event, "state")
        data = self.data
        if state == "started":
            # The application starts anew, in the same pod: its tasks are other tasks.
            data.application_run, data.phase, data.started, data.ended = run, "running", number(event, "time"), 0.0
            data.tasks.clear()
            data.running.clear()
            data.pending, data.pending_names = 0, {}
            self.record = Record(begun=True)
        elif state in ("ended", "failed"):
            data.phase, data.ended = state, number(event, "time")
        else:
            raise RefusedError(f"state of the run is {state!r}, expected started, ended or failed")

    def _worker(self, run: str, event: dict[str, Any]) -> None:  # noqa: ARG002
        worker, state = text(event, "worker"), text(event, "state")
        if state not in ("joined", "left"):
            raise RefusedError(f"state of the worker is {state!r}, expected joined or left")
        name = self._name(worker)
        before = self.data.workers.get(name)
        units = count(event, "computing_units", 0)
        if state == "joined":
            self.data.workers[name] = Worker(True, units, self._architecture(worker))
        else:
            self.data.workers[name] = Worker(False, before.units if before else units, self._architecture(worker))
            # Its tasks wait for another one.
            self.data.running = {key: task for key, task in self.data.running.items() if task.worker != name}

    def _start(self, run: str, event: dict[str, Any]) -> None:
        if len(self.data.running) < MAX_RUNNING:
            task = self._task(text(event, "name"))
            worker = self._name(text(event, "worker"))
            units, since = count(event, "units", 1), number(event, "time", time.time())
            self.data.running[f"{run} {count(event, 'id')}"] = Running(task, worker, units, since)

    def _end(self, run: str, event: dict[str, Any]) -> None:
        state = text(event, "state")
        if state not in END_STATES:
            raise RefusedError(f"state of the task is {state!r}, expected one of {', '.join(END_STATES)}")
        attempt = event.get("attempt", "NEW")
        if attempt not in ATTEMPTS:
            raise RefusedError(f"attempt is {attempt!r}, expected one of {', '.join(ATTEMPTS)}")
        name, worker = text(event, "name"), text(event, "worker")
        identity, duration = count(event, "id"), seconds(event.get("duration"))
        stop = number(event, "time", time.time())
        data, task = self.data, self._task(name)
        data.running.pop(f"{run} {identity}", None)
        ended = data.tasks.setdefault(task, Tasks())
        if state == "COMPLETED":
            ended.completed += 1
        else:
            ended.failed += 1
        if again := ATTEMPTS.index(attempt):
            data.resubmissions[task] = data.resubmissions.get(task, 0) + again
        ran, told = state != "CANCELED", "completed" if state == "COMPLETED" else "failed"
        self.record.ended(Span(identity, task, self._name(worker) if ran else "", stop - duration, stop, told), ran)
        if ran:
            self._observe(task, self._name(worker), duration)
            if name in self.settings.deadlines or "deadline" in event or task in data.missed:
                data.checked[task] = data.checked.get(task, 0) + 1

    def _deadline(self, run: str, event: dict[str, Any]) -> None:  # noqa: ARG002
        name = text(event, "name")
        seconds(event.get("duration"))
        data, task = self.data, self._task(name)
        data.missed[task] = data.missed.get(task, 0) + 1
        # A deadline that only the script knows shows first with its first miss.
        data.checked[task] = max(data.checked.get(task, 0), data.missed[task])

    def _checked(self, run: str, event: dict[str, Any]) -> None:  # noqa: ARG002
        name, worker = text(event, "name"), text(event, "worker")
        duration, stop = seconds(event.get("duration")), number(event, "time", time.time())
        task = self._task(name)
        self.data.checked[task] = self.data.checked.get(task, 0) + 1
        # Its number is the engine's, which does not tell it.
        self.record.ended(Span(0, task, self._name(worker), stop - duration, stop, "completed"))

    def _graph(self, run: str, event: dict[str, Any]) -> None:  # noqa: ARG002
        called, tasks, edges = count(event, "called"), event.get("tasks"), event.get("edges")
        if not isinstance(tasks, list) or not isinstance(edges, list):
            raise RefusedError(f"tasks and edges are {tasks!r} and {edges!r}, expected lists")
        singles = {
            count({"id": each}, "id"): Single(self._task(text({"name": name}, "name")), [*map(int, reads)])
            for each, name, reads in tasks
        }
        between: dict[tuple[str, str], int] = {}
        for source, target, times in edges:
            edge = self._task(text({"from": source}, "from")), self._task(text({"to": target}, "to"))
            between[edge] = between.get(edge, 0) + count({"count": times}, "count")
        self.record.take(called, singles, between)

    def _totals(self, run: str, event: dict[str, Any]) -> None:  # noqa: ARG002
        pending, names = count(event, "pending"), event.get("names", {})
        if not isinstance(names, dict):
            raise RefusedError(f"names is {names!r}, expected counts by name")
        self.data.pending = pending
        self.data.unnamed_pending |= pending > 0 and not names
        self.data.pending_names = {}
        for name in names:
            task = self._task(name)
            self.data.pending_names[task] = self.data.pending_names.get(task, 0) + count(names, name)

    HANDLERS = {  # noqa: RUF012
        "run": _run,
        "worker": _worker,
        "start": _start,
        "end": _end,
        "checked": _checked,
        "deadline": _deadline,
        "graph": _graph,
        "tasks": _totals,
    }

    def take_times(self, values: list[Any]) -> None:
        """Take times alone, as some applications send them: they name no task and no worker."""
        with self.lock:
            for value in values:
                try:
                    content = json.loads(value) if isinstance(value, bytes | str) else value
                except (ValueError, RecursionError):
                    content = value
                entries = content.items() if isinstance(content, dict) else [(UNNAMED, content)]
                for name, times in entries:
                    for each in times if isinstance(times, list) else [times]:
                        try:
                            duration = seconds(each)
                            self._observe(self._task(str(name)), UNNAMED, duration)
                            self.data.accepted += 1
                        except RefusedError as error:
                            self._refuse(value, error)

    def take_xml(self, snapshot: Snapshot, run: str = "") -> None:
        """Take what the COMPSs runtime writes of a run, totals and means; the histogram gets what is new."""
        with self.lock:
            data = self.data
            if data.phase == "waiting" or run != data.application_run:
                # A Deployment starts the application again in the same pod: its tasks are other tasks.
                data.application_run, data.phase, data.started, data.ended = run, "running", time.time(), 0.0
                data.tasks, data.executed, data.totals = {}, {}, Totals()
            if data.phase == "running":
                self._take_cores(snapshot)
                self._take_resources(snapshot)

    def _take_cores(self, snapshot: Snapshot) -> None:
        """Give the tasks that have completed to the names that were executed more often: never more than completed."""
        data, totals = self.data, self.data.totals
        totals.unnamed += max(0, snapshot.completed - totals.completed)
        totals.completed, totals.open = snapshot.completed, snapshot.in_progress
        for core in snapshot.cores:
            task, before = self._task(core.name), data.executed.get(core.name, Executed())
            fresh = max(0, core.executed - before.count)
            mean = max(0.0, (core.spent - before.spent) / fresh) if fresh else before.mean
            waiting = before.waiting + fresh
            given = min(waiting, totals.unnamed)
            if given:
                data.tasks.setdefault(task, Tasks()).completed += given
                self._observe(task, UNNAMED, mean, given)
                totals.unnamed -= given
            data.executed[core.name] = Executed(core.executed, core.spent, mean, waiting - given)
        if sum(each.waiting for each in data.executed.values()) > snapshot.in_progress:
            # More than can still complete: a worker came again, and its executions were counted again.
            for each in data.executed.values():
                each.waiting = 0

    def _take_resources(self, snapshot: Snapshot) -> None:
        for worker in self.data.workers.values():
            worker.up = False  # those that the runtime has dropped are not in the file
        self.data.totals.running = {}
        for resource in snapshot.resources:
            name = self._name(resource.name.partition(".")[0])
            before = self.data.workers.get(name)
            units = resource.units or (before.units if before else 0)
            self.data.workers[name] = Worker(resource.up, units, self._architecture(name))
            self.data.totals.running[name] = resource.running

    def end(self, status: int, ended: float) -> None:
        """The master's container has ended."""
        with self.lock:
            data = self.data
            data.phase = "ended" if status == 0 else "failed"
            data.ended = ended
            data.running.clear()
            for worker in data.workers.values():
                worker.up = False
            if self.settings.engine == "compss" and data.totals.open:
                # The runtime has no word for a task that failed, or that an application left behind.
                data.tasks.setdefault(OTHER, Tasks()).failed += data.totals.open
            data.totals.open, data.totals.running = 0, {}
            for task, counts in self.deadlines().items():
                if counts["not_checked"]:
                    print(
                        f"not checked: the deadline of {counts['not_checked']} executions of {task}; {TELEMETRY}",
                        flush=True,
                    )

    # Keeping names within their limit

    def _bounded(self, name: str, names: list[str]) -> str:
        name = name[:100]
        if name not in names:
            if len(names) >= self.settings.max_names:
                return OTHER
            names.append(name)
        return name

    def _task(self, name: str) -> str:
        return self._bounded(name, self.data.task_names)

    def _name(self, worker: str) -> str:
        return self._bounded(worker, self.data.worker_names)

    def _architecture(self, worker: str) -> str:
        return next((pool.architecture for pool in self.settings.pools if pool.has(worker)), "")

    def _observe(self, task: str, worker: str, duration: float, number: int = 1) -> None:
        empty = Durations([0] * (len(self.settings.buckets) + 1))
        durations = self.data.durations.setdefault((task, worker), empty)
        durations.add(self.settings.buckets, duration, number)

    # Numbers for metrics and for /status

    def tasks(self) -> dict[str, dict[str, int]]:
        """Tasks by name and state."""
        data = self.data
        rows = {
            name: {"pending": 0, "running": 0, "completed": tasks.completed, "failed": tasks.failed}
            for name, tasks in data.tasks.items()
        }

        def row(name: str) -> dict[str, int]:
            return rows.setdefault(name, {"pending": 0, "running": 0, "completed": 0, "failed": 0})

        if self.settings.engine == "compss":
            # The runtime tells how many there are, not of which names.
            running = min(data.totals.open, sum(data.totals.running.values()))
            if data.phase != "waiting":
                row(OTHER)["completed"] += data.totals.unnamed
                row(OTHER).update(running=running, pending=data.totals.open - running)
            return rows
        for task in self.data.running.values():
            row(task.name)["running"] += 1
        waiting = max(0, self.data.pending - len(self.data.running))
        for name, pending in self.data.pending_names.items():
            mine = min(waiting, max(0, pending - row(name)["running"]))
            row(name)["pending"] = mine
            waiting -= mine
        if waiting or self.data.unnamed_pending:
            row(OTHER)["pending"] += waiting
        return rows

    def used_units(self) -> dict[str, int]:
        """Computing units that tasks hold, by worker."""
        used = dict.fromkeys(self.data.workers, 0)
        if self.settings.engine == "compss":
            return {**used, **self.data.totals.running}
        for task in self.data.running.values():
            if task.worker in used:
                worker = self.data.workers[task.worker]
                used[task.worker] = min(worker.units, used[task.worker] + task.units)
        return used

    def deadlines(self) -> dict[str, dict[str, int | None]]:
        """By task: executions that were compared with its deadline, those of them that missed it, and all others.

        The misses of a task that nobody has checked are not known: None.
        """
        data = self.data
        limited = set(self.settings.deadlines) & {*data.tasks} if self.settings.engine == "compss" else set()
        counts: dict[str, dict[str, int | None]] = {}
        for task in sorted({*data.checked, *data.missed, *limited}):
            checked = data.checked.get(task, 0)
            ended = data.tasks[task].completed if task in limited else 0
            counts[task] = {
                "checked": checked,
                "missed": data.missed.get(task, 0) if checked else None,
                "not_checked": max(0, ended - checked),
            }
        return counts

    def status(self) -> dict[str, Any]:
        """All of it, for people and programs that read JSON."""
        with self.lock:
            data = self.data
            used = self.used_units()
            tasks = self.tasks()
            return {
                "application": self.settings.application,
                "namespace": self.settings.namespace,
                "engine": self.settings.engine,
                "version": self.settings.version,
                "run": self.settings.run,
                "phase": data.phase,
                "started": data.started or None,
                "ended": data.ended or None,
                "tasks": tasks,
                "totals": {
                    state: sum(row[state] for row in tasks.values())
                    for state in ("pending", "running", "completed", "failed")
                },
                "durations": [
                    {"task": task, "worker": worker, "count": durations.count, "sum": durations.total}
                    for (task, worker), durations in sorted(data.durations.items())
                ],
                "workers": {
                    name: {
                        "up": worker.up,
                        "architecture": worker.architecture,
                        "computing_units": worker.units,
                        "computing_units_used": used[name],
                    }
                    for name, worker in sorted(data.workers.items())
                },
                "resubmissions": dict(data.resubmissions),
                "deadlines": self.deadlines(),
                "queue_length": self.queue_length,
                "events": {"accepted": data.accepted, "refused": data.refused},
            }

    # Single tasks, for /graph and /timeline

    def graph(self) -> dict[str, Any]:
        """What waits for what. Raises NotTold."""
        with self.lock:
            if self.settings.engine == "compss":
                raise NotTold("the engine compss tells what waits for what with its results: runcompss -g")
            return self.record.graph(self.tasks(), {int(key.rpartition(" ")[2]) for key in self.data.running})

    def timeline(self) -> dict[str, Any]:
        """The executions that ended last, and the tasks that have been running for a while. Raises NotTold."""
        with self.lock:
            if self.settings.engine == "compss" and not self.record.spans:
                raise NotTold(f"no task of the engine compss has told its time; {TELEMETRY}")
            running = (
                Span(int(key.rpartition(" ")[2]), task.name, task.worker, task.since, None, "running")
                for key, task in islice(self.data.running.items(), MAX_SPANS)
            )
            return {
                "time": time.time(),
                "executions": sum(durations.count for durations in self.data.durations.values()),
                "tasks": [span._asdict() for span in (*self.record.spans, *running)],
            }

    # Writing the state, and reading it back

    def dump(self) -> str:
        with self.lock:
            data = self.data
            return json.dumps(
                {
                    **{name: getattr(data, name) for name in PLAIN},
                    "seen": list(data.seen.items()),
                    "tasks": {name: [tasks.completed, tasks.failed] for name, tasks in data.tasks.items()},
                    "running": {key: [*vars(task).values()] for key, task in data.running.items()},
                    "durations": [[*key, entry.counts, entry.total] for key, entry in data.durations.items()],
                    "workers": {name: [w.up, w.units, w.architecture] for name, w in data.workers.items()},
                    "executed": {name: asdict(entry) for name, entry in data.executed.items()},
                    "totals": asdict(data.totals),
                    "buckets": self.settings.buckets,
                    "record": self.record.dump(),
                },
                separators=(",", ":"),
            )

    def load(self, written: bytes | str, spans: list[Any] | None = None) -> None:
        """Go on from what `dump` and the record wrote, unless that was with other buckets."""
        content = json.loads(written)
        if tuple(content["buckets"]) != self.settings.buckets:
            return
        data = Data(**{name: content[name] for name in PLAIN})
        data.seen = OrderedDict(content["seen"])
        data.tasks = {name: Tasks(*value) for name, value in content["tasks"].items()}
        data.running = {key: Running(*value) for key, value in content["running"].items()}
        data.durations = {
            (task, worker): Durations(counts, total) for task, worker, counts, total in content["durations"]
        }
        data.workers = {name: Worker(*value) for name, value in content["workers"].items()}
        data.executed = {name: Executed(**value) for name, value in content["executed"].items()}
        data.totals = Totals(**content["totals"])
        record = Record.load(content["record"], spans or [])
        with self.lock:
            self.data, self.record = data, record


PLAIN = (
    "application_run",
    "phase",
    "started",
    "ended",
    "pending",
    "pending_names",
    "unnamed_pending",
    "resubmissions",
    "accepted",
    "refused",
    "missed",
    "checked",
    "task_names",
    "worker_names",
)
