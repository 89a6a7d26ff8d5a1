# SPDX-License-Identifier: Apache-2.0
"""A small cluster: pods with network namespaces and addresses of their own, names for them, and a real Envoy as gateway.

Nothing is simulated but Kubernetes itself: what it does with a pod's address when the pod comes and goes is in `pods.py`.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
from pathlib import Path

import yaml

from envoy import FILTER_OF_OURS, Envoy, address
from names import Forwarder, NameServer
from network import run
from process import Child, Failure, wait_for
from world import ROOT

MANIFESTS = ROOT / "docker" / "kubeflow"


def manifest(path, kind, name):
    """One object of the manifests that users apply."""
    for document in yaml.safe_load_all((MANIFESTS / path).read_text(encoding="utf-8")):
        if document["kind"] == kind and document["metadata"]["name"] == name:
            return document
    raise Failure(f"{path} has no {kind} {name}")


class Network:
    """A bridge that pods are joined to. `host` is our own address there, where the pods' name server is, too."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Failure("network namespaces can be made by root alone: run this test as root")
        self.bridge = f"kcb{os.getpid() % 100000}"
        self.net = f"10.{100 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.host, self.count, self.server = f"{self.net}.1", 1, None

    def __enter__(self):
        run("ip", "link", "add", self.bridge, "type", "bridge")
        try:
            run("ip", "address", "add", f"{self.host}/24", "dev", self.bridge)
            run("ip", "link", "set", self.bridge, "up")
            self.server = NameServer(self.host)
            self.server.__enter__()
        except (Failure, OSError):
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.server:
            self.server.__exit__()
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, timeout=30, check=False)

    def name(self, name, *addresses):
        self.server.names[name] = list(addresses)

    def next_address(self):
        self.count += 1
        return f"{self.net}.{self.count}"


class Pod:
    """A network namespace with one address, and a process in it that knows names by the cluster's name server alone."""

    def __init__(self, network, folder):
        self.network, self.folder, self.child = network, Path(folder), None
        self.address = network.next_address()
        self.name = f"kcp{os.getpid() % 10000}x{network.count}"
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", f"{self.name}a", "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", f"{self.name}a", "master", network.bridge, "up")
        for words in (["link", "set", "lo", "up"], ["address", "add", f"{self.address}/24", "dev", "eth0"],
                      ["link", "set", "eth0", "up"]):
            run("ip", "-n", self.name, *words)

    def start(self, what, argv, environment=None):
        (self.folder / "resolv.conf").write_text(f"nameserver {self.network.host}\n", encoding="ascii")
        inner = (f"mount --bind {shlex.quote(str(self.folder / 'resolv.conf'))} /etc/resolv.conf && exec "
                 + " ".join(shlex.quote(str(word)) for word in argv))
        self.child = Child(what, ["nsenter", f"--net=/run/netns/{self.name}", "unshare", "--mount", "--propagation",
                                  "private", "sh", "-c", inner], self.folder / "pod.log", environment)

    def log_text(self):
        return (self.folder / "pod.log").read_text(encoding="utf-8", errors="replace")

    def remove(self):
        """The pod is gone: nobody answers at its address, not even by a refusal."""
        for pid in run("ip", "netns", "pids", self.name).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue
        if self.child:
            self.child.kill()
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, timeout=30, check=False)
        subprocess.run(["ip", "link", "delete", f"{self.name}a"], capture_output=True, timeout=30, check=False)


class Gateway(Envoy):
    """Envoy, which learns the judge's endpoints as from Istio's control plane: from outside, at any time."""

    def __init__(self, folder, backend_port, rule):
        super().__init__(folder, 1, backend_port, FILTER_OF_OURS)
        self.rule, self.version = rule["spec"]["trafficPolicy"], 0
        self.watched = self.folder / "endpoints"
        self.watched.mkdir(parents=True)

    def configuration(self):
        found = super().configuration()
        found["node"] = {"id": "gateway", "cluster": "gateway"}
        outlier = self.rule["outlierDetection"]
        for cluster in found["static_resources"]["clusters"]:
            if cluster["name"] == "judge":
                cluster.clear()
                cluster.update({
                    "name": "judge", "type": "EDS", "connect_timeout": self.rule["connectionPool"]["tcp"]["connectTimeout"],
                    "eds_cluster_config": {"eds_config": {"path_config_source": {
                        "path": str(self.watched / "judge.json"), "watched_directory": {"path": str(self.watched)}}}},
                    "outlier_detection": {
                        "split_external_local_origin_errors": outlier["splitExternalLocalOriginErrors"],
                        "consecutive_local_origin_failure": outlier["consecutiveLocalOriginFailures"],
                        "enforcing_consecutive_local_origin_failure": 100, "interval": outlier["interval"],
                        "base_ejection_time": outlier["baseEjectionTime"],
                        "max_ejection_percent": outlier["maxEjectionPercent"]}})
        return found

    def endpoints(self, addresses, port):
        self.version += 1
        text = json.dumps({"version_info": str(self.version), "resources": [{
            "@type": "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment", "cluster_name": "judge",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {
                "address": one, "port_value": port}}}} for one in addresses]}]}]})
        scratch = self.folder / "next.json"
        scratch.write_text(text, encoding="ascii")
        os.rename(scratch, self.watched / "judge.json")


class Front(Pod):
    """A Keycloak pod: all of them have the realm's keys and sessions in common, as by Keycloak's database."""

    PORT = 8080

    def __init__(self, network, folder, provider):
        super().__init__(network, folder)
        (self.folder / "nginx.conf").write_text(f"""\
worker_processes 1;
pid {self.folder}/nginx.pid;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {self.folder}/t1;
    proxy_temp_path {self.folder}/t2;
    fastcgi_temp_path {self.folder}/t3;
    uwsgi_temp_path {self.folder}/t4;
    scgi_temp_path {self.folder}/t5;
    server {{
        listen {self.address}:{self.PORT};
        location / {{ proxy_pass http://{provider}; proxy_set_header Host $http_host; }}
    }}
}}
""", encoding="ascii")
        self.start("Keycloak's pod", ["/usr/sbin/nginx", "-c", self.folder / "nginx.conf", "-e", "stderr", "-g", "daemon off;"])
        wait_for(lambda: f":{self.PORT}" in run("ip", "netns", "exec", self.name, "ss", "-tln"), 20,
                 "Keycloak's pod listens", self.child)


class Cache(Pod):
    """A memcached pod, with the arguments of the manifests."""

    PORT = 11211

    def __init__(self, network, folder, arguments, user):
        super().__init__(network, folder)
        self.start("memcached's pod", ["memcached", "-u", user, "-l", self.address, "-p", self.PORT, *arguments])
        wait_for(lambda: f":{self.PORT}" in run("ip", "netns", "exec", self.name, "ss", "-tln"), 20,
                 "memcached's pod listens", self.child)


class Judge(Pod):
    """A pod of the image's entrypoint, in the mode judge."""

    PORT, HEALTH = 8080, 8081

    def __init__(self, network, folder, image, environment):
        super().__init__(network, folder)
        (self.folder / "run").mkdir()
        self.environment = {**image, **environment, "KC_RUN": str(self.folder / "run"), "MODE": "judge"}
        self.start("the judge's pod", ["/bin/sh", Path(image["KC_IMAGE_CONF"]) / "entrypoint"], self.environment)

    def probe(self, path):
        """The status of a probe, as the kubelet would see it; 0: no answer."""
        done = subprocess.run(["curl", "-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}",
                               f"http://{self.address}:{self.HEALTH}{path}"], capture_output=True, text=True,
                              timeout=30, check=False)
        return int(done.stdout or 0)


def image_environment(module):
    """What the image's own files and environment are, outside a container."""
    from httpd import find_httpd
    from image import IMAGE
    program, modules = find_httpd()
    return {"PATH": os.environ["PATH"], "KC_IMAGE_CONF": str(IMAGE), "KC_MODULE": str(module), "KC_HTTPD": str(program),
            "KC_HTTPD_MODULES": str(modules)}


def relay(network, port):
    """Makes a server of the loopback known in the cluster, at the host's address."""
    return Forwarder(network.host, port)


def envoy_is_here():
    if not shutil.which(os.environ.get("ENVOY", "")):
        raise Failure("ENVOY does not name Envoy's binary; test/chaos/run fetches it")
