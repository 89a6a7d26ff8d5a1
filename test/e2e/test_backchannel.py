# SPDX-License-Identifier: Apache-2.0
"""Logout that begins at Keycloak: in its console, at another application, in a frame; two nodes, one memcached."""

import base64
import html
import http.server
import json
import re
import threading
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from browser import Browser
from process import wait_for
from site_under_test import asks_to_sign_in

SECONDS = 2  # in which all nodes must refuse what has ended
PATH = "/authservice/backchannel-logout"
FORM = [("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "*/*")]
OTHER = "another-application"
OTHER_URL = "http://localhost:1/back"  # nobody is there; only where the browser is sent counts


class Relay:
    """Between Keycloak and a node: keeps what Keycloak sends, and passes it on unless told to keep it back."""

    def __init__(self):
        self.received, self.answers, self.target = [], [], None
        relay = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = relay.pass_on(self.path, list(self.headers.items()), body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.1,), daemon=True)
        self.thread.start()

    def pass_on(self, path, headers, body):
        self.received.append((path, headers, body))
        if not self.target:
            return 200
        kept = [pair for pair in headers if pair[0].lower() not in ("host", "content-length")]
        status = Browser().send("POST", self.target + path, kept, body).status
        self.answers.append(status)
        return status

    def next_token(self, act):
        """Form that Keycloak sends because of what is done, held back from the nodes."""
        before, held, self.target = len(self.received), self.target, None
        try:
            act()
            wait_for(lambda: len(self.received) > before, 20, "Keycloak sends a logout token")
        finally:
            self.target = held
        return self.received[-1][2]

    def end(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@pytest.fixture(scope="module")
def realm(keycloak):
    def change(representation):
        first = representation["clients"][0]
        representation["clients"].append({
            "clientId": OTHER, "secret": first["secret"], "redirectUris": [OTHER_URL], "standardFlowEnabled": True,
            "protocol": "openid-connect", "publicClient": False})
        first["directAccessGrantsEnabled"] = True
    return keycloak.realm("e2e-backchannel", "http://localhost:1", change)


@pytest.fixture(scope="module")
def nodes(new_site, realm):
    first = new_site(realm)
    second = new_site(realm, memcached=False, crypto_key=False, settings=(
        f"KeycloakMemcached {first.memcached.address}\nKeycloakStoreTimeout 1s\n"
        f"KeycloakCryptoKey file:{first.folder}/crypto-key\n"))
    return first, second


@pytest.fixture(scope="module")
def relay(nodes, realm):
    between = Relay()
    between.target = f"http://127.0.0.1:{nodes[0].port}"
    realm.send_logouts_to(between.url)
    yield between
    between.end()


@pytest.fixture(autouse=True)
def nobody_signed_in(realm, relay):
    yield
    for name in ("alice", "bob"):
        realm.admin("POST", f"/users/{realm.user(name)['id']}/logout")


class Visitor:
    """Somebody who is signed in, on both nodes."""

    def __init__(self, nodes, username):
        self.nodes = nodes
        self.browser = nodes[0].signed_in(username)
        self.cookie = ("Cookie", "keycloak_session=" + self.browser.cookie("keycloak_session").value)
        assert [self.get(node).status for node in (0, 1)] == [200, 200]

    def get(self, node):
        site = self.nodes[node]
        return site.get(site.browser(), headers=[self.cookie])

    def is_out(self):
        return all(asks_to_sign_in(self.get(node), self.nodes[node].realm) for node in (0, 1))

    def must_be_out_soon(self):
        deadline = time.monotonic() + SECONDS
        while not self.is_out():
            assert time.monotonic() < deadline, self.nodes[0].log()

    def must_be_in(self):
        assert [self.get(node).status for node in (0, 1)] == [200, 200], self.nodes[1].log()


def post(site, body):
    return site.browser().send("POST", site.url + PATH, FORM, body)


def claims_of(body):
    payload = parse_qs(body.decode())["logout_token"][0].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def test_a_session_ended_in_the_console_is_refused_on_both_nodes(nodes, realm, relay):
    alice, bob = Visitor(nodes, "alice"), Visitor(nodes, "bob")
    session, = realm.sessions("alice")
    elsewhere = Visitor(nodes, "alice")
    before = len(relay.answers)
    realm.admin("DELETE", "/sessions/" + session["id"])
    alice.must_be_out_soon()
    elsewhere.must_be_in()
    bob.must_be_in()
    assert relay.answers[before:] == [200]
    assert "signed out by the provider: a session of sub " in nodes[0].httpd.log_text()


def test_a_user_signed_out_in_the_console_is_refused_everywhere(nodes, realm, relay):
    alice, elsewhere, bob = Visitor(nodes, "alice"), Visitor(nodes, "alice"), Visitor(nodes, "bob")
    before = len(relay.answers)
    realm.admin("POST", f"/users/{realm.user('alice')['id']}/logout")
    alice.must_be_out_soon()
    elsewhere.must_be_out_soon()
    bob.must_be_in()
    assert relay.answers[before:] == [200, 200]


def at_other_application(browser, realm):
    """Visits it, where nobody needs to sign in again, and signs out from there: Keycloak's page."""
    address = realm.issuer + "/protocol/openid-connect/"
    answer = browser.get(address + "auth?" + urlencode({
        "response_type": "code", "client_id": OTHER, "redirect_uri": OTHER_URL, "scope": "openid"}), follow=False)
    code = parse_qs(urlsplit(answer.header("Location")).query)["code"][0]
    grant = Browser().post(address + "token", {"grant_type": "authorization_code", "code": code, "client_id": OTHER,
                                               "client_secret": realm.secret, "redirect_uri": OTHER_URL})
    return browser.get(address + "logout?" + urlencode({"id_token_hint": grant.json()["id_token"]}))


def test_signing_out_at_another_application_signs_out_here(nodes, realm, relay):
    alice, bob = Visitor(nodes, "alice"), Visitor(nodes, "bob")
    before = len(relay.answers)
    page = at_other_application(alice.browser, realm)
    assert page.status == 200 and "<iframe" not in page.text, page
    alice.must_be_out_soon()
    bob.must_be_in()
    assert relay.answers[before:] == [200]


def test_signing_out_here_is_no_error_whether_keycloak_tells_us_or_not(nodes, realm, relay):
    alice = Visitor(nodes, "alice")
    before = len(relay.answers)
    alice.browser.get(nodes[1].url + "/authservice/logout")
    alice.must_be_out_soon()
    assert realm.sessions("alice") == []
    assert set(relay.answers[before:]) <= {200}


def test_what_keycloak_sends(nodes, realm, relay):
    alice = Visitor(nodes, "alice")
    user = realm.user("alice")["id"]
    body = relay.next_token(lambda: realm.admin("POST", f"/users/{user}/logout"))
    alice.must_be_in()
    claims = claims_of(body)
    assert claims["typ"] == "Logout" and claims["sub"] == user and claims["sid"]
    assert claims["exp"] - claims["iat"] == 120
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert post(nodes[1], body).status == 200, nodes[1].log()
    alice.must_be_out_soon()


def test_a_logout_token_is_taken_once_by_all_nodes(nodes, realm, relay):
    alice = Visitor(nodes, "alice")
    realm.admin("POST", f"/users/{realm.user('alice')['id']}/logout")
    alice.must_be_out_soon()
    body = relay.received[-1][2]
    for node in (1, 0):
        answer = post(nodes[node], body)
        assert answer.status == 400 and answer.json()["error"] == "invalid_request", answer
        assert answer.json()["tag"] == "KC0418"


def test_other_tokens_of_keycloak_are_refused(nodes, realm, relay):
    alice = Visitor(nodes, "alice")
    grant = Browser().post(realm.issuer + "/protocol/openid-connect/token", {
        "grant_type": "password", "username": "alice", "password": realm.passwords["alice"], "scope": "openid",
        "client_id": realm.client, "client_secret": realm.secret}).json()
    for name in ("id_token", "access_token", "refresh_token"):
        answer = post(nodes[0], urlencode({"logout_token": grant[name]}).encode())
        assert answer.status == 400 and answer.json()["tag"] == "KC0417", (name, answer)
    alice.must_be_in()


def test_a_store_that_is_down_is_told_and_the_token_counts_afterwards(nodes, realm, relay):
    user = realm.user("alice")["id"]
    Visitor(nodes, "alice")
    body = relay.next_token(lambda: realm.admin("POST", f"/users/{user}/logout"))
    nodes[0].memcached.stop()
    try:
        answer = post(nodes[0], body)
        assert answer.status == 503 and answer.json()["error"] == "temporarily_unavailable", answer
    finally:
        nodes[0].memcached.start()
    wait_for(lambda: post(nodes[0], body).status == 200, 20, "the token is taken when memcached is there again")
    assert post(nodes[1], body).status == 400


def test_in_a_frame_where_keycloak_is_set_so(nodes, realm, relay):
    """The front channel: then Keycloak sends no logout token, whatever else is set."""
    def change(client):
        client["frontchannelLogout"] = True
        client["attributes"]["frontchannel.logout.url"] = nodes[0].url + "/authservice/frontchannel-logout"

    def change_back(client):
        client["frontchannelLogout"] = False
    realm.change_client(change)
    try:
        alice, bob = Visitor(nodes, "alice"), Visitor(nodes, "bob")
        before = len(relay.received)
        page = at_other_application(alice.browser, realm)
        frames = [html.unescape(address) for address in re.findall(r'<iframe src="([^"]+)"', page.text)]
        assert len(frames) == 1, page
        alice.must_be_in()
        assert bob.browser.get(frames[0]).status == 200
        bob.must_be_in()
        frame = alice.browser.get(frames[0])
        assert frame.status == 200 and not alice.browser.cookie("keycloak_session"), frame
        assert frame.header("Content-Security-Policy") == \
            f"default-src 'none'; frame-ancestors {realm.server.url}"
        alice.must_be_out_soon()
        bob.must_be_in()
        assert len(relay.received) == before
    finally:
        realm.change_client(change_back)
