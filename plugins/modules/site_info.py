#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: site_info
short_description: Say what runs on a cluster, where, in which version, and what is unhealthy
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Reads nodes, the releases of Helm, what they consist of, and pods that are of none. Changes nothing.
  - Of the releases only the chart's name and version leave the module, none of their values.
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
"""

EXAMPLES = r"""
- name: Look what runs
  continuum.edge.site_info:
"""

RETURN = r"""
rows:
  description: One for the cluster, one for each release, and one for each unhealthy pod that is of no release.
  returned: success
  type: list
  elements: dict
  contains:
    component:
      description: Its name.
      type: str
      returned: success
    status:
      description: V(running), V(unhealthy), or of an application V(succeeded), V(suspended), V(scheduled).
      type: str
      returned: success
    where:
      description: Namespace, nodes and addresses.
      type: str
      returned: success
    note:
      description: Version, and what is wrong.
      type: str
      returned: success
unhealthy:
  description: How many of the rows are unhealthy.
  returned: success
  type: int
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import (
    ACCESS,
    KubernetesApi,
    KubernetesError,
)
from ansible_collections.continuum.edge.plugins.module_utils.site_status import WORKLOADS, Site, rows


def look(api: KubernetesApi) -> Site:
    return Site(
        version=api.version(),
        nodes=api.list_objects("v1", "Node"),
        secrets=api.list_objects("v1", "Secret", "owner=helm"),
        workloads=[
            {"kind": kind, **each} for kind, version in WORKLOADS.items() for each in api.list_objects(version, kind)
        ],
        pods=api.list_objects("v1", "Pod"),
        services=api.list_objects("v1", "Service"),
    )


def main() -> None:
    module = AnsibleModule(argument_spec=dict(ACCESS), supports_check_mode=True)
    try:
        api = KubernetesApi(module.params["kubeconfig"], module.params["context"])
        table = rows(api.address, look(api))
    except KubernetesError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, rows=table, unhealthy=sum(row["status"] == "unhealthy" for row in table))


if __name__ == "__main__":
    main()
