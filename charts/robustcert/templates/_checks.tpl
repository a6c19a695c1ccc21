{{/* Combinations of values that are each allowed and together wrong. Each is refused with one line. */}}

{{/* Fails. Arguments: (list WHAT GOT REMEDY). */}}
{{- define "robustcert.refuse" -}}
{{- fail (printf "expected %s, got %s; %s" (index . 0) (index . 1) (index . 2)) -}}
{{- end }}

{{/* Argument: root. Renders nothing; templates/checks/first/checks.yaml includes it once. */}}
{{- define "robustcert.checks" -}}
{{- include "robustcert.checkNeeded" .Values -}}
{{- include "robustcert.checkNames" . -}}
{{- include "robustcert.checkLabels" .Values -}}
{{- include "robustcert.checkAccounts" . -}}
{{- include "robustcert.checkStore" .Values.store -}}
{{- include "robustcert.checkTrustedKeys" .Values.trustedKeys -}}
{{- include "robustcert.checkExternalSecrets" .Values.externalSecrets -}}
{{- include "robustcert.checkExporter" .Values.exporter -}}
{{- include "robustcert.checkKubeflow" .Values.kubeflow -}}
{{- if .Values.controller.enabled }}{{ include "robustcert.checkController" .Values.controller }}{{ end -}}
{{- include "robustcert.checkClients" .Values -}}
{{- include "robustcert.checkPipelines" .Values.pipelines -}}
{{- include "robustcert.checkJobs" (dict "key" "drift.jobs" "jobs" .Values.drift.jobs) -}}
{{- include "robustcert.checkJobs" (dict "key" "recertification.schedules" "jobs" .Values.recertification.schedules) -}}
{{- include "robustcert.checkPolicies" .Values.drift.jobs -}}
{{- if and .Values.drift.jobs (not .Values.drift.key.name) }}
{{- include "robustcert.refuse" (list "drift.key.name" "drift.jobs without it" "name the Secret with the key that signs drift records") }}
{{- end }}
{{- end }}


{{/* Argument: the values of store. */}}
{{- define "robustcert.checkStore" -}}
{{- if not .uri }}
{{- include "robustcert.refuse" (list "store.uri" "none" "name the bucket, s3://BUCKET/PREFIX, or file:///store with store.persistentVolumeClaim") }}
{{- end }}
{{- if hasPrefix "file://" .uri }}
{{- if not .persistentVolumeClaim }}
{{- include "robustcert.refuse" (list "store.persistentVolumeClaim" (printf "store.uri %s without it" .uri) "name a claim that all pods can mount, or use s3://") }}
{{- end }}
{{- if or (regexMatch "/[.][.](/|$)" .uri) (not (or (eq .uri "file:///store") (hasPrefix "file:///store/" .uri))) }}
{{- include "robustcert.refuse" (list "store.uri to begin with file:///store, where the claim is mounted" .uri "write file:///store") }}
{{- end }}
{{- end }}
{{- range $key := list "endpoint" "region" }}
{{- if and (get $ $key) (regexMatch (printf "[?&]%s=" $key) $.uri) }}
{{- include "robustcert.refuse" (list (printf "the %s in one place" $key) (printf "it in store.uri and in store.%s" $key) "leave it out of store.uri") }}
{{- end }}
{{- end }}
{{- end }}

{{/* Argument: the values of trustedKeys. */}}
{{- define "robustcert.checkTrustedKeys" -}}
{{- if and .keys .configMapName }}
{{- include "robustcert.refuse" (list "one of trustedKeys.keys and trustedKeys.configMapName" "both" "leave one out") }}
{{- end }}
{{- if not (or .keys .configMapName) }}
{{- include "robustcert.refuse" (list "trustedKeys.keys or trustedKeys.configMapName" "neither" "give the issuer's public key: --set-file trustedKeys.keys.issuer\\.pub=issuer.pub") }}
{{- end }}
{{- range $name, $text := .keys }}
{{- if not (regexMatch "^[-._a-zA-Z0-9]+\\.(pub|pem)$" $name) }}
{{- include "robustcert.refuse" (list "names ending in .pub or .pem in trustedKeys.keys" $name "rename it, or it is not read") }}
{{- end }}
{{- if contains "PRIVATE KEY" $text }}
{{- include "robustcert.refuse" (list (printf "a public key as trustedKeys.keys.%s" $name) "a private one" "give the .pub file, and make a new key pair: this one has been shown") }}
{{- end }}
{{- if not (regexMatch `^\s*-----BEGIN PUBLIC KEY-----\s+[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*$` $text) }}
{{- include "robustcert.refuse" (list (printf "a public key in PEM as trustedKeys.keys.%s" $name) "another text" "give the content of the .pub file") }}
{{- end }}
{{- end }}
{{- end }}

{{/* Argument: the values of externalSecrets. */}}
{{- define "robustcert.checkExternalSecrets" -}}
{{- if .enabled }}
{{- if not .secretStore.name }}
{{- include "robustcert.refuse" (list "externalSecrets.secretStore.name" "none" "name the SecretStore that Secrets come from") }}
{{- end }}
{{- range $name, $keys := .secrets }}
{{- if not $keys }}
{{- include "robustcert.refuse" (list (printf "keys in externalSecrets.secrets.%s" $name) "none" "name what is in the Secret, and where it lies") }}
{{- end }}
{{- if not (regexMatch "^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$" $name) }}
{{- include "robustcert.refuse" (list "names of Secrets in externalSecrets.secrets" (quote $name) "write lower-case letters, digits, - and .") }}
{{- end }}
{{- end }}
{{- if not .secrets }}
{{- include "robustcert.refuse" (list "externalSecrets.secrets" "none" "name the Secrets to make, or set externalSecrets.enabled to false") }}
{{- end }}
{{- end }}
{{- end }}

{{/* Argument: the values of exporter. */}}
{{- define "robustcert.checkExporter" -}}
{{- if lt (int64 .staleness) (int64 .interval) }}
{{- include "robustcert.refuse" (list "exporter.staleness of at least exporter.interval" (printf "%d below %d" (int64 .staleness) (int64 .interval)) "else all is gone between two looks") }}
{{- end }}
{{- end }}

{{/* Argument: the values of kubeflow. What the controller sets itself is no input of all runs. */}}
{{- define "robustcert.checkKubeflow" -}}
{{- range list "certificate" "reason" "run_id" "window_uri" "window_sha256" }}
{{- if hasKey ($.runs.parameters | default dict) . }}
{{- include "robustcert.refuse" (list "other names in kubeflow.runs.parameters" . "leave it out; the controller sets it for each run") }}
{{- end }}
{{- end }}
{{- /* As the programs decide it: plain HTTP stays inside the cluster. */}}
{{- $near := "^http://([a-z]([a-z0-9-]*[a-z0-9])?|[^/:]+\\.svc(\\.cluster\\.local)?)(:[0-9]+)?(/|$)" }}
{{- if and .token.enabled (hasPrefix "http://" .host) (not (regexMatch $near .host)) }}
{{- include "robustcert.refuse" (list "an https:// address as kubeflow.host, to which a token is shown" .host "write https://, or a Service's name ending in .svc") }}
{{- end }}
{{- if and .ca.name (not (hasPrefix "https://" .host)) }}
{{- include "robustcert.refuse" (list "an https:// address as kubeflow.host, with kubeflow.ca" .host "write https://, or leave kubeflow.ca out") }}
{{- end }}
{{- end }}

{{/* Argument: the values of controller, which is enabled. */}}
{{- define "robustcert.checkController" -}}
{{- if and .tls.enabled (not .tls.secretName) (not .tls.issuer.name) }}
{{- include "robustcert.refuse" (list "controller.tls.secretName or controller.tls.issuer.name" "neither" "name a Secret with tls.crt and tls.key, or who issues one") }}
{{- end }}
{{- if and .tls.issuer.name (ge (trimSuffix "h" .tls.renewBefore | atoi) (trimSuffix "h" .tls.duration | atoi)) }}
{{- include "robustcert.refuse" (list "controller.tls.renewBefore below controller.tls.duration" .tls.renewBefore "shorten it") }}
{{- end }}
{{- range $key, $given := dict "clientCa" .tls.clientCa.name "issuer" .tls.issuer.name "secretName" .tls.secretName }}
{{- if and $given (not $.tls.enabled) }}
{{- include "robustcert.refuse" (list (printf "controller.tls.enabled, with controller.tls.%s" $key) "false" (printf "set it to true, or leave %s out" $key)) }}
{{- end }}
{{- end }}
{{- if not (or .tokens.name .tls.clientCa.name) }}
{{- include "robustcert.refuse" (list "controller.tokens.name or controller.tls.clientCa.name" "neither" "name the Secret that says who may ask") }}
{{- end }}
{{- range $key := list "forgetAfter" "retryBase" "retryMost" "runDeadline" "reconcileInterval" "scanInterval" }}
{{- if regexMatch "^[0.]+[a-z]" (get $.settings $key) }}
{{- include "robustcert.refuse" (list (printf "more than nothing as controller.settings.%s" $key) (get $.settings $key) "give it a time") }}
{{- end }}
{{- end }}
{{- if eq (int .service.port) (int .metricsPort) }}
{{- include "robustcert.refuse" (list "two ports as controller.service.port and controller.metricsPort" (toString .metricsPort) "change one") }}
{{- end }}
{{- end }}

{{/* Argument: all values. What asks the controller needs one, and a way to say who it is. */}}
{{- define "robustcert.checkClients" -}}
{{- $clients := dict "recertification.schedules" .recertification.schedules "monitoring.alertmanagerConfig.enabled" .monitoring.alertmanagerConfig.enabled -}}
{{- range $key, $used := $clients }}
{{- if $used }}
{{- if not $.controller.enabled }}
{{- include "robustcert.refuse" (list (printf "controller.enabled, with %s" $key) "false" (printf "enable the controller, or leave %s out" $key)) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .controller.enabled .controller.tls.clientCa.name }}
{{- if and .recertification.schedules (not (contains "--client-certificate" (join " " .recertification.extraArguments))) }}
{{- include "robustcert.refuse" (list "--client-certificate in recertification.extraArguments, with controller.tls.clientCa" "none" "mount one by recertification.extraVolumes, or leave clientCa out: tokens say who asks") }}
{{- end }}
{{- if and .monitoring.alertmanagerConfig.enabled (not .monitoring.alertmanagerConfig.clientSecretName) }}
{{- include "robustcert.refuse" (list "monitoring.alertmanagerConfig.clientSecretName, with controller.tls.clientCa" "none" "name the Secret with the certificate that Alertmanager shows, or leave clientCa out") }}
{{- end }}
{{- end }}
{{- if and .recertification.schedules (not .controller.scheduleToken.name) }}
{{- include "robustcert.refuse" (list "controller.scheduleToken.name" "recertification.schedules without it" "name the Secret with the schedules' token") }}
{{- end }}
{{- if and .monitoring.alertmanagerConfig.enabled (not .monitoring.alertmanagerConfig.tokenSecretName) }}
{{- include "robustcert.refuse" (list "monitoring.alertmanagerConfig.tokenSecretName" "none" "name the Secret with Alertmanager's token") }}
{{- end }}
{{- end }}

{{/* Argument: the values of pipelines. */}}
{{- define "robustcert.checkPipelines" -}}
{{- if and .upload.enabled .customResources.enabled }}
{{- include "robustcert.refuse" (list "one of pipelines.upload and pipelines.customResources" "both enabled" "set pipelines.upload.enabled to false") }}
{{- end }}
{{- end }}

{{/* Arguments: key, jobs. Names of jobs become names of CronJobs. */}}
{{- define "robustcert.checkJobs" -}}
{{- $seen := dict -}}
{{- range .jobs }}
{{- if hasKey $seen .name }}
{{- include "robustcert.refuse" (list (printf "each name once in %s" $.key) (printf "%s twice" .name) "rename one") }}
{{- end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- end }}
