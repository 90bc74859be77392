# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""From entries to rule groups: check, select, order, render."""

from __future__ import annotations

import difflib
import graphlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

from .. import kubernetes_yaml
from . import promql
from .data import ALERTS, METRICS
from .labels import Labels, labels
from .model import (
    ALERT_NAME,
    CATEGORIES,
    EXPORTERS,
    LABEL_NAME,
    RECORD_NAME,
    TYPES,
    UNITS,
    Alert,
    CatalogueError,
    Configuration,
    Metric,
    fill,
)

HEADER = "# Rendered by continuum.edge.recording_rules: change the inventory, not this file.\n"
GROUP_PREFIX = "continuum.edge."
# Prometheus makes these series itself; no exporter has to be asked for them.
SYNTHETIC = frozenset({"up"})
EXTRA_REQUIRED = ("name", "expr", "meaning")
EXTRA_OPTIONAL = ("category", "unit", "type", "absent", "warning", "critical", "labels")


@dataclass(frozen=True)
class Selection:
    """Which entries; an empty part selects all. `names` adds to what categories and levels select together."""

    categories: Sequence[str] = ()
    levels: Sequence[str] = ()
    names: Sequence[str] = ()
    alerts: bool = True


@dataclass(frozen=True)
class Entry:
    """A metric or an alert with its expression filled in, and what that expression reads."""

    item: Metric | Alert
    expr: str
    reads: tuple[promql.Selector, ...]

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def prompt(self) -> bool:
        return isinstance(self.item, Metric) and self.item.prompt

    @cached_property
    def record_names(self) -> frozenset[str]:
        return frozenset(selector.name for selector in self.reads if RECORD_NAME.fullmatch(selector.name))


@dataclass(frozen=True)
class Catalogue:
    """The entries of the collection with a site's own, under a site's configuration. Making one checks it all."""

    configuration: Configuration = field(default_factory=Configuration)
    extra_metrics: Sequence[Mapping[str, Any]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""
    metrics: Sequence[Metric] = METRICS
    alerts: Sequence[Alert] = ALERTS

    def __post_init__(self) -> None:
        check_labels("labels", self.labels)
        for label in {*self.labels} & {self.configuration.cluster_label}:
            raise CatalogueError(f"labels sets {label!r}; the cluster's name is given by cluster")
        self.order  # noqa: B018  making a catalogue is what checks it

    @cached_property
    def entries(self) -> dict[str, Entry]:
        """Every entry by name: the collection's in their order, then the site's own sorted by name."""
        extras = sorted((extra(index, item) for index, item in enumerate(self.extra_metrics)), key=lambda m: m.name)
        entries: dict[str, Entry] = {}
        values = self.configuration.substitutions()
        shipped = {metric.name for metric in self.metrics} | {alert.name for alert in self.alerts}
        items: list[Metric | Alert] = [*self.metrics, *extras, *self.alerts]
        for item in items:
            if item.name in entries:
                where = "the catalogue" if item.name in shipped else "extra_metrics"
                raise CatalogueError(f"metric {item.name} is already in {where}; names must differ, choose another")
            check(item)
            try:
                expr = fill(item.expr, values)
                reads = promql.selectors(expr)
            except CatalogueError as error:
                raise CatalogueError(f"{kind(item)} {item.name}: expr {error}") from error
            entries[item.name] = Entry(item, expr, reads)
        for entry in entries.values():
            for name in sorted(entry.record_names - set(entries)):
                raise CatalogueError(
                    f"{kind(entry.item)} {entry.name}: expr reads {name}, which nothing records{hint(name, entries)}; "
                    f'write {{__name__="{name}"}} if another rules file does'
                )
            for name in sorted(entry.record_names):
                if entry.prompt and not entries[name].prompt:
                    raise CatalogueError(f"metric {entry.name} is prompt, and reads {name}, which is not")
        return entries

    @cached_property
    def order(self) -> list[str]:
        """The names, each after all that it reads and otherwise as early as the catalogue has it."""
        position = {name: index for index, name in enumerate(self.entries)}
        sorter = graphlib.TopologicalSorter({name: entry.record_names for name, entry in self.entries.items()})
        try:
            sorter.prepare()
        except graphlib.CycleError as error:
            raise CatalogueError(
                f"the metrics {' -> '.join(reversed(error.args[1]))} read each other in a circle; take one reading out"
            ) from error
        ordered: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=position.__getitem__)
            ordered += ready
            sorter.done(*ready)
        return ordered

    @cached_property
    def label_sets(self) -> dict[str, Labels]:
        """For each entry, the labels that its series may have."""
        result: dict[str, Labels] = {}
        for name in self.order:
            item = self.entries[name].item
            fixed = frozenset(self.fixed_labels(item))
            result[name] = labels(self.entries[name].expr, result).plus(fixed)
        return result

    def fixed_labels(self, item: Metric | Alert) -> dict[str, str]:
        """The labels that a rule sets on its series."""
        common = {**self.labels, **({self.configuration.cluster_label: self.cluster} if self.cluster else {})}
        return {**common, **(item.labels if isinstance(item, Metric) else {"severity": item.severity})}

    def closure(self, names: Iterable[str]) -> set[str]:
        """The names with all records that they read, directly or through others."""
        wanted: set[str] = set()
        todo = list(names)
        while todo:
            name = todo.pop()
            if name not in wanted:
                wanted.add(name)
                todo += self.entries[name].record_names
        return wanted

    def select(self, selection: Selection) -> list[Entry]:
        """The selected entries with what they read, each after all that it reads."""
        levels = list(dict.fromkeys(entry.item.level for entry in self.entries.values()))
        kinds: tuple[tuple[str, Sequence[str], Sequence[str]], ...] = (
            ("categories", selection.categories, CATEGORIES),
            ("levels", selection.levels, levels),
            ("names", selection.names, list(self.entries)),
        )
        for what, asked, choices in kinds:
            for name in asked:
                if name not in choices:
                    raise CatalogueError(
                        f"{what} selects {name!r}, which is unknown{hint(name, choices)}; expected "
                        + (f"one of {', '.join(choices)}" if len(choices) < 50 else "a name of recording_rules_info")
                    )
        by_group = bool(selection.categories or selection.levels) or not selection.names
        chosen = {
            name
            for name, entry in self.entries.items()
            if name in selection.names
            or (
                by_group
                and entry.item.category in (selection.categories or CATEGORIES)
                and entry.item.level in (selection.levels or levels)
            )
        }
        if not selection.alerts:
            chosen = {name for name in chosen if isinstance(self.entries[name].item, Metric)}
        wanted = self.closure(chosen)
        return [self.entries[name] for name in self.order if name in wanted]

    def groups(self, selection: Selection) -> list[dict[str, Any]]:
        """Rule groups as Prometheus takes them. What reads a record stands in that record's group, after it.

        Prompt records have groups of their own, and who else reads them reads what those wrote last.
        """
        chosen = self.select(selection)
        names = {entry.name for entry in chosen}
        home: dict[str, str] = {name: name for name in names}

        def root(name: str) -> str:
            while home[name] != name:
                name = home[name]
            return name

        position = {name: index for index, name in enumerate(self.entries)}

        def join(one: str, other: str) -> None:
            first, second = sorted((root(one), root(other)), key=position.__getitem__)
            home[second] = first

        leader: dict[tuple[str, bool], str] = {}
        for entry in chosen:
            for read in entry.record_names:
                if self.entries[read].prompt == entry.prompt:
                    join(entry.name, read)
        # Independent sets of one category share a group, so that a group's name says what is in it.
        for entry in sorted(chosen, key=lambda e: position[e.name]):
            if root(entry.name) == entry.name:
                join(leader.setdefault((entry.item.category, entry.prompt), entry.name), entry.name)
        groups: dict[str, list[dict[str, Any]]] = {}
        for entry in chosen:
            groups.setdefault(root(entry.name), []).append(self.rule(entry))
        return [
            {**self.head(self.entries[name]), "rules": groups[name]}
            for name in sorted(groups, key=position.__getitem__)
        ]

    def head(self, entry: Entry) -> dict[str, str]:
        """Name and times of an entry's group."""
        name, configuration = GROUP_PREFIX + entry.item.category, self.configuration
        if entry.prompt:
            return {"name": f"{name}.prompt", "interval": configuration.prompt_interval}
        offset = {"query_offset": configuration.query_offset} if configuration.query_offset else {}
        return {"name": name, "interval": configuration.interval, **offset}

    def rule(self, entry: Entry) -> dict[str, Any]:
        item = entry.item
        fixed = self.fixed_labels(item)
        if isinstance(item, Metric):
            return {"record": item.name, "expr": entry.expr, **({"labels": fixed} if fixed else {})}
        return {
            "alert": item.name,
            "expr": entry.expr,
            "for": item.hold,
            "labels": fixed,
            "annotations": {
                "summary": item.summary,
                "description": item.description,
                "runbook": item.runbook,
            },
        }

    @cached_property
    def exporters(self) -> dict[str, dict[str, set[str]]]:
        """For each entry, the raw series that it reads by exporter, through other records too.

        The exporter is found by its selector: the expressions are filled with a marker in each selector's place.
        """
        marker = "__exporter__"
        marked = replace(
            self.configuration, selectors={exporter.key: f'{marker}="{exporter.name}"' for exporter in EXPORTERS}
        )
        values = marked.substitutions()
        result: dict[str, dict[str, set[str]]] = {}
        for name in self.order:
            entry = self.entries[name]
            mine = result.setdefault(name, {})
            for selector in promql.selectors(fill(entry.item.expr, values)):
                series = selector.name or selector.matchers.get("__name__", "")
                if series in self.entries:
                    for exporter, inherited in result[series].items():
                        mine.setdefault(exporter, set()).update(inherited)
                elif series and series not in SYNTHETIC:
                    mine.setdefault(selector.matchers.get(marker, ""), set()).add(series)
        return result

    def series(self, names: Iterable[str] | None = None) -> dict[str, list[str]]:
        """The raw series that the entries read, by exporter. Selectors of no exporter (a site's own) go under ""."""
        by_exporter: dict[str, set[str]] = {exporter.name: set() for exporter in EXPORTERS}
        for name in self.entries if names is None else names:
            for exporter, series in self.exporters[name].items():
                by_exporter.setdefault(exporter, set()).update(series)
        return {exporter: sorted(series) for exporter, series in by_exporter.items()}


def kind(item: Metric | Alert) -> str:
    return "metric" if isinstance(item, Metric) else "alert"


def hint(name: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def check_labels(where: str, labels: Mapping[str, str]) -> None:
    for label, value in labels.items():
        if not isinstance(label, str) or not LABEL_NAME.fullmatch(label) or label.startswith("__"):
            raise CatalogueError(f"{where} has the label {label!r}; expected letters, digits and _, such as site")
        if label in KEY_LABELS:
            raise CatalogueError(
                f"{where} sets the label {label!r}, by which records are told apart; choose another name"
            )
        if not isinstance(value, str):
            raise CatalogueError(f"{where} sets {label} to {value!r}; expected a text, in quotes")


def check(item: Metric | Alert) -> None:
    """What can be wrong with an entry besides its expression."""

    def expect(good: bool, fault: str, expected: str) -> None:
        if not good:
            raise CatalogueError(f"{kind(item)} {item.name}: {fault}; expected {expected}")

    if isinstance(item, Metric):
        expect(
            bool(RECORD_NAME.fullmatch(item.name)),
            "the name does not have three parts",
            "level:metric:operations in small letters, such as pod:requests:rate",
        )
        expect(item.unit in UNITS, f"unit is {item.unit!r}", f"one of {', '.join(UNITS)}")
        expect(item.type in TYPES, f"type is {item.type!r}", f"one of {', '.join(TYPES)}")
        check_labels(f"metric {item.name}: labels", item.labels)
    else:
        expect(bool(ALERT_NAME.fullmatch(item.name)), "the name is not in CamelCase", "a name such as NodeDown")
    expect(item.category in CATEGORIES, f"category is {item.category!r}", f"one of {', '.join(CATEGORIES)}")


def extra(index: int, item: Mapping[str, Any]) -> Metric:
    """A site's own metric from plain data."""
    where = f"extra_metrics[{index}]" + (f" ({item['name']})" if isinstance(item, Mapping) and "name" in item else "")
    if not isinstance(item, Mapping):
        raise CatalogueError(f"{where} is {item!r}; expected a dictionary with {', '.join(EXTRA_REQUIRED)}")
    for key in EXTRA_REQUIRED:
        if not isinstance(item.get(key), str) or not item[key].strip():
            raise CatalogueError(f"{where}: {key} is {item.get(key)!r}; expected a text")
    for key in item:
        if key not in EXTRA_REQUIRED + EXTRA_OPTIONAL:
            raise CatalogueError(
                f"{where} has the key {key!r}, which is unknown{hint(str(key), EXTRA_REQUIRED + EXTRA_OPTIONAL)}; "
                f"expected {', '.join(EXTRA_REQUIRED + EXTRA_OPTIONAL)}"
            )
    for key in ("category", "unit", "type", "absent"):
        if key in item and not isinstance(item[key], str):
            raise CatalogueError(f"{where}: {key} is {item[key]!r}; expected a text")
    if not isinstance(item.get("labels", {}), Mapping):
        raise CatalogueError(f"{where}: labels is {item['labels']!r}; expected a dictionary")
    for key in ("warning", "critical"):
        if not isinstance(item.get(key), (int, float, type(None))):
            raise CatalogueError(f"{where}: {key} is {item[key]!r}; expected a number")
    given = {part.name: item[part.name] for part in fields(Metric) if item.get(part.name) is not None}
    return Metric(**{"category": "application", "unit": "count", "type": "gauge", **given})


def to_yaml(document: Any) -> str:
    return kubernetes_yaml.dump(document, sort_keys=False)


def rules_file(groups: Sequence[Mapping[str, Any]]) -> str:
    return HEADER + to_yaml({"groups": list(groups)})


def configmap(
    groups: Sequence[Mapping[str, Any]], name: str, namespace: str, labels: Mapping[str, str], file: str
) -> str:
    return HEADER + to_yaml(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _metadata(name, namespace, labels),
            "data": {file: to_yaml({"groups": list(groups)})},
        }
    )


def prometheusrule(groups: Sequence[Mapping[str, Any]], name: str, namespace: str, labels: Mapping[str, str]) -> str:
    return HEADER + to_yaml(
        {
            "apiVersion": "monitoring.coreos.com/v1",
            "kind": "PrometheusRule",
            "metadata": _metadata(name, namespace, labels),
            "spec": {"groups": list(groups)},
        }
    )


def _metadata(name: str, namespace: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        **({"namespace": namespace} if namespace else {}),
        **({"labels": dict(labels)} if labels else {}),
    }


def key_labels() -> frozenset[str]:
    """The labels by which the catalogue's series are told apart, besides the cluster's."""
    catalogue = Catalogue()
    names = frozenset[str]().union(*(label_set.names for label_set in catalogue.label_sets.values()))
    return names - {catalogue.configuration.cluster_label}


# A fixed value for one of these would put different series under one name, and Prometheus would refuse the rule.
KEY_LABELS = key_labels() if promql.available() else frozenset()
