"""PyCOMPSs on Dask distributed: the engine behind the modules of `pycompss`."""

from compss_telemetry import limits

__version__ = "0.1.0"

limits.engine_measures = True
