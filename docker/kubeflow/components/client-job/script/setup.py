#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what Kubeflow needs in a Keycloak that is there (client, mappers, users), and writes the client's secret into a
Kubernetes Secret. What is right already is left alone, so it may run again at any time. No secret is ever printed."""

import base64
import http.client
import json
import os
import secrets
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
ANSWER_MAX = 16 * 1024 * 1024


class Trouble(Exception):
    """A fault that an administrator can fix; its text is the only line that is printed."""


def say(line):
    print(line, flush=True)


def setting(name, default=None):
    """A setting from the environment, where empty counts as not set; without a default it must be there."""
    value = os.environ.get(name, "").strip()
    if value:
        return value
    if default is None:
        raise Trouble(f"{name} is missing")
    return default


def words(text):
    return text.replace(",", " ").split()


def read(path):
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Trouble(f"{path} cannot be read: {error}") from error


class Server:
    """JSON over HTTP to one server. It follows no redirects, so that nothing is sent to another server."""

    def __init__(self, name, url, ca_file=""):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise Trouble(f"the address of {name} must be a URL such as https://host.example.com")
        self.name, self.parts, self.bearer = name, parts, ""
        self.context = None
        if parts.scheme == "https":
            try:
                self.context = ssl.create_default_context(cafile=ca_file or None)
            except OSError as error:
                raise Trouble(f"{ca_file} holds no certificates: {error}") from error

    def _connect(self):
        if self.context:
            return http.client.HTTPSConnection(self.parts.hostname, self.parts.port, timeout=30, context=self.context)
        return http.client.HTTPConnection(self.parts.hostname, self.parts.port, timeout=30)

    def send(self, method, path, body=None, form=None, kind="application/json"):
        """One exchange; returns the status and the answer, parsed if it is JSON. OSError when there is no answer."""
        headers = {"Accept": "application/json"}
        if self.bearer:
            headers["Authorization"] = "Bearer " + self.bearer
        data = None
        if form is not None:
            data, headers["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body), kind
        connection = self._connect()
        try:
            connection.request(method, self.parts.path.rstrip("/") + path, data, headers)
            answer = connection.getresponse()
            text = answer.read(ANSWER_MAX)
        except http.client.HTTPException as error:
            raise OSError(f"no HTTP: {type(error).__name__}") from error
        finally:
            connection.close()
        try:
            return answer.status, json.loads(text) if text else None
        except ValueError:
            return answer.status, None

    def call(self, method, path, body=None, missing=False):
        """Like send, for requests that must succeed; None for 404 where `missing` allows it."""
        try:
            status, answer = self.send(method, path, body)
        except OSError as error:
            raise Trouble(f"{self.name} does not answer: {error}") from error
        if status == 404 and missing:
            return None
        if status == 403:
            raise Trouble(f"{self.name} does not let this account {method} {path.split('?')[0]} (403)")
        if not 200 <= status < 300:
            raise Trouble(f"{self.name} answers {method} {path.split('?')[0]} with {status}")
        return answer


# ---------------- Wanted state

def keycloak_and_realm():
    """Keycloak's address for this pod, and the realm's name."""
    issuer = setting("OIDC_PROVIDER").rstrip("/")
    base, found, realm = issuer.partition("/realms/")
    if not found or not realm or "/" in realm:
        raise Trouble("OIDC_PROVIDER must be a realm's address, such as https://keycloak.example.com/realms/kubeflow")
    # As the judge has it: another origin for the same addresses, or, with a path, Keycloak's root there or the issuer.
    inside = setting("BACKCHANNEL_URL", "").rstrip("/")
    path = urlsplit(inside).path
    if not inside:
        return base, realm
    return (inside.partition("/realms/")[0].rstrip("/") if path else inside + urlsplit(base).path), realm


class Wanted:
    """The settings, the same ones that the judge has, and what follows from them."""

    def __init__(self):
        self.keycloak, self.realm = keycloak_and_realm()
        self.client = setting("CLIENT_ID")
        self.redirects = words(setting("REDIRECT_URL"))
        for url in self.redirects:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or "*" in url or parts.fragment:
                raise Trouble("REDIRECT_URL must be a whole URL without *, "
                              "such as https://kubeflow.example.com/authservice/oidc/callback")
        first = urlsplit(self.redirects[0])
        self.origin = f"{first.scheme}://{first.netloc}"
        prefix = setting("AUTHSERVICE_URL_PREFIX", "/authservice/").strip("/")
        self.logout = setting("BACKCHANNEL_LOGOUT_URL", f"{self.origin}/{prefix}/backchannel-logout")
        self.groups_claim = setting("GROUPS_CLAIM", "groups")
        self.secret = setting("SECRET_NAME", "mod-auth-keycloak")

    def representation(self):
        """The client's wanted members; others are not changed."""
        return {
            "clientId": self.client,
            "enabled": True,
            "protocol": "openid-connect",
            "publicClient": False,
            "bearerOnly": False,
            "clientAuthenticatorType": "client-secret",
            "standardFlowEnabled": True,
            "implicitFlowEnabled": False,
            "directAccessGrantsEnabled": False,
            "serviceAccountsEnabled": False,
            "rootUrl": self.origin,
            "baseUrl": "/",
            "redirectUris": sorted(self.redirects),
            "webOrigins": [],
            "frontchannelLogout": False,
            "attributes": {
                "pkce.code.challenge.method": "S256",
                "backchannel.logout.url": self.logout,
                "backchannel.logout.session.required": "true",
                "post.logout.redirect.uris": "+",
            },
        }

    def mappers(self):
        """Groups for the judge; the client as audience of access tokens, which programs send as bearer tokens."""
        return [
            {
                "name": "groups",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-group-membership-mapper",
                "config": {"claim.name": self.groups_claim, "full.path": "true", "id.token.claim": "true",
                           "access.token.claim": "true", "userinfo.token.claim": "true"},
            },
            {
                "name": "audience",
                "protocol": "openid-connect",
                "protocolMapper": "oidc-audience-mapper",
                "config": {"included.client.audience": self.client, "id.token.claim": "false",
                           "access.token.claim": "true"},
            },
        ]


def differences(wanted, found, path=""):
    """Names of the members that differ from the wanted ones."""
    result = []
    for key, value in wanted.items():
        have = found.get(key)
        if isinstance(value, dict):
            result += differences(value, have or {}, path + key + ".")
        elif isinstance(value, list):
            if sorted(have or []) != sorted(value):
                result.append(path + key)
        elif have != value:
            result.append(path + key)
    return result


def merged(wanted, found):
    """The present state, with the wanted members set."""
    result = dict(found)
    for key, value in wanted.items():
        result[key] = merged(value, found.get(key) or {}) if isinstance(value, dict) else value
    return result


# ---------------- Keycloak

class Realm:
    """The realm by its admin API."""

    def __init__(self, wanted, folder):
        self.server = Server("Keycloak", wanted.keycloak, setting("CA_BUNDLE", ""))
        self.path = "/admin/realms/" + quote(wanted.realm, safe="")
        self.name = wanted.realm
        self.folder = folder
        self.signed_in = 0.0
        if self.server.parts.scheme == "http":
            say("warning: http to Keycloak: everybody on the way there can read the administrator's password")

    def sign_in(self, seconds):
        """Gets an administrator's token; waits that long for Keycloak to answer at all."""
        form, who = self._credentials()
        path = f"/realms/{quote(setting('ADMIN_REALM', 'master'), safe='')}/protocol/openid-connect/token"
        deadline = time.monotonic() + seconds
        while True:
            try:
                status, answer = self.server.send("POST", path, form=form)
                problem = f"answers with {status}"
            except ssl.SSLCertVerificationError as error:
                raise Trouble(f"Keycloak's certificate is not believed ({error.verify_message}): "
                              "CA_BUNDLE names a file with its authority") from error
            except OSError as error:
                status, answer, problem = 0, None, f"does not answer: {error}"
            if status == 200 and isinstance(answer, dict) and answer.get("access_token"):
                self.server.bearer, self.signed_in = answer["access_token"], time.monotonic()
                return
            if status in (400, 401):
                raise Trouble(f"Keycloak does not accept {who}: name or secret is wrong (Secret keycloak-admin), or it is none of "
                              f"the realm {setting('ADMIN_REALM', 'master')} (ADMIN_REALM)")
            if status == 404:
                raise Trouble("Keycloak has no realm for administrators at this address: "
                              "see OIDC_PROVIDER, BACKCHANNEL_URL, ADMIN_REALM")
            if time.monotonic() > deadline:
                raise Trouble(f"Keycloak {problem}")
            time.sleep(1)

    def _credentials(self):
        client, secret = read(self.folder / "client-id"), read(self.folder / "client-secret")
        if client and secret:
            return {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}, f"client {client}"
        user, password = read(self.folder / "username"), read(self.folder / "password")
        if user and password:
            return ({"grant_type": "password", "client_id": "admin-cli", "username": user, "password": password},
                    f"user {user}")
        raise Trouble(f"{self.folder} has neither username and password nor client-id and client-secret")

    def call(self, method, path="", body=None, missing=False):
        # An administrator's token lives for a minute.
        if time.monotonic() - self.signed_in > 30:
            self.sign_in(0)
        return self.server.call(method, self.path + path, body, missing)

    def put_client(self, wanted):
        """Makes or corrects the client; returns its id at Keycloak."""
        want = wanted.representation()
        found = self._client(wanted)
        if not found:
            self.call("POST", "/clients", want)
            found = self._client(wanted)
            if not found:
                raise Trouble(f"Keycloak does not show the client {wanted.client} that it made")
            say(f"client {wanted.client}: made")
        changes = differences(want, found)
        if changes:
            self.call("PUT", "/clients/" + found["id"], merged(want, found))
            say(f"client {wanted.client}: mended {', '.join(changes)}")
        else:
            say(f"client {wanted.client}: as it should be")
        return found["id"]

    def _client(self, wanted):
        found = self.call("GET", "/clients?clientId=" + quote(wanted.client, safe=""), missing=True)
        if found is None:
            raise Trouble(f"Keycloak has no realm {self.name}")
        return found[0] if found else None

    def put_mappers(self, client, wanted):
        path = f"/clients/{client}/protocol-mappers/models"
        have = {mapper["name"]: mapper for mapper in self.call("GET", path)}
        for mapper in wanted.mappers():
            found = have.get(mapper["name"])
            if found and found["protocolMapper"] != mapper["protocolMapper"]:
                raise Trouble(f"the client's mapper {mapper['name']} is of another kind: rename or remove it")
            changes = differences(mapper, found) if found else []
            if not found:
                self.call("POST", path, mapper)
            elif changes:
                self.call("PUT", f"{path}/{found['id']}", merged(mapper, found))
            state = f"mended {', '.join(changes)}" if changes else "as it should be" if found else "made"
            say(f"mapper {mapper['name']}: {state}")

    def client_secret(self, client):
        found = (self.call("GET", f"/clients/{client}/client-secret") or {}).get("value")
        if not found:
            found = (self.call("POST", f"/clients/{client}/client-secret") or {}).get("value")
        if not found:
            raise Trouble("Keycloak gives no secret for the client")
        return found

    # -------- Users

    def put_group(self, path, known):
        """The id of a group by its path; the groups on the way are made where they are missing."""
        if path in known:
            return known[path]
        found = self.call("GET", "/group-by-path/" + quote(path.lstrip("/")), missing=True)
        if found is None:
            parent, _, name = path.rpartition("/")
            if parent:
                self.call("POST", f"/groups/{self.put_group(parent, known)}/children", {"name": name})
            else:
                self.call("POST", "/groups", {"name": name})
            found = self.call("GET", "/group-by-path/" + quote(path.lstrip("/")))
            say(f"group {path}: made")
        known[path] = found["id"]
        return found["id"]

    def put_user(self, user, known):
        """Makes a missing user; an existing one only gets missing groups."""
        name = user["username"]
        where = "/users?exact=true&username=" + quote(name, safe="")
        found = self.call("GET", where)
        if not found:
            self.call("POST", "/users", {
                "username": name, "email": user["email"], "emailVerified": True, "enabled": True,
                "firstName": user.get("firstName", ""), "lastName": user.get("lastName", ""),
                **({"credentials": [{"type": "password", "value": user["password"],
                                     "temporary": user.get("temporary", True)}]} if user.get("password") else {})})
            found = self.call("GET", where)
            say(f"user {name}: made")
        else:
            say(f"user {name}: is there")
        path = f"/users/{found[0]['id']}/groups"
        have = {group["path"] for group in self.call("GET", path)}
        for group in user.get("groups", []):
            group = "/" + group.strip("/")
            if group not in have:
                self.call("PUT", f"{path}/{self.put_group(group, known)}")
                say(f"user {name}: joined {group}")


def read_users(path):
    """The list of users, or none where there is no file."""
    text = read(path)
    if not text:
        return []
    try:
        users = json.loads(text)
    except ValueError as error:
        raise Trouble(f"{path} is no JSON") from error
    if not isinstance(users, list):
        raise Trouble(f"{path} must be a list")
    for number, user in enumerate(users, 1):
        if not isinstance(user, dict) or not all(isinstance(user.get(key), str) and user[key]
                                                 for key in ("username", "email")):
            raise Trouble(f"{path}: user {number} has no username or no email")
        groups = user.get("groups", [])
        if not isinstance(groups, list) or not all(isinstance(group, str) and group.strip("/") for group in groups):
            raise Trouble(f"{path}: groups of user {number} must be a list of names")
    return users


# ---------------- Kubernetes

class Kubernetes:
    """The one Secret, by the API and the pod's own account."""

    def __init__(self, account):
        host = setting("KUBERNETES_SERVICE_HOST")
        host = f"[{host}]" if ":" in host else host
        self.namespace = setting("NAMESPACE", read(account / "namespace"))
        self.server = Server("Kubernetes", f"https://{host}:{setting('KUBERNETES_SERVICE_PORT', '443')}",
                             str(account / "ca.crt"))
        self.server.bearer = read(account / "token")

    def read_secret(self, name):
        """Address and present values of the Secret."""
        path = f"/api/v1/namespaces/{quote(self.namespace, safe='')}/secrets/{quote(name, safe='')}"
        found = self.server.call("GET", path, missing=True)
        if found is None:
            raise Trouble(f"namespace {self.namespace} has no Secret {name}: apply client-job's manifests, "
                          "this account may not make one")
        return path, found.get("data") or {}

    def put_secret(self, name, values, kept):
        """`values` are to be in the Secret; of `kept` a value is made for what is not there yet."""
        path, have = self.read_secret(name)
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        for key in kept:
            if not have.get(key):
                data[key] = base64.b64encode(secrets.token_urlsafe(48).encode()).decode()
        changes = {key: value for key, value in data.items() if have.get(key) != value}
        if not changes:
            say(f"Secret {self.namespace}/{name}: as it should be")
            return
        self._patch(path, {"data": changes})
        say(f"Secret {self.namespace}/{name}: wrote {', '.join(sorted(changes))}")
        if "client-secret" in changes and have.get("client-secret"):
            say("the judges that run have the old secret: kubectl rollout restart them")

    def _patch(self, path, body):
        try:
            status, _ = self.server.send("PATCH", path, body, kind="application/merge-patch+json")
        except OSError as error:
            raise Trouble(f"Kubernetes does not answer: {error}") from error
        if status != 200:
            raise Trouble(f"Kubernetes answers the change of the Secret with {status}")


def work():
    wanted = Wanted()
    users = read_users(setting("USERS_FILE", "/etc/keycloak-users/users.json"))
    # Asked first: a secret that cannot be written need not be made.
    kubernetes = Kubernetes(Path(setting("ACCOUNT_FOLDER", ACCOUNT)))
    kubernetes.read_secret(wanted.secret)
    realm = Realm(wanted, Path(setting("ADMIN_FOLDER", "/etc/keycloak-admin")))
    try:
        seconds = int(setting("WAIT_SECONDS", "300"))
    except ValueError as error:
        raise Trouble("WAIT_SECONDS must be a number") from error
    realm.sign_in(seconds)
    client = realm.put_client(wanted)
    realm.put_mappers(client, wanted)
    known = {}
    for user in users:
        realm.put_user(user, known)
    kubernetes.put_secret(wanted.secret, {"client-secret": realm.client_secret(client)}, ["crypto-key"])
    return 0


def main():
    try:
        return work()
    except Trouble as trouble:
        print(f"client-job: {trouble}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
