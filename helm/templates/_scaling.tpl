{{/* How fast pods come and go: the same for KEDA, which makes an HPA, and for an HPA of the chart's own. */}}
{{- define "iton-worker.scalingBehavior" -}}
{{- range $direction := list "scaleDown" "scaleUp" }}
{{- with index $.Values.autoscaling $direction }}
{{ $direction }}:
  stabilizationWindowSeconds: {{ .stabilizationSeconds | int64 }}
  policies:
    - type: Pods
      value: {{ .pods | int64 }}
      periodSeconds: {{ .periodSeconds | int64 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Pods beyond which the rate limit leaves nothing to do; two are always right, for one may fail. 0: no limit. */}}
{{- define "iton-worker.usefulReplicas" -}}
{{- if .Values.iton.rateLimit -}}
{{- divf .Values.iton.rateLimit .Values.autoscaling.callsPerPod | ceil | int | max 2 -}}
{{- else -}}
0
{{- end -}}
{{- end }}
