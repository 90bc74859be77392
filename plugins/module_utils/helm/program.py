# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The helm program, and its errors as they are."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cached_property
from pathlib import Path

from .model import Json, ReleaseError, Spec

# Seconds for a call that only reads. Helm has no time-out of its own for these.
READ_TIMEOUT = 60


class Helm:
    """The helm program with its access to one cluster."""

    def __init__(self, program: str = "helm", kubeconfig: str | None = None, context: str | None = None) -> None:
        self.program = program
        self.kubeconfig = kubeconfig
        self.context = context
        self._access = [
            *(["--kubeconfig", kubeconfig] if kubeconfig else []),
            *(["--kube-context", context] if context else []),
        ]
        if kubeconfig and not Path(kubeconfig).is_file():
            raise ReleaseError(
                f"There is no kubeconfig {kubeconfig}. Expected the file that gives access to the cluster: "
                "start the cluster that writes it, or correct kubeconfig (inventory: continuum_kubeconfig)."
            )

    def call(self, *arguments: str, timeout: float | None = READ_TIMEOUT) -> str:
        """Standard output of ``helm arguments``; its error as :class:`HelmError`."""
        try:
            done = subprocess.run(
                [self.program, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except FileNotFoundError as error:
            raise HelmMissingError(self.program) from error
        except subprocess.TimeoutExpired as error:
            raise HelmError(f"Kubernetes cluster unreachable: no answer within {timeout:.0f} s") from error
        except OSError as error:
            raise ReleaseError(
                f"Cannot run {self.program}: {error.strerror}. Expected the helm program there."
            ) from error
        if done.returncode:
            raise HelmError(done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}")
        return done.stdout

    def cluster(self, *arguments: str, timeout: float | None = READ_TIMEOUT) -> str:
        """A call that talks to the cluster."""
        return self.call(*arguments, *self._access, timeout=timeout)

    def status(self, spec: Spec, revision: int = 0) -> Json:
        """The release as the cluster has it, with its objects and their pods. Helm 3 gives them on request only."""
        earlier = ("--revision", str(revision)) if revision else ()
        command = ("status", spec.name, "--namespace", spec.namespace, "--output", "json", *earlier)
        state: Json = json.loads(self.cluster(*command))
        # Helm 4 refuses the flag, so the version is asked first, and only where there are no objects.
        if not (state.get("info") or {}).get("resources") and self.major == 3:
            state = json.loads(self.cluster(*command, "--show-resources"))
        return state

    @cached_property
    def major(self) -> int:
        version = self.call("version", "--template", "{{.Version}}")
        match = re.match(r"v?(\d+)\.", version)
        if not match or int(match.group(1)) not in (3, 4):
            raise ReleaseError(f"{self.program} says it is version {version.strip()!r}. Expected Helm 3 or 4.")
        return int(match.group(1))


class HelmError(Exception):
    """What helm wrote when it failed, as it is."""


class HelmMissingError(ReleaseError):
    def __init__(self, program: str) -> None:
        super().__init__(
            f"There is no program {program}. Expected Helm 3 or 4: run the role continuum.edge.helm first, "
            "or name it (inventory: continuum_helm)."
        )
