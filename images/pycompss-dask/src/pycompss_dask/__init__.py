"""PyCOMPSs on Dask distributed: the engine behind the modules of `pycompss`."""

from compss_telemetry import limits

limits.engine_measures = True
