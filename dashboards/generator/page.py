# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Boards for the page of the Monitoring API: what it draws, and the queries that the API keeps to itself."""

from __future__ import annotations

import re
from typing import Any

from .board import VARIABLES, Board, uid
from .panels import Panel, description, reason, steps, unit_of
from .query import expand, labels

#: Kinds that show one moment; the others show a range.
PRESENT = frozenset({"stat", "bargauge", "table"})
#: What the page shows live, in the place of a board.
LIVE = {"compss-application": "application/{namespace}/{application}"}
#: Where a link leads, and which of its variables is the whole value of a label.
BOARD = re.compile(rf"^/d/{uid('')}([\w-]+)")
VARIABLE = re.compile(r"&var-(\w+)=\$\{__data\.fields\.(\w+)\}(?=&|$)")


def address(panel: Panel) -> str:
    """Where a row of a table leads within the page; {label} stands for the row's label."""
    board = BOARD.match(panel.link) if panel.kind == "table" else None
    if not board:
        return ""
    chosen = "&".join(f"{name}={{{label}}}" for name, label in VARIABLE.findall(panel.link))
    return "#/" + LIVE.get(board[1], f"{board[1]}?{chosen}")


def render_variable(name: str, before: tuple[str, ...]) -> dict[str, Any]:
    """`under` are those before it that its values depend on."""
    variable = VARIABLES[name]
    return {
        "name": name,
        "title": variable.title,
        "label": variable.label,
        "record": variable.record,
        "multi": variable.multi,
        "under": [one for one in before if one in labels(variable.record)],
    }


def render_panel(panel: Panel, variables: tuple[str, ...]) -> dict[str, Any]:
    reasons = [reason(panel, expr) for _, expr in panel.queries]
    return {
        "kind": panel.kind,
        "title": panel.title,
        "note": description(panel, variables),
        "width": panel.width,
        "present": panel.kind in PRESENT,
        "link": address(panel),
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
    """The boards in their order. Grafana fills in what its own texts say; the page leaves them out."""
    return [
        {
            "key": board.key,
            "title": board.title,
            "about": board.about,
            "variables": [render_variable(name, board.variables[:i]) for i, name in enumerate(board.variables)],
            "rows": [
                {
                    "title": row.title,
                    "panels": [render_panel(panel, board.variables) for panel in row.panels if panel.kind != "text"],
                }
                for row in board.rows
            ],
        }
        for board in boards
    ]
