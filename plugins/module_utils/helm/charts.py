# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Where a chart lies on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from .advice import explain
from .model import Spec
from .program import Helm, HelmError


def cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "continuum.edge" / "charts"


def is_remote(spec: Spec) -> bool:
    """Whether the chart has to be fetched: all but a path."""
    if spec.repo or re.match(r"(oci|https?)://", spec.chart):
        return True
    return not Path(spec.chart).expanduser().exists() and bool(re.fullmatch(r"[\w.-]+/[\w.-]+", spec.chart))


def locate(helm: Helm, spec: Spec, scratch: Path) -> str:
    """The chart as a path. A published version never changes, so it is downloaded once and kept."""
    if not is_remote(spec):
        path = Path(spec.chart).expanduser()
        if not path.exists():
            raise explain(HelmError(f"path {spec.chart} not found"), spec, helm)
        return str(path)
    exact = bool(spec.version and re.fullmatch(r"v?\d+\.\d+\.\d+[\w.+-]*", spec.version))
    identity = json.dumps([spec.repo, spec.chart, spec.version])
    folder = cache_directory() / hashlib.sha256(identity.encode()).hexdigest()[:24]
    if exact and (archives := sorted(folder.glob("*.tgz"))):
        return str(archives[0])
    arguments = [
        *(["--repo", spec.repo] if spec.repo else []),
        *(["--version", spec.version] if spec.version else []),
    ]
    try:
        helm.call("pull", spec.chart, *arguments, "--destination", str(scratch), timeout=300)
    except HelmError as error:
        # Helm's words for a server that does not answer are the same for a repository and for a cluster.
        explained = explain(error, spec, helm)
        missing = re.search(r" does not exist: ", str(explained))
        raise explained if missing else explain(HelmError(f"failed to download: {error}"), spec, helm) from error
    archive = next(scratch.glob("*.tgz"))
    if not exact:
        return str(archive)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The copy gets its name when it is whole, so that nothing takes an interrupted one for the chart.
        partial = folder / f".{os.getpid()}.part"
        partial.write_bytes(archive.read_bytes())
        partial.replace(folder / archive.name)
    except OSError:
        return str(archive)
    return str(folder / archive.name)
