# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Storage: disk throughput, file systems of nodes, persistent volumes."""

from __future__ import annotations

from collections.abc import Iterator

from ..model import Metric
from .levels import APPLICATION, CONTAINER, LABELS, POD

NO_VOLUME = "no pod mounts a persistent volume whose driver reports statistics"
NO_BLOCK_IO = "no container has used a disk since it started, or the kernel accounts no disk I/O to cgroups"
NO_DISK = "the machine shows no disk of its own"
IN_FLIGHT = (
    "node_disk_io_now counts the requests in flight at the moment of the scrape and is no counter; its rate means "
    "nothing. Throughput is bytes per second, read and written apart."
)
OWN_FILESYSTEM = '$node_exporter, fstype!~"$virtual_filesystems", device!~"$virtual_filesystem_devices"'
TO_FULL = (
    "Hours to full, in seconds as Prometheus counts time: divide by 3600. What is free over how fast it shrinks, by "
    "the straight line through the last $trend (trend_window). A loss below one byte per second counts as one, so that "
    "the value is large, never infinite, where nothing fills."
)


def throughput(verb: str, node_counter: str, container_counter: str) -> Iterator[Metric]:
    def of_pods(matchers: str, labels: str) -> str:
        # A loop device has no name here: what it writes, the disk below writes.
        return f"""\
sum by ({LABELS["pod"]}) (
  max by ({LABELS["pod"]}, {labels}) (
    rate({container_counter}{{$cadvisor, {matchers}, device!~"|(/dev/)?($virtual_disks)"}}[$window])
  )
)"""

    yield Metric(
        name=f"node:disk_{verb}_bytes:rate",
        category="storage",
        unit="bytes/s",
        type="rate",
        meaning=f"Bytes per second {verb} on a node's disks.",
        expr=f"""\
sum by ($cluster, node) (
  max by ($cluster, node, device) (rate({node_counter}{{$node_exporter, device!~"$virtual_disks"}}[$window]))
)""",
        origin="source",
        source=("sum(rate(node_disk_io_now{}[$__rate_interval])) by (node)",),
        difference=IN_FLIGHT
        + " Partitions, device mapper, RAID and loop devices are left out: the disks below count the same bytes; see "
        "What counts once.",
        absent=NO_DISK,
    )
    yield Metric(
        name=f"pod:disk_{verb}_bytes:rate",
        category="storage",
        unit="bytes/s",
        type="rate",
        meaning=f"Bytes per second {verb} on disks by the containers of a pod.",
        expr=of_pods(CONTAINER, "id, device") + "\nor\n" + of_pods(POD, "device"),
        difference=(
            "The block I/O that the kernel accounts to the container's cgroup. cgroup v2 accounts buffered writes to "
            "the writer, cgroup v1 only direct and synchronous ones, and under recent kernels (seen with 6.18) only on "
            "a disk for which some cgroup has a throttle limit, however high. Network file systems and tmpfs are never "
            "counted. Where the runtime shows no containers, what the pod's cgroup tells."
        ),
        absent=NO_BLOCK_IO,
    )
    yield Metric(
        name=f"namespace:disk_{verb}_bytes:rate",
        category="storage",
        unit="bytes/s",
        type="rate",
        meaning=f"Bytes per second {verb} on disks by the pods of a namespace.",
        expr=f"sum by ($cluster, namespace) (pod:disk_{verb}_bytes:rate)",
        origin="source",
        source=("sum(rate(node_disk_io_now{}[$__rate_interval])) by (namespace)",),
        difference=(
            IN_FLIGHT
            + " node-exporter knows no namespace; the kubelet does. Which drivers and writes are counted: see "
            f"pod:disk_{verb}_bytes:rate."
        ),
        absent=NO_BLOCK_IO,
    )


METRICS = (
    *throughput("read", "node_disk_read_bytes_total", "container_fs_reads_bytes_total"),
    *throughput("written", "node_disk_written_bytes_total", "container_fs_writes_bytes_total"),
    Metric(
        name="node:disk_busy:ratio",
        category="storage",
        unit="ratio",
        type="ratio",
        meaning="Share of the time in which a node's busiest disk had work.",
        expr="""\
max by ($cluster, node) (
  rate(node_disk_io_time_seconds_total{$node_exporter, device!~"$virtual_disks"}[$window])
)""",
        absent=NO_DISK,
        warning=0.8,
        critical=0.95,
    ),
    Metric(
        name="filesystem:size_bytes:max",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Size of a node's file system.",
        expr=f"""\
max by ($cluster, node, device, mountpoint) (
  node_filesystem_size_bytes{{{OWN_FILESYSTEM}}}
) > 0""",
        origin="source",
        difference="Named by D3.2 as pending. Which file systems are the node's own: see What counts once.",
    ),
    Metric(
        name="filesystem:available_bytes:min",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Space of a node's file system that programs without privilege can still use.",
        expr=f"""\
min by ($cluster, node, device, mountpoint) (
  node_filesystem_avail_bytes{{{OWN_FILESYSTEM}}}
)""",
        origin="candidate",
    ),
    Metric(
        name="filesystem:used_bytes:max",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Space of a node's file system that is used or kept back.",
        expr="filesystem:size_bytes:max - filesystem:available_bytes:min",
        origin="source",
    ),
    Metric(
        name="filesystem:used:ratio",
        category="storage",
        unit="ratio",
        type="ratio",
        meaning="Share of a node's file system in use.",
        expr="filesystem:used_bytes:max / filesystem:size_bytes:max",
        origin="source",
        warning=0.8,
        critical=0.9,
    ),
    Metric(
        name="filesystem:available:ratio",
        category="storage",
        unit="ratio",
        type="ratio",
        meaning="Share of a node's file system that is available.",
        expr="filesystem:available_bytes:min / filesystem:size_bytes:max",
        origin="candidate",
    ),
    Metric(
        name="filesystem:time_to_full_seconds:min",
        category="storage",
        unit="seconds",
        type="gauge",
        meaning="Time until a node's file system is full at the present rate (hours to full).",
        expr=f"""\
min by ($cluster, node, device, mountpoint) (
  node_filesystem_avail_bytes{{{OWN_FILESYSTEM}}}
  / clamp_min(-deriv(node_filesystem_avail_bytes{{{OWN_FILESYSTEM}}}[$trend]), 1)
)""",
        origin="candidate",
        difference=TO_FULL.replace("$trend ", "hour "),
    ),
    Metric(
        name="node:filesystem_available_bytes:sum",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Available space of all file systems of a node; what is mounted twice counts once.",
        # pool/dataset of ZFS becomes the pool: its datasets all show the same free space.
        expr="""\
sum by ($cluster, node) (
  min by ($cluster, node, device) (
    label_replace(filesystem:available_bytes:min, "device", "$$1", "device", "([^/:]+)/.+")
  )
)""",
        origin="candidate",
    ),
    Metric(
        name="node:filesystem_size_bytes:sum",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Size of all file systems of a node; what is mounted twice counts once.",
        expr="""\
node:filesystem_available_bytes:sum
+ sum by ($cluster, node) (max by ($cluster, node, device) (filesystem:used_bytes:max))""",
        origin="source",
        difference="Free space and what each file system uses: the datasets of a ZFS pool share the pool's space.",
    ),
    Metric(
        name="node:filesystem_used:ratio",
        category="storage",
        unit="ratio",
        type="ratio",
        meaning="Share of all file systems of a node in use.",
        expr="1 - node:filesystem_available_bytes:sum / node:filesystem_size_bytes:sum",
        origin="source",
        warning=0.8,
        critical=0.9,
    ),
    Metric(
        name="volume:capacity_bytes:max",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Size of a persistent volume, by its claim.",
        expr="max by ($cluster, namespace, persistentvolumeclaim) (kubelet_volume_stats_capacity_bytes{$kubelet}) > 0",
        origin="source",
        difference="Named by D3.2 as pending. A volume that two nodes mount is reported by both: max.",
        absent=NO_VOLUME,
    ),
    Metric(
        name="volume:available_bytes:min",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Space of a persistent volume that is available.",
        expr="min by ($cluster, namespace, persistentvolumeclaim) (kubelet_volume_stats_available_bytes{$kubelet})",
        origin="candidate",
        absent=NO_VOLUME,
    ),
    Metric(
        name="volume:used_bytes:max",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Space of a persistent volume that is used.",
        expr="max by ($cluster, namespace, persistentvolumeclaim) (kubelet_volume_stats_used_bytes{$kubelet})",
        origin="source",
        absent=NO_VOLUME,
    ),
    Metric(
        name="volume:used:ratio",
        category="storage",
        unit="ratio",
        type="ratio",
        meaning="Share of a persistent volume in use.",
        expr="volume:used_bytes:max / volume:capacity_bytes:max",
        origin="source",
        absent=NO_VOLUME,
        warning=0.8,
        critical=0.9,
    ),
    Metric(
        name="volume:available:ratio",
        category="storage",
        unit="ratio",
        type="ratio",
        meaning="Share of a persistent volume that is available.",
        expr="volume:available_bytes:min / volume:capacity_bytes:max",
        origin="candidate",
        absent=NO_VOLUME,
    ),
    Metric(
        name="volume:time_to_full_seconds:min",
        category="storage",
        unit="seconds",
        type="gauge",
        meaning="Time until a persistent volume is full at the present rate (hours to full).",
        expr="""\
min by ($cluster, namespace, persistentvolumeclaim) (
  kubelet_volume_stats_available_bytes{$kubelet}
  / clamp_min(-deriv(kubelet_volume_stats_available_bytes{$kubelet}[$trend]), 1)
)""",
        origin="candidate",
        difference=TO_FULL.replace("$trend ", "hour "),
        absent=NO_VOLUME,
    ),
    Metric(
        name="namespace:volume_capacity_bytes:sum",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Size of a namespace's mounted persistent volumes.",
        expr="sum by ($cluster, namespace) (volume:capacity_bytes:max)",
        origin="source",
        absent=NO_VOLUME,
    ),
    Metric(
        name="namespace:volume_used_bytes:sum",
        category="storage",
        unit="bytes",
        type="gauge",
        meaning="Space used on a namespace's mounted persistent volumes.",
        expr="sum by ($cluster, namespace) (volume:used_bytes:max)",
        origin="source",
        absent=NO_VOLUME,
    ),
    Metric(
        name="namespace:volume_used:ratio",
        category="storage",
        unit="ratio",
        type="ratio",
        meaning="Share of a namespace's mounted persistent volumes in use.",
        expr="namespace:volume_used_bytes:sum / namespace:volume_capacity_bytes:sum",
        origin="source",
        absent=NO_VOLUME,
        warning=0.8,
        critical=0.9,
    ),
    *(
        Metric(
            name=f"application:volume_{what}_bytes:sum",
            category="storage",
            unit="bytes",
            type="gauge",
            meaning=f"{meaning} an application's pods mount. A volume that two applications mount counts for both.",
            expr=f"""\
sum by ($cluster, namespace, workload, workload_type) (
  max by ($cluster, namespace, workload, workload_type, persistentvolumeclaim) (
    max by ($cluster, namespace, pod, persistentvolumeclaim) (
      kube_pod_spec_volumes_persistentvolumeclaims_info{{$kube_state_metrics}}
    )
    {APPLICATION}
  )
  * on ($cluster, namespace, persistentvolumeclaim) group_left () volume:{what}_bytes:max
)""",
            origin="source",
            absent=NO_VOLUME,
        )
        for what, meaning in (
            ("capacity", "Size of the persistent volumes that"),
            ("used", "Space used on the persistent volumes that"),
        )
    ),
    Metric(
        name="application:volume_used:ratio",
        category="storage",
        unit="ratio",
        type="ratio",
        meaning="Share in use of the persistent volumes that an application's pods mount.",
        expr="application:volume_used_bytes:sum / application:volume_capacity_bytes:sum",
        origin="source",
        absent=NO_VOLUME,
        warning=0.8,
        critical=0.9,
    ),
)
