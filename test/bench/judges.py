# SPDX-License-Identifier: Apache-2.0
"""The judges of the benchmark: httpd and its peers, each asked directly or by a real Envoy; and the load on them."""

import os
import re
import secrets
import shutil
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path

import measure
from servers import HEADERS, SECRET, USER, Browser, Httpd, Server  # puts test/support/python on the path
from variants import AUTHSERVICE, LABELS, OAUTH2_PROXY, OAUTH2_PROXY_REDIS

import envoy
from process import Failure, free_port, tail, wait_for

ANSWERS_SCRIPT = Path(__file__).with_name("answers.lua")
# What Kubeflow's meshes ask these peers with, and take over from them.
FILTERS = {OAUTH2_PROXY: {"asked": ["authorization", "cookie"], "success": [],
                          "upstream": ["authorization", "path", "x-auth-request-email", "x-auth-request-groups",
                                       "x-auth-request-user"]},
           AUTHSERVICE: envoy.FILTER_OF_2023}
FILTERS[OAUTH2_PROXY_REDIS] = FILTERS[OAUTH2_PROXY]
MISSING = {OAUTH2_PROXY: "OAUTH2_PROXY_MISSING", OAUTH2_PROXY_REDIS: "OAUTH2_PROXY_MISSING",
           AUTHSERVICE: "OIDC_AUTHSERVICE_MISSING"}


def missing(key):
    """Why this peer could not be built, or an empty string."""
    return os.environ.get(MISSING[key], "test/bench/run has not built it")


def versions():
    """Of what the folders of programs are named after."""
    found = {}
    for name, variable in (("Envoy", "ENVOY"), ("oauth2-proxy", "OAUTH2_PROXY"), ("oidc-authservice", "OIDC_AUTHSERVICE")):
        version = re.search(rf"/{name.lower()}-([^/]+)/", os.environ.get(variable, ""))
        if version:
            found[name] = version.group(1)
    return found


class Judging:
    """What all judges have in common: an address that is asked, and an answer that lets a request go on."""

    allowed, identity, path = 200, None, "/"

    def ask(self, cookie=None):
        """One request as the load makes it; the answer's head."""
        lines = [f"GET {self.path} HTTP/1.1", f"Host: 127.0.0.1:{self.port}",
                 *(f"{name}: {value}" for name, value in [*HEADERS, ("Cookie", cookie or self.cookie)]), "", ""]
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall("\r\n".join(lines).encode("latin-1"))
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                got = connection.recv(65536)
                if not got:
                    break
                answer += got
        return answer.decode("latin-1")

    def check(self, cookie=None):
        """It must let the request go on, name the user, and say nothing more; how long all this is."""
        head = self.ask(cookie)
        seen = re.search(rf"^{self.identity}: (.*)\r$", head, re.M | re.I) if self.identity else None
        if not head.startswith(f"HTTP/1.1 {self.allowed} ") or not head.endswith("\r\n\r\n") or \
                not re.search(r"^content-length: 0\r$", head, re.M | re.I) or \
                (self.identity and (not seen or seen.group(1) != USER)):
            raise Failure(f"{self.name} says {head[:300]!r} where it should have let {USER} go on\n"
                          f"and of its log:\n{tail(self.folder / 'output.log')}\n{tail(self.folder / 'error.log')}")
        return len(head)


class HttpdJudge(Judging, Httpd):
    """Ours, and the handler that it is compared with."""

    def __init__(self, room, variant, processes, threads, public_url=None):
        super().__init__(room, variant, processes, threads, public_url=public_url)
        if variant.protected:
            self.identity = "kubeflow-userid"


class Redis(Server):
    name = "redis-server"

    def __init__(self, room):
        self.port = free_port()
        folder = room.make(f"redis-{self.port}")
        self.listen(room, ["/usr/bin/redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "",
                           "--appendonly", "no", "--dir", folder], folder, self.port)


class PeerJudge(Judging, Server):
    """A peer, which logs as little as it can be told to."""

    def __init__(self, room, key, provider, public_url=None):
        self.key, self.name, self.room, self.port = key, LABELS[key], room, free_port()
        self.folder = room.make(f"{key}-{self.port}")
        self.public_url = public_url or f"http://127.0.0.1:{self.port}"
        self.provider, self.url, self.cookie = provider, f"http://127.0.0.1:{self.port}{self.path}", ""

    def private(self, name, text):
        path = self.folder / name
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write(text)
        self.room.own(path)
        return path

    def program(self, variable):
        """A copy, which the ordinary user may run, of the program that an environment variable names."""
        return shutil.copy(os.environ[variable], self.folder)

    def sign_in(self):
        self.cookie = sign_in(self, f"http://127.0.0.1:{self.port}/")
        self.check()
        return self


def sign_in(server, url):
    """The cookies of one more session."""
    browser = Browser()
    page = browser.get(url)
    cookie = browser.cookie_header("127.0.0.1", "/")
    if page.status != 200 or not cookie:
        raise Failure(f"{server.name}: signing in led to {page}\nand of its log:\n{tail(server.folder / 'output.log')}")
    return cookie


class OAuth2Proxy(PeerJudge):
    """At its own address for judging it says 202; asked as a proxy by a gateway, by any path, 200."""

    allowed, identity, path = 202, "x-auth-request-email", "/oauth2/auth"

    def start(self, redis=None):
        store = ["--session-store-type=redis", f"--redis-connection-url=redis://127.0.0.1:{redis.port}"] if redis else []
        self.listen(self.room, [
            self.program("OAUTH2_PROXY"), "--provider=oidc", f"--oidc-issuer-url={self.provider.issuer}", "--client-id=app",
            f"--client-secret-file={self.private('client-secret', SECRET)}",
            f"--cookie-secret-file={self.private('cookie-secret', secrets.token_hex(16))}", "--cookie-secure=false",
            "--email-domain=*", f"--http-address=127.0.0.1:{self.port}",
            f"--redirect-url={self.public_url}/oauth2/callback", "--upstream=static://200", "--set-xauthrequest", "--skip-provider-button",
            "--code-challenge-method=S256",
            "--scope=openid email profile", "--request-logging=false", "--auth-logging=false", "--standard-logging=false",
            *store], self.folder, self.port)
        return self


class AuthService(PeerJudge):
    identity = "kubeflow-userid"

    def start(self, redis=None):
        ready = free_port()
        # It reads its templates where it is started.
        shutil.copytree(Path(os.environ["OIDC_AUTHSERVICE"]).parent / "web", self.folder / "web")
        settings = {
            "OIDC_PROVIDER": self.provider.issuer, "CLIENT_ID": "app", "CLIENT_SECRET": SECRET,
            "AUTHSERVICE_URL_PREFIX": "/authservice/", "REDIRECT_URL": f"{self.public_url}/authservice/oidc/callback",
            "OIDC_SCOPES": "openid,email,profile", "SERVER_HOSTNAME": "127.0.0.1", "SERVER_PORT": self.port,
            "READINESS_PROBE_PORT": ready, "WEB_SERVER_PORT": free_port(),
            "SESSION_STORE_PATH": self.folder / "sessions.db", "OIDC_STATE_STORE_PATH": self.folder / "states.db",
            # It does not start without a cluster otherwise.
            "KUBERNETES_AUTHN_ENABLED": "false", "LOG_LEVEL": "ERROR"}
        self.listen(self.room, ["env", "-C", self.folder, *(f"{name}={value}" for name, value in settings.items()),
                                self.program("OIDC_AUTHSERVICE")],
                    self.folder, self.port)
        wait_for(lambda: answers(ready), 30, f"{self.name} is ready", self.child)
        return self


def answers(port):
    """Whether this port says 200."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


PEERS = {OAUTH2_PROXY: OAuth2Proxy, OAUTH2_PROXY_REDIS: OAuth2Proxy, AUTHSERVICE: AuthService}


def peer(bench, key, public_url=None):
    """One of the peers, signed in unless it is to be asked by a gateway (public_url)."""
    redis = bench.keep(Redis(bench.room)) if key == OAUTH2_PROXY_REDIS else None
    made = bench.keep(PEERS[key](bench.room, key, bench.provider, public_url)).start(redis)
    return made if public_url else made.sign_in()


class Gateway:
    """A real Envoy before the backend; judge: what it asks about each request, or None."""

    def __init__(self, room, key, label, backend):
        self.key, self.name, self.backend = key, label, backend
        self.folder, self.judge, self.envoy = room.make(f"envoy-{time.monotonic_ns()}"), None, None
        self.port = free_port()
        self.public_url = f"http://127.0.0.1:{self.port}"
        self.url, self.cookie = self.public_url + "/", f"keycloak_session={'A' * 43}"

    def start(self, judge=None):
        self.judge = judge
        self.envoy = envoy.Envoy(self.folder, judge and judge.port, self.backend.port, FILTERS.get(self.key))
        self.envoy.port = self.port
        self.envoy.start()
        if judge:
            self.cookie = sign_in(self, self.url)
        self.check()
        return self

    def stop(self):
        if self.envoy:
            self.envoy.stop()

    def check(self, cookie=None):
        """One request: the backend must be reached and see the identity, or none without a judge."""
        page = Browser().get(self.url, [*HEADERS, ("Cookie", cookie or self.cookie)], follow=False)
        seen = f"you are {USER if self.judge else ''}\n"
        if page.status != 200 or page.text != seen:
            raise Failure(f"{self.name}: {page} where the backend should have said {seen!r}\n"
                          f"and of Envoy's log:\n{tail(self.folder / 'envoy.log')}")

    def processor_seconds(self):
        """Of Envoy and the judge."""
        own = Server()
        own.child = self.envoy.child
        return own.processor_seconds() + (self.judge.processor_seconds() if self.judge else 0)


class Asked(measure.Case):
    """Load on a judge. Its answers are told from others by their length: wrk itself takes a redirect for success."""

    def argv(self, seconds):
        program, *rest = super().argv(seconds)
        return [program, "-s", str(ANSWERS_SCRIPT), *rest]

    def check(self):
        self.length = self.proxy.check(self.cookie)

    def figures(self, text):
        answered, size = map(int, re.search(r"^answers: (\d+) bytes (\d+)$", text, re.M).groups())
        # A connection may have had a part of one more answer.
        if abs(size - answered * self.length) > self.connections * self.length:
            raise Failure(f"{self.proxy.name}: {answered} answers of {self.length} bytes each would not be {size} bytes")
        return {}
