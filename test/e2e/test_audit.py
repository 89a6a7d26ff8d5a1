# SPDX-License-Identifier: Apache-2.0
"""The audit log and the trace of requests, with a real Keycloak: sign-ins, impersonation, an end in its console."""

import json
import re

import pytest
from process import wait_for

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CAME = [("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"), ("tracestate", "a=1")]
SETTINGS = "KeycloakAuditLog {folder}/audit.json\nKeycloakTraceContext on\nKeycloakTrustedProxy 127.0.0.0/8 ::1"


@pytest.fixture(scope="module")
def site(new_site, realm):
    site = new_site(realm, settings=SETTINGS)
    realm.send_logouts_to(f"http://127.0.0.1:{site.port}")
    for name, note in (("username", "IMPERSONATOR_USERNAME"), ("id", "IMPERSONATOR_ID")):
        realm.admin("POST", f"/clients/{realm.client_uuid}/protocol-mappers/models", {
            "name": "impersonator " + name, "protocol": "openid-connect", "protocolMapper": "oidc-usersessionmodel-note-mapper",
            "config": {"user.session.note": note, "claim.name": "impersonator." + name, "jsonType.label": "String",
                       "id.token.claim": "true", "access.token.claim": "true"}})
    return site


def events(site, since=0):
    return [json.loads(line) for line in (site.folder / "audit.json").read_text(encoding="utf-8").splitlines()][since:]


def test_a_sign_in_and_its_end_in_the_console(site, realm):
    before = len(events(site))
    browser = site.signed_in("alice")
    event, = events(site, before)
    assert (event["event"], event["tag"], event["user"], event["act"]) == ("sign-in", "KC0601", "alice@example.com", None)
    assert event["sub"] == realm.user("alice")["id"] and event["issuer"] == realm.issuer and event["client"] == realm.client
    assert event["address"] in ("127.0.0.1", "::1") and event["agent"].startswith("Mozilla/5.0")
    realm.admin("POST", f"/users/{event['sub']}/logout")
    wait_for(lambda: len(events(site)) > before + 1, 20, "Keycloak reports the end")
    ended = events(site)[-1]
    assert (ended["event"], ended["tag"], ended["cause"]) == ("session-ended", "KC0605", "back-channel")
    assert ended["keycloak_session"] == event["keycloak_session"]
    assert browser.cookie("keycloak_session").value not in (site.folder / "audit.json").read_text(encoding="utf-8")


def test_impersonation_is_named(site, realm):
    before = len(events(site))
    browser = site.browser()
    server = realm.server
    answer = browser.send("POST", f"{server.url}/admin/realms/{realm.name}/users/{realm.user('bob')['id']}/impersonation",
                          [("Authorization", "Bearer " + server.token()), ("Content-Type", "application/json"), ("Content-Length", "0")])
    assert answer.status == 200, answer
    assert browser.get(site.url + "/api/start").json()["user"] == "bob@example.com"
    event = events(site, before)[-1]
    assert (event["event"], event["user"], event["act"]) == ("sign-in", "bob@example.com", "admin")


def test_one_trace_from_the_gateway_to_keycloak_and_the_backend(site, realm):
    browser = site.browser()
    form = browser.get(site.url + "/api/start")
    answer = browser.fill_in(form, "alice", realm.passwords["alice"], follow=False) if form.status == 200 else form
    callback = answer.header("Location")
    assert callback and "/authservice/oidc/callback?" in callback, answer
    assert browser.get(callback, CAME, follow=False).status in (200, 302, 303)
    assert site.get(browser, "/api/page", CAME).status == 200
    at_backend = dict((name.lower(), value) for name, value in site.backend.requests[-1]["headers"])["traceparent"]
    log = server_log(realm)
    wait_for(lambda: re.search(rf"POST /realms/{realm.name}/protocol/openid-connect/token 200 traceparent=00-{TRACE}-", server_log(realm)), 20,
             f"Keycloak's log has the trace\n{log[-2000:]}")
    assert at_backend.startswith(f"00-{TRACE}-") and "00f067aa0ba902b7" not in at_backend
    assert re.search(rf"KC0601: signed in: .*, trace {TRACE}\b", site.log())
    assert events(site)[-1]["trace"] == TRACE


def server_log(realm):
    return (realm.server.folder / "keycloak.log").read_text(encoding="utf-8", errors="replace")
