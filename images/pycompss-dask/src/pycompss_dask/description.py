"""The vocabulary that master and executors share: how arguments are described, how files travel, what a program is.

It imports nothing of Dask.
"""

from __future__ import annotations

import glob
import pickle
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import PyCOMPSsException
from .wire import Outcome, dump, load

# A description is a tuple: what it is, its content, and the position among the outputs (-1: none).
VALUE, DEPENDENCY, FILE, LIST, SEQUENCE, MAPPING, NEW = range(7)
PREPARE = "prepare"  # in place of a call: import what the next one needs
INLINE = 8 * 1024  # bytes up to which a value travels inside the call that uses it


def pack(path: Path, is_directory: bool = False) -> Any:
    """The content of a file (mode, bytes) or of a directory (relative path -> the same)."""
    if is_directory:
        return {
            str(entry.relative_to(path)): None if entry.is_dir() else pack(entry) for entry in sorted(path.rglob("*"))
        }
    if not path.exists():
        # A task need not write its FILE_OUT; COMPSs leaves an empty file.
        return (0o644, b"")
    return (path.stat().st_mode & 0o777, pickle.PickleBuffer(path.read_bytes()))


def unpack(content: Any, path: Path) -> None:
    if isinstance(content, dict):
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        for name, entry in content.items():
            if entry is None:
                (path / name).mkdir(parents=True, exist_ok=True)
            else:
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                unpack(entry, path / name)
        return
    mode, data = content
    path.write_bytes(data)
    path.chmod(mode | 0o600)


def merge_files(*versions: Any) -> Any:
    """The file that CONCURRENT tasks leave: the first version, and what each task appended to it."""
    if any(type(version) is Outcome for version in versions):
        return next(version for version in versions if type(version) is Outcome)
    mode, base = load(versions[0])
    base = bytes(base)
    content = base
    for version in versions[1:]:
        changed = bytes(load(version)[1])
        if changed == base:
            continue
        if changed.startswith(base):
            content += changed[len(base) :]
        elif content == base:
            content = changed
        else:
            raise PyCOMPSsException(
                "two tasks changed the same FILE_CONCURRENT in other ways than by appending to it;"
                " these changes cannot be put together without a shared file system: use FILE_COMMUTATIVE"
            )
    return dump((mode, pickle.PickleBuffer(content)))


def together(*stored: Any) -> Any:
    """The outputs of a task that ran on every worker: those of the first, unless one of them did not end well."""
    return next((value for value in stored if type(value) is Outcome), stored[0])


def run_binary(options: dict[str, Any], names: list[str], arguments: list[Any], only_args: bool = False) -> int:
    """Run the program of a @binary task; its exit value is what the task returns.

    `only_args`: it gets what its `args` say, and none of the task's arguments besides.
    """
    values = dict(zip(names, arguments, strict=False))
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL}
    opened = []
    command = []
    parameters = options["parameters"]
    for name, value in () if only_args else zip(names, arguments, strict=True):
        stream, prefix, mode = parameters.get(name, ("", "", ""))
        if stream:
            opened.append(Path(value).open(mode))  # noqa: SIM115 - closed when the program has ended
            streams[stream.lower()] = opened[-1]
        elif prefix and prefix != "null":
            command.append(f"{prefix}{value}")
        else:
            command.append(str(value))

    def filled(text: str, quoted: Callable[[str], str] = str) -> str:
        for name, value in values.items():
            text = text.replace("{{" + name + "}}", quoted(str(value)))
        return text

    folder = filled(options["working_dir"]) or None
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
    if options["args"] is not None:
        command = []
        for argument in options["args"].split():
            # As a shell's, a wildcard stands for the files that it matches; one in a value does not, and a value with
            # spaces is one argument.
            matched: list[str] = []
            if glob.has_magic(argument):
                matched = glob.glob(filled(argument, glob.escape), root_dir=folder)  # noqa: PTH207 - as the shell does
            command += sorted(matched) or [filled(argument)]
    try:
        ended = subprocess.run([filled(options["binary"]), *command], cwd=folder, check=False, **streams)
    finally:
        for file in opened:
            file.close()
    if ended.returncode and options["fail_by_exit_value"]:
        raise PyCOMPSsException(f"{options['binary']} ended with exit value {ended.returncode}")
    return ended.returncode
