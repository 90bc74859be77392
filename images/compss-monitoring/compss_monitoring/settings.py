"""What the environment says."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

DEFAULT_BUCKETS = "0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10,30,60,300"


@dataclass(frozen=True)
class Pool:
    """A StatefulSet of workers."""

    name: str
    architecture: str = ""
    computing_units: int = 1
    number: int = 0

    def has(self, worker: str) -> bool:
        """Whether a pod's name, alone or with its domain, is one of this pool's."""
        prefix, _, number = worker.partition(".")[0].rpartition("-")
        return prefix == self.name and number.isdigit()


@dataclass(frozen=True)
class Settings:
    application: str = "application"
    namespace: str = "default"
    run: str = ""
    engine: str = "compss"
    version: str = ""
    port: int = 15000
    redis: str = "127.0.0.1:6379"
    results: str = "/results"
    control: str = "/run/compss"
    pushgateway: str = ""
    linger: float = 40.0
    buckets: tuple[float, ...] = ()
    max_names: int = 100
    pools: tuple[Pool, ...] = ()
    job: str = ""
    retries: int = 0
    keep_workers: bool = False
    start_workers: bool = False
    deadlines: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        def get(name: str, default: str = "") -> str:
            return environment.get(name, default)

        buckets = tuple(sorted({float(bound) for bound in get("BUCKETS", DEFAULT_BUCKETS).split(",")}))
        limits: dict[str, Any] = json.loads(get("COMPSS_DEADLINES") or "{}")
        return cls(
            application=get("COMPSS_APPLICATION", "application"),
            namespace=get("COMPSS_NAMESPACE", "default"),
            run=get("COMPSS_RUN"),
            engine=get("COMPSS_ENGINE", "compss"),
            version=get("COMPSS_VERSION"),
            port=int(get("PORT", "15000")),
            redis=get("REDIS", "127.0.0.1:6379"),
            results=get("RESULTS", "/results"),
            control=get("CONTROL", "/run/compss"),
            pushgateway=get("PUSHGATEWAY_URL").rstrip("/"),
            linger=float(get("LINGER", "40")),
            buckets=buckets,
            max_names=int(get("MAX_NAMES", "100")),
            pools=tuple(Pool(**pool) for pool in json.loads(get("POOLS") or "[]")),
            job=get("JOB"),
            retries=int(get("RETRIES", "0")),
            keep_workers=bool(get("KEEP_WORKERS")),
            start_workers=bool(get("START_WORKERS")),
            deadlines={name: limit["seconds"] + limit.get("jitter", 0) for name, limit in limits.items()},
        )
