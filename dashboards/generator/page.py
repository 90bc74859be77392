# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Boards for the page of the Monitoring API: what it draws, and the queries that the API keeps to itself."""

from __future__ import annotations

from typing import Any

from .board import VARIABLES, Board
from .panels import Panel, description, reason, steps, unit_of
from .query import expand

#: What the page can draw. A board with a panel of another kind is Grafana's alone.
DRAWN = frozenset({"stat", "timeseries", "bargauge", "state-timeline", "table", "text"})
#: Kinds that show one moment; the others show a range.
PRESENT = frozenset({"stat", "bargauge", "table"})


def drawable(board: Board) -> bool:
    return not board.texts and all(panel.kind in DRAWN for row in board.rows for panel in row.panels)


def render_panel(panel: Panel, variables: tuple[str, ...]) -> dict[str, Any]:
    reasons = [reason(panel, expr) for _, expr in panel.queries]
    return {
        "kind": panel.kind,
        "title": panel.title,
        "note": panel.note if panel.kind == "text" else description(panel, variables),
        "width": panel.width,
        "present": panel.kind in PRESENT,
        "absent": reasons[0] if reasons and all(reasons) else "",
        "steps": [[step.value, step.color] for step in steps(panel)],
        "options": {key: list(value) if isinstance(value, tuple) else value for key, value in panel.options.items()},
        "queries": [
            {
                "legend": legend,
                "unit": panel.unit or unit_of(expression),
                "expression": expand(expression, variables),
            }
            for legend, expression in panel.queries
        ],
    }


def render_pages(boards: tuple[Board, ...]) -> list[dict[str, Any]]:
    """The boards that the page can draw, in their order."""
    return [
        {
            "key": board.key,
            "title": board.title,
            "about": board.about,
            "variables": [
                {"name": name, "title": VARIABLES[name].title, "label": VARIABLES[name].label}
                | {"record": VARIABLES[name].record, "multi": VARIABLES[name].multi}
                for name in board.variables
            ],
            "rows": [
                {"title": row.title, "panels": [render_panel(panel, board.variables) for panel in row.panels]}
                for row in board.rows
            ],
        }
        for board in boards
        if drawable(board)
    ]
