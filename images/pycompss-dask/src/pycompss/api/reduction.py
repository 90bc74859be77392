from pycompss_dask.decorators import reduction

Reduction = reduction

__all__ = ["Reduction", "reduction"]
