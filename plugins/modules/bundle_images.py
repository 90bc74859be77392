#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_images
short_description: Load the images of a bundle into a registry or into containerd
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
    description: The folder C(images) of the bundle.
    type: path
    required: true
  registry:
    description: >-
      Registry to push to. Each image gets two names there, without its own registry (for C(*_image_registry)) and
      with it (for a mirror in containerd's configuration).
    type: str
  insecure:
    description: Speak plain HTTP to O(registry).
    type: bool
    default: false
  containerd:
    description: Where it is to be containerd, the command of C(ctr) with what has to stand before it.
    type: list
    elements: str
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
"""

RETURN = r"""
loaded:
  description: Names of the images that were not there.
  returned: success
  type: list
  elements: str
"""

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils import oci
from ansible_collections.continuum.edge.plugins.module_utils.progress import report

NAMESPACE = "k8s.io"


def to_registry(layout: oci.Layout, registry: oci.Registry, *, check: bool) -> list[str]:
    loaded = []
    for name, image in layout.images().items():
        reference = oci.Reference.parse(name)
        for repository in (reference.repository, f"{reference.host}/{reference.repository}"):
            tag = reference.tag or reference.digest
            if registry.has(f"{repository}/manifests/{tag}") == image["digest"]:
                continue
            loaded.append(f"{registry.host}/{repository}:{tag}")
            if not check:
                report(f"pushing {loaded[-1]}")
                oci.push(registry, repository, tag, layout, image)
    return loaded


def to_containerd(layout: oci.Layout, command: list[str], *, check: bool) -> list[str]:
    ctr = [*command, "--namespace", NAMESPACE, "images"]
    listed = run([*ctr, "list"]).decode().splitlines()[1:]
    # ctr lists name, media type and digest first.
    digests = {fields[0]: fields[2] for fields in map(str.split, listed) if len(fields) > 2}
    images = {name: image for name, image in layout.images().items() if digests.get(name) != image["digest"]}
    for name, image in images.items():
        if not check:
            report(f"importing {name}")
            with tempfile.TemporaryFile() as file:
                archive(layout, image, file)
                run([*ctr, "import", "-"], file)
    return list(images)


def archive(layout: oci.Layout, image: oci.Json, file: IO[bytes]) -> None:
    """Write one image of the layout as an archive of its own."""
    index = {"schemaVersion": 2, "manifests": [image]}
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, text in {"oci-layout": '{"imageLayoutVersion": "1.0.0"}', "index.json": oci.dump(index)}.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
        for digest in dict.fromkeys(digest for digest, _descriptor in layout.walk(image)):
            tar.add(layout.blob(digest), f"blobs/{digest.replace(':', '/')}")
    file.seek(0)


def run(command: list[str], stdin: IO[bytes] | None = None) -> bytes:
    try:
        done = subprocess.run(command, stdin=stdin or subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise oci.OciError(f"There is no {command[0]}. Expected containerd's ctr (bundle_ctr).") from error
    if done.returncode:
        raise oci.OciError(f"{' '.join(command)} failed: {done.stderr.decode(errors='replace').strip()[-1000:]}")
    return done.stdout


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path", "required": True},
            "registry": {"type": "str"},
            "insecure": {"type": "bool", "default": False},
            "containerd": {"type": "list", "elements": "str"},
        },
        mutually_exclusive=[("registry", "containerd")],
        required_one_of=[("registry", "containerd")],
        supports_check_mode=True,
    )
    layout = oci.Layout(Path(module.params["src"]))
    try:
        if module.params["registry"]:
            registry = oci.Registry(module.params["registry"], module.params["insecure"])
            loaded = to_registry(layout, registry, check=module.check_mode)
        else:
            loaded = to_containerd(layout, module.params["containerd"], check=module.check_mode)
    except (oci.OciError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(loaded), loaded=loaded)


if __name__ == "__main__":
    main()
