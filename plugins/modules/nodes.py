#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = """
module: nodes
short_description: Give the nodes of a cluster their labels and taints
version_added: 0.1.0
description:
  - Sets labels and taints of named nodes, and takes away those that an earlier run gave and nobody wants any more; what
    they stood in the place of comes back.
  - Labels and taints of others stay as they are. What was given is written on the node in the annotation
    C(continuum.edge/given).
author:
  - The continuum.edge maintainers (@continuum-edge)
requirements:
  - kubernetes
extends_documentation_fragment:
  - continuum.edge.attributes
  - continuum.edge.kubernetes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  nodes:
    description: The nodes. A node that is not listed is not looked at.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the node in the cluster.
        type: str
        required: true
      labels:
        description: Its labels.
        type: dict
        default: {}
      taints:
        description: Its taints, each as C(key=value:effect) or C(key:effect).
        type: list
        elements: str
        default: []
  state:
    description:
      - V(present) gives the nodes what is wanted.
      - V(absent) takes away all that was given to them.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: kubernetes.core.k8s_taint
"""

EXAMPLES = """
- name: Say which nodes are what
  continuum.edge.nodes:
    kubeconfig: /etc/rancher/k3s/k3s.yaml
    nodes:
      - name: garage-1
        labels: {topology.kubernetes.io/zone: garage, continuum.edge/device-class: gateway}
      - name: garage-2
        labels: {continuum.edge/device-class: jetson}
        taints: [continuum.edge/device=jetson:NoSchedule]
"""

RETURN = """
changes:
  description: Labels and taints, before and after, of each node that changed.
  returned: always
  type: list
  elements: dict
"""

from importlib.util import find_spec

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.continuum.edge.plugins.module_utils import nodes
from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import ACCESS, KubernetesError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "nodes": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "name": {"type": "str", "required": True},
                    "labels": {"type": "dict", "default": {}},
                    "taints": {"type": "list", "elements": "str", "default": []},
                },
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            **ACCESS,
        },
        supports_check_mode=True,
    )
    if find_spec("kubernetes") is None:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    gone = module.params["state"] == "absent"
    try:
        wanted = {
            node["name"]: nodes.Marks() if gone else nodes.Marks.of(node["labels"], node["taints"])
            for node in module.params["nodes"]
        }
        cluster = nodes.Cluster(module.params["kubeconfig"], module.params["context"])
        changes = nodes.apply(cluster, wanted, dry_run=module.check_mode)
    except (nodes.NodesError, KubernetesError) as error:
        module.fail_json(msg=str(error))
    result = {"changed": bool(changes), "changes": changes}
    if module._diff:
        result["diff"] = [
            {
                "before_header": f"Node {change['name']}",
                "after_header": f"Node {change['name']}",
                "before": change["before"],
                "after": change["after"],
            }
            for change in changes
        ]
    module.exit_json(**result)


if __name__ == "__main__":
    main()
