{{/* One rule of egress: TCP to .ports of .to. */}}
{{- define "iton-worker.egress" -}}
- ports:
    {{- range splitList "," .ports }}
    - port: {{ int . }}
      protocol: TCP
    {{- end }}
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The port that a URL names; empty where it names none. Sprig's urlParse would quote one with a password. */}}
{{- define "iton-worker.urlPort" -}}
{{- regexFind ":[0-9]+$" (regexReplaceAll "^[a-z]+://([^/?#]*@)?([^/?#]*).*$" . "${2}") | trimPrefix ":" -}}
{{- end }}

{{/* Ports that are open towards the broker, with commas between them: those given, else that of its URL, else the usual. */}}
{{- define "iton-worker.brokerPorts" -}}
{{- $named := include "iton-worker.urlPort" (default "" .Values.credentials.amqpUrl) -}}
{{- with .Values.networkPolicy.broker.ports }}{{ join "," . }}{{ else }}{{ default "5671,5672" $named }}{{ end -}}
{{- end }}

{{/* The same towards the Redis. */}}
{{- define "iton-worker.redisPorts" -}}
{{- $named := include "iton-worker.urlPort" (coalesce .Values.ledger.redis.url .Values.credentials.ledgerUrl | default "") -}}
{{- with .Values.networkPolicy.redis.ports }}{{ join "," . }}{{ else }}{{ default "6379" $named }}{{ end -}}
{{- end }}

{{/* The same towards the PostgreSQL, whose URL may name several hosts. */}}
{{- define "iton-worker.postgresqlPorts" -}}
{{- $url := coalesce .Values.ledger.postgresql.url .Values.credentials.ledgerUrl | default "" -}}
{{- $ports := list -}}
{{- range splitList "," (regexReplaceAll "^[a-z]+://([^/?#]*@)?([^/?#]*).*$" $url "${2}") -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default "5432") -}}
{{- end -}}
{{- with .Values.networkPolicy.postgresql.ports }}{{ join "," . }}{{ else }}{{ join "," (uniq $ports) }}{{ end -}}
{{- end }}

{{/* The same towards the gateway, and the Web API, where the settings name one. */}}
{{- define "iton-worker.gatewayPorts" -}}
{{- $ports := list -}}
{{- range compact (list .Values.iton.baseUrl (get (default dict .Values.settings) "ITON_WEB_API_URL")) -}}
{{- $ports = append $ports (include "iton-worker.urlPort" . | default (ternary "80" "443" (hasPrefix "http:" .))) -}}
{{- end -}}
{{- with .Values.networkPolicy.gateway.ports }}{{ join "," . }}{{ else }}{{ join "," (uniq $ports) }}{{ end -}}
{{- end }}

{{/* For people: ports that the chart had to guess, for the URLs are in Secrets. Empty where it guessed none. */}}
{{- define "iton-worker.guessedPorts" -}}
{{- $guessed := list -}}
{{- if not (or .Values.credentials.amqpUrl .Values.networkPolicy.broker.ports) -}}
{{- $guessed = append $guessed (printf "%s to the broker (networkPolicy.broker.ports)" (include "iton-worker.brokerPorts" . | replace "," " and ")) -}}
{{- end -}}
{{- if and (eq .Values.ledger.type "redis") (not (or .Values.ledger.redis.url .Values.credentials.ledgerUrl .Values.networkPolicy.redis.ports)) -}}
{{- $guessed = append $guessed (printf "%s to the Redis (networkPolicy.redis.ports)" (include "iton-worker.redisPorts" .)) -}}
{{- end -}}
{{- if and (eq .Values.ledger.type "postgresql") (not (or .Values.ledger.postgresql.url .Values.credentials.ledgerUrl .Values.networkPolicy.postgresql.ports)) -}}
{{- $guessed = append $guessed (printf "%s to the PostgreSQL (networkPolicy.postgresql.ports)" (include "iton-worker.postgresqlPorts" .)) -}}
{{- end -}}
{{- join ", " $guessed -}}
{{- end }}
