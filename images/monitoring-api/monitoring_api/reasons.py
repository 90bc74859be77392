"""Why a metric has no series: what feeds it, which target is down, which hardware is absent."""

from __future__ import annotations

import asyncio
from typing import Any

from .backend import Backend
from .catalogue import Catalogue


async def explain(name: str, catalogue: Catalogue, backend: Backend) -> dict[str, Any]:
    """Raises UnknownNameError. `reason` is one sentence; the rest is what it is told by."""
    metric = catalogue[name]
    exporters = [catalogue.exporters[exporter] for exporter in metric.exporters]
    targets = await asyncio.gather(*(backend.targets(exporter) for exporter in exporters))
    series_list = await backend.values((name, *(read for read in metric.reads if read in catalogue.metrics)), ())
    series = dict.fromkeys((name, *metric.reads), 0)
    for item in series_list:
        series[item.metric] += 1
    fed = [
        {
            "exporter": exporter.name,
            "feeds": exporter.feeds,
            "targets_up": None if targets_of is None else sum(target.up for target in targets_of),
            "targets_down": None if targets_of is None else [target.labels for target in targets_of if not target.up],
        }
        for exporter, targets_of in zip(exporters, targets, strict=True)
    ]
    return {
        "metric": name,
        "series": series[name],
        "reason": reason(series[name], fed, {read: series[read] for read in metric.reads}, metric.absent),
        "exporters": fed,
        "reads": [{"metric": read, "series": series[read]} for read in metric.reads],
        "absent": metric.absent,
    }


def reason(series: int, fed: list[dict[str, Any]], reads: dict[str, int], absent: str) -> str:
    if series:
        return "it is not empty"
    if down := [entry for entry in fed if entry["targets_down"]]:
        return "; ".join(
            f"{len(entry['targets_down'])} of the targets of {entry['exporter']} are down" for entry in down
        )
    if away := [entry["exporter"] for entry in fed if entry["targets_up"] == 0]:
        return f"nothing is scraped that is {' or '.join(away)}" + (f"; {absent}" if absent else "")
    if absent:
        return absent
    if empty := [name for name, count in reads.items() if not count]:
        return f"it is computed from {' and '.join(empty)}, which have no series: ask for the reason of these"
    return "its targets answer, and it should have series: its rule is not loaded, or has not been evaluated yet"
