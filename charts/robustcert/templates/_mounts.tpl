{{/*
What programs mount and read, as lists of entries: the store, trusted keys, tokens, Secrets. robustcert.environment,
robustcert.volumes and robustcert.volumeMounts (_pod.tpl) make the blocks of them.
*/}}

{{/* Where the store is and who asks it. Arguments: root, readOnly (true for a program that only reads). */}}
{{- define "robustcert.storeEnvironment" -}}
{{- $store := .root.Values.store -}}
{{- with $store.endpoint }}
- name: AWS_ENDPOINT_URL_S3
  value: {{ quote . }}
{{- end }}
{{- with $store.region }}
- name: AWS_REGION
  value: {{ quote . }}
{{- end }}
{{- $secret := .readOnly | ternary ($store.readOnlySecretName | default $store.secretName) $store.secretName -}}
{{- if and $secret (hasPrefix "s3://" $store.uri) }}
{{- range $name := list "AWS_ACCESS_KEY_ID" "AWS_SECRET_ACCESS_KEY" "AWS_SESSION_TOKEN" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ quote $secret }}
      key: {{ $name }}
      {{- if eq $name "AWS_SESSION_TOKEN" }}
      optional: true
      {{- end }}
{{- end }}
{{- end }}
{{- if $store.ca.name }}
- name: SSL_CERT_FILE
  value: {{ printf "/etc/robustcert/store-ca/%s" $store.ca.key | quote }}
{{- end }}
{{- end }}

{{/* The server's authorities, and the claim of a store in a folder. Argument: root. */}}
{{- define "robustcert.storeVolumes" -}}
{{- with .Values.store.ca }}
{{- if .name }}
- name: store-ca
  configMap:
    name: {{ quote .name }}
    items:
      - key: {{ quote .key }}
        path: {{ quote .key }}
{{- end }}
{{- end }}
{{- with .Values.store.persistentVolumeClaim }}
- name: store
  persistentVolumeClaim:
    claimName: {{ quote . }}
{{- end }}
{{- end }}

{{/* Where they are mounted. Arguments: root, readOnly. */}}
{{- define "robustcert.storeVolumeMounts" -}}
{{- if .root.Values.store.ca.name }}
- name: store-ca
  mountPath: /etc/robustcert/store-ca
  readOnly: true
{{- end }}
{{- if .root.Values.store.persistentVolumeClaim }}
- name: store
  mountPath: /store
  {{- if .readOnly }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}

{{/* Name of the ConfigMap of trusted keys. Argument: root. */}}
{{- define "robustcert.trustedKeysName" -}}
{{ .Values.trustedKeys.configMapName | default (include "robustcert.component" (dict "root" . "component" "trusted-keys")) }}
{{- end }}

{{/* The public keys of whoever may sign. Argument: root. */}}
{{- define "robustcert.trustedKeysVolume" -}}
- name: trusted-keys
  configMap:
    name: {{ include "robustcert.trustedKeysName" . | quote }}
{{- end }}

{{/* Where they are. No argument. */}}
{{- define "robustcert.trustedKeysMount" -}}
- name: trusted-keys
  mountPath: /etc/robustcert/trusted-keys
  readOnly: true
{{- end }}

{{/* Changes with the trusted keys, which programs read once. Argument: root. */}}
{{- define "robustcert.trustedKeysChecksum" -}}
{{- with .Values.trustedKeys.keys -}}
checksum/trusted-keys: {{ toJson . | sha256sum }}
{{- end }}
{{- end }}

{{/* What the Kubernetes client expects of a pod: token, authority and namespace; for 3607 seconds, as by default. No argument. */}}
{{- define "robustcert.kubernetesVolume" -}}
- name: kubernetes
  projected:
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end }}

{{/* Where the client looks for it. No argument. */}}
{{- define "robustcert.kubernetesMount" -}}
- name: kubernetes
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}

{{/* Path of the projected token for Kubeflow Pipelines, or nothing. Argument: root. */}}
{{- define "robustcert.kubeflowTokenFile" -}}
{{- if .Values.kubeflow.token.enabled -}}
/var/run/secrets/kubeflow/pipelines/token
{{- end }}
{{- end }}

{{/* Path of the authorities of an https:// host, or nothing. Argument: root. */}}
{{- define "robustcert.kubeflowCaFile" -}}
{{- if .Values.kubeflow.ca.name -}}
/etc/robustcert/kubeflow-ca/{{ .Values.kubeflow.ca.key }}
{{- end }}
{{- end }}

{{/* Where the token is. Argument: root. */}}
{{- define "robustcert.kubeflowEnvironment" -}}
{{- with include "robustcert.kubeflowTokenFile" . }}
- name: KF_PIPELINES_SA_TOKEN_PATH
  value: {{ . }}
{{- end }}
{{- end }}

{{/* The token and the authorities. Argument: root. */}}
{{- define "robustcert.kubeflowVolumes" -}}
{{- with .Values.kubeflow.token }}
{{- if .enabled }}
- name: kubeflow-token
  projected:
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ quote .audience }}
          expirationSeconds: {{ int64 .expirationSeconds }}
{{- end }}
{{- end }}
{{- with .Values.kubeflow.ca }}
{{- if .name }}
- name: kubeflow-ca
  configMap:
    name: {{ quote .name }}
    items:
      - key: {{ quote .key }}
        path: {{ quote .key }}
{{- end }}
{{- end }}
{{- end }}

{{/* Where they are mounted. Argument: root. */}}
{{- define "robustcert.kubeflowVolumeMounts" -}}
{{- if .Values.kubeflow.token.enabled }}
- name: kubeflow-token
  mountPath: /var/run/secrets/kubeflow/pipelines
  readOnly: true
{{- end }}
{{- if .Values.kubeflow.ca.name }}
- name: kubeflow-ca
  mountPath: /etc/robustcert/kubeflow-ca
  readOnly: true
{{- end }}
{{- end }}

{{/* The one place that every program may write to. Argument: its size, such as "64Mi". */}}
{{- define "robustcert.tmpVolume" -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ toJson . }}
{{- end }}

{{/* Where it is. No argument. */}}
{{- define "robustcert.tmpMount" -}}
- name: tmp
  mountPath: /tmp
{{- end }}

{{/* A key of a Secret as one file NAME/KEY. Arguments: name (of the volume), secret (an object with name and key). */}}
{{- define "robustcert.secretVolume" -}}
- name: {{ .name }}
  secret:
    secretName: {{ quote .secret.name }}
    defaultMode: 0440
    items:
      - key: {{ quote .secret.key }}
        path: {{ quote .secret.key }}
{{- end }}
