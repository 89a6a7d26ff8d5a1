# SPDX-License-Identifier: Apache-2.0
"""The target of hostile requests: httpd with the module in each of its modes, a realm, and a backend that checks what reaches it."""

import json
import os
import re
import shutil
import socketserver
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "support" / "python"))

from httpd import Httpd  # noqa: E402
from process import Child, Failure, free_port, port_taken, unprivileged_user, wait_for  # noqa: E402

MARK = b"bytes-of-the-backend-7f3a"
USER = "alice@example.com"
FORGED = "mallory"
IDENTITY = {"kubeflowuserid", "kubeflowgroups", "xname", "xidtoken"}
COOKIES = re.compile(r"keycloak_(?:session|login|rounds|logout)")
PLAIN = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,=:@/]*")
CHILDREN = 2
CODES = (400, 401, 403, 404, 405, 408, 411, 413, 414, 417, 421, 431, 500, 501, 503, 505)

CONFIG = """\
ServerLimit {children}
StartServers {children}
ThreadsPerChild 16
MaxRequestWorkers {workers}
MinSpareThreads 1
MaxSpareThreads {workers}
MaxConnectionsPerChild 0
Timeout 20
KeepAliveTimeout 5
H2MinWorkers 4
H2MaxWorkers 8
Protocols h2c http/1.1
AllowEncodedSlashes NoDecode
TraceEnable On
RequestReadTimeout header=20 body=20
{documents}
KeycloakIssuer       {issuer}
KeycloakClientID     app
KeycloakClientSecret file:{room}/client-secret
KeycloakCryptoKey    file:{room}/crypto-key
KeycloakPublicURL    http://localhost:{port}
KeycloakBearer       on
KeycloakIDTokenHeader X-Id-Token
KeycloakHeader       X-Name name
KeycloakIdleIgnore   /poll /x/*/y
<Location />
    AuthType Keycloak
    Require valid-user
</Location>
<Location /denied>
    Require keycloak-role nobody-has-this
</Location>
<Location /pass>
    KeycloakUnauth pass
</Location>
ProxyPass / http://127.0.0.1:{backend}/
"""

JUDGE = "<Location />\n    SetHandler keycloak-judge\n</Location>\n"
# An ErrorDocument in a public place, and one that a backend would answer, must not become a yes.
OPEN = "KeycloakPublicPath /public /errors\n"
LOCAL = "<Location /local>\n    SetHandler none\n    Require all granted\n</Location>\nErrorDocument 404 /local/404\nErrorDocument 400 /local/400\n"
TRUSTED = "KeycloakTrustedProxy 127.0.0.1\n"
# The modes of the module, each at a port of its own: what its virtual host adds.
MODES = {
    "proxy": "KeycloakPublicPath /public\n",
    "errors": "KeycloakPublicPath /public /errors\n",
    "lenient": "KeycloakPublicPath /public\nHttpProtocolOptions Unsafe Allow0.9\nMergeTrailers Off\n",
    "judge": OPEN + JUDGE,
    "nginx": OPEN + "KeycloakJudgeFor nginx\n" + TRUSTED + JUDGE + LOCAL,
    "forwarded": OPEN + "KeycloakJudgeFor forwarded\n" + TRUSTED + JUDGE + LOCAL,
    "operator": "<Location />\n    Require keycloak-role nobody-has-this\n    SetHandler keycloak-sessions\n</Location>\n",
    "health": "<Location />\n    AuthType None\n    Require all granted\n    SetHandler keycloak-health\n</Location>\n",
}
JUDGES = ("judge", "nginx", "forwarded")
MODULES = ["authn_core", "authz_core", "authz_user", "headers", "setenvif", "reqtimeout", "http2", "proxy", "proxy_http",
           "auth_keycloak"]


def folded(name):
    return re.sub(r"[^a-z0-9]", "", name.lower())


def is_public(target, mode):
    """Whether nobody's requests may go to the backend for this target: what else it could mean is not public."""
    path = target.split("?")[0]
    if not PLAIN.fullmatch(path) or "//" in path or re.search(r"/\.\.?(/|$)", path):
        return False
    tops = ["/public"] + (["/errors"] if mode == "errors" else [])
    return any(path == top or path.startswith(top + "/") for top in tops)


def is_for_nameless(target):
    """Whether the place is the one with KeycloakUnauth pass."""
    return re.match(r"/+pass(?:[/?]|$)", target) is not None


class Watch(socketserver.StreamRequestHandler):
    """A backend that reads a request of mod_proxy's by hand, and answers with who asked for what."""

    def handle(self):
        try:
            while self.one():
                pass
        except (OSError, ValueError):
            pass

    def fields(self):
        lines = []
        while True:
            line = self.rfile.readline(1 << 20).decode("latin-1").rstrip("\r\n")
            if not line:
                return lines
            name, _, value = line.partition(":")
            lines.append((name, value.strip(" \t")))

    def body(self, lines):
        values = {name.lower(): value for name, value in lines}
        if "chunked" not in values.get("transfer-encoding", "").lower():
            self.rfile.read(min(int(values.get("content-length") or 0), 1 << 20))
            return []
        while True:
            size = int(self.rfile.readline(64).split(b";")[0], 16)
            if not size:
                return self.fields()
            self.rfile.read(size + 2)

    def one(self):
        start = self.rfile.readline(1 << 17).decode("latin-1").rstrip("\r\n")
        if not start:
            return False
        lines = self.fields()
        trailers = self.body(lines)
        self.server.see(start, lines, trailers)
        text = MARK + b" " + start.encode("latin-1") + b"\n"
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n" % len(text))
        if not start.startswith("HEAD "):
            self.wfile.write(text)
        return True


class Backend(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Watch)
        self.port = self.server_address[1]
        self.lock, self.count, self.faults = threading.Lock(), 0, []
        threading.Thread(target=self.serve_forever, args=(0.2,), daemon=True).start()

    def see(self, start, lines, trailers):
        """What no request may bring here: a forged identity, one of our cookies, nobody to a guarded place."""
        target = (start.split(" ") + ["", ""])[1]
        names = [(folded(name), value) for name, value in lines + trailers]
        users = [value for name, value in names if name == "kubeflowuserid"]
        faults = []
        if any(name in IDENTITY and FORGED in value.lower() for name, value in names):
            faults.append("a client's identity header")
        if any(name in IDENTITY for name, _ in [(folded(name), 0) for name, _ in trailers]):
            faults.append("an identity header among the trailers")
        if any(name == "cookie" and COOKIES.search(value) for name, value in names):
            faults.append("a cookie of the module's")
        if len(users) > 1 or (users and users[0] != USER):
            faults.append(f"the user {users}")
        if not users and not is_public(target, "errors") and not is_for_nameless(target):
            faults.append("nobody at a guarded place")
        with self.lock:
            self.count += 1
            self.faults += [f"{fault}: {start[:200]!r} {lines} {trailers}"[:2000] for fault in faults]


class Yard:
    """All of it, in a folder; `env` and `under` as of Httpd."""

    def __init__(self, folder, module, env, under=(), patience=120):
        self.folder = Path(folder)
        self.folder.chmod(0o755)
        user = unprivileged_user()
        for name, text in (("client-secret", "canary-client-secret-5d1e\n"), ("crypto-key", os.urandom(32).hex() + "\n")):
            (self.folder / name).write_text(text, encoding="utf-8")
            (self.folder / name).chmod(0o600)
        self.reports = self.folder / "reports"
        self.reports.mkdir()
        if user:
            shutil.chown(self.reports, user)
        self.reports.chmod(0o777)
        self.module = self.folder / "mod_auth_keycloak.so"
        shutil.copy(module, self.module)
        self.backend = Backend()
        self.realm_port = free_port()
        self.issuer = f"http://127.0.0.1:{self.realm_port}/realms/hostile"
        self.realm = Child("provider", ["/usr/bin/python3", ROOT / "test/support/provider/provider.py", "--port", self.realm_port],
                           self.folder / "provider.log")
        self.ports = {mode: free_port() for mode in MODES}
        self.httpd = Httpd(self.folder / "httpd", self.module, self.ports["proxy"], self.config(), "event", MODULES,
                           {**os.environ, **env}, under, patience)
        self.old = set()

    def config(self):
        hosts = "".join(
            (f"Listen 127.0.0.1:{port}\n" if mode != "proxy" else "")
            + f"<VirtualHost 127.0.0.1:{port}>\n{MODES[mode]}</VirtualHost>\n" for mode, port in self.ports.items())
        return CONFIG.format(
            children=CHILDREN, workers=16 * CHILDREN, issuer=self.issuer, room=self.folder, port=self.ports["proxy"],
            backend=self.backend.port, documents="\n".join(f"ErrorDocument {code} /errors/{code}" for code in CODES)) + hosts

    def __enter__(self):
        wait_for(lambda: port_taken(self.realm_port), 60, "the provider starts", self.realm)
        self.httpd.start()
        wait_for(lambda: len(self.httpd.children()) >= CHILDREN, 60, "httpd's children start", self.httpd.child)
        self.old = self.httpd.children()
        return self

    def __exit__(self, *_):
        self.httpd.stop()
        self.realm.stop()
        self.backend.shutdown()

    # -- a person

    def sign_in(self):
        """Alice's cookie, from the way through the realm."""
        jar, url = {}, f"http://localhost:{self.ports['proxy']}/page"
        for _ in range(6):
            request = urllib.request.Request(url, headers={
                "Accept": "text/html", "Sec-Fetch-Mode": "navigate",
                "Cookie": "; ".join(f"{name}={value}" for name, value in jar.items()) or "none=1"})
            try:
                answer = urllib.request.build_opener(NoRedirect).open(request, timeout=60)
            except urllib.error.HTTPError as error:
                answer = error
            for line in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = line.split(";")[0].partition("=")
                jar[name] = value
            where = answer.headers.get("Location")
            if not where:
                body = answer.read()
                if answer.status == 200 and MARK in body:
                    return f"keycloak_session={jar['keycloak_session']}"
                break
            parts = urlsplit(url)
            url = where if "://" in where else f"{parts.scheme}://{parts.netloc}{where}"
        raise Failure(f"nobody can sign in: {answer.status} {url}\n{self.httpd.log_text()[-3000:]}")

    def bearer(self):
        """An access token of hers."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.realm_port}/control/hostile/bearer", b"{}", method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["token"]

    # -- what went wrong

    def faults(self):
        """What httpd, the sanitizers and the backend have to say; empty when all is well."""
        found = []
        log = self.httpd.log_text()
        found += [f"httpd's log: {line}" for line in log.splitlines() if re.search(r"exit signal|AH00050|AH00052", line)]
        if self.httpd.children() != self.old:
            found.append(f"the children were {sorted(self.old)} and are {sorted(self.httpd.children())}")
        for report in sorted(self.reports.iterdir()):
            text = report.read_text(errors="replace")
            if is_report(text):
                found.append(f"{report.name}:\n" + text[:6000])
        out = Path(self.httpd.child.log).read_text(errors="replace") if self.httpd.child else ""
        if "ERROR: AddressSanitizer" in out or "runtime error:" in out:
            found.append(out[-6000:])
        with self.backend.lock:
            found += self.backend.faults
        return found


def is_report(text):
    """Of a sanitizer, or of valgrind about what is not glibc's dynamic linker."""
    if "AddressSanitizer" in text or "runtime error:" in text:
        return True
    blocks = re.split(r"\n==\d+== \n", text)
    return any(re.search(r"== (?:Invalid (?:read|write|free)|Conditional jump|Use of uninit|Syscall param|Process terminating)", block)
               and "dl-load.c" not in block and "dl_" not in block for block in blocks)


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None
