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
  applications:
    description: Folders of applications, by the names of these.
    type: dict
    default: {}
  layout:
    description: Folder in the form of the OCI image layout, with images that are built here. It is looked in first.
    type: path
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
    description: Python that fetches the wheels.
    type: path
    default: python3
  python_versions:
    description: Versions of Python, such as V(3.13), that the wheels are for. Where not given, that of O(python).
    type: list
    elements: str
    default: []
  programs:
    description: Folder of programs that are packed as they are, such as those that an embedded cluster is made of.
    type: path
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

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils import bundle, bundle_maker, helm, oci
from ansible_collections.continuum.edge.plugins.module_utils.progress import report


def request(parameters: dict[str, Any]) -> bundle_maker.Request:
    paths = ("dest", "state", "collections", "layout", "programs")
    return bundle_maker.Request(
        folder=Path(parameters["dest"]),
        collections=[Path(path) for path in parameters["collections"]],
        layout=Path(parameters["layout"]) if parameters["layout"] else None,
        programs=Path(parameters["programs"]) if parameters["programs"] else None,
        **{name: value for name, value in parameters.items() if name not in paths},
    )


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "verified"], "default": "present"},
            # Values may have secrets: Ansible shows none of them.
            "releases": {"type": "list", "elements": "dict", "default": [], "no_log": True},
            "applications": {"type": "dict", "default": {}},
            "images": {"type": "list", "elements": "str", "default": []},
            "layout": {"type": "path"},
            "architectures": {"type": "list", "elements": "str", "default": ["amd64", "arm64"]},
            "registry": {"type": "str", "default": ""},
            "insecure": {"type": "bool", "default": False},
            "helm": {"type": "str", "default": "helm"},
            "helm_archives": {"type": "str", "default": "https://get.helm.sh"},
            "collections": {"type": "list", "elements": "path", "default": []},
            "requirements": {"type": "path"},
            "python": {"type": "path", "default": "python3"},
            "python_versions": {"type": "list", "elements": "str", "default": []},
            "programs": {"type": "path"},
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
            changed, number = bundle_maker.make(request(module.params), module.tmpdir, report, check=module.check_mode)
    except (bundle.BundleError, oci.OciError, helm.ReleaseError, helm.HelmError) as error:
        module.fail_json(msg=str(error), invocation={})
    except OSError as error:
        module.fail_json(msg=f"cannot make {module.params['dest']}: {error}", invocation={})
    module.exit_json(changed=changed, files=number, invocation={})


if __name__ == "__main__":
    main()
