{{/* Written by charts/docs.py from values.yaml. */}}
{{- define "orchestrator.defaults" -}}
fullnameOverride: ''
image:
  registry: ghcr.io
  repository: continuum-edge/orchestrator
  tag: ''
  digest: ''
  pullPolicy: IfNotPresent
imagePullSecrets: []
commonLabels: {}
templates:
- type: app-compss
  guaranteeName: DeadlinesMissed_1
  maxAllowed: 0
  action: scale_out
  scaleFactor: 1.5
  guarantees:
  - name: deadlines_missed
    constraint: deadlines_missed < 1
budgets: {}
monitoringApiUrl: http://monitoring-api:8080
viewer: true
look: 3
timeout: 5
networkPolicy:
  enabled: true
  from: []
discovery: annotations
resources: {}
podSecurityContext: {}
containerSecurityContext: {}
podAnnotations: {}
priorityClassName: ''
nodeSelector: {}
tolerations: []
affinity: {}
{{- end -}}
