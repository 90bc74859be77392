# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The catalogue as plain data, for those who read it without writing rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .data import COMPSS_SERIES
from .model import EXPORTERS, Alert, Metric
from .rules import Catalogue, Selection


def plain(item: Metric | Alert) -> dict[str, Any]:
    values = {part.name: getattr(item, part.name) for part in fields(item)}
    return {
        name: list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
        for name, value in values.items()
    }


def information(catalogue: Catalogue, selection: Selection | None = None) -> dict[str, Any]:
    """Metrics, alerts, raw series by exporter, exporters, and the series that COMPSs applications must offer."""
    chosen = catalogue.select(selection or Selection())
    described = {
        entry.name: {
            **plain(entry.item),
            "level": entry.item.level,
            "expr": entry.expr,
            "label_names": sorted(catalogue.label_sets[entry.name].names),
            "more_labels": catalogue.label_sets[entry.name].others,
            "reads": [name for name in catalogue.order if name in entry.record_names],
            "exporters": [exporter for exporter in catalogue.exporters[entry.name] if exporter],
        }
        for entry in chosen
    }
    return {
        "metrics": [described[entry.name] for entry in chosen if isinstance(entry.item, Metric)],
        "alert_rules": [described[entry.name] for entry in chosen if isinstance(entry.item, Alert)],
        "series": catalogue.series(entry.name for entry in chosen),
        "exporters": [
            {
                "name": exporter.name,
                "selector": catalogue.configuration.selectors.get(exporter.key, exporter.selector),
                "feeds": exporter.feeds,
            }
            for exporter in EXPORTERS
        ],
        "compss_series": [
            {"name": name, "type": kind, "labels": list(labels), "meaning": meaning}
            for name, kind, labels, meaning in COMPSS_SERIES
        ],
    }
