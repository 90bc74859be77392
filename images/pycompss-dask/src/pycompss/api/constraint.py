from pycompss_dask.decorators import constraint

Constraint = constraint

__all__ = ["Constraint", "constraint"]
