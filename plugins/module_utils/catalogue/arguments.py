# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The options that the modules share, and the catalogue that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from .model import Configuration
from .rules import Catalogue, Selection

CONFIGURATION: dict[str, dict[str, Any]] = {
    part.name: {"type": "dict", "default": {}} if part.name == "selectors" else {"type": "str", "default": part.default}
    for part in fields(Configuration)
}
CONFIGURATION["node_size"]["choices"] = ["capacity", "allocatable"]
CONFIGURATION["cluster_size"]["choices"] = ["sum", "max"]

SELECTION: dict[str, dict[str, Any]] = {
    "categories": {"type": "list", "elements": "str", "default": []},
    "levels": {"type": "list", "elements": "str", "default": []},
    "names": {"type": "list", "elements": "str", "default": []},
    "alerts": {"type": "bool", "default": True},
}

SITE: dict[str, dict[str, Any]] = {
    "extra_metrics": {"type": "list", "elements": "dict", "default": []},
    "labels": {"type": "dict", "default": {}},
    "cluster": {"type": "str", "default": ""},
}

ARGUMENTS = {**SELECTION, **SITE, **CONFIGURATION}


def catalogue_of(params: Mapping[str, Any]) -> Catalogue:
    return Catalogue(
        configuration=Configuration(**{name: params[name] for name in CONFIGURATION}),
        **{name: params[name] for name in SITE},
    )


def selection_of(params: Mapping[str, Any]) -> Selection:
    return Selection(**{name: params[name] for name in SELECTION})
