# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The catalogue's entries, by subject."""

from __future__ import annotations

from ..model import Metric
from . import application, completeness, compss, cpu, devices, memory, network, node, platform, storage
from .alerts import ALERTS
from .compss import SERIES as COMPSS_SERIES

METRICS: tuple[Metric, ...] = tuple(
    metric
    for subject in (cpu, memory, network, storage, node, devices, application, compss, platform, completeness)
    for metric in subject.METRICS
)

__all__ = ["ALERTS", "COMPSS_SERIES", "METRICS"]
