# SPDX-License-Identifier: Apache-2.0
"""Real proxies that use external authorization: nginx (auth_request) and Caddy (forward_auth), configured as conf/forward-auth.conf says."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from process import Child, Failure, free_port, port_taken, unprivileged_user, wait_for

EXAMPLE = Path(__file__).resolve().parents[3] / "conf" / "forward-auth.conf"


def snippet(name):
    """The lines of a proxy's configuration in the example's comments."""
    found = re.search(rf"^# -+ {name}.*\n((?:#.*\n)+)", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise Failure(f"{EXAMPLE} has no part for {name}")
    lines = [line[4:] for line in found[1].splitlines() if line.startswith("#   ")]
    return "\n".join(lines) + "\n"


def put(text, places):
    """The text with each place, which has to be there, replaced."""
    for old, new in places.items():
        if old not in text:
            raise Failure(f"the example has no {old!r}")
        text = text.replace(old, new)
    return text


class Proxy:
    """A proxy before a backend. `judge` and `pages` are ports of httpd."""

    program, package = "", ""

    def __init__(self, folder, port, judge, pages, backend):
        self.folder, self.port = Path(folder), port
        self.judge, self.pages, self.backend = judge, pages, backend
        self.child = None

    def path(self):
        found = shutil.which(self.program) or f"/usr/sbin/{self.program}"
        if not Path(found).is_file():
            raise Failure(f"{self.program} is not here; the package {self.package} has it")
        return found

    def places(self):
        return {"127.0.0.1:8080": f"127.0.0.1:{self.judge}", "127.0.0.1:8082": f"127.0.0.1:{self.pages}",
                "backend:8080": f"127.0.0.1:{self.backend}"}

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        argv = self.configure()
        env = {**os.environ, "HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        self.child = Child(self.program, argv, self.folder / f"{self.program}.log", env)
        wait_for(lambda: port_taken(self.port), 30, f"{self.program} starts", self.child)

    def stop(self):
        if self.child:
            self.child.stop(3)
            self.child = None

    def configure(self):
        raise NotImplementedError


class Nginx(Proxy):
    program, package, mode = "nginx", "nginx-light", "nginx"

    @staticmethod
    def user():
        """What it writes lies in a folder of whoever runs the tests."""
        return "user root root;" if unprivileged_user() else ""

    def configure(self):
        temporary = "\n".join(f"    {name}_temp_path {self.folder}/{name};"
                              for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = put(snippet("nginx"), {**self.places(), "listen 8989;": f"listen 127.0.0.1:{self.port};"})
        # the lines on Set-Cookie belong into a location and are tried there
        text, cookie = text[:text.rindex("}\n") + 2], text[text.rindex("}\n") + 2:]
        if cookie.count("auth_request_set") != 1:
            raise Failure("the example has no lines on Set-Cookie")
        text = put(text, {"error_page 401 403": cookie + "error_page 401 403"})
        file = self.folder / "nginx.conf"
        file.write_text(f"{self.user()}\ndaemon off;\nworker_processes 1;\npid {self.folder}/nginx.pid;\n"
                        f"error_log stderr;\nevents {{ worker_connections 256; }}\n"
                        f"http {{\n    access_log off;\n{temporary}\n{text}}}\n", encoding="utf-8")
        return [self.path(), "-p", self.folder, "-c", file]


class Caddy(Proxy):
    program, package, mode = "caddy", "caddy", "forwarded"

    def configure(self):
        self.admin = free_port()
        text = put(snippet("Caddy"), {**self.places(), ":8989 {": f"http://:{self.port} {{\n    bind 127.0.0.1"})
        file = self.folder / "Caddyfile"
        file.write_text(f"{{\n    admin 127.0.0.1:{self.admin}\n    auto_https off\n}}\n{text}", encoding="utf-8")
        return [self.path(), "run", "--config", file, "--adapter", "caddyfile"]


class CarefulCaddy(Caddy):
    """As Caddy 2.10.0 to 2.11.1 understands copy_headers: a header that the judge answers with no value is not copied, and what
    the client has sent stays."""

    def configure(self):
        done = subprocess.run([*super().configure()[:1], "adapt", "--config", self.folder / "Caddyfile"], check=True, capture_output=True, timeout=30)
        config = json.loads(done.stdout)
        if not self._hesitate(config):
            raise Failure("Caddy's forward_auth copies no headers")
        file = self.folder / "caddy.json"
        file.write_text(json.dumps(config), encoding="utf-8")
        return [self.path(), "run", "--config", file]

    def _hesitate(self, node):
        """Has each header copied only when it has a value; how many there are."""
        if isinstance(node, list):
            return sum(self._hesitate(item) for item in node)
        if not isinstance(node, dict):
            return 0
        if "handle_response" not in node:
            return sum(self._hesitate(item) for item in node.values())
        copied = {}
        for answer in node["handle_response"]:
            for route in answer["routes"]:
                for handler in route["handle"]:
                    copied.update(handler.get("request", {}).get("set", {}))
            answer["routes"] = [{"match": [{"not": [{"vars": {values[0]: [""]}}]}],
                                 "handle": [{"handler": "headers", "request": {"set": {name: values}}}]} for name, values in copied.items()]
        return len(copied)
