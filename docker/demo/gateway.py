# SPDX-License-Identifier: Apache-2.0
"""Envoy as Kubeflow's ingress gateway: the filter comes from an EnvoyFilter of Istio, as in a cluster."""

import yaml

from envoy import Envoy, address, cluster
from process import Failure

HTTP_FILTER = "type.googleapis.com/envoy.extensions.filters."
MANAGERS = ("envoy.filters.network.http_connection_manager", "envoy.http_connection_manager")


def filters_of(text):
    """The HTTP filters that the EnvoyFilters in this YAML put at the front of the gateway's."""
    found = []
    for document in yaml.safe_load_all(text):
        if not document or document.get("kind") != "EnvoyFilter":
            continue
        for each in document["spec"]["configPatches"]:
            where = each["match"]
            if (each["applyTo"], where["context"], each["patch"]["operation"]) != ("HTTP_FILTER", "GATEWAY", "INSERT_BEFORE") \
                    or where["listener"]["filterChain"]["filter"]["name"] not in MANAGERS:
                raise Failure("this EnvoyFilter does not put a filter at the front of the gateway's")
            found.append(each["patch"]["value"])
    if not found:
        raise Failure("there is no EnvoyFilter")
    return found


class Gateway(Envoy):
    """`filters`: of filters_of; `judges`: names of clusters in them, each with its port on the loopback; `routes`: prefix
    and port, the first that fits counts."""

    def __init__(self, folder, port, filters, judges, routes):
        super().__init__(folder, None, None)
        self.port, self.url = port, f"http://localhost:{port}"
        self.filters, self.judges, self.routes = filters, judges, routes

    def configuration(self):
        manager = {
            "@type": HTTP_FILTER + "network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "gateway", "codec_type": "AUTO", "use_remote_address": True,
            "normalize_path": True, "merge_slashes": True,
            "upgrade_configs": [{"upgrade_type": "websocket"}],
            "http_filters": [*self.filters, {"name": "envoy.filters.http.router", "typed_config": {
                "@type": HTTP_FILTER + "http.router.v3.Router"}}],
            "route_config": {"name": "all", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [
                {"match": {"prefix": prefix}, "route": {"cluster": str(port), "timeout": "0s"}}
                for prefix, port in self.routes]}]}}
        backends = {str(port): port for _, port in self.routes}
        return {
            "admin": {"address": address(self.admin_port)},
            "static_resources": {
                "listeners": [{"name": "gateway", "address": address(self.port), "filter_chains": [{"filters": [
                    {"name": MANAGERS[0], "typed_config": manager}]}]}],
                "clusters": [cluster(name, port) for name, port in {**self.judges, **backends}.items()]}}
