#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: application_upload
short_description: Hand the folder of an application to its master's pod
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Without O(archive) it waits until the master of a release of the chart C(compss) runs, and tells whether it still
    waits for its folder. With it, it hands it over.
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  digest:
    description: The chart's C(app.source.archive).
    type: str
    required: true
  archive:
    description: The archive, on this host.
    type: path
  timeout:
    description: Seconds to wait for the master's pod.
    type: int
    default: 3600
  patience:
    description: Seconds after which it is an error that its image cannot be pulled.
    type: int
    default: 60
extends_documentation_fragment:
  - continuum.edge.kubernetes
attributes:
  check_mode:
    description: Does nothing.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: See whether the master waits for its folder
  continuum.edge.application_upload:
    name: matmul
    namespace: compss
    digest: "{{ folder.source.archive }}"
  register: upload
"""

RETURN = r"""
wanted:
  description: Whether the master waits for it.
  returned: success
  type: bool
pod:
  description: Its pod.
  returned: success
  type: str
"""

from importlib.util import find_spec
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.continuum.edge.plugins.module_utils import application, application_upload
from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import ACCESS, KubernetesError
from ansible_collections.continuum.edge.plugins.module_utils.progress import report

CHUNK = 1 << 20


def hand_over(cluster: application.Cluster, pod: str, digest: str, archive: Path) -> None:
    size = archive.stat().st_size
    with archive.open("rb") as file:
        content = application_upload.chunks(iter(lambda: file.read(CHUNK), b""), size, report)
        cluster.write(pod, application_upload.CONTAINER, application_upload.command(digest, size), content)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "digest": {"type": "str", "required": True},
            "archive": {"type": "path"},
            "timeout": {"type": "int", "default": 3600},
            "patience": {"type": "int", "default": 60},
            **ACCESS,
        },
        supports_check_mode=True,
    )
    if find_spec("kubernetes") is None:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    if module.check_mode:
        module.exit_json(changed=False, wanted=False, pod="")
    given = module.params
    changed = False
    try:
        cluster = application.Cluster(given["kubeconfig"], given["context"], given["namespace"])
        pod = application_upload.receiver(cluster, given["name"], given["timeout"], given["patience"], report)
        if pod and given["archive"]:
            hand_over(cluster, pod, given["digest"], Path(given["archive"]))
            changed = True
    except (application.ApplicationError, KubernetesError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the archive cannot be read: {error}")
    module.exit_json(changed=changed, wanted=bool(pod), pod=pod)


if __name__ == "__main__":
    main()
