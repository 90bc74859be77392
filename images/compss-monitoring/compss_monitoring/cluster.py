"""The workers of the application: who starts them where a schedule does, who sends them away, and when."""

from __future__ import annotations

import json
import os
import ssl
import urllib.request
from pathlib import Path
from typing import Any

from .settings import Settings

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
WRONG_ARGUMENTS = 2  # the Job does not try again


class Cluster:
    """The few calls of the Kubernetes API that the Role allows."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        host, port = os.environ.get("KUBERNETES_SERVICE_HOST", ""), os.environ.get("KUBERNETES_SERVICE_PORT", "443")
        self.address = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"

    def call(self, path: str, method: str = "GET", body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310
            f"{self.address}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}",
                "Content-Type": "application/merge-patch+json",
            },
        )
        context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
            return json.load(answer)

    def last_attempt(self, status: int) -> bool:
        """Whether no other master will come after one that ended with this status."""
        settings = self.settings
        if not settings.job:
            return False  # a Deployment starts its master again
        if status in (0, WRONG_ARGUMENTS):
            return True
        job = self.call(f"/apis/batch/v1/namespaces/{settings.namespace}/jobs/{settings.job}")
        return int(job.get("status", {}).get("failed", 0)) >= settings.retries

    def start_workers(self) -> None:
        for pool in self.settings.pools:
            self.scale(pool.name, pool.number)

    def remove_workers(self) -> None:
        for pool in self.settings.pools:
            self.scale(pool.name, 0)

    def scale(self, pool: str, number: int) -> None:
        path = f"/apis/apps/v1/namespaces/{self.settings.namespace}/statefulsets/{pool}/scale"
        self.call(path, "PATCH", {"spec": {"replicas": number}})
