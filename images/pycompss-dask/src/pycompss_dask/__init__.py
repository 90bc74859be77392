"""PyCOMPSs on Dask distributed: the engine behind the modules of `pycompss`."""
