#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: gitops
short_description: Write the releases of a site as Argo CD Applications and Flux HelmReleases
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Writes the folder of one site, for a pipeline to commit. What is in it depends on the releases and the options
    alone, so that the same ones twice give no difference; files that are no longer part of it are removed.
  - Nothing of it is a secret. Values that have one are refused.
extends_documentation_fragment:
  - continuum.edge.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
options:
  dest:
    description: Folder of the site. All of it belongs to this module; a folder with other files is refused.
    type: path
    required: true
  state:
    description: V(absent) removes the folder.
    type: str
    choices: [present, absent]
    default: present
  releases:
    description: The releases, as the roles of this collection describe them.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the release.
        type: str
        required: true
      namespace:
        description: Its namespace.
        type: str
        required: true
      chart:
        description: A path, a name in the repository, or an C(oci://) reference. That of a path is copied along.
        type: str
        required: true
      repo:
        description: Address of the chart repository.
        type: str
        default: ""
      version:
        description: Exact version of the chart.
        type: str
        default: ""
      values:
        description: Values for the chart.
        type: dict
        default: {}
      timeout:
        description: How long it may take until everything is ready.
        type: str
        default: 5m
      after:
        description: Releases that have to be there first.
        type: list
        elements: str
        default: []
      secrets:
        description: Secrets of its namespace that somebody else makes.
        type: list
        elements: str
        default: []
      plain:
        description: Keep the objects as manifests, without a release.
        type: bool
        default: false
      ends:
        description: An application, which ends by itself; nobody waits for it.
        type: bool
        default: false
      apart:
        description:
          - Some of the objects to keep as manifests, C(objects), each by its kind and name, and the C(values) that
            leave them out of the release.
        type: dict
        default: {}
  cluster:
    description: Name of the site's cluster. It begins the names of what is not in the cluster's own namespaces.
    type: str
  path:
    description: The site's folder within the repository. Where not given, what the work tree around O(dest) says.
    type: str
  tools:
    description: Who reads it.
    type: list
    elements: str
    choices: [argocd, flux]
    default: [argocd, flux]
  repo_url:
    description: Address of the repository, which Argo CD reads it from.
    type: str
    default: ""
  revision:
    description: Branch or tag that Argo CD reads.
    type: str
    default: main
  argocd_namespace:
    description: Namespace of the Applications.
    type: str
    default: argocd
  argocd_project:
    description: Their project.
    type: str
    default: default
  argocd_server:
    description: The cluster as Argo CD knows it.
    type: str
    default: https://kubernetes.default.svc
  flux_namespace:
    description: Namespace of Flux.
    type: str
    default: flux-system
  flux_source:
    description: Its GitRepository with this folder.
    type: str
    default: flux-system
  interval:
    description: How often Flux looks at what runs.
    type: str
    default: 10m
  helm:
    description: The helm program, which renders what is kept as manifests.
    type: str
    default: helm
"""

EXAMPLES = r"""
- name: Write a site's folder
  continuum.edge.gitops:
    dest: fleet/garage
    cluster: garage
    repo_url: https://git.example/fleet.git
    releases:
      - name: metrics-server
        namespace: kube-system
        chart: metrics-server
        repo: https://kubernetes-sigs.github.io/metrics-server
        version: 3.13.1
"""

RETURN = r"""
written:
  description: Paths, relative to O(dest), of files that came or changed.
  returned: always
  type: list
  elements: str
removed:
  description: Paths of files that went.
  returned: always
  type: list
  elements: str
"""

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.continuum.edge.plugins.module_utils import gitops, helm
from ansible_collections.continuum.edge.plugins.module_utils.tree import Change, apply, compare


def path_in_repository(dest: Path) -> str:
    """Where a folder, which may not be there yet, lies in the work tree around it."""
    folder = dest
    while not folder.is_dir():
        folder = folder.parent
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return dest.name
    # Outside a work tree, the folder itself is what gets committed.
    if answer.returncode:
        return dest.name
    return str(dest.resolve().relative_to(Path(answer.stdout.strip()).resolve()))


def entry(described: dict[str, Any]) -> gitops.Entry:
    apart = described["apart"]
    return gitops.Entry(
        name=described["name"],
        namespace=described["namespace"],
        chart=described["chart"],
        repo=described["repo"],
        version=described["version"],
        values=described["values"],
        timeout=described["timeout"],
        after=tuple(described["after"]),
        secrets=tuple(described["secrets"]),
        plain=described["plain"],
        ends=described["ends"],
        apart_objects=tuple(apart.get("objects") or ()),
        apart_values=apart.get("values"),
    )


def templater(program: helm.Helm, scratch: Path) -> gitops.Template:
    def template(entry: gitops.Entry) -> list[helm.Json]:
        spec = helm.Spec(entry.name, entry.namespace, entry.chart, entry.repo, entry.version)
        values = scratch / "values.json"
        values.write_text(json.dumps(entry.values))
        chart = helm.locate(program, spec, scratch)
        try:
            text = program.call("template", entry.name, chart, "--namespace", entry.namespace, "--values", str(values))
        except helm.HelmError as error:
            raise helm.explain(error, spec, program) from error
        return helm.split(text)

    return template


def wanted(module: AnsibleModule, dest: Path) -> dict[str, bytes]:
    parameters = module.params
    if parameters["state"] == "absent":
        return {}
    settings = gitops.Settings(
        path=parameters["path"] if parameters["path"] is not None else path_in_repository(dest),
        tools=tuple(parameters["tools"]),
        **{
            name: parameters[name]
            for name in (
                *("cluster", "repo_url", "revision", "argocd_namespace", "argocd_project", "argocd_server"),
                *("flux_namespace", "flux_source", "interval"),
            )
        },
    )
    with tempfile.TemporaryDirectory(prefix="gitops-", dir=module.tmpdir) as scratch:
        template = templater(helm.Helm(parameters["helm"]), Path(scratch))
        return gitops.render([entry(each) for each in parameters["releases"]], settings, template)


def refuse_foreign(dest: Path) -> None:
    """A folder of others is not ours to clear up."""
    readme = dest / "README.md"
    if dest.is_dir() and any(dest.iterdir()) and not (readme.is_file() and gitops.MARK in readme.read_text()):
        raise gitops.GitOpsError(
            f"{dest} has files and was not written by this module. Expected a folder for this site alone: "
            "name another gitops_output, or clear it."
        )


# What a release is described by.
RELEASE = {
    "name": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "chart": {"type": "str", "required": True},
    "repo": {"type": "str", "default": ""},
    "version": {"type": "str", "default": ""},
    "values": {"type": "dict", "default": {}, "no_log": True},
    "timeout": {"type": "str", "default": "5m"},
    "after": {"type": "list", "elements": "str", "default": []},
    "secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "plain": {"type": "bool", "default": False},
    "ends": {"type": "bool", "default": False},
    "apart": {"type": "dict", "default": {}},
}


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "dest": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "releases": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": RELEASE,
            },
            "cluster": {"type": "str"},
            "path": {"type": "str"},
            "tools": {"type": "list", "elements": "str", "choices": ["argocd", "flux"], "default": ["argocd", "flux"]},
            "repo_url": {"type": "str", "default": ""},
            "revision": {"type": "str", "default": "main"},
            "argocd_namespace": {"type": "str", "default": "argocd"},
            "argocd_project": {"type": "str", "default": "default"},
            "argocd_server": {"type": "str", "default": "https://kubernetes.default.svc"},
            "flux_namespace": {"type": "str", "default": "flux-system"},
            "flux_source": {"type": "str", "default": "flux-system"},
            "interval": {"type": "str", "default": "10m"},
            "helm": {"type": "str", "default": "helm"},
        },
        required_if=[("state", "present", ["cluster"])],
        supports_check_mode=True,
    )
    # Ansible would blank every value wherever it occurs in the output; a secret is refused below, unseen.
    module.no_log_values = {
        text for each in module.params["releases"] for text in helm.sensitive_strings(each["values"])
    }
    dest = Path(module.params["dest"])
    try:
        refuse_foreign(dest)
        changes = compare(dest, wanted(module, dest))
        if not module.check_mode:
            apply(dest, changes)
    except (gitops.GitOpsError, helm.ReleaseError) as error:
        module.fail_json(msg=str(error), invocation={})
    except OSError as error:
        module.fail_json(msg=f"cannot write {dest}: {error}", invocation={})
    module.exit_json(
        changed=bool(changes),
        written=[change.path for change in changes if change.after is not None],
        removed=[change.path for change in changes if change.after is None],
        diff=[shown(dest, change) for change in changes],
        invocation={},
    )


def shown(dest: Path, change: Change) -> dict[str, str]:
    path = str(dest / change.path)
    return {
        "before_header": path if change.before is not None else f"{path} (absent)",
        "after_header": path if change.after is not None else f"{path} (absent)",
        "before": (change.before or b"").decode(errors="replace"),
        "after": (change.after or b"").decode(errors="replace"),
    }


if __name__ == "__main__":
    main()
