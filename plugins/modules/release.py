#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = """
module: release
short_description: Install, upgrade or remove a Helm release, with a true diff
version_added: 0.1.0
description:
  - Renders the chart against the cluster, compares the result with the release that is deployed there, and upgrades
    only where the two differ. Check mode and diff mode show exactly what a run would change, for the first installation
    too, and need no plugin of Helm.
  - Compared are the objects, the hooks, the values and the chart's version. An object of the release that someone
    deleted from the cluster counts as a difference. Changes made to an object by other hands are not looked for.
  - Waits until everything is ready. Where that fails, rolls back to what ran before, or removes a first installation,
    and names what was not ready and why.
  - A release that an interrupted run left pending is set back and then upgraded, with a warning. Do not run two
    changes of one release at once.
  - The values of Secret objects and of keys that name a secret (password, token, apiKey and the like) are never shown,
    and reach Helm through a file that only its owner can read. Better still is to keep secrets out of the values.
author:
  - The continuum.edge maintainers (@continuum-edge)
requirements:
  - Helm 3.13 or newer, or Helm 4
  - PyYAML
extends_documentation_fragment:
  - continuum.edge.attributes
  - continuum.edge.kubernetes
attributes:
  check_mode:
    support: full
    details: Where Helm itself is not installed yet, only tells that the release would be.
  diff_mode:
    support: full
options:
  name:
    description: Name of the release.
    type: str
    required: true
  namespace:
    description: Namespace of the release.
    type: str
    required: true
  chart:
    description:
      - The chart. A path of a folder or an archive, the name of a chart in O(repo), or an C(oci://) reference.
      - Required where O(state=present).
    type: str
  repo:
    description: Address of the chart repository.
    type: str
  version:
    description:
      - Version of the chart. An exact version is downloaded once and kept below C(~/.cache/continuum.edge/charts).
    type: str
  bundle:
    description:
      - Folder made by the playbook bundle. The chart is taken from it, whatever O(chart) and O(repo) name.
    type: path
  values:
    description: Values for the chart. They replace those of the last revision as a whole.
    type: dict
    default: {}
  create_namespace:
    description: Create the namespace where it is missing.
    type: bool
    default: true
  timeout:
    description: How long to wait until everything is ready, or gone, for example V(90s) or V(5m).
    type: str
    default: 5m
  rollback_on_failure:
    description: Roll back, or remove a first installation, where the release does not become ready.
    type: bool
    default: true
  replace_chart:
    description:
      - Replace a release that is of a chart of another name. Without it nothing is changed and the task fails, in check
        mode too.
    type: bool
    default: false
  state:
    description:
      - V(present) installs or upgrades the release.
      - V(absent) removes it and waits until its objects are gone. The namespace stays.
      - V(rolled_back) deploys what O(revision) was, and waits until it is ready.
    type: str
    choices: [present, absent, rolled_back]
    default: present
  revision:
    description: What to roll back to, RV(previous) of the run that is to be undone. V(0) removes the release.
    type: int
  helm:
    description: The helm program, as a path or a name on E(PATH).
    type: str
    default: helm
seealso:
  - module: kubernetes.core.helm
"""

EXAMPLES = """
- name: Install a chart of this collection
  continuum.edge.release:
    name: prometheus
    namespace: monitoring
    chart: charts/edge-monitoring
    values:
      prometheus:
        retention: 30d

- name: Install a published chart
  continuum.edge.release:
    name: metrics-server
    namespace: kube-system
    chart: metrics-server
    repo: https://kubernetes-sigs.github.io/metrics-server
    version: 3.13.1

- name: Give all that talks to the cluster its access, the modules of kubernetes.core too
  hosts: localhost
  module_defaults:
    group/continuum.edge.kubernetes:
      kubeconfig: "{{ continuum_kubeconfig }}"
    continuum.edge.release:
      helm: "{{ continuum_helm }}"
  tasks:
    - name: Remove a release
      continuum.edge.release:
        name: metrics-server
        namespace: kube-system
        state: absent
"""

RETURN = """
status:
  description: Status of the release after the run, V(absent) where there is none.
  returned: success
  type: str
  sample: deployed
revision:
  description: Its revision, 0 where there is none.
  returned: success
  type: int
  sample: 3
previous:
  description: Its revision before the run, 0 where there was none.
  returned: success
  type: int
  sample: 2
chart:
  description: Name and version of its chart.
  returned: success
  type: str
  sample: metrics-server-3.13.1
app_version:
  description: Version of the application that the chart says it installs.
  returned: success
  type: str
  sample: 0.9.0
images:
  description: Full names of the images that its pods ask for.
  returned: success
  type: list
  elements: str
  sample: ["registry.k8s.io/metrics-server/metrics-server:v0.9.0"]
objects:
  description: The objects that differ, by what happens to them.
  returned: success
  type: dict
  contains:
    added:
      description: Objects that come.
      type: list
      elements: str
      returned: success
    changed:
      description: Objects that change.
      type: list
      elements: str
      returned: success
    removed:
      description: Objects that go.
      type: list
      elements: str
      returned: success
  sample:
    added: []
    changed: ["Deployment monitoring/prometheus"]
    removed: []
"""

import json
import os
import tempfile
import traceback
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.continuum.edge.plugins.module_utils.kubernetes_api import ACCESS
from ansible_collections.continuum.edge.plugins.module_utils.progress import report

try:
    from ansible_collections.continuum.edge.plugins.module_utils import bundle, helm
except ImportError:  # PyYAML is the only import of these modules that may be missing
    bundle = helm = None  # type: ignore[assignment]
    IMPORT_ERROR = traceback.format_exc()
else:
    IMPORT_ERROR = ""


def outcome(release: helm.Release | None, difference: helm.Difference) -> dict[str, Any]:
    return {
        "status": release.status if release else "absent",
        "revision": release.revision if release else 0,
        "chart": release.chart if release else "",
        "app_version": release.app_version if release else "",
        "images": sorted(bundle.images_of(helm.split(release.manifest))) if release else [],
        "objects": {
            "added": [c.title for c in difference.objects if c.before is None] + difference.missing,
            "changed": [c.title for c in difference.objects if c.before is not None and c.after is not None],
            "removed": [c.title for c in difference.objects if c.after is None],
        },
    }


def present(module: AnsibleModule, program: helm.Helm, spec: helm.Spec, scratch: Path) -> dict[str, Any]:
    folder = module.params["bundle"]
    chart = bundle.chart_in(Path(folder), spec) if folder else helm.locate(program, spec, scratch)
    values_file = str(scratch / "values.json")
    descriptor = os.open(values_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(spec.values, file)

    history = helm.latest(program, spec)
    if not (history or module.check_mode or module._diff):
        # There is nothing to compare with, and nobody to show it to.
        report(f"installing {spec.name} ({Path(chart).name}), then waiting until it is ready")
        installed = helm.upgrade(program, spec, chart, values_file, None, report)
        return {"changed": True, "previous": 0, **outcome(installed, helm.compare(None, installed))}

    # Reading and rendering run side by side: a release that is up to date needs nothing else.
    with ThreadPoolExecutor(1) as pool:
        rendering: Future[helm.Rendering] = pool.submit(helm.render, program, spec, chart, values_file, validate=False)
        old = helm.deployed(program, spec, history) if history else None
        pending = old is not None and old.status in helm.PENDING
        if old and pending and not module.check_mode:
            module.warn(helm.recover(program, spec, old))
            old = helm.deployed(program, spec)
        elif old and pending:
            module.warn(f"Release {spec.name} was left {old.status} by an interrupted run; it would be set back first.")
        if pending:
            # Helm has refused the first rendering, or has rendered over a revision that is gone.
            rendered = helm.render(program, spec, chart, values_file, pending=module.check_mode)
        else:
            rendered = rendering.result()

    if rendered.caveat:
        module.warn(rendered.caveat)
    if old:
        module.no_log_values.update(helm.sensitive_strings(old.config))
    if old and old.status != "uninstalled" and not module.params["replace_chart"]:
        helm.refuse_other_chart(spec, old, rendered.release)
    difference = helm.compare(old, rendered.release)
    changed = bool(difference) or old is None or pending
    deployed = old
    if changed and module.check_mode:
        # The rendering above is not validated; an upgrade is.
        deployed = helm.render(program, spec, chart, values_file, pending=pending).release
    elif changed:
        verb = "upgrading" if old else "installing"
        report(f"{verb} {spec.name} ({rendered.release.chart}), then waiting until it is ready")
        deployed = helm.upgrade(program, spec, chart, values_file, old, report)
    result = {"changed": changed, "previous": old.revision if old else 0, **outcome(deployed, difference)}
    if module.check_mode and changed:
        result["status"] = "deployed"
    if module._diff:
        result["diff"] = helm.diffs(difference)
    return result


def absent(module: AnsibleModule, program: helm.Helm, spec: helm.Spec) -> dict[str, Any]:
    old = helm.deployed(program, spec)
    if old is None:
        return {"changed": False, "previous": 0, **outcome(None, helm.compare(None, None))}
    difference = helm.removal(old)
    if not module.check_mode:
        report(f"removing {spec.name}, then waiting until its objects are gone")
        helm.uninstall(program, spec)
    result = {"changed": True, "previous": old.revision, **outcome(None, difference)}
    if module._diff:
        result["diff"] = helm.diffs(difference)
    return result


def rolled_back(module: AnsibleModule, program: helm.Helm, spec: helm.Spec, revision: int) -> dict[str, Any]:
    if revision == 0:
        return absent(module, program, spec)
    earlier = helm.at(program, spec, revision)
    old = helm.deployed(program, spec)
    difference = helm.compare(old, earlier)
    changed = bool(difference)
    if changed and not module.check_mode:
        report(f"rolling {spec.name} back to revision {revision}, then waiting until it is ready")
        helm.roll_back(program, spec, revision)
    deployed = earlier if module.check_mode else helm.deployed(program, spec)
    result = {"changed": changed, "previous": old.revision if old else 0, **outcome(deployed, difference)}
    if module._diff:
        result["diff"] = helm.diffs(difference)
    return result


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "namespace": {"type": "str", "required": True},
            "chart": {"type": "str"},
            "repo": {"type": "str"},
            "version": {"type": "str"},
            "bundle": {"type": "path"},
            # The system log shows none of the values; the output hides only what is secret, see below.
            "values": {"type": "dict", "default": {}, "no_log": True},
            "create_namespace": {"type": "bool", "default": True},
            "timeout": {"type": "str", "default": "5m"},
            "rollback_on_failure": {"type": "bool", "default": True},
            "replace_chart": {"type": "bool", "default": False},
            "state": {"type": "str", "choices": ["present", "absent", "rolled_back"], "default": "present"},
            "revision": {"type": "int"},
            **ACCESS,
            "helm": {"type": "str", "default": "helm"},
        },
        required_if=[("state", "present", ["chart"]), ("state", "rolled_back", ["revision"])],
        supports_check_mode=True,
    )
    if IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=IMPORT_ERROR)
    parameters = module.params
    # Ansible would blank every value wherever it occurs in the output, "true" and "monitoring" too.
    module.no_log_values = set(helm.sensitive_strings(parameters["values"]))

    spec = helm.Spec(
        name=parameters["name"],
        namespace=parameters["namespace"],
        chart=parameters["chart"] or "",
        repo=parameters["repo"],
        version=parameters["version"],
        values=parameters["values"],
        create_namespace=parameters["create_namespace"],
        timeout=parameters["timeout"],
        rollback_on_failure=parameters["rollback_on_failure"],
    )
    invocation = {"module_args": {**parameters, "values": helm.hidden(spec.values, None)[0]}}
    try:
        helm.seconds(spec.timeout)
        program = helm.Helm(parameters["helm"], parameters["kubeconfig"], parameters["context"])
        alone = nullcontext() if module.check_mode else helm.exclusive(program, spec, report)
        with alone, tempfile.TemporaryDirectory(prefix="release-", dir=module.tmpdir) as scratch:
            if parameters["state"] == "present":
                result = present(module, program, spec, Path(scratch))
            elif parameters["state"] == "rolled_back":
                result = rolled_back(module, program, spec, parameters["revision"])
            else:
                result = absent(module, program, spec)
    except helm.HelmMissingError as error:
        if not module.check_mode:
            module.fail_json(msg=str(error), invocation=invocation)
        module.warn(f"{error} What release {spec.name} would change cannot be shown before that.")
        result = {
            "changed": parameters["state"] == "present",
            "previous": 0,
            **outcome(None, helm.compare(None, None)),
        }
    except (bundle.BundleError, helm.ReleaseError) as error:
        module.fail_json(msg=str(error), invocation=invocation)
    module.exit_json(invocation=invocation, **result)


if __name__ == "__main__":
    main()
