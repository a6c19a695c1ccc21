{{/* What drift jobs read: their key, and what counts as drift. */}}

{{/* The passphrase of a key that has one, under `passphrase` of its Secret. Argument: the values of the key. */}}
{{- define "robustcert.driftPassphrase" -}}
- name: ROBUSTCERT_KEY_PASSPHRASE
  valueFrom:
    secretKeyRef:
      name: {{ quote .name }}
      key: passphrase
      optional: true
{{- end }}

{{/* Argument: one of drift.jobs. */}}
{{- define "robustcert.driftMounts" -}}
- name: drift-key
  mountPath: /etc/robustcert/drift-key
  readOnly: true
{{- if .policy }}
- name: policies
  mountPath: /etc/robustcert/policies
  readOnly: true
{{- end }}
{{- end }}

{{/* Arguments: root, job. */}}
{{- define "robustcert.driftVolumes" -}}
{{ include "robustcert.secretVolume" (dict "name" "drift-key" "secret" .root.Values.drift.key) }}
{{- if .job.policy }}
- name: policies
  configMap:
    name: {{ include "robustcert.component" (dict "root" .root "component" "drift") }}-policies
    items:
      - key: {{ .job.name }}.yaml
        path: {{ .job.name }}.yaml
{{- end }}
{{- end }}

{{/*
Address of rows, with all that it takes to reach them: it gets into the record, from which a run without our environment takes it.
Arguments: root, uri.
*/}}
{{- define "robustcert.driftRows" -}}
{{- $uri := .uri -}}
{{- if hasPrefix "s3://" $uri -}}
{{- range $key := list "endpoint" "region" -}}
{{- $store := $.root.Values.store -}}
{{- $value := get $store $key | default (regexReplaceAll "^[?&][a-z]+=" (regexFind (printf "[?&]%s=[^&]*" $key) $store.uri) "") -}}
{{- if and $value (not (regexMatch (printf "[?&]%s=" $key) $uri)) -}}
{{- $uri = printf "%s%s%s=%s" $uri (contains "?" $uri | ternary "&" "?") $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ $uri }}
{{- end }}
