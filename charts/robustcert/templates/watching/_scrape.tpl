{{/*
Annotations of a Service by which a Prometheus without the operator finds what to scrape; nothing where they are off.
Arguments: root, port (a number). Use: `include ... | fromYaml`. That Prometheus must honour labels, docs/monitoring.md.
*/}}
{{- define "robustcert.scrapeAnnotations" -}}
{{- if .root.Values.monitoring.scrapeAnnotations -}}
prometheus.io/scrape: "true"
prometheus.io/path: /metrics
prometheus.io/port: {{ .port | int64 | quote }}
{{- end }}
{{- end }}
