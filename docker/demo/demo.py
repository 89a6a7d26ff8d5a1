#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the demo's four servers until Ctrl-C, or signs in once automatically; ./demo prepares and calls it."""

import argparse
import fcntl
import os
import secrets
import shutil
import signal
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "support" / "python"))
sys.path.insert(0, str(ROOT / "docker" / "demo"))

from backend import GROUPS_HEADER, USER_HEADER, Backend, values  # noqa: E402
from browser import Browser, sign_in_form  # noqa: E402
from httpd import Httpd  # noqa: E402
from keycloak import Keycloak, passwords, realm_from_file  # noqa: E402
from memcached import Memcached  # noqa: E402
from process import Failure, free_port, port_taken  # noqa: E402

PORT = 8989
URL = f"http://localhost:{PORT}"
REALM = "kubeflow"
STARTED = float(os.environ.get("DEMO_STARTED") or time.time())

CONFIG = """\
KeycloakIssuer        {issuer}
KeycloakClientID      {client}
KeycloakClientSecret  file:{folder}/client-secret
KeycloakCryptoKey     file:{folder}/crypto-key
KeycloakMemcached     {memcached}
KeycloakStoreTimeout  500ms
<Location />
    AuthType Keycloak
    Require valid-user
</Location>
ProxyPass / http://127.0.0.1:{backend}/
CustomLog "{folder}/access.log" "%h %t %m %U %>s %u"
"""


def say(text):
    print(f"[{time.time() - STARTED:4.0f} s] {text}", flush=True)


class Stopped(Exception):
    """A signal asked for the end."""

    def __init__(self, number):
        super().__init__(signal.Signals(number).name)
        self.number = number


def on_signal(number, _frame):
    raise Stopped(number)


class Demo:
    folder = ROOT / "build" / "demo"

    def __init__(self, module):
        self.module = module
        self.keycloak = self.backend = self.memcached = self.httpd = None
        self.users = []
        self.lock = None

    def claim(self):
        """One demo at a time: its port and its folder are fixed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = open(ROOT / "build" / "demo.lock", "a", encoding="utf-8")
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Failure(f"another ./demo of this checkout is running (its port {PORT} is taken); "
                          "stop that one first") from None
        if port_taken(PORT):
            raise Failure(f"port {PORT} is taken by another program; the demo needs exactly this "
                          f"one (`ss -ltnp 'sport = :{PORT}'` shows who has it)")
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def secret(self, name):
        value = secrets.token_urlsafe(32)
        with open(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT, 0o600), "w",
                  encoding="ascii") as file:
            file.write(value + "\n")
        return value

    def start_keycloak(self):
        """Its ready() tells when it answers."""
        port = free_port() if port_taken(8080) else 8080
        self.keycloak = Keycloak(self.folder, port)
        say(f"starting Keycloak at {self.keycloak.url} (a quarter of a minute or so)")
        self.keycloak.start()

    def start(self):
        self.start_keycloak()
        say("starting memcached and the backend")
        self.memcached = Memcached(self.folder)
        self.backend = Backend()
        self.keycloak.ready()
        say(f"Keycloak answers; importing the realm {REALM}")
        representation = realm_from_file(REALM, URL, self.secret("client-secret"))
        self.users = passwords(representation)
        self.keycloak.admin("POST", "", representation)
        self.secret("crypto-key")
        say(f"starting httpd with mod_auth_keycloak at {URL}/")
        self.httpd = Httpd(self.folder / "httpd", self.module, PORT, CONFIG.format(
            issuer=f"{self.keycloak.url}/realms/{REALM}", folder=self.folder,
            client=representation["clients"][0]["clientId"], memcached=self.memcached.address,
            backend=self.backend.port))
        self.httpd.start()

    def serve(self):
        say("ready")
        print(f"\n    Open          {URL}/\n")
        for name, email, password in self.users:
            print(f"    Sign in as    {name:<8} password {password:<18} ({email})")
        print(f"\n    Keycloak      {self.keycloak.url}/admin/{REALM}/console/   admin, password "
              f"{self.keycloak.admin_password}")
        print(f"\n    Configuration {self.httpd.file}\n    Error log     {self.httpd.error_log}"
              "\n\n    Ctrl-C ends everything.\n", flush=True)
        self.watch(self.keycloak.child, self.memcached.child, self.httpd.child)

    @staticmethod
    def watch(*children):
        """Waits until a signal comes, or one of them ends."""
        while True:
            for child in children:
                child.must_live("the demo stopped by itself")
            time.sleep(0.5)

    def once(self):
        """Signs in, looks, signs out, looks again; a Failure when anything is not as it should be."""
        name, email, password = self.users[0]
        browser = Browser()
        say(f"opening {URL}/")
        form = browser.get(URL + "/")
        self.expect(sign_in_form(form), f"no sign-in form of Keycloak, but {form}")
        self.expect(not self.backend.requests, "the backend was reached without a session")
        say(f"signing in as {name}")
        page = browser.fill_in(form, name, password)
        self.expect(page.status == 200 and page.url == URL + "/" and page.header("X-Backend"),
                    f"the sign-in did not lead to the backend, but to {page}")
        seen = self.backend.requests[-1]
        users = values(seen["headers"], USER_HEADER)
        groups = values(seen["headers"], GROUPS_HEADER)
        print(f"\n    The backend saw   {USER_HEADER}: {', '.join(users) or '(none)'}"
              f"\n                      {GROUPS_HEADER}: {', '.join(groups)}\n", flush=True)
        self.expect(users == [email], f"the identity is not {email}, once")
        kept = [(cookie.name, cookie.value) for cookie in browser.cookies.values()
                if cookie.path == "/"]
        say("signing out")
        after = browser.get(URL + "/authservice/logout")
        count = len(self.backend.requests)
        self.expect(sign_in_form(after), f"logout does not lead to a new sign-in, but to {after}")
        replayed = Browser().get(URL + "/", follow=False, headers=[
            ("Cookie", "; ".join(f"{key}={value}" for key, value in kept))])
        self.expect(replayed.status == 302, f"the session cookie still counts: {replayed}")
        self.expect(len(self.backend.requests) == count, "the backend was reached after logout")
        found = self.keycloak.admin("GET", f"/{REALM}/users?exact=true&username={name}")
        left = self.keycloak.admin("GET", f"/{REALM}/users/{found[0]['id']}/sessions")
        self.expect(not left, "Keycloak's own session outlived the logout")
        say("signed out: the session is gone, here and at Keycloak")

    def log_text(self):
        return self.httpd.log_text()

    def expect(self, condition, otherwise):
        if not condition:
            raise Failure(f"{otherwise}\nThe last lines of httpd's error log:\n"
                          + "\n".join("    " + line for line in self.log_text().splitlines()[-15:]))

    def stop(self):
        for part in (self.httpd, self.memcached, self.backend, self.keycloak):
            if part:
                part.stop()


def main(kind=Demo):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--module", required=True, help="mod_auth_keycloak.so")
    parser.add_argument("--once", action="store_true")
    arguments = parser.parse_args()
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        signal.signal(number, on_signal)
    demo = kind(arguments.module)
    status, served = 1, False
    try:
        demo.claim()
        demo.start()
        if arguments.once:
            demo.once()
            status = 0
        else:
            served = True
            demo.serve()
    except Failure as failure:
        say(f"failed: {failure}")
    except Stopped as stopped:
        status = 0 if served else 128 + stopped.number
        print()
        say(f"{stopped}: stopping")
    finally:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)
        demo.stop()
    if status == 0:
        say("done; nothing is left running")
    return status


if __name__ == "__main__":
    sys.exit(main())
