# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Takes a chart that lies on the machine of Ansible along to the host that Helm runs on."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    TRANSFERS_FILES = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        chart = Path(str(arguments.get("chart") or "")).expanduser()
        if arguments.get("chart") and chart.exists() and self._connection.transport != "local":
            arguments["chart"] = self._send(chart.resolve())
        background = bool(self._task.async_val)
        result.update(self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=background))
        return result

    def _send(self, chart: Path) -> str:
        # An import at the top would cost the process of every task.
        from ansible_collections.continuum.edge.plugins.module_utils.bundle import pack_folder

        folder = self._make_tmp_path()
        remote: str = self._connection._shell.join_path(folder, chart.name + (".tgz" if chart.is_dir() else ""))
        if chart.is_dir():
            with tempfile.TemporaryDirectory() as scratch:
                archive = Path(scratch, "chart.tgz")
                archive.write_bytes(pack_folder(chart, f"{chart.name}/"))
                self._transfer_file(str(archive), remote)
        else:
            self._transfer_file(str(chart), remote)
        self._fixup_perms2((folder, remote))
        return remote
