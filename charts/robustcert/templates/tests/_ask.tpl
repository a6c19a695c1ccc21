{{/* Pods of `helm test`. */}}

{{/*
One that asks; arguments of files/tests/ask.py as `ask`. Arguments: root, name, program (values of what is asked, for its
placement), ask, and optionally mounts and volumes (texts).
*/}}
{{- define "robustcert.testPod" -}}
{{- $id := dict "root" .root "component" "test" "program" .program -}}
{{- $account := include "robustcert.component" $id -}}
{{- $hook := dict "helm.sh/hook" "test" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" -}}
apiVersion: v1
kind: Pod
metadata:
  {{- include "robustcert.metadata" (dict "root" .root "component" "test" "name" (printf "%s-%s" $account .name) "annotations" $hook) | nindent 2 }}
spec:
  restartPolicy: Never
  activeDeadlineSeconds: 180
  {{- include "robustcert.podBasics" (merge (dict "account" $account) $id) | nindent 2 }}
  containers:
    - name: test
      {{- include "robustcert.containerBasics" (dict "root" .root "image" .root.Values.images.monitoring "resources" .root.Values.recertification.resources) | nindent 6 }}
      command: [python, -c]
      args:
        - |
          {{- .root.Files.Get "files/tests/ask.py" | nindent 10 }}
        {{- range .ask }}
        - {{ quote . }}
        {{- end }}
      {{- include "robustcert.listBlock" (dict "key" "volumeMounts" "parts" (list (include "robustcert.tmpMount" .) (.mounts | default "")) "extra" list) | nindent 6 }}
  {{- include "robustcert.listBlock" (dict "key" "volumes" "parts" (list (include "robustcert.tmpVolume" "16Mi") (.volumes | default "")) "extra" list) | nindent 2 }}
{{- end }}

{{/* Whether the controller can be asked without a client's certificate. Argument: root. */}}
{{- define "robustcert.controllerIsAskable" -}}
{{- if and .Values.controller.enabled (not .Values.controller.tls.clientCa.name) }}yes{{ end }}
{{- end }}
