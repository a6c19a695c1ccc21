{{/*
A file of rules with what the values change: alerts that are left out, and where the runbooks are. Everything else, and
every expression, stays as it is in files/rules. Groups that lose all their rules are left out.
Arguments: root, path.
*/}}
{{- define "robustcert.rules" -}}
{{- $chosen := .root.Values.monitoring.rules -}}
{{- if or $chosen.disabled $chosen.runbooks -}}
{{- $groups := list -}}
{{- range (.root.Files.Get .path | fromYaml).groups -}}
  {{- $kept := list -}}
  {{- range .rules -}}
    {{- if not (has .alert $chosen.disabled) -}}
      {{- if and .alert $chosen.runbooks -}}
        {{- $page := printf "%s/%s" (trimSuffix "/" $chosen.runbooks) (base .annotations.runbook_url) -}}
        {{- $_ := set .annotations "runbook_url" $page -}}
      {{- end -}}
      {{- $kept = append $kept . -}}
    {{- end -}}
  {{- end -}}
  {{- if $kept -}}
    {{- $groups = append $groups (set . "rules" $kept) -}}
  {{- end -}}
{{- end -}}
{{ dict "groups" $groups | toYaml }}
{{- else -}}
{{ .root.Files.Get .path | trim }}
{{- end }}
{{- end }}

{{/* Fails where an alert that is to be left out does not exist: a typo would else leave it in, unseen. */}}
{{- define "robustcert.checkDisabledAlerts" -}}
{{- if .Values.monitoring.rules.disabled -}}
{{- $known := list -}}
{{- range $path, $_ := .Files.Glob "files/rules/*.rules.yaml" -}}
  {{- range ($.Files.Get $path | fromYaml).groups -}}
    {{- range .rules -}}
      {{- with .alert }}{{ $known = append $known . }}{{ end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- range .Values.monitoring.rules.disabled -}}
  {{- if not (has . $known) -}}
    {{- fail (printf "expected names of alerts in monitoring.rules.disabled, got %q; write one of %s" . ($known | uniq | sortAlpha | join ", ")) -}}
  {{- end -}}
{{- end -}}
{{- end -}}
{{- end }}
