# SPDX-License-Identifier: Apache-2.0
"""The client for GitOps: the operator's realm import and Terraform's resources are what the Job makes."""

import base64
import hashlib
import importlib.util
import json
import os
import re
import subprocess
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import yaml
from browser import Browser
from manifests import KUBEFLOW, ROOT, read_all
from test_client_job import SETUP, Job

FOLDER = KUBEFLOW / "gitops"
PUBLIC = "https://kubeflow.example.com"
CLIENT = "kubeflow-oidc-authservice"


@pytest.fixture
def wanted(monkeypatch):
    """What the Job wants, for the addresses of the examples."""
    for key, value in (("OIDC_PROVIDER", "https://keycloak.example.com/realms/kubeflow"), ("CLIENT_ID", CLIENT),
                       ("REDIRECT_URL", PUBLIC + "/authservice/oidc/callback")):
        monkeypatch.setenv(key, value)
    spec = importlib.util.spec_from_file_location("job_setup", SETUP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Wanted()


# ---------------- Operator

SECRET = "for-this-test-alone-0123456789ab"


@pytest.fixture(scope="module")
def imported(keycloak):
    """The operator's realm in a real Keycloak, with the placeholders filled in, and a user in a group."""
    (document,) = read_all((FOLDER / "realm-import.yaml").read_text(encoding="utf-8"))
    assert (document["apiVersion"], document["kind"]) == ("k8s.keycloak.org/v2alpha1", "KeycloakRealmImport")
    assert set(document["spec"]) == {"keycloakCRName", "placeholders", "realm"}
    text = json.dumps(document["spec"]["realm"])
    assert set(re.findall(r"\$\{(\w+)\}", text)) == set(document["spec"]["placeholders"]) == {"CLIENT_SECRET"}
    realm = json.loads(text.replace("${CLIENT_SECRET}", SECRET))
    realm.update(realm="by-the-operator", groups=[{"name": "data-science"}], users=[{
        "username": "alice", "email": "alice@example.com", "emailVerified": True, "enabled": True, "firstName": "A", "lastName": "E",
        "credentials": [{"type": "password", "value": "alice-in-the-test", "temporary": False}], "groups": ["/data-science"]}])
    keycloak.admin("POST", "", realm)
    yield f"{keycloak.url}/realms/by-the-operator"
    keycloak.admin("DELETE", "/by-the-operator")


def test_the_job_finds_nothing_to_do_in_the_operators_import(tmp_path, keycloak, authority, imported):
    job = Job(tmp_path, keycloak, authority, imported.rpartition("/")[2])
    try:
        out = job.good(REDIRECT_URL=PUBLIC + "/authservice/oidc/callback")
        assert [line for line in out if not line.endswith("as it should be")] == [
            "Secret istio-system/mod-auth-keycloak: wrote client-secret, crypto-key"]
        assert job.secret()["client-secret"] == SECRET
    finally:
        job.api.stop()


def claims(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_the_operators_client_signs_a_user_in(imported):
    """The code flow as the module does it, with the client's secret and PKCE, up to the tokens."""
    endpoint, back, verifier = imported + "/protocol/openid-connect/", PUBLIC + "/authservice/oidc/callback", "v" * 64
    asked = {"response_type": "code", "client_id": CLIENT, "redirect_uri": back, "scope": "openid profile email", "state": "s"}
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    refused = Browser().get(endpoint + "auth?" + urlencode(asked), follow=False)
    assert "Missing+parameter" in refused.header("Location"), "PKCE is required"
    browser = Browser()
    page = browser.get(endpoint + "auth?" + urlencode({**asked, "code_challenge": challenge, "code_challenge_method": "S256"}))
    answer = browser.fill_in(page, "alice", "alice-in-the-test", follow=False)
    assert answer.header("Location").startswith(back + "?")
    (code,) = parse_qs(urlsplit(answer.header("Location")).query)["code"]
    tokens = Browser().post(endpoint + "token", {
        "grant_type": "authorization_code", "code": code, "redirect_uri": back, "code_verifier": verifier,
        "client_id": CLIENT, "client_secret": SECRET}, follow=False)
    assert tokens.status == 200, tokens.text
    identity, access = (claims(tokens.json()[name]) for name in ("id_token", "access_token"))
    assert identity["email"] == "alice@example.com" and identity["groups"] == ["/data-science"] == access["groups"]
    assert CLIENT in ([access["aud"]] if isinstance(access["aud"], str) else access["aud"])


def test_the_operators_import_has_no_secret():
    text = (FOLDER / "realm-import.yaml").read_text(encoding="utf-8")
    assert re.findall(r"^\s*secret: (\S+)$", text, re.M) == ["${CLIENT_SECRET}"]


# ---------------- Terraform

CLIENT_ARGUMENTS = {
    "clientId": "client_id", "enabled": "enabled", "clientAuthenticatorType": "client_authenticator_type",
    "standardFlowEnabled": "standard_flow_enabled", "implicitFlowEnabled": "implicit_flow_enabled",
    "directAccessGrantsEnabled": "direct_access_grants_enabled", "serviceAccountsEnabled": "service_accounts_enabled",
    "rootUrl": "root_url", "baseUrl": "base_url", "redirectUris": "valid_redirect_uris", "webOrigins": "web_origins",
    "frontchannelLogout": "frontchannel_logout_enabled", "attributes.pkce.code.challenge.method": "pkce_code_challenge_method",
    "attributes.backchannel.logout.url": "backchannel_logout_url",
    "attributes.backchannel.logout.session.required": "backchannel_logout_session_required",
    "attributes.post.logout.redirect.uris": "valid_post_logout_redirect_uris"}
# One argument says both.
ACCESS = {"publicClient", "bearerOnly"}
MAPPER_ARGUMENTS = {"claim.name": "claim_name", "full.path": "full_path", "id.token.claim": "add_to_id_token",
                    "access.token.claim": "add_to_access_token", "userinfo.token.claim": "add_to_userinfo",
                    "included.client.audience": "included_client_audience"}
MAPPERS = {"oidc-group-membership-mapper": "keycloak_openid_group_membership_protocol_mapper",
           "oidc-audience-mapper": "keycloak_openid_audience_protocol_mapper"}


def terraform(text, **variables):
    """main.tf as hcldec reads it: HashiCorp's own parser, and nothing that terraform.hcldec does not name; status, blocks, what it said."""
    known = {"string": "string", "var": variables, "keycloak_openid_client": {"kubeflow": {
        "id": "made-by-keycloak", "client_id": variables["client_id"], "client_secret": "secret"}}}
    done = subprocess.run([os.environ["HCLDEC"], "--spec", ROOT / "test" / "kubeflow" / "terraform.hcldec", "--vars", json.dumps(known), "/dev/stdin"],
                          input=text, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else None, done.stderr


def main_tf(change=lambda text: text):
    """Its blocks, with its own defaults."""
    text = change((FOLDER / "main.tf").read_text(encoding="utf-8"))
    defaults = dict(re.findall(r'^variable "(\w+)" \{\n.*?default = "(.*?)"\n\}', text, re.M | re.S))
    status, blocks, said = terraform(text, **defaults)
    assert status == 0, said
    assert {name: row["default"] for name, row in blocks["variable"].items()} == defaults
    return blocks


def as_terraform(value):
    """Keycloak's texts of truth values and lists."""
    return {"true": True, "false": False, "+": ["+"]}.get(value, value) if isinstance(value, str) else value


def flat(representation):
    for key, value in representation.items():
        if isinstance(value, dict):
            yield from ((f"{key}.{name}", part) for name, part in value.items())
        else:
            yield key, value


def terraform_drift(blocks, wanted):
    """Differences between Terraform's resources and what the Job wants, a line each."""
    resources = blocks["resource"]
    (client,) = resources["keycloak_openid_client"].values()
    expected = {"realm_id": wanted.realm, "name": "Kubeflow", "access_type": "CONFIDENTIAL"}
    for key, value in flat(wanted.representation()):
        if key in ACCESS:
            assert value is False
        elif key != "protocol":
            expected[CLIENT_ARGUMENTS[key]] = as_terraform(value)
    pairs = [("client", client, expected)]
    for mapper in wanted.mappers():
        (found,) = resources[MAPPERS[mapper["protocolMapper"]]].values()
        pairs.append((mapper["name"], found, {
            "realm_id": wanted.realm, "client_id": "made-by-keycloak", "name": mapper["name"],
            **{MAPPER_ARGUMENTS[key]: as_terraform(value) for key, value in mapper["config"].items()}}))
    if len(resources) != len(pairs):
        yield f"{len(resources)} resources"
    for name, have, want in pairs:
        for key in sorted({*have, *want}):
            if have.get(key) != want.get(key):
                yield f"{name} {key}: {have.get(key)!r}, the Job has {want.get(key)!r}"


def test_terraforms_client_is_what_the_job_makes(wanted):
    assert list(terraform_drift(main_tf(), wanted)) == []


@pytest.mark.parametrize("old, new, word", [
    ("standard_flow_enabled               = true", "standard_flow_enabled               = false", "client standard_flow_enabled"),
    ('"S256"', '"plain"', "client pkce_code_challenge_method"),
    ('["${var.public_url}${var.callback}"]', '["${var.public_url}/*"]', "client valid_redirect_uris"),
    ("  web_origins                         = []\n", "", "client web_origins"),
    ("full_path           = true", "full_path           = false", "groups full_path"),
    ("add_to_id_token          = false", "add_to_id_token          = true", "audience add_to_id_token"),
    ('"CONFIDENTIAL"', '"PUBLIC"', "client access_type"),
])
def test_each_difference_is_found(wanted, old, new, word):
    (line,) = terraform_drift(main_tf(lambda text: text.replace(old, new)), wanted)
    assert line.startswith(word + ":")


@pytest.mark.parametrize("old, new", [("web_origins  ", "weborigins   "), ("= []", "= 1"), ("= true", "= treu"), ('variable "prefix" {', 'variable {'),
                                      ('resource "keycloak_openid_client"', 'resources "keycloak_openid_client"'), ("}\n", "\n")])
def test_what_terraform_would_refuse(old, new):
    text = (FOLDER / "main.tf").read_text(encoding="utf-8")
    status, _, said = terraform(text.replace(old, new, 1), realm="r", client_id="c", public_url="u", prefix="/p", callback="/p/c")
    assert status != 0 and "Error" in said


def test_the_guide_has_the_settings_of_the_judge():
    """The addresses in the examples are those of params.env."""
    known = dict(line.split("=", 1) for line in (KUBEFLOW / "components/header-mode/judge/params.env").read_text(encoding="utf-8").splitlines())
    blocks = main_tf()
    (client,) = blocks["resource"]["keycloak_openid_client"].values()
    (document,) = yaml.safe_load_all((FOLDER / "realm-import.yaml").read_text(encoding="utf-8"))
    imported = document["spec"]["realm"]["clients"][0]
    assert client["valid_redirect_uris"] == imported["redirectUris"] == [known["REDIRECT_URL"]]
    assert client["client_id"] == imported["clientId"] == known["CLIENT_ID"]
    assert known["OIDC_PROVIDER"].endswith("/realms/" + document["spec"]["realm"]["realm"])
