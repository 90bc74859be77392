# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Alerts that belong to the catalogue. Each tells the person who gets it what to look at first."""

from __future__ import annotations

from ..model import Alert

ALERTS = (
    Alert(
        name="NodeDown",
        category="node",
        level="node",
        severity="critical",
        hold="2m",
        expr="node:ready:max == 0",
        summary="Node {{ $labels.node }} is not Ready.",
        description=(
            "The API has not heard from the kubelet of node {{ $labels.node }}, or the kubelet says that it cannot run "
            "pods. Its pods are started elsewhere where they can be."
        ),
        runbook=(
            "kubectl describe node shows the condition and its reason. No heartbeat: is the machine up and reachable, "
            "do the kubelet and containerd run? A pressure condition: free memory, disk or process ids. A virtual node "
            "whose wall time is spent goes this way too, and is meant to."
        ),
    ),
    Alert(
        name="DiskFullSoon",
        category="storage",
        level="filesystem",
        severity="warning",
        hold="5m",
        expr=(
            "filesystem:time_to_full_seconds:min < 4 * 3600 and on ($cluster, node, device, mountpoint) "
            "filesystem:used:ratio > 0.5"
        ),
        summary="{{ $labels.mountpoint }} of node {{ $labels.node }} is full in {{ $value | humanizeDuration }}.",
        description=(
            "At the rate of the last hour the file system {{ $labels.device }} at {{ $labels.mountpoint }} of node "
            "{{ $labels.node }} has no space left within four hours. The kubelet evicts pods before that."
        ),
        runbook=(
            "Find what grows: du -xh --max-depth=2 on the mount point; crictl images and the logs under /var/log/pods "
            "are the usual ones. Remove it, or move it to a volume; prune images with crictl rmi --prune."
        ),
    ),
    Alert(
        name="VolumeFullSoon",
        category="storage",
        level="volume",
        severity="warning",
        hold="5m",
        expr=(
            "volume:time_to_full_seconds:min < 4 * 3600 and on ($cluster, namespace, persistentvolumeclaim) "
            "volume:used:ratio > 0.5"
        ),
        summary=(
            "Volume {{ $labels.persistentvolumeclaim }} of namespace {{ $labels.namespace }} is full in "
            "{{ $value | humanizeDuration }}."
        ),
        description=(
            "At the rate of the last hour the claim {{ $labels.persistentvolumeclaim }} of namespace "
            "{{ $labels.namespace }} has no space left within four hours. What writes to it will fail."
        ),
        runbook=(
            "Remove what is not needed, or enlarge the claim (spec.resources.requests.storage) where its storage class "
            "allows expansion. Prometheus' own volume: lower the retention."
        ),
    ),
    Alert(
        name="TargetMissing",
        category="platform",
        level="job",
        severity="warning",
        hold="5m",
        expr="up == 0",
        summary="{{ $labels.job }} on {{ $labels.instance }} does not answer Prometheus.",
        description=(
            "Prometheus knows the target {{ $labels.instance }} of job {{ $labels.job }} and cannot scrape it. What it "
            "feeds is missing from records and dashboards."
        ),
        runbook=(
            "Prometheus' page /targets shows the error of the last scrape. Refused or timed out: does the pod run, "
            "does a NetworkPolicy stand between? 401 or 403: the service account's rights."
        ),
    ),
    Alert(
        name="ExporterMissing",
        category="platform",
        level="job",
        severity="critical",
        hold="10m",
        expr=(
            "absent(up{$cadvisor}) or absent(up{$kubelet}) or absent(up{$kube_state_metrics}) or "
            "absent(up{$node_exporter})"
        ),
        summary="Prometheus has no target at all for {{ $labels.job }}.",
        description=(
            "Discovery finds no {{ $labels.job }}: the catalogue's records that it feeds are empty, and alerts that "
            "read them cannot fire."
        ),
        runbook=(
            "Is the exporter installed (kubectl get pods -A)? Does Prometheus' page /service-discovery list it as "
            "dropped? Then its labels or port differ from what the scrape job selects."
        ),
    ),
    Alert(
        name="ServiceWithoutEndpoints",
        category="application",
        level="service",
        severity="warning",
        hold="5m",
        expr="service:endpoints_ready:count == 0",
        summary="Service {{ $labels.service }} of namespace {{ $labels.namespace }} has no ready endpoint.",
        description=(
            "Every connection to service {{ $labels.service }} of namespace {{ $labels.namespace }} is refused: no pod "
            "that it selects is ready."
        ),
        runbook=(
            "kubectl get endpointslices and pods with the service's selector. No pod: is the selector right, is the "
            "application scaled to zero? Pods that are not ready: kubectl describe pod tells which probe fails."
        ),
    ),
    Alert(
        name="DeadlinesMissed",
        category="application",
        level="compss_application",
        severity="warning",
        hold="0s",
        expr="compss_application:deadlines_missed:sum > 0",
        summary="COMPSs application {{ $labels.application }} has missed {{ $value }} deadlines.",
        description=(
            "{{ $value }} executions of the COMPSs application {{ $labels.application }} in namespace "
            "{{ $labels.namespace }} took longer than their deadline."
        ),
        runbook=(
            "compss_task:deadlines_missed:max names the tasks. All workers busy "
            "(compss_application:computing_units_used:ratio near 1): add workers. One worker slow "
            "(compss_worker:duration_seconds:mean): look at its node. Else the deadline is too short for the data."
        ),
    ),
    Alert(
        name="RecordOut",
        category="platform",
        level="node",
        severity="warning",
        hold="15m",
        expr="node:record_gaps:count > 0",
        summary="{{ $labels.record }} is out on node {{ $labels.node }}: {{ $value }} missing or counted twice.",
        description=(
            "The API says that node {{ $labels.node }} has more, or less, than {{ $labels.record }} counts there. Sums "
            "over it, and what is decided by them, are wrong."
        ),
        runbook=(
            "Is the node scraped (Prometheus' page /targets)? Then its exporter names things otherwise: compare its "
            "series with docs/metrics.md, What counts once, and set the option that fits (virtual_interfaces, "
            "virtual_disks, node_cgroup, …). A runtime that shows pods only has no records of containers."
        ),
    ),
)
