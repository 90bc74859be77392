#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: files
short_description: Write many small files in one go
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Writes each file atomically where its content or mode differs, and makes the folders it needs.
  - One task for a whole tree costs what M(ansible.builtin.copy) costs for one file.
options:
  dest:
    description: Folder that the paths in O(files) are relative to.
    type: path
    required: true
  files:
    description: Content by path.
    type: dict
    required: true
  programs:
    description: Patterns, as of a shell, of the paths that can be executed. Their mode is 0755, that of others 0644.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Says what would be written without writing it.
    support: full
  diff_mode:
    description: Shows each file that changes.
    support: full
"""

EXAMPLES = r"""
- name: Write the configuration
  continuum.edge.files:
    dest: /etc/example
    files:
      a.conf: "{{ lookup('ansible.builtin.template', 'a.conf.j2') }}"
      bin/b: "{{ lookup('ansible.builtin.template', 'b.sh.j2') }}"
    programs: [bin/*]
"""

RETURN = r"""
written:
  description: Paths, relative to O(dest), of the files that changed.
  returned: always
  type: list
  elements: str
"""

from fnmatch import fnmatchcase
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils import tree


def current(path: Path) -> tuple[str, int] | None:
    """Content and mode of a file, None where there is none."""
    try:
        return path.read_text(encoding="utf-8"), path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return None


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "files": {"type": "dict", "required": True},
            "programs": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    written: list[str] = []
    diffs: list[dict[str, str]] = []
    for name, content in module.params["files"].items():
        path = Path(module.params["dest"], name)
        mode = 0o755 if any(fnmatchcase(name, pattern) for pattern in module.params["programs"]) else 0o644
        try:
            present = current(path)
            if present == (content, mode):
                continue
            if not module.check_mode:
                tree.write(path, content.encode(), mode)
        except OSError as error:
            module.fail_json(msg=f"cannot write {path}: {error.strerror}", written=written)
        written.append(name)
        before, before_mode = present or ("", None)
        header = str(path) if before_mode in (None, mode) else f"{path} (mode {before_mode:04o} -> {mode:04o})"
        diffs.append({"before_header": header, "after_header": header, "before": before, "after": content})
    module.exit_json(changed=bool(written), written=written, diff=diffs)


if __name__ == "__main__":
    main()
