# SPDX-License-Identifier: Apache-2.0
"""Which sessions outlive which restart, under both MPMs."""

import os
import signal

import pytest

from process import wait_for
from site_under_test import asks_to_sign_in


@pytest.fixture(scope="module")
def memcached_site(new_site, realm, mpm):
    return new_site(realm, mpm=mpm)


@pytest.fixture(scope="module")
def shm_site(new_site, realm, mpm):
    return new_site(realm, mpm=mpm, memcached=False, crypto_key=False)


def test_graceful_restart_keeps_shared_memory(shm_site):
    alice, bob = shm_site.signed_in("alice"), shm_site.signed_in("bob")
    for _ in range(3):
        shm_site.httpd.graceful()
        assert shm_site.identity(alice) == ["alice@example.com"]
        assert shm_site.identity(bob) == ["bob@example.com"]


def test_graceful_restart_keeps_memcached(memcached_site):
    alice = memcached_site.signed_in("alice")
    memcached_site.httpd.graceful()
    assert memcached_site.identity(alice) == ["alice@example.com"]


def test_sign_in_survives_a_graceful_restart(shm_site):
    """Begun before, ended after: the state's key outlives the restart."""
    browser = shm_site.browser()
    form = browser.get(shm_site.url + "/api/x")
    shm_site.httpd.graceful()
    answer = browser.fill_in(form, "alice", shm_site.realm.passwords["alice"])
    assert answer.status == 200 and answer.json()["user"] == "alice@example.com", answer


def test_full_restart_keeps_memcached(memcached_site):
    alice = memcached_site.signed_in("alice")
    memcached_site.httpd.restart()
    assert memcached_site.identity(alice) == ["alice@example.com"]


def test_full_restart_empties_shared_memory(shm_site):
    alice = shm_site.signed_in("alice")
    count = shm_site.seen()
    shm_site.httpd.restart()
    answer = shm_site.get(alice)
    assert asks_to_sign_in(answer, shm_site.realm), answer
    assert shm_site.seen() == count
    again = alice.get(shm_site.url + "/api/x")
    assert again.status == 200 and again.json()["user"] == "alice@example.com", again


def test_full_restart_without_a_key_loses_sessions_and_says_so(new_site, realm, mpm):
    site = new_site(realm, mpm=mpm, crypto_key=False)
    assert "KeycloakCryptoKey" in site.httpd.log_text()
    alice = site.signed_in("alice")
    site.httpd.graceful()
    assert site.identity(alice) == ["alice@example.com"]
    site.httpd.restart()
    assert asks_to_sign_in(site.get(alice), realm)


def test_killed_children_cost_no_session(shm_site):
    alice = shm_site.signed_in("alice")
    for _ in range(3):
        killed = shm_site.httpd.children()
        for pid in killed:
            os.kill(int(pid), signal.SIGKILL)
        wait_for(lambda: shm_site.httpd.children() - killed, 20, "httpd makes new children")
        wait_for(lambda: not shm_site.httpd.children() & killed, 20, "the killed ones are gone")
        assert shm_site.identity(alice) == ["alice@example.com"]
