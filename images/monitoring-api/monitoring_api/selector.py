"""Which series are meant: Kubernetes' label selectors, for any value that a label of a series may have."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from .catalogue import Metric, UnknownNameError

_NAME = r"(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)"
#: A value has no comma, no parenthesis and no space.
_VALUE = r"[^,()\s]"
_FORMS = re.compile(
    rf"\s*(?:{_NAME}\s*(?P<sign>==|=|!=)\s*(?P<value>(?!~){_VALUE}*)"
    rf"|{_NAME.replace('name', 'set')}\s+(?P<operator>in|notin)\s*\((?P<values>[^()]*)\)"
    rf"|(?P<not>!?)\s*{_NAME.replace('name', 'key')})\s*(?:,|$)"
)


class SelectorError(Exception):
    """A text that is no selector."""


@dataclass(frozen=True)
class Requirement:
    """The label has one of the values, or, where `negated`, none. A label that is not there has the value ""."""

    label: str
    values: tuple[str, ...]
    negated: bool = False

    def fits(self, labels: Mapping[str, str]) -> bool:
        return (labels.get(self.label, "") in self.values) != self.negated


def parse(text: str) -> tuple[Requirement, ...]:
    """The requirements of a text such as `node=edge-1,namespace notin (kube-system)`. Raises SelectorError."""
    position, requirements = 0, []
    while text[position:].strip():
        match = _FORMS.match(text, position)
        if not match or (match.end() == len(text) and text.rstrip().endswith(",")):
            raise SelectorError(
                f"labelSelector stops making sense at {text[position:]!r}; expected Kubernetes' form, such as "
                "node=edge-1,namespace in (a,b),!gpu"
            )
        requirements.append(_requirement(match))
        position = match.end()
    return tuple(requirements)


def _requirement(match: re.Match[str]) -> Requirement:
    if match["sign"]:
        return Requirement(match["name"], (match["value"],), match["sign"] == "!=")
    if match["operator"]:
        values = tuple(sorted({value.strip() for value in match["values"].split(",")}))
        return Requirement(match["set"], values, match["operator"] == "notin")
    return Requirement(match["key"], ("",), not match["not"])


def check(requirements: tuple[Requirement, ...], metric: Metric) -> None:
    """Raises UnknownNameError where the metric's series cannot have a label."""
    for requirement in requirements:
        if requirement.label not in metric.labels and not metric.more_labels:
            raise UnknownNameError(f"label of {metric.name} named", requirement.label, metric.labels)


def fits(requirements: tuple[Requirement, ...], labels: Mapping[str, str]) -> bool:
    return all(requirement.fits(labels) for requirement in requirements)
