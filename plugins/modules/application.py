#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: application
short_description: Wait for the end of a COMPSs application, tell how it ended, and fetch its results
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Follows the run of a release of the chart C(compss), shows its progress, and returns its outcome once its master has
    ended for good.
  - Changes nothing on the cluster. The results come through a pod that reads their volume and goes again.
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Its namespace.
    type: str
    required: true
  port:
    description: Port of the monitoring API.
    type: int
    default: 15000
  timeout:
    description: Seconds to wait at most. V(0) looks once.
    type: int
    default: 3600
  patience:
    description: Seconds after which it is an error that an image cannot be pulled, or that no worker finds a node.
    type: int
    default: 60
  folder:
    description:
      - Folder of this machine that gets the results once the application has ended, well or not. Results of an earlier
        cluster under the same name move aside.
    type: path
requirements:
  - kubernetes
extends_documentation_fragment:
  - continuum.edge.attributes
  - continuum.edge.kubernetes
attributes:
  check_mode:
    description: Only looks; fetches nothing.
    support: full
  diff_mode:
    description: There is nothing to show of results.
    support: none
"""

EXAMPLES = r"""
- name: Wait for an application
  continuum.edge.application:
    name: matmul
    namespace: compss
    folder: ~/compss-results/matmul
  register: run
  failed_when: run.state != 'succeeded'
"""

RETURN = r"""
state:
  description: V(succeeded), V(failed), or V(running) where the time was up.
  returned: success
  type: str
status:
  description: Exit status of the application.
  returned: where it has ended
  type: int
tasks:
  description: Tasks by state, from the results where they are here, else as last heard of.
  returned: success
  type: dict
seconds:
  description: How long the application ran, from the start of its master to its end.
  returned: where it has ended
  type: float
attempts:
  description: Number of masters that were started.
  returned: success
  type: int
pod:
  description: Name of the last master's pod.
  returned: success
  type: str
node:
  description: Its node.
  returned: success
  type: str
log:
  description: Last lines of its log.
  returned: success
  type: list
  elements: str
waiting:
  description: Workers that have no place, and why.
  returned: success
  type: dict
job:
  description: Name of the run's Job.
  returned: success
  type: str
application:
  description: What the monitoring API said of the application, from the results or as last heard of.
  returned: success
  type: dict
folder:
  description: Folder with the results on this machine; empty where there are none.
  returned: where O(folder) is given and the application has ended
  type: str
"""

from importlib.util import find_spec
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.continuum.edge.plugins.module_utils import application, results
from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import ACCESS, KubernetesError
from ansible_collections.continuum.edge.plugins.module_utils.progress import report


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "port": {"type": "int", "default": 15000},
            "timeout": {"type": "int", "default": 3600},
            "patience": {"type": "int", "default": 60},
            "folder": {"type": "path"},
            **ACCESS,
        },
        supports_check_mode=True,
    )
    if find_spec("kubernetes") is None:
        module.fail_json(msg=missing_required_lib("kubernetes"))
    parameters = module.params
    try:
        cluster = application.Cluster(parameters["kubeconfig"], parameters["context"], parameters["namespace"])
        outcome = application.follow(
            cluster,
            parameters["name"],
            parameters["port"],
            parameters["timeout"],
            parameters["patience"],
            report,
        )
        job, changed = outcome["job"], False
        outcome["job"] = job["metadata"]["name"]
        if parameters["folder"] and outcome["state"] != "running" and not module.check_mode:
            fetched = results.fetch(cluster, parameters["name"], job, Path(parameters["folder"]), report)
            changed = fetched["fetched"]
            outcome["folder"] = fetched["results"]
            if fetched["run"]:
                outcome["seconds"] = fetched["run"]["ended"] - fetched["run"]["started"]
            if fetched["application"]:
                outcome["application"], outcome["tasks"] = fetched["application"], fetched["application"]["totals"]
    except (application.ApplicationError, KubernetesError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the results cannot be written: {error}")
    module.exit_json(changed=changed, **outcome)


if __name__ == "__main__":
    main()
