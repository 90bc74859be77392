{{/* Every template begins with this: it puts back what `null` took away, a block of free keys as an empty one. */}}
{{- define "tenant.prepare" -}}
{{- include "tenant.complete" (list .Values (include "tenant.defaults" . | fromYaml)) -}}
{{- end -}}

{{/* Takes (list mapping defaults). */}}
{{- define "tenant.complete" -}}
{{- $mapping := first . -}}
{{- range $key, $default := last . -}}
{{- $value := get $mapping $key -}}
{{- if or (not (hasKey $mapping $key)) (kindIs "invalid" $value) -}}
{{- $_ := set $mapping $key $default -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $default) -}}
{{- include "tenant.complete" (list $value $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "tenant.namespace" -}}
{{- .Values.namespace | default .Release.Name -}}
{{- end -}}

{{/* The chart's own labels stay: what carries them is the operator's. */}}
{{- define "tenant.labels" -}}
{{- $labels := dict "app.kubernetes.io/name" .Chart.Name "app.kubernetes.io/instance" .Release.Name -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_") -}}
{{- toYaml (mergeOverwrite (deepCopy .Values.commonLabels) $labels) -}}
{{- end -}}

{{/* Of an object in the team's namespace. Takes (list $ name). */}}
{{- define "tenant.metadata" -}}
name: {{ last . }}
namespace: {{ include "tenant.namespace" (first .) | quote }}
labels:
  {{- include "tenant.labels" (first .) | nindent 2 }}
{{- end -}}

{{/* Of an object of the whole cluster. */}}
{{- define "tenant.clusterMetadata" -}}
name: {{ printf "tenant-%s" (include "tenant.namespace" .) | quote }}
labels:
  {{- include "tenant.labels" . | nindent 2 }}
{{- end -}}

{{/* The accounts are where nobody of the team may make tokens, or pods that have one. Takes (list $ names). */}}
{{- define "tenant.subjects" -}}
{{- $root := first . -}}
{{- range last . }}
- kind: ServiceAccount
  name: {{ printf "%s.%s" (include "tenant.namespace" $root) . | quote }}
  namespace: {{ $root.Release.Namespace | quote }}
{{- end }}
{{- end -}}
