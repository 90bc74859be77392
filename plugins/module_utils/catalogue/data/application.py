# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""Applications: the workload that owns a pod at the top (Deployment, StatefulSet, DaemonSet, Job, … or the pod)."""

from __future__ import annotations

from textwrap import indent

from ..model import Metric
from . import cpu, memory
from .compute import efficiency, running
from .levels import ACTIVE, APPLICATION, LABELS, once, over, quotient
from .storage import NO_BLOCK_IO

BY_APPLICATION = LABELS["application"]
NO_HISTOGRAM = (
    "no application exposes http_request_duration_seconds or http_server_request_duration_seconds as a histogram"
)
NO_PROBE = "no application exposes a duration histogram and the kubelet's probes are not scraped, or no pod has a probe"
NO_BLACKBOX = "no blackbox exporter probes anything"
NO_REPLICAS = "no Deployment, StatefulSet or DaemonSet wants a pod"


def of_pods(
    metric: str, pod_record: str, category: str, unit: str, kind: str, meaning: str, absent: str = ""
) -> Metric:
    """What an application's pods do together."""
    return Metric(
        name=f"application:{metric}",
        category=category,
        unit=unit,
        type=kind,
        meaning=meaning,
        expr=f"""\
sum by ({BY_APPLICATION}) (
  {pod_record}
  {APPLICATION}
)""",
        origin="requirement",
        absent=absent,
    )


def belongs(owners: str, name: str, kind: str) -> str:
    """The owner as workload and workload_type; the thing itself where it has none."""
    return f"""\
label_replace(label_replace(label_replace(label_replace(
  {owners},
  "workload", "$$1", "{name}", "(.+)"), "workload", "$$1", "owner_name", "([^<].*)"),
  "workload_type", "{kind}", "", ""), "workload_type", "$$1", "owner_kind", "([^<].*)"
)"""


def unique(name: str, expr: str) -> str:
    """One application for each, even while the API still shows an earlier thing of that name."""
    by = f"$cluster, namespace, {name}"
    return f"topk by ({by}) (1,\n  max by ({by}, workload, workload_type) (\n{indent(expr, '    ')}\n  )\n)"


def of_controllers(
    metric: str, operation: str, meaning: str, deployment: str, statefulset: str, daemonset: str
) -> Metric:
    def one(workload_type: str, series: str) -> str:
        kind = workload_type.lower()
        return f"""\
label_replace(
  label_replace(
    max by ($cluster, namespace, {kind}) ({series}{{$kube_state_metrics}}),
    "workload", "$$1", "{kind}", "(.+)"
  ),
  "workload_type", "{workload_type}", "", ""
)"""

    alternatives = "\nor\n".join(
        one(*pair) for pair in (("Deployment", deployment), ("StatefulSet", statefulset), ("DaemonSet", daemonset))
    )
    return Metric(
        name=f"application:{metric}:{operation}",
        category="application",
        unit="count",
        type="count",
        meaning=meaning,
        expr=f"max by ({BY_APPLICATION}) (\n{alternatives}\n)",
        origin="requirement",
        absent=NO_REPLICAS,
    )


def duration_rate(part: str, by: str) -> str:
    """Both conventional names of the histogram: Prometheus' own and OpenTelemetry's."""
    return "\nor\n".join(
        f"""\
sum by ({by}) (
{indent(once(f"rate({name}_{part}{{$applications}}[$window])"), "  ")}
  {APPLICATION}
)"""
        for name in ("http_request_duration_seconds", "http_server_request_duration_seconds")
    )


def probes(part: str) -> str:
    measured = f'rate(prober_probe_duration_seconds_{part}{{$probes, probe_type!="Startup"}}[$window])'
    return over("sum", "application", f"{once(measured)}\n{APPLICATION}")


METRICS = (
    Metric(
        name="pod:active:max",
        category="application",
        unit="count",
        type="state",
        meaning="1 for a pod that is pending or running; nothing for one that has ended.",
        expr="""\
max by ($cluster, namespace, pod) (
  kube_pod_status_phase{$kube_state_metrics, phase=~"Pending|Running"} == 1
)""",
    ),
    Metric(
        name="replicaset:application:info",
        category="application",
        unit="info",
        type="info",
        meaning="1 for each ReplicaSet, with the application that it belongs to: its Deployment, or itself.",
        expr=unique("replicaset", belongs("kube_replicaset_owner{$kube_state_metrics}", "replicaset", "ReplicaSet")),
        absent="there is no Deployment",
    ),
    Metric(
        name="pod:application:info",
        category="application",
        unit="info",
        type="info",
        meaning="1 for each pod, with the application that it belongs to (workload, workload_type).",
        # A pod's application through its ReplicaSet; else its own controller, or itself; else an owner that does not
        # control it. A static pod, which the API says its node controls, is an application of its own.
        expr=unique(
            "pod",
            """\
label_replace(
  kube_pod_owner{$kube_state_metrics, owner_kind="ReplicaSet", owner_is_controller="true"},
  "replicaset", "$$1", "owner_name", "(.+)"
)
* on ($cluster, namespace, replicaset) group_left (workload, workload_type) replicaset:application:info
or on ($cluster, namespace, pod)
"""
            + belongs(
                'kube_pod_owner{$kube_state_metrics, owner_kind!~"ReplicaSet|Node", owner_is_controller!="false"}',
                "pod",
                "Pod",
            )
            + "\nor on ($cluster, namespace, pod)\n"
            + belongs('kube_pod_owner{$kube_state_metrics, owner_is_controller="false"}', "pod", "Pod")
            + """
or on ($cluster, namespace, pod)
label_replace(
  label_replace(kube_pod_owner{$kube_state_metrics, owner_kind="Node"}, "workload", "$$1", "pod", "(.+)"),
  "workload_type", "Pod", "", ""
)""",
        ),
        origin="requirement",
    ),
    *(
        of_pods(
            f"network_{verb}_bytes:rate",
            f"pod:network_{verb}_bytes:rate",
            "network",
            "bytes/s",
            "rate",
            f"Bytes per second that an application {verb}s; host-network pods are left out.",
        )
        for verb in ("receive", "transmit")
    ),
    *(
        of_pods(
            f"disk_{verb}_bytes:rate",
            f"pod:disk_{verb}_bytes:rate",
            "storage",
            "bytes/s",
            "rate",
            f"Bytes per second {verb} on disks by an application.",
            NO_BLOCK_IO,
        )
        for verb in ("read", "written")
    ),
    *efficiency(cpu.USAGE),
    *efficiency(memory.USAGE),
    Metric(
        name="application_node:pods:count",
        category="application",
        unit="count",
        type="count",
        meaning="Workload distribution of an application: its pending and running pods on each node.",
        expr=f"""\
count by ($cluster, node, namespace, workload, workload_type) (
  (
    max by ($cluster, node, namespace, pod) (kube_pod_info{{$kube_state_metrics, node!=""}})
    {ACTIVE}
  )
  {APPLICATION}
)""",
        origin="requirement",
    ),
    Metric(
        name="application:pods:count",
        category="application",
        unit="count",
        type="count",
        meaning="Pods of an application that are pending or running on a node.",
        expr=f"sum by ({BY_APPLICATION}) (application_node:pods:count)",
        origin="requirement",
    ),
    Metric(
        name="application:largest_node_share:ratio",
        category="application",
        unit="ratio",
        type="ratio",
        meaning=(
            "Imbalance of an application: the share of its pods that stand on its fullest node. 1 means that one "
            "node's loss takes all of it."
        ),
        expr=f"max by ({BY_APPLICATION}) (application_node:pods:count) / application:pods:count",
        origin="requirement",
    ),
    of_controllers(
        "replicas_desired",
        "max",
        "Pods that an application wants.",
        "kube_deployment_spec_replicas",
        "kube_statefulset_replicas",
        "kube_daemonset_status_desired_number_scheduled",
    ),
    of_controllers(
        "replicas_available",
        "max",
        "Pods of an application that are available.",
        "kube_deployment_status_replicas_available",
        "kube_statefulset_status_replicas_available",
        "kube_daemonset_status_number_available",
    ),
    of_controllers(
        "generation",
        "max",
        "Generation of an application's description; a change is a deployment.",
        "kube_deployment_metadata_generation",
        "kube_statefulset_metadata_generation",
        "kube_daemonset_metadata_generation",
    ),
    Metric(
        name="application:availability:ratio",
        category="application",
        unit="ratio",
        type="ratio",
        meaning="Application availability: available over wanted pods. An application that wants none has none.",
        expr="application:replicas_available:max / (application:replicas_desired:max > 0)",
        origin="requirement",
        absent=NO_REPLICAS,
    ),
    *(
        Metric(
            name=f"{level}:availability:ratio",
            category="application",
            unit="ratio",
            type="ratio",
            meaning=f"Available over wanted pods of all applications of a {level}.",
            expr=f"""\
sum by ({by}) (application:replicas_available:max)
/ (sum by ({by}) (application:replicas_desired:max) > 0)""",
            origin="requirement",
            absent=NO_REPLICAS,
        )
        for level, by in (("namespace", "$cluster, namespace"), ("cluster", "$cluster"))
    ),
    Metric(
        name="pod:ready:max",
        category="application",
        unit="count",
        type="state",
        meaning="1 for a pod that is ready.",
        expr="""\
max by ($cluster, namespace, pod) (kube_pod_status_ready{$kube_state_metrics, condition="true"})""",
    ),
    Metric(
        name="pod:restarts:increase",
        category="application",
        unit="count",
        type="count",
        meaning="Restarts of a pod's containers over the last hour (trend_window).",
        expr=f"""\
sum by ($cluster, namespace, pod) (
  max by ($cluster, namespace, pod, container) (
{indent(running("increase(kube_pod_%s_status_restarts_total{$kube_state_metrics}[$trend])"), "    ")}
  )
)""",
        origin="requirement",
        warning=1,
        critical=5,
    ),
    Metric(
        name="namespace:pods:count",
        category="application",
        unit="count",
        type="count",
        meaning="Pods of a namespace, by phase; nothing for a phase that none is in.",
        expr="""\
count by ($cluster, namespace, phase) (
  max by ($cluster, namespace, pod, phase) (kube_pod_status_phase{$kube_state_metrics} == 1)
)""",
    ),
    Metric(
        name="cluster:pods:count",
        category="application",
        unit="count",
        type="count",
        meaning="Pods of the cluster, by phase.",
        expr="sum by ($cluster, phase) (namespace:pods:count)",
    ),
    Metric(
        name="application:requests:rate",
        category="application",
        unit="requests/s",
        type="rate",
        meaning="Requests per second that an application answers.",
        expr=duration_rate("count", BY_APPLICATION),
        origin="requirement",
        absent=NO_HISTOGRAM,
    ),
    Metric(
        name="application:response_time_seconds_bucket:rate",
        category="application",
        unit="requests/s",
        type="rate",
        meaning="Requests per second that an application answers within le seconds: for heat maps and quantiles.",
        expr=duration_rate("bucket", BY_APPLICATION + ", le"),
        absent=NO_HISTOGRAM,
    ),
    *(
        Metric(
            name=f"application:response_time_seconds:p{percent}",
            category="application",
            unit="seconds",
            type="quantile",
            meaning=f"Application response time: {percent} of 100 requests are answered faster.",
            expr=f"histogram_quantile({percent / 100}, application:response_time_seconds_bucket:rate)",
            origin="requirement",
            absent=NO_HISTOGRAM,
        )
        for percent in (50, 95, 99)
    ),
    Metric(
        name="application:probe_duration_seconds:mean",
        category="application",
        unit="seconds",
        type="gauge",
        meaning="Mean time in which an application's containers answer the kubelet's liveness and readiness probes.",
        expr=quotient(probes("sum"), probes("count")),
        origin="requirement",
        absent=NO_PROBE,
    ),
    Metric(
        name="application:response_time_seconds:mean",
        category="application",
        unit="seconds",
        type="gauge",
        meaning="Mean response time of an application: of its requests where it measures them, else of its probes.",
        expr=f"""\
(
{duration_rate("sum", BY_APPLICATION)}
)
/ (application:requests:rate > 0)
or application:probe_duration_seconds:mean""",
        origin="requirement",
        absent=NO_PROBE,
    ),
    Metric(
        name="service:info:max",
        category="application",
        unit="info",
        type="info",
        meaning="1 for each service whose endpoints the cluster keeps.",
        expr="""\
max by ($cluster, namespace, service) (kube_service_info{$kube_state_metrics})
and on ($cluster, namespace, service)
label_replace(kube_endpoint_info{$kube_state_metrics}, "service", "$$1", "endpoint", "(.+)")""",
    ),
    *(
        Metric(
            name=f"service:endpoints_{state}:count",
            category="application",
            unit="count",
            type="count",
            meaning=meaning,
            expr=f"""\
sum by ($cluster, namespace, service) (
  label_replace(
    count by ($cluster, namespace, endpoint) (
      max by ($cluster, namespace, endpoint, ip) (kube_endpoint_address{{$kube_state_metrics{matcher}}})
    ),
    "service", "$$1", "endpoint", "(.+)"
  )
)
and service:info:max
or 0 * service:info:max""",
            origin="requirement",
        )
        for state, matcher, meaning in (
            ("ready", ', ready="true"', "Addresses of a service that are ready."),
            ("expected", "", "Addresses of a service, ready or not: the pods that it selects."),
        )
    ),
    Metric(
        name="service:endpoints_ready:ratio",
        category="application",
        unit="ratio",
        type="ratio",
        meaning="Service health: ready over expected addresses; 0 where there is none.",
        expr="service:endpoints_ready:count / clamp_min(service:endpoints_expected:count, 1)",
        origin="requirement",
    ),
    Metric(
        name="probe:duration_seconds:mean",
        category="application",
        unit="seconds",
        type="gauge",
        meaning="Response time of a target that the blackbox exporter probes, mean over the rate window.",
        expr="max by ($cluster, instance) (avg_over_time(probe_duration_seconds{$blackbox}[$window]))",
        origin="requirement",
        absent=NO_BLACKBOX,
    ),
    Metric(
        name="probe:success:ratio",
        category="application",
        unit="ratio",
        type="ratio",
        meaning="Share of the blackbox exporter's probes of a target that succeeded.",
        expr="min by ($cluster, instance) (avg_over_time(probe_success{$blackbox}[$window]))",
        origin="requirement",
        absent=NO_BLACKBOX,
    ),
)
