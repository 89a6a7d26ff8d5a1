# SPDX-License-Identifier: Apache-2.0
"""One site: httpd with the module, its memcached, and the backend behind it."""

import os
import re
import secrets
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

from backend import Backend, values
from browser import SCRIPT, Browser, Form, sign_in_form
from httpd import Httpd
from memcached import Memcached
from process import free_port

CONFIG = """\
KeycloakIssuer        {issuer}
KeycloakClientID      {client}
KeycloakClientSecret  file:{folder}/client-secret
{store}
{settings}
<Location />
    AuthType Keycloak
    Require valid-user
</Location>
{blocks}
ProxyPass / http://127.0.0.1:{backend}/
"""

JUDGE = """\
KeycloakIssuer        {issuer}
KeycloakClientID      {client}
KeycloakClientSecret  file:{folder}/client-secret
{store}
{settings}
TraceEnable off
AllowEncodedSlashes NoDecode
<Location />
    AuthType Keycloak
    Require valid-user
    SetHandler keycloak-judge
</Location>
{blocks}
"""


def private_file(path, text):
    """A file that only its owner can read."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w",
              encoding="ascii") as file:
        file.write(text + "\n")
    return path


class Site:
    """`settings` are directives of the server, `blocks` further sections; {name} is filled in."""

    def __init__(self, folder, module, realm, mpm="event", memcached=True, crypto_key=True,
                 settings="", blocks="", issuer=None, modules=None, scheme="http", config=CONFIG):
        self.folder, self.realm = Path(folder), realm
        self.backend = Backend()
        self.memcached = Memcached(self.folder) if memcached else None
        self.port = free_port()
        self.url = f"{scheme}://localhost:{self.port}"
        self.ca_file = None
        private_file(self.folder / "client-secret", realm.secret)
        store = ""
        if crypto_key:
            private_file(self.folder / "crypto-key", secrets.token_urlsafe(40))
            store = f"KeycloakCryptoKey file:{self.folder}/crypto-key\n"
        if self.memcached:
            # A busy machine may stop memcached for longer than the default's 50 ms.
            store += f"KeycloakMemcached {self.memcached.address}\nKeycloakStoreTimeout 1s\n"
        self.names = {"issuer": issuer or realm.issuer, "client": realm.client, "store": store,
                      "folder": self.folder, "backend": self.backend.port, "url": self.url,
                      "keycloak_port": realm.server.port,
                      "keycloak_tls_port": realm.server.tls_port}
        self.names["settings"] = settings.format(**self.names)
        self.names["blocks"] = blocks.format(**self.names)
        self.httpd = Httpd(self.folder / "httpd", module, self.port, config.format(**self.names),
                           mpm, modules)

    def start(self):
        self.realm.allow_site(self.url)
        self.httpd.start()

    def stop(self):
        self.httpd.stop()
        self.backend.stop()
        if self.memcached:
            self.memcached.stop()

    def browser(self):
        return Browser(self.ca_file)

    def signed_in(self, username="alice", path="/api/start"):
        """A browser in which this user has signed in here."""
        browser = self.browser()
        answer = browser.sign_in(self.url + path, username, self.realm.passwords[username])
        assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{self.log()}"
        return browser

    def get(self, browser, path="/api/page", headers=(), **more):
        """One request, without following redirects."""
        return browser.get(self.url + path, headers, follow=False, **more)

    def call(self, browser, path="/api/page", headers=(), **more):
        """The same as a script would do it."""
        return browser.get(self.url + path, headers, follow=False, kind=SCRIPT, **more)

    def seen(self):
        """How many requests have reached the backend."""
        return len(self.backend.requests)

    def identity(self, browser, path="/api/page", headers=()):
        """The identity headers' values that the backend receives for this browser's request."""
        answer = self.get(browser, path, headers)
        assert answer.status == 200, f"{answer}\n{self.log()}"
        return values(self.backend.requests[-1]["headers"], "kubeflow-userid")

    def log(self):
        return "error log:\n" + "\n".join(self.httpd.log_text().splitlines()[-25:])


def asks_to_sign_in(answer, realm):
    """Whether this is a redirect to the realm's sign-in."""
    where = answer.header("Location") or ""
    return answer.status == 302 and where.startswith(realm.issuer + "/protocol/openid-connect/auth?")


def is_form(answer):
    return sign_in_form(answer) is not None


def confirm(browser, page):
    """Keycloak's question whether to sign out, answered."""
    form = Form(page.text, "kc-logout-confirm-form")
    if not form.action:  # Keycloak of other versions names the form otherwise
        form.action = re.search(r'action="([^"]*logout-confirm[^"]*)"', page.text).group(1)
        form.fields = dict(re.findall(r'name="(session_code)" value="([^"]*)"', page.text))
    return browser.post(urljoin(page.url, unescape(form.action)), {**form.fields, "confirmLogout": "Logout"})
