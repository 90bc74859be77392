{{/* Written by charts/docs.py from values.yaml. */}}
{{- define "compss.defaults" -}}
fullnameOverride: ''
engine: compss
run: '1'
image:
  repository: ''
  tag: ''
  digest: ''
  pullPolicy: IfNotPresent
imagePullSecrets: []
commonLabels: {}
app:
  context:
    folderPath: /app
    file: matmul.py
  params: {}
  args: []
  source:
    files: {}
    binaryFiles: {}
    executables: []
    archive: ''
    configMap: ''
    claim: ''
    git:
      repository: ''
      revision: HEAD
      image: docker.io/alpine/git:2.49.1
compss:
  master:
    kind: Job
    retries: 2
    timeLimit: 0
    schedule: ''
    timeZone: ''
    suspend: false
    ttlSecondsAfterFinished: -1
    workerTimeout: 300
    volume:
      localPath: ''
      node: ''
    resources: {}
    scheduler: es.bsc.compss.scheduler.lookahead.locality.LocalityTS
    stateInterval: 1000
    options:
    - -g
    env: {}
    envFrom: []
    extraVolumes: []
    extraVolumeMounts: []
    initContainers: []
    labels: {}
    runtimeClassName: ''
    serviceAccountName: ''
    nodeSelector: {}
    tolerations: []
    affinity: {}
    priorityClassName: ''
    podAnnotations: {}
  worker:
    number: 2
    max: 0
    labels: {}
    resources:
      cpu: 1
      memory: 1
    computingUnits: 0
    memoryType: ''
    volume:
      size: ''
      storageClass: ''
    architecture: amd64
    constraints: {}
    podAntiAffinityPreset: soft
    otherApplicationsPreset: none
    nodeSelector: {}
    tolerations: []
    priorityClassName: ''
    podAnnotations: {}
    env: {}
    envFrom: []
    extraVolumes: []
    extraVolumeMounts: []
    initContainers: []
    runtimeClassName: ''
    serviceAccountName: ''
    topologySpreadConstraints: []
    drainSeconds: 30
    qos:
      template: ''
      min: 0
      limits: {}
  pools: []
  storage:
    implementation: ''
    configuration: ''
    secretName: ''
  queue: ''
  keepWorkers: false
  scratchSize: 1Gi
deadlines: {}
results:
  enabled: true
  existingClaim: ''
  size: 1Gi
  storageClass: ''
  accessModes:
  - ReadWriteOnce
  keep: true
monitoring:
  enabled: true
  port: 15000
  prometheusUrl: http://prometheus-server.monitoring.svc:9090
  pushgatewayUrl: http://prometheus-pushgateway.monitoring.svc:9091
  discovery: annotations
  scrapeInterval: 10s
  servicemonitor:
    releaseName: ''
  linger: 40
  buckets:
  - 0.005
  - 0.01
  - 0.025
  - 0.05
  - 0.1
  - 0.25
  - 0.5
  - 1
  - 2.5
  - 5
  - 10
  - 30
  - 60
  - 300
  maxNames: 100
  image:
    repository: ghcr.io/continuum-edge/compss-monitoring
    tag: ''
    digest: ''
    pullPolicy: IfNotPresent
  resources: {}
redis:
  image:
    repository: docker.io/library/redis
    tag: '7.0.15'
    digest: ''
    pullPolicy: IfNotPresent
  resources: {}
ssh:
  existingSecret: ''
  server: /usr/sbin/sshd
podDisruptionBudget:
  enabled: true
networkPolicy:
  enabled: true
  from: []
podSecurityContext: {}
containerSecurityContext: {}
{{- end -}}
