# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Shows what long tasks are doing, and ends a run with a table of what runs where."""

from __future__ import annotations

DOCUMENTATION = """
name: progress
type: aggregate
short_description: Show what long tasks are doing, and what runs where at the end
version_added: 0.1.0
description:
  - Prints the lines that a module of this collection reports while its task runs, each with the time since the task
    began, so that a build of some minutes is not silent. A module that reports nothing shows once in a while that it is
    still running.
  - Prints the time that a long task took.
  - At the end of the last playbook prints the rows that roles left in the custom statistic C(continuum_summary) as a
    table, and the wall time of the run.
author:
  - The continuum.edge maintainers (@continuum-edge)
requirements:
  - enabled in the configuration, for example by C(callbacks_enabled = continuum.edge.progress)
options:
  long_task:
    description: A task that takes longer than this many seconds gets a line with the time that it took.
    type: float
    default: 10
    env:
      - name: CONTINUUM_EDGE_PROGRESS_LONG_TASK
    ini:
      - section: callback_progress
        key: long_task
  still_running:
    description: Seconds of silence after which a line says that the task is still running.
    type: float
    default: 30
    env:
      - name: CONTINUUM_EDGE_PROGRESS_STILL_RUNNING
    ini:
      - section: callback_progress
        key: still_running
"""

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

from ansible_collections.continuum.edge.plugins.module_utils.progress import VARIABLE

POLL_SECONDS = 0.2
COLUMNS = ("component", "status", "where", "note")


def duration(seconds: float) -> str:
    """A time as people say it: 9 s, 1 min 12 s, 1 h 2 min."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def summary(rows: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
    """The rows as an aligned table, with their hosts where there are several. A component that reports twice for one
    place shows its last word."""
    last = {(host, row.get("component"), row.get("where")): {**row, "host": host} for host, row in rows}
    if not last:
        return []
    columns = COLUMNS if len({row["host"] for row in last.values()}) == 1 else ("host", *COLUMNS)
    cells = [[column.upper() for column in columns]]
    cells += [[str(row.get(column) or "") for column in columns] for row in last.values()]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "continuum.edge.progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._started = time.monotonic()
        self._playbooks = 0
        self._path = ""
        self._offset = 0
        self._rows: list[tuple[str, Mapping[str, Any]]] = []
        self._lock = threading.Lock()
        self._task: str | None = None
        self._task_started = self._last_line = self._started
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()

    def _say(self, text: str, color: str | None = constants.COLOR_VERBOSE) -> None:
        self._display.display(text, color=color)
        # Nothing else flushes the output: a pipeline's log would show a line only when the buffer is full.
        sys.stdout.flush()

    # Tailing the file of the modules

    def _start(self) -> None:
        # Ansible's own temporary directory goes with the process, however that ends.
        descriptor, self._path = tempfile.mkstemp(prefix="progress-", dir=constants.DEFAULT_LOCAL_TMP)
        os.close(descriptor)
        os.environ[VARIABLE] = self._path
        self._thread = threading.Thread(target=self._follow, name="continuum.edge.progress", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            with self._lock:
                self._print_new_lines()
                if self._task and time.monotonic() - self._last_line > self.get_option("still_running"):
                    self._print_line("still running")

    def _print_new_lines(self) -> None:
        try:
            with open(self._path, "rb") as file:  # noqa: PTH123 - a plain open, five times a second
                file.seek(self._offset)
                text = file.read()
        except OSError:
            return
        complete = text[: text.rfind(b"\n") + 1]
        self._offset += len(complete)
        for line in complete.decode("utf-8", "replace").splitlines():
            self._print_line(line)

    def _print_line(self, line: str) -> None:
        self._last_line = time.monotonic()
        self._say(f"  {duration(self._last_line - self._task_started):>10}  {line}")

    def _end_task(self) -> None:
        with self._lock:
            self._print_new_lines()
            self._task = None

    def _result(self, result: Any) -> None:
        took = time.monotonic() - self._task_started
        with self._lock:
            self._print_new_lines()
            if took > self.get_option("long_task"):
                self._say(f"  {duration(took):>10}  took this long on {result.host.get_name()}")

    def _begin_task(self, task: Any) -> None:
        self._end_task()
        with self._lock:
            self._task = task.get_name().strip()
            self._task_started = self._last_line = time.monotonic()

    # Ansible's events

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002
        self._playbooks += 1
        if self._thread is None:
            self._start()

    def v2_playbook_on_play_start(self, play: Any) -> None:  # noqa: ARG002
        self._end_task()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        self._begin_task(task)

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        self._begin_task(task)

    def v2_runner_on_ok(self, result: Any) -> None:
        self._result(result)
        told = (result.result.get("ansible_stats") or {}).get("data") or {}
        self._rows += [(result.host.get_name(), row) for row in told.get("continuum_summary") or ()]

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ARG002
        self._result(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._result(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._end_task()
        wanted = len(context.CLIARGS.get("args") or ())
        if self._playbooks < wanted and not (stats.failures or stats.dark):
            return  # more playbooks follow; the table comes once, at the end
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        for line in summary(self._rows):
            self._say(line, color=None)
        self._say(f"\nTook {duration(time.monotonic() - self._started)}", color=None)
