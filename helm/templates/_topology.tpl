{{/* The delays of the delay queues, separated by commas, read as the worker reads them; its default where none are set. */}}
{{- define "iton-worker.retryDelays" -}}
{{- $worker := .Files.Get "generated/worker.json" | fromJson -}}
{{- include "iton-worker.listed" (dig "WORKER_RETRY_DELAYS" $worker.delays (default dict .Values.settings)) -}}
{{- end }}

{{/* The same of the looks at tracked messages, each once: a queue each. */}}
{{- define "iton-worker.trackDelays" -}}
{{- $worker := .Files.Get "generated/worker.json" | fromJson -}}
{{- include "iton-worker.listed" (dig "WORKER_TRACK_DELAYS" $worker.trackDelays (default dict .Values.settings)) | splitList "," | uniq | join "," -}}
{{- end }}

{{- define "iton-worker.listed" -}}
{{- $listed := list -}}
{{- range splitList "," (include "iton-worker.written" .) -}}
{{- with trim . -}}
{{- $listed = append $listed . -}}
{{- end -}}
{{- end -}}
{{- join "," $listed -}}
{{- end }}

{{/* The end of an object's name in Kubernetes: readable, and different for each. */}}
{{- define "iton-worker.topologyName" -}}
{{- $object := .object -}}
{{- if eq .kind "bindings" -}}
{{- printf "%s-to-%s-%s" $object.exchange $object.queue (sha256sum $object.routing_key | trunc 6) -}}
{{- else -}}
{{- printf "%s-%s" (trimSuffix "s" .kind) $object.name -}}
{{- end -}}
{{- end }}

{{- define "iton-worker.clusterReference" -}}
{{- if .connectionSecret -}}
connectionSecret:
  name: {{ .connectionSecret | quote }}
{{- else -}}
name: {{ .clusterName | quote }}
{{- with .clusterNamespace }}
namespace: {{ . | quote }}
{{- end }}
{{- end -}}
{{- end }}
