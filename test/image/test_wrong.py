# SPDX-License-Identifier: Apache-2.0
"""Missing, wrong or hostile settings in the environment: they are reported, and never become a line of configuration."""

import concurrent.futures
import os
import re

import pytest

NASTY = [
    'x\nKeycloakVerifiedEmail off', 'a"\nInclude /etc/passwd', '"><Location />Require all granted</Location>',
    "${CLIENT_SECRET}", "$(touch /tmp/pwned)", "`id`", "%{CLIENT_SECRET}e", "a b c", "'; exit 0; '", "\\", "a\\",
    "</VirtualHost>", "\x1b[2J", "*", "?", "-DKCI_X", "é" * 40, "x" * 5000, "\t",
]
NAMES = ["OIDC_PROVIDER", "OIDC_AUTH_URL", "OIDC_SCOPES", "CLIENT_ID", "AUTHSERVICE_URL_PREFIX", "REDIRECT_URL", "PUBLIC_URL",
         "SKIP_AUTH_URLS", "SKIP_AUTH_URI", "AFTER_LOGIN_URL", "AFTER_LOGOUT_URL", "HOMEPAGE_URL", "VERIFY_AUTH_URL", "USERID_HEADER",
         "USERID_PREFIX", "USERID_CLAIM", "USERID_TRANSFORMERS", "USERID_TOKEN_HEADER", "GROUPS_HEADER", "GROUPS_CLAIM",
         "GROUPS_ALLOWLIST", "AUTH_METHOD_HEADER", "AUTH_HEADER", "AUDIENCES", "SESSION_MAX_AGE", "SESSION_SAME_SITE", "SESSION_DOMAIN",
         "SERVER_HOSTNAME", "SERVER_PORT", "METRICS_PORT", "LOG_LEVEL", "LOG_FORMAT", "CA_BUNDLE", "MEMCACHED_SERVERS", "MEMCACHED_USER", "CRYPTO_KEY_FILE",
         "TRUSTED_PROXIES", "BACKCHANNEL_URL", "CLIENT_AUTH", "CLIENT_AUTH_ALGORITHM", "ENDPOINT_ORIGINS", "CACHE_SIZE", "IDLE_IGNORE", "THEME", "MODE"]


@pytest.mark.parametrize("name", NAMES)
def test_values_never_become_configuration(enter, name):
    """The lines are those of a harmless value, but for the number of words of a list."""
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda value: enter({name: value}), NASTY))
    for found in outcomes:
        assert found.status in (0, 64), found.said
        said = found.said.encode("utf-8", "surrogateescape")
        assert b"\x1b" not in said and b"the-secret-of-the-client" not in said, found.said
        if found.status == 64:
            assert found.complaints and all(found.complaints), found.said
            continue
        assert not os.path.exists("/tmp/pwned")
        for line in found.written:
            words = line.split(" ")
            assert words[0] in ("Define", "LogLevel", "<IfDirective", "</IfDirective>") or \
                all(re.fullmatch(r'"(\$\{KCI_\w+\})?"', word) for word in words[1:]), line
        assert found.file("arguments").splitlines() == ["-DFOREGROUND", "-f", found.environment["KC_IMAGE_CONF"] + "/httpd.conf"]


@pytest.mark.parametrize("group", ['x" granted', "${CLIENT_SECRET}", "a\nRequire all granted", "\\", '"'])
def test_groups_never_become_configuration(enter, group):
    found = enter({"GROUPS_ALLOWLIST": group})
    if found.status == 0:
        lines = found.file("groups.conf").splitlines()
        assert len(lines) == 1 and re.fullmatch(r'Require keycloak-group "\$\{KCI_GROUP_\d+\}"', lines[0]), lines
        assert found.read(lines[0]) == "Require keycloak-group " + group
    else:
        assert found.status == 64 and "GROUPS_ALLOWLIST" in found.said


@pytest.mark.parametrize("route", ['x"></LocationMatch>', "${CLIENT_SECRET}", "a\nRequire all granted", "\\", '"', "^/a>", "^/[^\"<>]+"])
def test_routes_never_become_configuration(enter, route):
    found = enter({"API_ROUTES": route})
    if found.status == 0:
        lines = found.file("routes.conf").splitlines()
        assert re.fullmatch(r'<LocationMatch "\$\{KCI_API_ROUTE_\d+\}">', lines[0]), lines
        assert lines[1:] == ["    KeycloakUnauth 401", "</LocationMatch>"]
        assert found.read(lines[0].removesuffix(">")) == "<LocationMatch " + route
    else:
        assert found.status == 64 and "API_ROUTES" in found.said


def test_values_are_read_as_they_are(enter):
    """Neither taken apart nor looked up once more."""
    value = 'a "b" \\ \\\\ ${CLIENT_SECRET} %{x}e $1 \'c\' <d>'
    found = enter({"CLIENT_ID": value, "USERID_PREFIX": value})
    assert found.values("KeycloakClientID") == [value] and found.values("KeycloakUserPrefix") == [value]


def test_all_that_is_missing_is_named_at_once(enter):
    found = enter({}, base={})
    assert found.status == 64
    for name in ("OIDC_PROVIDER", "CLIENT_ID", "CLIENT_SECRET", "AUTHSERVICE_URL_PREFIX"):
        assert sum(line.startswith(f"{name} is missing: ") for line in found.complaints) == 1, found.said
    assert found.said.splitlines()[-1].startswith("keycloak-image: not started: "), found.said


def test_names_are_those_of_the_mode(enter):
    found = enter({"MODE": "oauth2-proxy"}, base={})
    (line,) = [line for line in found.complaints if "Credentials" in line]
    assert line.startswith("OAUTH2_PROXY_CLIENT_SECRET is missing: ") and "OAUTH2_PROXY_CLIENT_SECRET_FILE" in line
    found = enter({"MODE": "sidecar"})
    assert any(line.startswith("BACKEND_PORT is missing: ") for line in found.complaints), found.said


WRONG = [
    {"OIDC_PROVIDER": "keycloak.example.com"}, {"OIDC_PROVIDER": '"https://kc.example.com/realms/a"'}, {"OIDC_PROVIDER": "ftp://x"},
    {"OIDC_AUTH_URL": "auth"}, {"AUTHSERVICE_URL_PREFIX": "/"}, {"AUTHSERVICE_URL_PREFIX": "authservice"},
    {"AUTHSERVICE_URL_PREFIX": "/a/../b/"}, {"REDIRECT_URL": "/login/oidc"}, {"REDIRECT_URL": "x"}, {"SKIP_AUTH_URLS": "dex"},
    {"SKIP_AUTH_URLS": "/a/../b"}, {"SKIP_AUTH_URLS": "/a*"}, {"USERID_HEADER": "a b"}, {"GROUPS_HEADER": "a:b"},
    {"SESSION_MAX_AGE": "1d"}, {"SESSION_MAX_AGE": "0"}, {"SESSION_MAX_AGE": "-1"}, {"SESSION_SAME_SITE": "lax"},
    {"SESSION_SAME_SITE": "None"}, {"STRICT_SESSION_VALIDATION": "yes"}, {"LOG_LEVEL": "TRACE"}, {"SERVER_PORT": "0"},
    {"SERVER_PORT": '"8080"'}, {"SERVER_PORT": "65536"}, {"SERVER_PORT": "8081"}, {"METRICS_PORT": "0"}, {"METRICS_PORT": "none"},
    {"METRICS_PORT": "127.0.0.1:9090"}, {"METRICS_PORT": "OFF"}, {"CA_BUNDLE": "/nowhere"}, {"CA_BUNDLE": "x"},
    {"MEMCACHED_SERVERS": "a b|c"}, {"CRYPTO_KEY": "short"}, {"CRYPTO_KEY_FILE": "/nowhere"}, {"CLIENT_SECRET": "a\nb"},
    {"CLIENT_SECRET_FILE": "/nowhere", "CLIENT_SECRET": ""}, {"MODE": "judges"}, {"BACKCHANNEL_URL": "/x"}, {"TRUSTED_PROXIES": "everybody"},
    {"BACKCHANNEL_URL": "keycloak.auth/kc"}, {"CLIENT_AUTH": "none"}, {"CLIENT_AUTH": "Client_Secret_Post"},
    {"CLIENT_AUTH": "private_key_jwt"}, {"CLIENT_AUTH_ALGORITHM": "RS256"}, {"CLIENT_AUTH_ALGORITHM": "hs256"},
    {"IDTOKEN_AUTHN_ENABLED": "maybe"}, {"DRAIN_SECONDS": "x"},
]


@pytest.mark.parametrize("settings", WRONG, ids=lambda settings: "-".join(f"{name}-{value}" for name, value in settings.items()))
def test_wrong_value_is_named(enter, settings):
    found = enter(settings)
    name = next(iter(settings))
    assert found.status == 64, found.said
    assert any(line.startswith(name) or re.search(rf"\b{name}\b", line) for line in found.complaints) or settings == {"SERVER_PORT": "8081"}, found.said
    assert not [line for line in found.complaints if re.search(r"\bKeycloak[A-Z]", line)], "a directive, which nobody wrote"


@pytest.mark.parametrize("settings, name", [
    ({"TRUSTED_PROXIES": "everybody"}, "TRUSTED_PROXIES"), ({"PUBLIC_URL": "https://kf.example.com"}, "REDIRECT_URL"),
    ({"SESSION_DOMAIN": "com"}, "SESSION_DOMAIN"), ({"USERID_HEADER": "cookie"}, "USERID_HEADER"),
])
def test_what_httpd_refuses_has_the_settings_name(enter, settings, name):
    found = enter(settings)
    assert found.status == 64 and re.search(rf"httpd refuses: .*\b{name}\b", found.said), found.said


def test_quotes_that_kustomize_keeps_are_explained(enter):
    assert "the quotes are part of the value" in enter({"OIDC_PROVIDER": '"https://kc.example.com/realms/a"'}).said


def test_file_that_others_can_read_is_refused(enter, tmp_path):
    key = tmp_path / "key"
    key.write_text("k" * 40)
    key.chmod(0o644)
    found = enter({"CRYPTO_KEY_FILE": key})
    assert found.status == 64 and "can be read or written by others" in found.said


def test_secrets_do_not_go_into_arguments_or_files(enter):
    found = enter({"CRYPTO_KEY": "canary-of-the-crypto-key-0123456789"})
    assert found.status == 0, found.said
    assert "CRYPTO_KEY" not in found.environment, "it is in a file that only httpd reads"
    for file in found.folder.iterdir():
        if file.is_file() and file.name not in ("environment", "crypto-key"):
            text = file.read_text()
            assert "canary-of" not in text and "the-secret-of" not in text, file.name
    assert "canary-of" not in found.said and "the-secret-of" not in found.said
