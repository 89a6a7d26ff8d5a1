# SPDX-License-Identifier: Apache-2.0
"""Keycloak's own tokens as bearer tokens, and the ID token that backends get, directly or through Envoy."""

import base64
import http.client
import json
import time
from urllib.parse import urlencode

import pytest

from backend import Backend, values
from browser import SCRIPT, Browser
from envoy import FILTER_OF_OURS, Envoy
from process import free_port, wait_for
from site_under_test import JUDGE
from streams import StreamBackend, WebSocket

PROGRAM = "kfp-cli"  # a public client, for programs of people
LIFESPAN = 8  # seconds, of the program's tokens
SKEW = 2
SETTINGS = f"KeycloakBearer on\nKeycloakClockSkew {SKEW}s\nKeycloakPublicPath /public\n"
BLOCKS = """\
ProxyPass /ws http://127.0.0.1:{port}/ws upgrade=websocket
<Location /admin>
    Require keycloak-role kubeflow-admin
</Location>
"""


def audience_mapper(client):
    return {"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
            "config": {"included.client.audience": client, "access.token.claim": "true", "id.token.claim": "false"}}


@pytest.fixture(scope="module")
def realm(keycloak):
    def change(representation):
        client = representation["clients"][0]
        client.update(directAccessGrantsEnabled=True, serviceAccountsEnabled=True)
        representation["clients"].append({
            "clientId": PROGRAM, "enabled": True, "protocol": "openid-connect", "publicClient": True,
            "standardFlowEnabled": False, "directAccessGrantsEnabled": True,
            "attributes": {"access.token.lifespan": str(LIFESPAN)},
            "protocolMappers": [audience_mapper(client["clientId"]), *client["protocolMappers"]]})
    return keycloak.realm("e2e-bearer", "http://localhost:1", change)


@pytest.fixture(scope="module")
def streams():
    server = StreamBackend()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def site(new_site, realm, streams):
    made = new_site(realm, settings=SETTINGS, blocks=BLOCKS.format(port=streams.port))
    realm.send_logouts_to(made.url)
    return made


def ask_for_tokens(realm, **fields):
    """Status and answer of the token endpoint."""
    connection = http.client.HTTPConnection("127.0.0.1", realm.server.port, timeout=60)
    try:
        connection.request("POST", f"/realms/{realm.name}/protocol/openid-connect/token", urlencode(fields),
                           {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def tokens(realm, username="alice", program=True):
    """By a person's password, for the program or for the site's own client."""
    client = {"client_id": PROGRAM} if program else {"client_id": realm.client, "client_secret": realm.secret}
    status, answer = ask_for_tokens(realm, grant_type="password", username=username, scope="openid",
                                    password=realm.passwords[username], **client)
    assert status == 200, answer
    return answer


def ask(site, token, path="/api/page", kind=SCRIPT):
    return Browser().get(site.url + path, [("Authorization", "Bearer " + token)], follow=False, kind=kind)


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


def is_refused(answer):
    return (answer.status == 401 and 'error="invalid_token"' in answer.header("WWW-Authenticate")
            and answer.json()["error"] == "invalid_token" and not answer.all("Set-Cookie"))


def test_access_token_of_a_program_with_our_audience(site, realm):
    token = tokens(realm)["access_token"]
    for _ in range(2):
        answer = ask(site, token)
        assert answer.status == 200, f"{answer}\n{site.log()}"
        seen = site.backend.requests[-1]["headers"]
        assert values(seen, "kubeflow-userid") == ["alice@example.com"]
        assert values(seen, "authorization") == ["Bearer " + token]
        assert not [line for line in answer.all("Set-Cookie") if "keycloak" in line]
    who = ask(site, token, "/authservice/whoami").json()
    assert who["user"] == "alice@example.com" and who["tokens_expire"] == claims_of(token)["exp"], who


def test_role_of_a_token_counts(site, realm):
    statuses = {name: ask(site, tokens(realm, name)["access_token"], "/admin/x").status for name in ("alice", "bob")}
    assert sorted(statuses.values()) == [200, 403], f"the realm file makes one of them an administrator: {statuses}"


def test_id_token_of_our_client(site, realm):
    answer = ask(site, tokens(realm, program=False)["id_token"])
    assert answer.status == 200, f"{answer}\n{site.log()}"


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_our_client_without_an_audience_mapper(site, realm, kind):
    """Keycloak names as audience of an access token whom it is for, which its own client is not."""
    token = tokens(realm, program=False)[kind]
    assert claims_of(token).get("aud") != realm.client
    count = site.seen()
    assert is_refused(ask(site, token)), site.log()
    assert site.seen() == count


def test_tokens_of_the_program_that_are_no_access_tokens(site, realm):
    answer = tokens(realm)
    for kind in ("id_token", "refresh_token"):
        assert is_refused(ask(site, answer[kind])), kind


def test_page_with_a_bad_token_is_not_sent_to_sign_in(site, realm):
    token = tokens(realm)["access_token"]
    assert is_refused(Browser().get(site.url + "/", [("Authorization", f"Bearer {token[:-4]}AAAA")], follow=False))


def test_token_of_another_realm(site, keycloak):
    assert is_refused(ask(site, keycloak.token()))


def test_service_account(site, realm):
    """It is somebody once it has what people are known by, and its client our audience."""
    def grant():
        status, answer = ask_for_tokens(realm, grant_type="client_credentials", scope="openid",
                                        client_id=realm.client, client_secret=realm.secret)
        assert status == 200, answer
        return answer["access_token"]
    uuid = realm.client_uuid
    realm.admin("POST", f"/clients/{uuid}/protocol-mappers/models", audience_mapper(realm.client))
    try:
        assert is_refused(ask(site, grant()))
        user = realm.admin("GET", f"/clients/{uuid}/service-account-user")
        realm.admin("PUT", "/users/" + user["id"], dict(user, email="pipelines@example.com", emailVerified=True))
        answer = ask(site, grant())
        assert answer.status == 200, f"{answer}\n{site.log()}"
        assert values(site.backend.requests[-1]["headers"], "kubeflow-userid") == ["pipelines@example.com"]
    finally:
        for mapper in realm.admin("GET", f"/clients/{uuid}/protocol-mappers/models"):
            if mapper["name"] == "audience":
                realm.admin("DELETE", f"/clients/{uuid}/protocol-mappers/models/{mapper['id']}")


def test_logout_ends_a_token_within_seconds(site, realm):
    """Keycloak tells the clients that have a part in the session."""
    realm.add_user("carol")
    token = tokens(realm, "carol", program=False)["id_token"]
    other = tokens(realm, program=False)["id_token"]
    assert ask(site, token).status == 200, site.log()
    realm.admin("POST", f"/users/{realm.user('carol')['id']}/logout")
    wait_for(lambda: is_refused(ask(site, token)), 5, "the token of a session that was ended is refused")
    assert ask(site, other).status == 200


def test_disabled_user_has_no_new_token_and_the_old_one_ends(site, realm):
    realm.add_user("dora")
    token = tokens(realm, "dora")["access_token"]
    assert ask(site, token).status == 200, site.log()
    realm.admin("PUT", "/users/" + realm.user("dora")["id"], {"enabled": False})
    status, answer = ask_for_tokens(realm, grant_type="password", username="dora", client_id=PROGRAM, scope="openid",
                                    password=realm.passwords["dora"])
    assert status in (400, 401) and answer["error"] == "invalid_grant", answer
    wait_for(lambda: is_refused(ask(site, token)), LIFESPAN + SKEW + 5, "the token of a disabled user is refused")
    assert time.time() >= claims_of(token)["exp"]


def test_web_socket_ends_with_its_token(site, realm):
    token = tokens(realm)["access_token"]
    client = WebSocket(site.port, "/ws", [("Authorization", "Bearer " + token)])
    try:
        assert client.status == 101 and client.is_open()
        assert client.ends_within(LIFESPAN + SKEW + 5), "it is closed"
        assert time.time() >= claims_of(token)["exp"]
    finally:
        client.close()


# ---- the ID token for backends


def handed(requests):
    """The token that the backend was handed with the last request, once."""
    found = values(requests[-1]["headers"], "authorization")
    assert len(found) == 1 and found[0].startswith("Bearer "), found
    return found[0][len("Bearer "):]


def test_backend_is_handed_the_session_s_id_token_as_it_is_now(new_site, keycloak):
    def change(representation):
        representation["clients"][0]["attributes"]["access.token.lifespan"] = "4"
    realm = keycloak.realm("e2e-bearer-token", "http://localhost:1", change)
    site = new_site(realm, settings=SETTINGS + "KeycloakIDTokenHeader Authorization\n")
    browser = site.signed_in()
    seen = []
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert site.get(browser, "/api/page", [("Authorization", "Basic YTpi")]).status == 200, site.log()
        token = handed(site.backend.requests)
        claims = claims_of(token)
        assert claims["typ"] == "ID" and claims["aud"] == realm.client and claims["email"] == "alice@example.com"
        assert claims["exp"] >= time.time() - 1, "it is one that has been renewed"
        if token not in seen:
            seen.append(token)
        time.sleep(0.25)
    assert len(seen) >= 3, "Keycloak has renewed it again and again"


@pytest.fixture(scope="module")
def gateway(new_site, realm, tmp_path_factory):
    """Envoy before a backend, with a judge that hands on the ID token in Authorization."""
    port, backend = free_port(), Backend()
    judge = new_site(realm, config=JUDGE, settings=(
        f"KeycloakPublicURL http://localhost:{port}\n{SETTINGS}KeycloakIDTokenHeader Authorization\n"))
    filters = {**FILTER_OF_OURS, "upstream": [*FILTER_OF_OURS["upstream"], "authorization"]}
    envoy = Envoy(tmp_path_factory.mktemp("envoy"), judge.port, backend.port, filters)
    envoy.port, envoy.url = port, f"http://localhost:{port}"
    envoy.backend, envoy.judge = backend, judge
    realm.allow_site(envoy.url)
    envoy.start()
    yield envoy
    envoy.stop()
    backend.stop()


def test_envoy_hands_on_the_id_token_and_nothing_else(gateway, realm):
    browser = Browser()
    answer = browser.sign_in(gateway.url + "/x", "alice", realm.passwords["alice"])
    assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{gateway.judge.log()}"
    for headers in ([], [("Authorization", "Basic YTpi")]):
        assert browser.get(gateway.url + "/x", headers).status == 200
        assert claims_of(handed(gateway.backend.requests))["typ"] == "ID"
    token = tokens(realm)["access_token"]
    assert ask(gateway, token).status == 200, gateway.judge.log()
    assert handed(gateway.backend.requests) == token
    assert values(gateway.backend.requests[-1]["headers"], "kubeflow-userid") == ["alice@example.com"]
    for value in ("Basic YTpi", "Bearer forged"):
        assert Browser().get(gateway.url + "/public/x", [("Authorization", value)]).status == 200
        assert values(gateway.backend.requests[-1]["headers"], "authorization") == [], "the gateway takes it away"
    count = len(gateway.backend.requests)
    assert is_refused(ask(gateway, "a.b.c"))
    assert len(gateway.backend.requests) == count
