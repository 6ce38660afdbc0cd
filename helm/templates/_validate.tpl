{{/* What the schema cannot see: values that do not go together. Each sentence names the value and the remedy. */}}

{{- define "iton-worker.validate" -}}
{{- include "iton-worker.validateUrls" . -}}
{{- include "iton-worker.validateLedger" . -}}
{{- include "iton-worker.validateCredentials" . -}}
{{- include "iton-worker.validateSettings" . -}}
{{- include "iton-worker.validateDelays" . -}}
{{- include "iton-worker.validateLooks" . -}}
{{- include "iton-worker.validateRetention" . -}}
{{- include "iton-worker.validatePods" . -}}
{{- include "iton-worker.validateAutoscaling" . -}}
{{- include "iton-worker.validateObjects" . -}}
{{- end }}

{{/* Not in the schema, for Helm repeats what a schema refuses, and these may hold a password. */}}
{{- define "iton-worker.validateUrls" -}}
{{- if not (regexMatch "^https?://[^/?#@]+[^?#@]*$" .Values.iton.baseUrl) -}}
{{- fail "iton.baseUrl: must be https://HOST/PATH/ without credentials and query; correct it" -}}
{{- end -}}
{{- with .Values.credentials.amqpUrl -}}
{{- if not (regexMatch "^amqps?://." .) -}}
{{- fail "credentials.amqpUrl: must be amqp://USER:PASSWORD@HOST:5672/VHOST or amqps://; correct it" -}}
{{- end -}}
{{- end -}}
{{- with .Values.credentials.ledgerUrl -}}
{{- if and (eq $.Values.ledger.type "postgresql") (not (regexMatch "^postgresql://[^/]+/." .)) -}}
{{- fail "credentials.ledgerUrl: must be postgresql://USER:PASSWORD@HOST:PORT/DB with ledger.type postgresql; correct it" -}}
{{- else if and (ne $.Values.ledger.type "postgresql") (not (regexMatch "^rediss?://." .)) -}}
{{- fail "credentials.ledgerUrl: must be redis://:PASSWORD@HOST:PORT/DB or rediss://; correct it, or set ledger.type to postgresql" -}}
{{- end -}}
{{- end -}}
{{- with .Values.ledger.redis.url -}}
{{- if not (regexMatch "^rediss?://[^/?#@]+(/[^?#@]*)?([?&](ssl_[a-z_]+|client_name|db|wait_replicas)=[^?&#@]*)*$" .) -}}
{{- fail "ledger.redis.url: must be redis://HOST:PORT/DB or rediss://, where wanted with ?ssl_ca_certs=FILE, without user and password; one with a password belongs into credentials.from.LEDGER_URL" -}}
{{- end -}}
{{- end -}}
{{- with .Values.ledger.postgresql.url -}}
{{- if not (regexMatch "^postgresql://([^:/?#@]+@)?[^/?#@]+/[^/?#@]+([?&](sslmode|sslrootcert|sslcert|sslkey|sslcrl|channel_binding|gssencmode|target_session_attrs)=[^?&#@]*)*$" .) -}}
{{- fail "ledger.postgresql.url: must be postgresql://USER@HOST:PORT/DB, where wanted with ?sslmode=verify-full&sslrootcert=FILE, without a password; one with a password belongs into credentials.from.LEDGER_URL" -}}
{{- end -}}
{{- end -}}
{{- with .Values.autoscaling.keda.managementUrl -}}
{{- if not (regexMatch "^https?://." .) -}}
{{- fail "autoscaling.keda.managementUrl: must be http://USER:PASSWORD@HOST:15672/VHOST or https://; correct it" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "iton-worker.validateLedger" -}}
{{- $type := .Values.ledger.type -}}
{{- if not (include "iton-worker.sharedLedger" .) -}}
{{- if .Values.autoscaling.enabled -}}
{{- fail (printf "autoscaling.enabled: pods cannot share a ledger of type %s, a text could go out twice; set ledger.type to postgresql or redis, or autoscaling.enabled to false" $type) -}}
{{- end -}}
{{- if gt (int .Values.replicaCount) 1 -}}
{{- fail (printf "replicaCount: %d pods cannot share a ledger of type %s, a text could go out twice; set ledger.type to postgresql or redis, or replicaCount to 1" (int .Values.replicaCount) $type) -}}
{{- end -}}
{{- if or .Values.credentials.ledgerUrl (hasKey (default dict .Values.credentials.from) "LEDGER_URL") -}}
{{- fail (printf "ledger.type: is %s, but the credentials hold a LEDGER_URL; set ledger.type to postgresql or redis, or take LEDGER_URL out" $type) -}}
{{- end -}}
{{- else -}}
{{- include "iton-worker.validateServer" . -}}
{{- end -}}
{{- end }}

{{/* Of a ledger that pods share: its URL has one place. */}}
{{- define "iton-worker.validateServer" -}}
{{- $value := printf "ledger.%s.url" .Values.ledger.type -}}
{{- $url := include "iton-worker.ledgerUrl" . -}}
{{- $inCredentials := or .Values.credentials.ledgerUrl (hasKey (default dict .Values.credentials.from) "LEDGER_URL") -}}
{{- if and $url $inCredentials -}}
{{- fail (printf "%s: the credentials hold a LEDGER_URL as well; take one of them out" $value) -}}
{{- end -}}
{{- $known := or (include "iton-worker.plainCredentials" . | fromJson) (not (include "iton-worker.credentialsSecret" .)) -}}
{{- if and $known (not $url) (not $inCredentials) (not .Values.credentials.existingSecret) -}}
{{- fail (printf "%s: is missing with ledger.type %s; set it, or with a password in it credentials.from.LEDGER_URL" $value .Values.ledger.type) -}}
{{- end -}}
{{- end }}

{{- define "iton-worker.validateCredentials" -}}
{{- $given := .Values.credentials -}}
{{- $plain := include "iton-worker.plainCredentials" . | fromJson -}}
{{- $whole := or $given.existingSecret $given.externalSecret.enabled -}}
{{- if and $plain $whole -}}
{{- fail (printf "credentials: %s is given in plain text beside a Secret; take it out, or put it into the Secret" (keys $plain | sortAlpha | first)) -}}
{{- end -}}
{{- if and $given.existingSecret $given.externalSecret.enabled -}}
{{- fail "credentials.existingSecret: excludes credentials.externalSecret.enabled; choose one of them" -}}
{{- end -}}
{{- if and $given.externalSecret.enabled (not (and $given.externalSecret.store $given.externalSecret.remoteKey)) -}}
{{- fail "credentials.externalSecret: store and remoteKey are both needed; name the SecretStore and the key in it" -}}
{{- end -}}
{{- if and (not $whole) (or $plain $given.from) -}}
{{- range $variable := list "AMQP_URL" "ITON_USERNAME" "ITON_PASSWORD" -}}
{{- if not (or (hasKey $plain $variable) (hasKey (default dict $given.from) $variable)) -}}
{{- fail (printf "credentials: %s is missing; give it in credentials.from, or all of them in credentials.existingSecret" $variable) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "iton-worker.validateSettings" -}}
{{- $places := (.Files.Get "generated/worker.json" | fromJson).settings -}}
{{- range $name, $_ := .Values.settings -}}
{{- if ne (index $places $name) (printf "settings.%s" $name) -}}
{{- fail (printf "settings.%s: has a value of its own; give it as %s" $name (index $places $name)) -}}
{{- end -}}
{{- end -}}
{{- range .Values.extraEnv -}}
{{- if hasKey $places (upper .name) -}}
{{- fail (printf "extraEnv: %s is a setting of the worker; give it as %s" .name (index $places (upper .name))) -}}
{{- end -}}
{{- if regexMatch "^(WORKER|ITON)_" (upper .name) -}}
{{- fail (printf "extraEnv: %s is no setting of the worker, and it refuses to start with such a name; find the right one in the project's README and give it under settings" .name) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The seconds of a duration of Prometheus's, 1m30s say. */}}
{{- define "iton-worker.seconds" -}}
{{- $units := dict "ms" 0.001 "s" 1 "m" 60 "h" 3600 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h)" . -1 -}}
{{- $sum = addf $sum (mulf (regexFind "^[0-9]+" . | float64) (index $units (regexFind "[a-z]+$" .))) -}}
{{- end -}}
{{- $sum -}}
{{- end }}

{{- define "iton-worker.validateAutoscaling" -}}
{{- $auto := .Values.autoscaling -}}
{{- if $auto.enabled -}}
{{- if gt (int $auto.minReplicas) (int $auto.maxReplicas) -}}
{{- fail (printf "autoscaling.minReplicas: %d is more than autoscaling.maxReplicas, %d; lower it" (int $auto.minReplicas) (int $auto.maxReplicas)) -}}
{{- end -}}
{{- $useful := include "iton-worker.usefulReplicas" . | int -}}
{{- if and $useful (gt (int $auto.maxReplicas) $useful) -}}
{{- fail (printf "autoscaling.maxReplicas: %d pods of %v calls a second each (autoscaling.callsPerPod) go beyond iton.rateLimit, %v: those beyond %d would only wait; lower it to %d, or correct callsPerPod" (int $auto.maxReplicas) $auto.callsPerPod .Values.iton.rateLimit $useful $useful) -}}
{{- end -}}
{{- if eq $auto.type "hpa" -}}
{{- if lt (int $auto.minReplicas) 1 -}}
{{- fail "autoscaling.minReplicas: 0 is only possible with autoscaling.type keda; set it to 1" -}}
{{- end -}}
{{- if not (or (dig "requests" "cpu" "" .Values.resources) (dig "limits" "cpu" "" .Values.resources)) -}}
{{- fail "resources.requests.cpu: is missing with autoscaling.type hpa, which measures by it; set it to 250m, say" -}}
{{- end -}}
{{- else -}}
{{- include "iton-worker.validateKeda" $auto.keda -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "iton-worker.validateObjects" -}}
{{- $metrics := .Values.metrics -}}
{{- if and $metrics.serviceMonitor.enabled (not .Values.service.enabled) -}}
{{- fail "metrics.serviceMonitor.enabled: needs the Service; set service.enabled to true, or take metrics.podMonitor" -}}
{{- end -}}
{{- if and $metrics.serviceMonitor.enabled $metrics.podMonitor.enabled -}}
{{- fail "metrics.serviceMonitor.enabled: with metrics.podMonitor.enabled every pod would be scraped twice; choose one of them" -}}
{{- end -}}
{{- range $name := list "podMonitor" "serviceMonitor" -}}
{{- $monitor := index $metrics $name -}}
{{- if gt (include "iton-worker.seconds" $monitor.scrapeTimeout | float64) (include "iton-worker.seconds" $monitor.interval | float64) -}}
{{- fail (printf "metrics.%s.scrapeTimeout: %s is longer than the interval, %s, and Prometheus refuses that; lower it" $name $monitor.scrapeTimeout $monitor.interval) -}}
{{- end -}}
{{- end -}}
{{- $topology := .Values.topology -}}
{{- if and $topology.enabled (eq (empty $topology.clusterName) (empty $topology.connectionSecret)) -}}
{{- fail "topology: needs either topology.clusterName or topology.connectionSecret; name one of them" -}}
{{- end -}}
{{- end }}
