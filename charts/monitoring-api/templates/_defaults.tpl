{{/* Written by charts/docs.py from values.yaml. */}}
{{- define "monitoring-api.defaults" -}}
fullnameOverride: ''
image:
  registry: ghcr.io
  repository: continuum-edge/monitoring-api
  tag: ''
  digest: ''
  pullPolicy: IfNotPresent
imagePullSecrets: []
commonLabels: {}
replicas: 1
catalogue: '{"metrics": [], "exporters": []}'
existingCatalogue: ''
backend: prometheus
prometheusUrl: http://prometheus-server:9090
applicationUrl: http://{name}.{namespace}.svc:15000
cluster: ''
authentication: true
viewerRole: true
limits:
  timeout: 5
  rate: 100
  burst: 200
  metrics: 100
  points: 2000
  streams: 2000
service:
  type: NodePort
  port: 8080
  nodePort: 31002
networkPolicy:
  enabled: true
  from: []
resources: {}
podSecurityContext: {}
containerSecurityContext: {}
podAnnotations: {}
priorityClassName: ''
nodeSelector: {}
tolerations: []
affinity: {}
{{- end -}}
