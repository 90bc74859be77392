"""What the PyCOMPSs API costs on top of bare Dask, measured side by side on the same scheduler and workers.

  empty    10,000 tasks that do nothing: given to bare Dask one by one (as a PyCOMPSs script calls them), by its batched
           `map`, and as one graph; then as PyCOMPSs tasks, with dependencies followed, results noted, telemetry on.
  matmul   block matrix multiplication: given to bare Dask task by task, as one graph of the same tasks, and as the
           expression of its arrays, from which Dask makes the graph.

Dask fuses and orders each graph itself. The random blocks are the same in every variant.

Bare Dask's workers take the threads of linear algebra from the environment, the engine's processes from the units of
their task: OMP_NUM_THREADS=1 makes them alike.

It is an application itself: runcompss --local_workers=2 --computing_units=1 images/pycompss-dask/bench/overhead.py
Prints one JSON object: the seconds of each round, and each round's ratio to the fastest of the bare variants.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import dask
import dask.array
import numpy as np
from dask.delayed import delayed
from distributed import Client, Future
from distributed import wait as wait_for

from pycompss.api.api import compss_barrier, compss_wait_on
from pycompss.api.parameter import INOUT
from pycompss.api.task import task
from pycompss_dask import context

Block = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def nothing(number: int) -> None:
    """An empty task of bare Dask."""


@task()
def empty(number: int) -> None:
    """An empty PyCOMPSs task."""


def random_block(size: int, seed: int) -> Block:
    return np.random.default_rng(seed).random((size, size))


def add_product(c: Block | None, a: Block, b: Block) -> Block:
    return a @ b if c is None else c + a @ b


@task(returns=np.ndarray)
def generate(size: int, seed: int) -> Block:
    return random_block(size, seed)


@task(returns=np.ndarray)
def first_product(a: Block, b: Block) -> Block:
    return a @ b


@task(c=INOUT)
def multiply(c: Block, a: Block, b: Block) -> None:
    c += a @ b


def wait(client: Client, futures: list[Future[Any]]) -> None:
    with client.as_current():
        wait_for(futures)


def empty_submit(client: Client, count: int) -> None:
    wait(client, [client.submit(nothing, number, pure=False) for number in range(count)])


def empty_map(client: Client, count: int) -> None:
    wait(client, client.map(nothing, range(count), pure=False))


def empty_graph(client: Client, count: int) -> None:
    task = delayed(nothing, pure=False)
    wait(client, client.compute([task(number) for number in range(count)]))


def empty_pycompss(count: int) -> None:
    for number in range(count):
        empty(number)
    compss_barrier()


def places(blocks: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(blocks) for j in range(blocks)]


def matmul_submit(client: Client, blocks: int, size: int) -> Any:
    a, b = (
        {
            (i, j): client.submit(random_block, size, m * blocks**2 + i * blocks + j, pure=False)
            for i, j in places(blocks)
        }
        for m in (0, 1)
    )
    c: dict[tuple[int, int], Any] = {}
    for k in range(blocks):
        for i, j in places(blocks):
            c[i, j] = client.submit(add_product, c.get((i, j)), a[i, k], b[k, j], pure=False)
    wait(client, list(c.values()))
    return client.gather(c[0, 0])


def matmul_graph(client: Client, blocks: int, size: int) -> Any:
    block, product = delayed(random_block, pure=False), delayed(add_product, pure=False)
    a, b = ({(i, j): block(size, m * blocks**2 + i * blocks + j) for i, j in places(blocks)} for m in (0, 1))
    c: dict[tuple[int, int], Any] = {}
    for k in range(blocks):
        for i, j in places(blocks):
            c[i, j] = product(c.get((i, j)), a[i, k], b[k, j])
    futures = client.compute(list(c.values()))
    wait(client, futures)
    return client.gather(futures[list(c).index((0, 0))])


def matmul_array(client: Client, blocks: int, size: int) -> Any:
    block = delayed(random_block, pure=False)

    def matrix(first: int) -> Any:
        rows = [[block(size, first + i * blocks + j) for j in range(blocks)] for i in range(blocks)]
        return dask.array.block(
            [[dask.array.from_delayed(each, (size, size), dtype=float) for each in row] for row in rows]
        )

    c = client.persist(matrix(0) @ matrix(blocks**2))
    with client.as_current():
        wait_for(c)
        return c.blocks[0, 0].compute()


def matmul_pycompss(blocks: int, size: int) -> Any:
    a, b = ({(i, j): generate(size, m * blocks**2 + i * blocks + j) for i, j in places(blocks)} for m in (0, 1))
    c = {(i, j): first_product(a[i, 0], b[0, j]) for i, j in places(blocks)}
    for k in range(1, blocks):
        for i, j in places(blocks):
            multiply(c[i, j], a[i, k], b[k, j])
    compss_barrier()
    return compss_wait_on(c[0, 0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3, help="of each kind, one after the other")
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    assert context.runtime is not None
    client = Client(context.runtime.client.scheduler_info()["address"], set_as_default=False)
    dask.config.set({"optimization.fuse.delayed": True})
    count, blocks, size = options.tasks, options.blocks, options.size
    kinds: dict[str, dict[str, Callable[[], Any]]] = {
        "empty": {
            "submit": lambda: empty_submit(client, count),
            "map": lambda: empty_map(client, count),
            "graph": lambda: empty_graph(client, count),
            "pycompss": lambda: empty_pycompss(count),
        },
        "matmul": {
            "submit": lambda: matmul_submit(client, blocks, size),
            "graph": lambda: matmul_graph(client, blocks, size),
            "array": lambda: matmul_array(client, blocks, size),
            "pycompss": lambda: matmul_pycompss(blocks, size),
        },
    }
    empty_map(client, 200)
    empty_pycompss(200)
    for multiplied in (matmul_submit, matmul_graph, matmul_array):
        assert np.allclose(multiplied(client, 2, 64), matmul_pycompss(2, 64))
    results: dict[str, Any] = {}
    for kind, variants in kinds.items():
        seconds: dict[str, list[float]] = {name: [] for name in variants}
        for _ in range(options.rounds):
            for name, run in variants.items():
                began = time.perf_counter()
                run()
                seconds[name].append(round(time.perf_counter() - began, 3))
                time.sleep(0.5)
        bare = [min(times) for times in zip(*(seconds[name] for name in seconds if name != "pycompss"), strict=True)]
        ratios = [ours / theirs for ours, theirs in zip(seconds["pycompss"], bare, strict=True)]
        results[kind] = {"seconds": seconds, "ratios": [round(ratio, 3) for ratio in ratios]}
    print(json.dumps(results))


if __name__ == "__main__":
    main()
