"""The shapes of the API's answers, for its OpenAPI description."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

_LABELS = [{"cluster": "edge", "node": "edge-1"}]
Number = float | Literal["NaN", "+Inf", "-Inf"]


class Problem(BaseModel):
    """Why there is no other answer."""

    reason: str = Field(examples=["there is no metric 'node:cpu:rate'; did you mean node:load1:max?"])
    did_you_mean: list[str] = Field(default=[], examples=[["node:cpu_usage_cores:rate"]])


class Metric(BaseModel):
    name: str = Field(examples=["node:cpu_usage_cores:rate"])
    level: str = Field(description="What one series is about.", examples=["node"])
    category: str = Field(examples=["cpu"])
    unit: str = Field(examples=["cores"])
    type: str = Field(examples=["rate"])
    meaning: str
    labels: list[str] = Field(description="Labels that its series may have.", examples=[["cluster", "node"]])
    more_labels: bool = Field(description="Whether they may have others, too.", examples=[False])
    absent: str = Field(description="Why a healthy cluster may have no series of it; empty where that is a fault.")
    warning: float | None = Field(examples=[0.8])
    critical: float | None = Field(examples=[0.95])
    reads: list[str] = Field(description="Metrics that it is computed from.")
    exporters: list[str] = Field(description="Exporters that feed it.", examples=[["cadvisor"]])


class Metrics(BaseModel):
    metrics: list[Metric]


class Value(BaseModel):
    metric: str = Field(examples=["node:cpu_usage_cores:rate"])
    unit: str = Field(examples=["cores"])
    labels: dict[str, str] = Field(examples=_LABELS)
    time: float = Field(description="Seconds since 1970.", examples=[1795595506.4])
    value: Number = Field(examples=[0.42])


class Values(BaseModel):
    values: list[Value]


class Points(BaseModel):
    metric: str = Field(examples=["node:cpu_usage_cores:rate"])
    unit: str = Field(examples=["cores"])
    labels: dict[str, str] = Field(examples=_LABELS)
    points: list[tuple[float, Number]] = Field(
        description="Seconds since 1970, and the value.", examples=[[(1795595500.0, 0.42), (1795595530.0, 0.4)]]
    )


class History(BaseModel):
    start: float = Field(examples=[1795591906.0])
    end: float = Field(examples=[1795595506.0])
    step: float = Field(description="Seconds between two points.", examples=[30.0])
    series: list[Points]


class Alert(BaseModel):
    name: str = Field(examples=["DiskFullSoon"])
    state: Literal["pending", "firing"]
    severity: str = Field(examples=["warning"])
    since: str = Field(examples=["2026-11-25T08:02:43.5Z"])
    labels: dict[str, str] = Field(examples=_LABELS)
    summary: str
    description: str
    runbook: str


class Alerts(BaseModel):
    alerts: list[Alert]


class Resource(BaseModel):
    """A figure that nobody has is not there."""

    size: float | None = None
    allocatable: float | None = None
    used: float | None = None
    requested: float | None = None
    free: float | None = Field(default=None, description="What a pod may still request.")


class Node(BaseModel):
    name: str = Field(examples=["edge-1"])
    healthy: bool | None = None
    schedulable: bool | None = None
    problems: float | None = None
    cpu_cores: Resource | None = None
    memory_bytes: Resource | None = None
    filesystem_bytes: Resource | None = None
    pods: Resource | None = None
    gpus: float | None = None
    power_watts: float | None = None
    labels: dict[str, str] | None = None
    architecture: str | None = Field(default=None, examples=["arm64"])
    taints: list[dict[str, Any]] | None = None


class Application(BaseModel):
    namespace: str
    name: str
    state: Literal["pending", "running", "suspended", "succeeded", "failed"]
    started: str | None = None
    ended: str | None = None
    progress: float | None = Field(default=None, description="Share of its tasks that have ended.")
    tasks: dict[str, float] | None = Field(default=None, description="Number of tasks by state.")
    workers: float | None = None
    computing_units: float | None = None
    queue_length: float | None = None
    executions_per_second: float | None = None
    run_time_seconds: float | None = None
    deadlines_missed: float | None = None


class States(BaseModel):
    """Number of tasks by state."""

    pending: int = Field(examples=[12])
    running: int = Field(examples=[4])
    completed: int = Field(examples=[80])
    failed: int = Field(examples=[0])


class Worker(BaseModel):
    up: bool = Field(description="Whether it takes tasks.")
    architecture: str = Field(examples=["arm64"])
    computing_units: int = Field(examples=[2])
    computing_units_used: int = Field(examples=[1])


class Deadline(BaseModel):
    """Executions of the tasks of one name that have a deadline."""

    checked: int = Field(examples=[20])
    missed: int | None = Field(description="Null where nobody has checked any.", examples=[2])
    not_checked: int = Field(examples=[0])


class Durations(BaseModel):
    """Executions of the tasks of one name on one worker."""

    task: str = Field(examples=["multiply"])
    worker: str = Field(examples=["matmul-worker-0"])
    count: int = Field(examples=[32])
    sum: float = Field(description="Seconds, in all.", examples=[14.2])


class Progress(BaseModel):
    application: str = Field(examples=["matmul"])
    namespace: str = Field(examples=["compss"])
    engine: Literal["compss", "dask"]
    version: str
    phase: Literal["waiting", "running", "ended", "failed"]
    started: float | None = Field(description="Seconds since 1970.", examples=[1795595506.4])
    ended: float | None
    tasks: dict[str, States] = Field(description="By name.")
    totals: States
    durations: list[Durations]
    workers: dict[str, Worker] = Field(description="By name.")
    deadlines: dict[str, Deadline] = Field(description="By name of the task.")
    resubmissions: dict[str, int] = Field(description="Executions that were started again, by name of the task.")


class Name(States):
    name: str = Field(examples=["multiply"])


class Edge(BaseModel):
    source: str = Field(description="Name of the tasks that are read from.", examples=["generate"])
    target: str = Field(description="Name of the tasks that read.", examples=["multiply"])
    count: int = Field(examples=[64])


class Task(BaseModel):
    id: int = Field(examples=[33])
    name: str = Field(examples=["multiply"])
    state: Literal["pending", "running", "completed", "failed"]
    reads: list[int] = Field(description="Tasks whose output it reads.", examples=[[1, 17]])


class Graph(BaseModel):
    called: int = Field(description="Tasks that have been called.", examples=[96])
    names: list[Name]
    edges: list[Edge]
    tasks: list[Task] = Field(description="Empty where they are more than 500.")


class Execution(BaseModel):
    id: int = Field(examples=[33])
    name: str = Field(examples=["multiply"])
    worker: str = Field(examples=["matmul-worker-0"])
    start: float = Field(description="Seconds since 1970.", examples=[1795595506.4])
    end: float | None = Field(description="Null while it runs.", examples=[1795595507.1])
    state: Literal["running", "completed", "failed"]


class Timeline(BaseModel):
    time: float = Field(description="When this was so, in seconds since 1970.", examples=[1795595510.0])
    executions: int = Field(description="How many have ended, in all.", examples=[80])
    tasks: list[Execution] = Field(description="At most the last 3000 that ended, and what runs.")


class View(BaseModel):
    nodes: list[Node]
    applications: list[Application]
    alerts: list[Alert]
    not_given: dict[str, str] = Field(description="What the back-end never has, with the reason.")


class Fed(BaseModel):
    exporter: str = Field(examples=["dcgm"])
    feeds: str
    targets_up: int | None = Field(description="Null where nothing tells its targets from others'.")
    targets_down: list[dict[str, str]] | None


class Read(BaseModel):
    metric: str
    series: int


class Reason(BaseModel):
    metric: str = Field(examples=["gpu:usage:ratio"])
    series: int = Field(description="How many it has now.")
    reason: str = Field(examples=["no node has an NVIDIA GPU with the DCGM exporter"])
    exporters: list[Fed]
    reads: list[Read]
    absent: str


class Listed(BaseModel):
    key: str = Field(examples=["cluster"])
    title: str = Field(examples=["Cluster overview"])
    about: str


class LabelValues(BaseModel):
    start: float = Field(description="Seconds since 1970.")
    end: float = Field(description="Seconds since 1970.")
    values: list[str] = Field(examples=[["edge-1", "edge-2"]])


class Boards(BaseModel):
    boards: list[Listed]


class Variable(BaseModel):
    name: str = Field(examples=["node"])
    title: str
    label: str = Field(description="The label of the record whose values can be chosen.")
    record: str = Field(examples=["node:ready:max"])
    multi: bool = Field(description="Whether several values can be chosen; none are all.")
    under: list[str] = Field(description="Variables before it that its values depend on.", examples=[["cluster"]])


class PanelQuery(BaseModel):
    legend: str = Field(description="Name of a series; {{label}} stands for the label's value.", examples=["{{node}}"])
    unit: str


class Panel(BaseModel):
    kind: Literal["stat", "timeseries", "bargauge", "state-timeline", "table", "heatmap"]
    title: str
    note: str
    width: int = Field(description="Of 24 columns.")
    present: bool = Field(description="Whether it shows one moment, not a range.")
    link: str = Field(
        description="Where a row of a table leads within the page; {label} stands for the row's label.",
        examples=["#/pods?node={node}"],
    )
    absent: str = Field(description="Why a healthy cluster may have no data for it.")
    steps: list[tuple[float | None, str]] = Field(description="From which value on which colour.")
    options: dict[str, Any]
    queries: list[PanelQuery]


class Row(BaseModel):
    title: str
    panels: list[Panel] = Field(description="Panels have the numbers that they have in all rows together, from 0 on.")


class Board(Listed):
    variables: list[Variable]
    rows: list[Row]


class DrawnSeries(BaseModel):
    labels: dict[str, str] = Field(examples=_LABELS)
    points: list[tuple[float, Number]]


class Drawn(BaseModel):
    start: float
    end: float
    step: float
    queries: list[list[DrawnSeries]]
