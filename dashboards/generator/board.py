# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""A dashboard: rows of panels, variables, links to its neighbours, annotations."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import prometheus
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from .panels import DATASOURCE, Panel, render
from .query import expand

# The SDK recommends the schema v2; docs/decisions/0005-dashboards.md says why it is not used yet.
warnings.filterwarnings("ignore", message="Prefer using dashboardv2", category=DeprecationWarning)

WIDTH = 24
# Series without such a label match, too: cgroups of the system belong to no pod. The cluster is always matched.
ALL = ".*"


@dataclass(frozen=True)
class Variable:
    """A choice. Its values are those of `label` on a record, under the choices before it."""

    label: str
    record: str
    title: str
    multi: bool = True


VARIABLES = {
    "cluster": Variable("cluster", "cluster:nodes:count", "Cluster", multi=False),
    "node": Variable("node", "node:ready:max", "Node"),
    "namespace": Variable("namespace", "namespace:pods:count", "Namespace"),
    "pod": Variable("pod", "pod:active:max", "Pod"),
    "application": Variable("application", "compss_application:info:max", "Application", multi=False),
    "task": Variable("task", "compss_task:tasks:sum", "Task"),
}


@dataclass(frozen=True)
class Row:
    title: str
    panels: tuple[Panel, ...]


def row(title: str, *panels: Panel) -> Row:
    return Row(title, panels)


@dataclass(frozen=True)
class Board:
    """`folder` is Grafana's folder, `key` names the file and, with a prefix, the UID, which never changes."""

    key: str
    folder: str
    title: str
    about: str
    variables: tuple[str, ...]
    rows: tuple[Row, ...]
    # The next levels down, and what lies beside.
    links: tuple[str, ...] = ()
    texts: tuple[tuple[str, str, str], ...] = ()

    @property
    def uid(self) -> str:
        return uid(self.key)


def uid(key: str) -> str:
    return f"continuum-{key}"


def to(key: str, **chosen: str) -> str:
    """The address of a dashboard with its data source, cluster and time kept and some of its variables chosen."""
    query = ["${datasource:queryparam}", "${cluster:queryparam}", "${__url_time_range}"]
    return f"/d/{uid(key)}?" + "&".join([*query, *(f"var-{name}={value}" for name, value in chosen.items())])


def placed(rows: tuple[Row, ...]) -> Iterator[tuple[Row | Panel, int, int, int]]:
    """Rows and panels with a number and a place: panels fill a line from the left, and every line is full."""
    number, y = 0, 0
    for one in rows:
        number += 1
        yield one, number, 0, y
        y, x, height = y + 1, 0, 0
        for panel in one.panels:
            if x and panel.height != height:
                raise ValueError(f"row {one.title!r}: {panel.title!r} is not as high as its neighbour")
            if x + panel.width > WIDTH:
                raise ValueError(f"row {one.title!r}: {panel.title!r} does not fit its line")
            number, height = number + 1, panel.height
            yield panel, number, x, y
            x += panel.width
            if x == WIDTH:
                x, y = 0, y + height
        if x:
            raise ValueError(f"row {one.title!r} ends at {x} of {WIDTH}")


def query_variable(name: str, before: tuple[str, ...]) -> build.QueryVariable:
    variable = VARIABLES[name]
    query = f"label_values({expand(variable.record, before)}, {variable.label})"
    made = (
        build.QueryVariable(name)
        .label(variable.title)
        .datasource(DATASOURCE)
        .query({"query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery", "qryType": 5})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NATURAL_ASC)
    )
    if variable.multi:
        made.multi(True).include_all(True).all_value(ALL)
        made.current(models.VariableOption(selected=True, text=["All"], value=["$__all"]))
    return made


# What changed on the cluster, to hold against the curves. Offsets compare each step with the one before; changes()
# reads every application once only, which counts on large clusters.
AVAILABLE = "node:available:min"
SEEN = "and on (cluster) cluster:nodes:count offset $__interval"
ANNOTATIONS = (
    (
        "Deployments",
        "blue",
        "changes(application:generation:max[$__rate_interval]) > 0",
        "{{workload_type}} {{workload}}",
        "Changed in namespace {{namespace}}",
        "namespace,workload",
    ),
    (
        "Nodes lost",
        "red",
        f"{AVAILABLE} offset $__interval > 0 unless {AVAILABLE} > 0",
        "Node {{node}}",
        "Not ready, cordoned or gone",
        "node",
    ),
    (
        "Nodes gained",
        "green",
        f"{AVAILABLE} > 0 unless {AVAILABLE} offset $__interval > 0 {SEEN}",
        "Node {{node}}",
        "Takes pods",
        "node",
    ),
)


def marks() -> Iterator[build.AnnotationQuery]:
    for name, shade, expr, title, text, tags in ANNOTATIONS:
        query = prometheus.Dataquery().ref_id("Anno").expr(expand(expr, ("cluster",))).interval("1m").range()
        yield (
            build.AnnotationQuery()
            .name(name)
            .datasource(DATASOURCE)
            .enable(True)
            .icon_color(shade)
            .target(query)
            .title_format(title)
            .text_format(text)
            .tag_keys(tags)
        )


def render_board(board: Board, titles: dict[str, str]) -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    made = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.about)
        .tags(["continuum", board.folder.lower().replace(" ", "-")])
        .editable()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
    )
    made.with_variable(build.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for i, name in enumerate(board.variables):
        made.with_variable(query_variable(name, board.variables[:i]))
    for name, label, default in board.texts:
        made.with_variable(build.TextBoxVariable(name).label(label).default_value(default))
    for annotation in marks():
        made.annotation(annotation)
    for key in board.links:
        link = build.DashboardLink(titles[key]).type(models.DashboardLinkType.LINK).url(f"/d/{uid(key)}")
        made.link(link.include_vars(True).keep_time(True).icon("dashboard"))
    for thing, number, x, y in placed(board.rows):
        if isinstance(thing, Row):
            position = models.GridPos(h=1, w=WIDTH, x=0, y=y)
            made.with_row(build.Row(thing.title).id(number).grid_pos(position).collapsed(False))
        else:
            made.with_panel(render(thing, number, x, y, board.variables))
    rendered: dict[str, Any] = json.loads(json.dumps(made.build(), cls=JSONEncoder))
    return tidy(rendered)


def tidy(dashboard: dict[str, Any]) -> dict[str, Any]:
    """Drop what the SDK writes and Grafana 13 no longer reads."""
    for variable in dashboard["templating"]["list"]:
        for key in ("auto", "auto_min", "auto_count", "definition"):
            variable.pop(key, None)
    for panel in dashboard["panels"]:
        panel.get("options", {}).pop("footer", None)
        defaults = panel.get("fieldConfig", {}).get("defaults", {})
        if "links" in defaults:
            defaults["links"] = [{"title": link["title"], "url": link["url"]} for link in defaults["links"]]
    return dashboard
