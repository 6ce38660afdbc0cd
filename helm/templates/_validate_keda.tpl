{{/* More of what the schema cannot see, of the values of autoscaling.keda: see _validate.tpl. */}}

{{- define "iton-worker.validateKeda" -}}
{{- if .authentication.existing -}}
{{- range $name, $given := dict "existingSecret" .existingSecret "managementUrl" .managementUrl "tls.existingSecret" .tls.existingSecret "prometheus.existingSecret" .prometheus.existingSecret -}}
{{- if $given -}}
{{- fail (printf "autoscaling.keda.%s: has no effect with autoscaling.keda.authentication.existing, which holds all that the trigger needs; take it out" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if ne (empty .tls.certKey) (empty .tls.privateKeyKey) -}}
{{- fail "autoscaling.keda.tls: certKey and privateKeyKey belong together; give both, or neither" -}}
{{- end -}}
{{- if and .tls.certKey (not .tls.existingSecret) -}}
{{- fail "autoscaling.keda.tls.existingSecret: is missing; name the Secret that certKey and privateKeyKey are keys of" -}}
{{- end -}}
{{- include (printf "iton-worker.validate%s" (title .trigger)) . -}}
{{- end }}

{{- define "iton-worker.validateRabbitmq" -}}
{{- if and .existingSecret .managementUrl -}}
{{- fail "autoscaling.keda.managementUrl: excludes autoscaling.keda.existingSecret; take it out" -}}
{{- else if not (or .existingSecret .managementUrl .authentication.existing) -}}
{{- fail "autoscaling.keda.existingSecret: is missing; name a Secret with the URL of RabbitMQ's management API, for the amqp protocol does not see work in hand" -}}
{{- end -}}
{{- if and .tls.existingSecret (hasPrefix "http:" (default "" .managementUrl)) -}}
{{- fail "autoscaling.keda.tls.existingSecret: has no effect on a managementUrl with http; make that https, or take it out" -}}
{{- end -}}
{{- if or .prometheus.serverAddress .prometheus.existingSecret .prometheus.authModes -}}
{{- fail "autoscaling.keda.prometheus: has no effect with autoscaling.keda.trigger rabbitmq; set that to prometheus, or take it out" -}}
{{- end -}}
{{- end }}

{{- define "iton-worker.validatePrometheus" -}}
{{- $given := .prometheus -}}
{{- if or .existingSecret .managementUrl .vhost -}}
{{- fail "autoscaling.keda.trigger: is prometheus, which does not ask the management API; take existingSecret, managementUrl and vhost out" -}}
{{- end -}}
{{- if not (regexMatch "^https?://[^/?#@]+[^?#@]*$" $given.serverAddress) -}}
{{- fail "autoscaling.keda.prometheus.serverAddress: must be http://HOST:9090 or https:// without credentials and query; correct it" -}}
{{- end -}}
{{- if not (or (contains "{queue}" $given.query) (contains "{lane}" $given.query)) -}}
{{- fail "autoscaling.keda.prometheus.query: names neither {queue} nor {lane}, so that every lane would ask for as many pods; put one of them in" -}}
{{- end -}}
{{- $modes := without (splitList "," (default "" $given.authModes)) "" -}}
{{- if and (without $modes "tls") (not (or $given.existingSecret .authentication.existing)) -}}
{{- fail (printf "autoscaling.keda.prometheus.existingSecret: is missing with authModes %s; name the Secret that KEDA logs in with" $given.authModes) -}}
{{- end -}}
{{- if and $given.existingSecret (not (without $modes "tls")) -}}
{{- fail "autoscaling.keda.prometheus.authModes: does not say how KEDA logs in with the existingSecret; set it to basic, bearer or custom" -}}
{{- end -}}
{{- if and (has "tls" $modes) (not (or .tls.certKey .authentication.existing)) -}}
{{- fail "autoscaling.keda.tls: authModes tls needs a client's certificate; name existingSecret, certKey and privateKeyKey" -}}
{{- end -}}
{{- if and .tls.existingSecret (not $modes) -}}
{{- fail "autoscaling.keda.tls.existingSecret: KEDA reads it only when it logs in; set autoscaling.keda.prometheus.authModes, or take it out" -}}
{{- end -}}
{{- end }}
