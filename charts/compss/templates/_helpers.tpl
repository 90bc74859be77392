{{/* Every template begins with this: it puts back what `null` took away, a block of free keys as an empty one. */}}
{{- define "compss.prepare" -}}
{{- include "compss.complete" (list .Values (include "compss.defaults" . | fromYaml)) -}}
{{- end -}}

{{/* Takes (list mapping defaults). */}}
{{- define "compss.complete" -}}
{{- $mapping := first . -}}
{{- range $key, $default := last . -}}
{{- $value := get $mapping $key -}}
{{- if or (not (hasKey $mapping $key)) (kindIs "invalid" $value) -}}
{{- $_ := set $mapping $key $default -}}
{{- else if and (kindIs "map" $value) (kindIs "map" $default) -}}
{{- include "compss.complete" (list $value $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* A Service's name begins with a letter. Two names that differ stay two where they are shortened. */}}
{{- define "compss.name" -}}
{{- $name := .Values.fullnameOverride | default .Release.Name -}}
{{- if regexMatch "^[^a-z]" $name -}}{{- $name = printf "app-%s" $name -}}{{- end -}}
{{- if gt (len $name) 30 -}}
{{- $name = printf "%s-%s" ($name | trunc 23 | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* What is run: other values, or another chart, are another run, with a Job and with workers of its own. */}}
{{- define "compss.run" -}}
{{- printf "%s%s" .Chart.Version (toJson .Values) | sha256sum | trunc 6 -}}
{{- end -}}

{{- define "compss.runName" -}}
{{- printf "%s-%s" (include "compss.name" .) (include "compss.run" .) -}}
{{- end -}}

{{- define "compss.workersName" -}}
{{- printf "%s-workers" (include "compss.name" .) -}}
{{- end -}}

{{/* Selector of a component's pods. Takes (list $ "component"). */}}
{{- define "compss.selector" -}}
app.kubernetes.io/name: {{ (first .).Chart.Name }}
app.kubernetes.io/instance: {{ (first .).Release.Name | quote }}
app.kubernetes.io/component: {{ last . }}
{{- end -}}

{{/* Takes (list $ "component"), and labels of the user's and then of the chart's own: what selectors look for stays. */}}
{{- define "compss.labels" -}}
{{- $root := first . -}}
{{- $labels := include "compss.selector" (list $root (index . 1)) | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_") -}}
{{- if gt (len .) 3 -}}{{- $labels = mergeOverwrite $labels (index . 3) -}}{{- end -}}
{{- $given := deepCopy $root.Values.commonLabels -}}
{{- if gt (len .) 2 -}}{{- $given = mergeOverwrite $given (index . 2) -}}{{- end -}}
{{- toYaml (mergeOverwrite $given $labels) -}}
{{- end -}}

{{/* Takes (list $ "component" "name"). */}}
{{- define "compss.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 | quote }}
namespace: {{ $root.Release.Namespace | quote }}
labels:
  {{- include "compss.labels" (list $root (index . 1)) | nindent 2 }}
{{- end -}}

{{/* Takes an image: repository, tag, digest. */}}
{{- define "compss.image" -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ .tag }}{{- end -}}
{{- end -}}

{{- define "compss.engineImage" -}}
{{- $own := dict
  "compss" (dict "repository" "docker.io/compss/compss" "tag" "3.3")
  "dask" (dict "repository" "ghcr.io/continuum-edge/pycompss-dask" "tag" .Chart.AppVersion) -}}
{{- $engine := get $own .Values.engine -}}
{{- $image := .Values.image -}}
{{- include "compss.image" (dict
  "repository" ($image.repository | default $engine.repository)
  "tag" ($image.tag | default $engine.tag)
  "digest" $image.digest) -}}
{{- end -}}

{{/* The school's charts have a program of another interface there. */}}
{{- define "compss.foreignMonitoring" -}}
{{- if regexMatch "(^|/)monitoring-api$" .Values.monitoring.image.repository }}true{{ end -}}
{{- end -}}

{{- define "compss.monitoringImage" -}}
{{- $image := .Values.monitoring.image -}}
{{- if include "compss.foreignMonitoring" . -}}
{{- $image = (include "compss.defaults" . | fromYaml).monitoring.image -}}
{{- end -}}
{{- include "compss.image" (merge (dict "tag" ($image.tag | default .Chart.AppVersion)) $image) -}}
{{- end -}}

{{/* A scalar as a command line has it: Helm reads every number as a float and writes 1000000 as 1e+06, and from 2^53 on
     as another number. Kubernetes would replace $(NAME) in arguments. */}}
{{- define "compss.argument" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{- if or (ge . 9007199254740992.0) (le . -9007199254740992.0) -}}
{{- fail (printf "a number is %.0f or another one near it: Helm keeps only 53 bits. Expected it in quotes, as a text" .) -}}
{{- end -}}{{ printf "%.0f" . }}{{- else -}}{{ toString . | replace "$(" "$$(" }}{{- end -}}
{{- end -}}

{{/* Cores of a quantity such as 2, 0.5 or 500m. */}}
{{- define "compss.cores" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}{{ divf (trimSuffix "m" $text | float64) 1000 }}{{- else -}}{{ float64 $text }}{{- end -}}
{{- end -}}

{{/* The pools of workers with all that follows from their values, as a JSON list. */}}
{{- define "compss.pools" -}}
{{- $root := . -}}
{{- $pools := list -}}
{{- range $pool := prepend .Values.compss.pools (dict "name" "worker") -}}
{{- /* Room to grow, and who decides about it, is each pool's own. */ -}}
{{- $own := ternary $root.Values.compss.worker $pool (eq $pool.name "worker") -}}
{{- $pool = mergeOverwrite (omit (deepCopy $root.Values.compss.worker) "qos") $pool (dict "max" ($own.max | default 0) "qos" ($own.qos | default dict)) -}}
{{- $_ := set $pool "devices" dict -}}
{{- range $kind, $pattern := dict "GPU" "/(gpu|gpu[.]shared|mig-.+)$|^gpu[.]intel[.]com/(i915|xe)$" "FPGA" "^[^/]*fpga[^/]*/|/fpga" -}}
{{- range $name, $amount := $pool.resources -}}
{{- if and (regexMatch $pattern $name) (gt ($amount | int) 0) -}}
{{- $_ := set $pool.devices $kind (add (get $pool.devices $kind | default 0) ($amount | int)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if lt ($pool.max | int) ($pool.number | int) -}}{{- $_ := set $pool "max" $pool.number -}}{{- end -}}
{{- $cores := include "compss.cores" $pool.resources.cpu | float64 -}}
{{- $units := $pool.computingUnits | default (max 1 (floor $cores)) | int -}}
{{- $_ := set $pool "units" $units -}}
{{- $_ := set $pool "fullname" (printf "%s-%s" (include "compss.runName" $root) $pool.name) -}}
{{- $limits := mergeOverwrite (omit $pool.resources "requests") (dict
  "cpu" (toString $pool.resources.cpu) "memory" (printf "%.0fMi" (mulf (float64 $pool.resources.memory) 1024.0))) -}}
{{- $requests := mergeOverwrite (deepCopy $limits) ($pool.resources.requests | default dict) -}}
{{- $_ := set $pool "container" (dict "requests" $requests "limits" $limits) -}}
{{- $pools = append $pools $pool -}}
{{- end -}}
{{- toJson $pools -}}
{{- end -}}

{{/* Number of workers to wait for. */}}
{{- define "compss.number" -}}
{{- $number := 0 -}}
{{- range include "compss.pools" . | fromJsonArray }}{{ $number = add $number (.number | int) }}{{ end -}}
{{- $number -}}
{{- end -}}

{{/* Whether the workers wait for somebody to start them: the master of a schedule, or the end of a suspension. */}}
{{- define "compss.resting" -}}
{{- if or .Values.compss.master.schedule .Values.compss.master.suspend }}true{{ end -}}
{{- end -}}

{{/* Labels and annotations by which Kueue sees master and workers as one group of pods. */}}
{{- define "compss.queueLabels" -}}
{{- with .Values.compss.queue -}}
{{- toJson (dict "kueue.x-k8s.io/queue-name" . "kueue.x-k8s.io/pod-group-name" (include "compss.runName" $)) -}}
{{- else -}}{}{{- end -}}
{{- end -}}

{{- define "compss.queueAnnotations" -}}
{{- if .Values.compss.queue -}}
kueue.x-k8s.io/pod-group-total-count: {{ include "compss.number" . | int | add 1 | quote }}
{{- end -}}
{{- end -}}

{{/* Account of the master's pod; empty where it needs none. */}}
{{- define "compss.masterAccount" -}}
{{- if .Values.compss.master.serviceAccountName -}}
{{- .Values.compss.master.serviceAccountName -}}
{{- else if .Values.monitoring.enabled -}}
{{- include "compss.name" . -}}
{{- end -}}
{{- end -}}

{{/* MiB of heap of each worker's JVM, a quarter of its memory: the rest is its tasks'. COMPSs has one option for all. */}}
{{- define "compss.workerHeap" -}}
{{- $heap := 1024.0 -}}
{{- range include "compss.pools" . | fromJsonArray }}{{ $heap = minf $heap (mulf (float64 .resources.memory) 256.0) }}{{ end -}}
{{- maxf 32.0 (floor $heap) | int -}}
{{- end -}}

{{/* Where COMPSs keeps on a worker what tasks read and return. */}}
{{- define "compss.workingDir" -}}/tmp/compss{{- end -}}

{{- define "compss.sshSecret" -}}
{{- .Values.ssh.existingSecret | default (printf "%s-ssh" (include "compss.name" .)) -}}
{{- end -}}

{{- define "compss.claim" -}}
{{- .Values.results.existingClaim | default (printf "%s-results" (include "compss.name" .)) -}}
{{- end -}}

{{/* The given keys that mean nothing here, a line for each. */}}
{{- define "compss.ignored" -}}
{{- range $path, $meaning := .Files.Get "foreign.yaml" | fromYaml -}}
{{- $value := $.Values -}}
{{- range $key := splitList "." $path -}}
{{- if not (kindIs "invalid" $value) -}}{{- $value = hasKey $value $key | ternary (get $value $key) nil -}}{{- end -}}
{{- end -}}
{{- if not (kindIs "invalid" $value) }}
{{ $path }} is ignored. {{ $meaning }}
{{- end -}}
{{- end -}}
{{- if include "compss.foreignMonitoring" . }}
monitoring.image is ignored. The monitoring API is the image of this chart.
{{- end -}}
{{- end -}}

{{/* What is wrong with values that a schema cannot tell. */}}
{{- define "compss.check" -}}
{{- $source := .Values.app.source -}}
{{- $given := list -}}
{{- if or $source.files $source.binaryFiles }}{{ $given = append $given "files" }}{{ end -}}
{{- if $source.archive }}{{ $given = append $given "archive" }}{{ end -}}
{{- if $source.configMap }}{{ $given = append $given "configMap" }}{{ end -}}
{{- if $source.claim }}{{ $given = append $given "claim" }}{{ end -}}
{{- if $source.git.repository }}{{ $given = append $given "git" }}{{ end -}}
{{- if gt (len $given) 1 -}}
{{- fail (printf "app.source has %s; expected one of them, or none for an application in the image" (join " and " $given)) -}}
{{- end -}}
{{- if and $source.files (not (hasKey $source.files .Values.app.context.file)) -}}
{{- fail (printf "app.context.file is %s, but app.source.files has only %s" .Values.app.context.file (keys $source.files | sortAlpha | join ", ")) -}}
{{- end -}}
{{- if and $source.archive (not .Values.results.enabled) -}}
{{- fail "app.source.archive is given, and results.enabled is false; expected the claim of the results, which keeps the archive" -}}
{{- end -}}
{{- if eq (include "compss.number" . | int) 0 -}}
{{- fail "compss.worker.number and compss.pools make no worker at all; expected at least one" -}}
{{- end -}}
{{- $storage := .Values.compss.storage -}}
{{- if and (or $storage.configuration $storage.secretName) (not $storage.implementation) -}}
{{- fail "compss.storage has a configuration or secretName, and no implementation; expected one, such as redis" -}}
{{- end -}}
{{- $master := .Values.compss.master -}}
{{- if and (ne $master.kind "Job") (or $master.schedule $master.suspend) -}}
{{- fail (printf "compss.master.kind is %s, and compss.master.schedule or suspend is given; expected Job" $master.kind) -}}
{{- end -}}
{{- if $master.schedule -}}
{{- if not .Values.monitoring.enabled -}}
{{- fail "compss.master.schedule is given, and monitoring.enabled is false; expected it, as the monitoring container starts the workers of each run" -}}
{{- end -}}
{{- if $source.archive -}}
{{- fail "compss.master.schedule is given, and app.source.archive; expected the application in the image, on a claim or in a git repository, as nobody hands a folder to a run in the night" -}}
{{- end -}}
{{- if .Values.compss.queue -}}
{{- fail "compss.master.schedule and compss.queue are given; expected one of them, as Kueue takes a group of pods only once" -}}
{{- end -}}
{{- end -}}
{{- $volume := .Values.compss.master.volume -}}
{{- if ne (empty $volume.localPath) (empty $volume.node) -}}
{{- fail (printf "compss.master.volume has localPath=%q and node=%q; expected both, or neither" $volume.localPath $volume.node) -}}
{{- end -}}
{{- $names := list -}}
{{- range $pool := include "compss.pools" . | fromJsonArray -}}
{{- if has .name $names }}{{ fail (printf "compss.pools has two pools with the name %s" .name) }}{{ end -}}
{{- range $kind := list "GPU" "FPGA" -}}
{{- $said := get $pool.constraints (lower $kind) -}}
{{- if and (hasKey $pool.constraints (lower $kind)) (ne ($said | int) (get $pool.devices $kind | default 0 | int)) -}}
{{- fail (printf "pool %s has constraints.%s=%v, and its pods ask for %d; expected an extended resource in its resources, such as nvidia.com/gpu, from which the constraint follows" $pool.name (lower $kind) $said (get $pool.devices $kind | default 0 | int)) -}}
{{- end -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- end -}}

{{/* What every pod starts with. Takes (list $ component-values). */}}
{{- define "compss.podSpec" -}}
{{- $root := first . -}}
{{- $component := last . -}}
enableServiceLinks: false
{{- with $root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $component.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $component.runtimeClassName }}
runtimeClassName: {{ . | quote }}
{{- end }}
{{- with $component.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml $root.Values.podSecurityContext | nindent 2 }}
{{- end -}}

{{/* Takes (list $ image pullPolicy resources). */}}
{{- define "compss.container" -}}
image: {{ index . 1 }}
imagePullPolicy: {{ index . 2 }}
securityContext:
  {{- toYaml (index . 0).Values.containerSecurityContext | nindent 2 }}
{{- with index . 3 }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What a user gives the application. Takes env of values: a mapping of names, or Kubernetes' list. */}}
{{- define "compss.givenEnvironment" -}}
{{- $list := list -}}
{{- if kindIs "slice" . -}}
{{- $list = . -}}
{{- else -}}
{{- range $name, $value := . -}}
{{- if kindIs "map" $value -}}
{{- $list = append $list (dict "name" $name "valueFrom" $value) -}}
{{- else -}}
{{- $list = append $list (dict "name" $name "value" (include "compss.argument" $value)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $list }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Sources of a container's environment: the given ones, and the storage's Secret. Takes (list $ given). */}}
{{- define "compss.envFrom" -}}
{{- $sources := last . -}}
{{- with (first .).Values.compss.storage.secretName -}}
{{- $sources = append $sources (dict "secretRef" (dict "name" .)) -}}
{{- end -}}
{{- with $sources }}{{ toYaml . }}{{ end -}}
{{- end -}}

{{/* Environment of the application, in master and workers alike. */}}
{{- define "compss.environment" -}}
- {name: COMPSS_APPLICATION, value: {{ include "compss.name" . | quote }}}
- {name: HOME, value: /tmp}
# Python keeps no compiled code: the root file system is read-only.
- {name: PYTHONDONTWRITEBYTECODE, value: "1"}
{{- if .Values.monitoring.enabled }}
- {name: COMPSS_TELEMETRY_REDIS, value: "{{ include "compss.name" . }}:6379"}
{{- with .Values.monitoring.prometheusUrl }}
- {name: PROMETHEUS_URL, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- with .Values.deadlines }}
{{- $limits := list }}
{{- range $task, $limit := . }}
{{- $limits = append $limits (printf "%s=%s+%s" $task (include "compss.argument" $limit.seconds) (include "compss.argument" ($limit.jitter | default 0.0))) }}
{{- end }}
# The text has no quotes in it: sshd's SetEnv cannot hand them on.
- {name: COMPSS_DEADLINES, value: {{ join "," $limits | quote }}}
{{- end }}
{{- end -}}

{{/* The key of a file in a ConfigMap, which allows fewer characters than a path has. */}}
{{- define "compss.fileKey" -}}
{{- if regexMatch "^[-._a-zA-Z0-9]{1,200}$" . -}}{{ . }}{{- else -}}
{{- printf "%s-%s" (sha256sum . | trunc 8) (regexReplaceAll "[^-._a-zA-Z0-9]" (base . | trunc 100) "_") -}}
{{- end -}}
{{- end -}}

{{/* Volume, and the container that fills it, of an application that is not in the image. */}}
{{- define "compss.appVolume" -}}
{{- $source := .Values.app.source -}}
{{- if or $source.files $source.binaryFiles }}
- name: app
  configMap:
    name: {{ include "compss.runName" . }}-app
    items:
      {{- range $path, $_ := merge (dict) $source.files $source.binaryFiles }}
      - {key: {{ include "compss.fileKey" $path | quote }}, path: {{ $path | quote }}{{ if has $path $source.executables }}, mode: 0755{{ end }}}
      {{- end }}
{{- else if $source.configMap }}
- name: app
  configMap: {name: {{ $source.configMap | quote }}}
{{- else if $source.claim }}
- name: app
  persistentVolumeClaim: {claimName: {{ $source.claim | quote }}}
{{- else if or $source.git.repository $source.archive }}
- name: app
  emptyDir: {sizeLimit: {{ .Values.compss.scratchSize | quote }}}
{{- end }}
{{- end -}}

{{- define "compss.appMount" -}}
{{- if include "compss.appVolume" . }}
- {name: app, mountPath: {{ .Values.app.context.folderPath | quote }}}
{{- end }}
{{- end -}}

{{- define "compss.appContainer" -}}
{{- $git := .Values.app.source.git -}}
{{- if $git.repository }}
- name: fetch
  {{- include "compss.container" (list . $git.image "IfNotPresent" (dict "requests" (dict "cpu" "50m" "memory" "32Mi") "limits" (dict "cpu" "500m" "memory" "256Mi"))) | nindent 2 }}
  command: [sh, -ec]
  args:
    # The repository and the revision are arguments: nothing of them is read as shell.
    - |
      cd "$1"
      # The folder is its mount's, not ours.
      git config --global safe.directory "$1"
      git init --quiet
      git fetch --quiet --depth=1 "$2" "$3"
      git checkout --quiet FETCH_HEAD
    - fetch
    - {{ .Values.app.context.folderPath | quote }}
    - {{ include "compss.argument" $git.repository | quote }}
    - {{ include "compss.argument" $git.revision | quote }}
  env:
    - {name: HOME, value: /tmp}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    {{- include "compss.appMount" . | nindent 4 }}
{{- end }}
{{- end -}}

{{/* The container that has an archive: in the master's pod it takes, unpacks and serves it, in a worker's it gets it there.
     Takes (list $ component). */}}
{{- define "compss.archiveContainer" -}}
{{- $root := first . -}}
{{- $master := eq (last .) "master" -}}
{{- with $root.Values.app.source.archive }}
- name: application
  {{- if $master }}
  restartPolicy: Always
  {{- end }}
  {{- include "compss.container" (list $root (include "compss.engineImage" $root) $root.Values.image.pullPolicy (dict "requests" (dict "cpu" "50m" "memory" "32Mi") "limits" (dict "cpu" "1" "memory" "256Mi"))) | nindent 2 }}
  command: [python3, /etc/compss/application.py, {{ $master | ternary "serve" "get" }}, {{ . | quote }}, {{ $root.Values.app.context.folderPath | quote }}, {{ include "compss.name" $root | quote }}]
  {{- if $master }}
  # The master starts when it is unpacked.
  startupProbe:
    tcpSocket: {port: 8081}
    periodSeconds: 1
    failureThreshold: 86400
  ports:
    - {name: application, containerPort: 8081}
  {{- end }}
  volumeMounts:
    - {name: tmp, mountPath: /tmp}
    - {name: config, mountPath: /etc/compss}
    {{- if $master }}
    - {name: results, mountPath: /results}
    {{- end }}
    {{- include "compss.appMount" $root | nindent 4 }}
{{- end }}
{{- end -}}

{{/* The keys by which the master reaches the workers' ssh servers: engine compss alone. */}}
{{- define "compss.sshVolumes" -}}
{{- if eq .Values.engine "compss" }}
- name: ssh
  secret: {secretName: {{ include "compss.sshSecret" . | quote }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* Settings of the monitoring API, for all that its image does. */}}
{{- define "compss.monitoringEnvironment" -}}
- {name: COMPSS_APPLICATION, value: {{ include "compss.name" . | quote }}}
- {name: COMPSS_NAMESPACE, value: {{ .Release.Namespace | quote }}}
- {name: COMPSS_RUN, value: {{ include "compss.run" . | quote }}}
- {name: COMPSS_ENGINE, value: {{ .Values.engine }}}
- {name: COMPSS_VERSION, value: {{ include "compss.engineImage" . | splitList ":" | last | quote }}}
- {name: PORT, value: {{ .Values.monitoring.port | quote }}}
- {name: PUSHGATEWAY_URL, value: {{ .Values.monitoring.pushgatewayUrl | quote }}}
- {name: LINGER, value: {{ .Values.monitoring.linger | quote }}}
- {name: BUCKETS, value: {{ join "," .Values.monitoring.buckets | quote }}}
- {name: MAX_NAMES, value: {{ .Values.monitoring.maxNames | quote }}}
{{- $workers := list }}
{{- range include "compss.pools" . | fromJsonArray }}
{{- $worker := dict "name" .fullname "architecture" .architecture "computing_units" .units }}
{{- if $.Values.compss.master.schedule }}{{ $_ := set $worker "number" (.number | int) }}{{ end }}
{{- $workers = append $workers $worker }}
{{- end }}
- name: POOLS
  value: {{ toJson $workers | quote }}
{{- if eq .Values.compss.master.kind "Job" }}
{{- if .Values.compss.master.schedule }}
- name: JOB
  valueFrom: {fieldRef: {fieldPath: "metadata.labels['batch.kubernetes.io/job-name']"}}
- {name: START_WORKERS, value: "1"}
{{- else }}
- {name: JOB, value: {{ include "compss.runName" . | quote }}}
{{- end }}
- {name: RETRIES, value: {{ .Values.compss.master.retries | quote }}}
{{- end }}
{{- if .Values.compss.keepWorkers }}
- {name: KEEP_WORKERS, value: "1"}
{{- end }}
{{- with .Values.deadlines }}
- name: COMPSS_DEADLINES
  value: {{ toJson . | quote }}
{{- end }}
{{- end -}}
