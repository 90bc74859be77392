# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""docs/metrics.md, written from the catalogue."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from . import counted
from .data import COMPSS_SERIES
from .info import information
from .model import EXPORTERS, Configuration
from .rules import Catalogue

COMMAND = "python -m ansible_collections.continuum.edge.plugins.module_utils.catalogue.reference docs/metrics.md"
TITLES = {
    "cpu": "CPU",
    "memory": "Memory",
    "network": "Network",
    "storage": "Storage",
    "node": "Nodes",
    "application": "Applications",
    "platform": "Platform",
}
ORIGINS = {
    "source": "a metric of D3.2",
    "candidate": "a candidate of D3.2",
    "requirement": "a requirement that D3.2 left unimplemented",
    "support": "needed by other records or by the dashboards",
}
INTRODUCTION = f"""\
<!-- Generated: PYTHONPATH=collections {COMMAND} -->
# Metric reference

Every metric that `continuum.edge` records. Dashboards read these records and never the raw series; alerts read a record
where there is one.
`continuum.edge.recording_rules` renders them for the Prometheus that is installed;
`continuum.edge.recording_rules_info` returns what stands here as data.

Many of them were asked for, with queries for the cAdvisor of their day, by deliverable D3.2 of the project EXTRACT
(2024) and by the school of the project ELIXIRION (2025), which uses it. D3.2 stands for both below.

## How to read it

- A name is `level:metric:operations`. The level says by which labels the series are told apart; every record has the
  cluster's label, `cluster`, too.
- Units are base units: bytes, seconds, cores (1 is 100 % of one core), ratios from 0 to 1. Percent stands only where
  D3.2 defines the metric so.
- A ratio of many is the sum above the line over the sum below it, never a mean of ratios.
- Expressions are shown with the default configuration. Selectors, the cluster's label, the windows and what is a node's
  own cgroup are options of the module.
- What reads a record is evaluated after it in the same group, so that it never lags behind. What somebody acts on
  is in a group that is evaluated more often (`prompt_interval`), and of the present.
- *May be absent* tells why a healthy cluster can have no series of a metric. Where that is missing, no series is a
  fault.

## Nodes that share one machine

cAdvisor's root cgroup `/`, `machine_cpu_cores`, `machine_memory_bytes` and all of node-exporter describe the machine.
Where several nodes share one (the embedded cluster, kind, minikube), each of them shows the whole machine, and a sum
over nodes counts it several times. So:

- What a node uses is read from its own cgroups. `node_cgroup` names them; on the embedded cluster
  `/edge/[^/]+/(kubepods|system)`.
- What a node has is read from the API, not from the machine. `node_size: capacity` is right for a node that has its
  machine for itself; nodes that share one report its whole capacity, and `node_size: allocatable`, which is capacity
  less the kubelet's reservations, is their own part.
- Where the machine is not divided by such reservations, each node can use all of it, and all nodes together no more:
  `cluster_size: max` makes 100 % of the cluster that machine. So does the embedded cluster.
- `node:host_*`, `node:disk_*` and `filesystem:*` are the machine's all the same. Do not add them up over such nodes.
  Network is the node's own, as each node has its own interfaces.
"""


COUNTED_ONCE = """\
## What counts once

Which interfaces, disks and file systems are a node's own is one rule each. The kernel shows a byte again on what only
passes it on; what has one of the names below is left out. A bond's members count and the bond does not, and so do the
members of a RAID: what is counted is what goes over a wire or to a disk. A device that is mounted at several places
counts once in `node:filesystem_*`, and so does the free space that the datasets of a ZFS pool share. Each rule is an
option of `recording_rules` (`prometheus_recording_rules` in an inventory): set it where a host names things otherwise.
"""


def counted_once() -> str:
    """The rules of what is a node's own, in words and names."""
    parts = [COUNTED_ONCE]
    for title, option, kinds in (
        ("Interfaces", "virtual_interfaces", counted.INTERFACES),
        ("Disks", "virtual_disks", counted.DISKS),
        ("File systems, by type", "virtual_filesystems", counted.FILESYSTEMS),
        ("File systems, by device", "virtual_filesystem_devices", counted.FILESYSTEM_DEVICES),
    ):
        rows = [[words, f"`{expression}`"] for words, expression in kinds]
        parts.append(table([f"{title} (`{option}`) that are left out", "Names"], rows))
    return "\n".join(parts)


def text(value: float) -> str:
    return f"{value:g}"


def section(metric: dict[str, Any]) -> str:
    lines = [f"#### `{metric['name']}`", "", metric["meaning"], ""]
    facts = [
        f"Unit: {metric['unit']}",
        f"type: {metric['type']}",
        f"origin: {ORIGINS[metric['origin']]}",
    ]
    facts.append(f"labels: {', '.join(metric['label_names'])}")
    if metric["exporters"]:
        facts.append(f"fed by: {', '.join(sorted(metric['exporters']))}")
    for threshold in ("warning", "critical"):
        if metric[threshold] is not None:
            facts.append(f"{threshold}: {text(metric[threshold])}")
    lines += ["; ".join(facts) + ".", "", "```promql", metric["expr"], "```", ""]
    if metric["source"]:
        lines += ["The query of D3.2:", "", "```promql", *metric["source"], "```", ""]
    if metric["difference"]:
        lines += [f"{'Why ours differs' if metric['source'] else 'Why so'}: {metric['difference']}", ""]
    if metric["absent"]:
        lines += [f"May be absent: {metric['absent']}.", ""]
    return "\n".join(lines)


def table(header: list[str], rows: list[list[str]]) -> str:
    cells = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells) + "\n"


def reference() -> str:
    """The whole document."""
    catalogue = Catalogue()
    facts = information(catalogue)
    position = {name: index for index, name in enumerate(catalogue.entries)}
    metrics = sorted(facts["metrics"], key=lambda metric: position[metric["name"]])
    parts = [INTRODUCTION, counted_once()]
    for category, title in TITLES.items():
        mine = [metric for metric in metrics if metric["category"] == category]
        parts.append(f"## {title}\n")
        levels = list(dict.fromkeys(metric["level"] for metric in mine))
        rows = [[f"`{m['name']}`", m["unit"], m["meaning"]] for m in mine]
        parts.append(table(["Record", "Unit", "Meaning"], rows))
        for level in levels:
            parts.append(f"### {title}: {level}\n")
            parts += [section(metric) for metric in mine if metric["level"] == level]
    parts.append("## Alerts\n")
    for alert in facts["alert_rules"]:
        parts.append(
            f"### {alert['name']}\n\n{alert['description'].replace('{{ $labels.', '<').replace(' }}', '>')}\n\n"
            f"Severity: {alert['severity']}; held for: {alert['hold']}.\n\n```promql\n{alert['expr']}\n```\n\n"
            f"**What to do.** {alert['runbook']}\n"
        )
    parts.append("## Exporters\n\nWhat a Prometheus that keeps only what is read must keep, by scrape job.\n")
    feeds = {exporter.name: exporter for exporter in EXPORTERS}
    for name, series in facts["series"].items():
        names = ", ".join(f"`{one}`" for one in series)
        parts.append(
            f"### {name}\n\n{feeds[name].feeds[0].upper()}{feeds[name].feeds[1:]}."
            f" Selector: `{feeds[name].selector}`.\n\n{names}\n"
        )
    parts.append(
        "## Series of COMPSs applications\n\nWhat the monitoring API of an application exposes, and what it pushes."
        " Scraping adds `cluster`, `namespace` and `pod`; a push groups by `job`, `namespace` and `application`.\n"
    )
    parts.append(
        table(
            ["Series", "Type", "Labels", "Meaning"],
            [[f"`{name}`", kind, ", ".join(labels), meaning] for name, kind, labels, meaning in COMPSS_SERIES],
        )
    )
    parts.append("## Configuration\n\nThe defaults, which `continuum.edge.recording_rules` documents:\n")
    values = Configuration()
    parts.append(
        table(
            ["Option", "Default"],
            [[f"`{name}`", f"`{value}`"] for name, value in vars(values).items() if isinstance(value, str)],
        )
    )
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
