# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)

from __future__ import annotations


class ModuleDocFragment:
    # What every module says about check mode and diff mode; each fills in its support.
    DOCUMENTATION = """
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tell what it would change, without changing it.
  diff_mode:
    description: Shows the difference between what is there and what is wanted, where diff mode is on.
"""
