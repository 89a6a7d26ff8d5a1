{{/* SPDX-License-Identifier: Apache-2.0 */}}
{{- define "mak.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "mak.service" -}}
{{ default (include "mak.name" .) .Values.serviceName }}
{{- end -}}

{{- define "mak.account" -}}
{{ default (include "mak.name" .) .Values.serviceAccountName }}
{{- end -}}

{{- define "mak.parameters" -}}
{{ default (printf "%s-parameters" (include "mak.name" .)) .Values.settingsConfigMap }}
{{- end -}}

{{- define "mak.memcached" -}}
{{ default (printf "%s-memcached" (include "mak.name" .)) .Values.memcached.name }}
{{- end -}}

{{/* The Service's name as the gateway knows it. */}}
{{- define "mak.host" -}}
{{ include "mak.service" . }}.{{ .Release.Namespace }}.svc.cluster.local
{{- end -}}

{{- define "mak.provider" -}}
{{ default (include "mak.name" .) .Values.gateway.provider }}
{{- end -}}

{{- define "mak.policy" -}}
{{ default (printf "istio-ingressgateway-%s" (include "mak.name" .)) .Values.gateway.policyName }}
{{- end -}}

{{/* The labels of the gateway's pods; Istio gives these to those of a Gateway of the Gateway API. */}}
{{- define "mak.gatewayPods" -}}
{{- if .Values.gateway.gatewayAPI -}}
gateway.networking.k8s.io/gateway-name: {{ .Values.gateway.gatewayAPI }}
{{- else -}}
{{ toYaml .Values.gateway.selector }}
{{- end -}}
{{- end -}}

{{/* Which gateway a policy of Istio's is for. */}}
{{- define "mak.gatewayTarget" -}}
{{- if .Values.gateway.gatewayAPI -}}
targetRefs:
- group: gateway.networking.k8s.io
  kind: Gateway
  name: {{ .Values.gateway.gatewayAPI }}
{{- else -}}
selector:
  matchLabels:
    {{- toYaml .Values.gateway.selector | nindent 4 }}
{{- end -}}
{{- end -}}

{{- define "mak.labels" -}}
app.kubernetes.io/part-of: mod-auth-keycloak
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end -}}

{{- define "mak.selector" -}}
app.kubernetes.io/part-of: mod-auth-keycloak
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: judge
{{- end -}}

{{- define "mak.memcachedSelector" -}}
app.kubernetes.io/part-of: mod-auth-keycloak
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: memcached
{{- end -}}

{{/* The prefix of the module's own addresses, as a path without a slash at its end. */}}
{{- define "mak.prefix" -}}
{{- $url := urlParse .Values.settings.AUTHSERVICE_URL_PREFIX -}}
/{{ trimAll "/" $url.path }}
{{- end -}}

{{- define "mak.memcachedServers" -}}
{{- if .Values.memcached.inside -}}
{{- $name := include "mak.memcached" . -}}
{{- $servers := list -}}
{{- range $number := until (int .Values.memcached.replicas) -}}
{{- $servers = append $servers (printf "%s-%d.%s:11211" $name $number $name) -}}
{{- end -}}
{{ join " " $servers }}
{{- else -}}
{{ join " " .Values.memcached.servers }}
{{- end -}}
{{- end -}}

{{- define "mak.replicas" -}}
{{ ternary .Values.autoscaling.minReplicas .Values.replicas .Values.autoscaling.enabled }}
{{- end -}}

{{/* Kubernetes 1.25 and 1.26 do not know it yet. */}}
{{- define "mak.eviction" -}}
{{- if semverCompare ">=1.27.0-0" .Capabilities.KubeVersion.Version }}
  # Pods that are not ready do not prevent draining their node.
  unhealthyPodEvictionPolicy: AlwaysAllow
{{- end -}}
{{- end -}}

{{/* What no value can say alone. */}}
{{- define "mak.check" -}}
{{- if and .Values.podMonitor.enabled .Values.settings.METRICS_PORT -}}
{{- fail "podMonitor.enabled: settings.METRICS_PORT turns the metrics off: remove it" -}}
{{- end -}}
{{- $several := or (gt (int (include "mak.replicas" .)) 1) (and .Values.autoscaling.enabled (gt (int .Values.autoscaling.maxReplicas) 1)) -}}
{{- if and .Values.memcached.inside .Values.memcached.servers -}}
{{- fail "memcached.servers has servers outside: set memcached.inside to false, or remove them" -}}
{{- end -}}
{{- if and $several (not (include "mak.memcachedServers" .)) -}}
{{- fail "several pods need memcached: set memcached.inside or memcached.servers, or autoscaling.enabled=false and replicas=1" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is greater than maxReplicas" -}}
{{- end -}}
{{- if and .Values.gateway.gatewayAPI (eq .Values.gateway.check "envoyFilter") -}}
{{- fail "gateway.gatewayAPI needs gateway.check=authorizationPolicy" -}}
{{- end -}}
{{- if .Values.gateway.requestPrincipals.enabled -}}
{{- if or (ne .Values.mode "judge") (ne .Values.gateway.check "authorizationPolicy") -}}
{{- fail "gateway.requestPrincipals is for mode judge with gateway.check=authorizationPolicy" -}}
{{- end -}}
{{- if not .Values.settings.CLIENT_ID -}}
{{- fail "gateway.requestPrincipals needs settings.CLIENT_ID: tokens for other clients must not count" -}}
{{- end -}}
{{- end -}}
{{- $redirect := urlParse .Values.settings.REDIRECT_URL -}}
{{- if not (hasPrefix (printf "%s/" (include "mak.prefix" .)) $redirect.path) -}}
{{- if not .Values.settings.PUBLIC_URL -}}
{{- fail "settings.REDIRECT_URL is not below AUTHSERVICE_URL_PREFIX: its path has to begin with it, or PUBLIC_URL is needed" -}}
{{- end -}}
{{- end -}}
{{- end -}}
