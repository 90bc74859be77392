# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""COMPSs applications: all of them, and one."""

from __future__ import annotations

from .board import Board, row, to
from .panels import bars, graph, heat, stat_, states, table_, words

FOLDER = "COMPSs"
APPLICATION = "{{namespace}}/{{application}}"
ONE = to("compss-application", namespace="${__data.fields.namespace}", application="${__data.fields.application}")
ONE_OF_SERIES = to(
    "compss-application", namespace="${__field.labels.namespace}", application="${__field.labels.application}"
)


def tasks(state: str) -> str:
    return f'sum by (cluster, namespace, application) (compss_application:tasks:sum{{state="{state}"}})'


# Replaced by the role with grafana_results_url and grafana_page_url.
NO_RESULTS_URL = "/#grafana_results_url-is-not-set"
NO_PAGE_URL = "/#grafana_page_url-is-not-set"

FLEET = Board(
    "compss-fleet",
    FOLDER,
    "COMPSs fleet",
    "Every COMPSs application of the cluster: how far it is, on how many workers, and whether it keeps its deadlines.",
    ("cluster", "namespace"),
    (
        row(
            "Now",
            stat_("Applications", "count(compss_application:info:max)", width=4),
            stat_("Tasks running", 'sum(compss_application:tasks:sum{state="running"})', width=4),
            stat_("Tasks pending", 'sum(compss_application:tasks:sum{state="pending"})', width=4),
            stat_(
                "Tasks failed",
                'sum(compss_application:tasks:sum{state="failed"})',
                width=4,
                thresholds=((None, "green"), (1, "red")),
            ),
            stat_("Workers", "sum(compss_application:workers:sum)", width=4),
            stat_("Deadlines missed", "sum(compss_application:deadlines_missed:sum)", width=4),
        ),
        row(
            "Applications",
            table_(
                "Applications",
                ("namespace", "application", "engine", "version"),
                ("", "compss_application:info:max"),
                ("runs for", "compss_application:run_time_seconds:max"),
                ("progress", "compss_application:progress:ratio"),
                ("completed", tasks("completed")),
                ("running", tasks("running")),
                ("pending", tasks("pending")),
                ("failed", tasks("failed")),
                ("tasks per second", "compss_application:executions:rate"),
                ("workers", "compss_application:workers:sum"),
                ("computing units", "compss_application:computing_units:sum"),
                ("of them in use", "compss_application:computing_units_used:ratio"),
                ("deadlines missed", "compss_application:deadlines_missed:sum"),
                ("started again", "compss_application:resubmissions:increase"),
                key="application",
                link=ONE,
                height=10,
            ),
        ),
        row(
            "Over time",
            graph("Tasks by state", ("{{state}}", "cluster:compss_tasks:sum"), width=8, options={"stack": True}),
            graph("Executions", (APPLICATION, "compss_application:executions:rate"), width=8, link=ONE_OF_SERIES),
            graph("Progress", (APPLICATION, "compss_application:progress:ratio"), width=8, link=ONE_OF_SERIES),
            graph("Workers", (APPLICATION, "compss_application:workers:sum"), width=8, link=ONE_OF_SERIES),
            graph(
                "Computing units in use",
                (APPLICATION, "compss_application:computing_units_used:ratio"),
                width=8,
                link=ONE_OF_SERIES,
            ),
            graph(
                "Deadlines missed",
                (APPLICATION, "compss_application:deadlines_missed:sum"),
                width=8,
                link=ONE_OF_SERIES,
            ),
        ),
        row(
            "Telemetry",
            graph("Events waiting to be read", (APPLICATION, "compss_application:queue_length:max"), width=8),
            graph("Events refused", (APPLICATION, "compss_application:events_refused:rate"), width=8),
            graph(
                "Executions started again in the last hour",
                (APPLICATION, "compss_application:resubmissions:increase"),
                width=8,
            ),
        ),
    ),
    ("cluster", "compss-application", "namespaces"),
)

ONE_APPLICATION = Board(
    "compss-application",
    FOLDER,
    "COMPSs application",
    "One COMPSs application: its tasks by name and state, how long they take, its workers, its deadlines, its results.",
    ("cluster", "namespace", "application", "task"),
    (
        row(
            "Now",
            stat_("Runs for", "max(compss_application:run_time_seconds:max)", width=4),
            stat_(
                "Progress", "max(compss_application:progress:ratio)", width=4, thresholds=((None, "blue"), (1, "green"))
            ),
            stat_("Tasks per second", "sum(compss_application:executions:rate)", width=4),
            stat_("Workers", "sum(compss_application:workers:sum)", width=4),
            stat_("Computing units in use", "max(compss_application:computing_units_used:ratio)", width=4),
            stat_("Executions over their deadline", "max(compss_application:deadlines_missed:ratio)", width=4),
        ),
        row(
            "Tasks",
            graph(
                "Tasks by state",
                ("{{state}}", "sum by (state) (compss_application:tasks:sum)"),
                width=8,
                options={"stack": True},
            ),
            graph(
                "Executions by task name",
                ("{{task}}", 'compss_task:executions:rate{task=~"$task"}'),
                width=8,
                options={"stack": True},
            ),
            graph(
                "Mean duration by task name", ("{{task}}", 'compss_task:duration_seconds:mean{task=~"$task"}'), width=8
            ),
            table_(
                "Task names",
                ("task",),
                ("completed", 'sum by (task) (compss_task:tasks:sum{state="completed", task=~"$task"})'),
                ("running", 'sum by (task) (compss_task:tasks:sum{state="running", task=~"$task"})'),
                ("pending", 'sum by (task) (compss_task:tasks:sum{state="pending", task=~"$task"})'),
                ("failed", 'sum by (task) (compss_task:tasks:sum{state="failed", task=~"$task"})'),
                ("per second", 'sum by (task) (compss_task:executions:rate{task=~"$task"})'),
                ("mean", 'max by (task) (compss_task:duration_seconds:mean{task=~"$task"})'),
                ("50 %", 'max by (task) (compss_task:duration_seconds:p50{task=~"$task"})'),
                ("95 %", 'max by (task) (compss_task:duration_seconds:p95{task=~"$task"})'),
                ("deadlines missed", 'max by (task) (compss_task:deadlines_missed:max{task=~"$task"})'),
            ),
        ),
        row(
            "Durations by task name",
            heat(
                "Durations of $task",
                'sum by (le) (compss_task:duration_seconds_bucket:rate{task=~"$task"})',
                width=24,
                repeat="task",
            ),
        ),
        row(
            "Workers",
            states(
                "Workers",
                "{{worker}}",
                "compss_worker:up:max",
                width=12,
                text={"0": ("gone", "red"), "1": ("takes tasks", "green")},
            ),
            table_(
                "Workers and their load",
                ("worker", "architecture"),
                ("computing units", "compss_worker:computing_units:max"),
                ("in use", "sum by (cluster, namespace, application, worker) (compss_worker:computing_units_used:max)"),
                (
                    "tasks per second",
                    "sum by (cluster, namespace, application, worker) (compss_worker:executions:rate)",
                ),
                (
                    "mean duration",
                    "max by (cluster, namespace, application, worker) (compss_worker:duration_seconds:mean)",
                ),
                width=12,
            ),
            graph(
                "Executions by worker",
                ("{{worker}}", "compss_worker:executions:rate"),
                width=8,
                options={"stack": True},
            ),
            graph(
                "Cores busy by worker",
                ("{{worker}}", 'sum by (worker) (compss_worker_task:busy_seconds:rate{task=~"$task"})'),
                width=8,
                unit="short",
                note="Seconds of execution ended per second: how many computing units a worker keeps busy.",
            ),
            bars(
                "Executions of each task on each worker",
                "{{worker}} {{task}}",
                'compss_worker_task:executions:rate{task=~"$task"}',
            ),
        ),
        row(
            "Deadlines and results",
            graph(
                "Deadlines missed by task name",
                ("{{task}}", 'compss_task:deadlines_missed:max{task=~"$task"}'),
                width=12,
            ),
            words(
                "Results",
                "While it runs: [follow it live](${page}/#/application/$namespace/$application) on the page of the"
                " Monitoring API (`grafana_page_url`): its task graph as it grows, and its timeline.\n\n"
                "Results of **$application** in namespace **$namespace**: [open them](${results}) where the site"
                " serves them (`grafana_results_url`).\n\nAnywhere else they lie on the volume of the application:"
                " `jobs/`, `monitor/` (task graph), `trace/` (timeline), `workers/`, `runtime.log`.\n\n```\n"
                "kubectl -n $namespace get persistentvolumeclaims -l app.kubernetes.io/instance=$application\n```",
                width=12,
                height=8,
            ),
        ),
    ),
    ("compss-fleet", "pods"),
    texts=(("results", "Results", NO_RESULTS_URL), ("page", "Page of the Monitoring API", NO_PAGE_URL)),
)

BOARDS = (FLEET, ONE_APPLICATION)
