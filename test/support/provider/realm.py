# SPDX-License-Identifier: Apache-2.0
"""One realm of the fake provider: its settings, keys, codes and the tokens that it issues, valid or faulty."""

import base64
import copy
import hashlib
import json
import os
import threading
import time
from collections import Counter
from urllib.parse import unquote_plus

from jwcrypto import jwa, jwe, jwk, jws, jwt

# What a realm is until a test changes it. Control requests replace these members whole, but for
# those in MERGED, whose own members are replaced one by one.
DEFAULTS = {
    "client": {"id": "app", "secret": "canary-client-secret-5d1e", "auth": "client_secret_basic", "key": None,
               "pkce": True},  # whether a sign-in without PKCE is refused
    "user": {
        "sub": "5b0a2c1e-0000-4000-8000-000000000001",
        "email": "alice@example.com",
        "email_verified": True,
        "preferred_username": "alice",
        "name": "Alice Example",
        "groups": ["/team-a", "/team-b/lead"],
        "realm_access": {"roles": ["user", "offline_access"]},
        "resource_access": {"app": {"roles": ["editor"]}, "other": {"roles": ["viewer"]}},
    },
    "lifetime": 300,
    "key_type": "RSA",
    "id_token": {},          # changes to each ID token, see ID_TOKEN_CHANGES
    "access_token": {},      # the same changes to each access token
    "token_response": {},    # {"set": {}, "delete": []} on the token endpoint's answer
    "userinfo": {},          # the same on the userinfo answer
    "discovery": {},         # the same on the discovery document, or {"shape": name}
    "certs": {},             # {"shape": name, "with": [key names]}
    "faults": {},            # endpoint -> {"kind": name, ...}, see faults.py
    "rotate_at_token": False,
    "keeps_users": False,    # whether renewed tokens are the user's of the sign-in, else of the user that is set now
    "callback": {},          # {"set": {}, "delete": []} on the parameters sent back to the client
    # The person's session here, whose password was asked for so many seconds ago (None: there is none);
    # the classes (acr) that a sign-in can have, the first one unasked; whether max_age, acr_values and
    # prompt are heeded.
    "sso": {"age": 0, "classes": ["1"], "heeds": True},
}
MERGED = ("client", "user", "sso")


# ---- keys ------------------------------------------------------------------------------------------

class KeyPool:
    """RSA keys cost a quarter of a second each, so realms share the material and name it differently."""

    def __init__(self, size):
        self.lock = threading.Lock()
        self.size = size
        self.made = {}

    def fill(self):
        """Makes what will be wanted, so that no request waits for it."""
        for kind in KEY_KINDS:
            for index in range(self.size if kind == "RSA" else 1):
                self.get(kind, index)

    def get(self, kind, index=0):
        slot = (kind, index % self.size if kind == "RSA" else 0)
        with self.lock:
            if slot not in self.made:
                self.made[slot] = KEY_KINDS[kind]()
            return self.made[slot]


KEY_KINDS = {
    "RSA": lambda: jwk.JWK.generate(kty="RSA", size=2048),
    "EC": lambda: jwk.JWK.generate(kty="EC", crv="P-256"),
    "small": lambda: jwk.JWK.generate(kty="RSA", size=1024),
    "other": lambda: jwk.JWK.generate(kty="RSA", size=2048),
    "encryption": lambda: jwk.JWK.generate(kty="RSA", size=2048),
}
DEFAULT_ALGORITHM = {"RSA": "RS256", "EC": "ES256"}
POOL = KeyPool(4)


def b64u(data):
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64u_decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def with_kid(key, kid, **members):
    """A copy of a key under another name."""
    parts = key.export(as_dict=True)
    parts.update(kid=kid, **members)
    return jwk.JWK(**parts)


def secret_key(secret):
    return jwk.JWK(kty="oct", k=b64u(secret))


# Keys that an ID token may be told to be signed with: {"key": name}.
SIGNING_KEYS = {
    "current": lambda realm: realm.signing,
    "previous": lambda realm: realm.retired[-1],
    "other": lambda realm: with_kid(POOL.get("other"), realm.signing["kid"]),
    "small": lambda realm: with_kid(POOL.get("small"), "small"),
    "ec": lambda realm: with_kid(POOL.get("EC"), "ec"),
    "client_secret": lambda realm: secret_key(realm.settings["client"]["secret"]),
    "rsa_public_pem": lambda realm: secret_key(realm.signing.export_to_pem()),
    "rsa_public_jwk": lambda realm: secret_key(realm.signing.export_public()),
    "empty_secret": lambda realm: secret_key("\0"),
}


# ---- key sets: {"certs": {"shape": name}} --------------------------------------------------------------

def _public(realm):
    return [dict(key.export_public(as_dict=True), use="sig", alg=DEFAULT_ALGORITHM.get(key["kty"], "RS256"))
            for key in realm.published]


def _each(realm, change):
    return {"keys": [change(dict(key)) for key in _public(realm)]}


def _without(key, *names):
    return {name: value for name, value in key.items() if name not in names}


def _two_without_kid(realm):
    other = dict(POOL.get("other").export_public(as_dict=True), use="sig", alg="RS256")
    return {"keys": [_without(other, "kid")] + [_without(key, "kid") for key in _public(realm)]}


def _duplicate_kid(realm):
    other = dict(POOL.get("other").export_public(as_dict=True), use="sig", alg="RS256",
                 kid=realm.signing["kid"])
    return {"keys": [other] + _public(realm)}


def _same_twice(realm):
    return {"keys": _public(realm) + [_without(key, "use", "alg") for key in _public(realm)] + [7]}


def _many(realm):
    other = _without(POOL.get("other").export_public(as_dict=True), "kid")
    return {"keys": [dict(other, kid="many-%d" % number) for number in range(500)] + _public(realm)}


def _private_members(realm):
    return {"keys": [dict(key.export_private(as_dict=True), use="sig", alg="RS256") for key in realm.published]}


def _beside_others(realm):
    """A sound key among keys for other purposes, broken ones and ones of unknown kinds."""
    other = dict(POOL.get("other").export_public(as_dict=True), alg="RS256")
    return {"keys": [
        {"kty": "XYZ", "kid": "x", "use": "sig"}, {"kid": "nothing"}, {"kty": "RSA", "kid": "halves", "e": "AQAB"},
        {"kty": "RSA", "kid": "odd", "n": "*", "e": "AQAB"}, dict(other, kid="enc", use="enc"),
        dict(other, kid="ops", key_ops=["encrypt"]),
        dict(secret_key("x" * 32).export(as_dict=True), kid="oct", alg="HS256", use="sig"),
    ] + _public(realm)}


def _as_oct(realm):
    """The signing key's name on a symmetric key that the test knows."""
    return {"keys": [dict(secret_key(realm.settings["client"]["secret"]).export(as_dict=True),
                          kid=realm.signing["kid"], alg="HS256", use="sig")]}


KEY_SETS = {
    "plain": lambda realm: {"keys": _public(realm)},
    "empty": lambda realm: {"keys": []},
    "no_keys_member": lambda realm: {},
    "no_kid": lambda realm: _each(realm, lambda key: _without(key, "kid")),
    "two_no_kid": _two_without_kid,
    "duplicate_kid": _duplicate_kid,
    "same_twice": _same_twice,
    "use_enc": lambda realm: _each(realm, lambda key: dict(key, use="enc")),
    "wrong_key_ops": lambda realm: _each(realm, lambda key: dict(_without(key, "use"), key_ops=["encrypt"])),
    "oct": _as_oct,
    "private_members": _private_members,
    "five_hundred": _many,
    "one_mebibyte": lambda realm: {"padding": "x" * (1 << 20), "keys": _public(realm)},
    "other_alg": lambda realm: _each(realm, lambda key: dict(key, alg="RS512")),
    "beside_others": _beside_others,
    "no_alg": lambda realm: _each(realm, lambda key: _without(key, "alg")),
}


# ---- ID tokens -------------------------------------------------------------------------------------------

def _last_bit(segment):
    """The same bytes spelled otherwise: a bit that base64url does not use is set in the last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return segment[:-1] + alphabet[alphabet.index(segment[-1]) | 1]


def _standard_alphabet(segment):
    return segment.replace("-", "+").replace("_", "/")


def _flip(segment):
    data = bytearray(b64u_decode(segment))
    data[0] ^= 1
    return b64u(bytes(data))


def _der(segment):
    """An ECDSA signature in the ASN.1 form that JOSE does not use."""
    raw = b64u_decode(segment)
    parts = b""
    for half in (raw[:len(raw) // 2], raw[len(raw) // 2:]):
        half = half.lstrip(b"\0") or b"\0"
        if half[0] & 0x80:
            half = b"\0" + half
        parts += b"\x02" + bytes([len(half)]) + half
    return b64u(b"\x30" + bytes([len(parts)]) + parts)


def _encrypted(header, payload, signature):
    token = jwe.JWE((header + "." + payload + "." + signature).encode(),
                    json.dumps({"alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT"}))
    token.add_recipient(POOL.get("encryption"))
    return token.serialize(compact=True)


# What may be done to the finished token: {"shape": name}; h, p, s are its segments.
SHAPES = {
    "flipped_signature": lambda h, p, s: f"{h}.{p}.{_flip(s)}",
    "flipped_payload": lambda h, p, s: f"{h}.{_flip(p)}.{s}",
    "no_signature": lambda h, p, s: f"{h}.{p}.",
    "truncated_signature": lambda h, p, s: f"{h}.{p}.{s[:-4]}",
    "padded_header": lambda h, p, s: f"{h}{'=' * (-len(h) % 4) or '===='}.{p}.{s}",
    "padded_payload": lambda h, p, s: f"{h}.{p}{'=' * (-len(p) % 4) or '===='}.{s}",
    "padded_signature": lambda h, p, s: f"{h}.{p}.{s}{'=' * (-len(s) % 4) or '===='}",
    "noncanonical_signature": lambda h, p, s: f"{h}.{p}.{_last_bit(s)}",
    "standard_alphabet": lambda h, p, s: f"{h}.{p}.{_standard_alphabet(s)}",
    "space_inside": lambda h, p, s: f"{h}.{p[:8]} {p[8:]}.{s}",
    "newline_at_end": lambda h, p, s: f"{h}.{p}.{s}\n",
    "two_segments": lambda h, p, s: f"{h}.{p}",
    "four_segments": lambda h, p, s: f"{h}.{p}.{s}.{s}",
    "five_segments": lambda h, p, s: f"{h}.{p}.{s}.{s}.{s}",
    "empty_header": lambda h, p, s: f".{p}.{s}",
    "empty_payload": lambda h, p, s: f"{h}..{s}",
    "only_dots": lambda h, p, s: "..",
    "empty": lambda h, p, s: "",
    "zero_signature": lambda h, p, s: f"{h}.{p}.{b64u(bytes(64))}",
    "der_signature": lambda h, p, s: f"{h}.{p}.{_der(s)}",
    "encrypted": _encrypted,
}


def signature_of(algorithm, key, signing_input):
    return jwa.JWA.signing_alg(algorithm).sign(key, signing_input)


# The members of {"id_token": {...}}, for whoever writes a test.
ID_TOKEN_CHANGES = {
    "set": "claims to add or replace",
    "delete": "claims to leave out",
    "offset": "claims that become this many seconds from now",
    "nonce_of": "take the nonce in this form: array, other, prefix",
    "append": "raw text put before the payload's closing brace, for duplicate members and the like",
    "payload": "the whole payload as raw text",
    "header": "header members to add or replace",
    "header_delete": "header members to leave out",
    "header_append": "raw text put before the header's closing brace",
    "alg": "the algorithm that really signs, or none for an empty signature",
    "key": "a name in SIGNING_KEYS",
    "shape": "a name in SHAPES",
    "spelling": "how the signed segments are written: {header or payload: a name in SPELLINGS}",
}

# Ways to write a segment that decode to the same text. The signature covers what was written, so
# nothing but the spelling is wrong.
SPELLINGS = {
    "padded": lambda text: base64.urlsafe_b64encode(_with_rest(text)).decode(),
    "last_bit": lambda text: _last_bit(b64u(_with_rest(text))),
    "newline": lambda text: b64u(text) + "\n",
    "space": lambda text: b64u(text)[:8] + " " + b64u(text)[8:],
}


def _with_rest(text):
    """Text lengthened by spaces until base64 of it leaves bits over."""
    data = text.encode()
    while len(data) % 3 == 0 or _last_bit(b64u(data)) == b64u(data):
        data += b" "
    return data


NONCE_FORMS = {
    "array": lambda nonce: [nonce],
    "other": lambda nonce: ("y" if (nonce or "").startswith("x") else "x") + (nonce or "")[1:],
    "prefix": lambda nonce: (nonce or "")[:-1],
}


def with_appended(text, raw):
    return text[:-1] + ("," if len(text) > 2 else "") + raw + "}" if raw else text


def id_token(realm, claims, change):
    """A signed ID token from claims, with the changes that a test asked for."""
    claims = dict(claims)
    for name in change.get("delete", ()):
        claims.pop(name, None)
    claims.update(realm.fill(change.get("set", {})))
    for name, seconds in change.get("offset", {}).items():
        claims[name] = int(time.time()) + seconds
    if "nonce_of" in change:
        claims["nonce"] = NONCE_FORMS[change["nonce_of"]](claims.get("nonce"))
    payload = change.get("payload") or with_appended(json.dumps(claims), realm.fill(change.get("append", "")))

    key = SIGNING_KEYS[change.get("key", "current")](realm)
    algorithm = change.get("alg") or DEFAULT_ALGORITHM.get(key["kty"], "HS256")
    header = {"alg": algorithm, "typ": "JWT", "kid": key.get("kid") or realm.signing["kid"]}
    header.update(realm.fill(change.get("header", {})))
    for name in change.get("header_delete", ()):
        header.pop(name, None)
    header = with_appended(json.dumps(header), realm.fill(change.get("header_append", "")))

    spelling = change.get("spelling", {})
    first = SPELLINGS.get(spelling.get("header"), b64u)(header)
    second = SPELLINGS.get(spelling.get("payload"), b64u)(payload)
    signature = b"" if algorithm == "none" else signature_of(algorithm, key, f"{first}.{second}".encode())
    if "shape" in change:
        return SHAPES[change["shape"]](first, second, b64u(signature))
    return f"{first}.{second}.{b64u(signature)}"


# ---- discovery documents: {"discovery": {"shape": name}} ---------------------------------------------------

DOCUMENTS = {
    "nested": lambda text: with_appended(text, '"extra":' + "[" * 40 + "]" * 40).encode(),
    "duplicate_member": lambda text: with_appended(text, '"issuer":"http://127.0.0.1:1/"').encode(),
    "bad_utf8": lambda text: with_appended(text, '"extra":"\udcff\udcfe"').encode("utf-8", "surrogateescape"),
    "nul": lambda text: with_appended(text, '"extra":"a\\u0000b"').encode(),
    "raw_nul": lambda text: with_appended(text, '"extra":"a\0b"').encode(),
    "huge_number": lambda text: with_appended(text, '"extra":1e999').encode(),
    "array_root": lambda text: ("[" + text + "]").encode(),
    "two_documents": lambda text: (text + text).encode(),
    "trailing_text": lambda text: (text + " x").encode(),
    "cut": lambda text: text[:len(text) // 2].encode(),
    "empty": lambda text: b"",
    "html": lambda text: b"<!doctype html><title>Sign in</title><p>Welcome",
    "too_long": lambda text: with_appended(text, '"extra":"' + "x" * (300 << 10) + '"').encode(),
    "strange_endpoint_types": lambda text: with_appended(
        "{" + text.split(",", 1)[1].strip(), '"issuer":17').encode(),
}


# ---- the realm ---------------------------------------------------------------------------------------------

def changed(members, change):
    members = {name: value for name, value in members.items() if name not in change.get("delete", ())}
    members.update(change.get("set", {}))
    return members


class Refusal(Exception):
    """An OAuth error to be told to the client."""

    def __init__(self, error, status=400):
        super().__init__(error)
        self.error, self.status = error, status


class Realm:
    """Settings, keys, codes and the log of one realm. Every method is called under the realm's lock."""

    def __init__(self, name, issuer, number, preset):
        self.name, self.issuer, self.number = name, issuer, number
        self.lock = threading.RLock()
        self.log = []
        self.codes, self.refresh, self.access, self.assertions = {}, {}, {}, set()
        self.preset = preset
        self.key_count = 0
        self.published, self.retired, self.signing = [], [], None
        self.reset()
        self.new_key()

    # -- control

    def reset(self):
        """Back to how it began; keys stay as they are."""
        self.settings = copy.deepcopy(DEFAULTS)
        self.change(self.preset)

    def change(self, wanted):
        for name, value in wanted.items():
            if name not in DEFAULTS:
                raise KeyError(f"no such setting: {name}")
            if name == "id_token" and not set(value) <= set(ID_TOKEN_CHANGES):
                raise KeyError(f"no such change to an ID token: {sorted(value)}")
            if name in MERGED:
                self.settings[name].update(value)
            else:
                self.settings[name] = value

    def new_key(self):
        self.key_count += 1
        kind = self.settings["key_type"]
        self.signing = with_kid(POOL.get(kind, self.number + self.key_count),
                                f"{self.name}-{self.key_count}")
        self.published.append(self.signing)

    def rotate(self):
        """A new signing key; the old one stays published."""
        self.new_key()

    def retire(self):
        """A new signing key; the old ones are withdrawn."""
        self.retired += self.published
        self.published = []
        self.new_key()

    def fill(self, value):
        """Puts this realm's issuer into a test's text."""
        text = json.dumps(value).replace("{issuer}", self.issuer)
        return json.loads(text.replace("{origin}", self.issuer.split("/realms/")[0]))

    # -- documents

    def endpoint(self, name):
        return f"{self.issuer}/protocol/openid-connect/{name}"

    def document(self):
        change = self.settings["discovery"]
        members = {
            "issuer": self.issuer,
            "authorization_endpoint": self.endpoint("auth"),
            "token_endpoint": self.endpoint("token"),
            "userinfo_endpoint": self.endpoint("userinfo"),
            "jwks_uri": self.endpoint("certs"),
            "end_session_endpoint": self.endpoint("logout"),
            "revocation_endpoint": self.endpoint("revoke"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt",
                "tls_client_auth"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
            "scopes_supported": ["openid", "profile", "email"],
            "claims_supported": ["sub", "email", "name"],
        }
        text = json.dumps(changed(members, self.fill(change)))
        return DOCUMENTS[change["shape"]](text) if "shape" in change else text.encode()

    def key_set(self):
        change = self.settings["certs"]
        keys = KEY_SETS[change.get("shape", "plain")](self)
        for name in change.get("with", ()):
            keys["keys"].append(SIGNING_KEYS[name](self).export_public(as_dict=True))
        return json.dumps(keys).encode()

    # -- the flow

    def authorize(self, params):
        """Signs the user in at once; returns the parameters of the way back."""
        error, since, acr = self.authenticate_person(params)
        back = {"state": params.get("state", "")}
        if error:
            back["error"] = error
        else:
            code = b64u(os.urandom(24))
            self.codes[code] = {"params": params, "spent": False, "user": copy.deepcopy(self.settings["user"]),
                                "since": since, "acr": acr}
            back.update(session_state=b64u(os.urandom(9)), code=code)
        if self.settings["discovery"].get("set", {}).get(
                "authorization_response_iss_parameter_supported", True):
            back["iss"] = self.issuer
        return changed(back, self.fill(self.settings["callback"]))

    def authenticate_person(self, params):
        """What stands in the way, when the password was typed, and the class of the sign-in."""
        sso, now = self.settings["sso"], int(time.time())
        asked = params if sso["heeds"] else {}
        wanted = [acr for acr in asked.get("acr_values", "").split() if acr in sso["classes"]]
        acr = wanted[0] if wanted else sso["classes"][0]
        is_recent = sso["age"] is not None and sso["age"] <= int(asked.get("max_age", 1 << 31))
        if asked.get("prompt") == "none":
            if not is_recent:
                return "login_required", None, None
            if acr != sso["classes"][0]:
                return "interaction_required", None, None
        if not is_recent or acr != sso["classes"][0]:
            return None, now, acr
        return None, now - sso["age"], acr

    def authenticate(self, headers, params, certificate):
        """The client's authentication, by the one method that the realm expects."""
        client = self.settings["client"]
        given = CLIENT_AUTH[client["auth"]](self, client, headers, params, certificate)
        if not given:
            raise Refusal("invalid_client", 401)

    def token(self, headers, params, certificate):
        self.authenticate(headers, params, certificate)
        grant = params.get("grant_type")
        if grant == "authorization_code":
            return self.token_for_code(params)
        if grant == "refresh_token":
            held = self.refresh.pop(params.get("refresh_token", ""), None)
            if held is None:
                raise Refusal("invalid_grant")
            user = held["user"] if self.settings["keeps_users"] else copy.deepcopy(self.settings["user"])
            return self.tokens(user, held["nonce"], held)
        raise Refusal("unsupported_grant_type")

    def revoke(self, headers, params, certificate):
        """RFC 7009: an unknown token is as good as a revoked one."""
        self.authenticate(headers, params, certificate)
        self.refresh.pop(params.get("token", ""), None)

    def token_for_code(self, params):
        held = self.codes.get(params.get("code", ""))
        if held is None or held["spent"]:
            raise Refusal("invalid_grant")
        held["spent"] = True
        asked = held["params"]
        if asked.get("redirect_uri") != params.get("redirect_uri"):
            raise Refusal("invalid_grant")
        if "code_challenge" not in asked and not self.settings["client"]["pkce"]:
            return self.tokens(held["user"], asked.get("nonce"), held)
        if asked.get("code_challenge_method") != "S256":
            raise Refusal("invalid_request")
        digest = b64u(hashlib.sha256(params.get("code_verifier", "").encode()).digest())
        if digest != asked.get("code_challenge") or len(params.get("code_verifier", "")) < 43:
            raise Refusal("invalid_grant")
        return self.tokens(held["user"], asked.get("nonce"), held)

    def tokens(self, user, nonce, before):
        """Tokens for what was held for a code, or for a refresh token in place of others."""
        if self.settings["rotate_at_token"]:
            self.rotate()
        now = int(time.time())
        session = before.get("session") or b64u(os.urandom(18))
        since, acr = before["since"], before["acr"]
        claims = {"exp": now + self.settings["lifetime"], "iat": now, "auth_time": since, "jti": b64u(os.urandom(12)),
                  "iss": self.issuer, "aud": self.settings["client"]["id"], "typ": "ID",
                  "azp": self.settings["client"]["id"], "sid": session, "acr": acr}
        if nonce is not None:
            claims["nonce"] = nonce
        claims.update(user)
        access = id_token(self, dict(claims, typ="Bearer", aud="account"), self.settings["access_token"])
        refresh = b64u(os.urandom(32))
        self.access[access] = user
        self.refresh[refresh] = {"nonce": nonce, "session": session, "since": since, "acr": acr, "user": user}
        answer = {
            "access_token": access, "expires_in": self.settings["lifetime"], "refresh_token": refresh,
            "refresh_expires_in": 1800, "token_type": "Bearer", "not-before-policy": 0,
            "id_token": id_token(self, claims, self.settings["id_token"]),
            "session_state": session, "scope": "openid profile email",
        }
        return changed(answer, self.fill(self.settings["token_response"]))

    def bearer_token(self, change):
        """An access token for the user, as Keycloak makes them for a client with an audience mapper."""
        unknown = set(change) - set(ID_TOKEN_CHANGES)
        if unknown:
            raise KeyError(f"no such change to a token: {sorted(unknown)}")
        now = int(time.time())
        client = self.settings["client"]["id"]
        claims = {"exp": now + self.settings["lifetime"], "iat": now, "auth_time": now, "jti": b64u(os.urandom(12)),
                  "iss": self.issuer, "aud": [client, "account"], "typ": "Bearer", "azp": client,
                  "sid": b64u(os.urandom(18)), "acr": "1", "scope": "openid profile email"}
        claims.update(self.settings["user"])
        return id_token(self, claims, change)

    def logout_token(self, change):
        """A logout token for the user, as Keycloak makes them; change: as an ID token's."""
        unknown = set(change) - set(ID_TOKEN_CHANGES)
        if unknown:
            raise KeyError(f"no such change to a token: {sorted(unknown)}")
        now = int(time.time())
        claims = {"exp": now + 120, "iat": now, "jti": b64u(os.urandom(12)), "iss": self.issuer,
                  "aud": self.settings["client"]["id"], "sub": self.settings["user"]["sub"], "typ": "Logout",
                  "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
        return id_token(self, claims, {**change, "header": {"typ": "logout+jwt", **change.get("header", {})}})

    def userinfo(self, headers):
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token not in self.access:
            raise Refusal("invalid_token", 401)
        return changed(dict(self.access[token]), self.fill(self.settings["userinfo"]))


# ---- the client's authentication -------------------------------------------------------------------------------

def _basic(realm, client, headers, params, certificate):
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic" or "client_secret" in params:
        return False
    user, _, password = base64.b64decode(value).decode().partition(":")
    return (unquote_plus(user), unquote_plus(password)) == (client["id"], client["secret"])


def _post(realm, client, headers, params, certificate):
    return "Authorization" not in headers and \
        (params.get("client_id"), params.get("client_secret")) == (client["id"], client["secret"])


def _assertion(realm, client, params, key, algorithms):
    if params.get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" \
            or "client_secret" in params:
        return False
    try:
        token = jwt.JWT(jwt=params.get("client_assertion", ""), key=key, algs=algorithms,
                        check_claims={"iss": client["id"], "sub": client["id"], "jti": None, "exp": None})
    except (jws.InvalidJWSSignature, jwt.JWException, ValueError):
        return False
    claims = json.loads(token.claims)
    audience = claims.get("aud")
    audience = audience if isinstance(audience, list) else [audience]
    fresh = claims["jti"] not in realm.assertions
    realm.assertions.add(claims["jti"])
    return fresh and bool({realm.issuer, realm.endpoint("token")} & set(audience))


def _secret_jwt(realm, client, headers, params, certificate):
    return _assertion(realm, client, params, secret_key(client["secret"]), ["HS256", "HS384", "HS512"])


def _private_key_jwt(realm, client, headers, params, certificate):
    key = jwk.JWK.from_pem(client["key"].encode())
    return _assertion(realm, client, params, key, ["RS256", "PS256", "ES256"])


def _tls(realm, client, headers, params, certificate):
    subject = {name: value for part in (certificate or {}).get("subject", ()) for name, value in part}
    return params.get("client_id") == client["id"] and subject.get("commonName") == client["id"]


def _none(realm, client, headers, params, certificate):
    return "Authorization" not in headers and params.get("client_id") == client["id"] \
        and not {"client_secret", "client_assertion"} & set(params)


CLIENT_AUTH = {
    "client_secret_basic": _basic,
    "client_secret_post": _post,
    "client_secret_jwt": _secret_jwt,
    "private_key_jwt": _private_key_jwt,
    "tls_client_auth": _tls,
    "none": _none,
}


def repeated(pairs):
    """Names that occur more than once."""
    return sorted(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
