#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: recording_rules_info
short_description: Tell what the metric catalogue contains
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Returns the catalogue's metrics and alerts, all or a selection, with what each means, reads and needs.
  - RV(series) is the allow-list of a lean Prometheus. It is computed from the parsed expressions.
extends_documentation_fragment:
  - continuum.edge.catalogue
  - continuum.edge.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
seealso:
  - module: continuum.edge.recording_rules
"""

EXAMPLES = r"""
- name: Read the catalogue
  continuum.edge.recording_rules_info:
  register: catalogue

- name: Show what the kubelet must be asked for
  ansible.builtin.debug:
    var: catalogue.series.kubelet

- name: Find the records that a healthy cluster must have
  ansible.builtin.set_fact:
    required: "{{ catalogue.metrics | rejectattr('absent') | map(attribute='name') }}"
"""

RETURN = r"""
metrics:
  description: The selected metrics, each after all that it reads.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the record.
      type: str
    category:
      description: Category.
      type: str
    level:
      description: Level, the first part of the name.
      type: str
    unit:
      description: Unit.
      type: str
    type:
      description: Type of value.
      type: str
    meaning:
      description: What it tells.
      type: str
    origin:
      description: V(source), V(candidate), V(requirement) or V(support).
      type: str
    source:
      description: The queries of EXTRACT's deliverable D3.2.
      type: list
      elements: str
    difference:
      description: Why the expression differs from those of D3.2.
      type: str
    expr:
      description: The expression, filled in.
      type: str
    label_names:
      description: Names of the labels that its series may have, told by the expression.
      type: list
      elements: str
    more_labels:
      description: Whether its series may have others, too.
      type: bool
    reads:
      description: Records that the expression reads.
      type: list
      elements: str
    exporters:
      description: Exporters that feed it, through other records too.
      type: list
      elements: str
    absent:
      description: Why a healthy cluster may have no series of it; empty where that is a fault.
      type: str
    warning:
      description: Threshold of a warning.
      type: float
    critical:
      description: Threshold of a critical state.
      type: float
    labels:
      description: Labels of its own.
      type: dict
alert_rules:
  description: The selected alerts.
  returned: always
  type: list
  elements: dict
series:
  description: Names of the raw series that the selection reads, by exporter, which is also the scrape job's name.
  returned: always
  type: dict
  sample: {"kubelet": ["kubelet_volume_stats_available_bytes"]}
exporters:
  description: The exporters, with the selector in use and what they feed.
  returned: always
  type: list
  elements: dict
compss_series:
  description: The series that a COMPSs application's monitoring API and its pushes must offer.
  returned: always
  type: list
  elements: dict
"""

import traceback

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

try:
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue import CatalogueError
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue.arguments import (
        ARGUMENTS,
        catalogue_of,
        selection_of,
    )
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue.info import information
    from ansible_collections.continuum.edge.plugins.module_utils.catalogue.promql import available

    MISSING = None
except ImportError:
    ARGUMENTS, MISSING = {}, traceback.format_exc()


def main() -> None:
    module = AnsibleModule(argument_spec={**ARGUMENTS}, supports_check_mode=True)
    if MISSING:
        module.fail_json(msg=missing_required_lib("PyYAML"), exception=MISSING)
    if not available():
        module.fail_json(msg=missing_required_lib("promql-parser", reason="to read every expression"))
    try:
        result = information(catalogue_of(module.params), selection_of(module.params))
    except CatalogueError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
