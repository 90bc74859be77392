"""The Monitoring API: the only source of figures."""

from __future__ import annotations

import difflib
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

#: Series of one metric by the labels that tell them apart.
Labels = tuple[tuple[str, str], ...]
Series = dict[Labels, float]
#: Labels that say whose series they are: the same for all that one agreement reads.
WHOSE = ("cluster", "namespace", "application")
#: Seconds after which the catalogue is read anew: the API may have been given another one.
CATALOGUE_SECONDS = 600.0


class Unavailable(Exception):  # noqa: N818 - it is a state, not a fault of ours
    """There is no answer now; the text says why."""


class Unknown(Exception):  # noqa: N818
    """A name that the catalogue does not have."""


@dataclass(frozen=True)
class Metric:
    name: str
    labels: frozenset[str]
    #: Whether it grows as long as what it counts lives: only what is new of it counts.
    total: bool


class Monitoring:
    def __init__(self, url: str, token_file: str, timeout: float) -> None:
        self.token_file = Path(token_file)
        self.client = httpx2.Client(base_url=url, timeout=timeout)
        self.metrics: dict[str, Metric] = {}
        self.read_at = -math.inf

    def ask(self, path: str, parameters: Sequence[tuple[str, str]] = ()) -> Any:
        """The answer's content. Raises Unavailable."""
        headers = {}
        if self.token_file.exists():
            headers["Authorization"] = f"Bearer {self.token_file.read_text(encoding='ascii').strip()}"
        try:
            answer = self.client.get(path, params=list(parameters), headers=headers)
            content = answer.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise Unavailable(f"the Monitoring API does not answer: {error or type(error).__name__}") from None
        if answer.status_code != httpx2.codes.OK:
            reason = content.get("reason", "") if isinstance(content, dict) else ""
            raise Unavailable(f"the Monitoring API answers {answer.status_code}: {reason}")
        return content

    def catalogue(self) -> Mapping[str, Metric]:
        """All metrics by name. Raises Unavailable."""
        if time.monotonic() - self.read_at > CATALOGUE_SECONDS:
            self.metrics = {
                entry["name"]: Metric(entry["name"], frozenset(entry["labels"]), entry["type"] == "total")
                for entry in self.ask("/api/v1/metrics")["metrics"]
            }
            self.read_at = time.monotonic()
        return self.metrics

    def metric(self, name: str) -> Metric:
        """Raises Unavailable, or Unknown with the names that are alike."""
        catalogue = self.catalogue()
        if name in catalogue:
            return catalogue[name]
        alike = difflib.get_close_matches(name, catalogue, n=3, cutoff=0.5)
        meant = f"; did you mean {' or '.join(alike)}?" if alike else ""
        raise Unknown(f"there is no metric {name!r}{meant}")

    def values(self, names: Sequence[str], place: Mapping[str, str]) -> dict[str, Series]:
        """Present values by name; `place` pins those of its labels that a metric has. Raises Unavailable or Unknown."""
        series: dict[str, Series] = {name: {} for name in names}
        groups: dict[str, list[str]] = {}
        for name in names:
            pinned = {label: value for label, value in place.items() if label in self.metric(name).labels}
            groups.setdefault(",".join(f"{label}={value}" for label, value in pinned.items()), []).append(name)
        for selector, members in groups.items():
            parameters = [("metric", name) for name in members]
            if selector:
                parameters.append(("labelSelector", selector))
            for item in self.ask("/api/v1/values", parameters)["values"]:
                value = item["value"]
                if isinstance(value, (int, float)):  # NaN and the infinities come as texts, and are no figure to act by
                    key = tuple(sorted((k, v) for k, v in item["labels"].items() if k not in WHOSE))
                    series[item["metric"]][key] = float(value)
        return series
