"""The PyCOMPSs API on Dask distributed. The engine is `pycompss_dask`; these modules give it PyCOMPSs' names."""
