# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The kinds of panel. Unit, thresholds, description and the reason for having no data come from the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import text as markdown
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

from .query import METRIC, expand, labels, records

DATASOURCE = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, YELLOW, RED = "green", "orange", "red"
# Unit of the catalogue -> unit of Grafana.
UNITS = {
    "bytes": "bytes",
    "bytes/s": "binBps",
    "celsius": "celsius",
    "cores": "short",
    "count": "short",
    "info": "none",
    "operations/s": "ops",
    "packets/s": "pps",
    "percent": "percent",
    "ratio": "percentunit",
    "requests/s": "reqps",
    "seconds": "s",
    "watts": "watt",
}


@dataclass(frozen=True)
class Panel:
    """One panel. `queries` are pairs of legend and expression; in a table the legend heads the column."""

    kind: str
    title: str
    queries: tuple[tuple[str, str], ...] = ()
    width: int = 12
    height: int = 8
    # Where the catalogue's own text is not enough.
    note: str = ""
    # Why there may be no data, where the catalogue has no reason of its own.
    absent: str = ""
    unit: str = ""
    link: str = ""
    thresholds: tuple[tuple[float | None, str], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def stat_(title: str, expr: str, width: int = 3, **more: Any) -> Panel:
    return Panel("stat", title, (("", expr),), width, more.pop("height", 4), **more)


def graph(title: str, *queries: tuple[str, str], width: int = 12, **more: Any) -> Panel:
    return Panel("timeseries", title, queries, width, **more)


def table_(title: str, by: Sequence[str], *columns: tuple[str, str], width: int = 24, **more: Any) -> Panel:
    """One row for each set of the labels `by`, one column for each query; one without a head only brings its labels.

    The link is on the column `key`, the last label where none is named.
    """
    return Panel("table", title, columns, width, options={"by": tuple(by), "key": more.pop("key", by[-1])}, **more)


def bars(title: str, legend: str, expr: str, width: int = 8, **more: Any) -> Panel:
    return Panel("bargauge", title, ((legend, expr),), width, **more)


def heat(title: str, expr: str, width: int = 12, **more: Any) -> Panel:
    """A heat map of a histogram's buckets."""
    return Panel("heatmap", title, (("{{le}}", expr),), width, options={"repeat": more.pop("repeat", "")}, **more)


def states(title: str, legend: str, expr: str, width: int = 24, **more: Any) -> Panel:
    return Panel("state-timeline", title, ((legend, expr),), width, options={"text": more.pop("text", {})}, **more)


def words(title: str, content: str, width: int = 24, height: int = 4) -> Panel:
    return Panel("text", title, (), width, height, note=title, options={"content": content})


def unit_of(expression: str) -> str:
    """The unit of what an expression gives: of its first record, or a number where it counts."""
    if re.match(r"(count|count_values)\b", expression):
        return "short"
    first = records(expression)[0]
    return UNITS[METRIC[first].unit] if first in METRIC else "short"


def reason(panel: Panel, expression: str) -> str:
    """Why an expression may find nothing on a healthy cluster; empty where that is a fault."""
    return panel.absent or next((METRIC[r].absent for r in records(expression) if r in METRIC and METRIC[r].absent), "")


def description(panel: Panel, variables: Sequence[str]) -> str:
    read = list(dict.fromkeys(r for _, expr in panel.queries for r in records(expr)))
    metrics = [METRIC[r] for r in read if r in METRIC]
    parts = [panel.note or "\n".join(dict.fromkeys(metric.meaning for metric in metrics))]
    absences = dict.fromkeys(reason(panel, expr) for _, expr in panel.queries)
    if why := "; ".join(filter(None, absences)):
        parts.append(f"Without data where {why}.")
    unfiltered = {v for v in variables if v in ("node", "namespace", "pod") and not any(v in labels(r) for r in read)}
    if metrics and unfiltered and all(metric.level != "cluster" for metric in metrics):
        parts.append(f"Not filtered by {' and '.join(sorted(unfiltered))}.")
    if read:
        parts.append("Reads " + ", ".join(f"`{r}`" for r in read) + ".")
    return "\n\n".join(parts)


def steps(panel: Panel) -> list[models.Threshold]:
    """The catalogue's limits, of the first record that has some, in the colours of a traffic light."""
    if panel.thresholds:
        return [models.Threshold(value=value, color=color) for value, color in panel.thresholds]
    limits = [(m.warning, m.critical) for _, expr in panel.queries for r in records(expr) if (m := METRIC.get(r))]
    warning, critical = next((pair for pair in limits if pair != (None, None)), (None, None))
    thresholds = [models.Threshold(value=None, color=GREEN)]
    thresholds += [models.Threshold(value=warning, color=YELLOW)] if warning is not None else []
    thresholds += [models.Threshold(value=critical, color=RED)] if critical is not None else []
    return thresholds


def data_link(panel: Panel) -> list[Any]:
    return [build.DashboardLink("Show details").url(panel.link)] if panel.link else []


def color(mode: models.FieldColorModeId) -> build.FieldColor:
    return build.FieldColor().mode(mode)


def value_options() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False)


def dress_stat(panel: Panel) -> stat.Panel:
    made = (
        stat.Panel()
        .color_mode(shapes.BigValueColorMode.VALUE)
        .graph_mode(shapes.BigValueGraphMode.AREA)
        .reduce_options(value_options())
        .color_scheme(color(models.FieldColorModeId.THRESHOLDS))
    )
    if zero := panel.options.get("zero"):
        made.mappings([models.ValueMap(options={"0": models.ValueMappingResult(text=zero)})])
    return made


def dress_timeseries(panel: Panel) -> timeseries.Panel:
    made = (
        timeseries.Panel()
        .line_width(1)
        .fill_opacity(10)
        .show_points(shapes.VisibilityMode.NEVER)
        .legend(
            common.VizLegendOptions()
            .display_mode(shapes.LegendDisplayMode.LIST)
            .placement(shapes.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs([])
        )
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING))
        .color_scheme(color(models.FieldColorModeId.PALETTE_CLASSIC))
        .min(0)
    )
    if len(steps(panel)) > 1:
        made.thresholds_style(common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED))
    if panel.options.get("stack"):
        made.stacking(common.StackingConfig().mode(shapes.StackingMode.NORMAL).group("A")).fill_opacity(40)
    if any(METRIC[r].unit == "cores" for _, expr in panel.queries for r in records(expr) if r in METRIC):
        made.axis_label("cores") if unit_of(panel.queries[0][1]) == "short" else None
    return made


def dress_bargauge(_panel: Panel) -> bargauge.Panel:
    return (
        bargauge.Panel()
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .value_mode(shapes.BarGaugeValueMode.TEXT)
        .reduce_options(value_options())
        .color_scheme(color(models.FieldColorModeId.THRESHOLDS))
        .min(0)
    )


def dress_heatmap(panel: Panel) -> heatmap.Panel:
    axis = heatmap.YAxisConfig().unit("s").axis_placement(shapes.AxisPlacement.LEFT)
    made = (
        heatmap.Panel()
        .calculate(False)
        .color(
            heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64).fill("dark-orange")
        )
        .y_axis(axis)
        .cell_gap(1)
        .show_legend()
        .tooltip(heatmap.HeatmapTooltip().mode(shapes.TooltipDisplayMode.SINGLE))
    )
    if panel.options["repeat"]:
        made.repeat(panel.options["repeat"]).repeat_direction("h").max_per_row(2)
    return made


def dress_states(panel: Panel) -> statetimeline.Panel:
    mapping = {
        value: models.ValueMappingResult(text=text, color=shade)
        for value, (text, shade) in panel.options["text"].items()
    }
    return (
        statetimeline.Panel()
        .show_value(shapes.VisibilityMode.NEVER)
        .row_height(0.8)
        .mappings([models.ValueMap(options=mapping)])
        .color_scheme(color(models.FieldColorModeId.THRESHOLDS))
    )


def dress_table(panel: Panel) -> table.Panel:
    by = panel.options["by"]
    # Grafana numbers the columns of several queries only.
    names = [f"Value #{ref_id(i)}" for i in range(len(panel.queries))] if len(panel.queries) > 1 else ["Value"]
    heads = {name: head for name, (head, _) in zip(names, panel.queries, strict=True) if head}
    hidden = ["Time", *(label for label in ("cluster", "workload_type") if label not in by)]
    made = (
        table.Panel()
        .cell_height(shapes.TableCellHeight.SM)
        .show_header(True)
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            models.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": dict.fromkeys([*hidden, *(name for name in names if name not in heads)], True),
                    "indexByName": {name: i for i, name in enumerate([*by, *names])},
                    "renameByName": heads,
                },
            )
        )
    )
    for head, expr in panel.queries:
        if not head:
            continue
        record = next((METRIC[r] for r in records(expr) if r in METRIC), None)
        properties = [models.DynamicConfigValue(id_val="unit", value=unit_of(expr))]
        if record and record.unit == "ratio":
            limits = models.ThresholdsConfig(models.ThresholdsMode.ABSOLUTE, steps(Panel("table", "", (("", expr),))))
            properties += [
                models.DynamicConfigValue(id_val="thresholds", value=limits),
                models.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
            ]
        made.override_by_name(head, properties)
    if panel.link:
        key = panel.options["key"]
        link = {"title": f"Show this {key}", "url": panel.link}
        made.override_by_name(key, [models.DynamicConfigValue(id_val="links", value=[link])])
    return made


def dress_text(panel: Panel) -> markdown.Panel:
    return markdown.Panel().mode(TextMode.MARKDOWN).content(panel.options["content"])


DRESS = {
    "stat": dress_stat,
    "timeseries": dress_timeseries,
    "bargauge": dress_bargauge,
    "heatmap": dress_heatmap,
    "state-timeline": dress_states,
    "table": dress_table,
    "text": dress_text,
}


def ref_id(number: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[number]


def target(panel: Panel, number: int, variables: Sequence[str]) -> prometheus.Dataquery:
    legend, expr = panel.queries[number]
    made = prometheus.Dataquery().datasource(DATASOURCE).ref_id(ref_id(number)).expr(expand(expr, tuple(variables)))
    if panel.kind == "table":
        return made.instant().format(PromQueryFormat.TABLE)
    if panel.kind == "bargauge":
        return made.instant().legend_format(legend)
    if panel.kind == "heatmap":
        return made.range().format(PromQueryFormat.HEATMAP).legend_format(legend)
    return made.range().legend_format(legend)


def render(panel: Panel, number: int, x: int, y: int, variables: Sequence[str]) -> Any:
    """The panel for the SDK, at its place."""
    made: Any = DRESS[panel.kind](panel)
    made.id(number).title(panel.title).grid_pos(models.GridPos(h=panel.height, w=panel.width, x=x, y=y))
    made.description(description(panel, variables))
    if panel.kind == "text":
        return made
    made.datasource(DATASOURCE)
    for i in range(len(panel.queries)):
        made.with_target(target(panel, i, variables))
    made.thresholds(build.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps(panel)))
    if panel.kind not in ("table", "heatmap"):
        made.unit(panel.unit or unit_of(panel.queries[0][1]))
        made.data_links(data_link(panel))
    reasons = [reason(panel, expr) for _, expr in panel.queries]
    if all(reasons):
        made.no_value(f"None: {reasons[0]}")
    return made
