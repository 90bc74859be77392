"""Exceptions of the binding."""

from pycompss_dask.errors import PyCOMPSsException

__all__ = ["PyCOMPSsException"]
