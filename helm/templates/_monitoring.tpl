{{/* The alerts of files/alerts.yaml as the values change them, as a list of groups; one without rules is left out. */}}
{{- define "iton-worker.alertGroups" -}}
{{- $given := .Values.metrics.alerts -}}
{{- $runbooks := .Values.metrics.runbooks -}}
{{- $groups := list -}}
{{- range $group := (.Files.Get "files/alerts.yaml" | fromYaml).groups -}}
{{- $rules := list -}}
{{- range $group.rules -}}
{{- $own := get (default dict $given.rules) .alert | default dict -}}
{{- if dig "enabled" true $own -}}
{{- $links := ternary (dict "runbook_url" (printf "%s%s" $runbooks .annotations.runbook)) dict (not (empty $runbooks)) -}}
{{- $changed := dict
  "labels" (mergeOverwrite (dict) .labels (default dict $given.extraLabels) (dig "labels" dict $own))
  "annotations" (mergeOverwrite (dict) .annotations $links (default dict $given.extraAnnotations) (dig "annotations" dict $own)) -}}
{{- $rules = append $rules (mergeOverwrite (dict) . $changed (pick $own "for")) -}}
{{- end -}}
{{- end -}}
{{- with $rules -}}
{{- $groups = append $groups (dict "name" $group.name "rules" .) -}}
{{- end -}}
{{- end -}}
{{- toYaml $groups -}}
{{- end }}

{{/* The dashboard with the address of the runbooks filled in; without one, no panel has a link that leads nowhere. */}}
{{- define "iton-worker.dashboard" -}}
{{- $runbooks := .Values.metrics.runbooks -}}
{{- $board := .Files.Get "files/dashboard.json" | fromJson -}}
{{- $variables := list -}}
{{- range $board.templating.list -}}
{{- if ne .name "runbooks" -}}
{{- $variables = append $variables . -}}
{{- else if $runbooks -}}
{{- $variables = append $variables (mergeOverwrite . (dict "query" $runbooks "current" (dict "text" $runbooks "value" $runbooks))) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $board.templating "list" $variables -}}
{{- if not $runbooks -}}
{{- range prepend $board.panels $board -}}
{{- $_ := unset . "links" -}}
{{- end -}}
{{- end -}}
{{- toPrettyJson $board -}}
{{- end }}

{{/* The endpoint of a PodMonitor or ServiceMonitor, of its values. */}}
{{- define "iton-worker.scrape" -}}
- port: health
  path: /metrics
  interval: {{ .interval | quote }}
  scrapeTimeout: {{ .scrapeTimeout | quote }}
  {{- range $field := list "relabelings" "metricRelabelings" }}
  {{- with index $ $field }}
  {{ $field }}: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end }}
