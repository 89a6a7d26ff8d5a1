# SPDX-License-Identifier: Apache-2.0
"""The Job that makes client, mappers, users and the Secret: against a real Keycloak and the API's part for Secrets."""

import base64
import importlib.util
import json
import os
import subprocess
import sys
from urllib.parse import quote

import pytest
from kubernetes_api import KubernetesAPI
from manifests import KUBEFLOW, WALK_THROUGH
from process import free_port

SETUP = KUBEFLOW / "components/client-job/script/setup.py"
CLIENT = "kubeflow-oidc-authservice"
PUBLIC = "http://localhost:8989"
USERS = [
    {"username": "alice", "email": "alice@example.com", "firstName": "Alice", "lastName": "Example",
     "groups": ["data-science", "/platform/admins"], "password": "alice-in-the-test"},
    {"username": "bob", "email": "bob@example.com", "groups": ["data-science"]},
]


class Job:
    """A realm that is there, one Secret, and the Job's settings for them."""

    def __init__(self, folder, keycloak, authority, name):
        self.keycloak, self.name = keycloak, name
        self.api = KubernetesAPI(folder / "account", authority)
        self.admin_folder, self.users_file = folder / "admin", folder / "users.json"
        self.admin_folder.mkdir()
        self.write_admin(username="admin", password=keycloak.admin_password)
        self.said = ""
        self.settings = {
            "OIDC_PROVIDER": f"{keycloak.url}/realms/{name}", "CLIENT_ID": CLIENT, "AUTHSERVICE_URL_PREFIX": "/authservice/",
            "REDIRECT_URL": PUBLIC + "/authservice/oidc/callback", "SECRET_NAME": "mod-auth-keycloak",
            "ADMIN_FOLDER": str(self.admin_folder), "ACCOUNT_FOLDER": str(self.api.folder),
            "USERS_FILE": str(self.users_file), "KUBERNETES_SERVICE_HOST": "localhost",
            "KUBERNETES_SERVICE_PORT": str(self.api.port), "WAIT_SECONDS": "20"}

    def write_admin(self, **values):
        for path in self.admin_folder.iterdir():
            path.unlink()
        for key, value in values.items():
            (self.admin_folder / key.replace("_", "-")).write_text(value, encoding="utf-8")

    def run(self, **settings):
        """Runs it as the pod would; status, lines on stdout, lines on stderr."""
        env = {"PATH": os.environ["PATH"], **self.settings, **settings}
        done = subprocess.run([sys.executable, "-I", SETUP], env=env, capture_output=True, text=True, timeout=120, check=False)
        self.said += done.stdout + done.stderr
        return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()

    def good(self, **settings):
        status, out, err = self.run(**settings)
        assert (status, err) == (0, []), (out, err)
        return [line for line in out if not line.startswith("warning")]

    def bad(self, **settings):
        """It fails with one line; returns that."""
        status, _, err = self.run(**settings)
        assert status == 1 and len(err) == 1, err
        return err[0]

    def admin(self, method, path="", body=None):
        return self.keycloak.admin(method, f"/{self.name}{path}", body)

    def client(self):
        return self.admin("GET", "/clients?clientId=" + CLIENT)[0]

    def events(self):
        return len(self.admin("GET", "/admin-events?max=1000"))

    def secret(self):
        return {key: base64.b64decode(value).decode() for key, value in self.api.secrets["istio-system/mod-auth-keycloak"].items()}


@pytest.fixture(scope="module")
def realm(keycloak):
    """To make a realm takes Keycloak seconds: the tests share one, which each finds empty."""
    keycloak.admin("POST", "", {"realm": "client-job", "enabled": True, "adminEventsEnabled": True,
                                "adminEventsDetailsEnabled": True})
    return "client-job"


def empty(keycloak, realm):
    for kind, mine in (("clients", lambda row: row["clientId"] in (CLIENT, "installer")), ("users", lambda _: True),
                       ("groups", lambda _: True)):
        for row in keycloak.admin("GET", f"/{realm}/{kind}"):
            if mine(row):
                keycloak.admin("DELETE", f"/{realm}/{kind}/{row['id']}")


@pytest.fixture
def job(tmp_path, keycloak, authority, realm):
    empty(keycloak, realm)
    made = Job(tmp_path, keycloak, authority, realm)
    yield made
    made.api.stop()
    # Whatever was tried: nothing secret has been said.
    hidden = [made.api.token, keycloak.admin_password, *made.secret().values(), "alice-in-the-test"]
    for value in hidden:
        for form in (value, base64.b64encode(value.encode()).decode(), quote(value, safe="")):
            assert form not in made.said
    assert "eyJ" not in made.said, "a token"


def test_it_makes_everything(job):
    job.users_file.write_text(json.dumps(USERS), encoding="utf-8")
    out = job.good()
    assert "client kubeflow-oidc-authservice: made" in out and "mapper groups: made" in out
    client = job.client()
    assert client["redirectUris"] == [PUBLIC + "/authservice/oidc/callback"] and client["webOrigins"] == []
    assert (client["publicClient"], client["standardFlowEnabled"], client["implicitFlowEnabled"],
            client["directAccessGrantsEnabled"], client["serviceAccountsEnabled"]) == (False, True, False, False, False)
    assert client["frontchannelLogout"] is False, "while it is on, Keycloak's back channel is silent"
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert client["attributes"]["backchannel.logout.url"] == PUBLIC + "/authservice/backchannel-logout"
    found = job.admin("GET", f"/clients/{client['id']}/client-secret")["value"]
    assert job.secret()["client-secret"] == found and len(found) >= 32
    assert len(job.secret()["crypto-key"]) >= 48
    alice = job.admin("GET", "/users?exact=true&username=alice")[0]
    assert alice["emailVerified"] is True and alice["requiredActions"] == ["UPDATE_PASSWORD"]
    groups = job.admin("GET", f"/users/{alice['id']}/groups")
    assert {group["path"] for group in groups} == {"/data-science", "/platform/admins"}


def test_tokens_have_groups_and_audience(job):
    """Keycloak's own preview of the tokens that the client would get."""
    job.users_file.write_text(json.dumps(USERS), encoding="utf-8")
    job.good()
    alice = job.admin("GET", "/users?exact=true&username=alice")[0]["id"]
    path = f"/clients/{job.client()['id']}/evaluate-scopes/generate-example-"
    identity = job.admin("GET", f"{path}id-token?scope=openid&userId={alice}")
    access = job.admin("GET", f"{path}access-token?scope=openid&userId={alice}")
    assert sorted(identity["groups"]) == ["/data-science", "/platform/admins"] == sorted(access["groups"])
    assert identity["email"] == "alice@example.com"
    assert CLIENT in ([access["aud"]] if isinstance(access["aud"], str) else access["aud"])
    assert identity["aud"] == CLIENT or identity["aud"] == [CLIENT]


def test_the_second_run_changes_nothing(job):
    job.users_file.write_text(json.dumps(USERS), encoding="utf-8")
    job.good()
    events, client, secret = job.events(), job.client(), job.secret()
    assert events > 5
    job.api.requests.clear()
    out = job.good()
    assert job.events() == events
    assert job.client() == client and job.secret() == secret
    assert {method for method, _ in job.api.requests} == {"GET"}
    assert all(line.endswith(("as it should be", "is there")) for line in out), out


def test_a_client_that_has_drifted_is_mended(job):
    job.good()
    client = job.client()
    client.update(redirectUris=["*"], publicClient=False, implicitFlowEnabled=True, frontchannelLogout=True, description="ours",
                  directAccessGrantsEnabled=True, webOrigins=["*"])
    client["attributes"].update({"pkce.code.challenge.method": "plain", "access.token.lifespan": "600"})
    job.admin("PUT", "/clients/" + client["id"], client)
    mappers = {row["name"]: row for row in client["protocolMappers"]}
    mappers["groups"]["config"]["claim.name"] = "else"
    job.admin("PUT", f"/clients/{client['id']}/protocol-mappers/models/{mappers['groups']['id']}", mappers["groups"])
    out = job.good()
    (line,) = [line for line in out if line.startswith("client ")]
    for name in ("redirectUris", "implicitFlowEnabled", "frontchannelLogout", "webOrigins", "attributes.pkce.code.challenge.method"):
        assert name in line
    assert "mapper groups: mended config.claim.name" in out
    client = job.client()
    assert client["redirectUris"] == [PUBLIC + "/authservice/oidc/callback"] and client["webOrigins"] == []
    assert client["attributes"]["pkce.code.challenge.method"] == "S256"
    assert client["description"] == "ours" and client["attributes"]["access.token.lifespan"] == "600", "not ours to change"
    assert all(line.endswith("as it should be") for line in job.good())


def test_a_client_made_public_or_switched_off_is_mended(job):
    job.good()
    client = job.client()
    client.update(publicClient=True, enabled=False)
    job.admin("PUT", "/clients/" + client["id"], client)
    job.good()
    client = job.client()
    assert client["publicClient"] is False and client["enabled"] is True
    assert job.secret()["client-secret"] == job.admin("GET", f"/clients/{client['id']}/client-secret")["value"]


def test_a_new_secret_at_keycloak_is_written_and_the_key_is_kept(job):
    job.good()
    before = job.secret()
    job.admin("POST", f"/clients/{job.client()['id']}/client-secret")
    out = job.good()
    after = job.secret()
    assert after["client-secret"] != before["client-secret"] and after["crypto-key"] == before["crypto-key"]
    assert any("rollout restart" in line for line in out)


def test_what_else_is_in_the_secret_stays(job):
    job.api.secrets["istio-system/mod-auth-keycloak"] = {"crypto-key": base64.b64encode(b"made by hand").decode(), "more": "eA=="}
    job.good()
    assert job.secret()["crypto-key"] == "made by hand" and job.secret()["more"] == "x"


def test_people_who_are_there_stay_as_they_are(job):
    job.admin("POST", "/users", {"username": "alice", "email": "her.own@example.com", "enabled": True, "firstName": "A",
                                 "lastName": "E"})
    job.users_file.write_text(json.dumps(USERS[:1]), encoding="utf-8")
    out = job.good()
    alice = job.admin("GET", "/users?exact=true&username=alice")[0]
    assert alice["email"] == "her.own@example.com" and "user alice: is there" in out
    assert not job.admin("GET", f"/users/{alice['id']}/credentials"), "a password for somebody who has none here"
    assert "user alice: joined /platform/admins" in out


def test_no_users_without_a_list(job):
    job.good()
    assert job.admin("GET", "/users") == []


def test_a_wrong_password_is_one_line(job):
    job.write_admin(username="admin", password="not-the-password")
    line = job.bad()
    assert "user admin" in line and "not-the-password" not in line and "keycloak-admin" in line and "ADMIN_REALM" in line
    assert job.secret() == {} and not job.admin("GET", "/clients?clientId=" + CLIENT)


def test_an_account_of_the_realm_suffices(job):
    """client-id and client-secret in place of the administrator: a service account that manages clients and users."""
    job.admin("POST", "/clients", {"clientId": "installer", "serviceAccountsEnabled": True, "secret": "of-the-installer-1"})
    installer = job.admin("GET", "/clients?clientId=installer")[0]["id"]
    account = job.admin("GET", f"/clients/{installer}/service-account-user")["id"]
    management = job.admin("GET", "/clients?clientId=realm-management")[0]["id"]
    wanted = ("manage-clients", "manage-users", "view-clients")
    roles = [role for role in job.admin("GET", f"/clients/{management}/roles") if role["name"] in wanted]
    job.write_admin(client_id="installer", client_secret="of-the-installer-1")
    refused = job.bad(ADMIN_REALM=job.name)
    assert "403" in refused
    job.admin("POST", f"/users/{account}/role-mappings/clients/{management}", roles)
    job.users_file.write_text(json.dumps(USERS), encoding="utf-8")
    assert "client kubeflow-oidc-authservice: made" in job.good(ADMIN_REALM=job.name)
    assert "of-the-installer-1" not in job.said


def test_the_realm_for_trying_out_is_as_the_job_wants_it(tmp_path, keycloak, authority):
    """components/keycloak imports what the Job would make."""
    folder = KUBEFLOW / "components/keycloak"
    text = (folder / "realm-kubeflow.json").read_text(encoding="utf-8")
    values = dict(line.split("=", 1) for line in (folder / "params.env").read_text(encoding="utf-8").split())
    values.update(REALM="tried-out", CLIENT_SECRET="for-this-test-alone-0123456789ab", USER_PASSWORD="for-this-test-alone")
    for key, value in values.items():
        text = text.replace("${" + key + "}", value)
    assert "${" not in text
    keycloak.admin("POST", "", json.loads(text))
    job = Job(tmp_path, keycloak, authority, "tried-out")
    try:
        assert values["REDIRECT_URL"] == values["PUBLIC_URL"] + "/authservice/oidc/callback"
        # localhost would be Keycloak's own pod.
        assert "//localhost" not in values["BACKCHANNEL_LOGOUT_URL"]
        out = job.good(REDIRECT_URL=values["REDIRECT_URL"], BACKCHANNEL_LOGOUT_URL=values["BACKCHANNEL_LOGOUT_URL"])
        assert [line for line in out if not line.endswith("as it should be")] == [
            "Secret istio-system/mod-auth-keycloak: wrote client-secret, crypto-key"]
        assert job.secret()["client-secret"] == values["CLIENT_SECRET"]
    finally:
        job.api.stop()


def test_the_walk_throughs_settings_are_accepted(job):
    """params.env of the walk-through, every line of it, with the realm's address put in."""
    lines = WALK_THROUGH.splitlines()
    walk = dict(line.split("=", 1) for line in lines)
    walk["OIDC_PROVIDER"] = job.settings["OIDC_PROVIDER"]
    job.good(**walk)
    assert job.client()["redirectUris"] == ["http://localhost:8989/authservice/oidc/callback"]


# ---------------- What goes wrong is one line

def test_keycloak_by_https_needs_its_authority(job, authority):
    job.settings["OIDC_PROVIDER"] = f"https://localhost:{job.keycloak.tls_port}/realms/{job.name}"
    assert "CA_BUNDLE" in job.bad()
    assert "client kubeflow-oidc-authservice: made" in job.good(CA_BUNDLE=str(authority / "ca.pem"))
    assert "warning" not in job.said


def test_http_is_warned_of(job):
    _, out, _ = job.run()
    assert [line for line in out if line.startswith("warning: http")]


def test_keycloak_by_another_address_inside(job):
    job.settings["OIDC_PROVIDER"] = f"https://keycloak.example.com/realms/{job.name}"
    job.good(BACKCHANNEL_URL=job.keycloak.url)
    assert job.client()["enabled"]


# For Keycloak below /auth as browsers see it, and without a path.
INSIDE = [("/auth", "", "https://kc.example.com/auth"), ("/auth", "http://kc:8080", "http://kc:8080/auth"),
          ("/auth", "http://kc:8080/", "http://kc:8080/auth"), ("/auth", "http://kc:8080/kc/", "http://kc:8080/kc"),
          ("/auth", "http://kc:8080/realms/kubeflow", "http://kc:8080"), ("/auth", "http://kc:8080/kc/realms/kubeflow/", "http://kc:8080/kc"),
          ("", "http://kc:8080", "http://kc:8080"), ("", "http://kc:8080/kc", "http://kc:8080/kc"), ("", "", "https://kc.example.com")]


@pytest.mark.parametrize("path, inside, expected", INSIDE)
def test_where_keycloak_is_inside(monkeypatch, path, inside, expected):
    """As KeycloakBackchannelURL is read: an origin, Keycloak's root, or the issuer."""
    loader = importlib.util.spec_from_file_location("setup_job", SETUP)
    module = importlib.util.module_from_spec(loader)
    loader.loader.exec_module(module)
    for name, value in {"OIDC_PROVIDER": f"https://kc.example.com{path}/realms/kubeflow", "BACKCHANNEL_URL": inside, "CLIENT_ID": CLIENT,
                        "REDIRECT_URL": PUBLIC + "/authservice/oidc/callback"}.items():
        monkeypatch.setenv(name, value)
    assert module.Wanted().keycloak == expected


def test_the_issuer_inside_has_another_path(job):
    job.settings["OIDC_PROVIDER"] = f"https://keycloak.example.com/auth/realms/{job.name}"
    job.good(BACKCHANNEL_URL=f"{job.keycloak.url}/realms/{job.name}")
    assert job.client()["enabled"]


def test_nobody_answers(job):
    job.settings["OIDC_PROVIDER"] = f"http://localhost:{free_port()}/realms/{job.name}"
    assert "does not answer" in job.bad(WAIT_SECONDS="0")


def test_the_realm_is_not_there(job):
    job.settings["OIDC_PROVIDER"] = job.keycloak.url + "/realms/nowhere"
    assert "no realm nowhere" in job.bad()


@pytest.mark.parametrize("refuse, word", [(403, "403"), (401, "401"), (500, "500"), (302, "302")])
def test_kubernetes_refuses(job, refuse, word):
    job.api.refuse = refuse
    assert word in job.bad()
    assert not job.admin("GET", "/clients?clientId=" + CLIENT), "made, though its secret cannot be written"


def test_kubernetes_has_no_secret(job):
    assert "no Secret other" in (job.api.allowed.add("other") or job.bad(SECRET_NAME="other"))


def test_kubernetes_without_its_authority(job, keycloak, tmp_path):
    (job.api.folder / "ca.crt").write_text("", encoding="utf-8")
    assert "certificates" in job.bad() or "certificate" in job.said
    assert job.api.requests == []


@pytest.mark.parametrize("settings, word", [
    ({"OIDC_PROVIDER": ""}, "OIDC_PROVIDER"),
    ({"OIDC_PROVIDER": "https://keycloak.example.com"}, "OIDC_PROVIDER"),
    ({"OIDC_PROVIDER": "ftp://keycloak.example.com/realms/x"}, "Keycloak"),
    ({"CLIENT_ID": " "}, "CLIENT_ID"),
    ({"REDIRECT_URL": ""}, "REDIRECT_URL"),
    ({"REDIRECT_URL": "/authservice/oidc/callback"}, "REDIRECT_URL"),
    ({"REDIRECT_URL": "https://kubeflow.example.com/*"}, "REDIRECT_URL"),
    ({"WAIT_SECONDS": "long"}, "WAIT_SECONDS"),
    ({"CA_BUNDLE": "/nowhere/ca.pem", "OIDC_PROVIDER": "https://localhost:1/realms/x"}, "/nowhere/ca.pem"),
    ({"KUBERNETES_SERVICE_HOST": ""}, "KUBERNETES_SERVICE_HOST"),
])
def test_a_wrong_setting_is_named(job, settings, word):
    assert word in job.bad(**settings)


@pytest.mark.parametrize("text", ["no json", "{}", "[1]", '[{"username": "x"}]', '[{"username": "x", "email": "x@example.com", "groups": "g"}]',
                                  '[{"username": "x", "email": "x@example.com", "groups": ["/"]}]'])
def test_a_wrong_list_of_users_is_named(job, text):
    job.users_file.write_text(text, encoding="utf-8")
    assert "users.json" in job.bad()


def test_neither_password_nor_client(job):
    job.write_admin(username="admin")
    assert "neither" in job.bad()


def test_a_mapper_of_another_kind_is_left_alone(job):
    job.good()
    client = job.client()
    groups = [row for row in client["protocolMappers"] if row["name"] == "groups"][0]
    path = f"/clients/{client['id']}/protocol-mappers/models"
    job.admin("DELETE", f"{path}/{groups['id']}")
    job.admin("POST", path, {"name": "groups", "protocol": "openid-connect", "protocolMapper": "oidc-usermodel-attribute-mapper",
                             "config": {"user.attribute": "x", "claim.name": "groups", "id.token.claim": "true"}})
    assert "mapper groups" in job.bad()
