# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""One change of a release at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .charts import cache_directory
from .model import ReleaseError, Spec
from .program import Helm


@contextmanager
def exclusive(helm: Helm, spec: Spec, tell: Callable[[str], None]) -> Iterator[None]:
    """Keeps other runs on this host off the release: what one has begun would look like an interrupted run's."""
    identity = json.dumps([helm.kubeconfig or os.environ.get("KUBECONFIG"), helm.context, spec.namespace, spec.name])
    path = cache_directory().parent / "locks" / hashlib.sha256(identity.encode()).hexdigest()[:24]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("w")
    except OSError as error:
        raise ReleaseError(
            f"Cannot write {path}: {error.strerror}. Set XDG_CACHE_HOME to a folder that can be written."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"another run is changing {spec.name}: waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
