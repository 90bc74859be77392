# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""YAML that Kubernetes' programs write and read: of version 1.1 in part, of version 1.2 in part.

What is read is read as they read it. What is written has quotes wherever a reader of either version could take a text
for something else: PyYAML leaves ``08``, ``25921e05`` and ``y`` as they are, and Helm refuses the number that it finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

_TAG = "tag:yaml.org,2002:"

# Reading YAML


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Plain text is what sigs.k8s.io/yaml takes it for; ``=``, a date and ``12:30`` are text there."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 # PyYAML's own name for a table of the class


_RESOLVED = (
    ("bool", r"y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF", "yYnNtTfFoO"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("merge", r"<<", "<"),
    ("int", r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]+|0|[1-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9_]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9_]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
)
for _name, _expression, _first in _RESOLVED:
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"(?:{_expression})\\Z"), list(_first))


def _truth(loader: Any, node: Any) -> bool:
    return str(loader.construct_scalar(node)).lower() in ("y", "yes", "true", "on")


def _integer(loader: Any, node: Any) -> int:
    text = str(loader.construct_scalar(node)).replace("_", "")
    return int(re.sub(r"\A([-+]?)0(?=[0-7])", r"\g<1>0o", text), 0)


def _number(loader: Any, node: Any) -> float:
    text = str(loader.construct_scalar(node)).replace("_", "").lower()
    number = float(re.sub(r"\.(inf|nan)", r"\1", text))
    # A number becomes JSON on its way to the API, and there Go writes 1e+06 as 1000000.
    return int(number) if number.is_integer() and abs(number) < 1e21 else number


_Loader.add_constructor(f"{_TAG}bool", _truth)
_Loader.add_constructor(f"{_TAG}int", _integer)
_Loader.add_constructor(f"{_TAG}float", _number)


def load_all(text: str) -> Iterator[Any]:
    """The documents of a manifest."""
    yield from yaml.load_all(text, Loader=_Loader)


# Writing YAML

# A number, a date or a time of any reader has no other characters. Some texts are quoted that need not be.
_LIKE_A_NUMBER = re.compile(r"[-+.0-9][-+.:,_0-9a-fA-FxXoOtTzZ \t]*")
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Text of several lines as a block, so that a difference shows its lines; no anchors."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    style = None
    if not all(line.isprintable() for line in text.split("\n")):
        # Escaped: what breaks a line differs between the versions.
        style = '"'
    elif "\n" in text:
        style = "|"
    elif _LIKE_A_NUMBER.fullmatch(text) or text.lower() in _WORDS:
        style = "'"
    return dumper.represent_scalar(f"{_TAG}str", text, style=style)


_Dumper.add_representer(str, _text)


def dump(value: Any, *, sort_keys: bool) -> str:
    """A document in which every text is read as a text again."""
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=sort_keys, width=10000, allow_unicode=True))
