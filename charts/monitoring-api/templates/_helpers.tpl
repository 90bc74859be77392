{{/* Every template begins with this: it puts back what `null` took away, a block of free keys as an empty one. */}}
{{- define "monitoring-api.prepare" -}}
{{- include "monitoring-api.complete" (list .Values (include "monitoring-api.defaults" . | fromYaml)) -}}
{{- end -}}

{{/* Takes (list mapping defaults). */}}
{{- define "monitoring-api.complete" -}}
{{- $mapping := first . -}}
{{- range $key, $default := last . -}}
{{- $value := get $mapping $key -}}
{{- if or (not (hasKey $mapping $key)) (kindIs "invalid" $value) -}}
{{- $_ := set $mapping $key $default -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $default) -}}
{{- include "monitoring-api.complete" (list $value $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A Service's name begins with a letter. Two names that differ stay two where they are shortened. */}}
{{- define "monitoring-api.name" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if regexMatch "^[^a-z]" $name -}}{{- $name = printf "api-%s" $name -}}{{- end -}}
{{- if gt (len $name) 50 -}}
{{- $name = printf "%s-%s" ($name | trunc 43 | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "monitoring-api.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The chart's own labels stay: selectors look for them. */}}
{{- define "monitoring-api.labels" -}}
{{- $labels := include "monitoring-api.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) $labels) -}}
{{- end -}}

{{- define "monitoring-api.metadata" -}}
name: {{ include "monitoring-api.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "monitoring-api.labels" . | nindent 2 }}
{{- end -}}

{{/* What a binding gives to the pod. Takes (list $ "Role"|"ClusterRole" name). */}}
{{- define "monitoring-api.subject" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "monitoring-api.name" (first .) | quote }}
    namespace: {{ (first .).Release.Namespace | quote }}
{{- end -}}
