from pycompss_dask.decorators import local

Local = local

__all__ = ["Local", "local"]
