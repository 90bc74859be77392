"""The memory that this machine or container gives, and whether the kernel ended a process for want of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def _files(unified: str, legacy: str) -> Iterator[str]:
    """The texts of a file of this process's control groups, version 2 or 1; a container sees its own as the root."""
    groups = Path("/proc/self/cgroup").read_text().splitlines()
    for _, controllers, group in (line.split(":", 2) for line in groups):
        if controllers not in ("", "memory"):
            continue
        top, name = (ROOT / "memory", legacy) if controllers else (ROOT, unified)
        for folder in (top / group.lstrip("/"), top):
            if (folder / name).is_file():
                yield (folder / name).read_text()
                break


def limit() -> float:
    """Bytes that this machine or container gives."""
    total = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    texts = [text.strip() for text in _files("memory.max", "memory.limit_in_bytes")]
    return min([total, *[float(text) for text in texts if text.isdigit()]])


def kills() -> int:
    """How many processes the kernel has ended since the control group's memory ran out; 0 where nobody counts."""
    lines = [line.split() for text in _files("memory.events", "memory.oom_control") for line in text.splitlines()]
    return sum(int(value) for name, value in (line for line in lines if len(line) == 2) if name == "oom_kill")
