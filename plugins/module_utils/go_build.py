# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Builds Go programs once, and again only when something that goes into them has changed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

REPORT_EVERY = 10.0  # seconds
# Go's names by the kernel's.
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class GoBuildError(Exception):
    """A program cannot be built; the text says what was found and what to do."""


@dataclass(frozen=True)
class Program:
    """``package`` is a path in the source's module or its dependencies; without a source it is ``path@version``."""

    name: str
    package: str
    ldflags: str = ""
    tags: str = ""


@dataclass(frozen=True)
class Builder:
    """Builds into ``dest``; ``source`` is the folder with go.mod and go.sum, or None for ``path@version`` packages."""

    dest: Path
    source: Path | None = None
    go: str = "go"
    report: Callable[[str], None] = lambda _: None
    environment: dict[str, str] = field(default_factory=lambda: {**os.environ, "CGO_ENABLED": "0"})

    def _go(self, *arguments: str) -> str:
        try:
            done = subprocess.run(
                [self.go, *arguments],
                cwd=self.source,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise GoBuildError(
                f"{self.go} is not there: install Go (https://go.dev/dl) and put it on PATH, or name it in 'go'"
            ) from error
        if done.returncode:
            raise GoBuildError(f"{self.go} {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout

    def _content(self) -> Iterable[bytes]:
        """What goes into every program: its platform, and the module's own files (go.mod names the toolchain).

        No Go is needed where nothing is to be built: another machine may have built all of it.
        """
        machine = platform.machine()
        yield json.dumps(
            [self.environment.get("GOOS", "linux"), self.environment.get("GOARCH", ARCHITECTURES.get(machine, machine))]
        ).encode()
        if self.source is None:
            return
        if not (self.source / "go.sum").is_file():
            raise GoBuildError(f"{self.source} has no go.sum, and nothing is built unverified: run 'go mod tidy' there")
        for path in sorted(self.source.rglob("*")):
            if path.is_file() and path.suffix in {".go", ".mod", ".sum"}:
                yield str(path.relative_to(self.source)).encode() + b"\0" + path.read_bytes()

    def outdated(self, programs: list[Program]) -> dict[str, str]:
        """The programs to build, by name, with the key that each one's stamp will hold."""
        common = hashlib.sha256()
        for part in self._content():
            common.update(hashlib.sha256(part).digest())
        keys = {}
        for program in programs:
            digest = common.copy()
            digest.update(json.dumps([program.package, program.ldflags, program.tags]).encode())
            keys[program.name] = digest.hexdigest()
        return {
            name: key
            for name, key in keys.items()
            if not (self.dest / name).is_file() or _read(self._stamp(name)) != key
        }

    def _stamp(self, name: str) -> Path:
        return self.dest / f".{name}.key"

    def build(self, programs: list[Program]) -> list[str]:
        """Build what is outdated. Returns the names of the programs that were built."""
        keys = self.outdated(programs)
        self.dest.mkdir(parents=True, exist_ok=True)
        for program in programs:
            if program.name in keys:
                self._stamp(program.name).unlink(missing_ok=True)
                self._build(program)
                self._stamp(program.name).write_text(keys[program.name])
        return list(keys)

    def _build(self, program: Program) -> None:
        started = time.monotonic()
        flags = ["-v", "-trimpath", f"-tags={program.tags}", f"-ldflags=-s -w {program.ldflags}".rstrip()]
        # A program gets its final name when it is whole: Ctrl-C leaves no half of one under it.
        partial = self.dest / f".{program.name}.partial"
        if self.source is None:
            # 'go install' verifies path@version against the checksum database and names the file itself.
            folder = partial.with_suffix(".d")
            self._compile(program.name, ["install", *flags, program.package], {"GOBIN": str(folder)})
            next(folder.iterdir()).rename(partial)
            folder.rmdir()
        else:
            self._compile(program.name, ["build", "-mod=readonly", *flags, "-o", str(partial), program.package], {})
        partial.rename(self.dest / program.name)
        size = (self.dest / program.name).stat().st_size / 1e6
        self.report(f"{program.name}: built in {time.monotonic() - started:.0f} s ({size:.0f} MB)")

    def _compile(self, name: str, arguments: list[str], extra: dict[str, str]) -> None:
        """Run go and report how many packages it has compiled ('-v' names each on standard error)."""
        self.report(f"{name}: resolving its modules")  # and downloading them, where the machine is new
        total = self._count(arguments[-1])
        compiled, downloaded = 0, 0
        errors: list[str] = []
        self.report(f"{name}: compiling {total or 'its'} packages, less what is cached")
        process = subprocess.Popen(
            [self.go, *arguments],
            cwd=self.source,
            env={**self.environment, **extra},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        done = threading.Event()

        def heartbeat() -> None:
            while not done.wait(REPORT_EVERY):
                of = f" of at most {total}" if total else ""
                self.report(
                    f"{name}: {compiled}{of} packages compiled" + (f", {downloaded} downloaded" if downloaded else "")
                )

        threading.Thread(target=heartbeat, daemon=True).start()
        try:
            for line in process.stderr or ():
                if line.startswith("go: downloading"):
                    downloaded += 1
                # A package's path has no space; all that follows the first error belongs to it.
                elif " " in line.strip() or errors:
                    errors.append(line.rstrip())
                else:
                    compiled += 1
            if process.wait():
                raise GoBuildError(f"go could not build {name}: " + "\n".join(errors[-15:]))
        finally:
            done.set()
            if process.poll() is None:
                process.terminate()
                process.wait()

    def _count(self, package: str) -> int:
        """How many packages the program consists of; 0 where only go itself can tell (path@version)."""
        return 0 if self.source is None else len(self._go("list", "-mod=readonly", "-deps", package).splitlines())


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
