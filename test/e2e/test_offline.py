# SPDX-License-Identifier: Apache-2.0
"""Sessions with `offline_access`: they end by actions in Keycloak's console, and by a logout here."""

import time

import pytest

from process import wait_for
from site_under_test import asks_to_sign_in

LIFESPAN = 8  # seconds, of access tokens
LATEST = 60  # seconds, after which a renewal that was due has been tried
EVENTS = ["REFRESH_TOKEN", "REVOKE_GRANT", "REVOKE_GRANT_ERROR"]


@pytest.fixture(scope="module")
def make_realm(keycloak):
    def make(name):
        def change(representation):
            representation.update(eventsEnabled=True, enabledEventTypes=EVENTS)
            representation["clients"][0]["attributes"]["access.token.lifespan"] = str(LIFESPAN)
        return keycloak.realm(name, "http://localhost:1", change)
    return make


@pytest.fixture(scope="module")
def site(new_site, make_realm):
    return new_site(make_realm("e2e-offline"), settings="KeycloakScope openid email offline_access")


def person(site, username):
    """Somebody new, who has the role offline_access by default, signed in: Keycloak has an offline session and no other."""
    site.realm.add_user(username)
    browser = site.signed_in(username)
    assert len(offline_sessions(site.realm, username)) == 1 and site.realm.sessions(username) == []
    return browser


def offline_sessions(realm, username):
    return realm.admin("GET", f"/users/{realm.user(username)['id']}/offline-sessions/{realm.client_uuid}")


def events(realm, kind, username):
    return realm.admin("GET", f"/events?type={kind}&user={realm.user(username)['id']}&max=100")


# ---- the console's ways: of the person's page Sessions, all at once or one line; of its page Consents

def sign_out_all(realm, username):
    realm.admin("POST", f"/users/{realm.user(username)['id']}/logout")


def sign_out_one(realm, username):
    session, = offline_sessions(realm, username)
    realm.admin("DELETE", f"/sessions/{session['id']}?isOffline=true")


def revoke_consent(realm, username):
    realm.admin("DELETE", f"/users/{realm.user(username)['id']}/consents/{realm.client}")


def disable(realm, username):
    realm.admin("PUT", f"/users/{realm.user(username)['id']}", {"enabled": False})


WAYS = {"all": sign_out_all, "one": sign_out_one, "consent": revoke_consent, "disabled": disable}


@pytest.fixture(scope="module")
def stopped(site):
    """People whom the console stops, each in another way, soon after their sign-in."""
    browsers = {way: person(site, "p-" + way) for way in WAYS}
    time.sleep(1.1)  # Keycloak compares whole seconds
    for way, stop in WAYS.items():
        stop(site.realm, "p-" + way)
    return browsers


@pytest.mark.parametrize("way", list(WAYS))
def test_what_the_console_ends_ends_here_at_the_next_renewal(site, stopped, way):
    wait_for(lambda: asks_to_sign_in(site.get(stopped[way]), site.realm), LATEST, "the session ends")
    lines = [line for line in site.httpd.log_text().splitlines() if f"the session of p-{way}@example.com ends" in line]
    assert len(lines) == 1 and "KC0311" in lines[0] and "invalid_grant" in lines[0], site.log()


def test_where_keycloak_tells_of_it_it_ends_at_once(new_site, make_realm):
    """It tells of a single session; of all of a person's, or of consent, it tells only of those that are not offline."""
    site = new_site(make_realm("e2e-offline-told"), settings="KeycloakScope openid email offline_access")
    site.realm.send_logouts_to(site.url)
    alice, bob = person(site, "ann"), person(site, "ben")
    sign_out_one(site.realm, "ann")
    wait_for(lambda: asks_to_sign_in(site.get(alice), site.realm), 5, "the session ends")
    assert "signed out by the provider: " in site.httpd.log_text(), site.log()
    assert site.identity(bob) == ["ben@example.com"]


def test_renewals_go_on_without_keycloak_s_own_session(site):
    browser = person(site, "cleo")
    wait_for(lambda: site.identity(browser) == ["cleo@example.com"] and
             len(events(site.realm, "REFRESH_TOKEN", "cleo")) > 1, LATEST, "two renewals")


@pytest.mark.parametrize("kind", ["a browser that comes back", "a script"])
def test_signing_out_here_ends_the_offline_session_too(site, kind):
    name = "dan" if kind == "a script" else "dora"
    browser = person(site, name)
    if kind == "a script":
        assert site.call(browser, "/authservice/logout", [("Origin", site.url)], method="POST", body=b"").status == 201
    else:
        answer = browser.get(site.url + "/authservice/logout?return=/api/bye")
        assert any("/authservice/oidc/callback?state=logout." in step.url for step in answer.history), answer
    assert offline_sessions(site.realm, name) == [], site.log()
    assert len(events(site.realm, "REVOKE_GRANT", name)) == 1
    assert asks_to_sign_in(site.get(browser), site.realm)
    assert "could not be revoked" not in site.httpd.log_text(), site.log()
