# SPDX-License-Identifier: Apache-2.0
"""A real Keycloak on the loopback: start, readiness, realms from the realm file, admin calls, stop."""

import http.client
import json
import os
import re
import secrets
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from process import Child, Failure, free_port, wait_for

ROOT = Path(__file__).resolve().parents[3]
REALM_FILE = ROOT / "docker" / "keycloak" / "realm-kubeflow.json"
CLIENT_ID = "kubeflow-oidc-authservice"
SECONDS_TO_START = 180
ADMINISTRATOR = ("KC_BOOTSTRAP_ADMIN_USERNAME", "KC_BOOTSTRAP_ADMIN_PASSWORD")
ADMINISTRATOR_BEFORE_26 = ("KEYCLOAK_ADMIN", "KEYCLOAK_ADMIN_PASSWORD")


def passwords(representation):
    """User name, e-mail and password of the users in a realm's representation."""
    return [(user["username"], user["email"], user["credentials"][0]["value"])
            for user in representation["users"]]


def realm_from_file(name, public_url, secret, client_id=CLIENT_ID):
    """The realm file as a representation, its placeholders filled in."""
    text = REALM_FILE.read_text(encoding="utf-8")
    for key, value in (("REALM", name), ("PUBLIC_URL", public_url), ("CLIENT_ID", client_id),
                       ("CLIENT_SECRET", secret)):
        text = text.replace("${" + key + "}", json.dumps(value)[1:-1])
    return json.loads(text)


class Realm:
    """One realm of a running Keycloak, and its one client that matters."""

    def __init__(self, server, representation):
        self.server = server
        self.name = representation["realm"]
        self.client = representation["clients"][0]["clientId"]
        self.secret = representation["clients"][0]["secret"]
        self.passwords = {name: password for name, _, password in passwords(representation)}
        self.issuer = f"{server.url}/realms/{self.name}"
        server.admin("POST", "", representation)
        self.client_uuid = self.admin("GET", "/clients?clientId=" + quote(self.client))[0]["id"]

    def admin(self, method, path="", body=None):
        return self.server.admin(method, "/" + quote(self.name) + path, body)

    def change_client(self, change):
        """Reads the client, lets a function change it, and writes it back."""
        client = self.admin("GET", "/clients/" + self.client_uuid)
        change(client)
        self.admin("PUT", "/clients/" + self.client_uuid, client)

    def allow_site(self, public_url):
        """Lets one more public URL be signed in at and returned to after logout."""
        def change(client):
            client["redirectUris"].append(public_url + "/authservice/oidc/callback")
        self.change_client(change)

    def send_logouts_to(self, url):
        """Where Keycloak posts its logout tokens; it must reach that address itself."""
        def change(client):
            client["attributes"]["backchannel.logout.url"] = url + "/authservice/backchannel-logout"
        self.change_client(change)

    def user(self, username):
        found = self.admin("GET", "/users?exact=true&username=" + quote(username))
        if not found:
            raise Failure(f"the realm {self.name} has no user {username}")
        return found[0]

    def add_user(self, username, **more):
        """A user with a password; returns the password."""
        password = secrets.token_urlsafe(12)
        self.admin("POST", "/users", {
            "username": username, "email": f"{username}@example.com", "emailVerified": True,
            "enabled": True, "firstName": username.capitalize(), "lastName": "Example",
            "credentials": [{"type": "password", "value": password, "temporary": False}], **more})
        self.passwords[username] = password
        return password

    def sessions(self, username):
        """The user's sessions at Keycloak."""
        return self.admin("GET", f"/users/{self.user(username)['id']}/sessions")

    def remove(self):
        self.admin("DELETE")


class Keycloak:
    """`tls`: files of a certificate and its key, to be served by https at tls_port as well.

    `home`: the folder of an unpacked Keycloak, of 22 or later; KEYCLOAK_HOME when it is not told.
    """

    def __init__(self, folder, port=None, home=None, tls=None):
        self.home = Path(home or os.environ.get("KEYCLOAK_HOME", ""))
        if not (self.home / "bin" / "kc.sh").is_file():
            raise Failure("KEYCLOAK_HOME does not name an unpacked Keycloak; "
                          "test/support/shell/keycloak.sh (keycloak_fetch) fetches one")
        self.version = int(re.search(r"\d+", (self.home / "version.txt").read_text(encoding="utf-8")).group())
        self.port = port or free_port()
        self.url = f"http://localhost:{self.port}"
        self.folder = Path(folder)
        self.tls, self.tls_port = tls, free_port() if tls else None
        self.admin_password = secrets.token_urlsafe(24)
        self._token = None
        self.child = None

    def start(self):
        """Starts the server with an empty in-memory database; ready() says when it answers."""
        env = {key: value for key, value in os.environ.items()
               if not key.startswith(("KC_", "JAVA_OPTS"))}
        user, password = ADMINISTRATOR if self.version >= 26 else ADMINISTRATOR_BEFORE_26
        # What keycloak.sh says of Java 21 holds for the running server, too.
        old = " -Dnet.bytebuddy.experimental=true" if self.version < 24 else ""
        env.update({
            user: "admin",
            password: self.admin_password,
            "JAVA_OPTS_KC_HEAP": "-Xms64m -Xmx512m",
            "JAVA_OPTS_APPEND": "-XX:-UseG1GC -XX:-UseParallelGC -XX:+UseSerialGC -XX:TieredStopAtLevel=1" + old,
        })
        hostname = "hostname" if self.version >= 25 else "hostname-url"
        tls = [f"--https-port={self.tls_port}", f"--https-certificate-file={self.tls[0]}",
               f"--https-certificate-key-file={self.tls[1]}"] if self.tls else []
        # A line for each request, with the trace that it belongs to.
        access = ["--http-access-log-enabled=true",
                  "--http-access-log-pattern=%m %U %s traceparent=%{i,traceparent}"] if self.version >= 26 else []
        cache = ["--cache=local"] if self.version >= 24 else []  # before, keycloak.sh has built it so
        self.child = Child("Keycloak", [
            self.home / "bin" / "kc.sh", "start", "--optimized", *cache,
            "--http-enabled=true", "--http-host=127.0.0.1", f"--http-port={self.port}",
            f"--{hostname}={self.url}", *access, *tls], self.folder / "keycloak.log", env)

    def answers(self):
        try:
            return self._send("GET", "/realms/master")[0] == 200
        except OSError:
            return False

    def ready(self, seconds=SECONDS_TO_START):
        wait_for(self.answers, seconds, "Keycloak starts", self.child)

    @contextmanager
    def running(self):
        """Started and ready, and stopped at the end."""
        try:
            self.start()
            self.ready()
            yield self
        finally:
            self.stop()

    def stop(self):
        if self.child:
            # Its data are in memory only: nothing is lost by not waiting long.
            self.child.stop(3)
            self.child = None

    def _send(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def token(self):
        body = urlencode({"grant_type": "password", "client_id": "admin-cli",
                          "username": "admin", "password": self.admin_password})
        status, answer = self._send("POST", "/realms/master/protocol/openid-connect/token", body,
                                    {"Content-Type": "application/x-www-form-urlencoded"})
        if status != 200:
            raise Failure(f"Keycloak gives no token to its administrator ({status})")
        return json.loads(answer)["access_token"]

    def admin(self, method, path, body=None):
        """One call of the admin API, below /admin/realms; the answer's JSON, or None."""
        for _ in range(2):
            self._token = self._token or self.token()
            headers = {"Authorization": "Bearer " + self._token, "Content-Type": "application/json"}
            text = json.dumps(body) if body is not None else None
            status, answer = self._send(method, "/admin/realms" + path, text, headers)
            if status != 401:
                break
            self._token = None
        if status >= 300:
            raise Failure(f"Keycloak's admin API: {method} {urlsplit(path).path}: "
                          f"{status} {answer[:300].decode('utf-8', 'replace')}")
        return json.loads(answer) if answer else None

    def realm(self, name, public_url, change=None):
        """A new realm from the realm file, after a function has had its say."""
        representation = realm_from_file(name, public_url, secrets.token_urlsafe(32))
        if change:
            change(representation)
        return Realm(self, representation)
