# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Tells which variables an application sets over its site's, in place of those of the application before it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    TRANSFERS_FILES = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        given = self._task.args["variables"]
        # Values are as inventory and role have written them: their templates may use the application's variables.
        before = dict((variables.get(self._task.register) or {}).get("before") or {})
        before |= {name: variables[name] for name in given if name not in before and name in variables}
        # The application's variables come first, since others may be made of them.
        result.update(
            changed=False, before=before, variables=[*given, *(before.keys() - given)], values={**before, **given}
        )
        return result
