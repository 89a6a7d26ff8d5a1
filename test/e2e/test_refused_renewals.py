# SPDX-License-Identifier: Apache-2.0
"""A client or a realm that is disabled, deleted or changed: what happens to signed-in users."""

import time

import pytest

from process import wait_for
from site_under_test import asks_to_sign_in

LIFESPAN = 12  # seconds, of access tokens
GRACE = 12  # seconds after them
LATEST = 60  # seconds, after which a renewal that was due has been tried


def realm_is(enabled):
    def change(realm):
        realm.server.admin("PUT", "/" + realm.name, {**realm.server.admin("GET", "/" + realm.name), "enabled": enabled})
    return change


def client_has(**members):
    return lambda realm: realm.change_client(lambda client: client.update(members))


def delete_client(realm):
    realm.admin("DELETE", "/clients/" + realm.client_uuid)


def delete_realm(realm):
    realm.remove()


WITH_CLIENT = "check that the client is enabled, KeycloakClientID and KeycloakClientSecret"
# what is done, what undoes it (None: nothing can), what Keycloak calls it, and the log's advice
STOPS = {
    "client-disabled": (client_has(enabled=False), client_has(enabled=True), "KC0309", "invalid_client", WITH_CLIENT),
    "client-deleted": (delete_client, None, "KC0309", "invalid_client", WITH_CLIENT),
    "client-secret": (client_has(secret="another-one"), None, "KC0309", "unauthorized_client", WITH_CLIENT),
    "realm-disabled": (realm_is(False), realm_is(True), "KC0308", "access_denied: Realm not enabled",
                       "check that the realm of KeycloakIssuer is enabled"),
    "realm-deleted": (delete_realm, None, "KC0308", "Realm does not exist",
                      "check that the realm of KeycloakIssuer exists"),
}


@pytest.fixture(scope="module")
def make_site(keycloak, new_site):
    def make(name, settings):
        def change(representation):
            representation.update(eventsEnabled=True, enabledEventTypes=["REFRESH_TOKEN"])
            representation["clients"][0]["attributes"]["access.token.lifespan"] = str(LIFESPAN)
        return new_site(keycloak.realm(name, "http://localhost:1", change), settings=settings)
    return make


class Visits:
    """Somebody's requests from the sign-in until one is refused."""

    def __init__(self, site, stop):
        self.site = site
        self.earliest = int(time.time()) + LIFESPAN + GRACE  # when the session may end
        self.browser = site.signed_in()
        self.latest = int(time.time()) + 1 + LIFESPAN + GRACE
        stop(site.realm)
        self.refusal, self.is_early, self.is_late = None, False, False

    def visit(self):
        if self.refusal:
            return
        before = time.time()
        answer = self.site.get(self.browser)
        if answer.status == 200:
            self.is_late = self.is_late or before > self.latest
        else:
            self.refusal = answer
            self.is_early = time.time() < self.earliest


@pytest.fixture(scope="module")
def visits(make_site):
    """All of them at the same time, until all are refused."""
    settings = f"KeycloakClockSkew 0\nKeycloakStaleGrace {GRACE}s"
    stops = {what: row[0] for what, row in STOPS.items()}
    stops["consent"] = client_has(consentRequired=True)
    sites = {what: make_site("e2e-stop-" + what, settings) for what in stops}  # which takes a while
    people = {what: Visits(sites[what], stop) for what, stop in stops.items()}

    def all_are_refused():
        for person in people.values():
            person.visit()
        return all(person.refusal for person in people.values())
    wait_for(all_are_refused, LATEST, "all sessions end")
    return people


@pytest.mark.parametrize("what", list(STOPS))
def test_the_session_goes_on_until_its_grace_is_over(visits, what):
    person = visits[what]
    assert asks_to_sign_in(person.refusal, person.site.realm), person.refusal
    assert not person.is_early and not person.is_late, person.site.log()


@pytest.mark.parametrize("what", list(STOPS))
def test_the_log_says_who_why_and_what_to_do(visits, what):
    tag, why, advice = STOPS[what][2:]
    log = visits[what].site.httpd.log_text().splitlines()
    told = [line for line in log
            if f"{tag}: the session of alice@example.com goes on although its tokens could not be renewed: {why}" in line]
    assert told and all("auth_keycloak:warn" in line and advice in line for line in told), log[-20:]
    assert len(told) <= 8, told  # after pauses of 1, 2, 4 and 8 seconds
    ended = [line for line in log if "KC0102: session-ended: the session of alice@example.com: "
             "its tokens could not be renewed" in line]
    assert len(ended) == 1 and "auth_keycloak:info" in ended[0], log[-20:]


def test_consent_that_is_gone_ends_the_session_at_the_next_renewal(visits):
    """The person is asked for it."""
    person = visits["consent"]
    assert asks_to_sign_in(person.refusal, person.site.realm) and person.is_early
    assert "KC0311: the session of alice@example.com ends, its tokens could not be renewed: invalid_scope" in \
        person.site.httpd.log_text(), person.site.log()


@pytest.mark.parametrize("what", [what for what, stop in STOPS.items() if stop[1]])
def test_undone_within_the_grace_nothing_has_happened(make_site, what):
    site = make_site("e2e-undone-" + what, "")
    stop, undo = STOPS[what][:2]
    browser = site.signed_in()
    stop(site.realm)
    wait_for(lambda: site.identity(browser) == ["alice@example.com"] and
             "goes on although its tokens could not be renewed" in site.httpd.log_text(), LATEST, "a renewal is tried")
    undo(site.realm)
    wait_for(lambda: site.identity(browser) == ["alice@example.com"] and
             site.realm.admin("GET", "/events?type=REFRESH_TOKEN"), LATEST, "a renewal comes about")
