{{- define "ms.name" -}}
{{- .Values.fullnameOverride | default .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "ms.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ms.labels" -}}
{{ include "ms.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ms.metadata" -}}
name: {{ include "ms.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "ms.labels" . | nindent 2 }}
{{- end -}}

{{/* What a binding gives to the pod. Takes (list $ "Role"|"ClusterRole" name). */}}
{{- define "ms.subject" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "ms.name" (first .) }}
    namespace: {{ (first .).Release.Namespace }}
{{- end -}}
