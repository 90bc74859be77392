"""What can be wrong with a dashboard that Grafana's types do not know: names, variables, links, layout, the catalogue."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import METRICS
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.promql import selectors

METRIC = {metric.name: metric for metric in METRICS}
# The alerts of the catalogue, as Prometheus keeps them.
READABLE = {*METRIC, "ALERTS"}
BUILT_IN = re.compile(r"__\w+")
# $name, ${name}, ${name:format}; "$$" is no variable
USE = re.compile(r"\$(?:\{(?P<long>\w+)(?:[.:\[][^}]*)?\}|(?P<short>\w+))")
WIDTH = 24

Json = dict[str, Any]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def used(text: str) -> set[str]:
    """The dashboard's own variables that a text uses."""
    names = {match["long"] or match["short"] for match in USE.finditer(text)}
    return {name for name in names if not BUILT_IN.fullmatch(name)}


def filled(expression: str, values: Mapping[str, str] | None = None) -> str:
    """The expression with every variable filled."""
    substitutes = {"__interval": "60s", "__rate_interval": "2m", "__range": "1h", **(values or {})}
    return USE.sub(lambda match: substitutes.get(match["long"] or match["short"], ".+"), expression)


def queries(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Every query with the title of what asks it."""
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield f"annotation {annotation['name']}", annotation["target"]["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            yield f"variable {variable['name']}", match[1] if match else variable["query"]["query"]


def of_queries(dashboard: Json) -> Iterator[str]:
    for title, expression in queries(dashboard):
        for selector in selectors(filled(expression)):
            if selector.name not in READABLE:
                yield f"{title}: {selector.name or expression} is no record of the catalogue"


def of_variables(dashboard: Json) -> Iterator[str]:
    defined: set[str] = set()
    for variable in dashboard["templating"]["list"]:
        for name in {n for text in strings(variable) for n in used(text)} - defined:
            yield f"variable {variable['name']} uses {name} before it is defined"
        defined.add(variable["name"])
    rest = [dashboard["panels"], dashboard["annotations"], dashboard["links"]]
    reads = {name for text in strings(rest) for name in used(text)}
    reads |= {panel["repeat"] for panel in dashboard["panels"] if panel.get("repeat")}
    for name in sorted(reads - defined):
        yield f"variable {name} is used and not defined"
    inner = {name for variable in dashboard["templating"]["list"] for text in strings(variable) for name in used(text)}
    for name in sorted(defined - reads - inner):
        yield f"variable {name} is defined and not used"


def of_links(dashboard: Json, others: Mapping[str, Json]) -> Iterator[str]:
    """`others` are all dashboards by UID."""
    for url in {text for text in strings(dashboard) if text.startswith("/d/")}:
        uid, _, query = url.removeprefix("/d/").partition("?")
        if uid not in others:
            yield f"{url} leads to no dashboard"
            continue
        variables = {variable["name"] for variable in others[uid]["templating"]["list"]}
        carried = set(re.findall(r"var-(\w+)=", query)) | set(re.findall(r"\$\{(\w+):queryparam\}", query))
        for name in sorted(carried - variables):
            yield f"{url} sets {name}, which {uid} does not have"


def of_layout(dashboard: Json) -> Iterator[str]:
    taken: dict[tuple[int, int], int] = {}
    ids = [panel["id"] for panel in dashboard["panels"]]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"
    for panel in dashboard["panels"]:
        place, title = panel["gridPos"], panel["title"]
        if place["x"] + place["w"] > WIDTH:
            yield f"{title} reaches beyond the right edge"
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                if taken.setdefault((x, y), panel["id"]) != panel["id"]:
                    yield f"{title} overlaps panel {taken[x, y]}"
                    break
    bottom = max(y for _, y in taken) + 1
    if len(taken) != WIDTH * bottom:
        yield f"there are gaps: {len(taken)} of {WIDTH * bottom} places are taken"


def of_panels(dashboard: Json) -> Iterator[str]:
    for panel in dashboard["panels"]:
        title = panel["title"]
        if panel["type"] == "row":
            continue
        if not title or not panel.get("description"):
            yield f"{title or panel['id']} has no title or no description"
        for reference in [panel.get("datasource"), *(target.get("datasource") for target in panel.get("targets", []))]:
            if panel["type"] != "text" and reference != {"type": "prometheus", "uid": "${datasource}"}:
                yield f"{title} does not take its data source from the variable"
        yield from of_catalogue(panel)


UNITS = {
    "percentunit": {"ratio"},
    "percent": {"percent"},
    "bytes": {"bytes"},
    "binBps": {"bytes/s"},
    "s": {"seconds"},
    "watt": {"watts"},
    "celsius": {"celsius"},
    "reqps": {"requests/s"},
    "ops": {"operations/s"},
    "pps": {"packets/s"},
    # These are plain numbers: what is counted, too, and seconds of work per second, which are cores.
    "short": {"count", "cores", "info", "ratio"},
    "none": {"info"},
}


def of_catalogue(panel: Json) -> Iterator[str]:
    """Unit and limits agree with what the catalogue says of the records that the panel reads."""
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    read = [METRIC[s.name] for t in panel.get("targets", []) for s in selectors(filled(t["expr"])) if s.name in METRIC]
    unit = defaults.get("unit")
    counts = any(target["expr"].startswith("count") for target in panel.get("targets", []))
    if unit and read and not counts and not UNITS.get(unit, set()) & {metric.unit for metric in read}:
        yield f"{panel['title']} shows {unit}, its records are {sorted({metric.unit for metric in read})}"
    limits = {limit for metric in read for limit in (metric.warning, metric.critical) if limit is not None}
    shown = {step["value"] for step in defaults.get("thresholds", {}).get("steps", [])} - {None}
    if panel["type"] == "timeseries" and not shown <= limits:
        yield f"{panel['title']} has the limits {sorted(shown)}, the catalogue has {sorted(limits)}"


def of_tables(dashboard: Json) -> Iterator[str]:
    """Columns that a table shows or links from are those that its queries give."""
    for panel in dashboard["panels"]:
        if panel["type"] != "table":
            continue
        organize = next(t["options"] for t in panel["transformations"] if t["id"] == "organize")
        numbered = len(panel["targets"]) > 1
        given = {f"Value #{t['refId']}" if numbered else "Value" for t in panel["targets"]}
        placed = {name for name in organize["indexByName"] if name.startswith("Value")}
        if placed != given or not set(organize["renameByName"]) <= given:
            yield f"{panel['title']} places the columns {sorted(placed)}, its queries give {sorted(given)}"
        columns = {*organize["indexByName"], *organize["renameByName"].values()} - set(organize["excludeByName"])
        for override in panel["fieldConfig"]["overrides"]:
            if override["matcher"]["options"] not in columns:
                yield f"{panel['title']} sets up a column {override['matcher']['options']}, which it does not have"
            for name in re.findall(r"__data\.fields\.(\w+)", str(override)):
                if name not in columns:
                    yield f"{panel['title']} links with {name}, which is none of its columns"


def faults(dashboard: Json, others: Mapping[str, Json]) -> list[str]:
    parts = [
        of_queries(dashboard),
        of_variables(dashboard),
        of_links(dashboard, others),
        of_layout(dashboard),
        of_tables(dashboard),
    ]
    return [text for part in (*parts, of_panels(dashboard)) for text in part]
