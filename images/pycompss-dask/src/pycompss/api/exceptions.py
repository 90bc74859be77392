from pycompss_dask.errors import COMPSsException

__all__ = ["COMPSsException"]
