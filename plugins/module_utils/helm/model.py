# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What a release is: the one that is wanted, and one that is deployed or rendered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


class ReleaseError(Exception):
    """What was found, what was expected, what to do: for the person who runs the playbook."""


@dataclass(frozen=True)
class Spec:
    """The release that is wanted."""

    name: str
    namespace: str
    chart: str = ""
    repo: str | None = None
    version: str | None = None
    values: Json = field(default_factory=dict)
    create_namespace: bool = True
    timeout: str = "5m"
    rollback_on_failure: bool = True


@dataclass(frozen=True)
class Release:
    """A release, deployed or rendered."""

    status: str
    revision: int
    manifest: str
    hooks: tuple[str, ...]
    config: Json
    # name-version, as `helm list` shows it
    chart: str
    app_version: str
    namespace: str = ""
    # What the cluster has of it now: kind -> objects.
    resources: Mapping[str, list[Json]] = field(default_factory=dict)
