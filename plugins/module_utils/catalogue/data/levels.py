# Copyright: the continuum.edge maintainers
# Apache License 2.0 (see LICENSE)
"""The levels: what expressions of a level group by, and how D3.2 asked for them.

Which labels a record has in the end is told by its expression; see labels.py beside this folder.
"""

from __future__ import annotations

from textwrap import indent

LABELS = {
    "cluster": "$cluster",
    "node": "$cluster, node",
    "process": "$cluster, node, id, namespace, pod, container",
    "container": "$cluster, node, namespace, pod, container",
    "pod": "$cluster, node, namespace, pod",
    "system_service": "$cluster, node, unit",
    "namespace": "$cluster, namespace",
    "application": "$cluster, namespace, workload, workload_type",
}
# Matchers of a container: the cgroups of pods and of the system, and the pause container, have container="" (POD with
# some runtimes). The label image tells nothing: CRI-O, cri-dockerd and others leave it empty.
CONTAINER = 'container!~"|POD"'
# Matchers of a pod's cgroup: the last part of its id is pod<uid>, or …-pod<uid>.slice under systemd; those of its
# containers lie below.
POD = 'container="", image="", pod!="", id=~".*/[^/]*pod[^/]*"'
ACTIVE = "and on ($cluster, namespace, pod) pod:active:max"
APPLICATION = "* on ($cluster, namespace, pod) group_left (workload, workload_type) pod:application:info"

# Docker-era matchers and labels of cAdvisor's series.
_SOURCE = {
    "process": ('id!="/",', " by (id)"),
    "container": ('image!="",name!~"^k8s_.*",', " by (kubernetes_io_hostname,name,image)"),
    "pod": ('image!="",name=~"^k8s_.*",', " by (pod_name)"),
    "system_service": ('systemd_service_name!="",', " by (systemd_service_name)"),
}


def over(operation: str, level: str, expr: str) -> str:
    """An aggregation over the series of a level."""
    head, line = f"{operation} by ({LABELS[level]})", " ".join(expr.split())
    return f"{head} ({line})" if len(head + line) < 110 else f"{head} (\n{indent(expr, '  ')}\n)"


def once(expr: str) -> str:
    """One series for each process that several targets show: jobs for pods and for Services, Services of one pod, and
    addresses of either family. The port stays: it tells the processes of a pod apart."""
    return f"""\
max without (job, instance, service, endpoint) (
  label_replace({expr}, "target_port", "$$1", "instance", ".*:([0-9]+)")
)"""


def quotient(above: str, below: str) -> str:
    """Nothing where there is nothing to divide by."""
    return f"{above}\n/ (\n{indent(below, '  ')} > 0\n)" if "\n" in below else f"{above}\n/ ({below} > 0)"


def printed(level: str, series: str, rate: bool = True) -> str:
    """The query that D3.2 prints for a level."""
    matchers, by = _SOURCE.get(level, ("", ""))
    selected = f'{series}{{{matchers}kubernetes_io_hostname=~"^.*$"}}'
    return f"sum({f'rate({selected}[1m])' if rate else selected}){by}"
