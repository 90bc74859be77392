{{/* Written by charts/docs.py from values.yaml. */}}
{{- define "tenant.defaults" -}}
namespace: ''
commonLabels: {}
scientists: []
viewers: []
quota: {}
limits:
  default: {}
  defaultRequest: {}
  max: {}
priorityClasses: []
platformNamespace: monitoring
apiServer:
  cidrs: []
  port: 6443
egress: []
{{- end -}}
