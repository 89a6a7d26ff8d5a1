# SPDX-License-Identifier: Apache-2.0
"""The servers of the benchmark: nginx as backend, the fake provider, and httpd in each variant."""

import json
import os
import pwd
import secrets
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "support" / "python"))

from browser import Browser  # noqa: E402
from httpd import find_httpd  # noqa: E402
from process import Child, Failure, free_port, port_taken, tail, unprivileged_user, wait_for  # noqa: E402
from readable import readable  # noqa: E402

USER_HEADER = "kubeflow-userid"
USER = "alice@example.com"
SECRET = "bench-client-secret"
CORE_MODULES = "authn_core authz_core authz_user unixd log_config watchdog".split()

# What a browser says with each request, whichever server it talks to.
HEADERS = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
    ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("Accept-Language", "en-GB,en;q=0.5"),
    ("Sec-Fetch-Dest", "document"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Site", "same-origin"),
]

NGINX = """\
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port};
        location / {{ return 200 "you are $http_kubeflow_userid$http_x_auth_request_email\\n"; }}
        location = /status {{ stub_status; }}
    }}
}}
"""

HTTPD = """\
ServerRoot "{folder}"
DefaultRuntimeDir "{folder}"
PidFile "{folder}/httpd.pid"
ServerName localhost
{load}
Listen 127.0.0.1:{port}
ErrorLog "{folder}/error.log"
LogLevel warn
ServerLimit {processes}
StartServers {processes}
ThreadsPerChild {threads}
ThreadLimit {threads}
MaxRequestWorkers {workers}
MinSpareThreads 1
MaxSpareThreads {workers}
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
{auth}
{more}
"""


class Room:
    """A folder of its own, all of whose servers run as an ordinary user."""

    def __init__(self, folder, build):
        self.folder, self.user = Path(folder), unprivileged_user()
        self.build = build
        self.seed = self.built("obj/bench/seed")
        self.module = shutil.copy(self.built("mod_auth_keycloak.so"), self.folder)
        self.private("client-secret", SECRET)
        self.private("crypto-key", secrets.token_urlsafe(40))
        self.own(self.folder)

    def built(self, name):
        path = self.build / name
        if not path.is_file():
            raise Failure(f"there is no {path.name} in the build dir: run make bench there")
        return path

    def own(self, path):
        if self.user:
            os.chown(path, pwd.getpwnam(self.user).pw_uid, -1)

    def private(self, name, text):
        path = self.folder / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(text + "\n")
        self.own(path)

    def make(self, name):
        folder = self.folder / name
        folder.mkdir()
        self.own(folder)
        return folder

    def child(self, name, argv, log):
        return Child(name, argv, log, user=self.user)


class Server:
    """A child process with a port: started, waited for, ended."""

    name, child = "", None

    def listen(self, room, argv, folder, port, seconds=30):
        self.child = room.child(self.name, argv, folder / "output.log")
        try:
            wait_for(lambda: port_taken(port), seconds, f"{self.name} starts", self.child)
        except Failure as failure:
            self.stop()
            raise Failure(f"{failure}\nand of its error log:\n{tail(folder / 'error.log')}") from failure

    def stop(self):
        if self.child:
            self.child.stop(30)
            self.child = None

    def processor_seconds(self):
        """What the server and its children have used so far: other programs hardly change it."""
        ticks = 0
        with open(f"/proc/{self.child.pid}/task/{self.child.pid}/children", encoding="ascii") as children:
            for pid in [self.child.pid, *children.read().split()]:
                with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                    fields = stat.read().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class Backend(Server):
    """nginx, which answers every request with the identity that it was given."""

    name = "nginx"

    def __init__(self, room):
        self.port, folder = free_port(), room.make("nginx")
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=self.port), encoding="utf-8")
        self.listen(room, ["/usr/sbin/nginx", "-c", folder / "nginx.conf", "-e", folder / "nginx.log",
                           "-g", "daemon off;"], folder, self.port)

    def requests(self):
        """How many requests it has had, this one included."""
        text = Browser().get(f"http://127.0.0.1:{self.port}/status").text
        return int(text.splitlines()[2].split()[2])


class Provider(Server):
    """The fake provider, with sessions that outlive the benchmark, and without insisting on PKCE: a peer has none."""

    name = "the fake provider"

    def __init__(self, room):
        self.port, folder = free_port(), room.make("provider")
        presets = folder / "presets.json"
        realm = {"lifetime": 86400, "token_response": {"set": {"refresh_expires_in": 86400}},
                 "client": {"secret": SECRET, "pkce": False}}
        presets.write_text(json.dumps({"bench": {"realm": realm}}), encoding="ascii")
        self.issuer = f"http://127.0.0.1:{self.port}/realms/bench"
        self.listen(room, ["/usr/bin/python3", readable(ROOT / "test/support/provider") / "provider.py", "--port", self.port,
                           "--presets", presets], folder, self.port)

    def control(self, method, path="", settings=None):
        """What the provider says to a control request, see provider.py."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/control/bench{path}", method=method,
                                         data=None if settings is None else json.dumps(settings).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or "null")

    def change(self, **settings):
        self.control("PUT", settings=settings)

    def reset(self):
        self.control("DELETE")

    def forget(self):
        """Counts from here on."""
        self.control("DELETE", "/log")

    def refreshes(self):
        """How many requests for new tokens in place of others it has had."""
        return sum(["grant_type", "refresh_token"] in entry["params"] for entry in self.control("GET", "/log"))


class Httpd(Server):
    """httpd in the variant given."""

    modules = CORE_MODULES

    def __init__(self, room, variant, processes, threads, more="", public_url=None):
        self.name, self.room, self.port = f"httpd ({variant.label})", room, free_port()
        self.variant, self.folder = variant, room.make(f"httpd-{self.port}")
        self.url = f"http://127.0.0.1:{self.port}/"
        self.cookie = f"{variant.cookie}={'A' * 43}"
        self.program, self.libexec = find_httpd()
        (self.folder / "httpd.conf").write_text(HTTPD.format(
            folder=self.folder, load=self.load_lines(), port=self.port, processes=processes,
            threads=threads, workers=processes * threads, more=more,
            auth=variant.auth.format(port=self.port, libexec=self.libexec, public_url=public_url or self.url[:-1])),
            encoding="utf-8")

    def load_lines(self):
        built_in = subprocess.run([self.program, "-l"], check=True, capture_output=True, text=True).stdout
        return "\n".join(f'LoadModule {name}_module "{self.libexec}/mod_{name}.so"'
                         for name in ["mpm_event", *self.modules] if f"mod_{name}.c" not in built_in)

    def start(self, before=(), options=("-DFOREGROUND",), seconds=30):
        self.listen(self.room, [*before, self.program, "-d", self.folder, "-f", self.folder / "httpd.conf",
                                *options], self.folder, self.port, seconds)
        return self

    def sign_in(self):
        """Gets the cookie that the load is sent with; without a module a cookie of the same size."""
        if self.variant.protected:
            self.cookie = self.new_session()
        self.check()
        return self

    def new_session(self):
        """The cookie of one more session."""
        browser = Browser()
        page = browser.get(self.url)
        cookie = browser.cookie(self.variant.cookie)
        if page.status != 200 or cookie is None:
            raise Failure(f"{self.name}: signing in led to {page}\nand of its error log:\n"
                          f"{tail(self.folder / 'error.log')}")
        return f"{cookie.name}={cookie.value}"


class Proxy(Httpd):
    """httpd as reverse proxy, in the variant given."""

    modules = [*CORE_MODULES, "headers", "setenvif", "proxy", "proxy_http"]

    def __init__(self, room, variant, backend, processes, threads):
        super().__init__(room, variant, processes, threads, f"ProxyPass / http://127.0.0.1:{backend.port}/")

    def check(self, cookie=None):
        """One request: the backend must be reached and see the identity, or none without a module."""
        page = Browser().get(self.url, [*HEADERS, ("Cookie", cookie or self.cookie)], follow=False)
        seen = f"you are {USER if self.variant.protected else ''}\n"
        if page.status != 200 or page.text != seen:
            raise Failure(f"{self.name}: {page} where the backend should have said {seen!r}\n"
                          f"and of its error log:\n{tail(self.folder / 'error.log')}")
