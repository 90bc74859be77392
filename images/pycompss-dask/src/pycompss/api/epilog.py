from pycompss_dask.decorators import epilog

Epilog = epilog

__all__ = ["Epilog", "epilog"]
