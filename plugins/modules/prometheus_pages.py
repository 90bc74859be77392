#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: prometheus_pages
short_description: Build Prometheus' web pages
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Builds the web pages from the sources in Prometheus' Go module, and packs them, with their licences, as a tar for an
    image whose working directory is C(/usr/share/prometheus-pages).
  - They are built again only when Prometheus' version, or what builds them, has changed. Where they are built already,
    nothing is needed but the archive.
  - Where something cannot be had (Go, the Python package index, npm) it fails not, and RV(missing) says what.
options:
  path:
    description: The archive.
    type: path
    required: true
  source:
    description: Folder of the Go module whose C(go.sum) names Prometheus.
    type: path
    required: true
  tools:
    description: Folder with C(requirements.txt), C(package.json) and C(package-lock.json) of what builds them.
    type: path
    required: true
  built:
    description: A folder that may have the archive, under its name and with its stamp, from another machine.
    type: path
  go:
    description: The Go command.
    type: str
    default: go
attributes:
  check_mode:
    description: Says whether they would be built without building them.
    support: full
  diff_mode:
    description: There is nothing to show of an archive.
    support: none
"""

EXAMPLES = r"""
- name: Build Prometheus' web pages
  continuum.edge.prometheus_pages:
    path: /srv/build/prometheus-pages.tar
    source: images/components
    tools: images/prometheus-pages
"""

RETURN = r"""
missing:
  description: What could not be had, and why; empty where there are pages.
  returned: always
  type: str
present:
  description: Whether the archive is there.
  returned: always
  type: bool
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils.progress import report
from ansible_collections.continuum.edge.plugins.module_utils.prometheus_pages import Pages, PagesError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "source": {"type": "path", "required": True},
            "tools": {"type": "path", "required": True},
            "built": {"type": "path"},
            "go": {"type": "str", "default": "go"},
        },
        supports_check_mode=True,
    )
    folders = {name: Path(module.params[name]) for name in ("source", "tools")}
    for name, file in (("source", "go.sum"), ("tools", "package-lock.json")):
        if not (folders[name] / file).is_file():
            module.fail_json(msg=f"{name} {folders[name]} has no {file}: name the folder that has it")
    # Go's own archive unpacks to a folder that root's PATH often lacks.
    go = module.get_bin_path(module.params["go"], opt_dirs=["/usr/local/go/bin"]) or module.params["go"]
    pages = Pages(Path(module.params["path"]), folders["source"], folders["tools"], go, report)
    outdated, missing = pages.outdated(), ""
    if outdated and not module.check_mode:
        try:
            if not (module.params["built"] and pages.take(Path(module.params["built"]))):
                pages.build()
        except PagesError as error:
            missing = str(error)
    present = pages.archive.is_file()
    module.exit_json(changed=outdated and not missing, missing=missing, present=present)


if __name__ == "__main__":
    main()
