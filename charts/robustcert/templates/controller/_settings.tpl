{{/* The controller's settings, with the keys of monitoring/recertification_webhook/settings.py. */}}

{{/* controller.yaml. Argument: root. */}}
{{- define "robustcert.controllerSettings" -}}
{{- $controller := .Values.controller -}}
store: {{ quote .Values.store.uri }}
trustedKeys: /etc/robustcert/trusted-keys
{{- with $controller.statusKey }}
{{- if .name }}
statusKey: {{ printf "/etc/robustcert/status-key/%s" .key | quote }}
{{- end }}
{{- end }}
database: /var/lib/robustcert/controller.sqlite
auditLog: /var/lib/robustcert/audit.jsonl
listen: 0.0.0.0:{{ int64 $controller.service.port }}
metrics: 0.0.0.0:{{ int64 $controller.metricsPort }}
{{- with $controller.tokens }}
{{- if .name }}
bearerTokenFile: {{ printf "/etc/robustcert/tokens/%s" .key | quote }}
{{- end }}
{{- end }}
{{- with $controller.grafana }}
{{- if .name }}
grafanaSecretFile: {{ printf "/etc/robustcert/grafana/%s" .key | quote }}
{{- end }}
{{- end }}
{{- with $controller.tls }}
{{- if .enabled }}
tls:
  certificate: /etc/robustcert/tls/tls.crt
  key: /etc/robustcert/tls/tls.key
  {{- if .clientCa.name }}
  clientCa: {{ printf "/etc/robustcert/client-ca/%s" .clientCa.key | quote }}
  {{- end }}
{{- end }}
{{- end }}
{{ toYaml $controller.settings }}
backend:
  kubeflow:
    {{- include "robustcert.controllerBackend" . | nindent 4 }}
{{- end }}

{{/* Kubeflow Pipelines, as backend.kubeflow. Argument: root. */}}
{{- define "robustcert.controllerBackend" -}}
{{- $kubeflow := .Values.kubeflow -}}
host: {{ quote $kubeflow.host }}
{{- range $key := list "namespace" "experiment" "serviceAccount" "ui" }}
{{- with get $kubeflow $key }}
{{ $key }}: {{ quote . }}
{{- end }}
{{- end }}
{{- with include "robustcert.kubeflowTokenFile" . }}
tokenFile: {{ . }}
{{- end }}
{{- with include "robustcert.kubeflowCaFile" . }}
caFile: {{ . }}
{{- end }}
parameters:
  {{- include "robustcert.runParameters" . | nindent 2 }}
{{- end }}

{{/* Inputs of the pipeline `recertification` that are the same in all runs; kubeflow.runs.parameters goes first. Argument: root. */}}
{{- define "robustcert.runParameters" -}}
{{- $runs := .Values.kubeflow.runs -}}
{{- $made := dict "store" (include "robustcert.runStore" .) "image" (include "robustcert.runImage" .) "shards" (int $runs.shards) "workers" (int $runs.workers) -}}
{{- $_ := set $made "gpus" (toString (int $runs.gpus)) -}}
{{- $_ := set $made "gpu_type" $runs.gpuType -}}
{{- with $runs.memory }}{{ $_ := set $made "memory" (toJson . | trimAll "\"") }}{{ end -}}
{{- with $runs.nodeSelector }}{{ $_ := set $made "node_selector" . }}{{ end -}}
{{- with $runs.tolerations }}{{ $_ := set $made "tolerations" . }}{{ end -}}
{{- with $runs.affinity }}{{ $_ := set $made "affinity" . }}{{ end -}}
{{- with .Values.store.secretName }}{{ $_ := set $made "store_secret" . }}{{ end -}}
{{- with .Values.images.pullSecrets }}{{ $_ := set $made "image_pull_secret" (first .) }}{{ end -}}
{{- toYaml (merge (dict) ($runs.parameters | default dict) $made) }}
{{- end }}

{{/* The store's address with all that it takes to reach it: steps of runs have no environment of ours. Argument: root. */}}
{{- define "robustcert.runStore" -}}
{{- $uri := .Values.store.uri -}}
{{- if hasPrefix "s3://" $uri -}}
{{- range $key := list "endpoint" "region" -}}
{{- with get $.Values.store $key }}{{ $uri = printf "%s%s%s=%s" $uri (contains "?" $uri | ternary "&" "?") $key . }}{{ end -}}
{{- end -}}
{{- end -}}
{{ $uri }}
{{- end }}

{{/* The image of steps; with GPUs the release's that has CUDA, where no other is named. Argument: root. */}}
{{- define "robustcert.runImage" -}}
{{- $image := .Values.images.steps -}}
{{- if and (gt (int .Values.kubeflow.runs.gpus) 0) (not $image.tag) (not $image.digest) -}}
{{- $image = merge (dict "tag" (printf "%s-gpu" .Chart.AppVersion)) $image -}}
{{- end -}}
{{ include "robustcert.image" (dict "root" . "image" $image) }}
{{- end }}
