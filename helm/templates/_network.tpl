{{/* One rule of egress: TCP to .ports of .to. */}}
{{- define "iton-worker.egress" -}}
- ports:
    {{- range .ports }}
    - port: {{ int . }}
      protocol: TCP
    {{- end }}
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The port that a URL names; empty where it names none. */}}
{{- define "iton-worker.urlPort" -}}
{{- if . -}}
{{- regexFind ":[0-9]+$" (urlParse .).host | trimPrefix ":" -}}
{{- end -}}
{{- end }}
