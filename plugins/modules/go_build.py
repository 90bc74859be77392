#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: go_build
short_description: Build Go programs from a module
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Builds static programs from a folder with C(go.mod) and C(go.sum), or from C(path@version) packages.
  - A program is built again only when its sources, its dependencies, its flags or the toolchain that C(go.mod) names
    have changed. Where nothing is to be built, no Go is needed.
  - Dependencies are verified by the folder's C(go.sum), or by Go's checksum database where there is no folder.
options:
  source:
    description:
      - Folder with C(go.mod) and C(go.sum).
      - Without it every O(programs[].package) must be C(path@version).
    type: path
  dest:
    description: Folder that the programs are written to.
    type: path
    required: true
  programs:
    description: The programs to build, in this order.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: File name of the program.
        type: str
        required: true
      package:
        description: Path of its main package.
        type: str
        required: true
      ldflags:
        description: Linker flags beside C(-s -w), such as C(-X) for the version that the program tells.
        type: str
        default: ""
      tags:
        description: Build tags, separated by commas.
        type: str
        default: ""
  go:
    description: The Go command.
    type: str
    default: go
attributes:
  check_mode:
    description: Says what would be built without building it.
    support: full
  diff_mode:
    description: There is nothing to show of a binary.
    support: none
"""

EXAMPLES = r"""
- name: Build Helm from its module
  continuum.edge.go_build:
    dest: /usr/local/bin
    programs:
      - name: helm
        package: helm.sh/helm/v4/cmd/helm@v4.3.1
"""

RETURN = r"""
built:
  description: Names of the programs that were built, or would be in check mode.
  returned: always
  type: list
  elements: str
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils.go_build import (
    Builder,
    GoBuildError,
    Program,
)
from ansible_collections.continuum.edge.plugins.module_utils.progress import report


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path"},
            "dest": {"type": "path", "required": True},
            "programs": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "package": {"type": "str", "required": True},
                    "ldflags": {"type": "str", "default": ""},
                    "tags": {"type": "str", "default": ""},
                },
            },
            "go": {"type": "str", "default": "go"},
        },
        supports_check_mode=True,
    )
    source = module.params["source"]
    programs = [Program(**program) for program in module.params["programs"]]
    # Go's own archive unpacks to a folder that root's PATH often lacks.
    go = module.get_bin_path(module.params["go"], opt_dirs=["/usr/local/go/bin"]) or module.params["go"]
    builder = Builder(Path(module.params["dest"]), Path(source) if source else None, go, report)
    if not source and (wrong := [program.package for program in programs if "@" not in program.package]):
        module.fail_json(msg=f"without 'source' a package is path@version; found {', '.join(wrong)}")
    if source and not Path(source, "go.mod").is_file():
        module.fail_json(msg=f"source {source} has no go.mod: name the folder of a Go module")
    try:
        built = list(builder.outdated(programs)) if module.check_mode else builder.build(programs)
    except GoBuildError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(built), built=built)


if __name__ == "__main__":
    main()
