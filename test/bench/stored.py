# SPDX-License-Identifier: Apache-2.0
"""Sessions in memcached: made by the seeding tool, and measured."""

import base64
import json
import os
import subprocess
import time
import uuid

from servers import Browser  # puts test/support/python on the path

from process import Failure

SEEDED = 1000  # sessions whose bytes in memcached are averaged
SEED_LIMIT = 600  # seconds
COOKIE_LINE = 44  # bytes


class Cookies:
    """The file of the sessions' cookies."""

    def __init__(self, path):
        self.path = path

    def last_cookie(self):
        with open(self.path, "rb") as file:
            file.seek(-COOKIE_LINE, os.SEEK_END)
            return f"keycloak_session={file.read().decode().strip()}"


def seed(room, variant, count, tokens=None):
    """Makes sessions with the settings of a variant."""
    folder = room.make(f"seed-{count}-{time.monotonic_ns()}")
    (folder / "httpd.conf").write_text(variant.auth, encoding="utf-8")
    argv = [room.seed, folder / "httpd.conf", str(count), folder / "cookies"]
    if tokens:
        (folder / "tokens").write_text("\n".join(tokens) + "\n", encoding="ascii")
        argv.append(folder / "tokens")
    try:
        subprocess.run(argv, check=True, timeout=SEED_LIMIT)
    except (OSError, subprocess.SubprocessError) as error:
        raise Failure(f"the seeding tool failed: {error}") from error
    return Cookies(folder / "cookies")


def signed_in(proxy):
    """The value that one sign-in leaves in memcached: the largest of the new ones."""
    store = proxy.variant.store
    before = set(store.keys())
    if Browser().get(proxy.url).status != 200:
        raise Failure(f"{proxy.name}: a second sign-in failed")
    new = {key: len(value) for key, value in store.dump().items() if key not in before}
    return {proxy.variant.key: {"value": max(new.values()), "items": len(new)}}


def seeded(room, variant):
    """Sealed values of sessions without tokens and with a Keycloak realm's three, and what memcached
    uses for one, its own bookkeeping included."""
    found = {}
    for name, tokens in (("no tokens", None), ("three tokens", keycloak_tokens())):
        store = variant.store
        used, keys = store.statistic("bytes"), set(store.keys())
        seed(room, variant, SEEDED, tokens)
        used = store.statistic("bytes") - used
        lengths = [len(value) for key, value in store.dump().items() if key not in keys]
        found[name] = {"value": max(lengths), "items": 1, "in_memcached": round(used / SEEDED)}
        if tokens:
            found[name]["of_tokens"] = sum(map(len, tokens))
    return found


def _part(data):
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def keycloak_tokens():
    """ID, access and refresh token as a default realm of Keycloak 26 makes them: its claims, fresh ids
    and signatures of the right length, which nobody checks here."""
    now, issuer, sid = int(time.time()), "https://keycloak.example.com/realms/kubeflow", str(uuid.uuid4())
    subject = str(uuid.uuid4())
    common = {"exp": now + 300, "iat": now, "auth_time": now, "jti": str(uuid.uuid4()), "iss": issuer}
    person = {"email_verified": True, "name": "Alice Example", "preferred_username": "alice",
              "given_name": "Alice", "family_name": "Example", "email": "alice@example.com"}
    id_token = {**common, "aud": "app", "sub": subject, "typ": "ID", "azp": "app",
                "nonce": _part(os.urandom(32)), "sid": sid, "at_hash": _part(os.urandom(16)), "acr": "1", **person}
    access = {**common, "jti": f"onrtac:{uuid.uuid4()}", "aud": "account", "sub": subject, "typ": "Bearer",
              "azp": "app", "sid": sid, "acr": "1", "allowed-origins": ["https://kubeflow.example.com"],
              "realm_access": {"roles": ["default-roles-kubeflow", "offline_access", "uma_authorization"]},
              "resource_access": {"account": {"roles": ["manage-account", "manage-account-links", "view-profile"]}},
              "scope": "openid profile email", **person}
    refresh = {**common, "exp": now + 1800, "aud": issuer, "sub": subject, "typ": "Refresh", "azp": "app",
               "sid": sid, "scope": "openid web-origins service_account acr roles profile basic email"}
    kid = _part(os.urandom(32))
    signed = [({"alg": "RS256", "typ": "JWT", "kid": kid}, id_token, 256),
              ({"alg": "RS256", "typ": "JWT", "kid": kid}, access, 256),
              ({"alg": "HS512", "typ": "JWT", "kid": str(uuid.uuid4())}, refresh, 64)]
    return [".".join((_part(header), _part(payload), _part(os.urandom(size)))) for header, payload, size in signed]
