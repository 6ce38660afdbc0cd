{{/* Names and labels, as `helm create` calls them. */}}

{{- define "iton-worker.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{/* At most 40 characters: the longest thing behind it, a topology object's name, still fits. */}}
{{- define "iton-worker.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $whole := contains $name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name $name) -}}
{{- regexReplaceAll "[-.]+$" (default $whole .Values.fullnameOverride | trunc 40) "" -}}
{{- end }}

{{/* A Service's name begins with a letter and has no dot in it; a release's may. */}}
{{- define "iton-worker.serviceName" -}}
{{- $fullname := include "iton-worker.fullname" . -}}
{{- regexMatch "^[a-z][-a-z0-9]*$" $fullname | ternary $fullname (printf "w-%s" (replace "." "-" $fullname)) -}}
{{- end }}

{{/* Both the workers and the test pod have these. */}}
{{- define "iton-worker.instanceLabels" -}}
app.kubernetes.io/name: {{ include "iton-worker.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" | quote }}
{{- end }}

{{- define "iton-worker.selectorLabels" -}}
{{ include "iton-worker.instanceLabels" . }}
app.kubernetes.io/component: worker
{{- end }}

{{- define "iton-worker.ownLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "iton-worker.instanceLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{- end }}

{{/* Labels of one object, none twice: the chart's own win over .more, and these over commonLabels. */}}
{{- define "iton-worker.labelsOf" -}}
{{- $own := include "iton-worker.ownLabels" .root | fromYaml -}}
{{- $_ := set $own "app.kubernetes.io/component" .component -}}
{{- toYaml (merge $own (default dict .more) (default dict .root.Values.commonLabels)) -}}
{{- end }}

{{- define "iton-worker.labels" -}}
{{- include "iton-worker.labelsOf" (dict "root" . "component" "worker") -}}
{{- end }}

{{- define "iton-worker.serviceAccountName" -}}
{{- $default := ternary (include "iton-worker.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $default .Values.serviceAccount.name -}}
{{- end }}

{{- define "iton-worker.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end }}
