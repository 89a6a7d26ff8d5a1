# SPDX-License-Identifier: Apache-2.0
"""Require lines against the roles, groups and claims of a real Keycloak."""

import pytest

RULES = {
    # alice has both realm roles, the client role, and is in both groups; bob is a plain user.
    "role-user": ("Require keycloak-role kubeflow-user", True, True),
    "role-admin": ("Require keycloak-role kubeflow-admin", True, False),
    "role-any": ("Require keycloak-role nothing kubeflow-admin", True, False),
    "role-none": ("Require keycloak-role KUBEFLOW-ADMIN", False, False),
    "client-role": ("Require keycloak-client-role {client}:notebook-editor", True, False),
    "client-role-other": ("Require keycloak-client-role account:notebook-editor", False, False),
    "group-path": ("Require keycloak-group /platform/admins", True, False),
    "group-bare": ("Require keycloak-group platform/admins", True, False),
    "group-part": ("Require keycloak-group admins platform", False, False),
    "group-both": ("Require keycloak-group data-science", True, True),
    "claim-is": ("Require keycloak-claim email = bob@example.com", False, True),
    "claim-not": ("Require keycloak-claim preferred_username != bob", True, False),
    "claim-nested": ("Require keycloak-claim nosuch.claim exists", False, False),
    "user": ("Require user bob@example.com", False, True),
    "all": ("<RequireAll>\nRequire keycloak-group data-science\n"
            "Require not keycloak-role kubeflow-admin\n</RequireAll>", False, True),
}


@pytest.fixture(scope="module")
def site(new_site, realm):
    blocks = "".join(f"<Location /{name}>\n{rule}\n</Location>\n"
                     for name, (rule, _, _) in RULES.items())
    return new_site(realm, blocks=blocks)


@pytest.fixture(scope="module")
def people(site):
    return {"alice": site.signed_in("alice"), "bob": site.signed_in("bob")}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("user", ["alice", "bob"])
def test_rule(site, people, name, user):
    allowed = RULES[name][1 if user == "alice" else 2]
    count = site.seen()
    answer = site.get(people[user], f"/{name}/page")
    if allowed:
        assert answer.status == 200 and site.seen() == count + 1, answer
    else:
        assert answer.status == 403 and site.seen() == count, answer
        assert "KC0103" in answer.text and not answer.header("X-Backend"), answer


@pytest.mark.parametrize("name", RULES)
def test_nobody_is_asked_to_sign_in(site, name):
    count = site.seen()
    assert site.get(site.browser(), f"/{name}/page").status == 302
    assert site.call(site.browser(), f"/{name}/page").status == 401
    assert site.seen() == count


def test_refusal_for_scripts_is_json(site, people):
    answer = site.call(people["bob"], "/role-admin/data")
    assert answer.status == 403 and answer.json()["tag"] == "KC0103", answer
