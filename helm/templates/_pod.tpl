{{/* What the workers and the test pod share. */}}

{{/* A setting's value as the environment holds it: lists with commas, objects as JSON. */}}
{{- define "iton-worker.written" -}}
{{- if kindIs "string" . -}}
{{- . -}}
{{- else if and (kindIs "slice" .) (not (kindIs "map" (first .))) -}}
{{- join "," . -}}
{{- else -}}
{{- toJson . -}}
{{- end -}}
{{- end }}

{{/* The settings that are no secret, as a JSON object of strings. */}}
{{- define "iton-worker.settings" -}}
{{- $values := .Values -}}
{{- $settings := dict -}}
{{- range $name, $value := $values.settings -}}
{{- $_ := set $settings $name (include "iton-worker.written" $value) -}}
{{- end -}}
{{- $named := dict
  "AMQP_PREFIX" $values.broker.prefix
  "AMQP_DECLARE" $values.broker.declare
  "ITON_BASE_URL" $values.iton.baseUrl
  "ITON_TIMEOUT" $values.iton.timeout
  "ITON_RATE_LIMIT" $values.iton.rateLimit
  "HEALTH_PORT" $values.health.port
  "LOG_LEVEL" $values.logs.level
  "LOG_FORMAT" $values.logs.format
  "WORKER_SHARED_LEDGER" (eq (include "iton-worker.sharedLedger" .) "true")
  "WORKER_DRAIN_TIMEOUT" $values.drainTimeout
  "WORKER_SECRETS_DIR" $values.credentials.mountPath -}}
{{- range $name, $value := $named -}}
{{- $_ := set $settings $name (include "iton-worker.written" $value) -}}
{{- end -}}
{{- with $values.iton.allowedParams -}}
{{- $_ := set $settings "ITON_ALLOWED_PARAMS" (include "iton-worker.written" .) -}}
{{- end -}}
{{- with include "iton-worker.ledgerUrl" . -}}
{{- $_ := set $settings "LEDGER_URL" . -}}
{{- end -}}
{{- toJson $settings -}}
{{- end }}

{{/* Empty where the URL comes with the credentials. */}}
{{- define "iton-worker.ledgerUrl" -}}
{{- $ledger := .Values.ledger -}}
{{- if eq $ledger.type "sqlite" -}}
sqlite:////var/lib/iton-worker/ledger.db
{{- else if eq $ledger.type "memory" -}}
memory://
{{- else if eq $ledger.type "redis" -}}
{{- default "" $ledger.redis.url -}}
{{- else -}}
{{- default "" $ledger.postgresql.url -}}
{{- end -}}
{{- end }}

{{/* "true" where pods share the ledger, else empty. */}}
{{- define "iton-worker.sharedLedger" -}}
{{- if has .Values.ledger.type (list "redis" "postgresql") }}true{{ end -}}
{{- end }}

{{/* The ConfigMap is last: what the chart decides on is not overridden by a Secret's key. */}}
{{- define "iton-worker.envFrom" -}}
{{- if eq .Values.credentials.mount "env" -}}
{{- with include "iton-worker.credentialsSecret" . }}
- secretRef:
    name: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnvFrom }}
{{ toYaml . }}
{{- end }}
- configMapRef:
    name: {{ include "iton-worker.fullname" . | quote }}
{{- end }}

{{- define "iton-worker.env" -}}
{{- if eq .Values.credentials.mount "env" -}}
{{- include "iton-worker.credentialsEnv" . }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The worker's own ledger, unless it is shared, is on a volume that may be out of the test pod's reach. */}}
{{- define "iton-worker.checkEnv" -}}
{{- if not (include "iton-worker.sharedLedger" .) }}
- name: LEDGER_URL
  value: memory://
{{- end }}
{{- include "iton-worker.env" . }}
{{- end }}

{{- define "iton-worker.volumeMounts" -}}
- name: tmp
  mountPath: /tmp
{{- if eq .Values.credentials.mount "files" }}
- name: credentials
  mountPath: {{ .Values.credentials.mountPath | quote }}
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "iton-worker.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- if eq .Values.credentials.mount "files" }}
{{ include "iton-worker.credentialsVolume" . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* None twice: the checksums are the chart's own; kubectl's container may be another. */}}
{{- define "iton-worker.podAnnotations" -}}
{{- $checksums := dict
  "checksum/config" (include (print .Template.BasePath "/configmap.yaml") . | sha256sum)
  "checksum/credentials" (include (print .Template.BasePath "/secret.yaml") . | sha256sum) -}}
{{- toYaml (merge $checksums (default dict .Values.podAnnotations) (dict "kubectl.kubernetes.io/default-container" "worker")) -}}
{{- end }}

{{/* The pod's surroundings, apart from containers and volumes. */}}
{{- define "iton-worker.podSurroundings" -}}
serviceAccountName: {{ include "iton-worker.serviceAccountName" . | quote }}
automountServiceAccountToken: false
# Kubernetes would put variables into the pod that look like settings of the worker.
enableServiceLinks: false
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- range $field := list "priorityClassName" "runtimeClassName" }}
{{- with index $.Values $field }}
{{ $field }}: {{ . | quote }}
{{- end }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "hostAliases" "dnsConfig" }}
{{- with index $.Values $field }}
{{ $field }}: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}
