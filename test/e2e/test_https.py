# SPDX-License-Identifier: Apache-2.0
"""Beside mod_ssl, mod_http2, mod_rewrite and mod_proxy, in any LoadModule order, under a CA of its own."""

import json
import subprocess

import pytest

from backend import values
from httpd import MODULES
from site_under_test import asks_to_sign_in

FIRST = [name for name in MODULES if not name.startswith("proxy")]
OURS = "auth_keycloak"
# mod_proxy_http links with mod_proxy and comes right after it.
ORDERS = {
    "ours-last": ["proxy", "rewrite", "ssl", "http2", OURS],
    "ours-first": [OURS, "proxy", "rewrite", "ssl", "http2"],
    "ours-first-reversed": [OURS, "http2", "ssl", "rewrite", "proxy"],
    "ours-last-reversed": ["http2", "ssl", "rewrite", "proxy", OURS],
    "rewrite-ours-proxy": ["ssl", "rewrite", OURS, "proxy", "http2"],
    "proxy-ours-rewrite": ["http2", "proxy", OURS, "rewrite", "ssl"],
    "ssl-ours-http2": ["rewrite", "proxy", "ssl", OURS, "http2"],
}
TLS = """\
Protocols h2 http/1.1
SSLEngine on
SSLSessionCache none
SSLCertificateFile {folder}/localhost.pem
SSLCertificateKeyFile {folder}/localhost.key
"""
REWRITE = """\
RewriteEngine on
RewriteRule ^/old/(.*)$ /new/$1 [PT]
RewriteRule ^/through/(.*)$ http://127.0.0.1:{backend}/$1 [P]
"""


def tls_site(new_site, realm, authority, order, **more):
    modules = list(FIRST)
    for name in order:
        modules.append(name)
        if name == "proxy":
            modules.append("proxy_http")
    if OURS == order[0]:
        modules.remove(OURS)
        modules.insert(0, OURS)
    site = new_site(realm, start=False, scheme="https", modules=modules,
                    settings=TLS + REWRITE, **more)
    for name in ("localhost.pem", "localhost.key"):
        (site.folder / name).write_bytes((authority / name).read_bytes())
    site.ca_file = str(authority / "ca.pem")
    site.start()
    return site


@pytest.fixture(scope="module")
def site(new_site, realm, authority):
    return tls_site(new_site, realm, authority, ORDERS["ours-last"])


@pytest.fixture(scope="module")
def alice(site):
    return site.signed_in("alice")


@pytest.mark.parametrize("order", ORDERS)
def test_any_order_of_modules(new_site, realm, authority, order):
    site = tls_site(new_site, realm, authority, ORDERS[order])
    loaded = [line.split()[1] for line in site.httpd.file.read_text().splitlines()
              if line.startswith("LoadModule")]
    ours = loaded.index("auth_keycloak_module")
    assert ours == (1 if ORDERS[order][0] == OURS else ours)
    browser = site.signed_in("alice")
    forged = [("kubeflow-userid", "eve@example.com"), ("Kubeflow_UserID", "eve@example.com")]
    for path in ("/api/x", "/old/api/x", "/through/api/x"):
        assert site.identity(browser, path, forged) == ["alice@example.com"], path
        received = site.backend.requests[-1]["headers"]
        assert not [value for _, value in received if "eve@" in value]
        count = site.seen()
        assert asks_to_sign_in(site.get(site.browser(), path, forged), realm), path
        assert site.call(site.browser(), path, forged).status == 401, path
        assert site.seen() == count
    site.stop()


def test_cookies_over_https(site, realm):
    browser = site.browser()
    answer = browser.sign_in(site.url + "/api/x", "alice", realm.passwords["alice"])
    start = next(step for step in answer.history if "/oidc/callback?" in step.url)
    lines = start.all("Set-Cookie") + site.get(site.browser()).all("Set-Cookie")
    assert any(line.startswith("__Host-keycloak_session=") for line in lines), lines
    assert any(line.startswith("__Host-keycloak_login_") for line in lines), lines
    for line in lines:
        attributes = {part.strip().lower() for part in line.split(";")[1:]}
        assert {"secure", "httponly", "path=/", "samesite=lax"} <= attributes, line
        assert not [part for part in attributes if part.startswith("domain")], line
    plain = site.browser()
    value = browser.cookie("__Host-keycloak_session").value
    assert asks_to_sign_in(site.get(plain, headers=[("Cookie", "keycloak_session=" + value)]), realm)


def curl(site, path, cookies="", *more):
    """Status, protocol and body of one request by curl over HTTP/2."""
    done = subprocess.run(
        ["curl", "-sS", "--http2", "--cacert", site.ca_file, "--max-time", "30", "-o", "-",
         "-w", "\n%{http_code} %{http_version} %{redirect_url}", "-H", "Accept: text/html",
         *(["-H", "Cookie: " + cookies] if cookies else []), *more, site.url + path],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    body, _, last = done.stdout.rpartition("\n")
    status, version, redirect = (last + " ").split(" ")[:3]
    return int(status), version, redirect, body


def test_http2(site, realm, alice):
    count = site.seen()
    status, version, redirect, _ = curl(site, "/api/x")
    assert (status, version) == (302, "2")
    assert redirect.startswith(realm.issuer + "/protocol/openid-connect/auth?")
    assert site.seen() == count
    cookies = f"a=1; __Host-keycloak_session={alice.cookie('__Host-keycloak_session').value}"
    status, version, _, body = curl(site, "/api/x", cookies, "-H", "Kubeflow-Userid: eve@example.com",
                                    "-H", "kubeflow_userid: eve@example.com")
    assert (status, version) == (200, "2")
    headers = json.loads(body)["headers"]
    assert values(headers, "kubeflow-userid") == ["alice@example.com"]
    assert values(headers, "cookie") == ["a=1"]
    assert "eve@" not in body


def test_http2_cookies_in_several_fields(site, alice):
    """HTTP/2 clients may split the Cookie header; browsers do."""
    name = "__Host-keycloak_session"
    status, version, _, body = curl(site, "/api/x", "b=2", "-H",
                                    f"Cookie: {name}={alice.cookie(name).value}")
    assert (status, version) == (200, "2"), body
    assert values(json.loads(body)["headers"], "kubeflow-userid") == ["alice@example.com"]


def test_logout_over_https(site, realm):
    browser = site.signed_in("bob")
    answer = site.get(browser, "/authservice/logout")
    assert answer.status in (302, 303)
    assert not browser.cookie("__Host-keycloak_session")
    browser.get(answer.header("Location"))
    assert realm.sessions("bob") == []
