# SPDX-License-Identifier: Apache-2.0
"""How the entrypoint handles each setting of oidc-authservice."""

import pytest

# The parameters that Kubeflow shipped for oidc-authservice, with Keycloak in Dex's place.
UP_TO_1_6 = {
    "OIDC_PROVIDER": "http://keycloak.auth.svc.cluster.local:8080/realms/kubeflow", "OIDC_AUTH_URL": "/realms/kubeflow/protocol/openid-connect/auth",
    "OIDC_SCOPES": "profile email groups", "AUTHSERVICE_URL_PREFIX": "/authservice/", "SKIP_AUTH_URI": "/dex /public",
    "USERID_HEADER": "kubeflow-userid", "USERID_PREFIX": "", "USERID_CLAIM": "email", "PORT": '"8080"',
    "STORE_PATH": "/var/lib/authservice/data.db", "CLIENT_ID": "kubeflow-oidc-authservice", "CLIENT_SECRET": "secret",
}
RELEASES = {
    "1.3": {**UP_TO_1_6, "REDIRECT_URL": "http://localhost:8080/login/oidc", "SKIP_AUTH_URI": "/dex"},
    "1.4": {**UP_TO_1_6, "REDIRECT_URL": None},
    "1.5": UP_TO_1_6,
    "1.6": {**UP_TO_1_6, "SKIP_AUTH_URI": None, "SKIP_AUTH_URLS": "/dex", "AFTER_LOGOUT_URL": "/"},
    "1.7": {**UP_TO_1_6, "SKIP_AUTH_URI": None, "SKIP_AUTH_URLS": "/dex, /public", "AFTER_LOGOUT_URL": "/"},
    "1.8": {**UP_TO_1_6, "SKIP_AUTH_URI": None, "SKIP_AUTH_URLS": "/dex", "AFTER_LOGOUT_URL": "/"},
    "1.9": {**UP_TO_1_6, "SKIP_AUTH_URI": None, "SKIP_AUTH_URLS": "/dex", "AFTER_LOGOUT_URL": "/",
            "REDIRECT_URL": "http://localhost:8080/authservice/oidc/callback"},
}


@pytest.mark.parametrize("release", RELEASES)
def test_settings_of_kubeflow(enter, release):
    settings = RELEASES[release]
    found = enter(settings, base={})
    assert found.status == 0, found.said
    assert found.values("KeycloakIssuer") == [settings["OIDC_PROVIDER"]]
    assert found.values("KeycloakAuthURL") == [settings["OIDC_AUTH_URL"]]
    assert found.values("KeycloakScope") == ["profile email groups"]
    assert found.values("KeycloakUserClaim") == ["email"] and found.values("KeycloakVerifiedEmail") == ["off"]
    public = ["/dex"] + (["/public"] if "/public" in f"{settings.get('SKIP_AUTH_URI')} {settings.get('SKIP_AUTH_URLS')}" else [])
    assert found.values("KeycloakPublicPath") == ["/authservice/site"] + public
    assert found.values("KeycloakAfterLogoutURL") == [settings.get("AFTER_LOGOUT_URL", "/authservice/site/after_logout")]
    assert not found.warns("PORT") and not found.warns("STORE_PATH"), found.said


def test_walk_through_works_as_it_is(enter):
    found = enter({})
    assert found.values("KeycloakRedirectURI") == ["http://localhost:8989/authservice/oidc/callback"]
    assert found.values("KeycloakPublicURL") == ["http://localhost:8989"]
    assert found.values("KeycloakPublicPath") == ["/authservice/site"], "the prefix itself is not skipped"
    assert found.values("KeycloakAllowHTTP") == ["on"]
    assert found.environment["KCI_SERVER_PORT"] == "8080"
    assert found.values("KeycloakClientSecret") == ["env:CLIENT_SECRET"]
    for name in ("REQUIRE_VERIFIED_EMAIL", "MEMCACHED_SERVERS"):
        assert found.warns(name), found.said
    assert not found.warns("OIDC_PROVIDER") and not found.warns("OIDC_AUTH_URL"), "httpd says it once, when it starts"
    assert len(found.file("crypto-key")) == 64


MODES = [{}, {"MODE": "proxy", "BACKEND_URL": "http://127.0.0.1:80"}, {"MODE": "sidecar", "BACKEND_PORT": "8888"}]


@pytest.mark.parametrize("mode", MODES, ids=lambda mode: mode.get("MODE", "judge"))
def test_metrics_port(enter, mode):
    for value, port in ((None, "9090"), ("", "9090"), ("19090", "19090"), ("09091", "9091"), (" 9092\n", "9092"), ("tcp://10.96.0.9:1", "9090")):
        found = enter({"METRICS_PORT": value, **mode})
        assert found.status == 0 and found.environment["KCI_METRICS_PORT"] == port, found.said
        assert "Define KCI_METRICS" in found.written
    found = enter({"METRICS_PORT": "off", "SERVER_PORT": "9090", **mode})
    assert found.status == 0 and "Define KCI_METRICS" not in found.written, found.said
    assert enter({"SERVER_HOSTNAME": "127.0.0.1", **mode}).environment["KCI_METRICS_ADDRESS"] == "127.0.0.1:"


@pytest.mark.parametrize("settings, other", [
    ({"METRICS_PORT": "8080"}, "SERVER_PORT"), ({"METRICS_PORT": "08081"}, "READINESS_PROBE_PORT"), ({"METRICS_PORT": "8082"}, "WEB_SERVER_PORT"),
    ({"SERVER_PORT": "9090"}, "SERVER_PORT"), ({"WEB_SERVER_PORT": "9090"}, "WEB_SERVER_PORT"),
    ({"MODE": "proxy", "BACKEND_URL": "http://gateway", "READINESS_PROBE_PORT": "9090"}, "READINESS_PROBE_PORT"),
    ({"MODE": "sidecar", "BACKEND_PORT": "9090"}, "BACKEND_PORT"), ({"MODE": "sidecar", "BACKEND_URL": "http://localhost:9090/"}, "BACKEND_URL"),
], ids=str)
def test_metrics_port_is_of_no_other(enter, settings, other):
    found = enter(settings)
    port = int(settings.get("METRICS_PORT", "9090"))
    assert found.status == 64 and found.complaints == [
        f"METRICS_PORT ({port}) is the port of {other} too: give each a port of its own, or set METRICS_PORT=off"], found.said


def test_links_to_services_are_no_settings(enter):
    """Kubernetes names them by the namespace's Services, such as authservice or server."""
    links = {f"{name}_{rest}": value for name in ("AUTHSERVICE", "SERVER", "WEB_SERVER") for rest, value in (
        ("SERVICE_HOST", "10.96.0.7"), ("SERVICE_PORT", "8080"), ("PORT", "tcp://10.96.0.7:8080"), ("PORT_8080_TCP", "tcp://10.96.0.7:8080"),
        ("PORT_8080_TCP_ADDR", "10.96.0.7"))}
    found = enter(links)
    assert found.status == 0 and found.warnings == enter({}).warnings, found.said
    assert (found.environment["KCI_SERVER_PORT"], found.environment["KCI_WEB_SERVER_PORT"]) == ("8080", "8082")


def test_http_beside_an_issuer_with_https_is_named(enter):
    found = enter({"OIDC_PROVIDER": "https://keycloak.example.com/realms/master"})
    assert found.warns("OIDC_AUTH_URL") and found.values("KeycloakAllowHTTP") == ["on"]
    found = enter({"OIDC_PROVIDER": "https://keycloak.example.com/realms/master", "OIDC_AUTH_URL": None, "BACKCHANNEL_URL": "http://keycloak.auth:8080"})
    assert found.warns("BACKCHANNEL_URL")


HONOURED = [
    ({"OIDC_PROVIDER": "https://kc.example.com/realms/a"}, "KeycloakIssuer", ["https://kc.example.com/realms/a"]),
    ({"CLIENT_ID": "another one"}, "KeycloakClientID", ["another one"]),
    ({"CLIENT_ID": 'a "b" \\ ${HOME}'}, "KeycloakClientID", ['a "b" \\ ${HOME}']),
    ({"OIDC_AUTH_URL": "/auth"}, "KeycloakAuthURL", ["/auth"]),
    ({"OIDC_AUTH_URL": ""}, "KeycloakAuthURL", []),
    ({"OIDC_SCOPES": "profile,email groups"}, "KeycloakScope", ["profile email groups"]),
    ({"OIDC_SCOPES": None}, "KeycloakScope", ["openid email"]),
    ({"AUTHSERVICE_URL_PREFIX": "/a/b"}, "KeycloakPrefix", ["/a/b/"]),
    ({"AUTHSERVICE_URL_PREFIX": "https://kf.example.com/auth/", "REDIRECT_URL": ""}, "KeycloakPrefix", ["/auth/"]),
    ({"AUTHSERVICE_URL_PREFIX": "https://kf.example.com/auth/", "REDIRECT_URL": ""}, "KeycloakPublicURL", ["https://kf.example.com"]),
    ({"REDIRECT_URL": "/login/oidc", "PUBLIC_URL": "https://kf.example.com"}, "KeycloakRedirectURI", ["https://kf.example.com/login/oidc"]),
    ({"REDIRECT_URL": "", "PUBLIC_URL": "https://kf.example.com"}, "KeycloakRedirectURI", []),
    ({"SKIP_AUTH_URLS": "/dex, /public/ ,/authservice/"}, "KeycloakPublicPath", ["/authservice/site", "/dex", "/public/"]),
    ({"USERID_HEADER": "x-user"}, "KeycloakUserHeader", ["x-user"]),
    ({"USERID_PREFIX": " accounts.google.com:"}, "KeycloakUserPrefix", [" accounts.google.com:"]),
    ({"USERID_CLAIM": "preferred_username"}, "KeycloakUserClaim", ["preferred_username"]),
    ({"GROUPS_HEADER": "x-groups"}, "KeycloakGroupsHeader", ["x-groups"]),
    ({"GROUPS_CLAIM": "realm_access.roles"}, "KeycloakGroupsClaim", ["realm_access.roles"]),
    ({"REQUIRE_VERIFIED_EMAIL": "true"}, "KeycloakVerifiedEmail", ["on"]),
    ({"AFTER_LOGOUT_URL": "/authservice/logout"}, "KeycloakAfterLogoutURL", ["/authservice/site/after_logout"]),
    ({"AFTER_LOGOUT_URL": "http://localhost:8989/authservice/logout?x=1"}, "KeycloakAfterLogoutURL", ["/authservice/site/after_logout"]),
    ({"AFTER_LOGOUT_URL": "/authservice/oidc/callback"}, "KeycloakAfterLogoutURL", ["/authservice/site/after_logout"]),
    ({"AFTER_LOGOUT_URL": "/authservice/site/bye"}, "KeycloakAfterLogoutURL", ["/authservice/site/bye"]),
    ({"AFTER_LOGOUT_URL": "https://other.example.com/authservice/logout"}, "KeycloakAfterLogoutURL", ["https://other.example.com/authservice/logout"]),
    ({"AFTER_LOGOUT_URL": "https://kf.example.com/bye"}, "KeycloakAfterLogoutURL", ["https://kf.example.com/bye"]),
    ({"SESSION_MAX_AGE": "3600"}, "KeycloakSessionMax", ["3600"]),
    ({"SESSION_MAX_AGE": None}, "KeycloakSessionMax", ["86400"]),
    ({"SESSION_MAX_AGE": "7200"}, "KeycloakSessionIdle", ["7200"]),
    ({"SESSION_IDLE": "600"}, "KeycloakSessionIdle", ["600"]),
    ({}, "KeycloakCookiePersistent", ["on"]),
    ({"COOKIE_PERSISTENT": "false"}, "KeycloakCookiePersistent", ["off"]),
    ({"SESSION_SAME_SITE": "Strict"}, "KeycloakCookieSameSite", ["Strict"]),
    ({"SESSION_DOMAIN": "localhost"}, "KeycloakCookieDomain", ["localhost"]),
    ({"STRICT_SESSION_VALIDATION": "true"}, "KeycloakCacheTTL", ["0"]),
    ({"STRICT_SESSION_VALIDATION": "F"}, "KeycloakCacheTTL", []),
    ({"LOG_LEVEL": "WARN"}, "LogLevel", ["warn"]),
    ({"LOG_LEVEL": "DEBUG"}, "LogLevel", ["info auth_keycloak:debug"]),
    ({"TRUSTED_PROXIES": "10.0.0.0/8,fd00::/8"}, "KeycloakTrustedProxy", ["10.0.0.0/8 fd00::/8"]),
    ({"BACKCHANNEL_URL": "https://kc.auth"}, "KeycloakBackchannelURL", ["https://kc.auth"]),
    ({"BACKCHANNEL_URL": "http://keycloak.auth:8080/kc/"}, "KeycloakBackchannelURL", ["http://keycloak.auth:8080/kc/"]),
    ({"BACKCHANNEL_URL": "http://keycloak.auth:8080/realms/kubeflow"}, "KeycloakBackchannelURL", ["http://keycloak.auth:8080/realms/kubeflow"]),
    ({}, "KeycloakClientAuth", ["client_secret_basic"]),
    ({"CLIENT_AUTH": "client_secret_post"}, "KeycloakClientAuth", ["client_secret_post"]),
    ({"CLIENT_AUTH": "client_secret_jwt", "CLIENT_AUTH_ALGORITHM": "HS512"}, "KeycloakClientAuth", ["client_secret_jwt"]),
    ({"CLIENT_AUTH": "client_secret_jwt", "CLIENT_AUTH_ALGORITHM": "HS512"}, "KeycloakClientAuthAlgorithm", ["HS512"]),
    ({"CLIENT_AUTH": "client_secret_jwt", "CLIENT_AUTH_ALGORITHM": " HS384 "}, "KeycloakClientAuthAlgorithm", ["HS384"]),
    ({"CLIENT_AUTH": "client_secret_jwt"}, "KeycloakClientAuthAlgorithm", []),
    ({"IDTOKEN_AUTHN_ENABLED": "false"}, "KeycloakBearer", ["access"]),
    ({"ACCESS_TOKEN_AUTHN_ENABLED": "0"}, "KeycloakBearer", ["id"]),
    ({"IDTOKEN_AUTHN_ENABLED": "false", "ACCESS_TOKEN_AUTHN_ENABLED": "false"}, "KeycloakBearer", ["off"]),
    ({"AUDIENCES": "a,b"}, "KeycloakAudience", ["kubeflow-oidc-authservice", "a b"]),
    ({}, "KeycloakAudience", ["kubeflow-oidc-authservice", "istio-ingressgateway.istio-system.svc.cluster.local"]),
    ({"USERID_TOKEN_HEADER": "x-token"}, "KeycloakIDTokenHeader", ["x-token"]),
    # What pages repeat by themselves: the dashboard, JupyterLab in a notebook, and in a workspace of Notebooks v2.
    ({}, "KeycloakIdleIgnore", ["/api/metrics /notebook/*/*/api/kernels /notebook/*/*/api/terminals "
                                "/workspace/connect/*/*/*/api/kernels /workspace/connect/*/*/*/api/terminals"]),
]


@pytest.mark.parametrize("settings, directive, values", HONOURED, ids=[f"{'+'.join(row[0])}-{row[1]}-{at}" for at, row in enumerate(HONOURED)])
def test_honoured(enter, settings, directive, values):
    found = enter(settings)
    assert found.values(directive) == values, found.lines


WARNED = ["AFTER_LOGIN_URL", "STATIC_DESTINATION_URL", "CLIENT_NAME", "THEME", "THEMES_URL", "TEMPLATE_PATH", "TEMPLATE_CONTEXT_KEY", "SESSION_STORE_TYPE",
          "SESSION_STORE_PATH", "SESSION_STORE_REDIS_ADDR", "SESSION_STORE_REDIS_PWD", "SESSION_STORE_REDIS_DB",
          "OIDC_STATE_STORE_PATH", "CACHE_ENABLED", "CACHE_EXPIRATION_MINUTES", "SCHEME_DEFAULT", "SCHEME_HEADER",
          "TOKEN_HEADER", "TOKEN_SCHEME", "AUTH_HEADER", "ID_TOKEN_HEADER", "AUTH_METHOD_HEADER"]


@pytest.mark.parametrize("name", WARNED)
def test_what_is_not_honoured_is_named(enter, name):
    assert not enter({}).warns(name)
    found = enter({name: "X-Something"})
    assert found.status == 0 and found.warns(name), found.said
    assert "X-Something" not in " ".join(found.warnings), "values are not repeated"


@pytest.mark.parametrize("name, value", [("HOMEPAGE_URL", "/x"), ("ACCESS_TOKEN_AUTHN", "opaque"), ("VERIFY_AUTH_URL", "/v"),
                                         ("KUBERNETES_AUTHN_ENABLED", "true")])
def test_what_is_not_honoured_is_named_where_it_differs(enter, name, value):
    assert enter({name: value}).warns(name)


def test_tokens_of_service_accounts_are_named_as_refused(enter):
    """The original takes them unless it is told not to."""
    name = "KUBERNETES_AUTHN_ENABLED"
    assert enter({}).warns(name) and enter({name: ""}).warns(name) and enter({name: "T"}).warns(name)
    assert not enter({name: "false"}).warns(name) and not enter({name: "F"}).warns(name)
    other = {"MODE": "proxy", "BACKEND_URL": "http://backend.example.com"}
    assert enter({**other, name: "true"}).warns(name)
    assert not enter(other).warns(name), "nobody comes from the original to this mode"
    assert enter({name: "perhaps"}).status == 64


@pytest.mark.parametrize("settings, name", [
    ({}, "keycloak_session"), ({"PUBLIC_URL": "https://kf.example.com", "REDIRECT_URL": ""}, "__Host-keycloak_session"),
    ({"PUBLIC_URL": "https://kf.example.com", "REDIRECT_URL": "", "SESSION_DOMAIN": "example.com"}, "__Secure-keycloak_session"),
    ({"REDIRECT_URL": ""}, "keycloak_session, over https __Host-keycloak_session"),
])
def test_the_start_names_the_cookie(enter, settings, name):
    """Scripts that copy authservice_session look for its successor."""
    found = enter(settings)
    assert found.status == 0 and f": the session cookie is called {name}, in place of authservice_session\n" in found.said, found.said


def test_an_algorithm_without_its_method_is_named(enter):
    found = enter({"CLIENT_AUTH_ALGORITHM": "HS384"})
    assert found.status == 0 and found.warns("CLIENT_AUTH_ALGORITHM"), found.said
    assert not enter({"CLIENT_AUTH_ALGORITHM": "HS384", "CLIENT_AUTH": "client_secret_jwt"}).warns("CLIENT_AUTH_ALGORITHM")


@pytest.mark.parametrize("name", ["EXTERNAL_AUTHZ_URL", "AUTHZ_CONFIG_PATH"])
def test_what_kept_people_out_is_not_dropped(enter, name):
    found = enter({name: "http://authz.example.com"})
    assert found.status == 64 and found.complaints[0].startswith(f"{name} restricts access"), found.said
    found = enter({name: "http://authz.example.com", "IGNORED_ACCESS_RULES": f"OTHER,{name}"})
    assert found.status == 0 and found.warns(name)


def test_groups(enter):
    found = enter({"GROUPS_ALLOWLIST": "/platform/admins, data science,we\"ird\\"})
    assert "Define KCI_GROUPS" in found.lines
    assert len(found.file("groups.conf").splitlines()) == 3
    assert [found.read(line) for line in found.file("groups.conf").splitlines()] == [
        "Require keycloak-group /platform/admins", "Require keycloak-group data science", 'Require keycloak-group we"ird\\']
    for everybody in ("*", "a,*"):
        assert "Define KCI_GROUPS" not in enter({"GROUPS_ALLOWLIST": everybody}).lines


@pytest.mark.parametrize("value", ["", " , "])
def test_no_group_at_all_opens_nothing(enter, value):
    found = enter({"GROUPS_ALLOWLIST": value})
    assert found.status == 64 and "GROUPS_ALLOWLIST names no group" in found.said


TRANSFORMERS = [
    ('[{"matches": "@example\\\\.com$", "replaces": ""}]', "@example\\.com$ "),
    ('[{"matches": "a\\"b$", "replaces": "c d\\"e"}]', 'a"b$ c d"e'),
    ('[{"matches":"^(.*)@(.*)$","replaces":"${2}-$1"}]', "^(.*)@(.*)$ \\2-\\1"),
    ('[{"matches":"^[\\\\.a-z]{2,3}$","replaces":"a\\\\b$$"}]', "^[.a-z]{2,3}$ a\\\\b$"),
    ('[{"matches":"^\\u00e9@", "replaces":"$3x"}]', None),
    ('[{"matches":"^\\u00e9@", "replaces":"${3}x"}]', "^\u00e9@ x"),
]


@pytest.mark.parametrize("text, line", TRANSFORMERS)
def test_transformers(enter, text, line):
    found = enter({"USERID_TRANSFORMERS": text})
    if line is None:
        assert found.status == 64 and "USERID_TRANSFORMERS" in found.said
    else:
        assert found.values("KeycloakUserTransform") == [line]


@pytest.mark.parametrize("regex", ["(?i)a", "\\d+", "a*?", "\\bx", "[[:word:]]", "[\\d]", "a{,2}", "", "(", "a||b", "\\Qa"])
def test_expressions_of_go_that_posix_lacks(enter, regex):
    quoted = regex.replace("\\", "\\\\")
    found = enter({"USERID_TRANSFORMERS": f'[{{"matches":"{quoted}","replaces":""}}]'})
    assert found.status == 64, found.lines
    assert "USERID_TRANSFORMERS" in found.said or "KeycloakUserTransform" in found.said, found.said


@pytest.mark.parametrize("text", ["x", "{}", '[{"matches":"a"}]', '[{"replaces":"a"}]', '["a"]', '[{"matches":"a","replaces":"b"}', '[]x',
                                  '[{"matches":"a","replaces":1}]', '[{"matches":"a\nb","replaces":""}]', '[{"matches":"a\\n","replaces":""}]'])
def test_transformers_that_are_no_list_of_rules(enter, text):
    found = enter({"USERID_TRANSFORMERS": text})
    assert found.status == 64 and "USERID_TRANSFORMERS" in found.complaints[0], found.said


def test_remarks_on_expressions_that_read_otherwise(enter):
    found = enter({"USERID_TRANSFORMERS": '[{"matches":"a|ab","replaces":"x"}]'})
    assert found.status == 0 and found.warns("USERID_TRANSFORMERS"), found.said


def test_sessions_in_memcached(enter, tmp_path):
    key = tmp_path / "key"
    key.write_text("k" * 40 + "\n")
    found = enter({"MEMCACHED_SERVERS": "mc-0.mc:11211, mc-1.mc:11211", "CRYPTO_KEY": "k" * 40})
    assert found.values("KeycloakMemcached") == ["mc-0.mc:11211 mc-1.mc:11211"]
    assert found.values("KeycloakCryptoKey")[0].endswith("/crypto-key") and not found.warns("MEMCACHED_SERVERS")
    found = enter({"MEMCACHED_SERVERS": "mc-0.mc:11211"})
    assert found.status == 64 and "CRYPTO_KEY_FILE is missing" in found.said


@pytest.mark.parametrize("address, is_odd", [
    ("/dex/auth", True), ("https://dex.example.com/auth", True), ("/realms/master/protocol/openid-connect/auth", False),
    ("https://sso.example.com/keycloak/realms/master/protocol/openid-connect/auth", False)])
def test_an_address_from_before_is_named(enter, address, is_odd):
    found = enter({"OIDC_AUTH_URL": address})
    assert found.status == 0 and found.values("KeycloakAuthURL") == [address]
    assert bool(found.warns("OIDC_AUTH_URL")) == is_odd, found.said


def test_backends(enter):
    found = enter({"MODE": "proxy", "BACKEND_URL": "http://gateway.example.com/"})
    assert found.status == 0 and found.environment["KCI_BACKEND"] == "http://gateway.example.com", found.said
    found = enter({"MODE": "sidecar", "BACKEND_PORT": "8888"})
    assert found.status == 0 and found.environment["KCI_BACKEND"] == "http://127.0.0.1:8888", found.said
    assert "BACKEND_URL is missing" in enter({"MODE": "proxy"}).said
    assert "BACKEND_URL must be on the loopback" in enter({"MODE": "sidecar", "BACKEND_URL": "http://10.1.2.3"}).said
