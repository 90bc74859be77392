"""A stream that keeps its pace: frames come at a fixed rate, and each is shared out among the workers that are there.

In the middle the frames become twice as large. With a deadline on `step` the tasks are late from then on, until there
are more workers to share a frame: what a template of guarantees sees to. Each task steps a linear congruential
generator, and what a frame must give is known in closed form.
"""

from __future__ import annotations

import argparse
import sys
import time

from pycompss.api.api import compss_get_number_of_resources, compss_wait_on
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


def frame(number: int, iterations: int) -> int:
    """Two tasks for each worker, each from where the one before it will end. Returns what the last gives."""
    parts = max(2 * compss_get_number_of_resources(), 2)
    share = -(-iterations // parts)
    begins = range(0, iterations, share)
    values = [step(expected(number, begin), min(share, iterations - begin)) for begin in begins]
    return int(compss_wait_on(values)[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--period", type=float, default=2.0, help="seconds between two frames")
    parser.add_argument("--iterations", type=int, default=4_000_000, help="steps of a frame; twice as many later")
    parser.add_argument("--check", type=int, default=1, help="0 leaves out the check of the result")
    options = parser.parse_args()
    if options.frames < 1 or options.iterations < 1 or options.period < 0:
        parser.error(
            f"--frames {options.frames} --iterations {options.iterations} --period {options.period}: "
            "expected at least 1, 1 and 0"
        )

    right, late = True, 0
    due = time.monotonic()
    for number in range(options.frames):
        iterations = options.iterations * (2 if number >= options.frames // 2 else 1)
        began = time.monotonic()
        value = frame(number, iterations)
        took = time.monotonic() - began
        late += took > options.period
        right = right and (not options.check or value == expected(number, iterations))
        print(f"stream: frame {number} in {took:.2f} s, {compss_get_number_of_resources()} workers", flush=True)
        due += options.period
        time.sleep(max(0.0, due - time.monotonic()))
    print(f"stream: {late} of {options.frames} frames took longer than {options.period:g} s")
    if options.check:
        print(f"stream: the result is {'right' if right else 'WRONG'}")
        return 0 if right else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
