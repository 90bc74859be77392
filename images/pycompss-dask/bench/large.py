"""What a call costs the main program that gets a large value which has not changed since the call before.

  array    80 MB of NumPy's numbers
  list     1,000,000 numbers of Python's own
  small    a number, for comparison

It is an application itself: runcompss --local_workers=1 --computing_units=1 images/pycompss-dask/bench/large.py
Prints one JSON object: the milliseconds of the first call, which copies and sends the value, and of each later one.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

from pycompss.api.api import compss_barrier
from pycompss.api.task import task


@task()
def take(value: Any) -> None:
    """A task that does nothing with what it gets."""


def milliseconds(value: Any) -> float:
    began = time.perf_counter()
    take(value)
    return round(1000 * (time.perf_counter() - began), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=6, help="of each kind, one after the other")
    options = parser.parse_args()
    random = np.random.default_rng(0)
    values = {"small": 1, "array": random.random(10_000_000), "list": random.random(1_000_000).tolist()}
    times: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        take(None)
        compss_barrier()
        first, *later = [milliseconds(value) for _ in range(options.calls)]
        times[name] = {"first": first, "later": later}
        compss_barrier()
    print(json.dumps(times))


if __name__ == "__main__":
    main()
