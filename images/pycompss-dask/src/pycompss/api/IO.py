from pycompss_dask.decorators import io as IO

__all__ = ["IO"]
