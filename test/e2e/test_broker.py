# SPDX-License-Identifier: Apache-2.0
"""Logout when another realm is the identity provider of the realm, checked in Keycloak's event log."""

from urllib.parse import quote

import pytest

from process import wait_for
from site_under_test import is_form

EVENTS = ["LOGIN", "LOGOUT", "LOGOUT_ERROR", "REVOKE_GRANT", "REVOKE_GRANT_ERROR"]
ALIAS = "upstream"


def log_events(representation):
    representation.update(eventsEnabled=True, enabledEventTypes=EVENTS)


@pytest.fixture(scope="module")
def upstream(keycloak):
    """Where people have their passwords."""
    realm = keycloak.realm("e2e-broker-upstream", "http://localhost:1", log_events)
    realm.add_user("zoe")
    return realm


@pytest.fixture(scope="module")
def realm(keycloak, upstream):
    """Ours, which has that one as its identity provider."""
    realm = keycloak.realm("e2e-broker", "http://localhost:1", log_events)
    endpoints = upstream.issuer + "/protocol/openid-connect/"
    realm.admin("POST", "/identity-provider/instances", {
        "alias": ALIAS, "providerId": "oidc", "enabled": True, "trustEmail": True,
        "config": {
            "issuer": upstream.issuer, "clientId": upstream.client, "clientSecret": upstream.secret,
            "clientAuthMethod": "client_secret_post", "authorizationUrl": endpoints + "auth",
            "tokenUrl": endpoints + "token", "logoutUrl": endpoints + "logout",
            "userInfoUrl": endpoints + "userinfo", "jwksUrl": endpoints + "certs", "useJwksUrl": "true",
            "validateSignature": "true", "defaultScope": "openid profile email",
            "pkceEnabled": "true", "pkceMethod": "S256", "backchannelSupported": "false",
            "syncMode": "IMPORT"}})

    def change(client):
        back = f"{realm.issuer}/broker/{ALIAS}/endpoint"
        client["redirectUris"] += [back, back + "/logout_response"]
        client["attributes"]["post.logout.redirect.uris"] = back + "/logout_response"
    upstream.change_client(change)
    return realm


@pytest.fixture(scope="module")
def site(new_site, realm):
    return new_site(realm)


@pytest.fixture(autouse=True)
def fresh(realm, upstream):
    for one in (realm, upstream):
        one.admin("POST", "/logout-all")
        one.admin("DELETE", "/events")


def events(realm, kind):
    return realm.admin("GET", f"/events?type={kind}&max=100")


def wish(site):
    return f"{site.url}/authservice/login?return={quote('/api/start')}&kc_idp_hint={ALIAS}"


def signed_in(site, upstream):
    browser = site.browser()
    answer = browser.sign_in(wish(site), "zoe", upstream.passwords["zoe"])
    assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{site.log()}"
    return browser


def assert_out_everywhere(site, realm, upstream, browser):
    for one in (realm, upstream):
        assert len(events(one, "LOGOUT")) == 1, events(one, "LOGOUT")
        assert events(one, "LOGOUT_ERROR") == []
        assert one.sessions("zoe") == []
    form = browser.get(wish(site))
    assert is_form(form) and form.url.startswith(upstream.issuer), form


def test_signing_out_reaches_the_identity_provider(site, realm, upstream):
    browser = signed_in(site, upstream)
    after = browser.get(site.url + "/authservice/logout?return=/api/bye")
    assert any("/authservice/oidc/callback?state=logout." in step.url for step in after.history), after
    assert_out_everywhere(site, realm, upstream, browser)


def test_a_page_s_script_that_goes_on_reaches_it_as_well(site, realm, upstream):
    """As Kubeflow's dashboards do it."""
    browser = signed_in(site, upstream)
    answer = site.call(browser, "/authservice/logout", [("Origin", site.url)], method="POST", body=b"")
    assert answer.status == 201, answer
    browser.get(answer.json()["afterLogoutURL"])
    assert_out_everywhere(site, realm, upstream, browser)


def test_all_sessions_of_ours_at_once(site, realm, upstream):
    browser = signed_in(site, upstream)
    browser.post(site.url + "/authservice/sessions", {"end": "all"}, [("Origin", site.url)])
    assert_out_everywhere(site, realm, upstream, browser)


def test_who_closes_the_tab_is_out_of_our_realm(site, realm, upstream):
    browser = signed_in(site, upstream)
    assert site.get(browser, "/authservice/logout").status == 303
    assert len(realm.sessions("zoe")) == 1
    wait_for(lambda: not realm.sessions("zoe"), 90, "the session at Keycloak ends")
    assert events(realm, "LOGOUT_ERROR") == []
