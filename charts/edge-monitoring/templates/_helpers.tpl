{{/* Every template begins with this: it puts back what `null` took away, a block of free keys as an empty one. */}}
{{- define "edge-monitoring.prepare" -}}
{{- include "edge-monitoring.complete" (list .Values (include "edge-monitoring.defaults" . | fromYaml)) -}}
{{- end -}}

{{/* Takes (list mapping defaults). */}}
{{- define "edge-monitoring.complete" -}}
{{- $mapping := first . -}}
{{- range $key, $default := last . -}}
{{- $value := get $mapping $key -}}
{{- if or (not (hasKey $mapping $key)) (kindIs "invalid" $value) -}}
{{- $_ := set $mapping $key $default -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $default) -}}
{{- include "edge-monitoring.complete" (list $value $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A Service's name begins with a letter. Two names that differ stay two where they are shortened. */}}
{{- define "edge-monitoring.fullname" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if regexMatch "^[^a-z]" $name -}}{{- $name = printf "em-%s" $name -}}{{- end -}}
{{- if gt (len $name) 40 -}}
{{- $name = printf "%s-%s" ($name | trunc 33 | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* Name of a component's objects. Takes (list $ "component"). */}}
{{- define "edge-monitoring.name" -}}
{{- printf "%s-%s" (include "edge-monitoring.fullname" (first .)) (last .) -}}
{{- end -}}

{{- define "edge-monitoring.selector" -}}
app.kubernetes.io/name: {{ (first .).Chart.Name }}
app.kubernetes.io/instance: {{ (first .).Release.Name | quote }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{/* The chart's own labels stay: selectors look for them. */}}
{{- define "edge-monitoring.labels" -}}
{{- $root := first . -}}
{{- $labels := include "edge-monitoring.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- toYaml (mergeOverwrite (deepCopy $root.Values.commonLabels) $labels) -}}
{{- end -}}

{{- define "edge-monitoring.metadata" -}}
name: {{ include "edge-monitoring.name" . }}
namespace: {{ (first .).Release.Namespace | quote }}
labels:
  {{- include "edge-monitoring.labels" . | nindent 2 }}
{{- end -}}

{{/* Metadata of an object outside namespaces: its name tells two releases apart. */}}
{{- define "edge-monitoring.clusterMetadata" -}}
name: {{ printf "%s-%s" (first .).Release.Namespace (include "edge-monitoring.name" .) }}
labels:
  {{- include "edge-monitoring.labels" . | nindent 2 }}
{{- end -}}

{{/* A ClusterRole's binding to the component's ServiceAccount. */}}
{{- define "edge-monitoring.clusterRoleBinding" -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  {{- include "edge-monitoring.clusterMetadata" . | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: {{ printf "%s-%s" (first .).Release.Namespace (include "edge-monitoring.name" .) }}
subjects:
  - kind: ServiceAccount
    name: {{ include "edge-monitoring.name" . }}
    namespace: {{ (first .).Release.Namespace | quote }}
{{- end -}}

{{/* Only pods that talk to the API get a token, and they ask for it themselves. */}}
{{- define "edge-monitoring.serviceAccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "edge-monitoring.metadata" . | nindent 2 }}
automountServiceAccountToken: false
{{- end -}}

{{/* Takes (list $ image). */}}
{{- define "edge-monitoring.image" -}}
{{- $root := first . -}}
{{- $image := last . -}}
{{- $name := printf "%s/%s" ($root.Values.imageRegistry | default $image.registry) $image.repository -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* What every pod template starts with. Takes (list $ component-values "component" token?). */}}
{{- define "edge-monitoring.podSpec" -}}
{{- $root := index . 0 -}}
{{- $component := index . 1 -}}
serviceAccountName: {{ include "edge-monitoring.name" (list $root (index . 2)) }}
automountServiceAccountToken: {{ index . 3 }}
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $component.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- end -}}

{{/* What every container starts with. Takes (list $ component-values). */}}
{{- define "edge-monitoring.container" -}}
{{- $root := first . -}}
{{- $component := last . -}}
image: {{ include "edge-monitoring.image" (list $root $component.image) }}
imagePullPolicy: {{ $component.image.pullPolicy }}
securityContext:
  {{- toYaml $root.Values.containerSecurityContext | nindent 2 }}
{{- with $component.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "edge-monitoring.env" -}}
{{- range $name, $value := . }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{/* Takes (list $ service-values "component"). */}}
{{- define "edge-monitoring.service" -}}
{{- $service := index . 1 -}}
{{- $id := list (index . 0) (index . 2) -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "edge-monitoring.metadata" $id | nindent 2 }}
  {{- with $service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ $service.type }}
  selector:
    {{- include "edge-monitoring.selector" $id | nindent 4 }}
  ports:
    - name: http
      port: {{ $service.port }}
      targetPort: http
      {{- if and (ne $service.type "ClusterIP") $service.nodePort }}
      nodePort: {{ $service.nodePort }}
      {{- end }}
{{- end -}}

{{/* Of a table "what: prefix of its metrics", the names that a keep list reads; all of them where it is empty.
     Takes (list table keep extra); returns JSON. */}}
{{- define "edge-monitoring.feeding" -}}
{{- $keep := index . 1 -}}
{{- $names := index . 2 -}}
{{- range $name, $prefixes := index . 0 -}}
{{- range $prefix := splitList " " $prefixes -}}
{{- range $metric := $keep -}}
{{- if or (hasPrefix $prefix $metric) (eq (trimSuffix "_" $prefix) $metric) -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $keep -}}{{- $names = append $names $name -}}{{- end -}}
{{- end -}}
{{- $names | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* What Prometheus reads, and its check before an upgrade, which has a configuration of its own.
     The volumes take (list $ "" or "-check"). */}}
{{- define "edge-monitoring.prometheusMounts" -}}
- {name: config, mountPath: /etc/prometheus/config, readOnly: true}
- {name: rules, mountPath: /etc/prometheus/rules, readOnly: true}
- {name: targets, mountPath: /etc/prometheus/targets, readOnly: true}
{{- range .Values.fileSd }}
{{- if .configMap }}
- {name: file-sd-{{ .job }}, mountPath: /etc/prometheus/file_sd/{{ .job }}, readOnly: true}
{{- end }}
{{- end }}
{{- range .Values.prometheus.secrets }}
- {name: secret-{{ . }}, mountPath: /etc/prometheus/secrets/{{ . }}, readOnly: true}
{{- end }}
{{- end -}}

{{- define "edge-monitoring.prometheusVolumes" -}}
{{- $root := first . -}}
{{- $check := last . -}}
- name: config
  configMap: {name: {{ include "edge-monitoring.name" (list $root "server") }}{{ $check }}}
- name: rules
  configMap: {name: {{ $root.Values.prometheus.existingRules | default (include "edge-monitoring.name" (list $root "rules")) }}}
- name: targets
  configMap: {name: {{ include "edge-monitoring.name" (list $root "targets") }}}
{{- range $root.Values.fileSd }}
{{- if .configMap }}
- name: file-sd-{{ .job }}
  configMap: {name: {{ .configMap }}, optional: true}
{{- end }}
{{- end }}
{{- range $root.Values.prometheus.secrets }}
- name: secret-{{ . }}
  secret: {secretName: {{ . }}}
{{- end }}
{{- end -}}

{{/* The data of the ConfigMap of its configuration. Without the end of its last line (|-, here and wherever text ends a
document): Helm's program keeps it, Flux does not, and each would undo the other. */}}
{{- define "edge-monitoring.prometheusConfig" -}}
prometheus.yml: |-
  global:
    scrape_interval: {{ .Values.scrape.interval }}
    {{- with .Values.scrape.timeout }}
    scrape_timeout: {{ . }}
    {{- end }}
    evaluation_interval: {{ .Values.scrape.interval }}
    external_labels:
      {{- range $name, $value := merge (dict "cluster" .Values.cluster) .Values.prometheus.externalLabels }}
      {{- /* Prometheus expands $ here, too. */}}
      {{ $name }}: {{ $value | replace "$" "$$" | quote }}
      {{- end }}
  {{- if not .Values.prometheus.agent }}
  rule_files:
    - /etc/prometheus/rules/*.yml
  {{- $alertmanagers := .Values.prometheus.alertmanagers }}
  {{- if .Values.alertmanager.enabled }}
  {{- $address := printf "%s.%s.svc:%v" (include "edge-monitoring.name" (list . "alertmanager")) .Release.Namespace .Values.alertmanager.service.port }}
  {{- $alertmanagers = append $alertmanagers $address }}
  {{- end }}
  {{- with $alertmanagers }}
  alerting:
    alertmanagers:
      - static_configs:
          - targets:
              {{- toYaml . | nindent 14 }}
  {{- end }}
  {{- end }}
  scrape_configs:
    {{- include "edge-monitoring.scrapeConfigs" . | nindent 4 }}
  {{- with .Values.prometheus.remoteWrite }}
  remote_write:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.prometheus.otlp.enabled }}
  otlp:
    promote_resource_attributes:
      {{- toYaml .Values.prometheus.otlp.promoteResourceAttributes | nindent 6 }}
  storage:
    tsdb:
      out_of_order_time_window: {{ .Values.prometheus.otlp.outOfOrderTimeWindow }}
  {{- end }}
{{- end -}}

{{/* The data of the ConfigMap of Alertmanager's configuration. */}}
{{- define "edge-monitoring.alertmanagerConfig" -}}
alertmanager.yml: |-
  {{- $nobody := dict "route" (dict "receiver" "nobody") "receivers" (list (dict "name" "nobody")) }}
  {{- toYaml (merge (deepCopy .Values.alertmanager.config) $nobody) | nindent 2 }}
{{- end -}}
