"""What the environment says."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


@dataclass(frozen=True)
class Settings:
    """Each field is read from the variable of its name in capitals."""

    catalogue: str = "/etc/monitoring-api/catalogue.json"
    port: int = 8080
    #: Folder with uPlot, which the page draws with.
    vendor: str = "/usr/share/monitoring-api"
    #: prometheus or kubernetes.
    backend: str = "prometheus"
    #: Address of anything that has Prometheus' HTTP API.
    prometheus_url: str = "http://127.0.0.1:9090"
    #: Address of the API server; empty: there is none to ask, for nodes' labels and for whether a token is good.
    kubernetes_url: str = ""
    kubernetes_token_file: str = f"{ACCOUNT}/token"
    kubernetes_ca_file: str = f"{ACCOUNT}/ca.crt"
    #: Address of the monitor of a COMPSs application, by its namespace and name.
    application_url: str = "http://{name}.{namespace}.svc:15000"
    #: Value of the label cluster where the back-end is kubernetes.
    cluster: str = ""
    #: Whether a request needs a token of the cluster.
    authentication: bool = True
    #: Seconds that a back-end has for an answer.
    timeout: float = 5.0
    #: Requests per second, and at once, of one user or, without authentication, of one address.
    rate: float = 100.0
    burst: int = 200
    #: Largest answer of a back-end, in bytes.
    answer_bytes: int = 8 << 20
    #: Metrics of one request, points of one series, clients of the event stream.
    metrics: int = 100
    points: int = 2000
    streams: int = 2000
    #: Seconds between two looks for the event stream.
    look: float = 5.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """Raises ValueError where a number is none, or the back-end is unknown."""
        kinds: dict[str, Callable[[str], Any]] = {
            "str": str,
            "int": int,
            "float": float,
            "bool": lambda text: text.lower() == "true",
        }
        values = {
            field.name: kinds[str(field.type)](environment[field.name.upper()])
            for field in fields(cls)
            if environment.get(field.name.upper())
        }
        settings = cls(**values)
        if settings.backend not in ("prometheus", "kubernetes"):
            raise ValueError(f"BACKEND is {settings.backend!r}; expected prometheus or kubernetes")
        return settings
