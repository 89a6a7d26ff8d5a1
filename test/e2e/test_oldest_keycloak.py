# SPDX-License-Identifier: Apache-2.0
"""The oldest supported Keycloak: what a site needs of its realm, in one story for each part of the protocol."""

import os
import time
from urllib.parse import urlsplit

import pytest

from backend import values
from browser import Browser
from checked import assert_named, check
from keycloak import Keycloak
from process import wait_for
from site_under_test import asks_to_sign_in, is_form
from test_check import ROWS, credentials

# What the misconfigurations of test_check.py are made of.
WELL_KNOWN = "KeycloakBearer on\nKeycloakPublicURL {url}\nKeycloakScope openid profile email"
LIFESPAN = 8  # seconds, of access tokens
EVENTS = ["LOGIN", "LOGIN_ERROR", "REFRESH_TOKEN", "REFRESH_TOKEN_ERROR", "LOGOUT", "LOGOUT_ERROR"]


@pytest.fixture(scope="module")
def oldest(tmp_path_factory):
    server = Keycloak(tmp_path_factory.mktemp("oldest-keycloak"), home=os.environ["KEYCLOAK_OLDEST_HOME"])
    with server.running():
        yield server


@pytest.fixture(scope="module")
def realm(oldest):
    def change(representation):
        representation.update(eventsEnabled=True, enabledEventTypes=EVENTS)
        client = representation["clients"][0]
        client["directAccessGrantsEnabled"] = True
        client["attributes"]["access.token.lifespan"] = str(LIFESPAN)
        client["protocolMappers"].append({
            "name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            "config": {"included.client.audience": client["clientId"], "access.token.claim": "true"}})
    return oldest.realm("e2e-oldest", "http://localhost:1", change)


@pytest.fixture(scope="module")
def site(new_site, realm):
    made = new_site(realm, settings=WELL_KNOWN, blocks=(
        "<Location /admin>\n    Require keycloak-role kubeflow-admin\n</Location>\n"))
    realm.send_logouts_to(made.url)
    return made


def events(realm, kind):
    return realm.admin("GET", f"/events?type={kind}")


def test_it_is_the_oldest(oldest):
    assert oldest.version == 22


def test_the_check_is_well(site):
    report = check(site, env=credentials(site))
    assert report.results and not [result for result in report.results if result["outcome"] != "ok"], report


@pytest.mark.parametrize("row", ["client-id", "client-disabled", "client-pkce", "redirect-uri", "scope", "secret", "post-logout",
                                 "realm-disabled", "groups-mapper"])
def test_the_check_names_what_is_wrong(site, row):
    """Its error pages and refusals are other ones than those of newer versions."""
    with ROWS[row].made(site):
        report = check(site, env=credentials(site))
    assert_named(report, ROWS[row])


def test_sign_in_says_who_it_is(site):
    alice = site.signed_in("alice")
    assert site.identity(alice) == ["alice@example.com"]
    groups = values(site.backend.requests[-1]["headers"], "kubeflow-groups")
    assert sorted(groups[0].split(",")) == ["data-science", "platform/admins"]
    assert site.get(alice, "/admin/x").status == 200
    assert site.get(site.signed_in("bob"), "/admin/x").status == 403


def test_tokens_are_renewed(site, realm):
    alice = site.signed_in("alice")
    before = len(events(realm, "REFRESH_TOKEN"))
    end = time.monotonic() + 6 * LIFESPAN
    while len(events(realm, "REFRESH_TOKEN")) == before:
        assert site.identity(alice) == ["alice@example.com"]
        assert time.monotonic() < end, site.log()
        time.sleep(0.5)
    assert events(realm, "REFRESH_TOKEN_ERROR") == []
    assert site.identity(alice) == ["alice@example.com"]


def test_signing_out_ends_both_sessions(site, realm):
    realm.admin("POST", f"/users/{realm.user('alice')['id']}/logout")
    alice = site.signed_in("alice")
    answer = alice.get(site.url + "/authservice/logout")
    assert is_form(alice.get(site.url + "/api/next")), answer
    assert realm.sessions("alice") == []


@pytest.mark.parametrize("way", ["session", "user"])
def test_a_session_that_the_console_ends_is_refused(site, realm, way):
    """Its logout tokens have no `exp`."""
    realm.admin("POST", f"/users/{realm.user('alice')['id']}/logout")
    alice, bob = site.signed_in("alice"), site.signed_in("bob")
    if way == "session":
        session, = realm.sessions("alice")
        realm.admin("DELETE", "/sessions/" + session["id"])
    else:
        realm.admin("POST", f"/users/{realm.user('alice')['id']}/logout")
    wait_for(lambda: asks_to_sign_in(site.get(alice), realm), 5, "alice is refused")
    assert "signed out by the provider: " in site.httpd.log_text(), site.log()
    assert "KC0417" not in site.httpd.log_text(), site.log()
    assert site.identity(bob) == ["bob@example.com"]


def test_its_access_token_is_a_bearer_token(site, realm):
    grant = Browser().post(realm.issuer + "/protocol/openid-connect/token", {
        "grant_type": "password", "username": "alice", "password": realm.passwords["alice"], "scope": "openid",
        "client_id": realm.client, "client_secret": realm.secret}).json()
    call = [("Authorization", "Bearer " + grant["access_token"])]
    assert site.identity(site.browser(), headers=call) == ["alice@example.com"]
    answer = site.call(site.browser(), headers=[("Authorization", "Bearer " + grant["refresh_token"])])
    assert answer.status == 401, answer


def test_where_the_browser_is_sent(site, realm):
    start = site.get(site.browser())
    assert asks_to_sign_in(start, realm), start
    assert urlsplit(start.header("Location")).query.count("code_challenge_method=S256") == 1
