# SPDX-License-Identifier: Apache-2.0
"""External authorization as its pod runs it: the image's entrypoint with the environment of the rendered manifests."""

import base64
import os
import secrets
from pathlib import Path

from image import Image
from manifests import JUDGE, find
from memcached import Memcached

MOUNTED = "/etc/mod-auth-keycloak/"


def data(documents, kind, name):
    """What a ConfigMap or a Secret holds."""
    found = find(documents, kind, name)
    if kind == "Secret":
        return {key: base64.b64decode(value).decode() for key, value in found.get("data", {}).items()}
    return found["data"]


def container_of(documents):
    """The container of the module, in a workload of ours or, where only the image is ours, of upstream's."""
    found = [container for document in documents if document["kind"] in ("Deployment", "StatefulSet")
             for container in document["spec"]["template"]["spec"]["containers"] if container["image"].startswith(JUDGE + ":")]
    assert len(found) == 1, f"{len(found)} containers of the module"
    return found[0]


def variables(documents):
    """The environment of the judge's container, as Kubernetes puts it together."""
    container = container_of(documents)
    result = {}
    for source in container.get("envFrom", []):
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if key in source:
                result.update(data(documents, kind, source[key]["name"]))
    for row in container.get("env", []):
        if "value" in row:
            result[row["name"]] = row["value"]
        else:
            reference = row["valueFrom"]["configMapKeyRef"]
            result[row["name"]] = data(documents, "ConfigMap", reference["name"])[reference["key"]]
    return result


def private_file(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(text + "\n")
    return str(path)


class Judge(Image):
    """`port` takes the place of the pod's port for the gateway, `pages_port` of 8082."""

    def __init__(self, folder, documents, client_secret):
        # httpd's children are another user's, and sessions' files are in here.
        (folder / "run").mkdir(parents=True)
        self.memcached = Memcached(folder)
        private_file(folder / "client-secret", client_secret)
        private_file(folder / "crypto-key", secrets.token_urlsafe(40))
        super().__init__(
            Path(os.environ["KC_BUILD"]) / "mod_auth_keycloak.so", folder / "run", folder / "judge.log",
            {name: value.replace(MOUNTED, f"{folder}/") for name, value in variables(documents).items()})
        self.environment |= {
            "MEMCACHED_SERVERS": self.memcached.address, "SERVER_HOSTNAME": "127.0.0.1", "SERVER_PORT": str(self.port),
            "WEB_SERVER_PORT": str(self.pages_port), "READINESS_PROBE_PORT": str(self.health_port), "LOG_LEVEL": "DEBUG",
            "OAUTH2_PROXY_HTTP_ADDRESS": f"127.0.0.1:{self.port}", "METRICS_PORT": str(self.metrics_port)}

    def halt(self):
        """The judge alone ends."""
        super().stop()

    def stop(self):
        self.halt()
        self.memcached.stop()
