"""The scheduler's side: one record of each task that ended, in the order in which they did."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin
from tornado.ioloop import PeriodicCallback

from .resources import LARGE, undeclared

PREFIX = "compss-"
BLOCKED = 5.0  # seconds after which the master is told that a task finds no worker
GATHER_DELAY = 0.005  # seconds in which records gather before the master is told


class Ledger(SchedulerPlugin):
    name = "compss"
    idempotent = True

    async def start(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        #: Kinds of resources that each worker declared when it came, by address.
        self.declared: dict[str, list[str]] = {}
        #: Properties that a worker offers if it declares nothing of their kind.
        self.open: set[str] = set()
        #: What the master has not been told.
        self.records: list[dict[str, Any]] = []
        #: Set when there are records.
        self.changed = asyncio.Event()
        #: Names of the workers that are there, by address.
        self.names: dict[str, str] = {}
        #: How often each task lost its worker while it ran, by its key.
        self.lost: dict[Any, int] = {}
        #: Failed attempts of each task that has not ended, by its key.
        self.failures: dict[Any, list[Any]] = {}
        scheduler.handlers["compss_failed"] = self.failed
        scheduler.compss = self  # type: ignore[attr-defined]
        self.watch = PeriodicCallback(self.tell_of_blocked, BLOCKED * 1000)
        self.watch.start()

    def begin(self) -> None:
        """Forget what an earlier application left, and tell the new one of the workers that are there."""
        self.records.clear()
        for worker in self.scheduler.workers:
            self.add_worker(self.scheduler, worker)

    def add(self, record: dict[str, Any]) -> None:
        self.records.append(record)
        self.changed.set()

    def transition(self, key: Any, start: str, finish: str, *_: Any, stimulus_id: str, **kwargs: Any) -> None:
        if finish == "memory":
            record = (kwargs.get("metadata") or {}).get("compss")
            if record is not None:
                if key in self.lost:
                    record["lost"] = self.lost.pop(key)
                if key in self.failures:
                    record["failures"] = [*self.failures.pop(key), *(record.get("failures") or ())]
                state = self.scheduler.tasks.get(key)
                if state is not None and state.metadata is not None:
                    state.metadata.pop("compss", None)
                self.add(record)
        elif start == "processing" and finish == "released" and not stimulus_id.startswith("reschedule"):
            # Its worker went away: it will run again elsewhere.
            if _task(key) is not None:
                self.lost[key] = self.lost.get(key, 0) + 1
        elif finish == "erred":
            error = kwargs.get("exception_text") or kwargs.get("exception")
            self.add({"erred": _task(key), "key": str(key), "message": str(error or "lost with its workers")})

    def failed(self, key: Any, worker: str, task: int, failures: list[Any]) -> str:
        """A task failed twice on a worker: try another one once, if there is one, then give up."""
        del task
        before = self.failures.setdefault(key, [])
        before.extend(failures)
        if len(before) >= 4:
            return "enough"
        state = self.scheduler.tasks.get(key)
        others = {address for address in self.scheduler.workers if address != worker}
        if state is not None and others and not state.worker_restrictions:
            state.worker_restrictions = others
            state.loose_restrictions = True
        return "again"

    def offer(self, resource: str) -> None:
        """From now on workers that declare nothing of its kind offer this property; the worker's side is `Offer`."""
        self.open.add(resource)
        for worker in self.scheduler.workers:
            self._offer(worker)

    def _offer(self, worker: str) -> None:
        state = self.scheduler.workers[worker]
        for resource in undeclared(self.open, self.declared[worker]):
            state.resources[resource] = LARGE
            state.used_resources.setdefault(resource, 0)
            self.scheduler.resources.setdefault(resource, {})[worker] = LARGE

    def tell_of_blocked(self) -> None:
        """Tell the master, again and again, of tasks that ask for what none of the workers has."""
        workers = list(self.scheduler.workers.values())
        if not workers:
            return
        now = time.monotonic()
        for state, since in self.scheduler.unrunnable.items():
            number = _task(state.key)
            if number is None or now - since < BLOCKED:
                continue
            wanted = state.resource_restrictions or {}
            most = {resource: max(worker.resources.get(resource, 0) for worker in workers) for resource in wanted}
            # Where there is a worker for each of them, there is none for all together.
            lacking = [resource for resource in wanted if most[resource] < wanted[resource]] or list(wanted)
            texts = [
                resource.replace("=", " ")
                if "=" in resource
                else f"{wanted[resource]:.9g} {resource}, at most {most[resource]:g}"
                for resource in lacking
            ]
            self.add({"blocked": number, "seconds": now - since, "lacking": texts, "key": str(state.key)})

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == "compss":
            self.add(msg)

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        state = scheduler.workers[worker]
        self.names[worker] = str(state.name).partition("#")[0]
        if worker not in self.declared:
            self.declared[worker] = list(state.resources)
        self._offer(worker)
        self.add({"joined": self.names[worker], "units": state.nthreads, "address": worker, "time": time.time()})

    def remove_worker(self, scheduler: Scheduler, worker: str, *, stimulus_id: str, **kwargs: Any) -> None:  # noqa: ARG002
        self.declared.pop(worker, None)
        self.add({"left": self.names.pop(worker, worker), "address": worker, "time": time.time()})

    async def drain(self, patience: float) -> list[dict[str, Any]]:
        """The records since the last call; waits for one as long as `patience`."""
        if not self.records and patience:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.changed.wait(), patience)
                await asyncio.sleep(GATHER_DELAY)
        self.changed.clear()
        records, self.records = self.records, []
        return records


def _task(key: Any) -> int | None:
    """The number of the task that a key stands for."""
    if isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], str) and key[0].startswith(PREFIX):
        return int(key[1])
    return None


def wake(dask_scheduler: Any = None) -> None:
    dask_scheduler.compss.changed.set()


def count_workers(dask_scheduler: Any = None) -> int:
    """How many workers are there; asked of the scheduler itself, as what a client keeps of it is refreshed by Dask."""
    return len(dask_scheduler.workers)


def offer(resource: str, dask_scheduler: Any = None) -> None:
    dask_scheduler.compss.offer(resource)


def begin(dask_scheduler: Any = None) -> None:
    dask_scheduler.compss.begin()


async def drain(patience: float, dask_scheduler: Any = None) -> list[dict[str, Any]]:
    return await dask_scheduler.compss.drain(patience)  # type: ignore[no-any-return]
