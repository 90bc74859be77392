#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: application_variables
short_description: Give a host the variables of one application after the other
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Sets variables as M(ansible.builtin.set_fact) does. What an earlier call has set and this one does not is again what
    the inventory or the role says.
options:
  variables:
    description: The variables of the application.
    type: dict
    required: true
attributes:
  action:
    description: It runs on the machine that runs Ansible.
    support: full
  check_mode:
    description: Nothing on the host changes.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Take the application's variables
  continuum.edge.application_variables:
    variables: {compss_name: cholesky, compss_file: cholesky.py}
"""

RETURN = r"""
ansible_facts:
  description: The variables.
  returned: always
  type: dict
"""
