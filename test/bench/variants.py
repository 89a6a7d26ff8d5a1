# SPDX-License-Identifier: Apache-2.0
"""The compared variants: httpd without a module, with this one in four ways, and with mod_auth_openidc in two."""

import dataclasses
import shutil

from servers import SECRET

PLAIN, FIRST, EACH, SHARED = "plain", "first", "each", "shared"
PEER_MEMCACHE, PEER_SHARED, AGAIN = "peer-memcache", "peer-shared", "again"
JUDGE_OK, JUDGE_LOOKS, JUDGE_FIRST, JUDGE_SHARED = "judge-ok", "judge-looks", "judge-first", "judge-shared"
OAUTH2_PROXY, OAUTH2_PROXY_REDIS, AUTHSERVICE = "oauth2-proxy", "oauth2-proxy-redis", "oidc-authservice"
JUDGE_PEERS = (OAUTH2_PROXY, OAUTH2_PROXY_REDIS, AUTHSERVICE)
LABELS = {PLAIN: "no module", FIRST: "memcached, default settings", EACH: "memcached, asked on each request",
          SHARED: "shared memory", PEER_MEMCACHE: "mod_auth_openidc, memcache", PEER_SHARED: "mod_auth_openidc, shm",
          AGAIN: "no module, the same again", JUDGE_OK: "a handler that says 200 at once",
          JUDGE_LOOKS: "the same, where httpd looks for a file as it does by itself",
          JUDGE_FIRST: "judge, memcached, default settings", JUDGE_SHARED: "judge, shared memory",
          OAUTH2_PROXY: "oauth2-proxy, cookie", OAUTH2_PROXY_REDIS: "oauth2-proxy, Redis",
          AUTHSERVICE: "oidc-authservice, BoltDB"}

PLAIN_TEXT = "<Location />\n    Require all granted\n</Location>\n"
# What conf/judge.conf says of the judge's virtual host, for the handler that it is compared with as well.
JUDGE_HOST = "TraceEnable off\nAllowEncodedSlashes NoDecode\nLimitRequestFieldSize 32768\n"
JUDGE_OK_TEXT = JUDGE_HOST + """\
LoadModule bench_ok_module "{module}"
<Location />
    Require all granted
    SetHandler bench-ok
</Location>
"""
OURS = """\
LoadModule auth_keycloak_module "{module}"
KeycloakIssuer {issuer}
KeycloakClientID app
KeycloakClientSecret file:{room}/client-secret
KeycloakCryptoKey file:{room}/crypto-key
{store}
<Location />
    AuthType Keycloak
    Require valid-user
    {handler}
</Location>
"""
# The peer at its best: it gives the backend the one header that ours gives, and none of the claims.
PEER = """\
LoadModule auth_openidc_module "{{libexec}}/mod_auth_openidc.so"
OIDCProviderMetadataURL {issuer}/.well-known/openid-configuration
OIDCClientID app
OIDCClientSecret {secret}
OIDCRedirectURI http://127.0.0.1:{{port}}/authservice/oidc/callback
OIDCCryptoPassphrase {secret}-passphrase
OIDCSSLValidateServer Off
OIDCPKCEMethod S256
OIDCScope "openid profile email"
OIDCRemoteUserClaim email
OIDCAuthNHeader kubeflow-userid
OIDCPassClaimsAs none
OIDCSessionInactivityTimeout 3600
OIDCSessionMaxDuration 36000
{store}
<Location />
    AuthType openid-connect
    Require valid-user
</Location>
"""
# Under valgrind everything is some fifty times slower: deadlines that long, and a first tier that
# is asked again as rarely, for each request, as at full speed.
SLOW = "KeycloakHTTPTimeout 60s\nKeycloakStoreTimeout 60s"
SLOW_TTL = "KeycloakCacheTTL 60s"


@dataclasses.dataclass
class Variant:
    key: str
    auth: str  # its part of httpd.conf, with {port} and {libexec} left open
    slow_auth: str = ""  # the same for callgrind; empty: no difference
    cookie: str = "keycloak_session"
    store: object = None  # its memcached

    @property
    def label(self):
        return LABELS[self.key]

    @property
    def protected(self):
        return self.key not in (PLAIN, AGAIN, JUDGE_OK, JUDGE_LOOKS)

    def under_valgrind(self):
        return dataclasses.replace(self, auth=self.slow_auth or self.auth)


class Catalogue:
    """Makes the variants."""

    def __init__(self, room, issuer):
        self.room, self.issuer = room, issuer

    def plain(self, key=PLAIN):
        return Variant(key, PLAIN_TEXT)

    def _ours(self, key, lines, slow_lines, store=None, handler=""):
        def auth(*store_lines):
            return OURS.format(module=self.room.module, issuer=self.issuer, room=self.room.folder,
                               store="\n".join(store_lines), handler=handler)
        return Variant(key, auth(*lines), auth(*slow_lines, SLOW), store=store)

    def first(self, store):
        line = f"KeycloakMemcached {store.address}"
        return self._ours(FIRST, [line], [line, SLOW_TTL], store)

    def each(self, store):
        # A deadline of 5 s costs nothing, and no stall of the machine becomes a failed request.
        lines = [f"KeycloakMemcached {store.address}", "KeycloakCacheTTL 0"]
        return self._ours(EACH, [*lines, "KeycloakStoreTimeout 5s"], lines, store)

    def shared(self):
        return self._ours(SHARED, [], [SLOW_TTL])

    def judge_ok(self):
        module = shutil.copy(self.room.built("obj/bench/mod_bench_ok.so"), self.room.folder)
        return Variant(JUDGE_OK, JUDGE_OK_TEXT.format(module=module))

    def judge_looks(self):
        return Variant(JUDGE_LOOKS, "Define BENCH_OK_LOOKS\n" + self.judge_ok().auth)

    def _judge(self, key, *lines, store=None):
        lines = [JUDGE_HOST + "KeycloakPublicURL {public_url}", *lines]
        return self._ours(key, lines, [*lines, SLOW_TTL], store, "SetHandler keycloak-judge")

    def judge_first(self, store):
        return self._judge(JUDGE_FIRST, f"KeycloakMemcached {store.address}", store=store)

    def judge_shared(self):
        return self._judge(JUDGE_SHARED)

    def _peer(self, key, store_lines, store=None):
        auth = PEER.format(issuer=self.issuer, secret=SECRET, store=store_lines)
        return Variant(key, auth, cookie="mod_auth_openidc_session", store=store)

    def peer_memcache(self, store):
        return self._peer(PEER_MEMCACHE,
                          f'OIDCCacheType memcache\nOIDCMemCacheServers "{store.address}"', store)

    def peer_shared(self):
        return self._peer(PEER_SHARED, "OIDCCacheType shm")
