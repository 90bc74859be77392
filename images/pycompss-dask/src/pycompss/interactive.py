from pycompss_dask.interactive import (
    complete_task_graph,
    current_task_graph,
    resources_status,
    start,
    statistics,
    stop,
    tasks_info,
    tasks_status,
)

__all__ = [
    "complete_task_graph",
    "current_task_graph",
    "resources_status",
    "start",
    "statistics",
    "stop",
    "tasks_info",
    "tasks_status",
]
