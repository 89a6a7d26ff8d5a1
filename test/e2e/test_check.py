# SPDX-License-Identifier: Apache-2.0
"""httpd -t -D KEYCLOAK_CHECK: a healthy set-up is well, and each misconfiguration is named with its cure."""

import http.server
import socket
import threading
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest

from checked import Row, assert_named, check, client, configured, realm, together, user, without
from site_under_test import private_file


@pytest.fixture(scope="module")
def site(new_site, realm, authority):
    """Not started. Its client gives tokens directly, as it is recommended for the time of a check."""
    site = new_site(realm, start=False, settings="KeycloakPublicURL {url}\nKeycloakScope openid profile email")
    site.authority = authority
    site.realm.allow_site(site.url)
    site.realm.send_logouts_to(site.url)
    site.realm.change_client(lambda record: record.update(directAccessGrantsEnabled=True))
    return site


def credentials(site, username="alice"):
    """The environment of a check that has a user and an administrator."""
    return {"KEYCLOAK_CHECK_USER": username, "KEYCLOAK_CHECK_PASSWORD": site.realm.passwords[username],
            "KEYCLOAK_CHECK_ADMIN": "admin", "KEYCLOAK_CHECK_ADMIN_PASSWORD": site.realm.server.admin_password}


def issuer(text):
    """A configuration with this issuer; {port}, {tls_port}, {realm} and {ca} are filled in."""
    return lambda site: configured(site, "KeycloakIssuer        " + site.realm.issuer, "KeycloakIssuer " + text.format(
        port=site.realm.server.port, tls_port=site.realm.server.tls_port, realm=site.realm.name, ca=site.authority))


def setting(line, old="KeycloakPublicURL"):
    return lambda site: configured(site, old, line.format(
        url=site.url, folder=site.folder, tls_port=site.realm.server.tls_port, ca=site.authority) + "\n" + old)


def wrong_secret(site):
    private_file(site.folder / "wrong-secret", "s3cret-canary")
    return configured(site, "/client-secret", "/wrong-secret")


def as_it_is(_site):
    return nullcontext()


@contextmanager
def hanging(site):
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://localhost:{listener.getsockname()[1]}"
        with setting(f"KeycloakBackchannelURL {address}\nKeycloakHTTPTimeout 1s")(site):
            yield


def require(line):
    return lambda site: configured(site, "Require valid-user", "Require " + line)


def without_mapper(name):
    """The client without one of its mappers."""
    def made(site):
        record = site.realm.admin("GET", "/clients/" + site.realm.client_uuid)
        assert name in [mapper["name"] for mapper in record["protocolMappers"]]
        return without(site, next(mapper for mapper in record["protocolMappers"] if mapper["name"] == name))
    return made


FAKETIME = next((str(path) for path in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "the package libfaketime")

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
    "backchannel-wrong-host": Row(setting("KeycloakBackchannelURL https://127.0.0.1:{tls_port}\nKeycloakCAFile {ca}/ca.pem"), "issuer.tls",
                                  "subject name", "its names must have the host"),
    "hangs": Row(hanging, "issuer.discovery", "timed out", "Keycloak's log"),
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
    "redirect-uri-slash": Row(setting("KeycloakPrefix /auth/"), "client.redirect_uri", "/auth/oidc/callback", "to Valid redirect URIs",
                              also=("logout.registered",)),
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
    "user-password": Row(as_it_is, "tokens.user", "Invalid user credentials", "KEYCLOAK_CHECK_PASSWORD",
                         env={"KEYCLOAK_CHECK_PASSWORD": "s3cret-canary"}),
    "direct-grants": Row(lambda site: client(site, directAccessGrantsEnabled=False), "tokens.user", "direct access grants",
                         "turn on Direct access grants", "unknown"),
    "user-claim": Row(setting("KeycloakUserClaim department"), "tokens.user", "claim department is absent", "KeycloakUserClaim"),
    "email-verified": Row(lambda site: user(site, "alice", emailVerified=False), "tokens.email", "email_verified", "Email verified"),
    "groups-mapper": Row(together(without_mapper("groups"), require("keycloak-group /team")), "tokens.groups",
                         "no token has the claim groups", "Group Membership"),
    "groups-unasked": Row(without_mapper("groups"), "tokens.groups", "no token has the claim groups", "Group Membership", "warning"),
    "roles-lightweight": Row(together(lambda site: client(site, {"client.use.lightweight.access.token.enabled": "true"}),
                                      require("keycloak-role admin")), "tokens.roles",
                             "the access token gives no roles: it is a lightweight one", "Add to lightweight access token"),
    "header-claim": Row(setting("KeycloakHeader X-Department department"), "tokens.claims", "the claim department of the header X-Department",
                        "add a mapper", "warning"),
    "required-claim": Row(require("keycloak-claim department = sales"), "tokens.claims", "asks for the claim department, which no token has",
                          "add a mapper"),
    "required-access-claim": Row(require("keycloak-claim realm_access exists"), "tokens.claims", "the access token alone has",
                                 "Add to ID token"),
    "audience": Row(setting("KeycloakBearer on"), "tokens.audience", "aud has none of KeycloakAudience", "add the mapper Audience"),
    "clock": Row(as_it_is, "issuer.clock", "s behind this host's", "synchronise the clocks",
                 env={"LD_PRELOAD": FAKETIME, "FAKETIME": "+600s"}, also=("memcached.clock",)),
    "clock-behind": Row(as_it_is, "issuer.clock", "s ahead of this host's", "synchronise the clocks",
                        env={"LD_PRELOAD": FAKETIME, "FAKETIME": "-120s"}, also=("memcached.clock",)),
    "backchannel-absent": Row(lambda site: client(site, {"backchannel.logout.url": ""}), "logout.registered",
                              "no Backchannel logout URL", "/authservice/backchannel-logout", "warning"),
    "backchannel-url": Row(lambda site: client(site, {"backchannel.logout.url": "http://localhost:1/logout"}), "logout.registered",
                           "to http://localhost:1/logout, not to", "/authservice/backchannel-logout"),
    "administrator": Row(as_it_is, "logout.registered", "Invalid user credentials", "Backchannel logout URL",
                         "unknown", env={"KEYCLOAK_CHECK_ADMIN_PASSWORD": "s3cret-canary"}),
    "algorithms": Row(setting("KeycloakAlgorithms ES256"), "keys.algorithms", "keys for RS256", "KeycloakAlgorithms", also=("tokens.id",)),
}


@pytest.mark.parametrize("row", ROWS)
def test_misconfiguration(site, row):
    with ROWS[row].made(site):
        report = check(site, env={**credentials(site), **ROWS[row].env})
    assert "s3cret-canary" not in report.text + report.errors
    assert_named(report, ROWS[row])


def test_healthy(new_site, site):
    """httpd runs, and Keycloak is asked about a user and by an administrator: each line is ok."""
    site.start()
    try:
        # other work on this machine may slow down one of them
        reports = [check(site, env=credentials(site)) for _ in range(3)]
    finally:
        site.httpd.stop()
    report = min(reports, key=lambda each: each.seconds)
    print(f"a healthy set-up is checked in {report.seconds:.2f} s")
    assert report.status == 0 and report.results, report
    assert not [result for result in report.results if result["outcome"] != "ok"], report
    assert report.seconds < 3, report
    assert not site.realm.sessions("alice"), "the check has ended its session"


def test_healthy_by_another_way_inside(site):
    """httpd reaches Keycloak by https under an authority of its own, browsers by the issuer's address."""
    with setting("KeycloakBackchannelURL https://localhost:{tls_port}\nKeycloakCAFile {ca}/ca.pem")(site):
        report = check(site, env=credentials(site))
    assert report.status == 0 and not report.of("warning"), report
    assert sorted(report.of("unknown")) == ["logout.backchannel"], report
    assert report.of("ok").keys() >= {"issuer.tls", "issuer.public", "tokens.id", "logout.registered"}, report


def test_an_answer_of_another_is_no_answer_of_the_module(site):
    """What stands before httpd, or beside it, takes the address for logout tokens."""
    class Other(http.server.BaseHTTPRequestHandler):
        """Answers every form with 404."""

        def do_POST(self):  # pylint: disable=invalid-name
            """As a proxy that does not hand on the path."""
            self.send_error(404)

        def log_message(self, *_):  # pylint: disable=arguments-differ
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", site.port), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        report = check(site, env=credentials(site))
        other.shutdown()
    failed = report.of("failed")
    assert list(failed) == ["logout.backchannel"], report
    assert "status 404, not 400" in failed["logout.backchannel"]["text"], report


def test_without_credentials_nothing_has_failed(site):
    report = check(site)
    assert report.status == 0, report
    assert sorted(report.of("unknown")) == ["issuer.clock", "logout.backchannel", "logout.registered", "tokens.user"], report
    assert not report.of("failed") and not report.of("warning"), report


def test_service_account(site):
    """It has tokens without a user, and may read its own client where it has the role for it."""
    with client(site, serviceAccountsEnabled=True):
        report = check(site)
        assert report.of("ok").keys() >= {"tokens.id", "issuer.clock"}, report
        assert sorted(report.of("unknown")) == ["logout.backchannel", "logout.registered", "tokens.groups", "tokens.user"], report
        account = site.realm.admin("GET", f"/clients/{site.realm.client_uuid}/service-account-user")["id"]
        management = site.realm.admin("GET", "/clients?clientId=realm-management")[0]["id"]
        role = site.realm.admin("GET", f"/clients/{management}/roles/view-clients")
        site.realm.admin("POST", f"/users/{account}/role-mappings/clients/{management}", [role])
        report = check(site)
    assert "logout.registered" in report.of("ok"), report


def test_text_and_json_have_the_same_results_without_secrets(site):
    hidden = credentials(site)
    report = check(site, env=hidden)
    lines = check(site, form="text", env=hidden).text.splitlines()
    assert len(lines) == len(report.results) + 1, lines
    for line, result in zip(lines, report.results):
        assert line.split()[:3] == [result["outcome"], result["server"], result["check"]], (line, result)
        assert result["cure"] in line
    text = report.text + "\n".join(lines)
    for secret in (site.realm.secret, hidden["KEYCLOAK_CHECK_PASSWORD"], hidden["KEYCLOAK_CHECK_ADMIN_PASSWORD"],
                   (site.folder / "crypto-key").read_text().strip()):
        assert secret not in text


def test_virtual_hosts(site):
    """One with the same settings is asked once; one with another public address is asked again."""
    hosts = "".join(f"""
<VirtualHost *:{site.port}>
    ServerName {name}
    {line}
</VirtualHost>""" for name, line in (("one.example.com", ""), ("two.example.com", ""),
                                     ("three.example.com", "KeycloakPublicURL https://three.example.com")))
    with configured(site, "KeycloakPublicURL", hosts + "\nKeycloakPublicURL"):
        report = check(site)
    same = [result["server"] for result in report.results if result["check"] == "server.same"]
    assert sorted(same) == ["one.example.com:%d" % site.port, "two.example.com:%d" % site.port], report
    refused = [result for result in report.results if result["outcome"] == "failed"]
    assert [result["server"].split(":")[0] for result in refused] == ["three.example.com"], report
    assert "https://three.example.com/authservice/oidc/callback" in refused[0]["cure"], report


def test_nothing_is_asked_without_the_define(site):
    with issuer("https://keycloak.invalid/realms/nobodys")(site):
        report = check(site)
        plain = check(site, defines=())
    assert report.status == 1
    assert plain.status == 0 and plain.text == "" and "Syntax OK" in plain.errors, plain
