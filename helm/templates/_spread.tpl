{{/* Spreading a revision's pods: those of the one before it do not count. */}}
{{- define "iton-worker.spread" -}}
{{- if .Values.topologySpread.constraints -}}
topologySpreadConstraints: {{- toYaml .Values.topologySpread.constraints | nindent 2 }}
{{- else if .Values.topologySpread.enabled -}}
topologySpreadConstraints:
  {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "iton-worker.selectorLabels" $ | nindent 8 }}
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end -}}
{{- end }}
