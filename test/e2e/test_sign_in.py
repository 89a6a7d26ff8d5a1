# SPDX-License-Identifier: Apache-2.0
"""Signing in at a real Keycloak, and what the backend gets, under both MPMs."""

import http.client
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import pytest

from backend import values
from process import wait_for
from site_under_test import asks_to_sign_in, is_form

OTHERS = ["kubeflow-userid", "Kubeflow-UserID", "KUBEFLOW-USERID", "kubeflow_userid",
          "KubeFlow_UserId", "kubeflow.userid", "kubeflowuserid", "kubeflow--userid",
          "kubeflow-user-id", "k-u-b-e-f-l-o-w-userid", "kubeflow-userid_", "kubeflow~userid",
          "kubeflow!userid", "kubeflow'userid", "kubeflow|userid", "*kubeflow-userid"]
GROUPS = ["kubeflow-groups", "KUBEFLOW_GROUPS", "kubeflow.groups", "Kubeflow--Groups"]


@pytest.fixture(scope="module")
def site(new_site, realm, mpm):
    return new_site(realm, mpm=mpm)


@pytest.fixture(scope="module")
def alice(site):
    return site.signed_in("alice")


def folded(headers, name):
    """Values of each header whose letters and digits are this name's."""
    return [value for key, value in headers if re.sub("[^a-z0-9]", "", key.lower()) == name]


def test_alice_arrives_at_her_page(site):
    browser = site.browser()
    page = site.url + "/notebooks/list?ns=team&sort=%2Fname"
    form = browser.get(page)
    assert is_form(form)
    assert site.seen() == 0 or all(seen["user"] for seen in site.backend.requests)
    answer = browser.fill_in(form, "alice", site.realm.passwords["alice"])
    assert answer.status == 200 and answer.url == page, answer
    headers = site.backend.requests[-1]["headers"]
    assert site.backend.requests[-1]["path"] == "/notebooks/list?ns=team&sort=%2Fname"
    assert values(headers, "kubeflow-userid") == ["alice@example.com"]
    groups = values(headers, "kubeflow-groups")
    assert len(groups) == 1
    assert sorted(groups[0].split(",")) == ["data-science", "platform/admins"]


def test_request_to_keycloak(site):
    answer = site.get(site.browser(), "/page")
    assert asks_to_sign_in(answer, site.realm), answer
    query = parse_qs(urlsplit(answer.header("Location")).query)
    assert query["response_type"] == ["code"]
    assert query["client_id"] == [site.realm.client]
    assert query["redirect_uri"] == [site.url + "/authservice/oidc/callback"]
    assert query["code_challenge_method"] == ["S256"]
    assert len(query["code_challenge"][0]) == 43
    assert len(query["nonce"][0]) >= 22 and len(query["state"][0]) >= 22
    assert "openid" in query["scope"][0].split()


def test_callback_answer(site):
    browser = site.browser()
    answer = browser.sign_in(site.url + "/api/x", "alice", site.realm.passwords["alice"])
    callback = answer.history[-1]
    assert "/authservice/oidc/callback?" in callback.url
    assert callback.status == 303 and callback.header("Location").endswith("/api/x")
    assert "no-store" in callback.header("Cache-Control")
    assert callback.header("Referrer-Policy") == "no-referrer"
    for line in callback.all("Set-Cookie"):
        attributes = [part.strip().lower() for part in line.split(";")[1:]]
        assert {"path=/", "httponly", "samesite=lax"} <= set(attributes), line
        assert "secure" not in attributes, line
    session = browser.cookie("keycloak_session")
    assert re.fullmatch("[A-Za-z0-9_-]{43}", session.value)
    assert not [name for name in (cookie.name for cookie in browser.cookies.values())
                if name.startswith("keycloak_login")], "the sign-in's cookie is left"


def test_each_has_their_own_session(site):
    alice, bob = site.signed_in("alice"), site.signed_in("bob")
    assert site.identity(alice) == ["alice@example.com"]
    assert site.identity(bob) == ["bob@example.com"]
    assert site.identity(alice) == ["alice@example.com"]


@pytest.mark.parametrize("name", OTHERS)
def test_identity_cannot_be_forged(site, alice, name):
    answer = site.get(alice, headers=[(name, "eve@example.com"), (name, "mallory@example.com")])
    assert answer.status == 200, answer
    assert folded(site.backend.requests[-1]["headers"], "kubeflowuserid") == ["alice@example.com"]


def test_identity_cannot_be_forged_by_all_at_once(site, alice):
    headers = [(name, "eve@example.com") for name in OTHERS]
    headers += [(name, "admins") for name in GROUPS]
    assert site.get(alice, headers=headers).status == 200
    received = site.backend.requests[-1]["headers"]
    assert folded(received, "kubeflowuserid") == ["alice@example.com"]
    groups = folded(received, "kubeflowgroups")
    assert len(groups) == 1 and sorted(groups[0].split(",")) == ["data-science", "platform/admins"]
    assert not [value for _, value in received if "eve@" in value]


@pytest.mark.parametrize("value", ["kubeflow-userid", "close, Kubeflow-UserID", "kubeflow_userid",
                                   "keep-alive, kubeflow-userid, kubeflow-groups",
                                   "kubeflow-userid,cookie,authorization"])
def test_connection_header_takes_nothing_away(site, alice, value):
    headers = [("Connection", value), ("kubeflow-userid", "eve@example.com"),
               ("Authorization", "Bearer of-the-application")]
    assert site.get(alice, headers=headers).status == 200
    received = site.backend.requests[-1]["headers"]
    assert folded(received, "kubeflowuserid") == ["alice@example.com"]
    assert len(folded(received, "kubeflowgroups")) == 1
    assert values(received, "authorization") == ["Bearer of-the-application"]


def test_own_cookies_stop_here_and_others_pass(site, alice):
    own = alice.cookie("keycloak_session")
    headers = [("Cookie", f"first=1; keycloak_session={own.value}; XSRF-TOKEN=abc; "
                          "keycloak_login_0123456789abcdef=x; keycloak_rounds=1; last=2")]
    other = site.browser()
    answer = site.get(other, headers=headers)
    assert answer.status == 200, answer
    cookies = values(site.backend.requests[-1]["headers"], "cookie")
    assert cookies == ["first=1; XSRF-TOKEN=abc; last=2"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/api/page", "/a/../b", "/authservice", "/authservices/x"])
def test_backend_is_never_reached_without_a_session(site, method, path):
    count = site.seen()
    headers = [(name, "eve@example.com") for name in OTHERS]
    headers += [("Cookie", "keycloak_session=" + "A" * 43), ("X-Forwarded-User", "eve")]
    answer = site.get(site.browser(), path, headers, method=method)
    assert answer.status in (302, 401), answer
    assert site.seen() == count
    assert not answer.header("X-Backend")


@pytest.mark.parametrize("cookie", ["", "x", "A" * 42, "A" * 44, "A" * 42 + "!", "%41" * 15,
                                    '"' + "A" * 43 + '"', "A" * 5000, "../../etc", "\x7f"])
def test_malformed_session_cookie_is_no_session(site, cookie):
    count = site.seen()
    answer = site.get(site.browser(), headers=[("Cookie", "keycloak_session=" + cookie)])
    assert asks_to_sign_in(answer, site.realm) or answer.status == 400, answer
    assert site.seen() == count


def test_script_gets_401_as_json(site):
    count = site.seen()
    answer = site.call(site.browser(), "/api/data")
    assert answer.status == 401 and not answer.header("Location"), answer
    assert answer.header("WWW-Authenticate").startswith('Bearer realm="')
    assert answer.header("Content-Type").startswith("application/json")
    body = answer.json()
    assert body["error"] == "login_required" and body["tag"] == "KC0101"
    assert body["error_description"] and body["request_id"] and body["login_url"]
    assert "no-store" in answer.header("Cache-Control")
    assert site.seen() == count


def test_login_url_of_the_401_signs_in(site):
    body = site.call(site.browser(), "/api/data").json()
    address = body["login_url"]
    browser = site.browser()
    form = browser.get(address if "://" in address else site.url + address)
    answer = browser.fill_in(form, "bob", site.realm.passwords["bob"])
    assert answer.status == 200 and answer.header("X-Backend"), answer
    assert site.identity(browser) == ["bob@example.com"]


def test_second_tab_makes_a_new_session_and_both_end_with_the_sign_out(site):
    """Requests that the first tab has under way go on; the same person is at the same session of Keycloak."""
    browser = site.browser()
    second_tab = site.get(browser, "/api/second")
    assert asks_to_sign_in(second_tab, site.realm)
    browser.sign_in(site.url + "/api/first", "alice", site.realm.passwords["alice"])
    old = browser.cookie("keycloak_session").value
    answer = browser.get(second_tab.header("Location"))
    assert answer.url == site.url + "/api/second" and answer.header("X-Backend"), answer
    assert browser.cookie("keycloak_session").value != old
    assert site.identity(browser) == ["alice@example.com"]
    cookie = [("Cookie", "keycloak_session=" + old)]
    assert site.identity(site.browser(), headers=cookie) == ["alice@example.com"]
    browser.get(site.url + "/authservice/logout")
    assert asks_to_sign_in(site.get(browser), site.realm)
    wait_for(lambda: asks_to_sign_in(site.get(site.browser(), headers=cookie), site.realm), 20,
             "the session before ends as soon as the first tier asks again")


def test_back_to_a_spent_callback_does_not_loop(site):
    browser = site.browser()
    answer = browser.sign_in(site.url + "/api/x", "alice", site.realm.passwords["alice"])
    again = browser.get(answer.history[-1].url, follow=False)
    assert again.status == 303, again
    assert again.header("Location").removeprefix(site.url) in ("/", "/api/x"), again
    assert site.identity(browser) == ["alice@example.com"]


def test_callback_of_another_browser_makes_no_session(site):
    browser = site.browser()
    form = browser.get(site.url + "/api/x")
    answer = browser.fill_in(form, "alice", site.realm.passwords["alice"], follow=False)
    stranger = site.browser()
    count = site.seen()
    landed = stranger.get(answer.header("Location"), follow=False)
    assert landed.status in (302, 400, 401), landed
    assert not stranger.cookie("keycloak_session")
    assert site.seen() == count


def test_callback_takes_get_only(site, alice):
    answer = alice.post(site.url + "/authservice/oidc/callback", {"code": "x", "state": "y"},
                        follow=False)
    assert answer.status == 405, answer
    count = site.seen()
    assert site.get(alice, "/authservice/oidc/callbackX").status == 404
    assert site.get(alice, "/authservice/unknown").status == 404
    assert site.seen() == count


def test_refusal_at_keycloak_is_a_page(site):
    browser = site.browser()
    start = site.get(browser, "/api/x")
    state = parse_qs(urlsplit(start.header("Location")).query)["state"][0]
    answer = browser.get(site.url + "/authservice/oidc/callback?error=access_denied"
                         f"&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state={state}"
                         f"&iss={site.realm.issuer}", follow=False)
    assert answer.status == 401 and answer.header("Content-Type").startswith("text/html"), answer
    assert "<script>alert" not in answer.text and "KC0307" in answer.text
    assert not answer.header("X-Backend")


def session_cookie(browser):
    return "keycloak_session=" + browser.cookie("keycloak_session").value


def test_one_connection_for_several_people(site, alice):
    """Nothing of one request is left for the next one on the same connection."""
    bob = site.signed_in("bob")
    people = [(alice, "alice@example.com"), (None, None), (bob, "bob@example.com"), (None, None),
              (alice, "alice@example.com")]
    connection = http.client.HTTPConnection("localhost", site.port, timeout=30)
    try:
        for browser, user in people * 2:
            count = site.seen()
            headers = {"Accept": "application/json"}
            if browser:
                headers["Cookie"] = session_cookie(browser)
            connection.request("GET", "/api/x", headers=headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == (200 if browser else 401)
            assert site.seen() == count + (1 if browser else 0)
            if browser:
                assert site.backend.requests[-1]["user"] == user
    finally:
        connection.close()


def test_many_people_at_once(site, alice):
    bob = site.signed_in("bob")

    def visit(number):
        browser, user = ((alice, "alice@example.com"), (bob, "bob@example.com"),
                         (site.browser(), None))[number % 3]
        answer = site.call(browser, f"/api/{number}",
                           [("kubeflow-userid", "eve@example.com")])
        return answer.status, (answer.json().get("user"), user)
    with ThreadPoolExecutor(12) as pool:
        for status, (found, expected) in pool.map(visit, range(180)):
            assert (status, found) == (200 if expected else 401, expected)


def test_uploads_pass_with_a_session_only(site, alice):
    body = b"0123456789abcdef" * 200_000
    headers = [("Content-Type", "application/octet-stream")]
    answer = site.get(alice, "/api/upload", headers, method="POST", body=body)
    assert answer.status == 200 and answer.json()["body_bytes"] == len(body)
    assert answer.json()["user"] == "alice@example.com"
    count = site.seen()
    answer = site.get(site.browser(), "/api/upload", headers, method="POST", body=body[:4096])
    assert answer.status == 401 and site.seen() == count, answer


def test_websocket_without_a_session_is_refused(site):
    count = site.seen()
    answer = site.get(site.browser(), "/api/kernel", [
        ("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==")])
    assert answer.status == 401 and site.seen() == count, answer
