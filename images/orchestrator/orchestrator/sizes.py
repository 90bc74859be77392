"""How large running workers are, and may become: Kubernetes changes a pod's size in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightkube.utils.quantity import parse_quantity

from .agreement import CONTAINER

Size = Mapping[str, Mapping[str, str]]


def resized(pod: Mapping[str, Any], factor: float, least: Size, most: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Requests and limits of the worker in a pod, multiplied; empty where nothing changes.

    No resource gets less than `least`, which the run began with, nor more than `most`; one that `most` lacks stays.
    """
    worker = next(each for each in pod["spec"]["containers"] if each["name"] == CONTAINER)
    changed: dict[str, dict[str, str]] = {}
    for kind, amounts in worker.get("resources", {}).items():
        if kind not in ("requests", "limits"):
            continue
        for name in sorted(set(amounts) & set(most)):
            have = _amount(amounts[name])
            low = _amount(least.get(kind, {}).get(name, amounts[name]))
            high = max(_amount(most[name]), low)
            want = min(max(have * factor, low), high)
            if abs(want - have) > 1e-3 * have:
                changed.setdefault(kind, {})[name] = f"{round(want * 1000)}m" if name == "cpu" else str(round(want))
    return changed


def _amount(quantity: str) -> float:
    """In cores, bytes or pieces."""
    return float(parse_quantity(quantity) or 0)
