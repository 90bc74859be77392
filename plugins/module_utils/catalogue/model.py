# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""What a catalogue entry is, and what a site can set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from string import Template

from . import counted

RECORD_NAME = re.compile(r"[a-z_][a-z0-9_]*:[a-z_][a-z0-9_]*:[a-z_][a-z0-9_]*")
ALERT_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
DURATION = re.compile(r"(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")

# platform: the API server, the cluster DNS and the scrape targets, for the dashboards.
CATEGORIES = ("cpu", "memory", "network", "storage", "node", "application", "platform")
UNITS = (
    "bytes",
    "bytes/s",
    "celsius",
    "cores",
    "count",
    "info",
    "operations/s",
    "packets/s",
    "percent",
    "ratio",
    "requests/s",
    "seconds",
    "timestamp",
    "watts",
)
# total: it grows as long as what it counts lives.
TYPES = ("count", "gauge", "info", "percent", "quantile", "rate", "ratio", "state", "total")
# Why an entry is there: printed by D3.2 (see reference.py), named by it as a candidate, required but left unimplemented
# by it, or needed by other entries and by the dashboards.
ORIGINS = ("source", "candidate", "requirement", "support")


class CatalogueError(Exception):
    """Something a caller must put right; the text says what was found, what was expected and what to do."""


@dataclass(frozen=True)
class Metric:
    """One recorded metric. `expr` is a template: $cadvisor and its like are selectors, $cluster is a label's name."""

    name: str
    category: str
    unit: str
    type: str
    meaning: str
    expr: str
    origin: str = "support"
    source: tuple[str, ...] = ()
    difference: str = ""
    # Why a healthy cluster may have no series of it; empty where that is a fault.
    absent: str = ""
    warning: float | None = None
    critical: float | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    # Whether somebody acts on it and does not wait: it is recorded often, and of the present.
    prompt: bool = False

    @property
    def level(self) -> str:
        return self.name.split(":", 1)[0]


@dataclass(frozen=True)
class Alert:
    """One alert, with what the person who receives it needs."""

    name: str
    category: str
    level: str
    severity: str
    hold: str
    expr: str
    summary: str
    description: str
    runbook: str


@dataclass(frozen=True)
class Exporter:
    """Where series come from. `name` is the job; `selector` picks its series."""

    name: str
    selector: str
    feeds: str

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")


EXPORTERS: tuple[Exporter, ...] = (
    Exporter(
        "cadvisor", 'job="cadvisor"', "containers, cgroups and pod networks, from the kubelet's /metrics/cadvisor"
    ),
    Exporter("kubelet", 'job="kubelet"', "volumes, from the kubelet's /metrics"),
    Exporter("probes", 'job="probes"', "the kubelet's own probes of containers, from its /metrics/probes"),
    Exporter("kube-state-metrics", 'job="kube-state-metrics"', "the state of the API's objects"),
    Exporter("node-exporter", 'job="node-exporter"', "the machine below a node"),
    Exporter("apiserver", 'job="apiserver"', "the API server's own metrics"),
    Exporter("coredns", 'job="coredns"', "the cluster DNS' own metrics"),
    Exporter("prometheus", 'job="prometheus"', "Prometheus itself: its rules, its store and what it sends"),
    Exporter("alertmanager", 'job=~".+"', "what Alertmanager delivers, where it is installed"),
    Exporter("pushgateway", 'job=~".+"', "what short jobs pushed, under the job that they gave"),
    Exporter("applications", 'job=~".+"', "applications that expose a request duration histogram"),
    Exporter("compss", 'job=~".+"', "the monitoring API of COMPSs applications, port 15000"),
    Exporter("blackbox", 'job=~".+"', "probes from outside, by the blackbox exporter"),
    Exporter("dcgm", 'job=~".+"', "NVIDIA GPUs, by the DCGM exporter"),
    Exporter("scaphandre", 'job=~".+"', "electric power, by Scaphandre"),
)


def seconds(duration: str, what: str) -> int:
    """The length of a Prometheus duration such as 90s or 1h30m."""
    match = DURATION.fullmatch(duration)
    total = (
        sum(int(n or 0) * size for n, size in zip(match.groups(), (86400, 3600, 60, 1), strict=True)) if match else 0
    )
    if not total:
        raise CatalogueError(f"{what} is {duration!r}; expected a duration above zero such as 30s, 2m or 1h30m")
    return total


def quoted(value: str) -> str:
    """The inside of a PromQL string."""
    return value.replace("\\", "\\\\").replace('"', '\\"')


@dataclass(frozen=True)
class Configuration:
    """What differs from site to site; the expressions name none of it."""

    selectors: Mapping[str, str] = field(default_factory=dict)
    cluster_label: str = "cluster"
    interval: str = "30s"
    prompt_interval: str = "5s"
    scrape_interval: str = "30s"
    rate_window: str = "2m"
    trend_window: str = "1h"
    # How long a site is missed that sends nothing any more.
    silent_window: str = "1d"
    # How far in the past the rules are evaluated. Samples that carry their exporter's own, older time are all there
    # then; without them at the end of its window a rate reads too low.
    query_offset: str = ""
    # The cgroups that together are a node, as a regular expression over cAdvisor's id. Nodes that share a machine
    # each name their own here: "/" is the whole machine on every one of them.
    node_cgroup: str = "/"
    # The cgroups of system services: units of systemd below slices, on cgroup version 1 and 2. A unit within another
    # one's cgroup, such as a user's or a container's, counts in that one. Hosts without systemd name theirs, or none.
    service_cgroup: str = "(/[^/]+[.]slice)+/[^/]+[.]service"
    # What "100 %" of a node is. Nodes that share a machine all report its whole capacity; there, allocatable, which is
    # capacity less what the kubelet was told to reserve, is the node's own part.
    node_size: str = "capacity"
    # How the nodes' sizes make the cluster's: their sum, or the largest where all stand on one undivided machine.
    cluster_size: str = "sum"
    # Interfaces, disks and file systems that show bytes which another one counts already; see counted.py.
    virtual_interfaces: str = counted.pattern(counted.INTERFACES)
    virtual_disks: str = counted.pattern(counted.DISKS)
    virtual_filesystems: str = counted.pattern(counted.FILESYSTEMS)
    virtual_filesystem_devices: str = counted.pattern(counted.FILESYSTEM_DEVICES)

    def __post_init__(self) -> None:
        keys = {exporter.key for exporter in EXPORTERS}
        for key, selector in self.selectors.items():
            if key not in keys:
                raise CatalogueError(
                    f"selectors names the exporter {key!r}, which is unknown; expected one of {', '.join(sorted(keys))}"
                )
            if not selector.strip(" ,"):
                raise CatalogueError(f'the selector of {key} is empty; expected label matchers such as job="{key}"')
        if not LABEL_NAME.fullmatch(self.cluster_label) or self.cluster_label.startswith("__"):
            raise CatalogueError(f"cluster_label is {self.cluster_label!r}; expected a label name such as cluster")
        if self.node_size not in ("capacity", "allocatable"):
            raise CatalogueError(f"node_size is {self.node_size!r}; expected capacity or allocatable")
        if self.cluster_size not in ("sum", "max"):
            raise CatalogueError(f"cluster_size is {self.cluster_size!r}; expected sum or max")
        seconds(self.interval, "interval")
        seconds(self.prompt_interval, "prompt_interval")
        seconds(self.trend_window, "trend_window")
        seconds(self.silent_window, "silent_window")
        if self.query_offset:
            seconds(self.query_offset, "query_offset")
        scrape, window = seconds(self.scrape_interval, "scrape_interval"), seconds(self.rate_window, "rate_window")
        if window < 4 * scrape:
            raise CatalogueError(
                f"rate_window {self.rate_window} is shorter than four scrape intervals of {self.scrape_interval}: "
                f"a rate would have gaps after one missed scrape; set it to {4 * scrape}s or more"
            )
        for pattern in (item.name for item in fields(self) if item.name.endswith("_cgroup") or "virtual_" in item.name):
            value = getattr(self, pattern)
            try:
                re.compile(value)
            except re.error as error:
                raise CatalogueError(f"{pattern} is {value!r}, which is no regular expression: {error}") from error
            if not value:
                raise CatalogueError(f"{pattern} is empty; expected a regular expression")

    def substitutions(self) -> dict[str, str]:
        """The value of every $placeholder."""
        values = {item.name: quoted(str(getattr(self, item.name))) for item in fields(self) if item.name != "selectors"}
        values["cluster"] = values.pop("cluster_label")
        values["window"] = values.pop("rate_window")
        values["trend"] = values.pop("trend_window")
        values["silent"] = values.pop("silent_window")
        return {
            **values,
            **{exporter.key: self.selectors.get(exporter.key, exporter.selector) for exporter in EXPORTERS},
        }


def fill(text: str, values: Mapping[str, str]) -> str:
    """Put the values into a template; the caller adds the entry's name to the error."""
    try:
        return Template(text).substitute(values)
    except KeyError as error:
        raise CatalogueError(
            f"placeholder ${error.args[0]} is unknown; expected one of ${', $'.join(sorted(values))}"
        ) from error
    except ValueError as error:
        raise CatalogueError(f"a $ stands alone; write $$ for a plain $ ({error})") from error
