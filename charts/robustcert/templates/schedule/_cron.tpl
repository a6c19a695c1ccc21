{{/* What the CronJobs of drift and recertification have in common. */}}

{{/* An entry of a list as YAML, with the defaults of what it leaves out. Arguments: root, component, job. */}}
{{- define "robustcert.job" -}}
{{- $job := deepCopy .job -}}
{{- range $key, $value := get (fromYaml (.root.Files.Get "files/job-defaults.yaml")) .component }}
{{- if not (hasKey $job $key) }}{{ $_ := set $job $key $value }}{{ end -}}
{{- end }}
{{- toYaml $job }}
{{- end }}

{{/* spec of a CronJob, up to its jobTemplate's metadata. Arguments: root, component, program (its values), job (one of its list). */}}
{{- define "robustcert.cronSpec" -}}
schedule: {{ quote .job.schedule }}
timeZone: {{ quote .job.timeZone }}
concurrencyPolicy: Forbid
suspend: {{ .job.suspend }}
startingDeadlineSeconds: {{ int64 .job.startingDeadlineSeconds }}
successfulJobsHistoryLimit: {{ int64 .job.successfulJobsHistoryLimit }}
failedJobsHistoryLimit: {{ int64 .job.failedJobsHistoryLimit }}
{{- end }}

{{/* spec of a Job, up to its pods' spec; each attempt is a pod of its own, whose log stays. Arguments as above. */}}
{{- define "robustcert.jobSpec" -}}
backoffLimit: {{ int64 .job.backoffLimit }}
activeDeadlineSeconds: {{ int64 .job.activeDeadlineSeconds }}
template:
  metadata:
    {{- include "robustcert.podMetadata" . | nindent 4 }}
{{- end }}

{{/* A program's ServiceAccount, without a token. Arguments: root, component, program (its values). */}}
{{- define "robustcert.jobAccount" -}}
{{- if .program.serviceAccount.create }}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $name := include "robustcert.serviceAccountName" (dict "root" .root "component" .component "account" .program.serviceAccount) }}
  {{- include "robustcert.metadata" (dict "root" .root "component" .component "name" $name "annotations" .program.serviceAccount.annotations) | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- end }}
