{{/* The scrape jobs before the values of `scrape` are laid over them. Jobs that discover the same role share one watch
     of the API, because their kubernetes_sd_configs are equal; so a filter is a relabel rule, not an SD selector. */}}
{{- define "edge-monitoring.jobs" -}}
{{- $node := dict "role" "node" -}}
{{- $pod := dict "role" "pod" -}}
{{- $endpoints := dict "role" "endpointslice" -}}
{{- $credentials := "/var/run/secrets/kubernetes.io/serviceaccount" -}}
kubelet: &kubelet
  scheme: https
  authorization: {credentials_file: {{ $credentials }}/token}
  tls_config: {ca_file: {{ $credentials }}/ca.crt, insecure_skip_verify: {{ .Values.scrape.kubeletInsecureSkipVerify }}}
  kubernetes_sd_configs: [{{ toJson $node }}]
  relabel_configs:
    {{- include "edge-monitoring.nodes" . | nindent 4 }}
probes:
  <<: *kubelet
  metrics_path: /metrics/probes
cadvisor:
  <<: *kubelet
  metrics_path: /metrics/cadvisor
  # cAdvisor stamps its samples; without this the series of a pod that is gone would live on for five minutes.
  track_timestamps_staleness: true
  metric_relabel_configs:
    # The interfaces of a node are node-exporter's.
    - {action: drop, source_labels: [__name__, pod], regex: container_network_.+;}
    # A limit is a container's; the period of every other cgroup says nothing.
    - {action: drop, source_labels: [__name__, container], regex: container_spec_cpu_.+;}
    # So is throttling.
    - {action: drop, source_labels: [__name__, container], regex: container_cpu_cfs_.+;}
    # A pod's sandbox only holds its network namespace: what it takes is within the pod's own cgroup.
    - {action: drop, source_labels: [__name__, container, image], regex: "container_(cpu|memory|fs)_.+;(POD)?;.+"}
    # The label says once more what `id` says.
    - {action: labeldrop, regex: name}
node-exporter:
  kubernetes_sd_configs: [{{ toJson $node }}]
  relabel_configs:
    {{- include "edge-monitoring.nodes" . | nindent 4 }}
    - {source_labels: [__address__], regex: '(.+):\d+', target_label: __address__, replacement: '$1:{{ .Values.nodeExporter.port }}'}
apiserver:
  scheme: https
  authorization: {credentials_file: {{ $credentials }}/token}
  tls_config: {ca_file: {{ $credentials }}/ca.crt, server_name: kubernetes}
  kubernetes_sd_configs: [{{ toJson $endpoints }}]
  relabel_configs:
    - action: keep
      source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_service_name, __meta_kubernetes_endpointslice_port_name]
      regex: default;kubernetes;https
coredns:
  kubernetes_sd_configs: [{{ toJson $pod }}]
  relabel_configs:
    - action: keep
      source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_label_k8s_app, __meta_kubernetes_pod_container_port_name]
      regex: kube-system;kube-dns;metrics
    - {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
    - {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
{{- if .Values.kubeStateMetrics.enabled }}
kube-state-metrics:
  # The labels of its series say what they are about.
  honor_labels: true
  {{- include "edge-monitoring.own" (list . "kube-state-metrics") | nindent 2 }}
  metric_relabel_configs:
    # What is not true is said by `true`, too: its value is 0 then.
    - {action: drop, source_labels: [__name__, condition], regex: kube_pod_status_ready;(false|unknown)}
    # Kubernetes sets this phase no longer.
    - {action: drop, source_labels: [__name__, phase], regex: kube_pod_status_phase;Unknown}
    # A pod that comes back under its name stays one series.
    - {action: labeldrop, regex: uid|container_id|image_id}
{{- end }}
{{- if .Values.pushgateway.enabled }}
pushgateway:
  honor_labels: true
  {{- include "edge-monitoring.own" (list . "pushgateway") | nindent 2 }}
  metric_relabel_configs:
    # The gateway's own metrics are dropped, but for those about the pushes.
    - {action: drop, source_labels: [__name__, job], regex: (go|process|promhttp)_.+;pushgateway}
{{- end }}
{{- if .Values.alertmanager.enabled }}
alertmanager:
  {{- include "edge-monitoring.own" (list . "alertmanager") | nindent 2 }}
{{- end }}
prometheus:
  static_configs:
    - targets: ["localhost:9090"]
# Cluster DNS often carries the annotations, too; it has a job of its own.
pods:
  kubernetes_sd_configs: [{{ toJson $pod }}]
  relabel_configs:
    - {action: drop, source_labels: [__meta_kubernetes_pod_phase], regex: Failed|Succeeded}
    {{- if .Values.scrape.coredns.enabled }}
    - {action: drop, source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_label_k8s_app], regex: kube-system;kube-dns}
    {{- end }}
    {{- include "edge-monitoring.annotated" (list . "pod") | nindent 4 }}
services:
  kubernetes_sd_configs: [{{ toJson $endpoints }}]
  relabel_configs:
    # Ports of the pods behind a Service that are none of its own are found, too.
    - {action: keep, source_labels: [__meta_kubernetes_endpointslice_port], regex: .+}
    {{- if .Values.scrape.coredns.enabled }}
    - {action: drop, source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_service_label_k8s_app], regex: kube-system;kube-dns}
    {{- end }}
    {{- include "edge-monitoring.annotated" (list . "service") | nindent 4 }}
    - {source_labels: [__meta_kubernetes_service_name], target_label: service}
{{- end -}}

{{- define "edge-monitoring.nodes" -}}
{{- range $label, $regex := .Values.scrape.nodeSelector }}
- {action: keep, source_labels: [{{ include "edge-monitoring.metaLabel" (list "node_label" $label) }}], regex: {{ $regex | quote }}}
{{- end }}
- {source_labels: [__meta_kubernetes_node_name], target_label: node}
{{- end -}}

{{/* A component of this chart, found without DNS. Its Service's name is the instance, so that a new pod goes on with the
     series of the old one. Takes (list $ "component"). */}}
{{- define "edge-monitoring.own" -}}
kubernetes_sd_configs: [{role: endpointslice}]
relabel_configs:
  - action: keep
    source_labels: [__meta_kubernetes_namespace, __meta_kubernetes_service_name, __meta_kubernetes_endpointslice_port_name]
    regex: {{ (first .).Release.Namespace }};{{ include "edge-monitoring.name" . }};http
  - {source_labels: [__meta_kubernetes_service_name], target_label: instance}
{{- end -}}

{{/* What the annotations prometheus.io/* of a pod or a Service ask for. Takes (list $ "pod"|"service"). */}}
{{- define "edge-monitoring.annotated" -}}
{{- $annotation := printf "__meta_kubernetes_%s_annotation_prometheus_io_" (last .) -}}
- {action: keep, source_labels: [{{ $annotation }}scrape], regex: "true"}
- {source_labels: [{{ $annotation }}scheme], regex: "(https?)", target_label: __scheme__}
- {source_labels: [{{ $annotation }}path], regex: (.+), target_label: __metrics_path__}
# A pod that declares no port has a bare address: an IPv6 one needs its brackets before a port can follow.
- {source_labels: [__address__], regex: '([0-9a-fA-F]*:[0-9a-fA-F]*:[0-9a-fA-F:.]*)', target_label: __address__, replacement: '[$1]'}
- {source_labels: [__address__, {{ $annotation }}port], regex: '(.+?)(?::\d+)?;(\d+)', target_label: __address__, replacement: '$1:$2'}
- {action: labelmap, regex: {{ $annotation }}param_(.+), replacement: __param_$1}
- {source_labels: [__meta_kubernetes_namespace], target_label: namespace}
- {source_labels: [__meta_kubernetes_pod_name], target_label: pod}
- {source_labels: [__meta_kubernetes_pod_node_name], target_label: node}
{{- range $name, $label := (first .).Values.scrape.podLabels }}
- {source_labels: [{{ include "edge-monitoring.metaLabel" (list "pod_label" $label) }}], regex: (.+), target_label: {{ $name }}}
{{- end }}
{{- end -}}

{{/* Prometheus' name for a Kubernetes label. Takes (list "node_label" "a.b/c"). */}}
{{- define "edge-monitoring.metaLabel" -}}
{{- printf "__meta_kubernetes_%s_%s" (first .) (regexReplaceAll "[^a-zA-Z0-9_]" (last .) "_") -}}
{{- end -}}

{{/* All scrape configs: every target says which cluster it is in, and series that nobody reads are not stored. */}}
{{- define "edge-monitoring.scrapeConfigs" -}}
{{- $root := . -}}
{{- /* Prometheus expands $ in a replacement; $$ is one. */ -}}
{{- $cluster := dict "target_label" "cluster" "replacement" (replace "$" "$$" .Values.cluster) -}}
{{- $configs := list -}}
{{- $jobs := include "edge-monitoring.jobs" . | fromYaml -}}
{{- with $jobs.Error -}}{{- fail (printf "%s\n%s" . (include "edge-monitoring.jobs" $root)) -}}{{- end -}}
{{- range $name, $job := $jobs -}}
{{- $scrape := index $root.Values.scrape $name -}}
{{- if $scrape.enabled -}}
{{- $metrics := concat ($job.metric_relabel_configs | default list) ($scrape.metricRelabelings | default list) -}}
{{- with $scrape.keep -}}
{{- $metrics = prepend $metrics (dict "action" "keep" "source_labels" (list "__name__") "regex" (join "|" .)) -}}
{{- end -}}
{{- $relabel := concat (list $cluster) ($job.relabel_configs | default list) ($scrape.relabelings | default list) -}}
{{- $job = merge (dict "job_name" $name "relabel_configs" $relabel) (omit $job "relabel_configs") -}}
{{- with $metrics -}}{{- $_ := set $job "metric_relabel_configs" . -}}{{- end -}}
{{- with $scrape.interval -}}{{- $_ := set $job "scrape_interval" . -}}{{- end -}}
{{- with $scrape.timeout -}}{{- $_ := set $job "scrape_timeout" . -}}{{- end -}}
{{- with $scrape.sampleLimit -}}{{- $_ := set $job "sample_limit" (int64 .) -}}{{- end -}}
{{- $configs = append $configs $job -}}
{{- end -}}
{{- end -}}
{{- range .Values.fileSd -}}
{{- $files := printf "/etc/prometheus/targets/%s.json" .job -}}
{{- if .configMap -}}{{- $files = printf "/etc/prometheus/file_sd/%s/*" .job -}}{{- end -}}
{{- $names := list $files -}}
{{- if .configMap -}}{{- $names = list (printf "%s.json" $files) (printf "%s.yml" $files) -}}{{- end -}}
{{- $configs = append $configs (include "edge-monitoring.discovered" (list . (dict "job_name" .job "file_sd_configs" (list (dict "files" $names))) $cluster) | fromYaml) -}}
{{- end -}}
{{- range .Values.httpSd -}}
{{- $sd := dict "url" .url "refresh_interval" (.refreshInterval | default "60s") -}}
{{- $configs = append $configs (include "edge-monitoring.discovered" (list . (dict "job_name" .job "http_sd_configs" (list $sd)) $cluster) | fromYaml) -}}
{{- end -}}
{{- range .Values.extraScrapeConfigs -}}
{{- $configs = append $configs (include "edge-monitoring.discovered" (list (dict "config" .) (dict "job_name" .job_name) $cluster) | fromYaml) -}}
{{- end -}}
{{- toYaml $configs -}}
{{- end -}}

{{- define "edge-monitoring.discovered" -}}
{{- $config := (index . 0).config | default dict -}}
{{- $relabel := prepend ($config.relabel_configs | default list) (index . 2) -}}
{{- merge (dict "relabel_configs" $relabel) (index . 1) (deepCopy $config) | toYaml -}}
{{- end -}}

{{/* Resources of kube-state-metrics, with the prefix of their metrics. */}}
{{- define "edge-monitoring.resources" -}}
configmaps: kube_configmap_
cronjobs: kube_cronjob_
daemonsets: kube_daemonset_
deployments: kube_deployment_
endpointslices: kube_endpointslice_
endpoints: kube_endpoint_
horizontalpodautoscalers: kube_horizontalpodautoscaler_
ingresses: kube_ingress_
jobs: kube_job_
leases: kube_lease_
limitranges: kube_limitrange_
namespaces: kube_namespace_
networkpolicies: kube_networkpolicy_
nodes: kube_node_
persistentvolumeclaims: kube_persistentvolumeclaim_
persistentvolumes: kube_persistentvolume_
poddisruptionbudgets: kube_poddisruptionbudget_
pods: kube_pod_
replicasets: kube_replicaset_
replicationcontrollers: kube_replicationcontroller_
resourcequotas: kube_resourcequota_
services: kube_service_
statefulsets: kube_statefulset_
storageclasses: kube_storageclass_
volumeattachments: kube_volumeattachment_
{{- end -}}

{{/* API groups of those resources that are not in the core group. */}}
{{- define "edge-monitoring.apiGroups" -}}
cronjobs: batch
daemonsets: apps
deployments: apps
endpointslices: discovery.k8s.io
horizontalpodautoscalers: autoscaling
ingresses: networking.k8s.io
jobs: batch
leases: coordination.k8s.io
networkpolicies: networking.k8s.io
poddisruptionbudgets: policy
replicasets: apps
statefulsets: apps
storageclasses: storage.k8s.io
volumeattachments: storage.k8s.io
{{- end -}}

{{/* Collectors of node-exporter, with the prefixes of their metrics. */}}
{{- define "edge-monitoring.collectors" -}}
conntrack: node_nf_conntrack_
cpu: node_cpu_seconds_ node_cpu_guest_ node_cpu_info
cpufreq: node_cpu_scaling_ node_cpu_frequency_
diskstats: node_disk_
filefd: node_filefd_
filesystem: node_filesystem_
hwmon: node_hwmon_
loadavg: node_load
mdadm: node_md_
meminfo: node_memory_
netclass: node_network_up node_network_info node_network_speed_ node_network_carrier_ node_network_mtu_
netdev: node_network_receive_ node_network_transmit_
netstat: node_netstat_
os: node_os_
pressure: node_pressure_
sockstat: node_sockstat_
stat: node_boot_time_ node_context_switches_ node_forks_ node_intr_ node_procs_
thermal_zone: node_thermal_zone_ node_cooling_device_
time: node_time_
timex: node_timex_
uname: node_uname_
vmstat: node_vmstat_
{{- end -}}
