# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations


class ModuleDocFragment:
    # The access of every module of the action group continuum.edge.kubernetes.
    DOCUMENTATION = """
options:
  kubeconfig:
    description: Path of the kubeconfig. Where not given, E(KUBECONFIG), then C(~/.kube/config).
    type: path
  context:
    description: Context within the kubeconfig. Its current one where not given.
    type: str
"""
