# SPDX-License-Identifier: Apache-2.0
"""The environment of a chaos test: httpd with the module, memcached nodes, the fake provider, a backend, signed-in users."""

import json
import signal
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "support" / "python"))
sys.path.insert(0, str(ROOT / "test" / "bench"))

from browser import Browser  # noqa: E402
from gate import Gate  # noqa: E402
from httpd import Httpd  # noqa: E402
from load import Person, ask_once  # noqa: E402
from memcached import Memcached  # noqa: E402
from process import Failure, free_port, wait_for  # noqa: E402
from servers import Backend, Provider, Room  # noqa: E402

THREADS = 128  # of all httpd's children

CONFIG = """\
ServerLimit 8
StartServers 2
ThreadsPerChild 64
ThreadLimit 64
MaxRequestWorkers {threads}
MinSpareThreads 1
MaxSpareThreads 128
MaxConnectionsPerChild 0
KeepAlive On
MaxKeepAliveRequests 0
KeepAliveTimeout 60
KeycloakIssuer       {issuer}
KeycloakClientID     app
KeycloakClientSecret file:{room}/client-secret
KeycloakCryptoKey    file:{room}/crypto-key
{store}
{settings}
<Location />
    AuthType Keycloak
    Require valid-user
</Location>
{places}
ProxyPass / http://127.0.0.1:{backend}/
"""
MODULES = ["authn_core", "authz_core", "authz_user", "watchdog", "headers", "setenvif", "proxy", "proxy_http",
           "auth_basic", "authn_file", "auth_keycloak"]


class Ground:
    """What all chaos tests have in common: a folder, the backend and the provider."""

    def __init__(self, folder, build):
        self.room = Room(folder, build)
        self.backend = Backend(self.room)
        self.provider = Provider(self.room)
        self.count = 0

    def end(self):
        self.provider.child.send(signal.SIGCONT)
        self.provider.stop()
        self.backend.stop()

    def change(self, **settings):
        """The provider's settings, see realm.py there."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.provider.port}/control/bench", method="PUT",
                                         data=json.dumps(settings).encode())
        urllib.request.urlopen(request, timeout=30).close()

    def be(self, user):
        """The provider's next sign-ins are this person's."""
        self.change(user={"sub": user, "email": user, "sid": "session-of-" + user})

    def logout_token(self, user, is_one=False):
        """What the provider says when all sessions of this person have ended there, or this one."""
        claims = {"sub": user, **({"sid": "session-of-" + user} if is_one else {})}
        request = urllib.request.Request(f"http://127.0.0.1:{self.provider.port}/control/bench/logout", method="POST",
                                         data=json.dumps({"set": claims}).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["logout_token"]

    def folder(self):
        self.count += 1
        return self.room.make(f"world-{self.count}")


class World:
    """One httpd with its own memcached nodes; `settings` are further directives, `places` further sections.

    `gated`: httpd reaches the nodes through gates alone.
    """

    def __init__(self, ground, nodes=1, settings="", addresses=(), issuer=None, httpd=Httpd, places="", gated=False):
        self.ground, self.folder = ground, ground.folder()
        self.nodes = []
        for number in range(nodes):
            (self.folder / f"node-{number}").mkdir()
            ground.room.own(self.folder / f"node-{number}")
            self.nodes.append(Memcached(self.folder / f"node-{number}"))
        self.port = free_port()
        self.url = f"http://localhost:{self.port}/"
        self.gates = [Gate(node.port) for node in self.nodes] if gated else []
        names = [server.address for server in self.gates or self.nodes] + list(addresses)
        store = f"KeycloakMemcached {' '.join(names)}" if names else ""
        self.httpd = httpd(self.folder / "httpd", ground.room.module, self.port, CONFIG.format(
            issuer=issuer or ground.provider.issuer, room=ground.room.folder, store=store, settings=settings,
            places=places, backend=ground.backend.port, threads=THREADS), "event", MODULES)
        self.people = []

    def __enter__(self):
        self.httpd.start()
        return self

    def __exit__(self, *_):
        self.httpd.stop()
        for gate in self.gates:
            gate.close()
        for node in self.nodes:
            node.stop()

    def sign_in(self, count):
        """So many more people, each with a session and an identity of their own."""
        fresh = []
        for _ in range(count):
            user = f"user{len(self.people)}@example.com"
            self.ground.be(user)
            browser = Browser()
            page = browser.get(self.url + "page")
            cookie = browser.cookie("keycloak_session")
            if page.status != 200 or page.text != f"you are {user}\n" or not cookie:
                raise Failure(f"{user} cannot sign in: {page}\n{self.log()}")
            self.people.append(Person(user, f"{cookie.name}={cookie.value}", self.port))
            fresh.append(self.people[-1])
        return fresh

    def outcomes(self, people):
        """How these people fare now, one request each: outcome -> how many."""
        found = {}
        for person in people:
            outcome = ask_once(self.port, person)
            found[outcome] = found.get(outcome, 0) + 1
        return found

    def log(self):
        return "error log:\n" + "\n".join(self.httpd.log_text().splitlines()[-25:])
