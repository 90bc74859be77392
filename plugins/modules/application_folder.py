#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: application_folder
short_description: Look at the folder of an application, or pack it
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Tells what of a folder travels to the cluster, at any depth and with its modes, and what stays here and why. The
    rules are those of its C(.dockerignore), or else of its C(.gitignore).
options:
  folder:
    description: The folder, or an archive of one; a relative path begins where the user stands.
    type: path
    required: true
  file:
    description: The main script, which has to be in it.
    type: str
    required: true
  limit:
    description: Bytes that it may have at most.
    type: int
    required: true
  archive:
    description: File to pack it into, a tar archive packed with gzip.
    type: path
attributes:
  check_mode:
    description: Looks; packs nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
requirements:
  - pathspec
"""

EXAMPLES = r"""
- name: Look at the folder
  continuum.edge.application_folder:
    folder: apps/cholesky
    file: cholesky.py
    limit: 1000000000
"""

RETURN = r"""
source:
  description: >-
    Values of the chart's C(app.source): files, where a ConfigMap holds them as they are, else the digest of an archive.
  returned: success
  type: dict
size:
  description: Bytes of its files.
  returned: success
  type: int
left_out:
  description: What stays here, each with the reason.
  returned: success
  type: list
  elements: str
"""

from importlib.util import find_spec
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.continuum.edge.plugins.module_utils import application_folder


def look(folder: application_folder.Folder, file: str, limit: int) -> dict[str, object]:
    """The module's answer, or why the folder is refused."""
    if file not in folder.paths:
        scripts = ", ".join(path for path in folder.paths if path.endswith(".py")) or "none"
        raise application_folder.FolderError(
            f"{folder.root.resolve()} has no {file}; its scripts are {scripts}. "
            "Correct compss_application or compss_file."
        )
    if folder.size > limit:
        raise application_folder.FolderError(
            f"{folder.root.resolve()} has {folder.size / 1e6:,.1f} MB, and {limit / 1e6:,.1f} may travel "
            "(compss_application_limit). Leave out what the application does not need (.dockerignore), allow more, or "
            "have larger data in the image (playbooks/build_image.yml), on a claim or in a git repository (app.source "
            "of the chart), or in an object store."
        )
    source = application_folder.as_values(folder) or {"archive": folder.digest()}
    return {"source": source, "size": folder.size, "left_out": list(folder.left_out)}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "folder": {"type": "path", "required": True},
            "file": {"type": "str", "required": True},
            "limit": {"type": "int", "required": True},
            "archive": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if find_spec("pathspec") is None:
        module.fail_json(msg=missing_required_lib("pathspec"))
    try:
        with application_folder.unpacked(Path(module.params["folder"])) as root:
            folder = application_folder.read(root)
            answer = look(folder, module.params["file"], module.params["limit"])
            if module.params["archive"] and not module.check_mode:
                application_folder.pack(folder, Path(module.params["archive"]))
    except application_folder.FolderError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the folder cannot be read: {error}")
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
