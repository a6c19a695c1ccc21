{{/* Names, labels and texts that are each allowed and that Kubernetes would refuse, or that would not have their effect. */}}

{{/* Argument: root. A Service's name begins with a letter. */}}
{{- define "robustcert.checkNames" -}}
{{- if not .Values.enabled }}
{{- include "robustcert.refuse" (list "enabled, a subchart's condition, to be true where the chart is rendered" "false" "leave it out, or uninstall the release") }}
{{- end }}
{{- $name := include "robustcert.fullname" . }}
{{- if not (regexMatch "^[a-z]" $name) }}
{{- include "robustcert.refuse" (list "a release name that begins with a letter" (quote $name) "set fullnameOverride, or choose another name") }}
{{- end }}
{{- end }}

{{/* Argument: all values. What the chart sets itself is not given a second time. */}}
{{- define "robustcert.checkLabels" -}}
{{- $watched := .monitoring }}
{{- $given := dict "commonLabels" .commonLabels "monitoring.monitors.labels" $watched.monitors.labels "monitoring.rules.labels" $watched.rules.labels }}
{{- $_ := set $given "monitoring.dashboards.labels" $watched.dashboards.labels }}
{{- $_ := set $given "monitoring.alertmanagerConfig.labels" $watched.alertmanagerConfig.labels }}
{{- range $key, $program := dict "exporter" .exporter "controller" .controller "drift" .drift "recertification" .recertification "pipelines.upload" .pipelines.upload }}
{{- $_ := set $given (printf "%s.podLabels" $key) $program.podLabels }}
{{- end }}
{{- range $key, $labels := merge (dict "commonAnnotations" .commonAnnotations) $given }}
{{- range $name, $_ := $labels }}
{{- if not (regexMatch "^([a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$" $name) }}
{{- include "robustcert.refuse" (list (printf "names in %s, such as team or example.org/team" $key) (quote $name) "write letters, digits, -, _ and .") }}
{{- end }}
{{- if or (hasPrefix "app.kubernetes.io/" $name) (eq "helm.sh/chart" $name) }}
{{- include "robustcert.refuse" (list (printf "labels of your own in %s" $key) $name "leave it out: the chart sets it") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Argument: root. Every ServiceAccount is made once, or named. */}}
{{- define "robustcert.checkAccounts" -}}
{{- $values := .Values }}
{{- $programs := dict }}
{{- if $values.exporter.enabled }}{{ $_ := set $programs "exporter" (list "exporter" $values.exporter) }}{{ end }}
{{- if $values.controller.enabled }}{{ $_ := set $programs "controller" (list "controller" $values.controller) }}{{ end }}
{{- if $values.drift.jobs }}{{ $_ := set $programs "drift" (list "drift" $values.drift) }}{{ end }}
{{- if $values.recertification.schedules }}{{ $_ := set $programs "recertification" (list "schedule" $values.recertification) }}{{ end }}
{{- if $values.pipelines.upload.enabled }}{{ $_ := set $programs "pipelines.upload" (list "upload" $values.pipelines.upload) }}{{ end }}
{{- $made := dict (include "robustcert.component" (dict "root" $ "component" "test")) "helm test" }}
{{- range $key, $program := $programs }}
{{- $account := (last $program).serviceAccount }}
{{- $name := include "robustcert.serviceAccountName" (dict "root" $ "component" (first $program) "account" $account) }}
{{- if not (or $account.create $account.name) }}
{{- include "robustcert.refuse" (list (printf "%s.serviceAccount.name, with create false" $key) "none" "name a ServiceAccount that exists") }}
{{- end }}
{{- if and $account.create (hasKey $made $name) }}
{{- include "robustcert.refuse" (list (printf "a ServiceAccount of its own for %s" $key) (printf "%s, as for %s" $name (get $made $name)) "rename one, or set serviceAccount.create to false") }}
{{- end }}
{{- if $account.create }}{{ $_ := set $made $name $key }}{{ end }}
{{- end }}
{{- end }}

{{/* Argument: drift.jobs. Their policies are YAML, and all in one ConfigMap. */}}
{{- define "robustcert.checkPolicies" -}}
{{- $size := 0 }}
{{- range $job := . }}
{{- with $job.policy }}
{{- $size = add $size (len .) }}
{{- if hasKey (fromYaml .) "Error" }}
{{- include "robustcert.refuse" (list (printf "names and values in YAML as policy of drift job %s" $job.name) (quote (trunc 40 .)) "correct it, docs/drift.md") }}
{{- end }}
{{- end }}
{{- end }}
{{- if gt (int $size) 500000 }}
{{- include "robustcert.refuse" (list "at most 500000 bytes of policies in drift.jobs" (toString $size) "shorten them: they are in one ConfigMap") }}
{{- end }}
{{- end }}

{{/* Refuses what stands twice in a list. Arguments: entries, by (the key that tells them apart), place (what a user wrote). */}}
{{- define "robustcert.checkOnce" -}}
{{- $seen := dict -}}
{{- range .entries }}
{{- $name := get . $.by | toString }}
{{- if not $name }}
{{- include "robustcert.refuse" (list (printf "%s in every entry of %s" $.by $.place) "none" "give it one") }}
{{- end }}
{{- if hasKey $seen $name }}
{{- include "robustcert.refuse" (list (printf "each %s once in %s, with what the chart has" $.by $.place) (printf "%s twice" $name) "change one") }}
{{- end }}
{{- $_ := set $seen $name true }}
{{- end }}
{{- end }}
