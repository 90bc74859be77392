{{/* Every template begins with this: it puts back what `null` took away, a block of free keys as an empty one. */}}
{{- define "orchestrator.prepare" -}}
{{- include "orchestrator.complete" (list .Values (include "orchestrator.defaults" . | fromYaml)) -}}
{{- end -}}

{{/* Takes (list mapping defaults). */}}
{{- define "orchestrator.complete" -}}
{{- $mapping := first . -}}
{{- range $key, $default := last . -}}
{{- $value := get $mapping $key -}}
{{- if or (not (hasKey $mapping $key)) (kindIs "invalid" $value) -}}
{{- $_ := set $mapping $key $default -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $default) -}}
{{- include "orchestrator.complete" (list $value $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A Service's name begins with a letter. Two names that differ stay two where they are shortened. */}}
{{- define "orchestrator.name" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if regexMatch "^[^a-z]" $name -}}{{- $name = printf "orchestrator-%s" $name -}}{{- end -}}
{{- if gt (len $name) 50 -}}
{{- $name = printf "%s-%s" ($name | trunc 43 | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{- define "orchestrator.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* The chart's own labels stay: selectors look for them. */}}
{{- define "orchestrator.labels" -}}
{{- $labels := include "orchestrator.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) $labels) -}}
{{- end -}}

{{- define "orchestrator.metadata" -}}
name: {{ include "orchestrator.name" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "orchestrator.labels" . | nindent 2 }}
{{- end -}}

{{/* What a binding gives to the pod. Takes (list $ "Role"|"ClusterRole" name). */}}
{{- define "orchestrator.subject" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ index . 1 }}
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "orchestrator.name" (first .) | quote }}
    namespace: {{ (first .).Release.Namespace | quote }}
{{- end -}}
