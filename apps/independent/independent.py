"""Independent tasks of the same size, each busy with the CPU only: how well do they spread over the workers?

Each task steps a linear congruential generator; what it must find is known in closed form.
"""

from __future__ import annotations

import argparse
import sys
import time

from pycompss.api.api import compss_barrier, compss_wait_on
from pycompss.api.task import task

FACTOR, ADDEND, MODULUS = 1664525, 1013904223, 2**32


@task(returns=int)
def step(start: int, iterations: int) -> int:
    value = start
    for _ in range(iterations):
        value = (FACTOR * value + ADDEND) % MODULUS
    return value


def expected(start: int, iterations: int) -> int:
    """The value after so many steps: a^n x + c (a^n - 1) / (a - 1)."""
    power = pow(FACTOR, iterations, MODULUS * (FACTOR - 1))
    return (power * start + ADDEND * ((power - 1) // (FACTOR - 1))) % MODULUS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument(
        "--iterations", type=int, default=1_000_000, help="steps of each task: 1000000 take about 0.1 s"
    )
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    if options.tasks < 1 or options.iterations < 0:
        parser.error(f"--tasks {options.tasks} --iterations {options.iterations}: expected at least 1 and 0")

    began = time.time()
    values = [step(number, options.iterations) for number in range(options.tasks)]
    compss_barrier()
    seconds = time.time() - began
    print(f"independent: {options.tasks} tasks in {seconds:.3f} s, {seconds / options.tasks * 1000:.3f} ms per task")
    if options.check:
        right = compss_wait_on(values) == [expected(number, options.iterations) for number in range(options.tasks)]
        print(f"independent: the result is {'right' if right else 'WRONG'}")
        return 0 if right else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
