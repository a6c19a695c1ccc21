{{/*
Pieces of NetworkPolicies. Ports are those of pods: a policy is judged after the Service has been resolved, so where a
Service's port differs from its pods' (a gateway on 443, Kubernetes' API), networkPolicy.*.ports must name the latter.
*/}}

{{/* metadata of a policy and the pods that it is about. Arguments: root, component. */}}
{{- define "robustcert.policyOf" -}}
metadata:
  {{- include "robustcert.metadata" (dict "root" .root "component" .component "name" (include "robustcert.component" .)) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "robustcert.selector" . | nindent 6 }}
{{- end }}

{{/* Labels of all pods of the release, whatever their component. Argument: root. */}}
{{- define "robustcert.releaseSelector" -}}
{{ omit (include "robustcert.selector" (dict "root" . "component" "any") | fromYaml) "app.kubernetes.io/component" | toYaml }}
{{- end }}

{{/*
An ingress rule, or nothing where nobody is named: a rule without peers would let everybody in.
Arguments: root, port, and optionally namespaces (names), components (of this release).
*/}}
{{- define "robustcert.ingressFrom" -}}
{{- if or .namespaces .components }}
- from:
    {{- range .namespaces }}
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ quote . }}
    {{- end }}
    {{- range .components }}
    - podSelector:
        matchLabels:
          {{- include "robustcert.selector" (dict "root" $.root "component" .) | nindent 10 }}
    {{- end }}
  ports:
    - protocol: TCP
      port: {{ int .port }}
{{- end }}
{{- end }}

{{/* An egress rule to pods of this release. Arguments: root, component, port. */}}
{{- define "robustcert.egressToOwn" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "robustcert.selector" . | nindent 10 }}
  ports:
    - protocol: TCP
      port: {{ int .port }}
{{- end }}

{{/* An egress rule to anything else. Arguments: to (peers, anywhere where empty), ports, and optionally protocols. */}}
{{- define "robustcert.egressTo" -}}
- ports:
    {{- range $protocol := .protocols | default (list "TCP") }}
    {{- range $.ports }}
    - protocol: {{ $protocol }}
      port: {{ int . }}
    {{- end }}
    {{- end }}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The egress rule to Kubeflow Pipelines. Argument: root. */}}
{{- define "robustcert.egressToKubeflow" -}}
{{- $chosen := .Values.networkPolicy.kubeflow -}}
{{- $ports := $chosen.ports | default (list (include "robustcert.addressPort" .Values.kubeflow.host)) -}}
{{ include "robustcert.egressTo" (dict "to" $chosen.to "ports" $ports) }}
{{- end }}

{{/* The egress rule to the S3 servers of addresses, or nothing where none is in S3. Arguments: root, uris. */}}
{{- define "robustcert.egressToStore" -}}
{{- $chosen := .root.Values.networkPolicy.store -}}
{{- $ports := list -}}
{{- range .uris }}
{{- if hasPrefix "s3://" . }}
{{- $written := regexFind "[?&]endpoint=[^&]*" . | trimAll "?&" | trimPrefix "endpoint=" | replace "%3A" ":" | replace "%2F" "/" -}}
{{- $endpoint := $written | default $.root.Values.store.endpoint | default "https://s3.amazonaws.com" -}}
{{- $ports = append $ports (include "robustcert.addressPort" $endpoint) -}}
{{- end }}
{{- end }}
{{- if $ports }}
{{- include "robustcert.egressTo" (dict "to" $chosen.to "ports" ($chosen.ports | default ($ports | uniq | sortAlpha))) }}
{{- end }}
{{- end }}

{{/* Port of an address http(s)://host[:port][/path]. */}}
{{- define "robustcert.addressPort" -}}
{{- $server := regexFind "^https?://[^/?#]+" . -}}
{{ regexFind ":[0-9]+$" $server | trimPrefix ":" | default (hasPrefix "https://" . | ternary "443" "80") }}
{{- end }}
