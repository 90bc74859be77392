"""How a program of this folder tells what it has measured: one JSON object a figure on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
from typing import Any


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def figure(name: str, measured: float, unit: str, goal: float | None = None, better: str = "less", **more: Any) -> None:
    """``more`` are further fields of report.Figure."""
    print(
        json.dumps({"figure": name, "measured": measured, "unit": unit, "goal": goal, "better": better, **more}),
        flush=True,
    )
