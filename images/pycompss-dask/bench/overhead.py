"""What the PyCOMPSs API costs on top of bare Dask, measured side by side on the same scheduler and workers.

  empty    10,000 tasks that do nothing: submitted one by one to bare Dask (as a PyCOMPSs script calls them), and by
           its batched `map`; then as PyCOMPSs tasks, with dependencies followed, results noted, telemetry on.
  matmul   block matrix multiplication, its graph given to bare Dask in one piece.

Prints one JSON object; ends with status 1 where a ratio exceeds its limit.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).resolve().parents[1] / "src"
sys.path.insert(0, str(SOURCE))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np  # noqa: E402
import psutil  # noqa: E402
from bench_tasks import add_product, empty, first_product, generate, multiply, nothing, random_block  # noqa: E402
from distributed import Client, wait  # noqa: E402

from compss_telemetry.sink import RedisSink, open_sink  # noqa: E402
from pycompss.api.api import compss_barrier, compss_wait_on  # noqa: E402
from pycompss_dask import settings  # noqa: E402
from pycompss_dask.results import Results  # noqa: E402
from pycompss_dask.runtime import Runtime, start, stop  # noqa: E402

LIMITS = {"empty": 1.5, "matmul": 1.15}


class Taker:
    """A Redis that takes everything."""

    count = 0

    def rpush(self, name: str, *values: bytes | str) -> int:  # noqa: ARG002
        self.count += len(values)
        return len(values)

    def ltrim(self, name: str, start: int, end: int) -> None:
        """Nothing is kept."""


def processor_seconds(pids: list[int]) -> dict[str, float]:
    """Processor time so far: of the main program, the scheduler and the workers with their executors.

    On a machine that others use too, its ratios say more than those of the wall clock.
    """
    found = []
    for pid in [os.getpid(), *pids]:
        process = psutil.Process(pid)
        total = sum(process.cpu_times()[:2])
        if pid != os.getpid():
            total += sum(sum(child.cpu_times()[:2]) for child in process.children(recursive=True))
        found.append(total)
    return {"main": found[0], "scheduler": found[1], "workers": sum(found[2:])}


def timed(function: Callable[[], Any], pids: list[int]) -> tuple[float, dict[str, float]]:
    before, began = processor_seconds(pids), time.perf_counter()
    function()
    seconds = time.perf_counter() - began
    after = processor_seconds(pids)
    return seconds, {name: round(value - before[name], 2) for name, value in after.items()}


def empty_bare_submit(client: Client, count: int) -> None:
    futures = [client.submit(nothing, number, pure=False) for number in range(count)]
    wait(futures)


def empty_bare_map(client: Client, count: int) -> None:
    wait(client.map(nothing, range(count), pure=False))


def empty_pycompss(count: int) -> None:
    for number in range(count):
        empty(number)
    compss_barrier()


def matmul_bare(client: Client, blocks: int, size: int) -> Any:
    a, b = (
        {
            (i, j): client.submit(random_block, size, m * blocks**2 + i * blocks + j, pure=False)
            for i, j in _places(blocks)
        }
        for m in (0, 1)
    )
    c: dict[tuple[int, int], Any] = {}
    for k in range(blocks):
        for i, j in _places(blocks):
            c[i, j] = client.submit(add_product, c.get((i, j)), a[i, k], b[k, j], pure=False)
    wait(list(c.values()))
    return client.gather(c[0, 0])


def matmul_pycompss(blocks: int, size: int) -> Any:
    a, b = ({(i, j): generate(size, m * blocks**2 + i * blocks + j) for i, j in _places(blocks)} for m in (0, 1))
    c = {(i, j): first_product(a[i, 0], b[0, j]) for i, j in _places(blocks)}
    for k in range(1, blocks):
        for i, j in _places(blocks):
            multiply(c[i, j], a[i, k], b[k, j])
    compss_barrier()
    return compss_wait_on(c[0, 0])


def _places(blocks: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(blocks) for j in range(blocks)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=2, help="of each kind, one after the other; the best counts")
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--only", choices=["empty", "matmul"])
    parser.add_argument("--telemetry", help="a real Redis to send events to")
    options = parser.parse_args()

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tempfile.TemporaryDirectory()
    environment = {
        **os.environ,
        "COMPSS_PARENT": str(os.getpid()),
        "PYTHONPATH": f"{SOURCE}:{Path(__file__).parent}",
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    commands = [["scheduler", f"--port={port}", "--host=127.0.0.1"]]
    commands += [["worker", f"127.0.0.1:{port}", f"--name=w{n}", "--computing_units=1"] for n in range(options.workers)]
    processes = [
        subprocess.Popen([sys.executable, "-m", "pycompss_dask", *command], env=environment, stderr=subprocess.DEVNULL)
        for command in commands
    ]
    settings.apply()
    try:
        time.sleep(1)
        client = Client(f"tcp://127.0.0.1:{port}", timeout=30)
        client.wait_for_workers(options.workers, timeout=60)
        sink = open_sink(options.telemetry) if options.telemetry else RedisSink(Taker())
        start(Runtime(client, results=Results(Path(folder.name), "bench"), sink=sink))
        kinds: dict[str, dict[str, Callable[[], Any]]] = {
            "empty": {
                "submit": lambda: empty_bare_submit(client, options.tasks),
                "map": lambda: empty_bare_map(client, options.tasks),
                "pycompss": lambda: empty_pycompss(options.tasks),
            },
            "matmul": {
                "submit": lambda: matmul_bare(client, options.blocks, options.size),
                "pycompss": lambda: matmul_pycompss(options.blocks, options.size),
            },
        }
        empty_bare_map(client, 200)
        empty_pycompss(200)
        found: dict[str, Any] = {}
        for kind, variants in kinds.items():
            if options.only not in (None, kind):
                continue
            measured: dict[str, list[tuple[float, dict[str, float]]]] = {name: [] for name in variants}
            for _ in range(options.rounds):
                for name, run in variants.items():
                    measured[name].append(timed(run, [process.pid for process in processes]))
                    time.sleep(0.5)
            least = {name: min(values, key=lambda value: value[0]) for name, values in measured.items()}
            best = {name: seconds for name, (seconds, _) in least.items()}
            bare = min(value for name, value in best.items() if name != "pycompss")
            found[kind] = {
                **{f"{name}_seconds": round(value, 3) for name, value in best.items()},
                "processor_seconds": {name: processor for name, (_, processor) in least.items()},
                "ratio": round(best["pycompss"] / bare, 3),
                "limit": LIMITS[kind],
            }
            if kind == "empty":
                found[kind]["milliseconds_per_task"] = round(best["pycompss"] / options.tasks * 1000, 3)
        if options.only in (None, "matmul"):
            bare_result = matmul_bare(client, 3, 64)
            assert np.allclose(bare_result, matmul_pycompss(3, 64)), "the two products differ"
        stop()
        print(json.dumps(found, indent=2))
        return 0 if all(entry["ratio"] <= entry["limit"] for entry in found.values()) else 1
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
        folder.cleanup()


if __name__ == "__main__":
    sys.exit(main())
