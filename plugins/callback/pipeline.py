# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Writes what a run would change, or what became of each site, for the people and the programs of a pipeline."""

from __future__ import annotations

DOCUMENTATION = """
name: pipeline
type: aggregate
short_description: Write what a run would change, or what became of each site, to files
version_added: 0.1.0
description:
  - Where O(plan) is set, a run with C(--check) ends with two files, O(plan) with C(.md) and with C(.json) behind it.
    They tell of each site which objects would come, change or go, and with C(--diff) how.
  - Where O(results) is set, a run without C(--check) ends with a file C(<site>.json) for each site,
    those that it did not reach among them.
  - What a task hides (C(no_log)), and data of Secrets, are in neither of them.
author:
  - The continuum.edge maintainers (@continuum-edge)
requirements:
  - enabled in the configuration, for example by C(callbacks_enabled = continuum.edge.pipeline)
options:
  plan:
    description: Path of the two files without their endings. Empty writes none.
    type: str
    default: ""
    env:
      - name: CONTINUUM_PLAN
    ini:
      - section: callback_pipeline
        key: plan
  results:
    description: Folder of the sites' files. Empty writes none.
    type: str
    default: ""
    env:
      - name: CONTINUUM_RESULTS
    ini:
      - section: callback_pipeline
        key: results
"""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase

from ansible_collections.continuum.edge.plugins.module_utils.helm import hidden

Change = dict[str, str]
ABSENT = " (absent)"


def changes(task: str, result: Mapping[str, Any]) -> Iterator[Change]:
    """What one result would change: ``change`` (added, changed, removed), ``object``, ``task`` and ``diff``."""
    if result.get("_ansible_no_log"):
        yield {"change": "changed", "object": "hidden", "task": task, "diff": ""}
        return
    given = result.get("diff") or []
    shown = [_shown(each, _object(result)) for each in ([given] if isinstance(given, Mapping) else given)]
    shown = [each for each in shown if each]
    if not shown and isinstance(result.get("objects"), Mapping):
        objects = ((kind, name) for kind, names in result["objects"].items() for name in names)
        shown = [{"change": kind, "object": name, "diff": ""} for kind, name in objects]
    for each in shown or [{"change": "changed", "object": _object(result) or task, "diff": ""}]:
        yield {**each, "task": task}


def _object(result: Mapping[str, Any]) -> str:
    """The object of Kubernetes, or the file, that a result is about."""
    item = result.get("result")
    if isinstance(item, Mapping) and item.get("kind"):
        metadata = item.get("metadata") or {}
        place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
        return f"{item['kind']} {place}{metadata.get('name', '')}"
    return str(result.get("path") or result.get("dest") or "")


def _shown(diff: Mapping[str, Any], name: str) -> Change:
    """One difference as Ansible has it; empty where it tells nothing."""
    if diff.get("prepared"):
        return {"change": "changed", "object": name, "diff": str(diff["prepared"])}
    before, after = diff.get("before"), diff.get("after")
    if isinstance(before, Mapping) or isinstance(after, Mapping):
        before, after = (_text(each) for each in hidden(dict(before or {}), dict(after or {})))
    first, last = str(diff.get("before_header") or name), str(diff.get("after_header") or name)
    lines = difflib.unified_diff(
        str(before or "").splitlines(), str(after or "").splitlines(), first, last, lineterm=""
    )
    text = "\n".join(lines)
    if not text and first == last:
        return {}
    new, gone = first.endswith(ABSENT) or not before, last.endswith(ABSENT) or not after
    kind = "added" if new else "removed" if gone else "changed"
    return {"change": kind, "object": (last if kind == "added" else first).removesuffix(ABSENT), "diff": text}


def _text(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, default=str) if value else ""


def markdown(plan: Mapping[str, Any]) -> str:
    """The plan as text for a merge request."""
    lines = ["# Plan", ""]
    if plan["failed"]:
        lines += [f"**Incomplete**: the run failed at {', '.join(plan['failed'])}.", ""]
    for site, entries in plan["sites"].items():
        lines += [f"## {site}", ""]
        if not entries:
            lines += ["The run failed before any change." if site in plan["failed"] else "Nothing changes.", ""]
            continue
        lines += ["| change | object | by |", "|---|---|---|"]
        lines += [f"| {each['change']} | `{each['object']}` | {each['task'].replace('|', '/')} |" for each in entries]
        lines.append("")
        for each in entries:
            if each["diff"]:
                # No text of an object ends the block: its fence is longer than any in it.
                fence = "`" * max(3, 1 + max(map(len, re.findall("`+", each["diff"])), default=0))
                title = f"<summary>{each['change']} {each['object']}</summary>"
                lines += ["<details>", title, "", f"{fence}diff", each["diff"], fence, "", "</details>", ""]
    return "\n".join(lines)


def outcome(site: str, stats: Any, rows: list[Mapping[str, Any]], failure: str) -> dict[str, Any]:
    """What became of a site: ``status`` is ok, failed, unreachable or not reached."""
    status = (
        "unreachable"
        if site in stats.dark
        else "failed"
        if site in stats.failures
        else "ok"
        if site in stats.processed
        else "not reached"
    )
    return {
        "site": site,
        "status": status,
        "changed": stats.changed.get(site, 0),
        # What failed and was rescued is no failure of the site.
        "failure": failure if status in ("failed", "unreachable") else "",
        "components": rows,
    }


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "continuum.edge.pipeline"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._changes: dict[str, list[Change]] = {}
        self._rows: dict[str, list[Mapping[str, Any]]] = {}
        self._failures: dict[str, str] = {}
        self._sites: list[str] = []

    def _path(self, option: str) -> Path | None:
        """Where the run writes it; None where it does not."""
        wanted = self.get_option(option) and bool(context.CLIARGS.get("check")) == (option == "plan")
        return Path(self.get_option(option)).expanduser() if wanted else None

    def v2_playbook_on_play_start(self, play: Any) -> None:
        hosts = play.get_variable_manager()._inventory.get_hosts(play.hosts, ignore_restrictions=True)
        self._sites += [host.name for host in hosts if host.name not in self._sites]

    def v2_runner_on_ok(self, result: Any) -> None:
        site, answer = result.host.get_name(), result.result
        stats = (answer.get("ansible_stats") or {}).get("data") or {}
        self._rows.setdefault(site, []).extend(stats.get("continuum_summary") or ())
        if not answer.get("changed") or self._path("plan") is None:
            return
        hide = {"_ansible_no_log": True} if answer.get("_ansible_no_log") else {}
        for each in answer.get("results") or [answer]:
            if each.get("changed"):
                name = result.task.get_name().strip()
                self._changes.setdefault(site, []).extend(changes(name, {**each, **hide}))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            hidden_result = result.result.get("_ansible_no_log")
            message = "hidden" if hidden_result else str(result.result.get("msg", ""))
            self._failures[result.host.get_name()] = f"{result.task.get_name().strip()}: {message}"

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._failures[result.host.get_name()] = str(result.result.get("msg", ""))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        if path := self._path("plan"):
            sites = {site: self._changes.get(site, []) for site in self._sites}
            plan = {"sites": sites, "failed": sorted({*stats.failures, *stats.dark})}
            _write(path.with_name(f"{path.name}.json"), json.dumps(plan, indent=1, default=str) + "\n")
            _write(path.with_name(f"{path.name}.md"), markdown(plan))
            self._display.display(f"The plan is in {path}.md and {path}.json")
        if path := self._path("results"):
            for site in self._sites:
                became = outcome(site, stats, self._rows.get(site, []), self._failures.get(site, ""))
                _write(path / f"{site}.json", json.dumps(became, indent=1, default=str) + "\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
