# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The metric catalogue: what rules, reference and dashboards are made of."""

from __future__ import annotations

from .data import ALERTS, COMPSS_SERIES, METRICS
from .model import CATEGORIES, EXPORTERS, Alert, CatalogueError, Configuration, Exporter, Metric
from .rules import Catalogue, Entry, Selection, configmap, prometheusrule, rules_file

__all__ = [
    "ALERTS",
    "CATEGORIES",
    "COMPSS_SERIES",
    "EXPORTERS",
    "METRICS",
    "Alert",
    "Catalogue",
    "CatalogueError",
    "Configuration",
    "Entry",
    "Exporter",
    "Metric",
    "Selection",
    "configmap",
    "prometheusrule",
    "rules_file",
]
