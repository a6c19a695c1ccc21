{{/*
Values that null may not take away: parts, numbers, words and switches. Helm drops what is null, and a template would find
nothing: a port 0, or a policy that is off. Each line is a part and the names in it; `.` is the whole. A text, list or map
that may be empty is not here: null is empty there.
*/}}
{{- define "robustcert.needed" -}}
.: images store trustedKeys externalSecrets podSecurity kubeflow exporter controller admissionGate drift recertification pipelines monitoring networkPolicy enabled
images: pullPolicy requireDigest monitoring steps
images.monitoring: repository
images.steps: repository
store: ca
store.ca: key
externalSecrets: enabled secretStore refreshInterval
externalSecrets.secretStore: kind
kubeflow: host createRole token ca experiment runs
kubeflow.token: enabled audience expirationSeconds
kubeflow.ca: key
kubeflow.runs: shards workers gpus gpuType
exporter: enabled interval staleness readers deployed service podDisruptionBudget serviceAccount resources
exporter.deployed: enabled
exporter.service: port
exporter.podDisruptionBudget: enabled maxUnavailable
exporter.serviceAccount: create
controller: enabled settings statusKey tokens scheduleToken grafana tls persistence service metricsPort podDisruptionBudget terminationGracePeriodSeconds serviceAccount resources
controller.settings: coolDown hysteresis ineffectiveAfter forgetAfter budgetPerDay mostRunning mostAttempts retryBase retryMost runDeadline recertifyBefore reconcileInterval scanInterval suspendOnFailure drift
controller.settings.drift: suspendOnGross labelsWait
controller.statusKey: key
controller.tokens: key
controller.scheduleToken: key
controller.grafana: key
controller.tls: enabled issuer duration renewBefore clientCa
controller.tls.issuer: kind
controller.tls.clientCa: key
controller.persistence: size accessMode
controller.service: port
controller.podDisruptionBudget: enabled maxUnavailable
controller.serviceAccount: create
admissionGate: enabled
drift: key temporarySize serviceAccount resources
drift.key: key
drift.serviceAccount: create
recertification: serviceAccount resources
recertification.serviceAccount: create
pipelines: upload customResources
pipelines.upload: enabled byUri backoffLimit activeDeadlineSeconds serviceAccount resources
pipelines.upload.serviceAccount: create
pipelines.customResources: enabled
monitoring: scrapeAnnotations monitors rules dashboards alertmanagerConfig
monitoring.monitors: enabled interval servedModels
monitoring.rules: enabled configMap
monitoring.dashboards: enabled
monitoring.alertmanagerConfig: enabled
networkPolicy: enabled store kubeflow kubernetes dns
{{- end }}

{{/* Refuses null where something is needed. Argument: all values. */}}
{{- define "robustcert.checkNeeded" -}}
{{- range $path, $names := include "robustcert.needed" . | fromYaml }}
{{- $part := $ }}
{{- range eq $path "." | ternary list (splitList "." $path) }}{{ $part = get $part . }}{{ end }}
{{- range splitList " " $names }}
{{- if or (not (hasKey $part .)) (kindIs "invalid" (get $part .)) }}
{{- include "robustcert.refuse" (list (printf "a value as %s" (printf "%s.%s" $path . | trimPrefix "." | trimPrefix ".")) "null" "leave it out for its default; after helm upgrade --reuse-values, use --reset-then-reuse-values") }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
