# SPDX-License-Identifier: Apache-2.0
"""A real Envoy with what Envoy Gateway makes of conf/envoy-gateway.yaml.

What it makes is kept in test/e2e/envoy_gateway/translated.json, because building Envoy Gateway takes long. After a
change of the example, with egctl of the version that the example names (go install github.com/envoyproxy/gateway/cmd/egctl):

    egctl x translate --from gateway-api --to xds -o json --add-missing-resources -f conf/envoy-gateway.yaml |
        python3 test/support/python/envoy_gateway.py
"""

import hashlib
import json
import sys
from pathlib import Path

from envoy import Envoy, address, cluster
from process import Failure

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE, TRANSLATED = ROOT / "conf" / "envoy-gateway.yaml", ROOT / "test" / "e2e" / "envoy_gateway" / "translated.json"
KINDS = {"ListenersConfigDump": ("dynamicListeners", lambda row: row["activeState"]["listener"]),
         "ClustersConfigDump": ("dynamicActiveClusters", lambda row: row["cluster"]),
         "RoutesConfigDump": ("dynamicRouteConfigs", lambda row: row["routeConfig"])}


def example_sum():
    return hashlib.sha256(EXAMPLE.read_bytes()).hexdigest()


def parts(dump):
    """Listeners, clusters and routes of what egctl prints, and the example that they are of."""
    (gateway,) = dump["xds"].values()
    found = {"example": example_sum()}
    for config in gateway["configs"]:
        name = config["@type"].rsplit(".", 1)[1]
        if name in KINDS:
            key, inner = KINDS[name]
            found[key] = [{field: value for field, value in inner(row).items() if field != "@type"} for row in config[key]]
    return found


def translated():
    found = json.loads(TRANSLATED.read_text(encoding="utf-8"))
    if found["example"] != example_sum():
        raise Failure(f"{EXAMPLE.name} has changed since {TRANSLATED} was made of it; test/support/python/envoy_gateway.py says how")
    return found


class EnvoyGateway(Envoy):
    """The listener of the Gateway, on the loopback; Services are ports of the loopback."""

    def __init__(self, folder, judge_port, pages_port, backend_port):
        super().__init__(folder, judge_port, backend_port)
        self.places = {"securitypolicy/web/keycloak/extauth/0": judge_port, "httproute/web/authservice/rule/0": pages_port,
                       "httproute/web/site/rule/0": backend_port}

    def configuration(self):
        found = translated()
        (listener,) = [row for row in found["dynamicListeners"] if "/" in row["name"]]
        listener["address"] = address(self.port)
        listener.pop("accessLog", None)
        manager = listener["defaultFilterChain"]["filters"][0]["typedConfig"]
        manager.pop("accessLog", None)
        (manager["routeConfig"],) = [row for row in found["dynamicRouteConfigs"]
                                     if row["name"] == manager.pop("rds")["routeConfigName"]]
        names = {row["name"] for row in found["dynamicActiveClusters"]}
        if names != set(self.places):
            raise Failure(f"Envoy Gateway has other clusters than the test: {sorted(names)}")
        return {"admin": {"address": address(self.admin_port)}, "static_resources": {
            "listeners": [listener], "clusters": [cluster(name, port) for name, port in self.places.items()]}}


if __name__ == "__main__":
    TRANSLATED.write_text(json.dumps(parts(json.load(sys.stdin)), indent=1) + "\n", encoding="utf-8")
