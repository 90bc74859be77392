"""Where this process stands: `none` (plain Python), `master` (the main program) or `worker` (inside a task)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runtime import Runtime

role = "none"
runtime: Runtime | None = None
