# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Fetches what a bundle consists of, and writes it."""

from __future__ import annotations

import filecmp
import itertools
import json
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.continuum.edge.plugins.module_utils import application_folder, bundle, helm, oci

# pip's names of the architectures.
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}


@dataclass(frozen=True)
class Request:
    """What a bundle is to hold."""

    folder: Path
    #: As the roles describe them: name, namespace, chart, repo, version and values.
    releases: list[dict[str, Any]]
    #: Folders of applications by the applications' names.
    applications: dict[str, str]
    #: Images besides those that the releases ask for.
    images: list[str]
    architectures: list[str]
    #: An OCI image layout that is looked in first; None where there is none.
    layout: Path | None
    #: The registry that has all images under their full names; empty where each comes from its own.
    registry: str
    #: Whether that registry is spoken to in plain HTTP.
    insecure: bool
    helm: str
    helm_archives: str
    collections: list[Path]
    #: The file with the Python packages; None where there are none.
    requirements: str | None
    #: The Python that fetches the wheels.
    python: str
    #: Versions of Python, such as 3.13, that the wheels are for; none is that of ``python``.
    python_versions: list[str]
    #: Folder of programs that are packed as they are; None where there are none.
    programs: Path | None


def make(
    request: Request, scratch_parent: str | None, report: Callable[[str], None], *, check: bool
) -> tuple[bool, int]:
    """Make the bundle, or bring it up to date. Returns whether it changed, and the number of its files."""
    _refuse_foreign(request.folder)
    sums = request.folder / bundle.SUMS
    before = sums.read_text() if sums.is_file() else ""
    if check:
        return not before, len(before.splitlines())
    request.folder.mkdir(parents=True, exist_ok=True)
    # A folder without the list of digests is no bundle: it gets one when it is whole.
    sums.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=scratch_parent) as scratch:
        maker = Maker(request, Path(scratch), report)
        images = maker.charts()
        maker.images(images | {str(oci.Reference.parse(name)) for name in request.images})
        maker.binaries()
        maker.applications()
        maker.collections()
        maker.wheels()
        maker.programs()
        number = maker.finish()
    return sums.read_text() != before, number


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that has something else than a bundle in it: the bundle's maker removes what is no part of it."""
    parts = {"applications", "charts", "images", "bin", "collections", "wheels", "programs", bundle.SUMS, bundle.SBOM}
    if folder.is_dir() and (foreign := sorted({path.name for path in folder.iterdir()} - parts)):
        raise bundle.BundleError(
            f"{folder} has {', '.join(foreign)}, which are not of a bundle. Expected a folder for the bundle alone: "
            "name another bundle_output, or clear it."
        )


class Maker:
    """Writes the parts of a bundle, and knows which files belong to it."""

    def __init__(self, request: Request, scratch: Path, report: Callable[[str], None]) -> None:
        self.request = request
        self.folder = request.folder
        self.scratch = scratch
        self.report = report
        self.helm = helm.Helm(request.helm)
        self.kept: set[Path] = {self.folder / bundle.SUMS, self.folder / bundle.SBOM}

    def write(self, path: str, content: bytes) -> None:
        target = self.folder / path
        self.kept.add(target)
        if not target.is_file() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def charts(self) -> set[str]:
        """Packs the charts. Returns the images that the releases ask for."""
        images = set()
        for each in self.request.releases:
            spec = helm.Spec(each["name"], each["namespace"], each["chart"], each.get("repo"), each.get("version"))
            self.report(f"chart {bundle.chart_file(spec)}")
            chart = Path(helm.locate(self.helm, spec, self.scratch))
            content = bundle.pack_folder(chart, f"{chart.name}/") if chart.is_dir() else chart.read_bytes()
            self.write(f"charts/{bundle.chart_file(spec)}", content)
            values = self.scratch / "values.json"
            values.write_text(json.dumps(each["values"]))
            arguments = [each["name"], str(chart), "--namespace", each["namespace"], "--values", str(values)]
            images |= bundle.images_of(helm.split(self.helm.call("template", *arguments)))
        return images

    def images(self, names: set[str]) -> None:
        layout = oci.Layout(self.folder / "images")
        architectures = self.request.architectures
        images = {}
        made = oci.Layout(self.request.layout) if self.request.layout else None
        for name in sorted(names):
            self.report(f"image {name}")
            if made and name in made.images():
                images[name] = oci.copy(made, name, layout)
                continue
            reference = oci.Reference.parse(name)
            mirror = self.request.registry
            registry = oci.Registry(mirror or reference.host, self.request.insecure and bool(mirror))
            repository = f"{reference.host}/{reference.repository}" if mirror else reference.repository
            images[name] = oci.pull(registry, repository, reference.digest or reference.tag, architectures, layout)
        layout.write(images)
        self.kept.update(path for path in layout.folder.rglob("*") if path.is_file())

    def binaries(self) -> None:
        version = self.helm.call("version", "--template", "{{.Version}}").strip()
        for architecture in self.request.architectures:
            name = f"helm-{version}-linux-{architecture}.tar.gz"
            path = self.folder / "bin" / name
            self.kept.add(path)
            if path.is_file():
                continue
            self.report(f"Helm {version} for {architecture}")
            content = self.helm_archive(name)
            if content is None and architecture == self.own_architecture():
                program = Path(shutil.which(self.helm.program) or self.helm.program)
                content = bundle.pack({f"linux-{architecture}/helm": program})
            if content is None:
                raise bundle.BundleError(
                    f"{self.request.helm_archives} gives no {name}, and the helm that is here is not for "
                    f"{architecture}. Expected that archive there (helm_archive_base_url)."
                )
            self.write(f"bin/{name}", content)

    def helm_archive(self, name: str) -> bytes | None:
        """Helm's own archive, checked against the digest beside it; None where the server does not answer."""
        address = f"{self.request.helm_archives}/{name}"
        try:
            with urllib.request.urlopen(f"{address}.sha256sum", timeout=10) as answer:  # noqa: S310 # the user's server
                digest = answer.read().split()[0].decode()
            with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310
                content: bytes = answer.read()
        except OSError:
            return None
        if oci.digest_of(content) != f"sha256:{digest}":
            raise bundle.BundleError(f"{address} has not the digest of {address}.sha256sum. Get it again.")
        return content

    @staticmethod
    def own_architecture() -> str:
        machine = subprocess.run(["uname", "-m"], capture_output=True, text=True, check=True).stdout.strip()
        return {name: each for each, name in PLATFORMS.items()}.get(machine, machine)

    def applications(self) -> None:
        for name, path in sorted(self.request.applications.items()):
            self.report(f"application {name}")
            target = self.scratch / f"{name}.tgz"
            try:
                with application_folder.unpacked(Path(path)) as root:
                    application_folder.pack(application_folder.read(root), target)
            except application_folder.FolderError as error:
                raise bundle.BundleError(str(error)) from error
            self.write(f"applications/{target.name}", target.read_bytes())

    def collections(self) -> None:
        for path in self.request.collections:
            if (path / "galaxy.yml").is_file():
                archive = self.built(path)
                name, content = archive.name, archive.read_bytes()
            else:
                name, content = bundle.pack_collection(path)
            self.write(f"collections/{name}", content)

    def built(self, source: Path) -> Path:
        """The collection of a checkout. Its archive has the time in it, so it is packed again without the time."""
        folder = self.scratch / "collection"
        galaxy = Path(self.request.python).parent / "ansible-galaxy"
        self.run([str(galaxy), "collection", "build", str(source), "--output-path", str(folder), "--force"])
        archive = next(folder.glob("*.tar.gz"))
        unpacked = folder / "files"
        self.run(["tar", "--extract", "--file", str(archive), "--one-top-level=" + str(unpacked)])
        archive.write_bytes(bundle.pack_folder(unpacked))
        return archive

    def wheels(self) -> None:
        requirements = self.request.requirements
        if not requirements:
            return
        folder = self.scratch / "wheels"
        versions = [f"--python-version={version}" for version in self.request.python_versions] or [""]
        for architecture, version in itertools.product(self.request.architectures, versions):
            self.report(f"Python wheels for {architecture}")
            machine = PLATFORMS.get(architecture, architecture)
            platforms = [f"manylinux_2_{minor}_{machine}" for minor in (34, 28, 17)] + [f"manylinux2014_{machine}"]
            self.run(
                [
                    *[self.request.python, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"],
                    *["--only-binary=:all:", "--requirement", requirements, "--dest", str(folder)],
                    *(f"--platform={platform}" for platform in platforms),
                    *filter(None, [version]),
                ]
            )
        for path in folder.glob("*.whl"):
            self.write(f"wheels/{path.name}", path.read_bytes())

    def programs(self) -> None:
        """Packs what is built, with the stamps beside it that tell what it is built from."""
        if self.request.programs is None:
            return
        self.report(f"programs of {self.request.programs}")
        for source in sorted(self.request.programs.iterdir()):
            if source.is_symlink() or not source.is_file():
                continue
            target = self.folder / "programs" / source.name
            self.kept.add(target)
            if not target.is_file() or not filecmp.cmp(source, target, shallow=False):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)

    @staticmethod
    def run(command: list[str]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise bundle.BundleError(
                f"{' '.join(command)} failed: {done.stderr.strip()[-1500:] or done.stdout[-1500:]}"
            )

    def finish(self) -> int:
        for path in self.strangers():
            path.unlink()
        for path in sorted((path for path in self.folder.rglob("*") if path.is_dir()), reverse=True):
            if not any(path.iterdir()):
                path.rmdir()
        version = "0"
        for path in (self.folder / "collections").glob("continuum-edge-*.tar.gz"):
            version = re.sub(r"^continuum-edge-|\.tar\.gz$", "", path.name)
        described = bundle.sbom(self.folder, "continuum.edge", version)
        self.write(bundle.SBOM, oci.dump(described).encode())
        self.write(bundle.SUMS, bundle.seal(self.folder).encode())
        return len(self.kept)

    def strangers(self) -> Iterator[Path]:
        yield from (path for path in list(self.folder.rglob("*")) if path.is_file() and path not in self.kept)
