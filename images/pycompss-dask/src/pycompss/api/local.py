from pycompss_dask.decorators import local

__all__ = ["local"]
