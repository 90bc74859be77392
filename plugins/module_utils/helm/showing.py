# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""A difference as Ansible shows it, without its secrets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .. import kubernetes_yaml
from .comparing import Difference

_SENSITIVE = re.compile(
    r"(password|passwd|passphrase|token|secret|secret_?key|access_?key|api_?key|private_?key|credentials?)$",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"^existing|^automount|^use|^create|^enable|name$", re.IGNORECASE)


def is_sensitive(key: str) -> bool:
    return bool(_SENSITIVE.search(key)) and not _REFERENCE.search(key)


def sensitive_strings(value: Any, *, inside: bool = False) -> Iterator[str]:
    """Every string below a key that names a secret."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from sensitive_strings(item, inside=inside or is_sensitive(str(key)))
    elif isinstance(value, list):
        for item in value:
            yield from sensitive_strings(item, inside=inside)
    elif inside and isinstance(value, str) and len(value) > 2:
        yield value


def hidden(before: Any, after: Any) -> tuple[Any, Any]:
    """Both sides of a difference with the secrets taken out, but with what changed still to be seen."""
    return _hide(before, after, "before"), _hide(after, before, "after")


def _hide(value: Any, other: Any, side: str, *, inside: bool = False) -> Any:
    if isinstance(value, Mapping):
        peer = other if isinstance(other, Mapping) else {}
        secret = value.get("kind") == "Secret"
        return {
            key: _hide(
                item,
                peer.get(key),
                side,
                inside=inside or (secret and key in ("data", "stringData")) or is_sensitive(str(key)),
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        peers = other if isinstance(other, list) else []
        return [
            _hide(item, peers[index] if index < len(peers) else None, side, inside=inside)
            for index, item in enumerate(value)
        ]
    if not inside or value is None or isinstance(value, bool):
        return value
    return "(hidden)" if value == other or other is None else f"(hidden, {side})"


def dump(value: Any) -> str:
    return "" if value is None else kubernetes_yaml.dump(value, sort_keys=True)


def diffs(difference: Difference) -> list[dict[str, str]]:
    """The difference in the form that Ansible shows with --diff."""
    shown = []
    for change in [*([difference.values] if difference.values else []), *difference.objects]:
        before, after = hidden(change.before, change.after)
        shown.append(
            {
                "before_header": change.title if change.before is not None else f"{change.title} (absent)",
                "after_header": change.title if change.after is not None else f"{change.title} (absent)",
                "before": dump(before),
                "after": dump(after),
            }
        )
    if difference.chart:
        shown.append({"before_header": "chart", "after_header": "chart", **_lines(*difference.chart)})
    shown += [
        {"before_header": name, "after_header": name, **_lines("deleted from the cluster", "created again")}
        for name in difference.missing
    ]
    if difference.failed:
        shown.append({"before_header": "status", "after_header": "status", **_lines("failed", "deployed")})
    return shown


def _lines(before: str, after: str) -> dict[str, str]:
    return {"before": before + "\n", "after": after + "\n"}
