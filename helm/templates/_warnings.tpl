{{/* What may be meant, and can hurt. A line each. */}}
{{- define "iton-worker.warnings" -}}
{{- $auto := .Values.autoscaling -}}
{{- $base := lower .Values.iton.baseUrl -}}
{{- if eq .Values.ledger.type "memory" }}
WARNING ledger.type memory: what was sent is forgotten when the pod ends; a job that is delivered again is then sent again. For trials only.
{{- end }}
{{- if and $auto.enabled (not .Values.iton.rateLimit) }}
WARNING iton.rateLimit 0 with autoscaling: {{ $auto.maxReplicas }} pods call the gateway as fast as they can. Set the rate that ITON grants the account.
{{- end }}
{{- $useful := include "iton-worker.usefulReplicas" . | int }}
{{- if and $useful (not $auto.enabled) (gt (int .Values.replicaCount) $useful) }}
WARNING replicaCount {{ .Values.replicaCount }}: iton.rateLimit {{ .Values.iton.rateLimit }} keeps {{ $useful }} pods of {{ $auto.callsPerPod }} calls a second busy; the others wait.
{{- end }}
{{- if and (not $auto.enabled) (not .Values.iton.rateLimit) (gt (int .Values.replicaCount) 2) }}
WARNING replicaCount {{ .Values.replicaCount }} with iton.rateLimit 0: the pods call the gateway as fast as they can, {{ $auto.callsPerPod }} calls a second each and more. Set the rate that ITON grants the account.
{{- end }}
{{- if and $auto.enabled (eq (int $auto.minReplicas) 0) }}
WARNING autoscaling.minReplicas 0: an urgent job that finds no pod waits for one to start.
{{- if and .Values.metrics.alerts.enabled (dig "ItonWorkerGone" "enabled" true (default dict .Values.metrics.alerts.rules)) }}
WARNING autoscaling.minReplicas 0: the alert ItonWorkerGone fires while there is no pod. Set metrics.alerts.rules.ItonWorkerGone.enabled to false, or silence it.
{{- end }}
{{- if and (eq $auto.type "keda") (eq $auto.keda.trigger "prometheus") (contains "iton_worker_" $auto.keda.prometheus.query) }}
WARNING autoscaling.minReplicas 0: autoscaling.keda.prometheus.query asks for the workers' own metrics, which nobody has while there is no pod. Ask for the broker's.
{{- end }}
{{- end }}
{{- with include "iton-worker.plainCredentials" . | fromJson }}
WARNING credentials in plain text ({{ keys . | sortAlpha | join ", " }}): they are in the values of the release. Use credentials.existingSecret.
{{- end }}
{{- if and $auto.enabled $auto.keda.managementUrl }}
WARNING autoscaling.keda.managementUrl in plain text: it is in the values of the release. Use autoscaling.keda.existingSecret.
{{- end }}
{{- range $key, $value := (and $auto.enabled (eq $auto.type "keda") | ternary $auto.keda.annotations dict) }}
{{- if and (hasPrefix "autoscaling.keda.sh/paused" $key) (ne $value "false") }}
WARNING autoscaling.keda.annotations {{ $key }}: the number of pods does not follow the load until it is taken out.
{{- end }}
{{- end }}
{{- if contains "guest:guest@" (default "" .Values.credentials.amqpUrl) }}
WARNING credentials.amqpUrl: RabbitMQ lets guest in from its own machine only. Give the worker a user of its own.
{{- end }}
{{- if hasPrefix "http:" $base }}
WARNING iton.baseUrl without TLS: account, numbers and texts are readable on the way.
{{- end }}
{{- if or (contains "simulat" $base) (contains "localhost" $base) (contains "127.0.0.1" $base) }}
WARNING iton.baseUrl {{ .Values.iton.baseUrl }} looks like the simulator: no SMS reaches anybody.
{{- end }}
{{- if not .Values.networkPolicy.enabled }}
WARNING networkPolicy.enabled false: the pods may reach, and be reached by, everything that the cluster allows.
{{- end }}
{{- if and .Values.topology.enabled .Values.broker.declare }}
WARNING topology.enabled with broker.declare true: both the operator and the worker declare. Set broker.declare to false.
{{- end }}
{{- if and (not (include "iton-worker.sharedLedger" .)) (gt (int .Values.replicaCount) 0) }}
WARNING one pod: nothing is sent while it is replaced. For more than one set ledger.type to postgresql or redis.
{{- end }}
{{- with .Values.ledger.postgresql.url }}
{{- if and (eq $.Values.ledger.type "postgresql") (not (regexMatch "[?&]sslmode=verify-(full|ca)(&|$)" .)) }}
WARNING ledger.postgresql.url without sslmode=verify-full: numbers and texts may be readable on the way.
{{- end }}
{{- end }}
{{- if and (not .Values.image.digest) (has .Values.image.tag (list "latest" "main" "edge")) }}
WARNING image.tag {{ .Values.image.tag }}: pods of one release may run different code. Pin a version or a digest.
{{- end }}
{{- if and (not .Values.image.digest) (not (regexMatch "^(localhost|[^/]*[.:][^/]*)/" .Values.image.repository)) }}
WARNING image.repository {{ .Values.image.repository }} names no registry: nodes look for it at Docker Hub, unless it was loaded onto them. Push your image and name it with its registry.
{{- end }}
{{- if lt (float64 .Values.drainTimeout) (float64 .Values.iton.timeout) }}
WARNING drainTimeout {{ .Values.drainTimeout }} is less than iton.timeout {{ .Values.iton.timeout }}: a call that is cut off leaves its recipients uncertain, at each upgrade and each scaling down. Set it to iton.timeout and some seconds more.
{{- end }}
{{- $budget := .Values.podDisruptionBudget }}
{{- if and $budget.enabled (eq (toString $budget.maxUnavailable | trimSuffix "%" | int) 0) }}
WARNING podDisruptionBudget.maxUnavailable {{ $budget.maxUnavailable }}: no node with a ready pod can be drained. Set it to 1.
{{- end }}
{{- with get (default dict .Values.settings) "WORKER_LEDGER_RETENTION" }}
{{- if lt (int .) 86400 }}
WARNING settings.WORKER_LEDGER_RETENTION {{ int . }}: a job that is delivered again, or replayed from the dead letters, after less than a day is unknown, and is sent again. The default is three days.
{{- end }}
{{- end }}
{{- include "iton-worker.securityWarnings" . }}
{{- include "iton-worker.networkWarnings" . }}
{{- end }}

{{/* What the restricted defaults kept out. */}}
{{- define "iton-worker.securityWarnings" -}}
{{- range $name := list "podSecurityContext" "securityContext" }}
{{- $context := default dict (index $.Values $name) }}
{{- if and (hasKey $context "runAsUser") (eq (toString $context.runAsUser) "0") }}
WARNING {{ $name }}.runAsUser 0: the worker runs as root, and needs no right of root's. Take it out.
{{- end }}
{{- end }}
{{- if not (get (default dict .Values.securityContext) "readOnlyRootFilesystem") }}
WARNING securityContext.readOnlyRootFilesystem false: whoever gets into the container can change its programs. The worker writes nothing there. Take it out.
{{- end }}
{{- end }}

{{/* What stands between the worker and what it calls. */}}
{{- define "iton-worker.networkWarnings" -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.extraEgress) }}
{{- if get (default dict .Values.settings) "WORKER_TRACING" }}
WARNING settings.WORKER_TRACING: the NetworkPolicy lets no span out. Name the collector's port in networkPolicy.extraEgress.
{{- end }}
{{- if or .Values.credentials.gatewayProxy (hasKey (default dict .Values.credentials.from) "WORKER_GATEWAY_PROXY") }}
WARNING credentials.{{ ternary "gatewayProxy" "from.WORKER_GATEWAY_PROXY" (not (empty .Values.credentials.gatewayProxy)) }}: the NetworkPolicy does not let the pods reach the proxy. Name its port in networkPolicy.extraEgress.
{{- end }}
{{- end }}
{{- range .Values.extraEnv }}
{{- if has (upper .name) (list "HTTPS_PROXY" "HTTP_PROXY" "ALL_PROXY") }}
{{- if not (get (default dict $.Values.settings) "WORKER_TRACING") }}
WARNING extraEnv {{ .name }}: the worker does not heed it; only spans go through it, and settings.WORKER_TRACING is off. Give the gateway's proxy as WORKER_GATEWAY_PROXY, among the credentials.
{{- else if and $.Values.networkPolicy.enabled (not $.Values.networkPolicy.extraEgress) }}
WARNING extraEnv {{ .name }}: the NetworkPolicy does not let the pods reach the proxy. Name its port in networkPolicy.extraEgress.
{{- end }}
{{- end }}
{{- end }}
{{- range $name := list "podAnnotations" "podLabels" "commonLabels" }}
{{- range $key, $value := index $.Values $name }}
{{- if and (has $key (list "sidecar.istio.io/inject" "linkerd.io/inject")) (ne $value "false") (ne $value "disabled") }}
WARNING {{ $name }} {{ $key }}: a mesh may repeat a call to the gateway by itself, and a text goes out twice. Switch its retries off for the host of iton.baseUrl.
{{- end }}
{{- end }}
{{- end }}
{{- end }}
