# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""COMPSs applications: what the rules read of their monitoring API, and what its image has to offer."""

from __future__ import annotations

from ..model import Metric
from .levels import once

# What the monitoring API (port 15000) and the Pushgateway must offer: name, Prometheus type, labels, meaning. Scraping
# adds cluster, namespace and pod; a pusher groups by job, namespace and application.
SERIES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("compss_application_info", "gauge", ("application", "engine", "version"), "1 while the application runs."),
    ("compss_application_start_time_seconds", "gauge", ("application",), "When the application started, Unix time."),
    (
        "compss_tasks",
        "gauge",
        ("application", "task", "state"),
        "Tasks by name and state: pending, running, completed, failed. Each task is in exactly one state.",
    ),
    (
        "compss_task_duration_seconds",
        "histogram",
        ("application", "task", "worker"),
        "Duration of the executions that have ended, by task name and worker.",
    ),
    (
        "compss_task_resubmissions_total",
        "counter",
        ("application", "task"),
        "Executions that were started again after a failure or the loss of a worker.",
    ),
    (
        "compss_worker_up",
        "gauge",
        ("application", "worker"),
        "1 for a worker that takes tasks, 0 for one that is gone.",
    ),
    (
        "compss_worker_computing_units",
        "gauge",
        ("application", "worker", "architecture"),
        "Computing units of a worker.",
    ),
    ("compss_worker_computing_units_used", "gauge", ("application", "worker"), "Computing units that tasks hold."),
    ("compss_queue_length", "gauge", ("application",), "Task events in the queue that the API has not read yet."),
    ("compss_events_total", "counter", ("application", "result"), "Task events read: result is accepted or refused."),
    (
        "deadlines_missed",
        "gauge",
        ("application", "task"),
        "Executions that took longer than their deadline. Pushed to the Pushgateway while the application runs; "
        "scraped where the application has none.",
    ),
    (
        "deadlines_checked",
        "gauge",
        ("application", "task"),
        "Executions with a deadline that have ended. Pushed or scraped with deadlines_missed.",
    ),
)

NO_COMPSS = "no COMPSs application runs"
NO_DEADLINE = "no COMPSs application has given its tasks deadlines"
BY = "$cluster, namespace, application"
REFUSED = once('rate(compss_events_total{$compss, result="refused"}[$window])')


def durations(part: str) -> str:
    return once(f"rate(compss_task_duration_seconds_{part}{{$compss}}[$window])")


def entry(
    name: str,
    unit: str,
    kind: str,
    meaning: str,
    expr: str,
    absent: str = NO_COMPSS,
    warning: float | None = None,
    critical: float | None = None,
    *,
    prompt: bool = False,
) -> Metric:
    return Metric(
        name=name,
        category="application",
        unit=unit,
        type=kind,
        meaning=meaning,
        expr=expr,
        origin="requirement",
        absent=absent,
        warning=warning,
        critical=critical,
        prompt=prompt,
    )


METRICS = (
    entry(
        "compss_application:info:max",
        "info",
        "info",
        "1 for each COMPSs application that runs, with its engine and version.",
        f"max by ({BY}, engine, version) (compss_application_info{{$compss}})",
    ),
    entry(
        "compss_application:run_time_seconds:max",
        "seconds",
        "gauge",
        "How long a COMPSs application has been running.",
        f"max by ({BY}) (time() - compss_application_start_time_seconds{{$compss}})",
    ),
    entry(
        "compss_task:tasks:sum",
        "count",
        "count",
        "Tasks of an application, by task name and state.",
        f"max by ({BY}, task, state) (compss_tasks{{$compss}})",
        prompt=True,
    ),
    entry(
        "compss_application:tasks:sum",
        "count",
        "count",
        "Tasks of an application, by state.",
        f"sum by ({BY}, state) (compss_task:tasks:sum)",
        prompt=True,
    ),
    entry(
        "cluster:compss_tasks:sum",
        "count",
        "count",
        "Tasks of all COMPSs applications, by state.",
        "sum by ($cluster, state) (compss_application:tasks:sum)",
    ),
    entry(
        "compss_application:progress:ratio",
        "ratio",
        "ratio",
        "Share of the tasks known so far that are completed. The master may still create more.",
        f"""\
sum by ({BY}) (compss_application:tasks:sum{{state="completed"}})
/ (sum by ({BY}) (compss_application:tasks:sum) > 0)""",
    ),
    entry(
        "compss_worker_task:executions:rate",
        "operations/s",
        "rate",
        "Executions ended per second, by task name and worker.",
        f"sum by ({BY}, task, worker) ({durations('count')})",
    ),
    entry(
        "compss_task:executions:rate",
        "operations/s",
        "rate",
        "Executions ended per second, by task name.",
        f"sum by ({BY}, task) (compss_worker_task:executions:rate)",
    ),
    entry(
        "compss_worker:executions:rate",
        "operations/s",
        "rate",
        "Executions ended per second, by worker.",
        f"sum by ({BY}, worker) (compss_worker_task:executions:rate)",
    ),
    entry(
        "compss_application:executions:rate",
        "operations/s",
        "rate",
        "Executions ended per second.",
        f"sum by ({BY}) (compss_task:executions:rate)",
    ),
    entry(
        "compss_worker_task:busy_seconds:rate",
        "ratio",
        "rate",
        "Seconds of execution ended per second, by task name and worker.",
        f"sum by ({BY}, task, worker) ({durations('sum')})",
    ),
    entry(
        "compss_task:duration_seconds:mean",
        "seconds",
        "gauge",
        "Mean duration of a task's executions, by task name.",
        f"""\
sum by ({BY}, task) (compss_worker_task:busy_seconds:rate)
/ (compss_task:executions:rate > 0)""",
    ),
    entry(
        "compss_worker:duration_seconds:mean",
        "seconds",
        "gauge",
        "Mean duration of the executions of a worker.",
        f"""\
sum by ({BY}, worker) (compss_worker_task:busy_seconds:rate)
/ (compss_worker:executions:rate > 0)""",
    ),
    entry(
        "compss_task:duration_seconds_bucket:rate",
        "operations/s",
        "rate",
        "Executions per second that ended within le seconds: for heat maps and quantiles.",
        f"sum by ({BY}, task, le) ({durations('bucket')})",
    ),
    *(
        entry(
            f"compss_task:duration_seconds:p{percent}",
            "seconds",
            "quantile",
            f"{percent} of 100 executions of a task are shorter.",
            f"histogram_quantile({percent / 100}, compss_task:duration_seconds_bucket:rate)",
        )
        for percent in (50, 95)
    ),
    entry(
        "compss_application:resubmissions:increase",
        "count",
        "count",
        "Executions started again over the last hour (trend_window).",
        f"sum by ({BY}) ({once('increase(compss_task_resubmissions_total{$compss}[$trend])')})",
    ),
    entry(
        "compss_worker:up:max",
        "count",
        "state",
        "1 for a worker that takes tasks.",
        f"max by ({BY}, worker) (compss_worker_up{{$compss}})",
    ),
    entry(
        "compss_application:workers:sum",
        "count",
        "count",
        "Workers of an application that take tasks.",
        f"sum by ({BY}) (compss_worker:up:max)",
    ),
    entry(
        "compss_worker:computing_units:max",
        "count",
        "gauge",
        "Computing units of a worker, with its architecture.",
        f"max by ({BY}, worker, architecture) (compss_worker_computing_units{{$compss}})",
    ),
    entry(
        "compss_worker:computing_units_used:max",
        "count",
        "gauge",
        "Computing units of a worker that tasks hold.",
        f"max by ({BY}, worker) (compss_worker_computing_units_used{{$compss}})",
    ),
    entry(
        "compss_application:computing_units:sum",
        "count",
        "gauge",
        "Computing units of an application's workers that take tasks.",
        f"""\
sum by ({BY}) (compss_worker:computing_units:max and on ({BY}, worker) (compss_worker:up:max == 1))""",
    ),
    entry(
        "compss_application:computing_units_used:ratio",
        "ratio",
        "ratio",
        "Share of an application's computing units that tasks hold.",
        f"""\
sum by ({BY}) (compss_worker:computing_units_used:max and on ({BY}, worker) (compss_worker:up:max == 1))
/ (compss_application:computing_units:sum > 0)""",
    ),
    entry(
        "compss_application:queue_length:max",
        "count",
        "gauge",
        "Task events that the monitoring API has not read yet.",
        f"max by ({BY}) (compss_queue_length{{$compss}})",
    ),
    entry(
        "compss_application:events_refused:rate",
        "operations/s",
        "rate",
        "Task events per second that the monitoring API could not understand.",
        f"sum by ({BY}) ({REFUSED})",
        warning=0.1,
    ),
    entry(
        "compss_task:deadlines_missed:max",
        "count",
        "total",
        "Executions of a task that took longer than their deadline since the application started.",
        f"max by ({BY}, task) (deadlines_missed{{$pushgateway}})",
        NO_DEADLINE,
        warning=1,
        prompt=True,
    ),
    entry(
        "compss_application:deadlines_missed:sum",
        "count",
        "total",
        "Executions of an application that took longer than their deadline since it started.",
        f"sum by ({BY}) (compss_task:deadlines_missed:max)",
        NO_DEADLINE,
        warning=1,
        prompt=True,
    ),
    entry(
        "cluster:compss_deadlines_missed:sum",
        "count",
        "total",
        "Missed deadlines of all COMPSs applications.",
        "sum by ($cluster) (compss_application:deadlines_missed:sum)",
        NO_DEADLINE,
        warning=1,
    ),
    entry(
        "compss_application:deadlines_missed:ratio",
        "ratio",
        "ratio",
        "Share of an application's executions with a deadline that missed it.",
        f"""\
compss_application:deadlines_missed:sum
/ (sum by ({BY}) (max by ({BY}, task) (deadlines_checked{{$pushgateway}})) > 0)""",
        NO_DEADLINE,
        warning=0.01,
        critical=0.1,
    ),
)
