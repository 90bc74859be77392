# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Lets a module say what it is doing while its task runs.

Ansible shows a module's result only at its end. The callback ``continuum.edge.progress`` names a file in the
environment, modules append lines to it, and the callback prints them as they come. Where the callback is off, or the
module runs on another host, :func:`report` does nothing.
"""

from __future__ import annotations

import os

VARIABLE = "CONTINUUM_EDGE_PROGRESS"


def report(text: str) -> None:
    """Show ``text`` below the running task. Never fails: progress is a courtesy, not a result."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    # One write to a file opened for appending: lines of several processes do not mix.
    line = " ".join(text.split()) + "\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except OSError:
        return
