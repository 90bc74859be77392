"""@task(numba=…): workers compile the function, where they have Numba."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest
from compiled import *  # noqa: F403
from pycompss.api.api import compss_wait_on
from pycompss.api.task import task
from pycompss_dask.errors import TaskFailed
from pycompss_dask.runtime import Runtime

# ruff: noqa: F405

needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="numba is not installed")


@needs_numba
@pytest.mark.parametrize("call", [by_jit, by_njit, by_flags, by_vectorize, by_cfunc], ids=lambda call: call.__name__)
def test_compiled_function(engine: Runtime, call: Any) -> None:
    assert compss_wait_on([call(value) for value in (2.0, 3.0)]) == [5.0, 10.0]


@needs_numba
def test_function_that_workers_cannot_import(engine: Runtime) -> None:
    offset = 7.0

    def shifted(value: float) -> float:
        return value + offset

    assert compss_wait_on([task(returns=1, numba=True)(shifted)(float(number)) for number in range(3)]) == [7, 8, 9]


@needs_numba
def test_generalised_function_writes_its_last_parameter(engine: Runtime) -> None:
    values, result = np.arange(4.0), np.zeros(4)
    by_guvectorize(values, 2.0, result)
    assert compss_wait_on(result).tolist() == [2, 3, 4, 5]


@needs_numba
def test_function_is_compiled(engine: Runtime) -> None:
    # Compiled numbers have 64 bits.
    assert compss_wait_on(incremented(2**63 - 1)) == -(2**63)


@pytest.mark.skipif(importlib.util.find_spec("numba") is not None, reason="numba is installed")
def test_worker_without_numba_is_told(own_engine: Runtime) -> None:
    with pytest.raises(TaskFailed, match="No module named 'numba'"):
        compss_wait_on(by_jit(2.0))
