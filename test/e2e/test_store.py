# SPDX-License-Identifier: Apache-2.0
"""A real memcached: what it holds, and what happens when it stalls, dies, or comes back empty."""

import base64
import re
import signal
import time

import pytest

from memcached import Memcached
from site_under_test import asks_to_sign_in, private_file


@pytest.fixture(scope="module")
def site(new_site, realm):
    return new_site(realm)


@pytest.fixture(params=["event", "prefork"])
def own_site(new_site, realm, request):
    """A site that asks memcached on each request, so that what happens to it is seen at once."""
    return new_site(realm, mpm=request.param, settings="KeycloakCacheTTL 0")


def sealed_in(site, at_least=100):
    """What is sealed: sessions and entries of rosters; marks and one-use markers hold nothing."""
    return {key: value for key, value in site.memcached.dump().items()
            if value[0] == 1 and len(value) > at_least}


def sessions_in(site):
    return sealed_in(site, 640)


def test_memcached_holds_nothing_in_the_clear(site):
    browser = site.signed_in("alice")
    session = browser.cookie("keycloak_session").value
    hint = site.get(site.signed_in("bob"), "/authservice/logout").header("Location")
    token_parts = re.search(r"id_token_hint=([^&]+)", hint).group(1).split(".")
    items = site.memcached.dump()
    assert items, "memcached is empty"
    raw = base64.urlsafe_b64decode(session + "=")
    user = site.realm.user("alice")
    secret = [session, raw, raw.hex(), "alice@example.com", "alice", "example", user["id"], "data-science",
              "kubeflow", "eyJ", "openid", "sid", site.realm.secret, site.realm.issuer,
              base64.b64encode(b"alice@example.com").rstrip(b"=")] + token_parts[:2]
    for key, value in items.items():
        assert re.search(rb"[0-9a-f]{64}", key), key
        for word in secret:
            word = word.encode() if isinstance(word, str) else word
            # Three bytes come by chance in a random kilobyte; only longer words prove anything.
            if len(word) < 5:
                continue
            assert word not in key and word not in value, word
    sealed = sealed_in(site).values()
    assert len(sealed) >= 2
    for value in sealed:
        # Sealed bytes do not compress and use the whole range.
        assert len(set(value)) > 100


def test_same_session_sealed_twice_differs(site):
    one, two = site.signed_in("alice"), site.signed_in("alice")
    values = list(sealed_in(site).values())
    assert len({value[-200:] for value in values}) == len(values) >= 2
    assert site.identity(one) == site.identity(two) == ["alice@example.com"]


def test_logout_leaves_no_session_behind(own_site):
    browser = own_site.signed_in("alice")
    before = set(sealed_in(own_site))
    assert len(sessions_in(own_site)) == 1 and len(before) == 2, "the session, and where it is listed"
    browser.get(own_site.url + "/authservice/logout")
    assert not before & set(own_site.memcached.keys())


def test_value_changed_in_memcached_is_no_session(own_site):
    """Every item is overwritten with a value that someone with memcached's socket could write."""
    browser = own_site.signed_in("alice")
    count = own_site.seen()
    for key, value in own_site.memcached.dump().items():
        changed = value[:-1] + bytes([value[-1] ^ 1])
        answer = own_site.memcached.put(key, changed)
        assert answer.startswith(b"STORED"), answer
    answer = own_site.get(browser)
    assert asks_to_sign_in(answer, own_site.realm), answer
    assert own_site.seen() == count


def test_old_value_put_back_after_logout_is_no_session(own_site):
    browser = own_site.signed_in("alice")
    cookie = "keycloak_session=" + browser.cookie("keycloak_session").value
    before = own_site.memcached.dump()
    browser.get(own_site.url + "/authservice/logout")
    count = own_site.seen()
    missing = set(before) - set(own_site.memcached.keys())
    assert missing
    for key in missing:
        own_site.memcached.put(key, before[key])
    answer = own_site.get(own_site.browser(), headers=[("Cookie", cookie)])
    assert asks_to_sign_in(answer, own_site.realm), answer
    assert own_site.seen() == count


def test_values_swapped_between_people_are_no_session(own_site):
    alice = own_site.signed_in("alice")
    hers = sessions_in(own_site)
    bob = own_site.signed_in("bob")
    his = {key: value for key, value in sessions_in(own_site).items() if key not in hers}
    assert len(hers) == len(his) == 1
    (her_key, her_value), (his_key, his_value) = *hers.items(), *his.items()
    own_site.memcached.put(her_key, his_value)
    own_site.memcached.put(his_key, her_value)
    count = own_site.seen()
    assert asks_to_sign_in(own_site.get(alice), own_site.realm)
    assert asks_to_sign_in(own_site.get(bob), own_site.realm)
    assert own_site.seen() == count


def test_stalled_memcached_is_503_and_nobody_is_signed_out(own_site):
    browser = own_site.signed_in("alice")
    child = own_site.memcached.child
    count = own_site.seen()
    child.send(signal.SIGSTOP)
    try:
        for _ in range(3):
            answer = own_site.get(browser)
            assert answer.status == 503 and answer.header("Retry-After"), answer
            assert "KC0501" in answer.text and not answer.header("Set-Cookie"), answer
        script = own_site.call(browser)
        assert script.status == 503 and script.json()["tag"] == "KC0501", script
        assert own_site.seen() == count
    finally:
        child.send(signal.SIGCONT)
    assert identity_soon(own_site, browser) == ["alice@example.com"]


def test_people_who_were_seen_before_go_on_while_memcached_is_stalled(new_site, realm):
    """The first tier, with its ordinary settings: past its age too, and for strangers not at all."""
    site = new_site(realm)
    seen, unseen = site.signed_in("alice"), site.signed_in("bob")
    site.httpd.restart()
    assert site.identity(seen) == ["alice@example.com"]
    child = site.memcached.child
    child.send(signal.SIGSTOP)
    try:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            assert site.identity(seen) == ["alice@example.com"]
        answer = site.get(unseen)
        assert answer.status == 503 and "KC0501" in answer.text, answer
    finally:
        child.send(signal.SIGCONT)
    assert identity_soon(site, unseen) == ["bob@example.com"]
    assert site.identity(seen) == ["alice@example.com"]


def test_memcached_that_asks_for_a_password(new_site, realm, tmp_path):
    """A real memcached with SASL: with the right password it works, with another it is down, and the log says why."""
    store = Memcached(tmp_path, account=("kubeflow", "a memcached password"))
    try:
        sites = []
        for password in ("a memcached password", "another"):
            site = new_site(realm, memcached=False, start=False, settings=(
                f"KeycloakMemcached {store.address}\nKeycloakStoreTimeout 1s\nKeycloakMemcachedUser kubeflow\n"
                "KeycloakMemcachedPassword file:{folder}/memcached-password"))
            private_file(site.folder / "memcached-password", password)
            site.start()
            sites.append(site)
        good, bad = sites
        browser = good.signed_in("alice")
        good.httpd.restart()
        assert good.identity(browser) == ["alice@example.com"]
        landed = bad.browser().sign_in(bad.url + "/api/x", "alice", realm.passwords["alice"])
        assert landed.status == 503 and "KC0501" in landed.text, landed
        assert "AUTHENTICATION FAILURE" in bad.httpd.log_text()
        assert "a memcached password" not in good.httpd.log_text() + bad.httpd.log_text()
    finally:
        store.stop()


def test_session_that_ends_on_one_node_ends_on_the_other_within_a_second(new_site, realm):
    first = new_site(realm)
    second = new_site(realm, memcached=False, crypto_key=False, settings=(
        f"KeycloakMemcached {first.memcached.address}\nKeycloakStoreTimeout 1s\n"
        f"KeycloakCryptoKey file:{first.folder}/crypto-key"))
    browser = first.signed_in("alice")
    cookie = ("Cookie", "keycloak_session=" + browser.cookie("keycloak_session").value)
    there = second.get(second.browser(), headers=[cookie])
    assert there.status == 200, there
    browser.get(first.url + "/authservice/logout")
    time.sleep(1)
    assert asks_to_sign_in(second.get(second.browser(), headers=[cookie]), realm)


def test_killed_memcached_is_503_then_a_new_sign_in(own_site):
    browser = own_site.signed_in("alice")
    count = own_site.seen()
    own_site.memcached.child.kill()
    answer = own_site.get(browser)
    assert answer.status == 503 and "KC0501" in answer.text, answer
    callback = own_site.browser()
    landed = callback.sign_in(own_site.url + "/api/x", "bob", own_site.realm.passwords["bob"])
    assert landed.status == 503 and not landed.header("X-Backend"), landed
    assert not callback.cookie("keycloak_session")
    assert own_site.seen() == count
    own_site.memcached.start()
    deadline = time.monotonic() + 20
    while (answer := own_site.get(browser)).status == 503 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert asks_to_sign_in(answer, own_site.realm), answer
    again = browser.get(own_site.url + "/api/x")
    assert again.status == 200 and again.json()["user"] == "alice@example.com", again


def identity_soon(site, browser):
    """The identity once the store counts as reachable again, within a bounded wait."""
    deadline = time.monotonic() + 20
    while site.get(browser).status == 503 and time.monotonic() < deadline:
        time.sleep(0.2)
    return site.identity(browser)


def test_no_secret_in_any_log(new_site, realm):
    """LogLevel trace8 and a whole life of a session: no token, code, cookie or secret is logged."""
    site = new_site(realm, blocks="LogLevel trace2 auth_keycloak:trace8\n"
                                  'CustomLog "{folder}/access.log" "%h %u %>s \\"%r\\" %q"')
    browser = site.browser()
    answer = browser.sign_in(site.url + "/api/x", "alice", realm.passwords["alice"])
    secrets = [realm.secret, browser.cookie("keycloak_session").value,
               (site.folder / "crypto-key").read_text().strip()]
    callback = next(step for step in answer.history if "/oidc/callback?" in step.url)
    for pair in callback.url.partition("?")[2].split("&"):
        name, _, value = pair.partition("=")
        if name in ("code", "state", "session_state"):
            secrets.append(value)
    hint = site.get(browser, "/authservice/logout").header("Location")
    secrets += re.search(r"id_token_hint=([^&]+)", hint).group(1).split(".")
    access = (site.folder / "access.log").read_text()
    assert "alice@example.com 200" in access and "/authservice/oidc/callback" in access
    log = site.httpd.log_text() + access
    for secret in secrets:
        assert len(secret) > 10 and secret not in log
