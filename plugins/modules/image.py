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
  - Builds each image, and pushes it to a registry or into a folder. Removes it from a registry. No Docker is needed.
  - An image that is there and was built from the same content is left alone.
  - The logins of podman and docker are used, where the registry asks for one.
options:
  state:
    description: Whether the registry has the images.
    type: str
    choices: [present, absent]
    default: present
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
  auth_file:
    description: File of logins, as C(podman login) writes it, that is looked in before the user's own. Empty for none.
    type: str
    default: ""
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
    description: Says which images would be built or removed, and does neither.
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
removed:
  description: References of the images that were removed, or would be in check mode.
  returned: always
  type: list
  elements: str
keys:
  description: By reference, the hash of what the image is built from, which is in its label C(edge.continuum.content).
  returned: always
  type: dict
"""

from pathlib import Path
from typing import Any

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


def to_recipe(image: dict[str, Any]) -> Recipe:
    return Recipe(
        Path(image["containerfile"]),
        Path(image["context"]),
        tuple(image["include"]),
        tuple(sorted((name, str(value)) for name, value in image["arguments"].items())),
        tuple(sorted(image["architectures"])),
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "registry": {"type": "str"},
            "layout": {"type": "path"},
            "insecure": {"type": "bool", "default": False},
            "auth_file": {"type": "str", "default": ""},
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
        required_if=[("state", "absent", ["registry"])],
        supports_check_mode=True,
    )
    folder, host = module.params["layout"], module.params["registry"]
    registry = oci.Registry(host, module.params["insecure"], auth_file=module.params["auth_file"])
    place = oci.Layout(Path(folder)) if folder else registry
    built: list[str] = []
    removed: list[str] = []
    keys: dict[str, str] = {}
    try:
        for image in module.params["images"]:
            repository, colon, tag = image["reference"].rpartition(":")
            if not colon or "/" in tag:
                raise ImageError(f"reference {image['reference']} has no tag: write repository:tag")
            if module.params["state"] == "absent":
                if oci.remove(registry, repository, tag, check=module.check_mode):
                    removed.append(image["reference"])
                continue
            recipe = to_recipe(image)
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
        module.fail_json(msg=str(error), built=built, removed=removed, keys=keys)
    module.exit_json(changed=bool(built or removed), built=built, removed=removed, keys=keys)


if __name__ == "__main__":
    main()
