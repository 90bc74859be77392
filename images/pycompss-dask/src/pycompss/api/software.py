from pycompss_dask.decorators import software

Software = software

__all__ = ["Software", "software"]
