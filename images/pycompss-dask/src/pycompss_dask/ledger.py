"""The scheduler's side: one record of each task that ended, in the order in which they did."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

from distributed import Scheduler
from distributed.diagnostics.plugin import SchedulerPlugin

PREFIX = "compss-"
GATHER_DELAY = 0.005  # seconds in which records gather before the master is told


class Ledger(SchedulerPlugin):
    name = "compss"
    idempotent = True

    async def start(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
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
                    record["failures"] = self.failures.pop(key) + (record.get("failures") or [])
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

    def log_event(self, topic: str, msg: Any) -> None:
        if topic == "compss":
            self.add(msg)

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        state = scheduler.workers[worker]
        self.names[worker] = str(state.name).partition("#")[0]
        self.add({"joined": self.names[worker], "units": state.nthreads, "address": worker, "time": time.time()})

    def remove_worker(self, scheduler: Scheduler, worker: str, *, stimulus_id: str, **kwargs: Any) -> None:  # noqa: ARG002
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


def begin(dask_scheduler: Any = None) -> None:
    dask_scheduler.compss.begin()


async def drain(patience: float, dask_scheduler: Any = None) -> list[dict[str, Any]]:
    return await dask_scheduler.compss.drain(patience)  # type: ignore[no-any-return]
