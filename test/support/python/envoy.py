# SPDX-License-Identifier: Apache-2.0
"""A real Envoy on the loopback, as the gateway before a backend: each request is checked through ext_authz."""

import http.client
import json
import os
from pathlib import Path

from process import Child, Failure, free_port, wait_for

# Kubeflow up to 1.9.0: the EnvoyFilter of common/oidc-client, as it stands.
FILTER_OF_2023 = {
    "asked": ["authorization", "cookie", "x-auth-token"],
    "upstream": ["kubeflow-userid"],
    "success": [],
}
# What we advise: whatever tells pages from scripts, and every header that names somebody.
FILTER_OF_OURS = {
    "asked": ["cookie", "accept", "x-requested-with", "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "origin",
              "referer", "sec-purpose", "upgrade", "x-forwarded-proto", "user-agent"],
    "upstream": ["kubeflow-userid", "kubeflow-groups", "cookie"],
    "success": ["set-cookie"],
}


def patterns(names):
    return {"patterns": [{"exact": name} for name in names]}


def cluster(name, port):
    return {"name": name, "type": "STATIC", "connect_timeout": "2s", "load_assignment": {
        "cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address(port)}}]}]}}


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def authz(judge_port, settings):
    return {"name": "envoy.filters.http.ext_authz", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
        "http_service": {
            "server_uri": {"uri": f"http://127.0.0.1:{judge_port}", "cluster": "judge", "timeout": "10s"},
            "authorization_response": {
                name: patterns(settings[key]) for name, key in (
                    ("allowed_upstream_headers", "upstream"), ("allowed_client_headers_on_success", "success"))
                if settings[key]}},
        "allowed_headers": patterns(settings["asked"])}}


def configuration(port, admin_port, judge_port, backend_port, settings):
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "gateway", "codec_type": "AUTO", "use_remote_address": True,
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "http_filters": [*([authz(judge_port, settings)] if judge_port else []), {"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        "route_config": {"name": "all", "virtual_hosts": [{
            "name": "all", "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend", "timeout": "0s"}}]}]}}
    return {
        "admin": {"address": address(admin_port)},
        "static_resources": {
            "listeners": [{"name": "gateway", "address": address(port), "filter_chains": [{"filters": [
                {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}]}],
            "clusters": [*([cluster("judge", judge_port)] if judge_port else []), cluster("backend", backend_port)]}}


class Envoy:
    """judge_port: None for a gateway that lets everything through."""

    def __init__(self, folder, judge_port, backend_port, settings=None):
        binary = os.environ.get("ENVOY", "")
        if not Path(binary).is_file():
            raise Failure("ENVOY does not name Envoy's binary; test/support/shell/envoy.sh (envoy_fetch) fetches it")
        self.binary, self.folder = binary, Path(folder)
        self.port, self.admin_port = free_port(), free_port()
        self.url = f"http://localhost:{self.port}"
        self.judge_port, self.backend_port = judge_port, backend_port
        self.settings = settings or FILTER_OF_OURS
        self.child = None

    def configuration(self):
        return configuration(self.port, self.admin_port, self.judge_port, self.backend_port, self.settings)

    def ready(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "envoy.json"
        file.write_text(json.dumps(self.configuration(), indent=1), encoding="utf-8")
        self.child = Child("Envoy", [self.binary, "-c", file, "--concurrency", "1", "--disable-hot-restart",
                                     "--log-level", "warning"], self.folder / "envoy.log", dict(os.environ))
        wait_for(self.ready, 30, "Envoy starts", self.child)

    def stop(self):
        if self.child:
            self.child.stop(3)
            self.child = None
