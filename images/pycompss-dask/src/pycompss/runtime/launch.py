from pycompss_dask.errors import unsupported

raise unsupported("pycompss.runtime.launch")
