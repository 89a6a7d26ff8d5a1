# SPDX-License-Identifier: Apache-2.0
"""Locations that require a recent or strong sign-in, silent sign-ins, and parameters of links, at a real Keycloak."""

import time
from urllib.parse import parse_qs, quote, urljoin, urlsplit

import pytest

from backend import values
from browser import Form
from site_under_test import asks_to_sign_in, is_form

AGE = 3  # seconds that a password is good for at /api/recent
ELSEWHERE = "http://localhost:1/elsewhere"
BLOCKS = "".join(f"<Location /api/{name}>\n    {line}\n</Location>\n" for name, line in (
    ("recent", f"KeycloakMaxAge {AGE}s"), ("silver", "KeycloakRequireACR silver"),
    ("gold", "KeycloakRequireACR gold"), ("platinum", "KeycloakRequireACR platinum")))


@pytest.fixture(scope="module")
def realm(keycloak):
    """Names for levels of authentication, of which the browser flow reaches the first; German; another provider."""
    def change(representation):
        representation["clients"][0]["attributes"]["acr.loa.map"] = '{"silver": "1", "gold": "2"}'
        representation.update(
            internationalizationEnabled=True, supportedLocales=["en", "de"], defaultLocale="en",
            identityProviders=[{
                "alias": "elsewhere", "providerId": "oidc", "enabled": True,
                "config": {"authorizationUrl": ELSEWHERE, "tokenUrl": ELSEWHERE, "clientId": "x", "clientSecret": "x"}}])
    return keycloak.realm("e2e-step-up", "http://localhost:1", change)


@pytest.fixture(scope="module")
def site(new_site, realm):
    return new_site(realm, blocks=BLOCKS, settings="KeycloakClockSkew 0\nKeycloakHeader X-Auth-Time auth_time\n"
                    "KeycloakHeader X-Acr acr\n")


def told(site, name):
    """What the backend was told last under this header's name."""
    return values(site.backend.requests[-1]["headers"], name)[0]


def open_page(site, browser, path="/api/page"):
    answer = site.get(browser, path)
    assert answer.status == 200, f"{answer}\n{site.log()}"
    return answer


def session_of(browser):
    return browser.cookie("keycloak_session").value


def wait_until_old(site, browser):
    """Until the password is too old for /api/recent."""
    open_page(site, browser)
    time.sleep(max(0.0, int(told(site, "x-auth-time")) + AGE + 1.1 - time.time()))


def again(site, browser, answer):
    """Types the password at the form that this answer must be."""
    assert is_form(answer), f"no password was asked for: {answer}\n{site.log()}"
    return browser.fill_in(answer, "alice", site.realm.passwords["alice"])


def test_an_old_password_is_asked_for_again(site):
    browser = site.signed_in()
    open_page(site, browser)
    first, session = int(told(site, "x-auth-time")), session_of(browser)
    wait_until_old(site, browser)
    open_page(site, browser)
    where = site.get(browser, "/api/recent/x?y=1")
    assert asks_to_sign_in(where, site.realm)
    assert parse_qs(urlsplit(where.header("Location")).query)["max_age"] == [str(AGE)]
    answer = again(site, browser, browser.get(site.url + "/api/recent/x?y=1"))
    assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{site.log()}"
    assert urlsplit(answer.url).path == "/api/recent/x"
    assert int(told(site, "x-auth-time")) >= first + AGE
    assert session_of(browser) != session


def test_a_script_is_told_and_its_person_signs_in_again(site):
    browser = site.signed_in()
    wait_until_old(site, browser)
    answer = site.call(browser, "/api/recent/x", [("Referer", site.url + "/api/page")])
    assert answer.status == 401
    assert answer.header("WWW-Authenticate") == \
        f'Bearer realm="Keycloak", error="insufficient_user_authentication", max_age="{AGE}"'
    page = again(site, browser, browser.get(answer.json()["login_url"]))
    assert urlsplit(page.url).path == "/api/page" and page.status == 200
    assert site.call(browser, "/api/recent/x").status == 200


def test_a_class_that_the_sign_in_has_opens_the_place(site):
    browser = site.browser()
    answer = browser.sign_in(site.url + "/api/silver/x", "alice", site.realm.passwords["alice"])
    assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{site.log()}"
    assert told(site, "x-acr") == "silver"
    open_page(site, browser, "/api/silver/y")


@pytest.mark.parametrize("name", ["gold", "platinum"])
def test_a_class_that_cannot_be_had_ends_in_a_page(site, name):
    """Known to the realm, but not reached by its flow; and not even known."""
    browser = site.signed_in()
    session = session_of(browser)
    answer = browser.get(f"{site.url}/api/{name}/x")
    asked = parse_qs(urlsplit(answer.history[0].header("Location")).query)
    assert asked["acr_values"] == [name]
    if is_form(answer):
        answer = again(site, browser, answer)
    assert answer.status == 403 and "KC0416" in answer.text, f"{answer}\n{site.log()}"
    assert session_of(browser) == session
    open_page(site, browser)


def end_here(browser):
    """This site forgets the person; Keycloak does not."""
    browser.cookies = {place: cookie for place, cookie in browser.cookies.items() if cookie.name != "keycloak_session"}


def test_a_silent_sign_in_with_and_without_a_session_at_keycloak(site):
    silent = site.url + "/authservice/login?prompt=none&return=%2Fapi%2Fpage"
    browser = site.signed_in()
    session = session_of(browser)
    answer = browser.get(silent)  # with a session here, which a new one takes the place of
    assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{site.log()}"
    assert session_of(browser) != session
    end_here(browser)
    answer = browser.get(silent)
    assert answer.status == 200 and urlsplit(answer.url).path == "/api/page", f"{answer}\n{site.log()}"
    assert site.identity(browser) == ["alice@example.com"]
    nobody = site.browser()
    answer = nobody.get(silent)
    assert answer.status == 401 and "KC0313" in answer.text, f"{answer}\n{site.log()}"
    assert not [cookie for cookie in nobody.cookies.values() if cookie.name.startswith("keycloak_")]


def test_a_silent_sign_in_that_fails_leaves_the_session(site):
    browser = site.signed_in()
    session = session_of(browser)
    site.realm.admin("POST", f"/users/{site.realm.user('alice')['id']}/logout")
    answer = browser.get(site.url + "/authservice/login?prompt=none&return=%2Fapi%2Fpage")
    assert answer.status == 401 and "KC0313" in answer.text, f"{answer}\n{site.log()}"
    assert session_of(browser) == session
    open_page(site, browser)


def test_who_else_is_signed_in_at_keycloak_does_not_come_in_silently(site):
    """threats.md E 93: bob signs in at Keycloak by another browser tab, as at another site."""
    browser = site.signed_in("alice")
    session = session_of(browser)
    bob = site.signed_in("bob")
    browser.cookies = {place: cookie for place, cookie in browser.cookies.items() if cookie.name == "keycloak_session"}
    browser.cookies.update({place: cookie for place, cookie in bob.cookies.items()
                            if cookie.name != "keycloak_session"})
    answer = browser.get(site.url + "/authservice/login?prompt=none&return=%2Fapi%2Fpage")
    assert answer.status == 401 and "KC0409" in answer.text, f"{answer}\n{site.log()}"
    assert session_of(browser) == session
    assert site.identity(browser) == ["alice@example.com"]


def test_hints_arrive_at_keycloaks_page(site):
    login = site.url + "/authservice/login?return=%2Fapi%2Fpage&"
    page = site.browser().get(login + "login_hint=alice%40example.com&ui_locales=de")
    assert is_form(page)
    assert Form(page.text, "kc-form-login").fields["username"] == "alice@example.com"
    assert 'lang="de"' in page.text
    page = site.browser().get(login + "ui_locales=en")
    assert is_form(page) and 'lang="en"' in page.text and not Form(page.text, "kc-form-login").fields["username"]


def test_the_hint_of_an_identity_provider_leads_there(site):
    browser = site.browser()
    answer = site.get(browser, "/authservice/login?return=%2F&kc_idp_hint=elsewhere")
    for _ in range(4):
        where = urljoin(answer.url, answer.header("Location") or "")
        if where.startswith(ELSEWHERE):
            break
        answer = browser.get(where, follow=False)
    assert where.startswith(ELSEWHERE + "?"), f"{answer}\n{site.log()}"


def test_another_site_begins_a_sign_in(site):
    """threats.md A 35"""
    link = f"{site.url}/authservice/login?target_link_uri={quote(site.url + '/api/page', '')}&login_hint=alice&iss="
    browser = site.browser()
    page = browser.get(link + quote(site.realm.issuer, ""))
    answer = browser.fill_in(page, "alice", site.realm.passwords["alice"])
    assert answer.status == 200 and urlsplit(answer.url).path == "/api/page", f"{answer}\n{site.log()}"
    answer = site.browser().get(link + quote("https://elsewhere.example.com", ""))
    assert answer.status == 400 and "KC0112" in answer.text and not answer.history
