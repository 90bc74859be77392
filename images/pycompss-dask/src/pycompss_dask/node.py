"""The processes beside the main program: the scheduler, and the workers with their executors."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
import sys
import uuid

from distributed import Scheduler, Status, Worker
from distributed.threadpoolexecutor import ThreadPoolExecutor

from . import memory, settings
from .resources import offered

RETRY = 0.3  # seconds between attempts to reach the master
LEAVING = 10  # seconds in which a stopped worker hands over what it holds


def _pairs(text: str) -> list[tuple[str, str]]:
    pairs = []
    for entry in filter(None, re.split(r"[,\s]+", text)):
        name, separator, value = entry.partition("=")
        if not separator:
            raise argparse.ArgumentTypeError(f"{entry!r}: expected name=value")
        pairs.append((name, value))
    return pairs


def scheduler_main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m pycompss_dask scheduler")
    parser.add_argument("--port", type=int, default=8786)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104
    options = parser.parse_args(arguments)

    async def run() -> None:
        stopping = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
        web = "127.0.0.1:0"  # Dask's own pages; nobody outside needs them
        async with Scheduler(host=options.host, port=options.port, dashboard=False, dashboard_address=web):
            await stopping.wait()

    settings.apply()
    for name, level in (("distributed", logging.WARNING), ("distributed.scheduler", logging.INFO)):
        logging.getLogger(name).setLevel(level)
    settings.die_with_parent()
    asyncio.run(run())
    return 0


def worker_main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m pycompss_dask worker",
        description="Offer this machine's computing units to the application; wait for its master, also for the next.",
    )
    parser.add_argument("master", help="host:port of the master; the host is looked up again at each attempt")
    parser.add_argument("--name", default=os.environ.get("COMPSS_WORKER_NAME") or socket.gethostname())
    parser.add_argument("--computing_units", type=int, default=os.cpu_count() or 1, help="tasks that run at a time")
    parser.add_argument(
        "--memory", type=float, help="gigabytes that tasks may ask for (default: what the container has)"
    )
    parser.add_argument("--port", type=int, default=0, help="port on which other workers reach this one")
    parser.add_argument(
        "--resources", type=_pairs, default=[], help="what else @constraint may ask for: gpu=1,software=x,software=y"
    )
    parser.add_argument("--drain", type=float, default=0, help="seconds to finish running tasks when stopped (0)")
    parser.add_argument("--once", action="store_true", help="end when the application has ended")
    options = parser.parse_args(arguments)
    if options.computing_units < 1:
        parser.error(f"--computing_units is {options.computing_units}, expected at least 1")
    settings.apply()
    settings.die_with_parent()
    logging.getLogger("distributed").setLevel(logging.WARNING)
    logging.getLogger("distributed.worker").setLevel(logging.INFO)
    return asyncio.run(_worker(options))


async def _reachable(master: str) -> None:
    """Try the master's port: cheaper than starting a worker, and its name is looked up anew."""
    host, _, port = master.rpartition(":")
    _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), 5)
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def drain(worker: Worker, seconds: float) -> None:
    """Take no further task, and wait for as long at most until none runs."""
    worker.status = Status.paused
    deadline = asyncio.get_running_loop().time() + seconds
    while (worker.state.executing or worker.state.long_running) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.1)


async def _worker(options: argparse.Namespace) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    limit = memory.limit()
    size = options.memory if options.memory is not None else round(limit / 1e9, 3)
    resources = offered(options.computing_units, size, options.resources)
    last_message = ""
    while not stopping.is_set():
        worker = None
        try:
            await _reachable(options.master)
            last_message = ""
            worker = Worker(
                f"tcp://{options.master}",
                name=f"{options.name}#{uuid.uuid4().hex[:4]}",
                nthreads=options.computing_units,
                # In one thread more than compute I/O tasks start; they leave it at once.
                executor=ThreadPoolExecutor(options.computing_units + 1, thread_name_prefix="compss-task"),
                port=options.port,
                resources=resources,
                memory_limit=int(limit * 0.8),
                dashboard=False,
                dashboard_address="127.0.0.1:0",
                death_timeout=10,
            )
            await worker
            stop = asyncio.ensure_future(stopping.wait())
            finished = asyncio.ensure_future(worker.finished())
            await asyncio.wait({finished, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
            if not finished.done():
                # Leave in order: what it runs is finished, or else runs elsewhere again; what only it holds goes there.
                await drain(worker, options.drain)
                try:
                    await asyncio.wait_for(worker.close_gracefully(reason="worker-stopped"), LEAVING)
                except (TimeoutError, OSError):
                    await worker.close(timeout=2, nanny=False)
            if options.once and getattr(worker, "application_ended", False):
                break
        except (OSError, TimeoutError, asyncio.CancelledError, ValueError, RuntimeError) as error:
            text = f"no master at {options.master} yet ({error}); trying again"
            if text != last_message:
                print(text, file=sys.stderr, flush=True)
                last_message = text
            if worker is not None:
                await worker.close(timeout=1, nanny=False)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), RETRY)
    return 0
