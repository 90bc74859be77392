#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: recording_rules
short_description: Render the metric catalogue as Prometheus rules
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - >-
    Renders the catalogue's recording rules and alerts, all or a selection, with a site's own, as a rules file of
    Prometheus, a ConfigMap or a PrometheusRule; into a file, or as a return value.
  - >-
    Checks everything before anything is written: names, duplicates, circles, and every expression as PromQL. What is
    wrong is named by its entry.
  - A rule that reads another rule's record stands after it in the same group, so that it never lags behind.
options:
  format:
    description: What to render.
    type: str
    choices: [rules, configmap, prometheusrule]
    default: rules
  path:
    description: File to write, atomically. Without it nothing is written, and RV(content) has the result.
    type: path
  name:
    description: Name of the ConfigMap or PrometheusRule.
    type: str
    default: continuum-edge-rules
  namespace:
    description: Namespace of the ConfigMap or PrometheusRule; none is written where this is empty.
    type: str
    default: ""
  metadata_labels:
    description: Labels of the ConfigMap or PrometheusRule, such as those by which an operator selects it.
    type: dict
    default: {}
  file:
    description: Key of the ConfigMap, which is the name of the rules file.
    type: str
    default: continuum.edge.rules.yml
extends_documentation_fragment:
  - continuum.edge.catalogue
  - continuum.edge.attributes
  - ansible.builtin.files
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
seealso:
  - module: continuum.edge.recording_rules_info
"""

EXAMPLES = r"""
- name: Write every rule into a file of Prometheus
  continuum.edge.recording_rules:
    path: /etc/prometheus/rules/continuum.edge.yml
    mode: "0644"

- name: Render a PrometheusRule that an operator selects, with the operator's job names
  continuum.edge.recording_rules:
    format: prometheusrule
    namespace: monitoring
    metadata_labels:
      release: prometheus
    selectors:
      cadvisor: job="kubelet", metrics_path="/metrics/cadvisor"
      kubelet: job="kubelet", metrics_path="/metrics"
      probes: job="kubelet", metrics_path="/metrics/probes"
  register: rules

- name: Render CPU and memory of pods and namespaces, and a metric of our own
  continuum.edge.recording_rules:
    categories: [cpu, memory]
    levels: [pod, namespace]
    alerts: false
    extra_metrics:
      - name: namespace:camera_frames:rate
        meaning: Frames per second that a namespace's cameras deliver.
        unit: operations/s
        type: rate
        expr: sum by ($cluster, namespace) (rate(camera_frames_total[$window]))
    names: [namespace:camera_frames:rate]
"""

RETURN = r"""
content:
  description: What was rendered.
  returned: always
  type: str
groups:
  description: The rule groups, in the order in which they are written.
  returned: always
  type: list
  elements: dict
records:
  description: Names of the records, each after all that it reads.
  returned: always
  type: list
  elements: str
alert_names:
  description: Names of the alerts.
  returned: always
  type: list
  elements: str
series:
  description: Names of the raw series that the rendered rules read, by exporter.
  returned: always
  type: dict
  sample: {"kubelet": ["kubelet_volume_stats_available_bytes"]}
path:
  description: The file.
  returned: when O(path) is given
  type: str
"""

import tempfile
import traceback
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue import (
        CatalogueError,
        configmap,
        prometheusrule,
        rules_file,
    )
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue.arguments import (
        ARGUMENTS,
        catalogue_of,
        selection_of,
    )
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue.promql import available

    MISSING = None
except ImportError:
    ARGUMENTS, MISSING = {}, traceback.format_exc()


def current(path: Path) -> str | None:
    """The file's content, None where there is none."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def write(module: AnsibleModule, path: Path, content: str) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=module.tmpdir, delete=False) as file:
        file.write(content)
    module.atomic_move(file.name, str(path))


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "format": {"type": "str", "choices": ["rules", "configmap", "prometheusrule"], "default": "rules"},
            "path": {"type": "path"},
            "name": {"type": "str", "default": "continuum-edge-rules"},
            "namespace": {"type": "str", "default": ""},
            "metadata_labels": {"type": "dict", "default": {}},
            "file": {"type": "str", "default": "continuum.edge.rules.yml"},
        },
        supports_check_mode=True,
        add_file_common_args=True,
    )
    if MISSING:
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=MISSING)
    if not available():
        module.fail_json(msg=missing_required_lib("promql-parser", reason="to check every expression"))
    params = module.params
    try:
        catalogue, selection = catalogue_of(params), selection_of(params)
        chosen = catalogue.select(selection)
        groups = catalogue.groups(selection)
        if not groups:
            raise CatalogueError("the selection is empty: no entry meets both categories and levels; widen one of them")
    except CatalogueError as error:
        module.fail_json(msg=str(error))
    metadata = (params["name"], params["namespace"], params["metadata_labels"])
    content = {
        "rules": lambda: rules_file(groups),
        "configmap": lambda: configmap(groups, *metadata, params["file"]),
        "prometheusrule": lambda: prometheusrule(groups, *metadata),
    }[params["format"]]()
    rules = [rule for group in groups for rule in group["rules"]]
    result = {
        "changed": False,
        "content": content,
        "groups": groups,
        "records": [rule["record"] for rule in rules if "record" in rule],
        "alert_names": [rule["alert"] for rule in rules if "alert" in rule],
        "series": catalogue.series(entry.name for entry in chosen),
    }
    if params["path"]:
        path = Path(params["path"])
        result["path"] = str(path)
        if path.is_dir():
            module.fail_json(msg=f"path {path} is a folder; expected the name of the file to write")
        if not path.parent.is_dir():
            module.fail_json(msg=f"cannot write {path}: its folder does not exist; make it first, or correct path")
        try:
            before = current(path)
            if before != content:
                result["changed"] = True
                result["diff"] = {
                    "before_header": str(path),
                    "after_header": str(path),
                    "before": before or "",
                    "after": content,
                }
                if not module.check_mode:
                    write(module, path, content)
        except (OSError, UnicodeDecodeError) as error:
            module.fail_json(msg=f"cannot write {path}: {error}")
        if path.exists():  # in check mode the file may still have to be made
            attributes = module.load_file_common_arguments(params, path=str(path))
            result["changed"] = module.set_fs_attributes_if_different(attributes, result["changed"])
    module.exit_json(**result)


if __name__ == "__main__":
    main()
