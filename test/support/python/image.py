# SPDX-License-Identifier: Apache-2.0
"""The image's entrypoint outside an image: httpd as the environment describes it, on free ports of the loopback."""

import http.client
import os
import signal
import time
from pathlib import Path

from httpd import find_httpd
from process import Child, free_port, wait_for
from readable import readable

IMAGE = readable(Path(__file__).resolve().parents[3] / "docker" / "image")


class Image:
    """`settings`: the environment of a container; `folder`: the image's files, where the account `user` may read them."""

    def __init__(self, module, run, log, settings, folder=IMAGE, user=None):
        self.folder, self.log, self.user, self.child = Path(folder), Path(log), user, None
        self.port, self.health_port, self.pages_port, self.metrics_port = (free_port() for _ in range(4))
        program, modules = find_httpd()
        self.environment = {
            "PATH": os.environ["PATH"], "KC_IMAGE_CONF": str(folder), "KC_MODULE": str(module), "KC_RUN": str(run),
            "KC_HTTPD": str(program), "KC_HTTPD_MODULES": str(modules), "SERVER_HOSTNAME": "127.0.0.1",
            "SERVER_PORT": str(self.port), "READINESS_PROBE_PORT": str(self.health_port),
            "WEB_SERVER_PORT": str(self.pages_port), "METRICS_PORT": str(self.metrics_port), **settings}

    def start(self, seconds=30):
        """Until it is ready as a cluster would see it, by the readiness probe's port."""
        self.child = Child("the image", ["/bin/sh", self.folder / "entrypoint"], self.log, self.environment, self.user)
        wait_for(self.is_ready, seconds, "the image is ready", self.child)

    def is_ready(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=10)
            connection.request("GET", "/")
            return connection.getresponse().status == 200
        except OSError:
            return False

    def log_text(self):
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def stop(self):
        """By two signals: one alone lets it go on for a while."""
        if self.child:
            self.child.send(signal.SIGTERM)
            time.sleep(0.2)
            self.child.stop()
            self.child = None
