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
        # A headless Service is a list of pods; that of an application which has ended is empty.
        expr=(
            "service:endpoints_ready:count == 0 unless on ($cluster, namespace, service) "
            'kube_service_info{$kube_state_metrics, cluster_ip="None"}'
        ),
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
    Alert(
        name="NodeUnderPressure",
        category="node",
        level="node",
        severity="warning",
        hold="5m",
        expr='node:condition:max{condition!="Ready"} == 1',
        summary="Node {{ $labels.node }} reports {{ $labels.condition }}.",
        description=(
            "The kubelet of node {{ $labels.node }} is short of memory, disk or process ids, or has no network. "
            "It takes no new pods and evicts some."
        ),
        runbook=(
            "kubectl describe node shows the figures. Memory: which pods use more than they request "
            "(pod:memory_working_set_bytes:sum)? Disk: see DiskFullSoon. Process ids: which pod starts them "
            "(kubectl top, ps on the node)?"
        ),
    ),
    Alert(
        name="NodeMemoryFull",
        category="memory",
        level="node",
        severity="warning",
        hold="10m",
        expr="node:memory_usage:ratio > 0.95",
        summary="Node {{ $labels.node }} uses {{ $value | humanizePercentage }} of its memory.",
        description=(
            "Little is left on node {{ $labels.node }} before the kubelet evicts pods, or the kernel ends processes."
        ),
        runbook=(
            "pod:memory_working_set_bytes:sum shows the largest pods. Give them limits, move one away, or lower "
            "the number of workers that the node takes."
        ),
    ),
    Alert(
        name="NodeOverloaded",
        category="cpu",
        level="node",
        severity="warning",
        hold="30m",
        expr="node:cpu_usage:ratio > 0.95",
        summary=(
            "Node {{ $labels.node }} has used {{ $value | humanizePercentage }} of its processors for half an hour."
        ),
        description=(
            "All that runs on node {{ $labels.node }} waits for its processors. Deadlines are missed, and probes fail."
        ),
        runbook=(
            "pod:cpu_usage_cores:rate shows who uses them. A computation that is meant to use all it can get is "
            "fine; else spread the pods, or give them limits."
        ),
    ),
    Alert(
        name="ContainerThrottled",
        category="cpu",
        level="container",
        severity="warning",
        hold="15m",
        expr="container:cpu_throttled:ratio > 0.5",
        summary=(
            "Container {{ $labels.container }} of pod {{ $labels.pod }} is throttled in {{ $value | "
            "humanizePercentage }} of its periods."
        ),
        description=(
            "Container {{ $labels.container }} of pod {{ $labels.pod }} in namespace {{ $labels.namespace }} is "
            "stopped by its CPU limit most of the time."
        ),
        runbook=(
            "Raise the limit, or take it away and keep the request. A worker of COMPSs with more threads than its "
            "limit has cores: lower its computing units."
        ),
    ),
    Alert(
        name="DiskFull",
        category="storage",
        level="filesystem",
        severity="critical",
        hold="5m",
        expr="filesystem:used:ratio > 0.95",
        summary="{{ $labels.mountpoint }} of node {{ $labels.node }} is {{ $value | humanizePercentage }} full.",
        description=(
            "The file system {{ $labels.device }} at {{ $labels.mountpoint }} of node {{ $labels.node }} has next "
            "to no space left. The kubelet evicts pods, and what writes there fails."
        ),
        runbook=(
            "Find what is large: du -xh --max-depth=2 on the mount point; crictl images and /var/log/pods are the "
            "usual ones. crictl rmi --prune removes images that nothing uses."
        ),
    ),
    Alert(
        name="VolumeFull",
        category="storage",
        level="volume",
        severity="critical",
        hold="5m",
        expr="volume:used:ratio > 0.95",
        summary=(
            "Volume {{ $labels.persistentvolumeclaim }} of namespace {{ $labels.namespace }} is {{ $value | "
            "humanizePercentage }} full."
        ),
        description=(
            "The claim {{ $labels.persistentvolumeclaim }} of namespace {{ $labels.namespace }} has next to no "
            "space left. What writes to it fails."
        ),
        runbook=(
            "Remove what is not needed, or enlarge the claim where its storage class allows expansion. "
            "Prometheus' own volume: lower the retention."
        ),
    ),
    Alert(
        name="VolumeUnbound",
        category="storage",
        level="volume",
        severity="warning",
        hold="15m",
        expr=(
            "max by ($cluster, namespace, persistentvolumeclaim) "
            '(kube_persistentvolumeclaim_status_phase{$kube_state_metrics, phase="Pending"}) == 1'
        ),
        summary="Claim {{ $labels.persistentvolumeclaim }} of namespace {{ $labels.namespace }} has no volume.",
        description=(
            "The claim {{ $labels.persistentvolumeclaim }} of namespace {{ $labels.namespace }} has waited for a "
            "volume for a quarter of an hour. The pods that mount it do not start."
        ),
        runbook=(
            "kubectl describe pvc names the reason: no such storage class, no provisioner, no node with room. A "
            "class that waits for its first consumer binds when a pod mounts the claim; one that none mounts can "
            "go."
        ),
    ),
    Alert(
        name="ClockOff",
        category="node",
        level="node",
        severity="warning",
        hold="5m",
        expr=(
            "max by ($cluster, node) (abs(node_time_seconds{$node_exporter} - "
            "timestamp(node_time_seconds{$node_exporter}))) > 5"
        ),
        summary="The clock of node {{ $labels.node }} is {{ $value | humanizeDuration }} off.",
        description=(
            "The clock of node {{ $labels.node }} and that of Prometheus differ. Samples, deadlines and "
            "certificates are judged by a wrong time."
        ),
        runbook=(
            "Does the node's time service run (timedatectl, chronyc tracking)? Can it reach its time server? "
            "Where all nodes are off, it is the clock of the node that Prometheus runs on."
        ),
    ),
    Alert(
        name="PodRestarting",
        category="application",
        level="pod",
        severity="warning",
        hold="5m",
        expr=(
            "(pod:restarts:increase > 3) * on ($cluster, namespace, pod) group_left (node) topk by ($cluster, "
            "namespace, pod) (1, max by ($cluster, node, namespace, pod) (kube_pod_info{$kube_state_metrics}))"
        ),
        summary="Pod {{ $labels.pod }} of namespace {{ $labels.namespace }} restarts again and again.",
        description=(
            "Containers of pod {{ $labels.pod }} in namespace {{ $labels.namespace }} have restarted {{ $value | "
            "humanize }} times within the last hour."
        ),
        runbook=(
            "kubectl logs --previous shows the last words, kubectl describe pod the reason: OOMKilled wants a "
            "higher memory limit, a failed probe more time or a repair, Error a look at the log."
        ),
    ),
    Alert(
        name="PodNotReady",
        category="application",
        level="pod",
        severity="warning",
        hold="15m",
        expr=(
            "(pod:ready:max == 0 and on ($cluster, namespace, pod) pod:active:max == 1) + on ($cluster, "
            "namespace, pod) group_left (node) topk by ($cluster, namespace, pod) (1, max by ($cluster, node, "
            "namespace, pod) (kube_pod_info{$kube_state_metrics}))"
        ),
        summary=(
            "Pod {{ $labels.pod }} of namespace {{ $labels.namespace }} has not been ready for a quarter of an hour."
        ),
        description="Pod {{ $labels.pod }} in namespace {{ $labels.namespace }} is pending, or runs and is not ready.",
        runbook=(
            "kubectl describe pod tells why. Pending: no node has room, or fits its selector and tolerations; or "
            "an image or a volume is missing. Running: a readiness probe fails."
        ),
    ),
    Alert(
        name="ApplicationIncomplete",
        category="application",
        level="application",
        severity="warning",
        hold="15m",
        expr="application:availability:ratio < 1",
        summary=(
            "Application {{ $labels.workload }} of namespace {{ $labels.namespace }} has {{ $value | "
            "humanizePercentage }} of its replicas."
        ),
        description=(
            "Fewer replicas of {{ $labels.workload_type }} {{ $labels.workload }} in namespace {{ $labels.namespace }} "
            "are available than are asked for."
        ),
        runbook=(
            "kubectl get pods shows which are missing, kubectl describe why. A rollout that hangs: kubectl "
            "rollout status, and kubectl rollout undo to get back."
        ),
    ),
    Alert(
        name="JobFailed",
        category="application",
        level="pod",
        severity="warning",
        hold="0s",
        expr=('max by ($cluster, namespace, job_name) (kube_job_failed{$kube_state_metrics, condition="true"}) == 1'),
        summary="Job {{ $labels.job_name }} of namespace {{ $labels.namespace }} has failed.",
        description=(
            "Job {{ $labels.job_name }} in namespace {{ $labels.namespace }} has used up its attempts, or its "
            "time. It is not tried again."
        ),
        runbook=(
            "kubectl logs job/<name> shows the last attempt. Delete the Job when it is understood: the alert "
            "lasts as long as the Job is there. A COMPSs application: playbooks/run.yml runs it again."
        ),
    ),
    Alert(
        name="WorkerOut",
        category="application",
        level="compss_worker",
        severity="warning",
        hold="5m",
        expr="compss_worker:up:max == 0",
        summary="Worker {{ $labels.worker }} of COMPSs application {{ $labels.application }} takes no tasks.",
        description=(
            "Worker {{ $labels.worker }} of application {{ $labels.application }} in namespace {{ "
            "$labels.namespace }} has been lost. Its tasks run elsewhere."
        ),
        runbook=(
            "Is its pod there and ready (kubectl get pods)? Does its node have memory left? The worker's log "
            "tells whether it ended by itself."
        ),
    ),
    Alert(
        name="ApiServerOut",
        category="platform",
        level="apiserver",
        severity="critical",
        hold="5m",
        expr="sum by ($cluster) (up{$apiserver}) == 0",
        summary="No API server answers Prometheus.",
        description="Nothing in the cluster can be changed, and pods that end are not replaced. What runs goes on.",
        runbook=(
            "Does kubectl get --raw /readyz answer? No: is the control plane's node up, has its disk space left, "
            "does etcd run? Yes: Prometheus' page /targets shows what stands between (rights, certificates)."
        ),
    ),
    Alert(
        name="ApiServerErrors",
        category="platform",
        level="apiserver",
        severity="warning",
        hold="10m",
        expr="cluster:apiserver_request_errors:ratio > 0.05",
        summary="The API server fails {{ $value | humanizePercentage }} of its requests.",
        description="Controllers, kubelets and users get errors (code 5xx) of the API server.",
        runbook=(
            "apiserver:requests:rate by code and verb shows which. Its log names the cause: etcd that is slow or "
            "full, or a webhook that does not answer, are the usual ones."
        ),
    ),
    Alert(
        name="ApiServerSlow",
        category="platform",
        level="apiserver",
        severity="warning",
        hold="10m",
        expr="apiserver:request_duration_seconds:p99 > 1",
        summary=(
            "One of a hundred {{ $labels.type }} requests to the API server takes longer than {{ $value | "
            "humanizeDuration }}."
        ),
        description="The API server executes requests slowly. Pods start late, and nodes may be taken for lost.",
        runbook=(
            "apiserver:inflight_requests:sum and apiserver:requests:rate show who asks much. Else etcd's disk is "
            "slow (node:disk_busy:ratio), or the node's processors are in use."
        ),
    ),
    Alert(
        name="CertificateExpiresSoon",
        category="platform",
        level="apiserver",
        severity="critical",
        hold="5m",
        expr=(
            "histogram_quantile(0.01, sum by ($cluster, le) "
            "(rate(apiserver_client_certificate_expiration_seconds_bucket{$apiserver}[$window]))) < 7 * 86400"
        ),
        summary="A certificate that the API server is asked with expires in {{ $value | humanizeDuration }}.",
        description=(
            "Somebody (a kubelet, a controller, an administrator) asks the API server with a certificate that is "
            "valid for less than a week. Then that is refused."
        ),
        runbook=(
            "kubeadm certs check-expiration, or openssl x509 -enddate -noout -in <file>, names it. kubeadm certs "
            "renew all, a restart of k3s, or of the kubelet that rotates its own, renews it."
        ),
    ),
    Alert(
        name="EtcdFull",
        category="platform",
        level="apiserver",
        severity="critical",
        hold="10m",
        expr="max by ($cluster) (apiserver_storage_size_bytes{$apiserver}) > 0.8 * 2 * 1024 ^ 3",
        summary="The API server's store holds {{ $value | humanize1024 }}B.",
        description=(
            "At two gibibytes, its default, etcd takes no changes any more. The cluster then cannot be changed."
        ),
        runbook=(
            "kubectl get --raw /metrics | grep apiserver_resource_objects shows what there is much of: events, or "
            "objects of a controller that makes them without end. Remove those, then etcdctl defrag."
        ),
    ),
    Alert(
        name="DnsErrors",
        category="platform",
        level="coredns",
        severity="warning",
        hold="10m",
        expr="cluster:coredns_errors:ratio > 0.05",
        summary="The cluster DNS fails {{ $value | humanizePercentage }} of the questions.",
        description="Pods do not find services, or names outside.",
        runbook=(
            "The log of the pods k8s-app=kube-dns in kube-system names the cause. Only names outside: the node's "
            "own name servers (/etc/resolv.conf) do not answer, which is also how a lost uplink looks."
        ),
    ),
    Alert(
        name="ConfigurationRefused",
        category="platform",
        level="prometheus",
        severity="critical",
        hold="5m",
        expr="min by ($cluster) (prometheus_config_last_reload_successful{$prometheus}) == 0",
        summary="Prometheus refuses its configuration.",
        description="What was changed is not in effect. At its next start Prometheus would not come up.",
        runbook=(
            "Prometheus' log names the line. Put it right in the inventory (prometheus_scrape_configs_extra, "
            "prometheus_values) and run playbooks/site.yml; promtool check config finds it, too."
        ),
    ),
    Alert(
        name="RulesFailing",
        category="platform",
        level="prometheus",
        severity="critical",
        hold="5m",
        expr="sum by ($cluster) (rate(prometheus_rule_evaluation_failures_total{$prometheus}[$window])) > 0",
        summary="Rules of Prometheus fail.",
        description="Records have gaps, and alerts that read them may not fire.",
        runbook=(
            "Prometheus' page /rules shows which, and the error. After a longer query_offset the first records "
            "are refused as out of order, for as long as the difference."
        ),
    ),
    Alert(
        name="RulesSlow",
        category="platform",
        level="prometheus",
        severity="warning",
        hold="5m",
        expr=(
            "max by ($cluster, rule_group) (prometheus_rule_group_last_duration_seconds{$prometheus} > "
            "prometheus_rule_group_interval_seconds{$prometheus})"
        ),
        summary="A group of rules takes {{ $value | humanizeDuration }}, longer than its interval.",
        description="Prometheus evaluates {{ $labels.rule_group }} more seldom than it should. Records have gaps.",
        runbook=(
            "Has Prometheus the processor it needs (container:cpu_throttled:ratio)? Record less: categories and "
            "levels of prometheus_recording_rules; or ask more seldom: prometheus_scrape_interval."
        ),
    ),
    Alert(
        name="PrometheusDamaged",
        category="platform",
        level="prometheus",
        severity="critical",
        hold="0s",
        expr="sum by ($cluster) (increase(prometheus_tsdb_wal_corruptions_total{$prometheus}[$trend])) > 0",
        summary="Prometheus has found damage in its write-ahead log.",
        description="What Prometheus had not yet written into a block may be lost: up to two hours.",
        runbook=(
            "Was the power cut, or is the volume full (VolumeFull)? Else look at the disk: dmesg, smartctl. "
            "playbooks/restore.yml puts a backup back."
        ),
    ),
    Alert(
        name="RemoteWriteBehind",
        category="platform",
        level="prometheus",
        severity="warning",
        hold="5m",
        expr=(
            "max by ($cluster, url) (prometheus_remote_storage_queue_highest_timestamp_seconds{$prometheus} - "
            "prometheus_remote_storage_queue_highest_sent_timestamp_seconds{$prometheus}) > 120"
        ),
        summary="What Prometheus sends to {{ $labels.url }} is {{ $value | humanizeDuration }} behind.",
        description=(
            "The central Prometheus does not see this site as it is. What waits is sent later, if it can still "
            "be: see the operator guide, Several sites."
        ),
        runbook=(
            "Does the uplink work, and does {{ $labels.url }} answer from here? Prometheus' log shows the error. "
            "Behind although all is sent: raise max_shards in queue_config."
        ),
    ),
    Alert(
        name="AlertsDropped",
        category="platform",
        level="prometheus",
        severity="critical",
        hold="5m",
        expr="sum by ($cluster) (rate(prometheus_notifications_dropped_total{$prometheus}[$window])) > 0",
        summary="Prometheus cannot hand its alerts to Alertmanager.",
        description="Nobody is told of what fires. Prometheus' page /alerts still shows it.",
        runbook=(
            "Does the pod of Alertmanager run and is it ready? Does a NetworkPolicy stand between? Prometheus' "
            "log shows the error."
        ),
    ),
    Alert(
        name="MessagesFailing",
        category="platform",
        level="alertmanager",
        severity="critical",
        hold="5m",
        expr=(
            "sum by ($cluster, integration) (rate(alertmanager_notifications_failed_total{$alertmanager}[$window])) > 0"
        ),
        summary="Alertmanager cannot deliver by {{ $labels.integration }}.",
        description="Messages by {{ $labels.integration }} fail. Other ways may still work.",
        runbook=(
            "Alertmanager's log shows the answer of the other side: a credential that is refused, a name that is "
            "not found, or a lost uplink. What could not be delivered is tried again."
        ),
    ),
    Alert(
        name="SiteSilent",
        category="platform",
        level="job",
        severity="critical",
        hold="5m",
        expr="group by ($cluster) (last_over_time(job:targets:count[$silent])) unless on ($cluster) job:targets:count",
        summary="Nothing has been heard of site {{ $labels.cluster }}.",
        description=(
            "Site {{ $labels.cluster }} sent its samples within the last day and does not now. Its uplink is "
            "lost, or its Prometheus."
        ),
        runbook=(
            "Does the site answer (ssh, kubectl)? No: power or uplink. Yes: its alert RemoteWriteBehind, and the "
            "log of its Prometheus, tell more. A site that has been taken away is forgotten after a day."
        ),
    ),
    Alert(
        name="Watchdog",
        category="platform",
        level="job",
        severity="none",
        hold="0s",
        expr="group by ($cluster) (up == 1)",
        summary="Site {{ $labels.cluster }} is watched.",
        description=(
            "This always fires while Prometheus scrapes and Alertmanager delivers. Who is told of it raises the "
            "alarm when it is not told (a dead man's switch)."
        ),
        runbook=(
            "When it stops: does Prometheus run, does Alertmanager, and does the uplink? "
            "prometheus_alert_watchdog_receiver says who is told."
        ),
    ),
)
