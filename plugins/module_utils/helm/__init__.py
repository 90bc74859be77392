# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Helm releases: what is deployed, what would be, the difference, and the way from one to the other.

Everything goes through the ``helm`` program (3.13 or newer, or 4). Reading costs three calls: the latest entry of the
release's history, then at once the release as the cluster has it and a server-side dry run that renders the chart
against the API's own capabilities. Where these say the same thing, nothing else is called.
"""

from __future__ import annotations

from .advice import explain
from .changing import recover, roll_back, uninstall, upgrade
from .charts import is_remote, locate
from .comparing import (
    Change,
    Difference,
    by_title,
    chart_name,
    compare,
    refuse_other_chart,
    removal,
    split,
)
from .lock import exclusive
from .model import Json, Release, ReleaseError, Spec
from .program import Helm, HelmError, HelmMissingError
from .reading import Rendering, at, deployed, latest, render
from .showing import diffs, dump, hidden, is_sensitive, sensitive_strings
from .waiting import PENDING, seconds, shorten, unready

__all__ = [
    "PENDING",
    "Change",
    "Difference",
    "Helm",
    "HelmError",
    "HelmMissingError",
    "Json",
    "Release",
    "ReleaseError",
    "Rendering",
    "Spec",
    "at",
    "by_title",
    "chart_name",
    "compare",
    "deployed",
    "diffs",
    "dump",
    "exclusive",
    "explain",
    "hidden",
    "is_remote",
    "is_sensitive",
    "latest",
    "locate",
    "recover",
    "refuse_other_chart",
    "removal",
    "render",
    "roll_back",
    "seconds",
    "sensitive_strings",
    "shorten",
    "split",
    "uninstall",
    "unready",
    "upgrade",
]
