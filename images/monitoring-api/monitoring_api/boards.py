"""Boards of the page, as dashboards/generate.py writes them. Their queries stay here: who asks names a panel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .catalogue import UnknownNameError

FILE = Path(__file__).with_name("boards.json")


class Boards:
    def __init__(self, content: list[dict[str, Any]]) -> None:
        self.boards = {board["key"]: board for board in content}

    @classmethod
    def read(cls) -> Boards:
        return cls(json.loads(FILE.read_text(encoding="utf-8")))

    def __getitem__(self, key: str) -> dict[str, Any]:
        """Raises UnknownNameError."""
        try:
            return self.boards[key]
        except KeyError:
            raise UnknownNameError("board", key, self.boards) from None

    def listed(self) -> list[dict[str, str]]:
        return [{name: board[name] for name in ("key", "title", "about")} for board in self.boards.values()]

    def shown(self, key: str) -> dict[str, Any]:
        """A board without its queries' expressions; panels are numbered through all rows."""
        board = self[key]
        rows = [{**row, "panels": [_shown(panel) for panel in row["panels"]]} for row in board["rows"]]
        return {**board, "rows": rows}

    def panel(self, key: str, number: int) -> dict[str, Any]:
        """Raises UnknownNameError."""
        panels = [panel for row in self[key]["rows"] for panel in row["panels"]]
        if not 0 <= number < len(panels):
            raise UnknownNameError(f"panel of board {key}", str(number), map(str, range(len(panels))))
        panel: dict[str, Any] = panels[number]
        return panel

    def chosen(self, key: str, given: Mapping[str, list[str]]) -> dict[str, tuple[bool, tuple[str, ...]]]:
        """Of each variable of a board whether it may have several values, and those that are given."""
        return {
            variable["name"]: (variable["multi"], tuple(given.get(variable["name"], ())))
            for variable in self[key]["variables"]
        }


def _shown(panel: dict[str, Any]) -> dict[str, Any]:
    queries = [{"legend": query["legend"], "unit": query["unit"]} for query in panel["queries"]]
    return {**panel, "queries": queries}
