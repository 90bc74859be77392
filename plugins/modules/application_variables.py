#!/usr/bin/python
# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations

DOCUMENTATION = r"""
module: application_variables
short_description: Tell which variables of a host one application after the other has
version_added: 0.1.0
author: The continuum.edge maintainers (@continuum-edge)
description:
  - Tells what M(ansible.builtin.set_fact) is to set, and sets nothing. What an earlier call has told and this one does
    not is again what the inventory or the role says.
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
  register: told

- name: Set them
  ansible.builtin.set_fact:
    "{{ item }}": "{{ told['values'][item] }}"
  loop: "{{ told.variables }}"
"""

RETURN = r"""
variables:
  description: Names of the variables to set, in this order; those that others may follow from come first.
  returned: always
  type: list
  elements: str
values:
  description: What each is to be; a template is still one.
  returned: always
  type: dict
before:
  description: What the inventory and the role say of them. The next call finds it in what this one has registered.
  returned: always
  type: dict
"""
