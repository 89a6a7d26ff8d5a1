# SPDX-License-Identifier: Apache-2.0
"""Istio's ingress gateway without a cluster: its control plane reads rendered manifests and controls a real Envoy."""

import http.client
import json
import os
import socket
from pathlib import Path

import yaml

from process import Child, Failure, free_port, tail, wait_for

GATEWAY = Path(__file__).resolve().parent / "gateway"


class Gateway:
    """`pods` says what listens in place of pods: `name.namespace:container port` and a port on the loopback."""

    def __init__(self, folder, documents, files, pods, port=None):
        for name in ("XDS", "ENVOY"):
            if not os.access(os.environ.get(name, ""), os.X_OK):
                raise Failure(f"{name} does not name a program; test/kubeflow/run builds and fetches what is needed")
        self.folder, self.pods = Path(folder), pods
        self.folder.mkdir(parents=True, exist_ok=True)
        self.rendered = self.folder / "rendered.yaml"
        self.rendered.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
        self.files = [*(GATEWAY / name for name in files), self.rendered]
        self.port, self.admin_port, self.xds_port = port or free_port(), free_port(), free_port()
        self.url = f"http://localhost:{self.port}"
        self.children = []

    def start(self):
        bootstrap = self.folder / "envoy.json"
        pods = [word for place, port in self.pods.items() for word in ("-pod", f"{place}={port}")]
        xds = Child("xds", [os.environ["XDS"], "-port", self.xds_port, "-gateway-port", self.port, "-admin-port",
                            self.admin_port, "-bootstrap", bootstrap, *pods, *self.files], self.folder / "xds.log")
        self.children.append(xds)
        wait_for(lambda: "xds: ready" in (self.folder / "xds.log").read_text(), 60, "Istio's control plane starts", xds)
        envoy = Child("Envoy", [os.environ["ENVOY"], "-c", bootstrap, "--concurrency", "1", "--disable-hot-restart",
                                "--log-level", "warning"], self.folder / "envoy.log")
        self.children.append(envoy)
        wait_for(self.ready, 30, "Envoy has a listener from Istio", envoy)

    def ready(self):
        """Envoy names a listener before it has bound the port, and on a busy machine long before."""
        try:
            if str(self.port) not in self.ask("/listeners"):
                return False
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
            return True
        except OSError:
            return False

    def ask(self, path):
        """What Envoy's administration answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=5)
        try:
            connection.request("GET", path)
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def refused(self):
        """The names of Envoy's counters of configurations that it refused, but for those at nought."""
        lines = self.ask("/stats?filter=update_rejected").splitlines()
        if not lines:
            raise Failure("Envoy counts no refusals at all")
        return [line for line in lines if not line.endswith(": 0")]

    def http_filters(self):
        """The filters that each request goes through, in order, with their configuration."""
        found = []

        def walk(part):
            if isinstance(part, dict):
                if "http_filters" in part:
                    found.append(part["http_filters"])
                for value in part.values():
                    walk(value)
            elif isinstance(part, list):
                for value in part:
                    walk(value)
        walk(json.loads(self.ask("/config_dump?resource=dynamic_listeners")))
        if not found:
            raise Failure("Envoy has no listener with HTTP filters")
        return found[0]

    def raw(self, text):
        """Sends bytes as they are; the status of the answer, None when the connection was closed without one."""
        with socket.create_connection(("127.0.0.1", self.port), 20) as connection:
            connection.sendall(text)
            first = b""
            while b"\r\n" not in first:
                try:
                    more = connection.recv(4096)
                except ConnectionResetError:
                    return None
                if not more:
                    return None
                first += more
        return int(first.split(b" ", 2)[1])

    def log(self):
        return tail(self.folder / "envoy.log")

    def stop(self):
        for child in reversed(self.children):
            child.stop(3)
        self.children = []
