# SPDX-License-Identifier: Apache-2.0
"""What Keycloak's own settings change: keys, e-mail verification, PKCE, client authentication, addresses."""

import json
import os
import signal

import pytest
from jwcrypto import jwk

from backend import values
from site_under_test import asks_to_sign_in, is_form, private_file


@pytest.fixture(scope="module")
def site(new_site, realm):
    return new_site(realm)


def rsa_provider(realm, name, priority, algorithm="RS256", active=True):
    return {"name": name, "providerId": "rsa-generated", "parentId": realm.admin("GET")["id"],
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": [str(priority)], "enabled": ["true"], "active": [str(active).lower()],
                       "algorithm": [algorithm], "keySize": ["2048"]}}


def active_kid(realm, algorithm="RS256"):
    return realm.admin("GET", "/keys")["active"][algorithm]


def test_key_rotation(site, realm):
    before = site.signed_in("alice")
    old = active_kid(realm)
    realm.admin("POST", "/components", rsa_provider(realm, "rotated", 500))
    assert active_kid(realm) != old
    after = site.signed_in("bob")
    assert site.identity(after) == ["bob@example.com"]
    assert site.identity(before) == ["alice@example.com"]


@pytest.mark.parametrize("algorithm", ["PS256", "ES256"])
def test_other_algorithms_of_keycloak(new_site, realm, algorithm):
    """A site that starts when the realm has the key; the client then signs with it."""
    if algorithm == "ES256":
        component = rsa_provider(realm, "ecdsa", 100)
        component["providerId"] = "ecdsa-generated"
        component["config"] = {"priority": ["100"], "enabled": ["true"], "active": ["true"],
                               "ecdsaEllipticCurveKey": ["P-256"]}
    else:
        component = rsa_provider(realm, "pss", 100, "PS256")
    realm.admin("POST", "/components", component)
    name = "id.token.signed.response.alg"
    realm.change_client(lambda client: client["attributes"].update({name: algorithm}))
    try:
        site = new_site(realm)
        assert site.identity(site.signed_in("alice")) == ["alice@example.com"]
        strict = new_site(realm, settings="KeycloakAlgorithms RS256")
        answer = strict.browser().sign_in(strict.url + "/api/x", "alice", realm.passwords["alice"])
        assert answer.status == 401 and "KC0403" in answer.text, answer
        assert strict.seen() == 0
    finally:
        realm.change_client(lambda client: client["attributes"].update({name: "RS256"}))


def test_unverified_email_is_refused_with_a_page(site, realm):
    password = realm.add_user("carol", emailVerified=False)
    count = site.seen()
    browser = site.browser()
    answer = browser.sign_in(site.url + "/api/x", "carol", password)
    assert answer.status == 401 and answer.header("Content-Type").startswith("text/html"), answer
    assert "KC0415" in answer.text and "verif" in answer.text
    assert not browser.cookie("keycloak_session") and site.seen() == count


def test_unverified_email_is_accepted_when_told_so(new_site, realm):
    password = realm.add_user("dora", emailVerified=False)
    site = new_site(realm, settings="KeycloakVerifiedEmail off")
    answer = site.browser().sign_in(site.url + "/api/x", "dora", password)
    assert answer.status == 200 and answer.json()["user"] == "dora@example.com", answer


def test_user_without_email_is_refused_with_a_page(site, realm):
    password = realm.add_user("erin", email="", emailVerified=False, firstName="Erin")
    profile = realm.admin("GET", "/users/profile")
    for attribute in profile["attributes"]:
        if attribute["name"] == "email":
            attribute.pop("required", None)
    realm.admin("PUT", "/users/profile", profile)
    count = site.seen()
    answer = site.browser().sign_in(site.url + "/api/x", "erin", password)
    assert answer.status == 401 and "KC0413" in answer.text, answer
    assert site.seen() == count


def test_pkce_is_demanded_by_keycloak_and_given(site, realm):
    client = realm.admin("GET", "/clients/" + realm.client_uuid)
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    without = site.get(site.browser(), "/api/x").header("Location")
    without = "&".join(part for part in without.split("&") if not part.startswith("code_challenge"))
    answer = site.browser().get(without, follow=False)
    assert not is_form(answer), "this Keycloak does not demand PKCE, so the test proves nothing"
    assert site.identity(site.signed_in("alice")) == ["alice@example.com"]


def test_client_that_does_not_demand_pkce(site, realm):
    def pkce(value):
        realm.change_client(
            lambda client: client["attributes"].update({"pkce.code.challenge.method": value}))
    pkce("")
    try:
        assert site.identity(site.signed_in("alice")) == ["alice@example.com"]
    finally:
        pkce("S256")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", "client_secret_jwt"])
def test_client_authentication(new_site, realm, method):
    jwt = method == "client_secret_jwt"
    kind = "client-secret-jwt" if jwt else "client-secret"
    realm.change_client(lambda client: client.update({"clientAuthenticatorType": kind}))
    try:
        site = new_site(realm, settings=f"KeycloakClientAuth {method}")
        assert site.identity(site.signed_in("alice")) == ["alice@example.com"]
    finally:
        realm.change_client(lambda client: client.update({"clientAuthenticatorType": "client-secret"}))


def test_private_key_jwt(new_site, realm, tmp_path):
    """Keycloak holds the public key only."""
    key = jwk.JWK.generate(kty="RSA", size=2048, kid="e2e", use="sig", alg="RS256")
    keys = json.dumps({"keys": [key.export_public(as_dict=True)]})
    realm.change_client(lambda client: (
        client.update({"clientAuthenticatorType": "client-jwt"}),
        client["attributes"].update({"use.jwks.string": "true", "jwks.string": keys})))
    try:
        file = private_file(tmp_path / "client.jwk", key.export_private())
        site = new_site(realm, settings="KeycloakClientAuth private_key_jwt\n"
                                        f"KeycloakClientKey {file}")
        assert site.identity(site.signed_in("alice")) == ["alice@example.com"]
    finally:
        realm.change_client(lambda client: client.update({"clientAuthenticatorType": "client-secret"}))


def test_wrong_secret_is_a_page_and_no_session(new_site, realm):
    site = new_site(realm, settings="KeycloakClientSecret a-wrong-secret-of-some-length")
    browser = site.browser()
    answer = browser.sign_in(site.url + "/api/x", "alice", realm.passwords["alice"])
    assert answer.status == 500 and "KC0309" in answer.text, answer
    assert not browser.cookie("keycloak_session") and site.seen() == 0


def test_back_channel_by_another_name(new_site, realm):
    """Browsers know Keycloak as localhost, this host's own calls go to 127.0.0.1."""
    site = new_site(realm, settings="KeycloakBackchannelURL http://127.0.0.1:{keycloak_port}")
    browser = site.browser()
    start = site.get(browser)
    assert asks_to_sign_in(start, realm), start
    assert site.identity(site.signed_in("alice")) == ["alice@example.com"]


def test_back_channel_by_https(new_site, realm, authority):
    """Tokens and keys come by TLS under the authority that KeycloakCAFile names."""
    file = authority / "ca.pem"
    site = new_site(realm, settings="KeycloakBackchannelURL https://localhost:{keycloak_tls_port}\n"
                                    f"KeycloakCAFile {file}")
    assert site.identity(site.signed_in("alice")) == ["alice@example.com"]


@pytest.mark.parametrize("host, trust", [("localhost", False), ("127.0.0.1", True)])
def test_back_channel_by_untrusted_https(new_site, realm, authority, host, trust):
    """An authority that nobody trusts here, and a name that the certificate has not: 503."""
    more = f"KeycloakCAFile {authority / 'ca.pem'}" if trust else ""
    site = new_site(realm, settings=f"KeycloakBackchannelURL https://{host}:"
                                    "{keycloak_tls_port}\n" + more)
    answer = site.get(site.browser())
    assert answer.status == 503 and "KC0201" in answer.text and answer.header("Retry-After"), answer
    assert ("subject name" if trust else "issuer certificate") in site.httpd.log_text(), site.log()
    assert site.seen() == 0


def test_issuer_that_keycloak_does_not_name(new_site, realm):
    """The same Keycloak by another name is another issuer: 503 that names both, no sign-in."""
    other = realm.issuer.replace("localhost", "127.0.0.1")
    site = new_site(realm, issuer=other)
    answer = site.get(site.browser())
    assert answer.status == 503 and "KC0204" in answer.text, answer
    assert answer.header("Retry-After")
    log = site.httpd.log_text()
    assert other in log and realm.issuer in log
    assert site.seen() == 0


def test_claims_from_userinfo(new_site, realm):
    """Groups that only the userinfo endpoint gives."""
    def place(id_token):
        client = realm.admin("GET", "/clients/" + realm.client_uuid)
        mapper = next(item for item in client["protocolMappers"] if item["name"] == "groups")
        mapper["config"].update({"id.token.claim": id_token, "access.token.claim": id_token})
        realm.admin("PUT", f"/clients/{realm.client_uuid}/protocol-mappers/models/{mapper['id']}", mapper)
    place("false")
    try:
        for setting in ("on", "auto"):
            site = new_site(realm, settings=f"KeycloakUserInfo {setting}")
            site.signed_in("bob")
            headers = site.backend.requests[-1]["headers"]
            assert values(headers, "kubeflow-groups") == ["data-science"], setting
        site = new_site(realm, settings="KeycloakUserInfo off")
        site.signed_in("bob")
        assert "".join(values(site.backend.requests[-1]["headers"], "kubeflow-groups")) == ""
    finally:
        place("true")


def test_further_claims_as_headers(new_site, realm):
    site = new_site(realm, settings="KeycloakHeader X-Kubeflow-Name name\n"
                                    "KeycloakHeader X-Kubeflow-Subject sub\n"
                                    "KeycloakUserPrefix accounts.example.com:")
    browser = site.signed_in("alice")
    forged = [("X-Kubeflow-Name", "Eve"), ("x_kubeflow_subject", "0"), ("X-KUBEFLOW-SUBJECT", "0")]
    assert site.identity(browser, headers=forged) == ["accounts.example.com:alice@example.com"]
    headers = site.backend.requests[-1]["headers"]
    assert values(headers, "x-kubeflow-name") == ["Alice Example"]
    assert values(headers, "x-kubeflow-subject") == [realm.user("alice")["id"]]
    assert not values(headers, "x_kubeflow_subject")


def test_hanging_keycloak_stops_sign_ins_only(new_site, realm, keycloak):
    site = new_site(realm, settings="KeycloakHTTPTimeout 3s")
    alice, bob = site.signed_in("alice"), site.browser()
    form = bob.get(site.url + "/api/x")
    callback = bob.fill_in(form, "bob", realm.passwords["bob"], follow=False).header("Location")
    keycloak.child.freeze()
    try:
        count = site.seen()
        answer = bob.get(callback, follow=False)
        assert answer.status == 503 and answer.header("Retry-After"), answer
        assert "KC0201" in answer.text and site.seen() == count
        assert not bob.cookie("keycloak_session")
        assert site.identity(alice) == ["alice@example.com"]
        assert asks_to_sign_in(site.get(site.browser()), realm), "metadata are known already"
    finally:
        os.killpg(keycloak.child.pid, signal.SIGCONT)
    assert bob.get(site.url + "/api/x").json()["user"] == "bob@example.com"


def test_site_that_starts_before_keycloak(new_site, realm):
    """Nobody listens at the issuer: httpd starts all the same, and says 503."""
    site = new_site(realm, issuer="http://localhost:1/realms/kubeflow")
    answer = site.get(site.browser())
    assert answer.status == 503 and answer.header("Retry-After") and "KC0201" in answer.text, answer
    script = site.call(site.browser())
    assert script.status in (401, 503) and script.json()["tag"], script
    assert site.seen() == 0
