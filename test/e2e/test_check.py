# SPDX-License-Identifier: Apache-2.0
"""httpd -t -D KEYCLOAK_CHECK: a healthy set-up is well, and each misconfiguration is named with its cure."""

import pytest

from checked import check


@pytest.fixture(scope="module")
def site(new_site, realm):
    site = new_site(realm, start=False, settings="KeycloakPublicURL {url}")
    site.realm.allow_site(site.url)
    return site


def with_issuer(site, issuer):
    """The same site with another issuer in its configuration; it is not started."""
    text = site.httpd.file.read_text(encoding="utf-8")
    site.httpd.file.write_text(text.replace(site.realm.issuer, issuer), encoding="utf-8")
    try:
        return check(site)
    finally:
        site.httpd.file.write_text(text, encoding="utf-8")


def test_healthy(site):
    report = check(site)
    assert report.status == 0, report
    assert "issuer.equal" in report.of("ok"), report
    assert not report.of("failed"), report
    assert report.seconds < 3, report


ISSUERS = {
    "host": ("http://127.0.0.1:{port}/realms/{realm}", "issuer.equal", "the host differs", "write KeycloakIssuer http://localhost:"),
    "slash": ("http://localhost:{port}/realms/{realm}/", "issuer.equal", "the slash at the end differs", "write KeycloakIssuer"),
    "scheme": ("https://localhost:{tls_port}/realms/{realm}\nKeycloakCAFile {ca}/ca.pem", "issuer.equal", "the scheme", "write KeycloakIssuer http://localhost:"),
    "realm": ("http://localhost:{port}/realms/nobodys", "issuer.discovery", "status 404", "has no such realm"),
    "path": ("http://localhost:{port}/auth/realms/{realm}", "issuer.discovery", "status 404", "answers below http://localhost"),
    "ca": ("https://localhost:{tls_port}/realms/{realm}", "issuer.tls", "certificate", "KeycloakCAFile"),
    "http for https": ("https://localhost:{port}/realms/{realm}", "issuer.tls", "", "speaks http, not https"),
    "https for http": ("http://localhost:{tls_port}/realms/{realm}", "issuer.discovery", "", "https"),
    "name": ("https://keycloak.invalid/realms/{realm}", "issuer.dns", "keycloak.invalid", "correct the host in KeycloakIssuer"),
    "ipv6": ("https://[::1]:{port}/realms/{realm}", "issuer.tcp", "no connection", "IPv4 and IPv6 count apart"),
}


@pytest.mark.parametrize("row", ISSUERS)
def test_issuer(site, authority, row):
    issuer, name, text, cure = ISSUERS[row]
    server = site.realm.server
    report = with_issuer(site, issuer.format(port=server.port, tls_port=server.tls_port, realm=site.realm.name, ca=authority))
    assert report.status == 1, report
    failed = report.of("failed")
    assert list(failed) == [name], report
    assert text in failed[name]["text"] and cure in failed[name]["cure"], report
    assert "keycloak" in report.of("skipped"), report


def test_nothing_is_asked_without_the_define(site):
    report = with_issuer(site, "https://keycloak.invalid/realms/nobodys")
    assert report.status == 1
    plain = check(site, defines=())
    assert plain.status == 0 and plain.text == "" and "Syntax OK" in plain.errors, plain
