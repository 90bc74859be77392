# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""A folder that holds certain files and no others."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Change:
    """One file that differs. None stands for its absence."""

    path: str
    before: bytes | None
    after: bytes | None


def compare(folder: Path, files: Mapping[str, bytes]) -> list[Change]:
    """What has to happen to the folder so that it holds just these files, in the order of their paths."""
    contents = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return [
        Change(path, contents.get(path), files.get(path))
        for path in sorted({*contents, *files})
        if contents.get(path) != files.get(path)
    ]


def write(path: Path, content: bytes, mode: int = 0o644) -> None:
    """A file atomically, with the folders that it lies in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink()
        raise


def apply(folder: Path, changes: list[Change]) -> None:
    """Each file atomically; folders that are empty then go, the outermost too."""
    for change in changes:
        path = folder / change.path
        if change.after is None:
            path.unlink()
            with contextlib.suppress(OSError):
                for parent in path.parents:
                    parent.rmdir()
                    if parent == folder:
                        break
            continue
        write(path, change.after)
