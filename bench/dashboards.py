"""What the overview dashboard costs, on the history of 200 nodes and 10,000 pods of bench/rules.

Lets Prometheus evaluate the rules on that history, stretches what they record to two hours, and asks a second
Prometheus all queries of the dashboard for its last hour, as Grafana sends them: those of panels and of annotations.
Then asks the same with every record replaced by the raw query that it stands for, over one step only, since the raw
history is short.
Prints one JSON object per figure on stdout, progress on stderr.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rules
from figures import figure, progress

from ansible_collections.continuum.edge.plugins.module_utils.catalogue import (
    METRICS,
    Catalogue,
)
from ansible_collections.continuum.edge.plugins.module_utils.catalogue.promql import selectors

ADDRESS = "127.0.0.1:19391"
OVERVIEW = rules.ROOT / "dashboards" / "Platform" / "cluster.json"
HOUR, STEP = rules.HOUR, rules.STEP
ROUNDS = 9
NAMES = {metric.name for metric in METRICS}


def queries() -> Iterator[tuple[str, str, int]]:
    """Title, query and step in seconds of all that the dashboard asks; step 0 asks for one moment."""
    dashboard = json.loads(OVERVIEW.read_text(encoding="utf-8"))

    def filled(expression: str) -> str:
        return expression.replace("$cluster", "big").replace("$__interval", "60s").replace("$__rate_interval", "120s")

    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield panel["title"], filled(target["expr"]), 0 if target["instant"] else STEP
    for annotation in dashboard["annotations"]["list"]:
        yield f"annotation {annotation['name']}", filled(annotation["target"]["expr"]), 60


def ask(server: Any, query: str, step: int, end: float) -> list[Any]:
    if step:
        data = server.ask("query_range", query=query, start=str(end - HOUR), end=str(end), step=str(step))
    else:
        data = server.ask("query", query=query, time=str(end))
    result: list[Any] = data["result"]
    return result


def by_record(server: Any, end: int) -> None:
    asked = list(queries())
    totals, singles = [], dict.fromkeys((title for title, _, _ in asked), 0.0)
    empty = set()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for title, query, step in asked:
            before = time.perf_counter()
            if not ask(server, query, step, end):
                empty.add(title)
            singles[title] += time.perf_counter() - before
        totals.append(time.perf_counter() - began)
    for title, seconds in sorted(singles.items(), key=lambda item: item[1]):
        progress(f"{1000 * seconds / ROUNDS:8.2f} ms  {title}{'  (no data)' if title in empty else ''}")
    total = 1000 * statistics.median(totals)
    figure(f"Overview dashboard, its {len(asked)} queries for an hour, by record", round(total, 1), "ms", 100)


def by_raw_query(server: Any, catalogue: Any) -> None:
    """The panels that have data here, over one step: the least that they can cost."""
    expressions = {metric.name: catalogue.entries[metric.name].expr for metric in METRICS}
    end = time.time() - time.time() % STEP
    total, count = 0.0, 0
    for title, query, _ in queries():
        try:
            _, taken = rules.timed(server, rules.raw_query(query, expressions), end - STEP, end, 3)
        except LookupError:
            continue
        total, count = total + taken, count + 1
        progress(f"{1000 * taken:10.1f} ms raw  {title}")
    figure(f"The same by raw queries, {count} of them, for one step only", round(1000 * total, 1), "ms", None)


def measure(folder: Path) -> None:
    catalogue = Catalogue(rules.CONFIGURATION)
    needed = {selector.name for _, query, _ in queries() for selector in selectors(query)} & NAMES
    server, start, now = rules.prepared(folder / "raw", catalogue)
    recorded = folder / "recorded"
    recorded.mkdir()
    with server:
        rules.filled(server, catalogue, start, now)
        rules.evaluations(server, now + rules.AHEAD)
        progress("Stretching what they recorded to two hours")
        end = int(time.time()) // STEP * STEP
        rules.stretch(server, needed, range(end - 2 * HOUR, end + 1, STEP), recorded)
        progress("Asking by raw query")
        by_raw_query(server, catalogue)
    progress("Asking by record")
    with rules.Server(recorded, ADDRESS) as server:
        by_record(server, end)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="continuum-bench-dashboards-", ignore_cleanup_errors=True) as folder:
        measure(Path(folder))


if __name__ == "__main__":
    main()
