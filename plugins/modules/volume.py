#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: volume
short_description: Save the content of a volume to a file, or put it back
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Carries the files of a persistent volume out of its pod and back, with the C(tar) of the pod's own image, so that
    neither the cluster needs an image nor this machine a program for it.
  - Beside the file lies its digest, as C(sha256sum) writes it. A file that does not have it is not put back.
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
  state:
    description:
      - V(saved) writes O(archive).
      - V(restored) puts it into a new volume in the place of the one that is there, whose content is lost. What runs on
        it stops meanwhile.
    type: str
    choices: [saved, restored]
    required: true
  archive:
    description: The file, a gzipped tar, on the host that the module runs on.
    type: path
    required: true
  namespace:
    description: Namespace of the claim.
    type: str
    required: true
  claim:
    description: The claim.
    type: str
    required: true
  workload:
    description: What runs on the volume, and stops where its C(replicas) are none.
    type: dict
    required: true
    suboptions:
      api_version:
        description: Its API version.
        type: str
        required: true
      kind:
        description: Its kind.
        type: str
        required: true
      name:
        description: Its name.
        type: str
        required: true
  live:
    description: Save while it runs. Only for what finds its way from any copy of its files, as after a crash.
    type: bool
    default: false
  guard:
    description: >-
      Where it is saved while it runs, what tells whether its files were rearranged meanwhile; it is then copied again.
    type: dict
    suboptions:
      url:
        description: Address that is asked before and after.
        type: str
        required: true
      lines:
        description: Regular expression of what must be the same then.
        type: str
        required: true
  timeout:
    description: Seconds for each wait, for what stops and what starts.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Save what a database has
  continuum.edge.volume:
    state: saved
    archive: /backup/database.tar.gz
    namespace: shop
    claim: database
    workload: {api_version: apps/v1, kind: StatefulSet, name: database}
"""

RETURN = r"""
digest:
  description: SHA-256 of the archive.
  returned: success, but for V(saved) in check mode
  type: str
size:
  description: Its size in bytes.
  returned: as RV(digest)
  type: int
"""

from importlib.util import find_spec
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.continuum.edge.plugins.module_utils import volume
from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import (
    ACCESS,
    KubernetesApi,
    KubernetesError,
)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["saved", "restored"], "required": True},
            "archive": {"type": "path", "required": True},
            "namespace": {"type": "str", "required": True},
            "claim": {"type": "str", "required": True},
            "workload": {
                "type": "dict",
                "required": True,
                "options": {
                    "api_version": {"type": "str", "required": True},
                    "kind": {"type": "str", "required": True},
                    "name": {"type": "str", "required": True},
                },
            },
            "live": {"type": "bool", "default": False},
            "guard": {
                "type": "dict",
                "options": {"url": {"type": "str", "required": True}, "lines": {"type": "str", "required": True}},
            },
            "timeout": {"type": "int", "default": 300},
            **ACCESS,
        },
        supports_check_mode=True,
    )
    if not find_spec("kubernetes"):
        module.fail_json(msg=missing_required_lib("kubernetes"))
    parameters = module.params
    archive, claim = Path(parameters["archive"]), parameters["claim"]
    workload = volume.Workload(**parameters["workload"])
    guard = volume.Guard(**parameters["guard"]) if parameters["guard"] else None
    digest = ""
    try:
        cluster = KubernetesApi(parameters["kubeconfig"], parameters["context"], parameters["namespace"])
        if module.check_mode:
            volume.mounted(cluster, claim)
            digest = volume.check(archive) if parameters["state"] == "restored" else ""
        elif parameters["state"] == "restored":
            digest = volume.check(archive)
            volume.restore(cluster, claim, archive, workload, parameters["timeout"])
        elif parameters["live"]:
            digest = volume.save(cluster, claim, archive, guard)
        else:
            digest = volume.save_stopped(cluster, claim, archive, workload, parameters["timeout"])
    except (volume.VolumeError, KubernetesError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"cannot use {archive}: {error}")
    module.exit_json(changed=True, **({"digest": digest, "size": archive.stat().st_size} if digest else {}))


if __name__ == "__main__":
    main()
