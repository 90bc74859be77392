"""The metric catalogue, as the module recording_rules_info tells it: the rules are rendered from the same."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class UnknownNameError(Exception):
    """A metric or a label that is not there; `names` are those that are alike."""

    def __init__(self, what: str, name: str, names: Iterable[str]) -> None:
        self.names = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(self.names)}?" if self.names else ""
        super().__init__(f"there is no {what} {name!r}{meant}")


#: What a metric has as the module tells it.
PLAIN = ("name", "level", "category", "unit", "type", "meaning", "absent", "warning", "critical")


@dataclass(frozen=True)
class Metric:
    name: str
    level: str
    category: str
    unit: str
    type: str
    meaning: str
    #: Names of the labels that its series may have.
    labels: tuple[str, ...]
    #: Whether they may have others, too, as a site's own metric without an aggregation has.
    more_labels: bool
    #: Why a healthy cluster may have no series of it; empty where that is a fault.
    absent: str
    warning: float | None
    critical: float | None
    #: Metrics that it is computed from.
    reads: tuple[str, ...]
    #: Exporters that feed it, through other metrics too.
    exporters: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """What the API tells: nothing of how it is computed."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}


@dataclass(frozen=True)
class Exporter:
    name: str
    feeds: str
    #: Matchers of its targets, for a back-end only.
    selector: str


class Catalogue:
    def __init__(self, content: dict[str, Any]) -> None:
        self.metrics = {
            entry["name"]: Metric(
                labels=tuple(entry["label_names"]),
                more_labels=entry["more_labels"],
                reads=tuple(entry["reads"]),
                exporters=tuple(entry["exporters"]),
                **{key: entry[key] for key in PLAIN},
            )
            for entry in content["metrics"]
        }
        self.exporters = {entry["name"]: Exporter(**entry) for entry in content["exporters"]}

    @classmethod
    def read(cls, path: str) -> Catalogue:
        return cls(json.loads(Path(path).read_text(encoding="utf-8")))

    def __getitem__(self, name: str) -> Metric:
        """Raises UnknownNameError."""
        try:
            return self.metrics[name]
        except KeyError:
            raise UnknownNameError("metric", name, self.metrics) from None
