from pycompss_dask.definition import task_decorator as task

Task = task

__all__ = ["Task", "task"]
