{{/* Written by charts/docs.py from values.yaml. */}}
{{- define "metrics-server.defaults" -}}
fullnameOverride: ''
image:
  registry: registry.k8s.io
  repository: metrics-server/metrics-server
  tag: ''
  digest: ''
  pullPolicy: IfNotPresent
imagePullSecrets: []
commonLabels: {}
replicas: 1
kubeletInsecureTls: false
kubeletPreferredAddressTypes:
- InternalIP
- ExternalIP
- Hostname
metricResolution: 15s
extraArgs: []
tls:
  existingSecret: ''
  caBundle: ''
networkPolicy:
  enabled: true
env: {}
resources: {}
podSecurityContext: {}
containerSecurityContext: {}
podAnnotations: {}
priorityClassName: system-cluster-critical
nodeSelector: {}
tolerations: []
affinity: {}
{{- end -}}
