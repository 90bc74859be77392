{{/* Written by charts/docs.py from values.yaml. */}}
{{- define "edge-monitoring.defaults" -}}
cluster: cluster
fullnameOverride: ''
imageRegistry: ''
imagePullSecrets: []
commonLabels: {}
podSecurityContext: {}
containerSecurityContext: {}
networkPolicy:
  enabled: true
  from: []
prometheus:
  image:
    registry: quay.io
    repository: prometheus/prometheus
    tag: ''
    digest: ''
    pullPolicy: IfNotPresent
  agent: false
  retention:
    time: '15d'
    size: 4GB
  persistence:
    enabled: true
    size: 6Gi
    storageClass: ''
    accessModes:
    - ReadWriteOnce
    keep: true
    existingClaim: ''
  service:
    type: NodePort
    port: 9090
    nodePort: 31000
    annotations: {}
  externalUrl: ''
  externalLabels: {}
  remoteWrite: []
  remoteWriteReceiver: false
  otlp:
    enabled: false
    promoteResourceAttributes:
    - service.name
    - service.namespace
    - service.instance.id
    - k8s.namespace.name
    - k8s.pod.name
    outOfOrderTimeWindow: 10m
  rules: {}
  existingRules: ''
  alertmanagers: []
  secrets: []
  reloadInterval: 15s
  extraArgs: []
  env: {}
  resources: {}
  terminationGracePeriodSeconds: 120
  podAnnotations: {}
  priorityClassName: ''
  nodeSelector: {}
  tolerations: []
  affinity: {}
scrape:
  interval: 30s
  timeout: ''
  kubeletInsecureSkipVerify: false
  nodeSelector: {}
  podLabels: {}
  kubelet:
    enabled: true
    keep:
    - kubelet_running_pods
    - kubelet_volume_stats_available_bytes
    - kubelet_volume_stats_capacity_bytes
    - kubelet_volume_stats_used_bytes
  probes:
    enabled: true
    keep:
    - prober_probe_duration_seconds_count
    - prober_probe_duration_seconds_sum
  cadvisor:
    enabled: true
    keep:
    - container_cpu_cfs_periods_total
    - container_cpu_cfs_throttled_periods_total
    - container_cpu_usage_seconds_total
    - container_fs_reads_bytes_total
    - container_fs_writes_bytes_total
    - container_memory_working_set_bytes
    - container_network_receive_bytes_total
    - container_network_receive_packets_dropped_total
    - container_network_transmit_bytes_total
    - container_network_transmit_packets_dropped_total
    - container_spec_cpu_period
    - container_spec_cpu_quota
    - machine_cpu_cores
    - machine_memory_bytes
  kube-state-metrics:
    enabled: true
    keep:
    - kube_daemonset_metadata_generation
    - kube_daemonset_status_desired_number_scheduled
    - kube_daemonset_status_number_available
    - kube_daemonset_status_number_ready
    - kube_deployment_metadata_generation
    - kube_deployment_spec_replicas
    - kube_deployment_status_replicas_available
    - kube_endpoint_address
    - kube_endpoint_info
    - kube_job_failed
    - kube_node_info
    - kube_node_spec_unschedulable
    - kube_node_status_allocatable
    - kube_node_status_capacity
    - kube_node_status_condition
    - kube_persistentvolumeclaim_info
    - kube_persistentvolumeclaim_status_phase
    - kube_pod_container_resource_limits
    - kube_pod_container_resource_requests
    - kube_pod_container_status_restarts_total
    - kube_pod_info
    - kube_pod_init_container_info
    - kube_pod_init_container_resource_limits
    - kube_pod_init_container_resource_requests
    - kube_pod_init_container_status_restarts_total
    - kube_pod_owner
    - kube_pod_spec_volumes_persistentvolumeclaims_info
    - kube_pod_status_phase
    - kube_pod_status_ready
    - kube_replicaset_owner
    - kube_service_info
    - kube_statefulset_metadata_generation
    - kube_statefulset_replicas
    - kube_statefulset_status_replicas_available
    - kube_statefulset_status_replicas_ready
  node-exporter:
    enabled: true
    keep:
    - node_boot_time_seconds
    - node_cpu_seconds_total
    - node_disk_io_time_seconds_total
    - node_disk_read_bytes_total
    - node_disk_written_bytes_total
    - node_filesystem_avail_bytes
    - node_filesystem_size_bytes
    - node_load1
    - node_load15
    - node_load5
    - node_memory_MemAvailable_bytes
    - node_memory_MemTotal_bytes
    - node_network_receive_bytes_total
    - node_network_receive_drop_total
    - node_network_transmit_bytes_total
    - node_network_transmit_drop_total
    - node_time_seconds
    - node_uname_info
  apiserver:
    enabled: true
    keep:
    - apiserver_client_certificate_expiration_seconds_bucket
    - apiserver_current_inflight_requests
    - apiserver_flowcontrol_request_execution_seconds_bucket
    - apiserver_flowcontrol_request_execution_seconds_count
    - apiserver_flowcontrol_request_execution_seconds_sum
    - apiserver_request_total
    - apiserver_storage_size_bytes
    - process_cpu_seconds_total
    - process_resident_memory_bytes
  coredns:
    enabled: true
    keep:
    - coredns_cache_hits_total
    - coredns_cache_misses_total
    - coredns_cache_requests_total
    - coredns_dns_request_duration_seconds_bucket
    - coredns_dns_request_duration_seconds_count
    - coredns_dns_request_duration_seconds_sum
    - coredns_dns_requests_total
    - coredns_dns_responses_total
    - process_cpu_seconds_total
    - process_resident_memory_bytes
  pushgateway:
    enabled: true
    keep: []
    interval: 5s
  alertmanager:
    enabled: true
    keep:
    - alertmanager_config_last_reload_successful
    - alertmanager_notifications_failed_total
    - alertmanager_notifications_total
    - process_cpu_seconds_total
    - process_resident_memory_bytes
  prometheus:
    enabled: true
    keep:
    - process_cpu_seconds_total
    - process_resident_memory_bytes
    - prometheus_build_info
    - prometheus_config_last_reload_successful
    - prometheus_notifications_dropped_total
    - prometheus_remote_storage_queue_highest_sent_timestamp_seconds
    - prometheus_remote_storage_queue_highest_timestamp_seconds
    - prometheus_remote_storage_samples_failed_total
    - prometheus_remote_storage_samples_pending
    - prometheus_rule_evaluation_failures_total
    - prometheus_rule_group_interval_seconds
    - prometheus_rule_group_last_duration_seconds
    - prometheus_target_scrapes_exceeded_sample_limit_total
    - prometheus_tsdb_head_samples_appended_total
    - prometheus_tsdb_head_series
    - prometheus_tsdb_storage_blocks_bytes
    - prometheus_tsdb_wal_corruptions_total
  pods:
    enabled: true
    keep: []
  services:
    enabled: true
    keep: []
fileSd: []
httpSd: []
extraScrapeConfigs: []
kubeStateMetrics:
  enabled: true
  image:
    registry: registry.k8s.io
    repository: kube-state-metrics/kube-state-metrics
    tag: v2.15.0
    digest: ''
    pullPolicy: IfNotPresent
  extraResources: []
  labelsAllowlist: {}
  extraArgs: []
  env: {}
  resources: {}
  podAnnotations: {}
  priorityClassName: ''
  nodeSelector: {}
  tolerations: []
  affinity: {}
nodeExporter:
  enabled: true
  image:
    registry: quay.io
    repository: prometheus/node-exporter
    tag: v1.12.1
    digest: ''
    pullPolicy: IfNotPresent
  port: 9100
  extraCollectors: []
  extraArgs:
  - --collector.diskstats.device-exclude=^(((s|h|v|xv|ub|das)d[a-z]+|(mmcblk[0-9]+|nvme[0-9]+n[0-9]+|pmem[0-9]+|(cciss|ida)!.+)p)[0-9]+|mmcblk[0-9]+(boot[0-9]+|gp[0-9]+(p[0-9]+)?|rpmb)|nvme[0-9]+c[0-9]+n[0-9]+(p[0-9]+)?|(dm-|mapper/|md|bcache|drbd|zd[0-9]).*|(loop|ram|zram).*|(nbd|rbd).*|(sr|fd).*)$
  - --collector.filesystem.fs-types-exclude=^(bpf|configfs|debugfs|devpts|fusectl|mqueue|procfs|pstore|securityfs|selinuxfs|tracefs|tmpfs|ramfs|devtmpfs|hugetlbfs|overlay|aufs|unionfs|shiftfs|fuse([.].+)?|squashfs|erofs|cramfs|romfs|iso9660|udf|nfs.*|cifs|smb.*|afs|9p|virtiofs|vboxsf|ceph|glusterfs|lustre|beegfs|gfs2|ocfs2|nsfs|proc|sysfs|cgroup.*|rpc_pipefs|efivarfs|autofs|binfmt_misc)$
  - --collector.filesystem.mount-points-exclude=^/(dev|proc|run|sys|var/lib/(containerd|containers|docker|kubelet|rancher)/.+)($|/)
  - --collector.netdev.device-exclude=^(lo|(veth|cali|cilium|lxc|azv|gke|vif|tap|macvtap|vnet|ve-|vb-|fwpr|fwln|bpfin|bpfout).*|eni[0-9a-f]{8,}|[0-9a-f]{12}_[ch]|[0-9a-f]{15}|(br|virbr|vmbr|fwbr|l4tbr|lxdbr|incusbr|xenbr|docker|podman|cni|cbr|kube|weave|datapath|ovs|ovn|antrea|vmnet|vboxnet).*|(bond|team).*|(vlan|macvlan|ipvlan|vrf|ifb).*|.+[.][0-9]+|(flannel|vxlan|vx-|geneve|genev_|tun|utun|sit|gre|erspan|ip6gre|ip6tnl|ipip|vti|ip_vti|ip6_vti|xfrm|ipsec).*|(wg|wireguard|tailscale|nebula|nordlynx|kilo).*|zt[0-9a-z]{6,}|wt[0-9]+|(dummy|nodelocal|nlmon|teql|vcan).*)$
  env: {}
  resources: {}
  podAnnotations: {}
  priorityClassName: ''
  nodeSelector: {}
  tolerations:
  - operator: Exists
  affinity: {}
pushgateway:
  enabled: true
  image:
    registry: quay.io
    repository: prometheus/pushgateway
    tag: v1.11.3
    digest: ''
    pullPolicy: IfNotPresent
  persistence:
    enabled: false
    size: 64Mi
    storageClass: ''
    interval: 1m
  service:
    type: ClusterIP
    port: 9091
    nodePort: 0
    annotations: {}
  extraArgs: []
  env: {}
  resources: {}
  podAnnotations: {}
  priorityClassName: ''
  nodeSelector: {}
  tolerations: []
  affinity: {}
alertmanager:
  enabled: false
  image:
    registry: quay.io
    repository: prometheus/alertmanager
    tag: v0.31.1
    digest: ''
    pullPolicy: IfNotPresent
  config: {}
  secrets: []
  snapshotInterval: 10s
  persistence:
    enabled: true
    size: 64Mi
    storageClass: ''
    keep: true
  service:
    type: ClusterIP
    port: 9093
    nodePort: 0
    annotations: {}
  externalUrl: ''
  extraArgs: []
  env: {}
  resources: {}
  podAnnotations: {}
  priorityClassName: ''
  nodeSelector: {}
  tolerations: []
  affinity: {}
{{- end -}}
