{{/* Where the credentials come from, and how they reach the container. */}}

{{/* The plain values by their variables, as a JSON object; empty ones are left out. */}}
{{- define "iton-worker.plainCredentials" -}}
{{- $plain := dict -}}
{{- $given := .Values.credentials -}}
{{- range $variable, $value := dict "AMQP_URL" $given.amqpUrl "ITON_USERNAME" $given.itonUsername "ITON_PASSWORD" $given.itonPassword "ITON_API_TOKEN" $given.itonApiToken "WORKER_GATEWAY_PROXY" $given.gatewayProxy "LEDGER_URL" $given.ledgerUrl -}}
{{- if $value -}}
{{- $_ := set $plain $variable $value -}}
{{- end -}}
{{- end -}}
{{- toJson $plain -}}
{{- end }}

{{/* The Secret that is mounted whole; empty where every variable has a source of its own. */}}
{{- define "iton-worker.credentialsSecret" -}}
{{- $given := .Values.credentials -}}
{{- if $given.existingSecret -}}
{{- $given.existingSecret -}}
{{- else if or $given.externalSecret.enabled (include "iton-worker.plainCredentials" . | fromJson) (not $given.from) -}}
{{- printf "%s-credentials" (include "iton-worker.fullname" .) -}}
{{- end -}}
{{- end }}

{{/* Name of the whole Secret where it must hold LEDGER_URL: without it each pod would have a ledger of its own. */}}
{{- define "iton-worker.ledgerUrlSecret" -}}
{{- if and (include "iton-worker.sharedLedger" .) (not (include "iton-worker.ledgerUrl" .)) (not (hasKey (default dict .Values.credentials.from) "LEDGER_URL")) -}}
{{- include "iton-worker.credentialsSecret" . -}}
{{- end -}}
{{- end }}

{{/* The volume of mounted files; later sources win. */}}
{{- define "iton-worker.credentialsVolume" -}}
- name: credentials
  projected:
    # The container's user is not the owner of the files.
    defaultMode: 0444
    sources:
      {{- with include "iton-worker.credentialsSecret" . }}
      - secret:
          name: {{ . | quote }}
      {{- end }}
      {{- with include "iton-worker.ledgerUrlSecret" . }}
      # Named by itself it must be there: a pod without it waits, and kubectl describe names the key.
      - secret:
          name: {{ . | quote }}
          items:
            - key: LEDGER_URL
              path: LEDGER_URL
      {{- end }}
      {{- range $variable, $source := .Values.credentials.from }}
      - secret:
          name: {{ $source.name | quote }}
          items:
            - key: {{ $source.key | quote }}
              path: {{ $variable | quote }}
      {{- end }}
{{- end }}

{{/* Environment variables from Secrets, where they are wanted there. */}}
{{- define "iton-worker.credentialsEnv" -}}
{{- with include "iton-worker.ledgerUrlSecret" . }}
- name: LEDGER_URL
  valueFrom:
    secretKeyRef:
      name: {{ . | quote }}
      key: LEDGER_URL
{{- end }}
{{- range $variable, $source := .Values.credentials.from }}
- name: {{ $variable | quote }}
  valueFrom:
    secretKeyRef:
      name: {{ $source.name | quote }}
      key: {{ $source.key | quote }}
{{- end }}
{{- end }}
