# SPDX-License-Identifier: Apache-2.0
"""npm's oidc-provider in Keycloak's place, with the settings that doc/keycloak.md gives for other providers."""

import base64
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from backend import values
from browser import Browser, Form
from process import Child, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]
SERVER = Path(__file__).parent / "other_provider" / "server.mjs"
SECONDS = 8  # life of ID and access tokens; they are due when a quarter of it is left
PEOPLE = {
    "alice": {"password": "alice-password", "claims": {
        "email": "alice@example.com", "email_verified": True, "name": "Alice Example",
        "groups": ["admins", "data-science"]}},
    "bob": {"password": "bob-password", "claims": {
        "email": "bob@example.com", "email_verified": True, "name": "Bob Example", "groups": []}},
    "carol": {"password": "carol-password", "claims": {
        "email": "carol@example.com", "email_verified": False, "name": "Carol Example"}},
}
GROUPS = """
<Location /admins>
    Require keycloak-group admins
</Location>
"""


def manual_settings():
    """The block of directives in the manual's section on other providers."""
    page = (ROOT / "doc" / "keycloak.md").read_text(encoding="utf-8")
    section = page.split("\n## Other OpenID providers\n")[1]
    lines = re.search(r"^```apache\n(.*?)^```$", section, re.M | re.S).group(1).splitlines()
    assert len(lines) >= 3 and all(line.startswith("Keycloak") for line in lines), section
    return "\n".join(lines) + "\n"


class Provider:
    """The provider in a process of its own, and what it says has happened."""

    def __init__(self, folder):
        self.port = free_port()
        self.issuer = f"http://localhost:{self.port}"
        self.log = folder / "oidc-provider.log"
        orders = folder / "orders.json"
        orders.write_text(json.dumps({"people": PEOPLE, "seconds": SECONDS}), encoding="utf-8")
        # Debian 12's Node.js asks ::1 alone for a localhost that has both addresses.
        self.child = Child("oidc-provider", ["node", "--dns-result-order=ipv4first", SERVER, self.port, orders],
                           self.log, {**os.environ, "NODE_ENV": "production"})
        wait_for(lambda: self.events("ready"), 120, "oidc-provider starts", self.child)

    def events(self, name, **more):
        found = []
        for line in self.log.read_text(encoding="utf-8").splitlines():
            if line.startswith('{"event":'):
                event = json.loads(line)
                if event.items() >= {"event": name, **more}.items():
                    found.append(event)
        return found

    def wait_event(self, count, name, **more):
        wait_for(lambda: len(self.events(name, **more)) >= count, 90, f"{name} {more} at the provider", self.child)

    def order(self, what, **more):
        answer = Browser().get(f"{self.issuer}/test/{what}", method="POST", body=json.dumps(more).encode())
        assert answer.status == 200, answer

    def sessions(self, username):
        return Browser().get(f"{self.issuer}/test/sessions/{username}").json()


class Client:
    """A client of the provider, in the form in which a Site knows a realm."""

    def __init__(self, provider, client, secret="the-secret-that-both-know-0123456789", **metadata):
        self.provider, self.client, self.secret, self.metadata = provider, client, secret, metadata
        self.issuer = provider.issuer
        self.server = SimpleNamespace(port=provider.port, tls_port=0)

    def allow_site(self, url):
        callback = url + "/authservice/oidc/callback"
        self.provider.order("client", **{
            "client_id": self.client, "client_secret": self.secret, "redirect_uris": [callback],
            "post_logout_redirect_uris": [callback], "grant_types": ["authorization_code", "refresh_token"],
            "backchannel_logout_uri": url + "/authservice/backchannel-logout", "backchannel_logout_session_required": True,
            **self.metadata})

    def grants(self, kind):
        return len(self.provider.events("grant", client=self.client, type=kind))


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    server = Provider(tmp_path_factory.mktemp("other"))
    try:
        yield server
        assert not server.events("failed") + server.events("server_error"), server.log.read_text(encoding="utf-8")
    finally:
        server.child.stop()


@pytest.fixture(scope="module")
def site(new_site, provider):
    return new_site(Client(provider, "main"), settings=manual_settings() + "KeycloakIDTokenHeader X-ID-Token\n",
                    blocks=GROUPS)


def send_form(browser, page, form_id, **fields):
    form = Form(page.text, form_id)
    assert page.status == 200 and form.action, page
    return browser.post(urljoin(page.url, form.action), {**form.fields, **fields})


def sign_in(site, username="alice", path="/api/start", browser=None):
    """A browser that has gone through the provider's form, and the answer that it ended with."""
    browser = browser or Browser()
    page = browser.get(site.url + path)
    assert page.url.startswith(site.realm.issuer + "/interaction/"), f"{page}\n{site.log()}"
    return browser, send_form(browser, page, "sign-in", username=username, password=PEOPLE[username]["password"])


def signed_in(site, username="alice"):
    browser, answer = sign_in(site, username)
    assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{site.log()}"
    return browser


def asks_to_sign_in(answer, site):
    return answer.status == 302 and (answer.header("Location") or "").startswith(site.realm.issuer + "/auth?")


def id_token(site, browser):
    """The header and the claims of the ID token that the backend gets."""
    assert site.get(browser).status == 200, site.log()
    token = values(site.backend.requests[-1]["headers"], "x-id-token")[0]
    return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]


def test_sign_in_brings_name_groups_and_the_page_asked_for(site):
    browser, answer = sign_in(site, path="/api/deep?x=1")
    assert answer.url == site.url + "/api/deep?x=1" and answer.header("X-Backend"), f"{answer}\n{site.log()}"
    assert site.identity(browser) == ["alice@example.com"]
    assert values(site.backend.requests[-1]["headers"], "kubeflow-groups") == ["admins,data-science"]
    assert site.get(browser, "/admins").status == 200
    assert site.get(signed_in(site, "bob"), "/admins").status == 403
    way = parse_qs(urlsplit(site.get(Browser()).header("Location")).query)
    assert way["scope"] == ["openid profile email groups"] and way["code_challenge_method"] == ["S256"]


def test_id_tokens_have_no_type(site):
    header, claims = id_token(site, signed_in(site))
    assert header["alg"] == "RS256" and "typ" not in claims and "email" not in claims, (header, claims)


def test_id_tokens_signed_by_an_elliptic_curve(new_site, provider):
    site = new_site(Client(provider, "curve", id_token_signed_response_alg="ES256"),
                    settings=manual_settings() + "KeycloakIDTokenHeader X-ID-Token\n")
    header, _ = id_token(site, signed_in(site))
    assert header["alg"] == "ES256"


@pytest.mark.parametrize("method", ["client_secret_post", "client_secret_jwt"])
def test_other_ways_to_show_the_secret(new_site, provider, method):
    site = new_site(Client(provider, method, token_endpoint_auth_method=method),
                    settings=manual_settings() + f"KeycloakClientAuth {method}\n")
    assert site.identity(signed_in(site)) == ["alice@example.com"]


def test_address_that_the_provider_has_not_verified(site):
    answer = sign_in(site, "carol")[1]
    assert answer.status >= 400 and "KC0415" in answer.text and not answer.header("X-Backend"), f"{answer}\n{site.log()}"


def test_tokens_are_renewed_and_the_refresh_token_rotates(site):
    browser = signed_in(site)
    before = site.realm.grants("refresh_token")
    issued = id_token(site, browser)[1]["iat"]
    for count in (1, 2):
        wait_for(lambda: site.get(browser).status == 200 and site.realm.grants("refresh_token") >= before + count,
                 90, "the tokens are renewed")
    assert id_token(site, browser)[1]["iat"] > issued
    assert site.identity(browser) == ["alice@example.com"]
    assert values(site.backend.requests[-1]["headers"], "kubeflow-groups") == ["admins,data-science"]


def test_refresh_token_that_the_provider_has_revoked(site, provider):
    browser = signed_in(site, "bob")
    provider.order("revoke", user="bob")
    wait_for(lambda: site.call(browser).status == 401, 90, "the session ends")
    assert provider.events("grant refused", error="invalid_grant")
    assert "KC0311" in site.httpd.tags()
    assert asks_to_sign_in(site.get(browser), site), site.log()


def test_session_without_a_refresh_token_ends_with_its_id_token(new_site, provider):
    site = new_site(Client(provider, "brief", grant_types=["authorization_code"]),
                    settings=manual_settings() + "KeycloakClockSkew 0\n")
    browser = signed_in(site)
    wait_for(lambda: site.call(browser).status == 401, 90, "the session ends")
    again = browser.get(site.url + "/api/again")
    assert again.status == 200 and again.header("X-Backend"), f"the provider still knows who it is: {again}"
    assert site.realm.grants("refresh_token") == 0 and site.realm.grants("authorization_code") == 2


def test_sign_out_ends_both_sessions(site, provider):
    browser = signed_in(site, "bob")
    others, ended = provider.sessions("bob"), len(provider.events("end_session"))
    session = browser.cookie("keycloak_session").value
    page = browser.get(site.url + "/authservice/logout")
    assert page.url.startswith(provider.issuer + "/session/end?"), f"{page}\n{site.log()}"
    assert asks_to_sign_in(site.get(Browser(), headers=[("Cookie", "keycloak_session=" + session)]), site)
    end = send_form(browser, page, "op.logoutForm")
    callback = site.url + "/authservice/oidc/callback"
    assert [step.url for step in end.history if step.url.startswith(callback)], f"{end}\n{end.history}\n{site.log()}"
    assert len(provider.events("end_session")) == ended + 1 and provider.sessions("bob") == others - 1
    assert browser.get(site.url + "/api/next").url.startswith(provider.issuer + "/interaction/")


def test_browser_that_never_reaches_the_provider_is_signed_out_there(site, provider):
    browser = signed_in(site)
    before = len(provider.events("refresh token revoked", user="alice"))
    step = site.get(browser, "/authservice/logout")
    assert step.status == 303, step
    provider.wait_event(before + 1, "refresh token revoked", user="alice")


def test_sign_out_at_the_provider_ends_the_sessions_of_all_its_clients(site, new_site, provider):
    second = new_site(Client(provider, "second"), settings=manual_settings())
    browser, elsewhere = signed_in(site), signed_in(site)
    assert browser.get(second.url + "/api/start").header("X-Backend"), second.log()
    before = {client: len(provider.events("back-channel logout", client=client)) for client in ("main", "second")}
    send_form(browser, browser.get(provider.issuer + "/session/end"), "op.logoutForm")
    for client, count in before.items():
        provider.wait_event(count + 1, "back-channel logout", client=client)
    for place in (site, second):
        wait_for(lambda place=place: asks_to_sign_in(place.get(browser), place), 60, "the session is refused")
        assert "signed out by the provider" in place.httpd.log_text()
    assert site.identity(elsewhere) == ["alice@example.com"], "another session of hers goes on"
    assert not provider.events("back-channel logout failed")


def test_logout_token_that_names_the_person_alone(new_site, provider):
    site = new_site(Client(provider, "nameless", backchannel_logout_session_required=False), settings=manual_settings())
    browser, elsewhere = signed_in(site), signed_in(site)
    send_form(browser, browser.get(provider.issuer + "/session/end"), "op.logoutForm")
    provider.wait_event(1, "back-channel logout", client="nameless")
    for one in (browser, elsewhere):
        wait_for(lambda one=one: asks_to_sign_in(site.get(one), site), 60, "all sessions of the person are refused")


def test_sign_in_without_being_asked(site):
    answer = Browser().get(site.url + "/authservice/login?prompt=none&return=/api/quiet")
    assert answer.status == 401 and "KC0313" in answer.text, f"{answer}\n{site.log()}"
    again = signed_in(site).get(site.url + "/authservice/login?prompt=none&return=/api/quiet")
    assert again.url == site.url + "/api/quiet" and again.header("X-Backend"), f"{again}\n{site.log()}"


def test_wrong_client_secret(new_site, provider):
    client = Client(provider, "mistaken")
    site = new_site(client, start=False, settings=manual_settings())
    (site.folder / "client-secret").write_text("not-the-secret-that-both-know-0123456789\n", encoding="ascii")
    site.start()
    answer = sign_in(site)[1]
    assert answer.status >= 400 and not answer.header("X-Backend"), answer
    assert "invalid_client" in site.httpd.log_text(), site.log()
    assert "not-the-secret" not in site.httpd.log_text()
