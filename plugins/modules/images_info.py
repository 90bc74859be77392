#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: images_info
short_description: Look where the nodes of a cluster could take images from
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Asks the nodes what they have, then the registries. The registries are asked from the host that the module runs on,
    with its logins of podman, docker and credential helpers.
requirements:
  - kubernetes
extends_documentation_fragment:
  - continuum.edge.attributes
  - continuum.edge.kubernetes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
options:
  images:
    description: Names of the images.
    type: list
    elements: str
    required: true
  mirrors:
    description: >-
      Registries, each as an address such as C(http://10.77.0.1:5001), that the nodes ask first, and that have images
      under their full names.
    type: list
    elements: str
    default: []
  insecure:
    description: Hosts of registries, with their ports, that speak plain HTTP.
    type: list
    elements: str
    default: []
  pull_secrets:
    description: Whether the pods pull with logins of their own. Who refuses to answer may then have an image.
    type: bool
    default: false
  patience:
    description: Seconds in which a kubelet may tell of an image that it was given a moment ago.
    type: int
    default: 0
"""

EXAMPLES = r"""
- name: Look for the images of an application
  continuum.edge.images_info:
    images: [ghcr.io/continuum-edge/pycompss-dask:0.1.0]
"""

RETURN = r"""
images:
  description: By full name, the nodes or the registry that has the image.
  returned: success
  type: dict
missing:
  description: By full name of those that nobody has, where it was looked for.
  returned: success
  type: dict
"""

import time
from urllib.parse import urlsplit

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils import oci
from ansible_collections.continuum.edge.plugins.module_utils.image_search import TIMEOUT, Node, search
from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import (
    ACCESS,
    KubernetesApi,
    KubernetesError,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "images": {"type": "list", "elements": "str", "required": True},
            "mirrors": {"type": "list", "elements": "str", "default": []},
            "insecure": {"type": "list", "elements": "str", "default": []},
            "pull_secrets": {"type": "bool", "default": False},
            "patience": {"type": "int", "default": 0},
            **ACCESS,
        },
        supports_check_mode=True,
    )
    options = module.params
    mirrors = [
        oci.Registry(address.netloc, address.scheme == "http", TIMEOUT) for address in map(urlsplit, options["mirrors"])
    ]
    try:
        api = KubernetesApi(options["kubeconfig"], options["context"])
        deadline = time.monotonic() + options["patience"]
        while True:
            nodes = [Node.of(node) for node in api.list_objects("v1", "Node")]
            asked = {"insecure": options["insecure"], "secrets": options["pull_secrets"]}
            searches = [search(name, nodes, mirrors, **asked) for name in options["images"]]
            if not any(each.missing for each in searches) or time.monotonic() > deadline:
                break
            time.sleep(3)
    except KubernetesError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        images={each.name: list(each.places) for each in searches},
        missing={each.name: list(each.looked) for each in searches if each.missing},
    )


if __name__ == "__main__":
    main()
