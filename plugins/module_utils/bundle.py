# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""A folder with all that a site is installed from, for where nothing else can be reached.

SHA256SUMS         digest of every other file, as sha256sum writes and checks it
sbom.cdx.json      what it consists of (CycloneDX)
charts/            <name>-<version>.tgz
images/            an OCI image layout
applications/      folders of applications, packed: <name>.tgz
bin/               archives of Helm, as its makers name them
collections/       for ansible-galaxy
wheels/            for pip
programs/          of an embedded cluster, with stamps that tell what they are built from
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
import uuid
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.continuum.edge.plugins.module_utils.helm import Spec, is_remote
from ansible_collections.continuum.edge.plugins.module_utils.oci import Layout, Reference

Json = dict[str, Any]

SUMS = "SHA256SUMS"
SBOM = "sbom.cdx.json"


class BundleError(Exception):
    """What was found, what was expected, what to do."""


# Making the parts of a bundle


def pack(files: Mapping[str, bytes | Path]) -> bytes:
    """An archive that depends on nothing but what is in it."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=content, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, source in sorted(files.items()):
            member = tarfile.TarInfo(name)
            if isinstance(source, Path) and source.is_dir():
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
                continue
            data = source.read_bytes() if isinstance(source, Path) else source
            member.size = len(data)
            member.mode = 0o755 if isinstance(source, Path) and source.stat().st_mode & 0o100 else 0o644
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def pack_folder(folder: Path, prefix: str = "") -> bytes:
    """An archive of the folder, with subfolders, which ansible-galaxy looks for, without what Python leaves there."""
    paths = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return pack({f"{prefix}{path.relative_to(folder)}": path for path in paths if path.is_dir() or path.is_file()})


def pack_collection(folder: Path) -> tuple[str, bytes]:
    """The name of an installed collection's artefact, and the artefact made anew.

    The installation may lack files that nobody needs for use; ansible-galaxy wants every file that is listed.
    """
    manifest: Json = json.loads((folder / "MANIFEST.json").read_text())
    listed: Json = json.loads((folder / "FILES.json").read_text())
    listed["files"] = [each for each in listed["files"] if (folder / each["name"]).exists()]
    content = json.dumps(listed, indent=1).encode()
    manifest["file_manifest_file"]["chksum_sha256"] = hashlib.sha256(content).hexdigest()
    files: dict[str, bytes | Path] = {
        each["name"]: folder / each["name"] for each in listed["files"] if each["name"] != "."
    }
    files |= {"FILES.json": content, "MANIFEST.json": json.dumps(manifest, indent=1).encode()}
    info = manifest["collection_info"]
    return f"{info['namespace']}-{info['name']}-{info['version']}.tar.gz", pack(files)


def chart_file(spec: Spec) -> str:
    """The name that the chart of a release has among the charts."""
    if is_remote(spec):
        if not spec.version:
            raise BundleError(f"Chart {spec.chart} of release {spec.name} has no version. Expected an exact one.")
        return f"{spec.chart.rpartition('/')[2]}-{spec.version.removeprefix('v')}.tgz"
    path = Path(spec.chart).expanduser()
    if path.is_file():
        return path.name
    try:
        metadata = yaml.safe_load((path / "Chart.yaml").read_text())
    except OSError as error:
        raise BundleError(f"There is no chart at {path}. Expected a folder with a Chart.yaml or an archive.") from error
    return f"{metadata['name']}-{metadata['version']}.tgz"


def chart_in(bundle: Path, spec: Spec) -> str:
    """The chart of a release, out of a bundle."""
    path = bundle / "charts" / chart_file(spec)
    if not path.is_file():
        archives = ", ".join(sorted(each.name for each in path.parent.glob("*.tgz"))) or "none"
        raise BundleError(
            f"Bundle {bundle} has no chart {path.name} for release {spec.name}; it has {archives}. "
            "Expected one made from this inventory: run playbooks/bundle.yml again."
        )
    return str(path)


# An image that is not in a field of its own, such as the operator's --prometheus-config-reloader=<image>.
_ARGUMENT = re.compile(r"=((?:[\w-]+\.)+[\w-]+(?::\d+)?/[\w./-]+(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?)$")


def images_of(objects: Iterable[Json]) -> set[str]:
    """Every image that the pods of these objects would ask for."""

    def look(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, item in value.items():
                if key == "image" and isinstance(item, str) and item:
                    yield item
                elif key == "args" and isinstance(item, list):
                    yield from (match[1] for each in item if (match := _ARGUMENT.search(str(each))))
                else:
                    yield from look(item)
        elif isinstance(value, list):
            for item in value:
                yield from look(item)

    return {str(Reference.parse(image)) for obj in objects for image in look(obj)}


def sbom(folder: Path, name: str, version: str) -> Json:
    """What lies in the folder, as CycloneDX describes it. The same content gives the same description."""
    components = [*_files(folder), *_images(folder)]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(components))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": {"type": "application", "bom-ref": name, "name": name, "version": version}},
        "components": components,
    }


def _component(kind: str, name: str, version: str, purl: str, digest: str) -> Json:
    return {
        "type": kind,
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "hashes": [{"alg": "SHA-256", "content": digest}],
    }


def _files(folder: Path) -> Iterator[Json]:
    for path in sorted((folder / "charts").glob("*.tgz")):
        match = re.match(r"(.+?)-(\d+\.\d+\.\d+.*)\.tgz", path.name)
        name, version = match.groups() if match else (path.stem, "")
        yield _component("application", name, version, f"pkg:generic/chart/{name}@{version}", file_digest(path))
    for path in sorted((folder / "bin").glob("helm-*.tar.gz")):
        _name, version, _system, architecture = path.name.removesuffix(".tar.gz").split("-")
        purl = f"pkg:golang/helm.sh/helm/{version.split('.')[0]}@{version}?goarch={architecture}"
        yield _component("application", "helm", version, purl, file_digest(path))
    for path in sorted((folder / "collections").glob("*.tar.gz")):
        namespace, name, version = path.name.removesuffix(".tar.gz").split("-", 2)
        purl = f"pkg:generic/ansible-collection/{namespace}.{name}@{version}"
        yield _component("framework", f"{namespace}.{name}", version, purl, file_digest(path))
    for path in sorted((folder / "wheels").glob("*.whl")):
        name, version, _rest = path.name.removesuffix(".whl").split("-", 2)
        purl = f"pkg:pypi/{name.lower().replace('_', '-')}@{version}?file_name={path.name}"
        yield _component("library", name, version, purl, file_digest(path))
    for path in sorted((folder / "applications").glob("*.tgz")):
        digest = file_digest(path)
        purl = f"pkg:generic/application/{path.stem}@{digest[:12]}"
        yield _component("application", path.stem, digest[:12], purl, digest)
    for path in sorted((folder / "programs").glob("[!.]*")):
        digest = file_digest(path)
        yield _component("application", path.name, digest[:12], f"pkg:generic/{path.name}@{digest[:12]}", digest)


def _images(folder: Path) -> Iterator[Json]:
    if not (folder / "images" / "index.json").is_file():
        return
    for name, image in sorted(Layout(folder / "images").images().items()):
        reference = Reference.parse(name)
        short = reference.repository.rpartition("/")[2]
        purl = (
            f"pkg:oci/{short}@{image['digest'].replace(':', '%3A')}"
            f"?repository_url={reference.host}/{reference.repository}&tag={reference.tag}"
        )
        version = reference.tag or reference.digest
        digest = image["digest"].removeprefix("sha256:")
        yield _component("container", f"{reference.host}/{reference.repository}", version, purl, digest)


# Checking a bundle


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digests(folder: Path) -> dict[str, str]:
    """Digest of each file but of the list itself."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / SUMS)
    with ThreadPoolExecutor() as pool:
        return dict(zip((str(path.relative_to(folder)) for path in paths), pool.map(file_digest, paths), strict=True))


def seal(folder: Path) -> str:
    """The text of the list of digests."""
    return "".join(f"{digest}  {path}\n" for path, digest in sorted(digests(folder).items()))


def verify(folder: Path) -> int:
    """Refuse a bundle of which anything is damaged, missing or strange. Returns the number of files."""
    try:
        text = (folder / SUMS).read_text()
    except OSError as error:
        raise BundleError(
            f"There is no bundle in {folder} ({error.strerror}: {SUMS}). "
            "Expected a folder made by playbooks/bundle.yml."
        ) from error
    expected = {path: digest for digest, path in (line.split("  ", 1) for line in text.splitlines())}
    present = digests(folder)
    faults = {
        "damaged": sorted(path for path in present.keys() & expected.keys() if present[path] != expected[path]),
        "missing": sorted(expected.keys() - present.keys()),
        "not part of it": sorted(present.keys() - expected.keys()),
    }
    if any(faults.values()):
        listed = "; ".join(f"{what}: {', '.join(paths)}" for what, paths in faults.items() if paths)
        raise BundleError(
            f"Bundle {folder} is not as it was made. {listed}. Nothing was changed. Copy it again, or make it again."
        )
    return len(present)
