# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""PromQL over records of the catalogue: names become selectors that follow the dashboard's variables."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import METRICS, Catalogue

METRIC = {metric.name: metric for metric in METRICS}
# The alerts of the catalogue, as Prometheus keeps them. The one series that is read and is no record.
ALERTS = "ALERTS"

# Labels that a dashboard's variables can stand for, as matchers name them.
FILTERS = ("cluster", "node", "namespace", "pod", "application")
_LABELS = Catalogue().label_sets

_NAME = re.compile(rf"(?<![\w:\"])(?P<name>[a-z_]\w*:\w+:\w+|{ALERTS})(?![\w:])(?:\{{(?P<matchers>[^}}]*)\}})?")
# Variables that stand for one value; the others for some, or all.
SINGLE = ("cluster", "application")


def labels(record: str) -> tuple[str, ...]:
    """The labels of a record that variables of that name filter by."""
    if record == ALERTS:
        return ("cluster",)
    return tuple(label for label in FILTERS if label in _LABELS[record].names)


def records(expression: str) -> list[str]:
    """The records that an expression reads, in its order."""
    return list(dict.fromkeys(match["name"] for match in _NAME.finditer(expression)))


def expand(expression: str, variables: Mapping[str, object] | tuple[str, ...]) -> str:
    """Give every record of an expression the matchers of the dashboard's variables."""

    def selector(match: re.Match[str]) -> str:
        name = match["name"]
        if name != ALERTS and name not in METRIC:
            raise ValueError(f"{name} is no record of the catalogue; it is read by: {expression}")
        filters = [
            f'{label}{"=" if label in SINGLE else "=~"}"${label}"' for label in labels(name) if label in variables
        ]
        matchers = ", ".join([*filters, *([match["matchers"]] if match["matchers"] else [])])
        return f"{name}{{{matchers}}}" if matchers else name

    return _NAME.sub(selector, expression)
