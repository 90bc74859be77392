from pycompss_dask.decorators import implement

Implement = implement

__all__ = ["Implement", "implement"]
