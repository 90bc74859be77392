"""What the environment says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Settings:
    """Each field is read from the variable of its name in capitals."""

    #: File with the templates, as a JSON list.
    templates: str = "/etc/orchestrator/templates.json"
    #: Most workers that the agreements of a namespace may bring it to, as a JSON object; "*" is every other namespace.
    budgets: str = "{}"
    monitoring_api_url: str = "http://monitoring-api:8080"
    #: The pod's own token, which the Monitoring API gets; no header is sent where the file is not there.
    token_file: str = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - it is a path
    #: Port of /metrics.
    port: int = 8080
    #: Seconds between two looks.
    look: float = 3.0
    #: Seconds that the Monitoring API and the API server have for an answer.
    timeout: float = 5.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Raises ValueError where a number is none."""
        kinds: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}
        return cls(
            **{
                field.name: kinds[str(field.type)](environment[field.name.upper()])
                for field in fields(cls)
                if environment.get(field.name.upper())
            }
        )
