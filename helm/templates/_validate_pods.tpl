{{/* More of what the schema cannot see: see _validate.tpl. */}}

{{/* As the worker has it: a queue that it does not look for, or looks for in vain, would be made of any other. */}}
{{- define "iton-worker.validateDelays" -}}
{{- if hasKey (default dict .Values.settings) "WORKER_RETRY_DELAYS" -}}
{{- $delays := without (splitList "," (include "iton-worker.retryDelays" .)) "" -}}
{{- $right := and (gt (len $delays) 0) (le (len $delays) 10) -}}
{{- $before := 0 -}}
{{- range $delays -}}
{{- $right = and $right (regexMatch "^[1-9][0-9]{0,4}$" .) (gt (int .) $before) (le (int .) 86400) -}}
{{- $before = int . -}}
{{- end -}}
{{- if not $right -}}
{{- fail "settings.WORKER_RETRY_DELAYS: must be 1 to 10 rising whole seconds, each from 1 to 86400; write [5, 30, 120, 600], say, or take it out" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "iton-worker.validateLooks" -}}
{{- if hasKey (default dict .Values.settings) "WORKER_TRACK_DELAYS" -}}
{{- $looks := without (splitList "," (include "iton-worker.trackDelays" .)) "" -}}
{{- $right := and (gt (len $looks) 0) (le (len $looks) 20) -}}
{{- range $looks -}}
{{- $right = and $right (regexMatch "^[1-9][0-9]{0,4}$" .) (le (int .) 86400) -}}
{{- end -}}
{{- if not $right -}}
{{- fail "settings.WORKER_TRACK_DELAYS: must be 1 to 20 whole seconds, each from 1 to 86400; write [30, 60, 120, 300, 900, 3600], say, or take it out" -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A job that is still retried must be known: with a shorter memory the worker does not start. */}}
{{- define "iton-worker.validateRetention" -}}
{{- $worker := .Files.Get "generated/worker.json" | fromJson -}}
{{- $retention := dig "WORKER_LEDGER_RETENTION" $worker.retention (default dict .Values.settings) | int -}}
{{- $longest := splitList "," (include "iton-worker.retryDelays" .) | last | int -}}
{{- $least := add (dig "WORKER_RETRY_MAX_AGE" $worker.maxAge (default dict .Values.settings) | int) $longest -}}
{{- if lt $retention (int $least) -}}
{{- fail (printf "settings.WORKER_LEDGER_RETENTION: %d seconds are too few, a job that is still retried would be forgotten and sent again; set it to at least %d (settings.WORKER_RETRY_MAX_AGE and the longest of WORKER_RETRY_DELAYS), or shorten these" $retention (int $least)) -}}
{{- end -}}
{{- end }}

{{/* What Kubernetes refuses, or worse: takes, and then never gets anywhere. */}}
{{- define "iton-worker.validatePods" -}}
{{- $rolling := .Values.rollingUpdate -}}
{{- if and (eq (toString $rolling.maxSurge | trimSuffix "%" | int) 0) (eq (toString $rolling.maxUnavailable | trimSuffix "%" | int) 0) -}}
{{- fail "rollingUpdate: maxSurge and maxUnavailable are both 0, so that no pod could ever be replaced; set maxSurge to 1" -}}
{{- end -}}
{{- $taken := dict "/tmp" "the worker's own" -}}
{{- if eq .Values.ledger.type "sqlite" -}}
{{- $_ := set $taken "/var/lib/iton-worker" "the ledger's" -}}
{{- end -}}
{{- if eq .Values.credentials.mount "files" -}}
{{- $path := trimSuffix "/" .Values.credentials.mountPath -}}
{{- with index $taken $path -}}
{{- fail (printf "credentials.mountPath: %s is %s; choose another directory" $path .) -}}
{{- end -}}
{{- $_ := set $taken $path "that of credentials.mountPath" -}}
{{- end -}}
{{- range .Values.extraVolumeMounts -}}
{{- $path := trimSuffix "/" (default "" .mountPath) -}}
{{- with index $taken $path -}}
{{- fail (printf "extraVolumeMounts: %s is %s; choose another directory" $path .) -}}
{{- end -}}
{{- $_ := set $taken $path "there twice" -}}
{{- end -}}
{{- end }}
