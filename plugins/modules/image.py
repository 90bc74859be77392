#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: image
short_description: Build container images with buildah, into a registry or a folder
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Builds each image, and pushes it to a registry or into a folder. No Docker is needed.
  - An image that is there and was built from the same content is left alone.
options:
  registry:
    description: Host and port of the registry.
    type: str
  layout:
    description: Folder in the form of the OCI image layout, in the place of a registry.
    type: path
  insecure:
    description: Speak plain HTTP to the registry.
    type: bool
    default: false
  storage:
    description: Folder for buildah's own storage.
    type: path
    required: true
  images:
    description: The images to build.
    type: list
    elements: dict
    required: true
    suboptions:
      reference:
        description: Repository and tag in the registry, such as C(quay.io/prometheus/prometheus:v3.5.0).
        type: str
        required: true
      containerfile:
        description: The Containerfile.
        type: path
        required: true
      context:
        description: Folder that it copies from.
        type: path
        required: true
      include:
        description: What it copies, relative to O(images[].context); a change of it builds the image again.
        type: list
        elements: str
        default: ["."]
      arguments:
        description: Its build arguments.
        type: dict
        default: {}
      architectures:
        description:
          - Architectures, in Go's names, that the reference holds an image for. None is that of this machine alone.
          - What a Containerfile runs for another architecture needs an emulator (qemu-user-static with binfmt).
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    description: Says which images would be built without building them.
    support: full
  diff_mode:
    description: There is nothing to show of an image.
    support: none
"""

EXAMPLES = r"""
- name: Build an application's image
  continuum.edge.image:
    registry: registry.example.org
    storage: /var/lib/containers
    images:
      - reference: apps/matmul:1.0
        containerfile: Containerfile
        context: apps/matmul
        architectures: [amd64, arm64]
"""

RETURN = r"""
built:
  description: References of the images that were built, or would be in check mode.
  returned: always
  type: list
  elements: str
keys:
  description: By reference, the hash of what the image is built from, which is in its label C(edge.continuum.content).
  returned: always
  type: dict
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils import oci
from ansible_collections.continuum.edge.plugins.module_utils.image import (
    ImageError,
    Recipe,
    build_and_push,
    built_from,
    built_in,
)
from ansible_collections.continuum.edge.plugins.module_utils.progress import report


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "registry": {"type": "str"},
            "layout": {"type": "path"},
            "insecure": {"type": "bool", "default": False},
            "storage": {"type": "path", "required": True},
            "images": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "reference": {"type": "str", "required": True},
                    "containerfile": {"type": "path", "required": True},
                    "context": {"type": "path", "required": True},
                    "include": {"type": "list", "elements": "str", "default": ["."]},
                    "arguments": {"type": "dict", "default": {}},
                    "architectures": {"type": "list", "elements": "str", "default": []},
                },
            },
        },
        mutually_exclusive=[("registry", "layout")],
        required_one_of=[("registry", "layout")],
        supports_check_mode=True,
    )
    folder = module.params["layout"]
    place = oci.Layout(Path(folder)) if folder else oci.Registry(module.params["registry"], module.params["insecure"])
    built: list[str] = []
    keys: dict[str, str] = {}
    try:
        for image in module.params["images"]:
            repository, colon, tag = image["reference"].rpartition(":")
            if not colon or "/" in tag:
                raise ImageError(f"reference {image['reference']} has no tag: write repository:tag")
            recipe = Recipe(
                Path(image["containerfile"]),
                Path(image["context"]),
                tuple(image["include"]),
                tuple(sorted((name, str(value)) for name, value in image["arguments"].items())),
                tuple(sorted(image["architectures"])),
            )
            key = keys[image["reference"]] = recipe.key()
            before = (
                built_in(place, image["reference"])
                if isinstance(place, oci.Layout)
                else built_from(place, repository, tag)
            )
            if before == key:
                continue
            if not module.check_mode:
                report(f"building {image['reference']}")
                build_and_push(recipe, key, place, image["reference"], Path(module.params["storage"]))
            built.append(image["reference"])
    except (ImageError, oci.OciError, OSError) as error:
        module.fail_json(msg=str(error), built=built, keys=keys)
    module.exit_json(changed=bool(built), built=built, keys=keys)


if __name__ == "__main__":
    main()
