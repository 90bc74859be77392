import pycompss_dask.api as _engine

__all__ = [name for name in _engine.__all__ if name != "COMPSsException"]

globals().update({name: getattr(_engine, name) for name in __all__})
