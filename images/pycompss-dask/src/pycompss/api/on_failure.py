from pycompss_dask.decorators import on_failure

OnFailure = onFailure = on_failure

__all__ = ["OnFailure", "onFailure", "on_failure"]
