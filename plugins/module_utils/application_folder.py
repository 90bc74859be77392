# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The folder of an application, as the chart ``compss`` takes it: texts in a ConfigMap, or one archive."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import stat
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# They are never part of an application.
ALWAYS = (".git/", "__pycache__/")
# A ConfigMap, and the release that it is a part of, each hold less than 1 MiB.
CONFIG_MAP = 256 * 1024


class FolderError(Exception):
    """What was found, what was expected, what to do."""


@dataclass(frozen=True)
class Folder:
    """What travels, by its path relative to ``root``, and what does not, each with its reason."""

    root: Path
    paths: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(path.stat().st_size for path in self.each() if path.is_file() and not path.is_symlink())

    def each(self) -> Iterator[Path]:
        return (self.root / path for path in self.paths)

    def digest(self) -> str:
        """What changes with any name, mode or content."""
        checksum = hashlib.sha256()
        for name, path in zip(self.paths, self.each(), strict=True):
            mode = path.lstat().st_mode
            checksum.update(f"\0{name}\0{stat.S_IFMT(mode):o}\0{mode & 0o777:o}\0".encode(errors="surrogateescape"))
            if path.is_symlink():
                checksum.update(str(path.readlink()).encode(errors="surrogateescape"))
            elif path.is_file():
                with path.open("rb") as file:
                    checksum.update(hashlib.file_digest(file, "sha256").digest())
        return checksum.hexdigest()


def read(root: Path) -> Folder:
    """Look at a folder, with the rules of its ``.dockerignore``, or else of its ``.gitignore``."""
    import pathspec

    if not root.is_dir():
        raise FolderError(
            f"{root} is no folder. Expected the application's: an absolute path, or one that begins where you stand."
        )
    name, ignored = _rules(root)
    always = pathspec.GitIgnoreSpec.from_lines(ALWAYS)
    paths, left_out = [], []
    for path, kept in _walk(root, root, always, ignored):
        if kept == "ignored":
            left_out.append(f"{path} ({name})")
        elif kept:
            left_out.append(f"{path} ({kept})")
        else:
            paths.append(path)
    return Folder(root, tuple(sorted(paths)), tuple(sorted(left_out)))


def _rules(root: Path) -> tuple[str, Any]:
    """The file with the rules, and what they say of a path."""
    import pathspec

    docker = root / ".dockerignore"
    if docker.is_file():
        # Docker's patterns begin at the folder, and a later one may take a part of an ignored folder back.
        lines = [line.strip() for line in docker.read_text(encoding="utf-8").splitlines()]
        patterns = [line for line in lines if line and not line.startswith("#")]
        rooted = [
            f"!/{each[1:].strip().lstrip('/')}" if each[0] == "!" else f"/{each.lstrip('/')}" for each in patterns
        ]
        return docker.name, pathspec.PathSpec.from_lines("gitignore", rooted)
    git = root / ".gitignore"
    lines = git.read_text(encoding="utf-8").splitlines() if git.is_file() else []
    return git.name, pathspec.GitIgnoreSpec.from_lines(lines)


def _walk(root: Path, folder: Path, always: Any, ignored: Any) -> Iterator[tuple[str, str]]:
    """Each file, link and empty folder, with why it stays here; nothing where it travels."""
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    if not entries and folder != root:
        path = str(folder.relative_to(root))
        yield path, "ignored" if ignored.match_file(f"{path}/") else ""
    for entry in entries:
        path = str(Path(entry.path).relative_to(root))
        if always.match_file(f"{path}/" if entry.is_dir(follow_symlinks=False) else path):
            yield path, "never part of an application"
        elif entry.is_symlink():
            yield path, "ignored" if ignored.match_file(path) else _link(root, Path(entry.path))
        elif entry.is_dir():
            yield from _walk(root, Path(entry.path), always, ignored)
        elif not entry.is_file():
            yield path, "neither a file, a folder nor a link"
        else:
            yield path, "ignored" if ignored.match_file(path) else ""


def _link(root: Path, path: Path) -> str:
    target = path.resolve()
    if path.readlink().is_absolute() or not target.is_relative_to(root.resolve()):
        raise FolderError(
            f"{path} leads to {path.readlink()}, which does not travel with the folder. Expected a relative link "
            "within it: copy what it leads to, or ignore it (.dockerignore)."
        )
    return ""


def as_values(folder: Folder) -> dict[str, Any] | None:
    """Values of ``app.source`` for a folder that a ConfigMap holds as it is; None for one that it does not."""
    if folder.size > CONFIG_MAP or any(path.is_symlink() or path.is_dir() for path in folder.each()):
        return None
    files: dict[str, str] = {}
    binary: dict[str, str] = {}
    programs = []
    for name, path in zip(folder.paths, folder.each(), strict=True):
        content = path.read_bytes()
        try:
            text = content.decode()
            # What neither YAML nor the API keeps as it is.
            if any(ord(character) < 32 and character not in "\n\t" for character in text):
                raise UnicodeDecodeError("utf-8", content, 0, 1, "a control character")
            files[name] = text
        except UnicodeDecodeError:
            binary[name] = base64.b64encode(content).decode()
        if path.stat().st_mode & 0o111:
            programs.append(name)
    return {"files": files, "binaryFiles": binary, "executables": programs}


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """The folder that ``pack`` has written to a file; a folder as it is."""
    if not path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="application-") as scratch:
        try:
            with tarfile.open(path) as archive:
                # Modes and links stay as they are: who packed it has left out what leads outside.
                archive.extractall(scratch, filter="fully_trusted")  # noqa: S202
        except tarfile.TarError as error:
            raise FolderError(f"{path} is no archive: {error}. Expected a folder, or what is in a bundle.") from error
        yield Path(scratch)


def pack(folder: Folder, archive: Path) -> None:
    """Write the folder as an archive that depends on nothing but what is in it."""
    partial = archive.with_name(f"{archive.name}.part")
    with (
        partial.open("wb") as file,
        gzip.GzipFile("", mode="wb", fileobj=file, mtime=0, compresslevel=1) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as packed,
    ):
        for name, path in zip(folder.paths, folder.each(), strict=True):
            member = packed.gettarinfo(str(path), arcname=name)
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = 0
            if member.isreg():
                with path.open("rb") as content:
                    packed.addfile(member, content)
            else:
                packed.addfile(member)
    partial.replace(archive)
