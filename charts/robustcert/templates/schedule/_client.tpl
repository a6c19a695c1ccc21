{{/* What a client of the controller is given: the slot that it asks for, its token, and who signed the server's certificate. */}}

{{/* The label is on every pod of a Job since Kubernetes 1.27. No argument. */}}
{{- define "robustcert.slotEnvironment" -}}
- name: ROBUSTCERT_SLOT
  valueFrom:
    fieldRef:
      fieldPath: metadata.labels['batch.kubernetes.io/job-name']
{{- end }}

{{/* Argument: root. */}}
{{- define "robustcert.controllerClientMounts" -}}
- name: schedule-token
  mountPath: /etc/robustcert/schedule-token
  readOnly: true
{{ include "robustcert.controllerCaMount" . }}
{{- end }}

{{/* Argument: root. */}}
{{- define "robustcert.controllerClientVolumes" -}}
{{ include "robustcert.secretVolume" (dict "name" "schedule-token" "secret" .Values.controller.scheduleToken) }}
{{ include "robustcert.controllerCaVolume" . }}
{{- end }}

{{/* Argument: root. */}}
{{- define "robustcert.controllerCaMount" -}}
{{- if .Values.controller.tls.enabled -}}
- name: controller-ca
  mountPath: /etc/robustcert/controller-ca
  readOnly: true
{{- end }}
{{- end }}

{{/* The Secret's ca.crt alone, never its key. Argument: root. */}}
{{- define "robustcert.controllerCaVolume" -}}
{{- with include "robustcert.controllerTlsSecret" . -}}
{{ include "robustcert.secretVolume" (dict "name" "controller-ca" "secret" (dict "name" . "key" "ca.crt")) }}
{{- end }}
{{- end }}
