#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_images
short_description: Load the images of a bundle into a registry, into containerd, by a program or into an archive
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Loads what is not there yet, or is there with another digest.
extends_documentation_fragment:
  - continuum.edge.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  src:
    description: The folder C(images) of the bundle, or another one in the form of the OCI image layout.
    type: path
    required: true
  names:
    description: Full names of the images. All where not given.
    type: list
    elements: str
  registry:
    description: >-
      Registry to push to, with a path in it where it is only a part of one. Each image gets two names there, without
      its own registry (for C(*_image_registry)) and with it (for a mirror in containerd's configuration).
    type: str
  mirror:
    description: Whether each image gets the second name, too.
    type: bool
    default: true
  insecure:
    description: Speak plain HTTP to O(registry).
    type: bool
    default: false
  auth_file:
    description: File of logins, as C(podman login) writes it, that is looked in before the user's own. Empty for none.
    type: str
    default: ""
  containerd:
    description: Where it is to be containerd, the command of C(ctr) with what has to stand before it.
    type: list
    elements: str
  loader:
    description: >-
      A program that takes the path of an archive as its last argument, such as C(kind load image-archive). It is
      called for each image, each time, as nobody can be asked what is there.
    type: list
    elements: str
  archive:
    description: File to write those images into that O(listed) has not; for C(ctr images import) on another host.
    type: path
  listed:
    description: What C(ctr images list) says on that host.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Fill the registry of the site
  continuum.edge.bundle_images:
    src: /media/stick/bundle/images
    registry: registry.site.example:5000

- name: Fill the containerd of a node with k3s
  continuum.edge.bundle_images:
    src: /media/stick/bundle/images
    containerd: [k3s, ctr]

- name: Fill the nodes of a cluster of kind
  continuum.edge.bundle_images:
    src: /media/stick/bundle/images
    loader: [kind, load, image-archive, --name, edge]
"""

RETURN = r"""
loaded:
  description: Names of the images that were not there.
  returned: success
  type: list
  elements: str
"""

import io
import json
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils import oci
from ansible_collections.continuum.edge.plugins.module_utils.progress import report

NAMESPACE = "k8s.io"


def chosen(layout: oci.Layout, names: list[str] | None) -> dict[str, oci.Json]:
    """The descriptors by the names of the images."""
    images = layout.images()
    if missing := set(names or ()) - images.keys():
        raise oci.OciError(f"{layout.folder} has no image {', '.join(sorted(missing))}; it has {', '.join(images)}.")
    return {name: image for name, image in images.items() if names is None or name in names}


def to_registry(
    layout: oci.Layout, images: dict[str, oci.Json], registry: oci.Registry, prefix: str, *, mirror: bool, check: bool
) -> list[str]:
    loaded = []
    for name, image in images.items():
        reference = oci.Reference.parse(name)
        repositories = [reference.repository, *([f"{reference.host}/{reference.repository}"] if mirror else [])]
        for repository in (f"{prefix}/{each}".strip("/") for each in repositories):
            tag = reference.tag or reference.digest
            if registry.has(f"{repository}/manifests/{tag}") == image["digest"]:
                continue
            loaded.append(f"{registry.host}/{repository}:{tag}")
            if not check:
                report(f"pushing {loaded[-1]}")
                oci.push(registry, repository, tag, layout, image)
    return loaded


def to_containerd(layout: oci.Layout, images: dict[str, oci.Json], command: list[str], *, check: bool) -> list[str]:
    ctr = [*command, "--namespace", NAMESPACE, "images"]
    images = lacking(images, run([*ctr, "list"]).decode())
    for name, image in images.items():
        if not check:
            report(f"importing {name}")
            with tempfile.TemporaryFile() as file:
                archive(layout, {name: image}, file)
                run([*ctr, "import", "-"], file)
    return list(images)


def lacking(images: dict[str, oci.Json], listed: str) -> dict[str, oci.Json]:
    """The images that are not in what ``ctr images list`` says, or are there with another digest."""
    # ctr lists name, media type and digest first.
    digests = {fields[0]: fields[2] for fields in map(str.split, listed.splitlines()[1:]) if len(fields) > 2}
    return {name: image for name, image in images.items() if digests.get(name) != image["digest"]}


def by_program(layout: oci.Layout, images: dict[str, oci.Json], command: list[str], *, check: bool) -> list[str]:
    for name, image in images.items():
        if not check:
            report(f"loading {name}")
            # By its path, which the program opens itself.
            with tempfile.NamedTemporaryFile(suffix=".tar") as file:
                archive(layout, {name: image}, file)
                run([*command, file.name])
    return list(images)


def to_archive(layout: oci.Layout, images: dict[str, oci.Json], path: str, listed: str, *, check: bool) -> list[str]:
    images = lacking(images, listed)
    if images and not check:
        with Path(path).open("w+b") as file:
            archive(layout, images, file)
    return list(images)


def archive(layout: oci.Layout, images: dict[str, oci.Json], file: IO[bytes]) -> None:
    """Write some images of the layout as an archive: for containerd, and for Docker those of one architecture."""
    described = []
    for name, image in images.items():
        manifest = layout.read(image["digest"])
        if "config" in manifest:
            layers = [blob(part) for part in manifest["layers"]]
            described.append({"Config": blob(manifest["config"]), "RepoTags": [name], "Layers": layers})
    texts = {
        "oci-layout": '{"imageLayoutVersion": "1.0.0"}',
        "index.json": oci.dump({"schemaVersion": 2, "manifests": list(images.values())}),
        **({"manifest.json": json.dumps(described)} if described else {}),
    }
    with tarfile.open(fileobj=file, mode="w") as tar:
        for path, text in texts.items():
            member = tarfile.TarInfo(path)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        parts = dict(part for image in images.values() for part in layout.walk(image))
        for digest, part in parts.items():
            tar.add(layout.blob(digest), blob(part))
    file.flush()
    file.seek(0)


def blob(part: oci.Json) -> str:
    return f"blobs/{part['digest'].replace(':', '/')}"


def run(command: list[str], stdin: IO[bytes] | None = None) -> bytes:
    try:
        done = subprocess.run(command, stdin=stdin or subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise oci.OciError(f"There is no {command[0]}. Expected that program on PATH.") from error
    if done.returncode:
        raise oci.OciError(f"{' '.join(command)} failed: {done.stderr.decode(errors='replace').strip()[-1000:]}")
    return done.stdout


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "names": {"type": "list", "elements": "str"},
            "registry": {"type": "str"},
            "mirror": {"type": "bool", "default": True},
            "insecure": {"type": "bool", "default": False},
            "auth_file": {"type": "str", "default": ""},
            "containerd": {"type": "list", "elements": "str"},
            "loader": {"type": "list", "elements": "str"},
            "archive": {"type": "path"},
            "listed": {"type": "str", "default": ""},
        },
        mutually_exclusive=[("registry", "containerd", "loader", "archive")],
        required_one_of=[("registry", "containerd", "loader", "archive")],
        supports_check_mode=True,
    )
    options = module.params
    layout = oci.Layout(Path(options["src"]))
    check = module.check_mode
    try:
        images = chosen(layout, options["names"])
        if options["registry"]:
            host, _slash, prefix = options["registry"].partition("/")
            registry = oci.Registry(host, options["insecure"], auth_file=options["auth_file"])
            loaded = to_registry(layout, images, registry, prefix, mirror=options["mirror"], check=check)
        elif options["containerd"]:
            loaded = to_containerd(layout, images, options["containerd"], check=check)
        elif options["archive"]:
            loaded = to_archive(layout, images, options["archive"], options["listed"], check=check)
        else:
            loaded = by_program(layout, images, options["loader"], check=check)
    except (oci.OciError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(loaded), loaded=loaded)


if __name__ == "__main__":
    main()
