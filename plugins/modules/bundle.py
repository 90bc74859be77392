#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Make or check a folder with all that a site is installed from
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Brings charts, images, Helm, collections and Python wheels into one folder, with the digest of each file (as
    C(sha256sum) writes and checks it) and a CycloneDX description of all of them.
  - What the folder has already is not fetched again, and what it no longer needs goes.
extends_documentation_fragment:
  - continuum.edge.attributes
attributes:
  check_mode:
    support: partial
    details: Of a bundle that is to be made, only tells whether there is one yet.
  diff_mode:
    support: none
options:
  dest:
    description: The folder. All of it belongs to this module.
    type: path
    required: true
  state:
    description:
      - V(present) makes the bundle, or brings it up to date.
      - V(verified) changes nothing. It fails, and names the files, where any is damaged, missing or strange.
    type: str
    choices: [present, verified]
    default: present
  releases:
    description: The releases, as the roles of this collection describe them.
    type: list
    elements: dict
    default: []
  images:
    description: Images besides those that the releases ask for.
    type: list
    elements: str
    default: []
  architectures:
    description: Architectures that the images and Helm are for.
    type: list
    elements: str
    default: [amd64, arm64]
  registry:
    description: >-
      Registry that has the images under their full names, such as C(<registry>/quay.io/prometheus/prometheus). Where
      not given, each image's own.
    type: str
    default: ""
  insecure:
    description: Speak plain HTTP to O(registry).
    type: bool
    default: false
  helm:
    description: The helm program.
    type: str
    default: helm
  helm_archives:
    description: Server of Helm's archives. Where it does not answer, the program itself is packed.
    type: str
    default: https://get.helm.sh
  collections:
    description: Folders of collections.
    type: list
    elements: path
    default: []
  requirements:
    description: File with the Python packages.
    type: path
  python:
    description: Python that the wheels are for, and that fetches them.
    type: path
    default: python3
"""

EXAMPLES = r"""
- name: Refuse a bundle that was damaged on its way
  continuum.edge.bundle:
    dest: /media/stick/bundle
    state: verified
"""

RETURN = r"""
files:
  description: Number of files.
  returned: success
  type: int
"""

import json
import re
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils import bundle, helm, oci
from ansible_collections.continuum.edge.plugins.module_utils.progress import report

# As pip names them; the older names are allowed as well.
PLATFORMS = {"amd64": "x86_64", "arm64": "aarch64"}


class Maker:
    """Writes the parts of a bundle, and knows which files belong to it."""

    def __init__(self, module: AnsibleModule, scratch: Path) -> None:
        self.parameters: dict[str, Any] = module.params
        self.folder = Path(self.parameters["dest"])
        self.scratch = scratch
        self.helm = helm.Helm(self.parameters["helm"])
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
        for each in self.parameters["releases"]:
            spec = helm.Spec(each["name"], each["namespace"], each["chart"], each.get("repo"), each.get("version"))
            report(f"chart {bundle.chart_file(spec)}")
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
        architectures = self.parameters["architectures"]
        images = {}
        for name in sorted(names):
            report(f"image {name}")
            reference = oci.Reference.parse(name)
            mirror = self.parameters["registry"]
            registry = oci.Registry(mirror or reference.host, self.parameters["insecure"] and bool(mirror))
            repository = f"{reference.host}/{reference.repository}" if mirror else reference.repository
            images[name] = oci.pull(registry, repository, reference.digest or reference.tag, architectures, layout)
        layout.write(images)
        self.kept.update(path for path in layout.folder.rglob("*") if path.is_file())

    def binaries(self) -> None:
        version = self.helm.call("version", "--template", "{{.Version}}").strip()
        for architecture in self.parameters["architectures"]:
            name = f"helm-{version}-linux-{architecture}.tar.gz"
            path = self.folder / "bin" / name
            self.kept.add(path)
            if path.is_file():
                continue
            report(f"Helm {version} for {architecture}")
            content = self.helm_archive(name)
            if content is None and architecture == self.own_architecture():
                program = Path(shutil.which(self.helm.program) or self.helm.program)
                content = bundle.pack({f"linux-{architecture}/helm": program})
            if content is None:
                raise bundle.BundleError(
                    f"{self.parameters['helm_archives']} gives no {name}, and the helm that is here is not for "
                    f"{architecture}. Expected that archive there (helm_archive_base_url)."
                )
            self.write(f"bin/{name}", content)

    def helm_archive(self, name: str) -> bytes | None:
        """Helm's own archive, checked against the digest beside it; None where the server does not answer."""
        address = f"{self.parameters['helm_archives']}/{name}"
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

    def collections(self) -> None:
        for path in map(Path, self.parameters["collections"]):
            if (path / "galaxy.yml").is_file():
                archive = self.built(path)
                name, content = archive.name, archive.read_bytes()
            else:
                name, content = bundle.pack_collection(path)
            self.write(f"collections/{name}", content)

    def built(self, source: Path) -> Path:
        """The collection of a checkout. Its archive has the time in it: it is packed again without."""
        folder = self.scratch / "collection"
        galaxy = Path(self.parameters["python"]).parent / "ansible-galaxy"
        self.run([str(galaxy), "collection", "build", str(source), "--output-path", str(folder), "--force"])
        archive = next(folder.glob("*.tar.gz"))
        unpacked = folder / "files"
        self.run(["tar", "--extract", "--file", str(archive), "--one-top-level=" + str(unpacked)])
        archive.write_bytes(bundle.pack_folder(unpacked))
        return archive

    def wheels(self) -> None:
        requirements = self.parameters["requirements"]
        if not requirements:
            return
        folder = self.scratch / "wheels"
        for architecture in self.parameters["architectures"]:
            report(f"Python wheels for {architecture}")
            machine = PLATFORMS.get(architecture, architecture)
            platforms = [f"manylinux_2_{minor}_{machine}" for minor in (34, 28, 17)] + [f"manylinux2014_{machine}"]
            self.run(
                [
                    *[self.parameters["python"], "-m", "pip", "download", "--quiet", "--disable-pip-version-check"],
                    *["--only-binary=:all:", "--requirement", requirements, "--dest", str(folder)],
                    *(f"--platform={platform}" for platform in platforms),
                ]
            )
        for path in folder.glob("*.whl"):
            self.write(f"wheels/{path.name}", path.read_bytes())

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


def refuse_foreign(folder: Path) -> None:
    """What is in the folder and not part of the bundle goes: it must not be somebody else's."""
    known = {"charts", "images", "bin", "collections", "wheels", bundle.SUMS, bundle.SBOM}
    if folder.is_dir() and (foreign := sorted({path.name for path in folder.iterdir()} - known)):
        raise bundle.BundleError(
            f"{folder} has {', '.join(foreign)}, which are not of a bundle. Expected a folder for the bundle alone: "
            "name another bundle_output, or clear it."
        )


def make(module: AnsibleModule) -> tuple[bool, int]:
    folder = Path(module.params["dest"])
    refuse_foreign(folder)
    sums = folder / bundle.SUMS
    before = sums.read_text() if sums.is_file() else ""
    if module.check_mode:
        return not before, len(before.splitlines())
    folder.mkdir(parents=True, exist_ok=True)
    # Until it is whole it is no bundle.
    sums.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=module.tmpdir) as scratch:
        maker = Maker(module, Path(scratch))
        images = maker.charts()
        maker.images(images | {str(oci.Reference.parse(name)) for name in module.params["images"]})
        maker.binaries()
        maker.collections()
        maker.wheels()
        number = maker.finish()
    return sums.read_text() != before, number


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "verified"], "default": "present"},
            # Their values may have secrets: none of it is shown.
            "releases": {"type": "list", "elements": "dict", "default": [], "no_log": True},
            "images": {"type": "list", "elements": "str", "default": []},
            "architectures": {"type": "list", "elements": "str", "default": ["amd64", "arm64"]},
            "registry": {"type": "str", "default": ""},
            "insecure": {"type": "bool", "default": False},
            "helm": {"type": "str", "default": "helm"},
            "helm_archives": {"type": "str", "default": "https://get.helm.sh"},
            "collections": {"type": "list", "elements": "path", "default": []},
            "requirements": {"type": "path"},
            "python": {"type": "path", "default": "python3"},
        },
        supports_check_mode=True,
    )
    # Ansible would blank every value wherever it occurs in the output.
    module.no_log_values = {
        text for each in module.params["releases"] for text in helm.sensitive_strings(each.get("values", {}))
    }
    try:
        if module.params["state"] == "verified":
            changed, number = False, bundle.verify(Path(module.params["dest"]))
        else:
            changed, number = make(module)
    except (bundle.BundleError, oci.OciError, helm.ReleaseError, helm.HelmError) as error:
        module.fail_json(msg=str(error), invocation={})
    except OSError as error:
        module.fail_json(msg=f"cannot make {module.params['dest']}: {error}", invocation={})
    module.exit_json(changed=changed, files=number, invocation={})


if __name__ == "__main__":
    main()
