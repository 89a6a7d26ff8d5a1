# SPDX-License-Identifier: Apache-2.0
"""Readiness probes while memcached and Keycloak are really down, and how soon they notice that Keycloak is back."""

import http.client
import json
import time

import pytest

from httpd import MODULES
from keycloak import Keycloak
from memcached import Memcached
from process import free_port, wait_for

PROBES = """\
Listen 127.0.0.1:{port}
<VirtualHost *:{port}>
    <Location />
        Require all granted
        SetHandler keycloak-health
    </Location>
    <Location /healthz>
        SetHandler none
        ProxyPass !
        Redirect 204
    </Location>
</VirtualHost>
"""


@pytest.fixture(scope="module")
def own_keycloak(tmp_path_factory):
    """One that may be stopped. Its database is in memory: after a start it has the realm master alone."""
    server = Keycloak(tmp_path_factory.mktemp("own-keycloak"))
    with server.running():
        yield server


@pytest.fixture(scope="module")
def own_realm(own_keycloak):
    return own_keycloak.realm("e2e-health", "http://localhost:1")


def with_probes(new_site, realm, **more):
    port = free_port()
    site = new_site(realm, blocks=PROBES.format(port=port), modules=[*MODULES, "alias", "auth_keycloak"], start=False, **more)
    site.probe_port = port
    return site


def probe(site, path="/", method="GET"):
    """Status and JSON of one probe, and how many seconds it took."""
    start = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", site.probe_port, timeout=20)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        text = answer.read()
        assert not answer.getheader("Set-Cookie")
    finally:
        connection.close()
    return answer.status, json.loads(text) if text else None, time.monotonic() - start


def is_ready(site):
    return probe(site)[0] == 200


def assert_not_ready(site, *words):
    status, answer, seconds = probe(site)
    assert status == 503 and answer["ready"] is False, answer
    assert len(answer["problems"]) == 1, answer
    assert all(word in answer["problems"][0] for word in words), answer
    assert seconds < 5, "KeycloakHTTPTimeout"


def changes_logged(site):
    return [line for line in site.httpd.log_text().splitlines() if "keycloak-health: " in line]


def test_memcached_goes_and_comes_back(new_site, own_realm):
    site = with_probes(new_site, own_realm)
    site.start()
    wait_for(lambda: is_ready(site), 10, "the site is ready")
    browser = site.signed_in("alice")
    before, lines = site.memcached.keys(), len(changes_logged(site))
    for _ in range(20):
        assert probe(site)[:2] == (200, {"ready": True, "problems": []})
    assert sorted(site.memcached.keys()) == sorted(before), "a probe stores nothing"
    site.memcached.stop()
    for _ in range(10):
        assert_not_ready(site, "no session store answers", site.memcached.address)
    assert probe(site, "/healthz")[0] == 204, "alive all the same"
    site.memcached.start()
    wait_for(lambda: is_ready(site), 5, "the site is ready again")
    assert len(changes_logged(site)) == lines + 2, changes_logged(site)
    assert site.get(browser).status in (200, 302)


def test_one_memcached_of_two_is_enough(new_site, own_realm, tmp_path):
    second = Memcached(tmp_path)
    try:
        site = with_probes(new_site, own_realm, memcached=False, settings=(
            "KeycloakStoreTimeout 1s\nKeycloakMemcached " + second.address + " 127.0.0.1:" + str(free_port())))
        site.start()
        wait_for(lambda: is_ready(site), 10, "the site is ready")
        for _ in range(20):
            assert is_ready(site)
        second.stop()
        assert_not_ready(site, "no session store answers")
    finally:
        second.stop()


def test_keycloak_goes_and_comes_back(new_site, own_keycloak, own_realm):
    site = with_probes(new_site, own_realm, issuer=own_keycloak.url + "/realms/master")
    site.httpd.start()
    wait_for(lambda: is_ready(site), 10, "the site is ready")
    own_keycloak.stop()
    for _ in range(10):
        assert is_ready(site), "what is known of Keycloak does"
        time.sleep(0.2)
    # httpd starts before Keycloak does: nothing is known
    site.httpd.stop()
    site.httpd.start()
    for _ in range(10):
        assert_not_ready(site, own_keycloak.url + "/realms/master cannot be fetched")
    own_keycloak.start()
    own_keycloak.ready()
    answered = time.monotonic()
    while not is_ready(site):
        assert time.monotonic() - answered < 20
        time.sleep(0.01)
    seconds = time.monotonic() - answered
    print(f"ready {seconds:.3f} s after Keycloak answers")
    assert seconds <= 1, seconds
