"""Dashboards against the catalogue, each other, and Grafana's own types; seeded defects are found."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.continuum.edge.plugins.module_utils.catalogue.promql import selectors

from .conftest import DASHBOARDS, FILES, ROOT
from .faults import METRIC, faults, filled

Json = dict[str, Any]
BY_UID = {dashboard["uid"]: dashboard for dashboard in DASHBOARDS.values()}
# Addresses that people and other dashboards keep: never change one.
UIDS = {
    "continuum-apiserver",
    "continuum-cluster",
    "continuum-compss-application",
    "continuum-compss-fleet",
    "continuum-coredns",
    "continuum-devices",
    "continuum-namespaces",
    "continuum-network",
    "continuum-nodes",
    "continuum-pods",
    "continuum-storage",
}
CONFIGMAP_LIMIT = 1 << 20


def test_dashboards_are_fresh() -> None:
    command = [sys.executable, str(ROOT / "dashboards" / "generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_uids_are_stable() -> None:
    assert set(BY_UID) == UIDS
    assert len(BY_UID) == len(FILES)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_nothing_is_wrong(name: str) -> None:
    assert faults(DASHBOARDS[name], BY_UID) == []


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_without_data_say_why(name: str) -> None:
    """Where all that a panel reads may be absent, the panel has a text for it."""
    silent = [
        panel["title"]
        for panel in DASHBOARDS[name]["panels"]
        if panel.get("targets")
        and all(
            METRIC[s.name].absent for t in panel["targets"] for s in selectors(filled(t["expr"])) if s.name in METRIC
        )
        and "vector(0)" not in json.dumps(panel["targets"])
        and "ALERTS" not in json.dumps(panel["targets"])
        and not panel["fieldConfig"]["defaults"].get("noValue")
    ]
    assert silent == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_configmap_holds_it(path: Path) -> None:
    assert path.stat().st_size < CONFIGMAP_LIMIT / 2


def test_every_level_leads_down() -> None:
    """Links lead from the dashboard of the cluster to every other one."""
    reached, new = set(), {"continuum-cluster"}
    while new:
        reached |= new
        text = json.dumps([BY_UID[uid] for uid in new])
        new = {uid for uid in UIDS if f'"/d/{uid}"' in text or f'"/d/{uid}?' in text} - reached
    assert reached == UIDS


def test_grafana_takes_them(grafana_faults: Callable[[list[Path]], dict[str, list[str]]]) -> None:
    assert grafana_faults(FILES) == {str(path): [] for path in FILES}


def panel_of(dashboard: Json, kind: str) -> Json:
    panel: Json = next(panel for panel in dashboard["panels"] if panel["type"] == kind)
    return panel


def first_target(dashboard: Json) -> Json:
    target: Json = panel_of(dashboard, "timeseries")["targets"][0]
    return target


def defaults(dashboard: Json, kind: str = "timeseries") -> Json:
    settings: Json = panel_of(dashboard, kind)["fieldConfig"]["defaults"]
    return settings


def rename(value: Json, old: str, new: str) -> None:
    value[new] = value.pop(old)


# What Grafana's types and units find.
GRAFANA_DEFECTS: dict[str, Callable[[Json], Any]] = {
    "unit that there is not": lambda d: defaults(d).update(unit="cores"),
    "unit of a column that there is not": lambda d: d["panels"][-1]["fieldConfig"]["overrides"][0]["properties"][
        0
    ].update(value="parrots"),
    "enum in a panel's options": lambda d: panel_of(d, "timeseries")["options"]["legend"].update(displayMode="lost"),
    "enum in a field's options": lambda d: defaults(d)["custom"].update(showPoints="sometimes"),
    "enum of the colour": lambda d: defaults(d)["color"].update(mode="rainbow"),
    "number where a text belongs": lambda d: d.update(title=7),
    "text where a number belongs": lambda d: panel_of(d, "stat")["gridPos"].update(w="3"),
    "text where a list belongs": lambda d: panel_of(d, "stat")["options"]["reduceOptions"].update(calcs="last"),
    "misspelt key of the dashboard": lambda d: rename(d, "refresh", "refesh"),
    "misspelt key of a panel": lambda d: panel_of(d, "stat").update(trasparent=True),
    "misspelt key of a panel's options": lambda d: rename(panel_of(d, "stat")["options"], "colorMode", "colourMode"),
    "misspelt key of a field": lambda d: rename(defaults(d), "thresholds", "tresholds"),
    "misspelt key of a field's options": lambda d: rename(defaults(d)["custom"], "lineWidth", "linewidth"),
    "misspelt key of a target": lambda d: rename(first_target(d), "legendFormat", "legend_format"),
    "misspelt key of a variable": lambda d: rename(d["templating"]["list"][1], "refresh", "refreshes"),
    "misspelt key of an annotation": lambda d: rename(d["annotations"]["list"][0], "iconColor", "color"),
    "misspelt property of a column": lambda d: d["panels"][-1]["fieldConfig"]["overrides"][0]["properties"][0].update(
        id="units"
    ),
    "missing query": lambda d: first_target(d).pop("expr"),
    "kind of panel that there is not": lambda d: panel_of(d, "stat").update(type="singlestat"),
    "kind of variable that there is not": lambda d: d["templating"]["list"][1].update(type="wish"),
}
# What our own rules find.
OUR_DEFECTS: dict[str, Callable[[Json], Any]] = {
    "metric that there is not": lambda d: first_target(d).update(expr="node:cpu_usge:ratio"),
    "raw series of cAdvisor": lambda d: first_target(d).update(expr="rate(container_cpu_usage_seconds_total[5m])"),
    "raw series of the node": lambda d: first_target(d).update(expr="sum(node_load1)"),
    "matchers without a name": lambda d: first_target(d).update(expr='{job="node-exporter"}'),
    "variable in a query that there is not": lambda d: first_target(d).update(expr='node:load1:max{node=~"$machine"}'),
    "variable in a title that there is not": lambda d: panel_of(d, "stat").update(title="CPU of ${machine}"),
    "variable that nobody uses": lambda d: d["templating"]["list"].append({"type": "textbox", "name": "idle"}),
    "variable that comes too late": lambda d: d["templating"]["list"].reverse(),
    "repeat over a variable that there is not": lambda d: panel_of(d, "stat").update(repeat="machine"),
    "link to nowhere": lambda d: d["links"][0].update(url="/d/continuum-moon"),
    "link with a variable that is not there": lambda d: d["links"][0].update(url="/d/continuum-coredns?var-pod=a"),
    "overlapping panels": lambda d: panel_of(d, "stat")["gridPos"].update(x=1),
    "gap": lambda d: d["panels"].pop(3),
    "panel beyond the edge": lambda d: d["panels"][-1]["gridPos"].update(x=20),
    "two panels of one id": lambda d: d["panels"][2].update(id=d["panels"][3]["id"]),
    "panel without a description": lambda d: panel_of(d, "stat").pop("description"),
    "data source that is fixed": lambda d: first_target(d).update(datasource={"type": "prometheus", "uid": "abc"}),
    "unit of another kind": lambda d: defaults(d).update(unit="celsius"),
    "column that no query gives": lambda d: panel_of(d, "table")["transformations"][1]["options"]["indexByName"].update(
        {"Value #Z": 9}
    ),
    "set-up of a column that there is not": lambda d: d["panels"][-1]["fieldConfig"]["overrides"][0]["matcher"].update(
        options="down"
    ),
    "limit that the catalogue does not have": lambda d: defaults(d)["thresholds"]["steps"].append(
        {"color": "red", "value": 0.42}
    ),
}


def seeded(defect: Callable[[Json], Any]) -> Json:
    dashboard = copy.deepcopy(DASHBOARDS["cluster"])
    defect(dashboard)
    assert dashboard != DASHBOARDS["cluster"]
    return dashboard


@pytest.mark.parametrize("name", OUR_DEFECTS)
def test_our_rules_find(name: str) -> None:
    assert faults(seeded(OUR_DEFECTS[name]), BY_UID) != []


def test_grafanas_types_find(
    grafana_faults: Callable[[list[Path]], dict[str, list[str]]], tmp_path: Path, subtests: Any
) -> None:
    """One run of the compiler for all: it takes most of the time to start."""
    files = {name: tmp_path / f"{i}.json" for i, name in enumerate(GRAFANA_DEFECTS)}
    for name, path in files.items():
        path.write_text(json.dumps(seeded(GRAFANA_DEFECTS[name])))
    faults_by_path = grafana_faults(list(files.values()))
    for name, path in files.items():
        with subtests.test(name):
            assert faults_by_path[str(path)] != []


def test_the_generator_refuses_an_unknown_record() -> None:
    from generator.query import expand

    with pytest.raises(ValueError, match="node:cpu_usge:ratio is no record"):
        expand("topk(10, node:cpu_usge:ratio)", ("cluster",))


@pytest.mark.filterwarnings("ignore:Prefer using dashboardv2")
def test_the_generator_refuses_an_uneven_line() -> None:
    from generator.board import placed, row
    from generator.panels import stat_

    with pytest.raises(ValueError, match="ends at 3 of 24"):
        list(placed((row("Uneven", stat_("One", "cluster:nodes:count")),)))
