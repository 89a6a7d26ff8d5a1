# SPDX-License-Identifier: Apache-2.0
"""Sessions that outlive their tokens, at a Keycloak that takes each refresh token once; two nodes, one memcached."""

import signal
import threading
import time

import pytest

from backend import values
from site_under_test import asks_to_sign_in

LIFESPAN = 8  # seconds; tokens are due when a quarter of it is left
CROWD = 100


@pytest.fixture(scope="module")
def realm(keycloak):
    """Short tokens, and a refresh token that is used twice ends the session."""
    def change(representation):
        representation.update(revokeRefreshToken=True, refreshTokenMaxReuse=0, eventsEnabled=True,
                              enabledEventTypes=["REFRESH_TOKEN", "REFRESH_TOKEN_ERROR", "LOGIN"])
        representation["clients"][0]["attributes"]["access.token.lifespan"] = str(LIFESPAN)
    return keycloak.realm("e2e-refresh", "http://localhost:1", change)


def two_nodes(new_site, realm, settings=""):
    first = new_site(realm, settings=settings)
    second = new_site(realm, memcached=False, crypto_key=False, settings=(
        f"KeycloakMemcached {first.memcached.address}\nKeycloakStoreTimeout 1s\n"
        f"KeycloakCryptoKey file:{first.folder}/crypto-key\n{settings}"))
    return first, second


@pytest.fixture(scope="module")
def nodes(new_site, realm):
    return two_nodes(new_site, realm)


class Visitor:
    """Somebody who is signed in, on both nodes."""

    def __init__(self, nodes, username):
        self.nodes, self.realm = nodes, nodes[0].realm
        self.user = self.realm.user(username)["id"]
        browser = nodes[0].signed_in(username)
        self.since = time.time()  # when the tokens were there at the latest
        self.cookie = ("Cookie", "keycloak_session=" + browser.cookie("keycloak_session").value)

    def get(self, node=0):
        site = self.nodes[node]
        return site.get(site.browser(), headers=[self.cookie])

    def crowd(self):
        """Many requests at once, half of them at each node: their statuses."""
        statuses, lock = [], threading.Lock()

        def visit(number):
            status = self.get(number % 2).status
            with lock:
                statuses.append(status)
        threads = [threading.Thread(target=visit, args=(number,)) for number in range(CROWD)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return statuses

    def wait(self, seconds):
        """Until so long after the sign-in, or whatever brought tokens last."""
        time.sleep(max(0.0, self.since + seconds - time.time()))

    def events(self, kind):
        return len(self.realm.admin("GET", f"/events?type={kind}&user={self.user}&max=1000"))

    def wait_for_refresh(self, count=1):
        deadline = time.monotonic() + 3 * LIFESPAN
        answer = self.get()
        while self.events("REFRESH_TOKEN") < count and time.monotonic() < deadline:
            time.sleep(0.2)
            answer = self.get()
        assert self.events("REFRESH_TOKEN") == count, self.nodes[0].log()
        return answer


def person(realm, nodes, username):
    realm.add_user(username)
    return Visitor(nodes, username)


def test_a_crowd_when_tokens_are_due_gives_one_refresh(nodes, realm):
    visitor = person(realm, nodes, "dave")
    for round_number in (1, 2):  # the second with the refresh token that the first has brought
        visitor.wait(LIFESPAN - 1)
        assert set(visitor.crowd()) == {200}, nodes[0].log()
        visitor.since = time.time()
        assert visitor.events("REFRESH_TOKEN") == round_number
    assert visitor.events("REFRESH_TOKEN_ERROR") == 0


def test_a_crowd_behind_the_end_waits_for_one_refresh(new_site, realm):
    nodes = two_nodes(new_site, realm, "KeycloakClockSkew 0\nKeycloakStaleGrace 0\n")
    visitor = person(realm, nodes, "erin")
    visitor.wait(LIFESPAN + 1)
    statuses = visitor.crowd()
    assert set(statuses) <= {200, 503} and statuses.count(200) > CROWD // 4, statuses
    assert visitor.events("REFRESH_TOKEN") == 1 and visitor.events("REFRESH_TOKEN_ERROR") == 0
    assert {visitor.get(node).status for node in (0, 1)} == {200}


def test_what_changes_in_keycloak_arrives(nodes, realm):
    visitor = person(realm, nodes, "fay")
    groups = [group for group in realm.admin("GET", "/groups") if group["name"] == "data-science"]
    realm.admin("PUT", f"/users/{visitor.user}/groups/{groups[0]['id']}")
    visitor.wait_for_refresh()
    assert visitor.get().status == 200
    assert values(nodes[0].backend.requests[-1]["headers"], "kubeflow-groups") == ["data-science"]


@pytest.mark.parametrize("how", ["disabled", "signed out in the console"])
def test_who_is_stopped_at_keycloak_is_refused_at_the_next_refresh(nodes, realm, how):
    visitor = person(realm, nodes, "g" + how[:4])
    assert visitor.get(1).status == 200
    if how == "disabled":
        realm.admin("PUT", f"/users/{visitor.user}", {"enabled": False})
    else:
        realm.admin("POST", f"/users/{visitor.user}/logout")
    visitor.wait(LIFESPAN)
    assert asks_to_sign_in(visitor.get(), realm), nodes[0].log()
    time.sleep(1)
    assert asks_to_sign_in(visitor.get(1), realm)


def test_a_keycloak_that_hangs_ends_nobodys_session(nodes, realm):
    visitor = person(realm, nodes, "hana")
    child = realm.server.child
    visitor.wait(LIFESPAN - 1)
    child.send(signal.SIGSTOP)
    try:
        until = time.monotonic() + LIFESPAN
        while time.monotonic() < until:
            assert visitor.get().status == 200
    finally:
        child.send(signal.SIGCONT)
    assert "could not be renewed" in nodes[0].httpd.log_text()
    # Keycloak may have spent the refresh token of the request that nobody waited for: then one sign-in follows
    answer = visitor.get()
    assert answer.status == 200 or asks_to_sign_in(answer, realm), answer
