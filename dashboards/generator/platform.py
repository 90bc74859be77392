# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The dashboards of the platform: the cluster, its nodes, what runs on them, and what they share."""

from __future__ import annotations

from .board import Board, row, to
from .panels import GREEN, RED, YELLOW, Panel, bars, graph, heat, stat_, states, table_

FOLDER = "Platform"
NODE, NAMESPACE, POD = "{{node}}", "{{namespace}}", "{{namespace}}/{{pod}}"
CONTAINER, WORKLOAD = "{{pod}}/{{container}}", "{{namespace}}/{{workload}}"
TO_NODE = to("nodes", node="${__field.labels.node}")
TO_NAMESPACE = to("namespaces", namespace="${__field.labels.namespace}")
TO_POD = to("pods", namespace="${__field.labels.namespace}", pod="${__field.labels.pod}")
TO_APPLICATION = to("namespaces", namespace="${__field.labels.namespace}")
ALL_GOOD = ((None, RED), (1, GREEN))
NONE_GOOD = ((None, GREEN), (1, YELLOW))


def both_ways(
    subject: str, record: str, legend: str, pick: str = "", width: int = 12, **more: str
) -> tuple[Panel, Panel]:
    """What comes in, and beside it what goes out."""
    verbs = ("receive", "transmit") if "{}" in record and "network" in record else ("read", "written")
    words = {"receive": "received", "transmit": "transmitted", "read": "read", "written": "written"}
    one, two = (
        graph(
            f"{subject}: {words[verb]}",
            (legend, pick.format(record.format(verb)) if pick else record.format(verb)),
            width=width,
            **more,
        )
        for verb in verbs
    )
    return one, two


def top(number: int = 10) -> str:
    return f"topk({number}, {{}})"


CLUSTER = Board(
    "cluster",
    FOLDER,
    "Cluster overview",
    "Is the cluster well, how full is it, and who fills it.",
    ("cluster",),
    (
        row(
            "Health",
            stat_("Nodes available", "cluster:nodes_available:sum", thresholds=ALL_GOOD, link=to("nodes")),
            stat_("Nodes", "cluster:nodes:count", link=to("nodes")),
            stat_(
                "Nodes with a problem",
                "cluster:nodes:count - cluster:nodes_healthy:sum",
                thresholds=NONE_GOOD,
                link=to("nodes"),
            ),
            stat_("CPU in use", "cluster:cpu_usage:percent", link=to("nodes")),
            stat_("Memory in use", "cluster:memory_usage:percent", link=to("nodes")),
            stat_("Pods running", 'cluster:pods:count{phase="Running"}', link=to("pods")),
            stat_(
                "Pods available",
                "cluster:availability:ratio",
                thresholds=((None, RED), (0.9, YELLOW), (1, GREEN)),
                link=to("namespaces"),
            ),
            stat_(
                "Alerts firing",
                'sum(ALERTS{alertstate="firing", severity!="none"}) or vector(0)',
                thresholds=((None, GREEN), (1, RED)),
                note="Alerts of the catalogue that are firing now; the table below names them.",
            ),
        ),
        row(
            "Capacity",
            graph(
                "CPU",
                ("in use", "cluster:cpu_usage_cores:rate"),
                ("all nodes", "cluster:cpu_capacity_cores:sum"),
                width=8,
            ),
            graph(
                "Memory",
                ("in use", "cluster:memory_working_set_bytes:sum"),
                ("all nodes", "cluster:memory_capacity_bytes:sum"),
                width=8,
            ),
            graph(
                "Network",
                ("received", "cluster:network_receive_bytes:rate"),
                ("transmitted", "cluster:network_transmit_bytes:rate"),
                width=8,
                link=to("network"),
            ),
        ),
        row(
            "Nodes",
            graph("CPU of the 10 busiest nodes", (NODE, "topk(10, node:cpu_usage:ratio)"), width=8, link=TO_NODE),
            graph("Memory of the 10 fullest nodes", (NODE, "topk(10, node:memory_usage:ratio)"), width=8, link=TO_NODE),
            graph(
                "File systems of the 10 fullest nodes",
                (NODE, "topk(10, node:filesystem_used:ratio)"),
                width=8,
                link=to("storage", node="${__field.labels.node}"),
            ),
        ),
        row(
            "Distribution of work",
            bars("Pods, the 10 nodes with most", NODE, "topk(10, node:pods:count)", link=TO_NODE),
            bars("Requested CPU, the 10 nodes with most", NODE, "topk(10, node:cpu_request:ratio)", link=TO_NODE),
            graph(
                "Imbalance",
                ("pods", "cluster:pods_imbalance:ratio"),
                ("requested CPU", "cluster:cpu_request_imbalance:ratio"),
                ("requested memory", "cluster:memory_request_imbalance:ratio"),
                ("CPU in use", "cluster:cpu_usage_imbalance:ratio"),
                ("memory in use", "cluster:memory_usage_imbalance:ratio"),
                width=8,
            ),
        ),
        row(
            "Who uses it",
            graph(
                "CPU of the 10 busiest namespaces",
                (NAMESPACE, "topk(10, namespace:cpu_usage_cores:rate)"),
                width=8,
                link=TO_NAMESPACE,
            ),
            graph(
                "Memory of the 10 largest namespaces",
                (NAMESPACE, "topk(10, namespace:memory_working_set_bytes:sum)"),
                width=8,
                link=TO_NAMESPACE,
            ),
            graph(
                "COMPSs tasks",
                ("{{state}}", "cluster:compss_tasks:sum"),
                width=8,
                options={"stack": True},
                link=to("compss-fleet"),
            ),
        ),
        row(
            "What needs a look",
            table_(
                "Alerts firing",
                ("alertname", "severity"),
                (
                    "",
                    "sum by (alertname, severity, node, namespace, pod, job)"
                    ' (ALERTS{alertstate="firing", severity!="none"})',
                ),
                width=12,
                absent="no alert fires",
                note="One line for each alert of the catalogue that fires, with what it is about.",
            ),
            table_(
                "Scrape targets",
                ("job",),
                ("up", "job:targets_up:sum"),
                ("of", "job:targets:count"),
                ("share", "job:targets_up:ratio"),
                width=12,
            ),
        ),
    ),
    ("nodes", "namespaces", "pods", "network", "storage", "apiserver", "coredns", "compss-fleet", "devices"),
)

NODES = Board(
    "nodes",
    FOLDER,
    "Nodes",
    "Each node: its health, what pods asked for and use, and the machine below it.",
    ("cluster", "node"),
    (
        row(
            "All chosen nodes",
            table_(
                "Nodes",
                ("node",),
                ("takes pods", "node:available:min"),
                ("problems", "node:problems:sum"),
                ("CPU", "node:cpu_usage:ratio"),
                ("CPU requested", "node:cpu_request:ratio"),
                ("memory", "node:memory_usage:ratio"),
                ("memory requested", "node:memory_request:ratio"),
                ("pods", "node:pods:ratio"),
                ("file systems", "node:filesystem_used:ratio"),
                ("up for", "node:uptime_seconds:max"),
                ("", "node:info:max"),
                link=to("pods", node="${__data.fields.node}"),
                height=9,
            ),
            states(
                "Conditions",
                "{{node}} {{condition}}",
                "node:condition:max",
                height=7,
                text={"0": ("no", "text"), "1": ("yes", "blue")},
            ),
        ),
        row(
            "CPU",
            graph("CPU in use", (NODE, "node:cpu_usage:ratio"), width=8, link=TO_NODE),
            graph(
                "Cores in use",
                (NODE, "node:cpu_usage_cores:rate"),
                (f"{NODE} has", "node:cpu_capacity_cores:max"),
                width=8,
            ),
            graph("Requested CPU", (NODE, "node:cpu_request:ratio"), width=8),
        ),
        row(
            "Memory",
            graph("Memory in use", (NODE, "node:memory_usage:ratio"), width=8),
            graph(
                "Bytes in use",
                (NODE, "node:memory_working_set_bytes:sum"),
                (f"{NODE} has", "node:memory_capacity_bytes:max"),
                width=8,
            ),
            graph("Requested memory", (NODE, "node:memory_request:ratio"), width=8),
        ),
        row(
            "Pods, network and disks",
            graph(
                "Pods",
                (NODE, "node:pods:count"),
                (f"{NODE} takes", "node:pods_allocatable:max"),
                width=8,
                link=to("pods", node="${__field.labels.node}"),
            ),
            graph(
                "Network",
                (f"{NODE} received", "node:network_receive_bytes:rate"),
                (f"{NODE} transmitted", "node:network_transmit_bytes:rate"),
                width=8,
                link=to("network", node="${__field.labels.node}"),
            ),
            graph(
                "Disks",
                (f"{NODE} read", "node:disk_read_bytes:rate"),
                (f"{NODE} written", "node:disk_written_bytes:rate"),
                width=8,
                link=to("storage", node="${__field.labels.node}"),
            ),
        ),
        row(
            "The machine below",
            graph(
                "CPU by mode", ("{{node}} {{mode}}", "node:host_cpu_usage_cores:rate"), width=6, options={"stack": True}
            ),
            graph("CPU not idle", (NODE, "node:host_cpu_usage:ratio"), width=6),
            graph("Memory not available", (NODE, "node:host_memory_usage:ratio"), width=6),
            graph(
                "Load average",
                (f"{NODE} 1 min", "node:load1:max"),
                (f"{NODE} 5 min", "node:load5:max"),
                (f"{NODE} 15 min", "node:load15:max"),
                width=6,
            ),
        ),
        row(
            "System services",
            graph(
                "CPU of the 10 busiest services", ("{{node}} {{unit}}", "topk(10, system_service:cpu_usage_cores:rate)")
            ),
            graph(
                "Memory of the 10 largest services",
                ("{{node}} {{unit}}", "topk(10, system_service:memory_working_set_bytes:sum)"),
            ),
        ),
    ),
    ("cluster", "pods", "storage", "network", "devices"),
)

NAMESPACES = Board(
    "namespaces",
    FOLDER,
    "Namespaces and applications",
    "What each namespace and each application in it asks for, uses and answers.",
    ("cluster", "namespace"),
    (
        row(
            "Namespaces",
            table_(
                "Namespaces",
                ("namespace",),
                ("pods running", 'sum by (cluster, namespace) (namespace:pods:count{phase="Running"})'),
                ("available", "namespace:availability:ratio"),
                ("CPU", "namespace:cpu_usage_cores:rate"),
                ("CPU requested", "namespace:cpu_request_cores:sum"),
                ("CPU efficiency", "namespace:cpu_efficiency:ratio"),
                ("memory", "namespace:memory_working_set_bytes:sum"),
                ("memory requested", "namespace:memory_request_bytes:sum"),
                ("memory efficiency", "namespace:memory_efficiency:ratio"),
                ("received", "namespace:network_receive_bytes:rate"),
                ("transmitted", "namespace:network_transmit_bytes:rate"),
                ("volumes", "namespace:volume_used:ratio"),
                link=to("pods", namespace="${__data.fields.namespace}"),
            ),
            graph(
                "CPU",
                (NAMESPACE, "namespace:cpu_usage_cores:rate"),
                width=8,
                link=to("pods", namespace="${__field.labels.namespace}"),
            ),
            graph(
                "Memory",
                (NAMESPACE, "namespace:memory_working_set_bytes:sum"),
                width=8,
                link=to("pods", namespace="${__field.labels.namespace}"),
            ),
            graph(
                "Pods by phase",
                ("{{namespace}} {{phase}}", "namespace:pods:count > 0"),
                width=8,
                options={"stack": True},
            ),
        ),
        row(
            "Limits",
            graph("CPU over its limit", (NAMESPACE, "namespace:cpu_limit_usage:ratio"), width=8),
            graph("Throttled", (NAMESPACE, "namespace:cpu_throttled:ratio"), width=8),
            graph("Memory over its limit", (NAMESPACE, "namespace:memory_limit_usage:ratio"), width=8),
        ),
        row(
            "Applications",
            table_(
                "Applications",
                ("namespace", "workload_type", "workload"),
                ("wanted", "application:replicas_desired:max"),
                ("available", "application:replicas_available:max"),
                ("share", "application:availability:ratio"),
                ("CPU", "application:cpu_usage_cores:rate"),
                ("CPU efficiency", "application:cpu_efficiency:ratio"),
                ("memory", "application:memory_working_set_bytes:sum"),
                ("memory efficiency", "application:memory_efficiency:ratio"),
                ("on the fullest node", "application:largest_node_share:ratio"),
                ("response time", "application:response_time_seconds:mean"),
                ("volumes", "application:volume_used:ratio"),
                link=to("pods", namespace="${__data.fields.namespace}", pod="${__data.fields.workload}.%2A"),
                height=10,
            ),
            graph("Availability", (WORKLOAD, "application:availability:ratio"), width=8),
            graph("CPU of the 10 busiest", (WORKLOAD, "topk(10, application:cpu_usage_cores:rate)"), width=8),
            graph(
                "Memory of the 10 largest", (WORKLOAD, "topk(10, application:memory_working_set_bytes:sum)"), width=8
            ),
            *both_ways("Network of the 10 busiest", "application:network_{}_bytes:rate", WORKLOAD, top()),
            *both_ways("Disks of the 10 busiest", "application:disk_{}_bytes:rate", WORKLOAD, top()),
        ),
        row(
            "Answers",
            graph("Mean response time", (WORKLOAD, "application:response_time_seconds:mean"), width=8),
            graph("Requests", (WORKLOAD, "application:requests:rate"), width=8),
            graph(
                "Response time by quantile",
                (f"{WORKLOAD} 50 %", "application:response_time_seconds:p50"),
                (f"{WORKLOAD} 95 %", "application:response_time_seconds:p95"),
                (f"{WORKLOAD} 99 %", "application:response_time_seconds:p99"),
                width=8,
            ),
            heat("Response times", "sum by (le) (application:response_time_seconds_bucket:rate)", width=12),
            graph("Answers to the kubelet's probes", (WORKLOAD, "application:probe_duration_seconds:mean")),
        ),
        row(
            "Services and probes",
            table_(
                "Services",
                ("namespace", "service"),
                ("ready", "service:endpoints_ready:count"),
                ("of", "service:endpoints_expected:count"),
                ("share", "service:endpoints_ready:ratio"),
                width=12,
            ),
            graph("Probes from outside: time", ("{{instance}}", "probe:duration_seconds:mean"), width=6),
            graph("Probes from outside: success", ("{{instance}}", "probe:success:ratio"), width=6),
        ),
        row(
            "Distribution",
            table_(
                "Pods of each application on each node",
                ("namespace", "workload_type", "workload", "node"),
                ("pods", "application_node:pods:count"),
            ),
        ),
    ),
    ("cluster", "pods", "storage", "compss-fleet"),
)

PODS = Board(
    "pods",
    FOLDER,
    "Pods and containers",
    "Each pod, its containers, and their limits.",
    ("cluster", "node", "namespace", "pod"),
    (
        row(
            "Pods",
            table_(
                "Pods",
                ("namespace", "pod", "node"),
                ("CPU", "pod:cpu_usage_cores:rate"),
                ("CPU requested", "pod:cpu_request_cores:sum"),
                ("CPU over limit", "pod:cpu_limit_usage:ratio"),
                ("throttled", "pod:cpu_throttled:ratio"),
                ("memory", "pod:memory_working_set_bytes:sum"),
                ("memory requested", "pod:memory_request_bytes:sum"),
                ("memory over limit", "pod:memory_limit_usage:ratio"),
                ("received", "pod:network_receive_bytes:rate"),
                ("transmitted", "pod:network_transmit_bytes:rate"),
                key="pod",
                link=to("pods", namespace="${__data.fields.namespace}", pod="${__data.fields.pod}"),
                height=10,
            ),
            graph("CPU of the 20 busiest", (POD, "topk(20, pod:cpu_usage_cores:rate)"), width=8, link=TO_POD),
            graph(
                "Memory of the 20 largest", (POD, "topk(20, pod:memory_working_set_bytes:sum)"), width=8, link=TO_POD
            ),
            graph(
                "Restarts in the last hour",
                (POD, "topk(20, pod:restarts:increase > 0)"),
                width=8,
                absent="no container was started again in the last hour",
                link=TO_POD,
            ),
        ),
        row(
            "State",
            stat_("Active", "sum(pod:active:max)", width=4),
            stat_("Ready", "sum(pod:ready:max)", width=4),
            states(
                "Ready, of the active",
                POD,
                "pod:ready:max and on (cluster, namespace, pod) pod:active:max",
                width=16,
                height=4,
                text={"0": ("not ready", RED), "1": ("ready", GREEN)},
            ),
        ),
        row(
            "Limits",
            graph("CPU over its limit", (POD, "topk(20, pod:cpu_limit_usage:ratio)"), width=8, link=TO_POD),
            graph("Throttled", (POD, "topk(20, pod:cpu_throttled:ratio)"), width=8, link=TO_POD),
            graph("Memory over its limit", (POD, "topk(20, pod:memory_limit_usage:ratio)"), width=8, link=TO_POD),
        ),
        row(
            "Network and disks",
            *both_ways("Network of the 20 busiest", "pod:network_{}_bytes:rate", POD, top(20)),
            *both_ways("Disks of the 20 busiest", "pod:disk_{}_bytes:rate", POD, top(20)),
        ),
        row(
            "Containers",
            table_(
                "Containers",
                ("namespace", "pod", "container", "node"),
                ("CPU", "container:cpu_usage_cores:rate"),
                ("requested", "container:cpu_request_cores:max"),
                ("limit", "container:cpu_limit_cores:max"),
                ("over limit", "container:cpu_limit_usage:ratio"),
                ("throttled", "container:cpu_throttled:ratio"),
                ("memory", "container:memory_working_set_bytes:max"),
                ("memory requested", "container:memory_request_bytes:max"),
                ("memory limit", "container:memory_limit_bytes:max"),
                ("memory over limit", "container:memory_limit_usage:ratio"),
                height=10,
            ),
            graph("CPU of the 20 busiest", (CONTAINER, "topk(20, container:cpu_usage_cores:rate)")),
            graph("Memory of the 20 largest", (CONTAINER, "topk(20, container:memory_working_set_bytes:max)")),
        ),
        row(
            "Cgroups",
            graph("CPU of the 10 busiest", ("{{node}} {{id}}", "topk(10, process:cpu_usage_cores:rate)")),
            graph("Memory of the 10 largest", ("{{node}} {{id}}", "topk(10, process:memory_working_set_bytes:max)")),
        ),
    ),
    ("cluster", "nodes", "namespaces", "network", "storage"),
)

NETWORK = Board(
    "network",
    FOLDER,
    "Network",
    "Traffic and dropped packets, from the cluster down to the container.",
    ("cluster", "node", "namespace"),
    (
        row("Cluster", *both_ways("Cluster", "cluster:network_{}_bytes:rate", "all nodes")),
        row(
            "Nodes",
            *both_ways("Nodes", "node:network_{}_bytes:rate", NODE, link=TO_NODE),
            graph("Nodes: dropped where received", (NODE, "node:network_receive_dropped_packets:rate"), link=TO_NODE),
            graph(
                "Nodes: dropped where transmitted", (NODE, "node:network_transmit_dropped_packets:rate"), link=TO_NODE
            ),
        ),
        row(
            "Namespaces and applications",
            *both_ways("Namespaces", "namespace:network_{}_bytes:rate", NAMESPACE, link=TO_NAMESPACE),
            *both_ways(
                "Applications, the 10 busiest",
                "application:network_{}_bytes:rate",
                WORKLOAD,
                top(),
                link=TO_APPLICATION,
            ),
        ),
        row(
            "Pods and containers",
            *both_ways("Pods, the 10 busiest", "pod:network_{}_bytes:rate", POD, top(), link=TO_POD),
            *both_ways("Containers, the 10 busiest", "container:network_{}_bytes:rate", CONTAINER, top()),
            graph(
                "Pods: dropped where received, the 10 worst",
                (POD, "topk(10, pod:network_receive_dropped_packets:rate)"),
                link=TO_POD,
            ),
            graph(
                "Pods: dropped where transmitted, the 10 worst",
                (POD, "topk(10, pod:network_transmit_dropped_packets:rate)"),
                link=TO_POD,
            ),
            *both_ways("Cgroups, the 10 busiest", "process:network_{}_bytes:rate", "{{node}} {{id}}", top()),
        ),
    ),
    ("cluster", "nodes", "pods"),
)

STORAGE = Board(
    "storage",
    FOLDER,
    "Storage",
    "Disks, file systems and persistent volumes: how fast, how full, how long yet.",
    ("cluster", "node", "namespace"),
    (
        row(
            "File systems",
            table_(
                "File systems",
                ("node", "mountpoint", "device"),
                ("size", "filesystem:size_bytes:max"),
                ("used", "filesystem:used_bytes:max"),
                ("available", "filesystem:available_bytes:min"),
                ("share used", "filesystem:used:ratio"),
                ("full in", "filesystem:time_to_full_seconds:min"),
                link="",
            ),
            graph("Used, the 10 fullest", ("{{node}} {{mountpoint}}", "topk(10, filesystem:used:ratio)"), width=8),
            graph(
                "Full in, the 10 soonest",
                ("{{node}} {{mountpoint}}", "bottomk(10, filesystem:time_to_full_seconds:min)"),
                width=8,
            ),
            graph("All file systems of a node", (NODE, "node:filesystem_used:ratio"), width=8, link=TO_NODE),
        ),
        row(
            "Disks",
            graph("Read", (NODE, "node:disk_read_bytes:rate"), width=8, link=TO_NODE),
            graph("Written", (NODE, "node:disk_written_bytes:rate"), width=8, link=TO_NODE),
            graph("Busy", (NODE, "node:disk_busy:ratio"), width=8, link=TO_NODE),
        ),
        row(
            "Persistent volumes",
            table_(
                "Persistent volumes",
                ("namespace", "persistentvolumeclaim"),
                ("size", "volume:capacity_bytes:max"),
                ("used", "volume:used_bytes:max"),
                ("available", "volume:available_bytes:min"),
                ("share used", "volume:used:ratio"),
                ("full in", "volume:time_to_full_seconds:min"),
            ),
            graph(
                "Used, the 10 fullest",
                ("{{namespace}}/{{persistentvolumeclaim}}", "topk(10, volume:used:ratio)"),
                width=8,
            ),
            graph("Volumes of a namespace", (NAMESPACE, "namespace:volume_used:ratio"), width=8, link=TO_NAMESPACE),
            graph(
                "Volumes of an application", (WORKLOAD, "application:volume_used:ratio"), width=8, link=TO_APPLICATION
            ),
        ),
        row(
            "Who reads and writes",
            *both_ways("Namespaces", "namespace:disk_{}_bytes:rate", NAMESPACE, link=TO_NAMESPACE),
            *both_ways("Pods, the 10 busiest", "pod:disk_{}_bytes:rate", POD, top(), link=TO_POD),
        ),
    ),
    ("cluster", "nodes", "pods"),
)

APISERVER = Board(
    "apiserver",
    FOLDER,
    "API server",
    "What is asked of the API server, and how fast it answers.",
    ("cluster",),
    (
        row(
            "Now",
            stat_("Requests", "cluster:apiserver_requests:rate", width=6),
            stat_("Failed requests", "cluster:apiserver_request_errors:ratio", width=6),
            stat_("Mean execution time", "cluster:apiserver_request_duration_seconds:mean", width=6),
            stat_("In flight", "sum(apiserver:inflight_requests:sum)", width=6),
        ),
        row(
            "Requests",
            graph("By verb", ("{{verb}}", "sum by (verb) (apiserver:requests:rate)"), width=8, options={"stack": True}),
            graph("By code", ("{{code}}", "sum by (code) (apiserver:requests:rate)"), width=8, options={"stack": True}),
            graph("In flight", ("{{request_kind}}", "apiserver:inflight_requests:sum"), width=8),
        ),
        row(
            "Time",
            graph(
                "Execution time",
                ("{{type}} 50 %", "apiserver:request_duration_seconds:p50"),
                ("{{type}} 99 %", "apiserver:request_duration_seconds:p99"),
                width=8,
            ),
            graph("Failed requests", ("share", "cluster:apiserver_request_errors:ratio"), width=8),
            heat("Execution times", "sum by (le) (apiserver:request_duration_seconds_bucket:rate)", width=8),
        ),
    ),
    ("cluster", "coredns"),
)

COREDNS = Board(
    "coredns",
    FOLDER,
    "CoreDNS",
    "What is asked of the cluster's DNS, and how fast and from where it answers.",
    ("cluster",),
    (
        row(
            "Now",
            stat_("Questions", "sum(coredns:requests:rate)", width=6),
            stat_("Failures", "cluster:coredns_errors:ratio", width=6),
            stat_("Half are answered in", "cluster:coredns_request_duration_seconds:p50", width=6),
            stat_("Answered from the cache", "cluster:coredns_cache_hits:ratio", width=6),
        ),
        row(
            "Questions and answers",
            graph(
                "Questions by record type",
                ("{{type}} {{proto}}", "coredns:requests:rate"),
                width=8,
                options={"stack": True},
            ),
            graph("Answers by code", ("{{rcode}}", "coredns:responses:rate"), width=8, options={"stack": True}),
            graph("Failures", ("share", "cluster:coredns_errors:ratio"), width=8),
        ),
        row(
            "Time and cache",
            graph(
                "Time to answer",
                ("50 %", "cluster:coredns_request_duration_seconds:p50"),
                ("99 %", "cluster:coredns_request_duration_seconds:p99"),
                width=8,
            ),
            heat("Times to answer", "sum by (le) (coredns:request_duration_seconds_bucket:rate)", width=8),
            graph("Cache hits", ("{{type}}", "coredns:cache_hits:rate"), width=8),
        ),
    ),
    ("cluster", "apiserver"),
)

BOARDS = (CLUSTER, NODES, NAMESPACES, PODS, NETWORK, STORAGE, APISERVER, COREDNS)
