{{/*
What the pods of all programs share. Texts named ...Environment, ...Volumes and ...Mounts are lists of entries, perhaps empty;
robustcert.environment, robustcert.volumes and robustcert.volumeMounts make the blocks of them.
*/}}

{{/* securityContext of a pod. Argument: root. */}}
{{- define "robustcert.podSecurityContext" -}}
runAsNonRoot: true
{{- with .Values.podSecurity.runAsUser }}
runAsUser: {{ int64 . }}
{{- end }}
{{- with .Values.podSecurity.runAsGroup }}
runAsGroup: {{ int64 . }}
{{- end }}
{{- with .Values.podSecurity.fsGroup }}
fsGroup: {{ int64 . }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* securityContext of a container: Pod Security's level `restricted`, and a root that is not written to. No argument. */}}
{{- define "robustcert.containerSecurityContext" -}}
runAsNonRoot: true
readOnlyRootFilesystem: true
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* imagePullSecrets of a pod, or nothing. Argument: root. */}}
{{- define "robustcert.imagePullSecrets" -}}
{{- with .Values.images.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ quote . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Where pods run, or nothing. Argument: a program's values. */}}
{{- define "robustcert.placement" -}}
{{- $placed := dict -}}
{{- range $key := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" }}
{{- with get $ $key }}{{ $_ := set $placed $key . }}{{ end -}}
{{- end }}
{{- with $placed }}{{ toYaml . }}{{ end -}}
{{- end }}

{{/* metadata of a pod template. Arguments: root, component, program (its values), and optionally annotations. */}}
{{- define "robustcert.podMetadata" -}}
labels:
  {{- $own := fromYaml (include "robustcert.selector" .) }}
  {{- toYaml (merge $own (dict "app.kubernetes.io/part-of" "robustcert") (.program.podLabels | default dict) (.root.Values.commonLabels | default dict)) | nindent 2 }}
{{- with merge (dict) (.annotations | default dict) (.program.podAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
Everything of a pod's spec but containers and volumes; a token of the API is mounted nowhere but by name.
Arguments: root, component, program (its values), and optionally account (the ServiceAccount's name).
*/}}
{{- define "robustcert.podBasics" -}}
serviceAccountName: {{ .account | default (include "robustcert.serviceAccountName" (dict "root" .root "component" .component "account" .program.serviceAccount)) | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  {{- include "robustcert.podSecurityContext" .root | nindent 2 }}
{{- with include "robustcert.imagePullSecrets" .root }}{{ nindent 0 . }}{{ end }}
{{- with include "robustcert.placement" .program }}{{ nindent 0 . }}{{ end }}
{{- end }}

{{/* Image, pull policy, securityContext and resources of a container. Arguments: root, image and resources (their values). */}}
{{- define "robustcert.containerBasics" -}}
image: {{ include "robustcert.image" . | quote }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
securityContext:
  {{- include "robustcert.containerSecurityContext" . | nindent 2 }}
resources:
  {{- toYaml .resources | nindent 2 }}
{{- end }}

{{/* The blocks env and envFrom; what a user gives replaces ours. Arguments: program (its values), parts (list of texts). */}}
{{- define "robustcert.environment" -}}
{{- $given := dict -}}
{{- $extra := .program.extraEnv | default list -}}
{{- include "robustcert.checkOnce" (dict "entries" $extra "by" "name" "place" "extraEnv") -}}
{{- range $extra }}
{{- $_ := set $given .name true }}
{{- if and .value .valueFrom }}
{{- include "robustcert.refuse" (list (printf "value or valueFrom of %s in extraEnv" .name) "both" "leave one out") }}
{{- end }}
{{- end -}}
{{- $entries := list -}}
{{- range .parts }}
{{- range fromYamlArray . }}
{{- if not (hasKey $given .name) }}{{ $entries = append $entries . }}{{ end -}}
{{- end }}
{{- end }}
{{- with concat $entries $extra -}}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .program.extraEnvFrom }}
{{- dict "envFrom" . | toYaml | nindent 0 }}
{{- end }}
{{- end }}

{{/* The block volumes. Arguments: program (its values), parts (list of texts). */}}
{{- define "robustcert.volumes" -}}
{{- include "robustcert.listBlock" (dict "key" "volumes" "parts" .parts "extra" .program.extraVolumes) }}
{{- end }}

{{/* The block volumeMounts. Arguments as above. */}}
{{- define "robustcert.volumeMounts" -}}
{{- include "robustcert.listBlock" (dict "key" "volumeMounts" "parts" .parts "extra" .program.extraVolumeMounts) }}
{{- end }}

{{/* A block of entries, or nothing. Arguments: key, parts (list of texts), extra (list of entries). */}}
{{- define "robustcert.listBlock" -}}
{{- $entries := list -}}
{{- range .parts }}{{ $entries = concat $entries (fromYamlArray .) }}{{ end -}}
{{- $entries = concat $entries (.extra | default list) -}}
{{- $by := eq .key "volumes" | ternary "name" "mountPath" -}}
{{- include "robustcert.checkOnce" (dict "entries" $entries "by" $by "place" (printf "extra%s" (title .key))) -}}
{{- with $entries -}}
{{ $.key }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The Secret of the controller's TLS, or nothing. Argument: root. */}}
{{- define "robustcert.controllerTlsSecret" -}}
{{- with .Values.controller.tls }}
{{- if .enabled -}}
{{ .secretName | default (printf "%s-tls" (include "robustcert.component" (dict "root" $ "component" "controller"))) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Address of the controller's interface inside the cluster. Argument: root. */}}
{{- define "robustcert.controllerUrl" -}}
{{ .Values.controller.tls.enabled | ternary "https" "http" }}://{{ include "robustcert.component" (dict "root" . "component" "controller") }}.{{ .Release.Namespace }}.svc:{{ int64 .Values.controller.service.port }}
{{- end }}

{{/* A PodDisruptionBudget. Arguments: root, component, budget (its values). */}}
{{- define "robustcert.podDisruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "robustcert.metadata" (merge (dict "name" (include "robustcert.component" .)) .) | nindent 2 }}
spec:
  maxUnavailable: {{ int64 .budget.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "robustcert.selector" . | nindent 6 }}
{{- end }}

{{/* A ServiceAccount, where one is to be made. Arguments: root, component, account (its values). */}}
{{- define "robustcert.serviceAccount" -}}
{{- if .account.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "robustcert.metadata" (merge (dict "name" (include "robustcert.serviceAccountName" .) "annotations" .account.annotations) .) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- end }}
