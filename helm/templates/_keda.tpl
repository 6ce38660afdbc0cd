{{/* What KEDA asks, and with which secrets. */}}

{{/* The Secret that the chart makes for KEDA, of a URL among the values and of what KEDA takes from a Secret alone. */}}
{{- define "iton-worker.kedaSecret" -}}
{{- $keda := .Values.autoscaling.keda -}}
{{- $data := dict -}}
{{- with $keda.managementUrl -}}
{{- /* KEDA takes what stands behind the last slash for the virtual host. */ -}}
{{- $_ := set $data $keda.secretKey (regexReplaceAll "^(https?://[^/]+)$" . "${1}/" | b64enc) -}}
{{- end -}}
{{- if and $keda.tls.existingSecret (eq $keda.trigger "rabbitmq") -}}
{{- $_ := set $data "tls" (b64enc "enable") -}}
{{- end -}}
{{- with $data }}
apiVersion: v1
kind: Secret
metadata:
  name: {{ include "iton-worker.fullname" $ }}-keda
  labels: {{- include "iton-worker.labels" $ | nindent 4 }}
type: Opaque
data: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "iton-worker.kedaParameter" -}}
- parameter: {{ index . 0 }}
  name: {{ index . 1 | quote }}
  key: {{ index . 2 | quote }}
{{ end }}

{{/* The trigger's parameters that are secrets, as a TriggerAuthentication names them; empty where it needs none. */}}
{{- define "iton-worker.kedaParameters" -}}
{{- $keda := .Values.autoscaling.keda -}}
{{- $made := printf "%s-keda" (include "iton-worker.fullname" .) -}}
{{- $modes := splitList "," (default "" $keda.prometheus.authModes) -}}
{{- if eq $keda.trigger "rabbitmq" -}}
{{- include "iton-worker.kedaParameter" (list "host" (default $made $keda.existingSecret) $keda.secretKey) -}}
{{- with $keda.tls.existingSecret -}}
{{- include "iton-worker.kedaParameter" (list "tls" $made "tls") -}}
{{- end -}}
{{- else -}}
{{- $asked := dict "basic" (list "username" "password") "bearer" (list "bearerToken") "custom" (list "customAuthHeader" "customAuthValue") -}}
{{- range $mode := $modes -}}
{{- range $parameter := index $asked $mode -}}
{{- include "iton-worker.kedaParameter" (list $parameter $keda.prometheus.existingSecret $parameter) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with $keda.tls.existingSecret -}}
{{- range $parameter, $key := dict "ca" $keda.tls.caKey "cert" $keda.tls.certKey "key" $keda.tls.privateKeyKey -}}
{{- if $key -}}
{{- include "iton-worker.kedaParameter" (list $parameter $keda.tls.existingSecret $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "iton-worker.rabbitmqTrigger" -}}
# The amqp protocol does not see what workers have taken and not yet finished.
protocol: http
excludeUnacknowledged: "false"
mode: QueueLength
queueName: {{ printf "%s.%s" .root.Values.broker.prefix .lane | quote }}
value: {{ toJson .jobs | quote }}
{{- with .root.Values.autoscaling.keda.vhost }}
vhostName: {{ . | quote }}
{{- end }}
{{- end }}

{{- define "iton-worker.prometheusTrigger" -}}
{{- $given := .root.Values.autoscaling.keda.prometheus -}}
{{- $queue := printf "%s.%s" .root.Values.broker.prefix .lane -}}
serverAddress: {{ $given.serverAddress | quote }}
query: {{ $given.query | replace "{queue}" $queue | replace "{lane}" .lane | quote }}
threshold: {{ toJson .jobs | quote }}
# No answer is not an empty queue: the last pods would be taken from a full one.
ignoreNullValues: "false"
{{- with $given.authModes }}
authModes: {{ . | quote }}
{{- end }}
{{- end }}
