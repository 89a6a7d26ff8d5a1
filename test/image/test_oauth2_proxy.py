# SPDX-License-Identifier: Apache-2.0
"""How the entrypoint handles the options that Kubeflow gives oauth2-proxy."""

import pytest

# The file of Kubeflow's ConfigMap, with Keycloak in Dex's place.
CFG = """\
provider = "oidc"
oidc_issuer_url = "https://keycloak.example.com/realms/kubeflow"
scope = "profile email groups openid"
email_domains = [ "*" ]
# a remark
upstreams = [ "static://200" ]
skip_auth_routes = [
  "^/dex/",  # another one
  "^/x.*y$",
]
api_routes = [
  # Generic
  "/api/",
  "/apis/",
  "^/ml_metadata",
]
skip_oidc_discovery = true
skip_provider_button = false
prompt = "none"
set_authorization_header = true
set_xauthrequest = true
cookie_name = "oauth2_proxy_kubeflow"
cookie_expire = "24h30m"
cookie_refresh = 0
redirect_url = "/oauth2/callback"
relative_redirect_url = true
"""
ENVIRONMENT = {
    "MODE": "oauth2-proxy", "OAUTH2_PROXY_CLIENT_ID": "kubeflow-oidc-authservice", "OAUTH2_PROXY_CLIENT_SECRET": "canary-of-client",
    "OAUTH2_PROXY_COOKIE_SECRET": "canary-of-cookie", "OAUTH2_PROXY_COOKIE_SECURE": "false",
    "OAUTH2_PROXY_SSL_INSECURE_SKIP_VERIFY": "true", "OAUTH2_PROXY_SKIP_JWT_BEARER_TOKENS": "true",
    "OAUTH2_PROXY_EXTRA_JWT_ISSUERS": "", "PUBLIC_URL": "http://localhost:8080",
}


@pytest.fixture
def proxy(enter, tmp_path):
    def run(cfg=CFG, **settings):
        file = tmp_path / "oauth2_proxy.cfg"
        file.write_text(cfg)
        return enter({"OAUTH2_PROXY_CONFIG": file, **settings}, base=ENVIRONMENT, arguments=["--http-address=0.0.0.0:4180"])
    return run


def test_kubeflow_deployment(proxy):
    found = proxy()
    assert found.values("KeycloakIssuer") == ["https://keycloak.example.com/realms/kubeflow"]
    assert found.values("KeycloakPrefix") == ["/oauth2/"]
    assert found.values("KeycloakRedirectURI") == ["http://localhost:8080/oauth2/callback"]
    assert found.values("KeycloakPublicPath") == ["/oauth2/site", "/dex/"]
    assert found.values("KeycloakSessionMax") == ["88200"]
    assert found.values("KeycloakCookie") == ["oauth2_proxy_kubeflow"]
    assert found.values("KeycloakVerifiedEmail") == ["on"]
    assert found.values("KeycloakIDTokenHeader") == ["Authorization"] and found.values("KeycloakBearer") == ["on"]
    assert found.values("KeycloakHeader") == ["X-Auth-Request-User sub", "X-Auth-Request-Email email", "X-Auth-Request-Groups groups",
                                              "X-Auth-Request-Preferred-Username preferred_username"]
    assert found.environment["KCI_SERVER_PORT"] == "4180"
    for name in ("PROMPT", "UPSTREAMS", "SKIP_OIDC_DISCOVERY", "OAUTH2_PROXY_SSL_INSECURE_SKIP_VERIFY"):
        assert found.warns(name), found.said
    assert any("^/x.*y$" in line for line in found.warnings), "a route that is no plain path stays closed, and is named"


def routes(found):
    """The regular expressions of the paths that get 401."""
    assert found.status == 0, found.said
    lines = found.file("routes.conf").splitlines() if "Define KCI_API_ROUTES" in found.lines else []
    assert all(lines[at + 1:at + 3] == ["    KeycloakUnauth 401", "</LocationMatch>"] for at in range(0, len(lines), 3)), lines
    return [found.read(line.removesuffix(">")).removeprefix("<LocationMatch ") for line in lines[::3]]


def test_routes_of_scripts(proxy):
    found = proxy()
    assert routes(found) == ["/api/", "/apis/", "^/ml_metadata"] and not found.warns("API_ROUTES")
    assert routes(proxy(cfg=CFG.replace('"/api/"', "").replace('"/apis/"', "").replace('"^/ml_metadata"', "").replace("  ,\n", ""))) == []
    assert routes(proxy(OAUTH2_PROXY_API_ROUTES="^/a/, ^/b$")) == ["^/a/", "^/b$"], "the variable takes precedence"
    assert routes(proxy(cfg=CFG.replace('"^/ml_metadata"', '"^/a{1,2}/", "^/=", "(?i)^/B"'))) == [
        "/api/", "/apis/", "^/a{1,2}/", "^/=", "(?i)^/B"], "a comma in the file belongs to the expression"
    assert routes(proxy(OAUTH2_PROXY_FORCE_JSON_ERRORS="true"))[-1] == "^"
    assert routes(proxy(OAUTH2_PROXY_FORCE_JSON_ERRORS="false"))[-1] != "^"


@pytest.mark.parametrize("route", ["^/(", "[", "*", "a\nb["])
def test_route_that_is_no_expression_is_named(proxy, route):
    found = proxy(OAUTH2_PROXY_API_ROUTES=route)
    assert found.status == 64 and any(line.startswith("OAUTH2_PROXY_API_ROUTES ") for line in found.complaints), found.said


def test_the_start_names_the_cookie(proxy):
    assert ": the session cookie is called oauth2_proxy_kubeflow\n" in proxy().said
    found = proxy(PUBLIC_URL="https://kf.example.com", OAUTH2_PROXY_COOKIE_SECURE="true")
    assert ": the session cookie is called __Host-oauth2_proxy_kubeflow\n" in found.said, found.said


# What Kubernetes puts into each container for a Service oauth2-proxy, and for one that is called oauth2-proxy-memcached.
LINKS = {
    "OAUTH2_PROXY_SERVICE_HOST": "10.96.0.7", "OAUTH2_PROXY_SERVICE_PORT": "80", "OAUTH2_PROXY_SERVICE_PORT_HTTP_SERVICE": "80",
    "OAUTH2_PROXY_PORT": "tcp://10.96.0.7:80", "OAUTH2_PROXY_PORT_80_TCP": "tcp://10.96.0.7:80", "OAUTH2_PROXY_PORT_80_TCP_PROTO": "tcp",
    "OAUTH2_PROXY_PORT_80_TCP_PORT": "80", "OAUTH2_PROXY_PORT_80_TCP_ADDR": "10.96.0.7", "OAUTH2_PROXY_PORT_53_UDP": "udp://10.96.0.7:53",
    "OAUTH2_PROXY_MEMCACHED_SERVICE_HOST": "10.96.0.8", "OAUTH2_PROXY_MEMCACHED_PORT": "tcp://10.96.0.8:11211",
    "OAUTH2_PROXY_MEMCACHED_PORT_11211_TCP_ADDR": "10.96.0.8", "OAUTH2_PROXY_MEMCACHED_SERVICE_PORT": "11211",
    "METRICS_PORT": "tcp://10.96.0.9:44180", "SERVER_PORT": "tcp://10.96.0.10:80",
}


def test_links_to_services_are_no_options(proxy):
    assert proxy(**LINKS).warnings == proxy().warnings
    assert proxy(**LINKS).environment["KCI_READINESS_PROBE_PORT"] == "44180"
    assert proxy(**LINKS).environment["KCI_METRICS_PORT"] == "9090"
    found = proxy(**LINKS, OAUTH2_PROXY_REQUEST_LOGGING="true", OAUTH2_PROXY_SOME_PORT="8080")
    assert found.warns("REQUEST_LOGGING") and found.warns("SOME_PORT") and not found.warns("SERVICE_HOST"), found.said


@pytest.mark.parametrize("value, listen", [
    ("0.0.0.0:9100", "9100"), (":9100", "9100"), ("http://:9100", "9100"), ("127.0.0.1:9100", "127.0.0.1:9100"),
    ("localhost:9100", "127.0.0.1:9100"), ("[::1]:9100", "[::1]:9100"), ("[::]:9100", "9100"), ("-", None), ("", "9090")])
def test_metrics_address(proxy, value, listen):
    found = proxy(OAUTH2_PROXY_METRICS_ADDRESS=value)
    assert found.status == 0 and not found.warns("METRICS_ADDRESS"), found.said
    assert ("Define KCI_METRICS" in found.written) == (listen is not None)
    if listen:
        assert found.environment["KCI_METRICS_ADDRESS"] + found.environment["KCI_METRICS_PORT"] == listen


@pytest.mark.parametrize("value", ["9100", "metrics:9100", "127.0.0.1:", "127.0.0.1:x", ":0", ":99999", "x y:9100", "::9100"])
def test_wrong_metrics_address(proxy, value):
    found = proxy(OAUTH2_PROXY_METRICS_ADDRESS=value)
    assert found.status == 64 and [line.split(" ")[0] for line in found.complaints] == ["OAUTH2_PROXY_METRICS_ADDRESS"], found.said


@pytest.mark.parametrize("port, other", [("4180", "OAUTH2_PROXY_HTTP_ADDRESS"), ("44180", "READINESS_PROBE_PORT")])
def test_metrics_address_is_of_no_other(proxy, port, other):
    found = proxy(OAUTH2_PROXY_METRICS_ADDRESS=f"127.0.0.1:{port}", OAUTH2_PROXY_HTTP_ADDRESS="0.0.0.0:4180")
    assert found.status == 64 and found.complaints == [
        f"OAUTH2_PROXY_METRICS_ADDRESS ({port}) is the port of {other} too: give each a port of its own, or set METRICS_PORT=off"], found.said


def test_warnings_name_the_option_that_was_written(proxy):
    found = proxy(OAUTH2_PROXY_INSECURE_OIDC_ALLOW_UNVERIFIED_EMAIL="true", OAUTH2_PROXY_SKIP_AUTH_REGEX="^/a.*b$")
    (unverified,) = [line for line in found.warnings if "not verified" in line]
    assert "OAUTH2_PROXY_INSECURE_OIDC_ALLOW_UNVERIFIED_EMAIL=false refuses them" in unverified
    assert "REQUIRE_VERIFIED_EMAIL" not in found.said and "oidc-authservice" not in unverified
    assert any(line.startswith("OAUTH2_PROXY_SKIP_AUTH_REGEX: '^/a.*b$' is not used") for line in found.warnings), found.said
    assert any(line.startswith("OAUTH2_PROXY_SKIP_AUTH_ROUTES: '^/x.*y$' is not used") for line in found.warnings), found.said


def test_secrets_stay_out(proxy):
    found = proxy()
    assert len(found.file("crypto-key").strip()) == 64, "16 characters are too few for a key as they are"
    assert "canary" not in found.file("settings.conf") + found.said + found.file("arguments")
    assert [name for name, value in found.environment.items() if "canary" in value] == ["CLIENT_SECRET"]


@pytest.mark.parametrize("settings, directive, values", [
    ({"OAUTH2_PROXY_SCOPE": "openid"}, "KeycloakScope", ["openid"]),
    ({"OAUTH2_PROXY_PROXY_PREFIX": "/auth"}, "KeycloakPrefix", ["/auth/"]),
    ({"OAUTH2_PROXY_SKIP_AUTH_ROUTES": "^/a/.*,^/b$,^/c(/|$)"}, "KeycloakPublicPath", ["/oauth2/site", "/a/", "/c"]),
    ({"OAUTH2_PROXY_WHITELIST_DOMAINS": "a.example.com:8443,.example.com"}, "KeycloakReturnHosts", ["a.example.com:8443"]),
    ({}, "KeycloakCookiePersistent", ["on"]),
    ({"OAUTH2_PROXY_COOKIE_EXPIRE": "0"}, "KeycloakCookiePersistent", ["off"]),
    ({"OAUTH2_PROXY_COOKIE_EXPIRE": "0h0m"}, "KeycloakSessionMax", ["604800"]),
    ({"OAUTH2_PROXY_COOKIE_EXPIRE": "0s", "COOKIE_PERSISTENT": "true"}, "KeycloakCookiePersistent", ["on"]),
    ({"OAUTH2_PROXY_COOKIE_SAMESITE": "strict"}, "KeycloakCookieSameSite", ["Strict"]),
    ({"OAUTH2_PROXY_INSECURE_OIDC_ALLOW_UNVERIFIED_EMAIL": "true"}, "KeycloakVerifiedEmail", ["off"]),
    ({"OAUTH2_PROXY_SKIP_JWT_BEARER_TOKENS": "false"}, "KeycloakBearer", ["off"]),
    ({"OAUTH2_PROXY_OIDC_EXTRA_AUDIENCES": "a,b"}, "KeycloakAudience", ["kubeflow-oidc-authservice", "a b"]),
    ({"OAUTH2_PROXY_OIDC_EMAIL_CLAIM": "upn"}, "KeycloakUserClaim", ["upn"]),
    ({"OAUTH2_PROXY_SET_XAUTHREQUEST": "false"}, "KeycloakHeader", []),
    ({"CLIENT_AUTH": "client_secret_jwt", "CLIENT_AUTH_ALGORITHM": "HS384"}, "KeycloakClientAuthAlgorithm", ["HS384"]),
    ({"BACKCHANNEL_URL": "http://keycloak:8080/kc"}, "KeycloakBackchannelURL", ["http://keycloak:8080/kc"]),
])
def test_honoured(proxy, settings, directive, values):
    assert proxy(**settings).values(directive) == values


def test_domains_of_addresses(proxy):
    found = proxy(OAUTH2_PROXY_EMAIL_DOMAINS="Example.com,.example.org")
    assert found.status == 0, found.said
    assert sorted(found.read(line) for line in found.file("domains.conf").splitlines()) == \
        ["Require keycloak-claim email matches @.*[.]example[.]org$", "Require keycloak-claim email matches @example[.]com$"]
    assert "Define KCI_DOMAINS" not in proxy().lines


def test_domains_are_those_of_the_claim_that_names_people(proxy):
    """Whoever may choose their own claim email must not come in by that."""
    found = proxy(OAUTH2_PROXY_EMAIL_DOMAINS="example.com", OAUTH2_PROXY_OIDC_EMAIL_CLAIM="upn")
    assert found.values("KeycloakUserClaim") == ["upn"]
    assert [found.read(line) for line in found.file("domains.conf").splitlines()] == ["Require keycloak-claim upn matches @example[.]com$"]


@pytest.mark.parametrize("name, value, words", [
    ("OAUTH2_PROXY_CLIENT_ID", "", "OAUTH2_PROXY_CLIENT_ID is missing"),
    ("OAUTH2_PROXY_CLIENT_SECRET", "", "OAUTH2_PROXY_CLIENT_SECRET is missing"),
    ("OAUTH2_PROXY_COOKIE_SECRET", "", "OAUTH2_PROXY_COOKIE_SECRET is missing"),
    ("OAUTH2_PROXY_COOKIE_SECRET", "short", "OAUTH2_PROXY_COOKIE_SECRET is too short"),
    ("OAUTH2_PROXY_PROVIDER", "google", "OAUTH2_PROXY_PROVIDER must be"),
    ("OAUTH2_PROXY_COOKIE_SECURE", "true", "OAUTH2_PROXY_COOKIE_SECURE is true"),
    ("OAUTH2_PROXY_COOKIE_EXPIRE", "soon", "OAUTH2_PROXY_COOKIE_EXPIRE must be"),
    ("OAUTH2_PROXY_HTTP_ADDRESS", "x", "OAUTH2_PROXY_HTTP_ADDRESS must be"),
    ("OAUTH2_PROXY_EMAIL_DOMAINS", "a b", "OAUTH2_PROXY_EMAIL_DOMAINS must be"),
    ("OAUTH2_PROXY_AUTHENTICATED_EMAILS_FILE", "/x", "OAUTH2_PROXY_AUTHENTICATED_EMAILS_FILE restricts access"),
    ("OAUTH2_PROXY_ALLOWED_GROUPS", "a, *", "OAUTH2_PROXY_ALLOWED_GROUPS cannot have *"),
    ("OAUTH2_PROXY_ALLOWED_ROLES", "admin", "OAUTH2_PROXY_ALLOWED_ROLES restricts access"),
    ("PUBLIC_URL", "", "OAUTH2_PROXY_REDIRECT_URL is the path"),
])
def test_wrong(enter, tmp_path, name, value, words):
    file = tmp_path / "oauth2_proxy.cfg"
    file.write_text(CFG)
    found = enter({"OAUTH2_PROXY_CONFIG": file, name: value}, base=ENVIRONMENT)
    assert found.status == 64 and words in found.said, found.said


def test_domains_must_be_named(proxy):
    assert "OAUTH2_PROXY_EMAIL_DOMAINS is missing" in proxy(cfg=CFG.replace("email_domains", "#email_domains")).said


@pytest.mark.parametrize("line", ["x", 'x = "', "x = [ 1", "x = 1 2", 'x = "a\tb"', 'X = "a"', 'scope = "again"', 'x = $(id)'])
def test_file_that_is_none(proxy, line):
    found = proxy(cfg=CFG + line + "\n")
    assert found.status == 64 and "has in line" in found.said, found.said
