{{/* Every template begins with this: it puts back what `null` took away, a block of free keys as an empty one. */}}
{{- define "metrics-server.prepare" -}}
{{- include "metrics-server.complete" (list .Values (include "metrics-server.defaults" . | fromYaml)) -}}
{{- end -}}

{{/* Takes (list mapping defaults). */}}
{{- define "metrics-server.complete" -}}
{{- $mapping := first . -}}
{{- range $key, $default := last . -}}
{{- $value := get $mapping $key -}}
{{- if or (not (hasKey $mapping $key)) (kindIs "invalid" $value) -}}
{{- $_ := set $mapping $key $default -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $default) -}}
{{- include "metrics-server.complete" (list $value $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A Service's name begins with a letter. Two names that differ stay two where they are shortened. */}}
{{- define "metrics-server.name" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if regexMatch "^[^a-z]" $name -}}{{- $name = printf "ms-%s" $name -}}{{- end -}}
{{- if gt (len $name) 50 -}}
{{- $name = printf "%s-%s" ($name | trunc 43 | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "metrics-server.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The chart's own labels stay: selectors look for them. */}}
{{- define "metrics-server.labels" -}}
{{- $labels := include "metrics-server.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) $labels) -}}
{{- end -}}

{{- define "metrics-server.metadata" -}}
name: {{ include "metrics-server.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "metrics-server.labels" . | nindent 2 }}
{{- end -}}

{{/* What a binding gives to the pod. Takes (list $ "Role"|"ClusterRole" name). */}}
{{- define "metrics-server.subject" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "metrics-server.name" (first .) | quote }}
    namespace: {{ (first .).Release.Namespace | quote }}
{{- end -}}
