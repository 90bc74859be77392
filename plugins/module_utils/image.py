# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Builds a container image with buildah, for a registry or a layout, only when what goes into it has changed."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tempfile
import urllib.error
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.continuum.edge.plugins.module_utils import oci

LABEL = "edge.continuum.content"  # the image's label that holds the hash of what it was built from


class ImageError(Exception):
    """An image cannot be built, pushed or looked up; the text says what was found and what to do."""


@dataclass(frozen=True)
class Recipe:
    """What an image is built from: ``include`` are the paths in ``context`` that its Containerfile copies.

    ``architectures`` are Go's names (amd64, arm64); none is that of this machine.
    """

    containerfile: Path
    context: Path
    include: tuple[str, ...] = (".",)
    arguments: tuple[tuple[str, str], ...] = ()
    architectures: tuple[str, ...] = ()

    def key(self) -> str:
        """Hash of everything that goes into the image."""
        digest = hashlib.sha256(self.containerfile.read_bytes())
        digest.update(json.dumps([*self.arguments, *self.architectures]).encode())
        for path in self._files():
            digest.update(f"\0{path.relative_to(self.context)}\0{path.stat().st_mode & 0o111:o}\0".encode())
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()

    def _files(self) -> Iterator[Path]:
        for name in self.include:
            path = self.context / name
            if not path.exists():
                raise ImageError(f"{path} is not there, and {self.containerfile} copies it into the image")
            yield from (p for p in sorted(path.rglob("*")) if p.is_file()) if path.is_dir() else [path]


def built_from(registry: oci.Registry, repository: str, tag: str) -> str | None:
    """The hash of what an image of a registry is built from; None where a part is not there, or it does not say."""
    return _key(
        _read(registry, f"{repository}/manifests/{tag}"),
        lambda kind, digest: _read(registry, f"{repository}/{kind}/{digest}"),
    )


def built_in(layout: oci.Layout, name: str) -> str | None:
    """The same of an image of a layout, which may not be there yet."""
    image = layout.images().get(name) if (layout.folder / "index.json").is_file() else None
    return _key(layout.read(image["digest"]), lambda _kind, digest: layout.read(digest)) if image else None


def _key(manifest: oci.Json, read: Callable[[str, str], oci.Json]) -> str | None:
    # Images of several architectures are built together: each has the label.
    if "manifests" in manifest:
        manifest = read("manifests", manifest["manifests"][0]["digest"])
    config = read("blobs", manifest["config"]["digest"]) if "config" in manifest else {}
    value = (config.get("config", {}).get("Labels") or {}).get(LABEL)
    return str(value) if value is not None else None


def _read(registry: oci.Registry, path: str) -> oci.Json:
    """A JSON document of a registry, empty where it is not there."""
    try:
        with registry.open("GET", path, {"Accept": ", ".join(oci.MANIFESTS + oci.INDEXES)}) as answer:
            document: oci.Json = json.load(answer)
            return document
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return {}
        raise oci.OciError(f"Registry {registry.host} answers {error.code} for {path}.") from error


@contextmanager
def _policy() -> Iterator[Path]:
    """Debian's buildah comes without the signature policy that it insists on."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"default": [{"type": "insecureAcceptAnything"}]}, file)
        file.flush()
        yield Path(file.name)


def build_and_push(recipe: Recipe, key: str, place: oci.Registry | oci.Layout, reference: str, storage: Path) -> None:
    """Build ``recipe`` and push it as ``reference`` (repository:tag) of a registry or of a layout."""
    name = f"localhost/{hashlib.sha256(reference.encode()).hexdigest()[:12]}:{key[:12]}"
    buildah = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run"), "--storage-driver", "vfs"]
    if isinstance(place, oci.Layout):
        place.folder.mkdir(parents=True, exist_ok=True)
        target, options = f"oci:{place.folder}:{reference}", []
    else:
        target, options = f"docker://{place.host}/{reference}", [f"--tls-verify={str(not place.insecure).lower()}"]
        options += [f"--authfile={place.auth_file}"] if place.auth_file else []
    arguments = [f"--build-arg={argument}={value}" for argument, value in recipe.arguments]
    # Each image has its architecture in its name; a build for this machine alone has none.
    images = {f"{name}-{each}": [f"--arch={each}"] for each in recipe.architectures} or {name: []}
    with _policy() as policy:
        common = ["--signature-policy", str(policy)]
        build = [*buildah, "build", *common, "--isolation=chroot", "--layers=false", "--quiet", *arguments]
        what = [f"--label={LABEL}={key}", f"--file={recipe.containerfile}", str(recipe.context)]
        push = ["push"]
        try:
            for image, architecture in images.items():
                _run([*build, *architecture, f"--tag={image}", *what])
            if recipe.architectures:
                _run([*buildah, "manifest", "create", name, *images])
                push = ["manifest", "push", "--all", "--format=oci"]
            _run([*buildah, *push, *common, "--quiet", *options, name, target])
        finally:
            # What was not made cannot be removed, which is no fault.
            for remove in [["manifest", "rm", name], *(["rmi", "--force", image] for image in images)]:
                subprocess.run([*buildah, *remove], capture_output=True, check=False)
    if isinstance(place, oci.Layout):
        # Under each of the names that a layout's readers look for, and without what an earlier image left.
        place.write(place.images())


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ImageError("buildah is not there: install it (Debian, Ubuntu: apt-get install buildah)") from error
    if done.returncode:
        raise ImageError(f"{' '.join(command)} failed: {done.stderr.strip()[-2000:]}")
