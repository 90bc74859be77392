# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Tells which variables lay an application over its site, in the place of the application before."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        given = self._task.args["variables"]
        # As the inventory and the role have written them: a template of theirs may follow from the application's.
        before = dict((variables.get(self._task.register) or {}).get("before") or {})
        before |= {name: variables[name] for name in given if name not in before and name in variables}
        # Those first that others may follow from.
        result.update(
            changed=False, before=before, variables=[*given, *(before.keys() - given)], values={**before, **given}
        )
        return result
