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
{{- if and $auto.enabled (eq (int $auto.minReplicas) 0) }}
WARNING autoscaling.minReplicas 0: an urgent job that finds no pod waits for one to start.
{{- end }}
{{- with include "iton-worker.plainCredentials" . | fromJson }}
WARNING credentials in plain text ({{ keys . | sortAlpha | join ", " }}): they are in the values of the release. Use credentials.existingSecret.
{{- end }}
{{- if and $auto.enabled $auto.keda.managementUrl }}
WARNING autoscaling.keda.managementUrl in plain text: it is in the values of the release. Use autoscaling.keda.existingSecret.
{{- end }}
{{- if contains "guest:guest@" .Values.credentials.amqpUrl }}
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
{{- if and (ne .Values.ledger.type "redis") (gt (int .Values.replicaCount) 0) }}
WARNING one pod: nothing is sent while it is replaced. For more than one set ledger.type to redis.
{{- end }}
{{- if and (not .Values.image.digest) (has .Values.image.tag (list "latest" "main" "edge")) }}
WARNING image.tag {{ .Values.image.tag }}: pods of one release may run different code. Pin a version or a digest.
{{- end }}
{{- range $key, $value := .Values.podAnnotations }}
{{- if and (has $key (list "sidecar.istio.io/inject" "linkerd.io/inject")) (ne $value "false") (ne $value "disabled") }}
WARNING {{ $key }}: a mesh may repeat a call to the gateway by itself, and a text goes out twice. Switch its retries off for the host of iton.baseUrl.
{{- end }}
{{- end }}
{{- end }}
