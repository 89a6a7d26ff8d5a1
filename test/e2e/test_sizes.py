# SPDX-License-Identifier: Apache-2.0
"""Users in 300 and in 1,000 groups of a real Keycloak: signing in, what backends see, Require, and signing out."""

import secrets
from urllib.parse import parse_qs, urlsplit

import pytest

from backend import values
from site_under_test import confirm, is_form

PEOPLE = {"many": 300, "most": 1000}
BLOCKS = """\
<Location /last>
    Require keycloak-group team-{last}-of-a-large-department
</Location>
<Location /excluded>
    <RequireAll>
        Require valid-user
        Require not keycloak-group team-{last}-of-a-large-department
    </RequireAll>
</Location>
<Location /others>
    <RequireAll>
        Require valid-user
        Require not keycloak-group no-such-group
    </RequireAll>
</Location>
"""
HEADER_MAX = 8000


def group(number):
    return f"team-{number:04d}-of-a-large-department"


def fill(representation):
    representation["groups"] += [{"name": group(number)} for number in range(max(PEOPLE.values()))]
    for name, count in PEOPLE.items():
        representation["users"].append({
            "username": name, "email": f"{name}@example.com", "emailVerified": True, "enabled": True,
            "firstName": name.capitalize(), "lastName": "Example", "groups": ["/" + group(number) for number in range(count)],
            "credentials": [{"type": "password", "value": secrets.token_urlsafe(12), "temporary": False}]})


@pytest.fixture(scope="module")
def realm(keycloak):
    return keycloak.realm("e2e-sizes", "http://localhost:1", fill)


@pytest.fixture(scope="module", params=PEOPLE)
def person(request):
    return request.param


@pytest.fixture(scope="module")
def site(new_site, realm, person):
    # Keycloak takes seconds to write a token with 1,000 groups on a machine that is busy.
    return new_site(realm, settings="KeycloakHTTPTimeout 25s", blocks=BLOCKS.replace("{last}", f"{PEOPLE[person] - 1:04d}"))


@pytest.fixture(scope="module")
def browser(site, person):
    return site.signed_in(person)


def header(site, browser):
    assert site.get(browser).status == 200, site.log()
    [value] = values(site.backend.requests[-1]["headers"], "kubeflow-groups")
    return value


def test_the_header_has_what_there_is_room_for(site, browser, person):
    found = header(site, browser)
    names = found.split(",")
    assert HEADER_MAX - len(group(0)) - 1 < len(found) <= HEADER_MAX
    assert len(set(names)) == len(names) and set(names) <= {group(number) for number in range(PEOPLE[person])}


def test_all_groups_are_known(site, browser, person):
    assert sorted(site.call(browser, "/authservice/whoami").json()["groups"]) == [
        group(number) for number in range(PEOPLE[person])]
    for path, status in (("/last/page", 200), ("/excluded/page", 403), ("/others/page", 200)):
        assert site.get(browser, path).status == status, f"{path}\n{site.log()}"


def test_the_log_tells_once_what_is_left_out(site, browser, realm, person):
    left = PEOPLE[person] - len(header(site, browser).split(","))
    site.signed_in(person)
    [line] = [line for line in site.httpd.log_text().splitlines() if "KC0425" in line]
    assert f"of sub {realm.user(person)['id']} lacks {left} of {PEOPLE[person]} groups" in line


def test_a_filter_chooses(new_site, realm, person):
    site = new_site(realm, settings="KeycloakGroupsFilter *5-of-* order:sorted limit:7")
    browser = site.signed_in(person)
    assert header(site, browser) == ",".join(group(number) for number in range(5, 75, 10))
    assert len(site.call(browser, "/authservice/whoami").json()["groups"]) == PEOPLE[person]


def test_signing_out_leads_to_keycloak_without_the_token(site, realm, person):
    browser = site.signed_in(person)
    step = site.get(browser, "/authservice/logout")
    query = parse_qs(urlsplit(step.header("Location")).query)
    assert query["client_id"] == [realm.client] and "id_token_hint" not in query
    asked = browser.get(step.header("Location"))
    assert asked.status == 200, asked
    assert not is_form(asked), "Keycloak asks whether to sign out"
    confirm(browser, asked)
    assert is_form(browser.get(site.url + "/api/next"))
