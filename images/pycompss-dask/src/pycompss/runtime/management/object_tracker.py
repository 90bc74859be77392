from pycompss_dask.errors import unsupported

raise unsupported("pycompss.runtime.management.object_tracker")
