"""Tasks that Numba compiles."""

from __future__ import annotations

from pycompss.api.parameter import INOUT
from pycompss.api.task import task


@task(returns=1, numba=True)
def by_jit(value):
    return value * value + 1


@task(returns=1, numba="njit", numba_flags={"fastmath": True})
def by_njit(value):
    return value * value + 1


@task(returns=1, numba={"nogil": True})
def by_flags(value):
    return value * value + 1


@task(returns=1, numba="vectorize", numba_signature=["float64(float64)"])
def by_vectorize(value):
    return value * value + 1


@task(returns=1, numba="cfunc", numba_signature="float64(float64)")
def by_cfunc(value):
    return value * value + 1


@task(
    result=INOUT,
    numba="guvectorize",
    numba_signature=["(float64[:], float64, float64[:])"],
    numba_declaration="(n),()->(n)",
)
def by_guvectorize(values, offset, result):
    for place in range(values.shape[0]):
        result[place] = values[place] + offset


@task(returns=1, numba=True)
def incremented(value):
    return value + 1
