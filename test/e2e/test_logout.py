# SPDX-License-Identifier: Apache-2.0
"""Logout: here and at Keycloak, for pages and for scripts."""

from urllib.parse import parse_qs, urlsplit

import pytest

from process import wait_for
from site_under_test import asks_to_sign_in, confirm, is_form


@pytest.fixture(scope="module")
def site(new_site, realm):
    return new_site(realm)


@pytest.fixture(autouse=True)
def nobody_signed_in_at_keycloak(realm):
    for name in ("alice", "bob"):
        realm.admin("POST", f"/users/{realm.user(name)['id']}/logout")


def replay(site, value):
    return site.get(site.browser(), headers=[("Cookie", "keycloak_session=" + value)])


def test_logout_ends_both_sessions(site, realm):
    browser = site.signed_in("alice")
    session = browser.cookie("keycloak_session").value
    assert len(realm.sessions("alice")) == 1
    count = site.seen()
    step = site.get(browser, "/authservice/logout")
    assert step.status in (302, 303), step
    assert not browser.cookie("keycloak_session")
    gone = [line for line in step.all("Set-Cookie") if line.startswith("keycloak_session=")]
    assert len(gone) == 1 and "httponly" in gone[0].lower() and "path=/" in gone[0].lower()
    where = urlsplit(step.header("Location"))
    query = parse_qs(where.query)
    assert step.header("Location").startswith(realm.issuer + "/protocol/openid-connect/logout?")
    assert query["client_id"] == [realm.client]
    assert query["post_logout_redirect_uri"] == [site.url + "/authservice/oidc/callback"]
    assert query["id_token_hint"][0].count(".") == 2
    after = browser.get(step.header("Location"))
    assert is_form(after), after
    assert realm.sessions("alice") == []
    assert asks_to_sign_in(replay(site, session), realm)
    assert site.seen() == count


def test_next_visit_shows_the_form_and_another_may_sign_in(site):
    browser = site.signed_in("alice")
    browser.get(site.url + "/authservice/logout")
    form = browser.get(site.url + "/api/next")
    assert is_form(form)
    answer = browser.fill_in(form, "bob", site.realm.passwords["bob"])
    assert answer.json()["user"] == "bob@example.com"
    assert site.identity(browser) == ["bob@example.com"]


def test_script_gets_the_address_to_go_to(site, realm):
    browser = site.signed_in("alice")
    session = browser.cookie("keycloak_session").value
    answer = site.call(browser, "/authservice/logout", [("Origin", site.url)], method="POST", body=b"")
    assert answer.status == 201, answer
    after = answer.json()["afterLogoutURL"]
    assert asks_to_sign_in(replay(site, session), realm)
    assert is_form(browser.get(after if "://" in after else site.url + after))
    assert realm.sessions("alice") == []


def test_one_logout_leaves_others_alone(site, realm):
    alice, elsewhere, bob = site.signed_in("alice"), site.signed_in("alice"), site.signed_in("bob")
    alice.get(site.url + "/authservice/logout")
    assert site.identity(elsewhere) == ["alice@example.com"]
    assert site.identity(bob) == ["bob@example.com"]
    assert len(realm.sessions("alice")) == 1


def test_logout_without_a_session_here(site, realm):
    """Keycloak's session lives on after ours: it ends too."""
    browser = site.signed_in("alice")
    browser.cookies = {place: cookie for place, cookie in browser.cookies.items() if cookie.name != "keycloak_session"}
    assert len(realm.sessions("alice")) == 1
    page = browser.get(site.url + "/authservice/logout")
    assert page.url.startswith(realm.issuer), page
    confirm(browser, page)
    assert realm.sessions("alice") == []
    assert is_form(browser.get(site.url + "/api/next"))


def test_logout_without_any_session(site):
    answer = site.get(site.browser(), "/authservice/logout")
    assert answer.status in (302, 303), answer
    assert not answer.header("X-Backend")
    end = site.browser().get(site.url + "/authservice/logout")
    assert end.status == 200 and not end.header("X-Backend"), end


def gone(realm, username="alice"):
    """Waits until the user has no session at Keycloak any more."""
    wait_for(lambda: not realm.sessions(username), 90, f"{username}'s session at Keycloak ends")


@pytest.mark.parametrize("kind", ["page", "script"])
def test_keycloak_session_is_over_even_if_the_browser_never_goes_there(site, realm, kind):
    browser = site.signed_in("alice")
    if kind == "page":
        step = site.get(browser, "/authservice/logout")
        assert step.status == 303, step
    else:
        step = site.call(browser, "/authservice/logout", [("Origin", site.url)], method="POST", body=b"")
        assert step.status == 201, step
    assert len(realm.sessions("alice")) == 1, "the browser is on its way there"
    gone(realm)
    # Keycloak lists no session a moment before it ends it. A sign-in in between is refused (KC0113).
    wait_for(lambda: is_form(browser.get(site.url + "/api/next")), 30, "the next visit shows the sign-in form")
    assert "could not be revoked" not in site.httpd.log_text()


def test_program_that_goes_nowhere_is_signed_out_at_once(site, realm):
    browser = site.signed_in("alice")
    answer = site.call(browser, "/authservice/logout", method="POST", body=b"")
    assert answer.status == 201, answer
    assert realm.sessions("alice") == []


@pytest.mark.parametrize("uris", [None, "", "+"], ids=["none", "empty", "plus"])
def test_client_without_post_logout_redirect_uris(new_site, realm, uris):
    """As the console leaves it: Keycloak then takes the redirect URIs."""
    site = new_site(realm)

    def change(client):
        client["attributes"]["post.logout.redirect.uris"] = uris
    before = realm.admin("GET", "/clients/" + realm.client_uuid)["attributes"]
    realm.change_client(change)
    try:
        browser = site.signed_in("alice")
        after = browser.get(site.url + "/authservice/logout?return=/bye")
        assert is_form(after), after
        where = [step for step in after.history if "/oidc/callback?state=logout." in step.url]
        assert len(where) == 1, after.history
    finally:
        realm.change_client(lambda client: client.update(attributes=before))


def test_page_after_logout(new_site, realm):
    site = new_site(realm, settings="KeycloakAfterLogoutURL /goodbye\nKeycloakPublicPath /goodbye")
    browser = site.signed_in("alice")
    answer = browser.get(site.url + "/authservice/logout")
    assert answer.url == site.url + "/goodbye" and answer.header("X-Backend"), answer
    assert realm.sessions("alice") == []
    assert site.backend.requests[-1]["user"] is None
