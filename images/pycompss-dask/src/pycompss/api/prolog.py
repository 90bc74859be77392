from pycompss_dask.decorators import prolog

Prolog = prolog

__all__ = ["Prolog", "prolog"]
