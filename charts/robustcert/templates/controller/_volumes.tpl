{{/* What only the controller mounts: its state, its settings, and a Secret for each thing that only it may know. */}}

{{/* Secrets by the folder that each is mounted at, as YAML: NAME -> {name, key or keys}. Argument: root. */}}
{{- define "robustcert.controllerSecrets" -}}
{{- $controller := .Values.controller -}}
{{- $secrets := dict "status-key" $controller.statusKey "tokens" $controller.tokens "grafana" $controller.grafana -}}
{{- if $controller.tls.enabled }}{{ $_ := set $secrets "client-ca" $controller.tls.clientCa }}{{ end -}}
{{- range $name, $secret := $secrets }}
{{- if $secret.name }}
{{ $name }}: {name: {{ quote $secret.name }}, key: {{ quote $secret.key }}}
{{- end }}
{{- end }}
{{- end }}

{{/* Argument: root. */}}
{{- define "robustcert.controllerVolumes" -}}
{{- $name := include "robustcert.component" (dict "root" . "component" "controller") -}}
- name: state
  persistentVolumeClaim:
    claimName: {{ .Values.controller.persistence.existingClaim | default $name | quote }}
- name: settings
  configMap:
    name: {{ $name }}
{{- range $volume, $secret := include "robustcert.controllerSecrets" . | fromYaml }}
{{ include "robustcert.secretVolume" (dict "name" $volume "secret" $secret) }}
{{- end }}
{{- with include "robustcert.controllerTlsSecret" . }}
- name: tls
  secret:
    secretName: {{ quote . }}
    defaultMode: 0440
    items:
      - key: tls.crt
        path: tls.crt
      - key: tls.key
        path: tls.key
{{- end }}
{{- end }}

{{/* Argument: root. */}}
{{- define "robustcert.controllerMounts" -}}
- name: state
  mountPath: /var/lib/robustcert
- name: settings
  mountPath: /etc/robustcert/controller
  readOnly: true
{{- $folders := include "robustcert.controllerSecrets" . | fromYaml | keys | sortAlpha }}
{{- if .Values.controller.tls.enabled }}{{ $folders = append $folders "tls" }}{{ end }}
{{- range $folders }}
- name: {{ . }}
  mountPath: /etc/robustcert/{{ . }}
  readOnly: true
{{- end }}
{{- end }}
