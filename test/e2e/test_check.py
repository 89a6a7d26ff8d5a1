# SPDX-License-Identifier: Apache-2.0
"""httpd -t -D KEYCLOAK_CHECK: a healthy set-up is well, and each misconfiguration is named with its cure."""

import pytest

from checked import Row, assert_named, check, client, configured, realm
from site_under_test import private_file


@pytest.fixture(scope="module")
def site(new_site, realm, authority):
    site = new_site(realm, start=False, settings="KeycloakPublicURL {url}\nKeycloakScope openid profile email")
    site.authority = authority
    site.realm.allow_site(site.url)
    return site


def issuer(text):
    """A configuration with this issuer; {port}, {tls_port}, {realm} and {ca} are filled in."""
    return lambda site: configured(site, "KeycloakIssuer        " + site.realm.issuer, "KeycloakIssuer " + text.format(
        port=site.realm.server.port, tls_port=site.realm.server.tls_port, realm=site.realm.name, ca=site.authority))


def setting(line, old="KeycloakPublicURL"):
    return lambda site: configured(site, old, line.format(url=site.url, folder=site.folder) + "\n" + old)


def wrong_secret(site):
    private_file(site.folder / "wrong-secret", "s3cret-canary")
    return configured(site, "/client-secret", "/wrong-secret")


ROWS = {
    "issuer-host": Row(issuer("http://127.0.0.1:{port}/realms/{realm}"), "issuer.equal",
                       "the host differs", "write KeycloakIssuer http://localhost:"),
    "issuer-slash": Row(issuer("http://localhost:{port}/realms/{realm}/"), "issuer.equal",
                        "the slash at the end differs", "write KeycloakIssuer"),
    "issuer-scheme": Row(issuer("https://localhost:{tls_port}/realms/{realm}\nKeycloakCAFile {ca}/ca.pem"), "issuer.equal",
                         "the scheme, the port differs", "write KeycloakIssuer http://localhost:"),
    "issuer-realm": Row(issuer("http://localhost:{port}/realms/nobodys"), "issuer.discovery", "status 404", "has no such realm"),
    "issuer-path": Row(issuer("http://localhost:{port}/auth/realms/{realm}"), "issuer.discovery",
                       "status 404", "answers below http://localhost"),
    "ca": Row(issuer("https://localhost:{tls_port}/realms/{realm}"), "issuer.tls", "certificate", "KeycloakCAFile"),
    "https-to-http": Row(issuer("https://localhost:{port}/realms/{realm}"), "issuer.tls", "", "speaks http, not https"),
    "http-to-https": Row(issuer("http://localhost:{tls_port}/realms/{realm}"), "issuer.discovery", "", "https"),
    "name": Row(issuer("https://keycloak.invalid/realms/{realm}"), "issuer.dns", "keycloak.invalid", "correct the host in KeycloakIssuer"),
    "down": Row(issuer("http://localhost:1/realms/{realm}"), "issuer.tcp", "no connection to port 1", "see that Keycloak runs"),
    "ipv6": Row(issuer("https://[::1]:{port}/realms/{realm}"), "issuer.tcp", "no connection", "IPv4 and IPv6 count apart"),
    "proxy": Row(issuer("http://localhost:1/realms/{realm}"), "issuer.tcp", "", "uses no proxy, so http_proxy in the environment",
                 env={"http_proxy": "http://127.0.0.1:1"}),
    "backchannel-port": Row(setting("KeycloakBackchannelURL http://localhost:1"), "issuer.tcp", "port 1", "KeycloakBackchannelURL"),
    "client-id": Row(lambda site: configured(site, "KeycloakClientID      ", "KeycloakClientID no-such-"), "client.id",
                     "Client not found", "correct KeycloakClientID"),
    "client-disabled": Row(lambda site: client(site, enabled=False), "client.id", "Client disabled", "enable the client"),
    "client-bearer-only": Row(lambda site: client(site, standardFlowEnabled=False), "client.flow",
                              "Standard flow is disabled", "turn on Standard flow"),
    "client-par": Row(lambda site: client(site, {"require.pushed.authorization.requests": "true"}), "client.flow",
                      "Pushed Authorization Request", "turn off Pushed authorization request"),
    "client-pkce": Row(lambda site: client(site, {"pkce.code.challenge.method": "plain"}), "client.pkce",
                       "code challenge method", "set the client's PKCE method to S256"),
    "redirect-uri": Row(lambda site: client(site, redirectUris=["https://other.example.com/*"]), "client.redirect_uri",
                        "/authservice/oidc/callback", "to Valid redirect URIs"),
    "redirect-uri-slash": Row(setting("KeycloakPrefix /auth/"), "client.redirect_uri", "/auth/oidc/callback", "to Valid redirect URIs"),
    "scope": Row(lambda site: configured(site, "KeycloakScope openid", "KeycloakScope openid nosuch roles"), "client.scope",
                 "the scope nosuch", "give the client the client scope nosuch"),
    "secret": Row(wrong_secret, "client.credentials", "unauthorized_client", "copy the secret from the client's Credentials"),
    "client-authenticator": Row(lambda site: client(site, clientAuthenticatorType="client-secret-jwt"), "client.credentials",
                                "client_assertion_type is missing", "Client Authenticator"),
    "client-auth": Row(setting("KeycloakClientAuth client_secret_jwt\nKeycloakClientAuthAlgorithm HS512"), "client.credentials",
                       "", "Client Authenticator"),
    "client-auth-none": Row(setting("KeycloakClientAuth none"), "client.credentials", "unauthorized_client", "the client is confidential"),
    "client-public": Row(lambda site: client(site, publicClient=True), "client.confidential", "a public one",
                         "turn on Client authentication", "warning"),
    "post-logout": Row(lambda site: client(site, {"post.logout.redirect.uris": "-"}), "logout.return",
                       "does not return to", "to Valid post logout redirect URIs"),
    "realm-disabled": Row(lambda site: realm(site, enabled=False), "client.id", "Realm not enabled", "enable the realm"),
    "ssl-required": Row(lambda site: realm(site, sslRequired="all"), "issuer.discovery", "status 403", "Require SSL"),
    "algorithms": Row(setting("KeycloakAlgorithms ES256"), "keys.algorithms", "keys for RS256", "KeycloakAlgorithms"),
}


@pytest.mark.parametrize("row", ROWS)
def test_misconfiguration(site, row):
    with ROWS[row].made(site):
        report = check(site, env=ROWS[row].env)
    assert "s3cret-canary" not in report.text + report.errors
    assert_named(report, ROWS[row])


def test_healthy(site):
    report = check(site)
    assert report.status == 0, report
    assert not report.of("failed") and not report.of("warning"), report
    assert report.seconds < 3, report


def test_nothing_is_asked_without_the_define(site):
    with issuer("https://keycloak.invalid/realms/nobodys")(site):
        report = check(site)
        plain = check(site, defines=())
    assert report.status == 1
    assert plain.status == 0 and plain.text == "" and "Syntax OK" in plain.errors, plain
