from pycompss_dask.decorators import binary

Binary = binary

__all__ = ["Binary", "binary"]
