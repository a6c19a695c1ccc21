{{/* Names and labels that all objects share. */}}

{{/* The chart's name, or what replaces it. */}}
{{- define "robustcert.name" -}}
{{ default .Chart.Name .Values.nameOverride }}
{{- end }}

{{/* A name of at most so many characters; a longer one ends in a digest, so that two stay two. Arguments: (list NAME MOST). */}}
{{- define "robustcert.shortened" -}}
{{- $name := index . 0 -}}
{{- $most := index . 1 -}}
{{- if gt (len $name) $most -}}
{{- $name = printf "%s-%s" ($name | trunc (sub $most 7 | int) | trimSuffix "-") (sha256sum $name | trunc 6) -}}
{{- end -}}
{{ $name }}
{{- end }}

{{/* Release and chart in one name of at most 40 characters, so that every suffix fits; Services have no dots. */}}
{{- define "robustcert.fullname" -}}
{{- $name := include "robustcert.name" . -}}
{{- $full := .Values.fullnameOverride | default (contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name)) -}}
{{- $full = replace "." "-" $full -}}
{{ if gt (len $full) 40 }}{{ include "robustcert.shortened" (list $full 40) }}{{ else }}{{ $full }}{{ end }}
{{- end }}

{{/* Name of a program's objects. Arguments: (dict "root" $ "component" "exporter"). */}}
{{- define "robustcert.component" -}}
{{ include "robustcert.fullname" .root }}-{{ .component }}
{{- end }}

{{/* Name of a CronJob, of at most 52 characters. Arguments: (dict "root" $ "kind" "drift" "name" $job.name). */}}
{{- define "robustcert.jobName" -}}
{{ include "robustcert.shortened" (list (include "robustcert.fullname" .root) 22) }}-{{ .kind }}-{{ .name }}
{{- end }}

{{/* What selects a program's pods; never changes between releases. Arguments: (dict "root" $ "component" "exporter"). */}}
{{- define "robustcert.selector" -}}
app.kubernetes.io/name: {{ include "robustcert.name" .root | quote }}
app.kubernetes.io/instance: {{ quote .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* All labels of an object; `component` as above, optionally `labels`, which go before commonLabels. */}}
{{- define "robustcert.labels" -}}
{{ include "robustcert.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: robustcert
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with merge (dict) (.labels | default dict) (.root.Values.commonLabels | default dict) }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* An argument of a program as it is written: Kubernetes would read $(NAME) as a variable. Argument: a text. */}}
{{- define "robustcert.argument" -}}
{{ . | replace "$" "$$" | quote }}
{{- end }}

{{/* The block `metadata` of an object. Arguments: root, component, name, and optionally namespace, labels, annotations. */}}
{{- define "robustcert.metadata" -}}
name: {{ quote .name }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "robustcert.labels" . | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Name of a program's ServiceAccount. Arguments: root, component, account (its values). */}}
{{- define "robustcert.serviceAccountName" -}}
{{ .account.name | default (include "robustcert.component" .) }}
{{- end }}

{{/* An image. Arguments: root, image (its values). */}}
{{- define "robustcert.image" -}}
{{- $repository := .image.repository -}}
{{- $elsewhere := regexMatch "^[^/]*[.:][^/]*/" ($repository | trimPrefix "ghcr.io/") -}}
{{- with .root.Values.images.registry }}
{{- if not $elsewhere }}{{ $repository = printf "%s/%s" (trimSuffix "/" .) ($repository | trimPrefix "ghcr.io/") }}{{ end }}
{{- end -}}
{{- if .image.digest -}}
{{ $repository }}@{{ .image.digest }}
{{- else if .root.Values.images.requireDigest -}}
{{ fail (printf "expected a digest of image %s, got none; set images.*.digest, or images.requireDigest to false" $repository) }}
{{- else -}}
{{ $repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}
