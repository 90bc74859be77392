"""What a task call gives back."""

from pycompss_dask.data import Future

__all__ = ["Future"]
