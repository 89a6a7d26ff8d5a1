// SPDX-License-Identifier: Apache-2.0
// Writes the bootstrap of an Envoy that is Istio's ingress gateway.

package xds

import (
	"encoding/json"
	"os"
)

type object = map[string]any

// A node of type router whose labels are the ones that gateways, EnvoyFilters and policies select.
func node() object {
	return object{
		"id":      "router~10.255.255.1~istio-ingressgateway-0.istio-system~istio-system.svc.cluster.local",
		"cluster": "istio-ingressgateway.istio-system",
		"metadata": object{
			"CLUSTER_ID": "Kubernetes", "NAMESPACE": "istio-system", "NAME": "istio-ingressgateway-0",
			"ISTIO_VERSION": "1.31.0", "INSTANCE_IPS": "10.255.255.1", "MESH_ID": "cluster.local",
			"SERVICE_ACCOUNT": "istio-ingressgateway-service-account", "WORKLOAD_NAME": "istio-ingressgateway",
			"LABELS": object{"app": "istio-ingressgateway", "istio": "ingressgateway"},
		},
	}
}

func socket(port int) object {
	return object{"socket_address": object{"address": "127.0.0.1", "port_value": port}}
}

func writeBootstrap(file string, xdsPort, adminPort int) error {
	source := object{"resource_api_version": "V3", "ads": object{}}
	http2 := object{"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": object{
		"@type":                "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
		"explicit_http_config": object{"http2_protocol_options": object{}},
	}}
	bootstrap := object{
		"node":  node(),
		"admin": object{"address": socket(adminPort)},
		"dynamic_resources": object{
			"lds_config": source, "cds_config": source,
			"ads_config": object{
				"api_type": "GRPC", "transport_api_version": "V3", "set_node_on_first_message_only": true,
				"grpc_services": []object{{"envoy_grpc": object{"cluster_name": "xds-grpc"}}},
			},
		},
		"static_resources": object{"clusters": []object{{
			"name": "xds-grpc", "type": "STATIC", "connect_timeout": "5s", "typed_extension_protocol_options": http2,
			"load_assignment": object{"cluster_name": "xds-grpc", "endpoints": []object{{"lb_endpoints": []object{
				{"endpoint": object{"address": socket(xdsPort)}}}}}},
		}}},
	}
	text, err := json.MarshalIndent(bootstrap, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
