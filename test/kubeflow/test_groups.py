# SPDX-License-Identifier: Apache-2.0
"""Keycloak's groups as Profiles and contributors: against a real Keycloak and a fake cluster, in the forms that KFAM writes."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import yaml
from cluster import Cluster
from manifests import KUBEFLOW, ROOT, find, kustomize, read_all

FOLDER = KUBEFLOW / "components" / "groups-to-profiles"
READER = ("view-users",)
USERS = {"lead": {}, "bob": {}, "carol": {}, "dave": {"enabled": False}, "eve": {"emailVerified": False}, "noname": {"email": ""}}


@functools.lru_cache(maxsize=None)
def built(*components):
    """The manifests with these components, as the guide says; as text, so that no test changes another's."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        return build(Path(scratch), components)


def rendered(*components):
    return read_all(built(*components))


def build(folder, components):
    place = os.path.relpath(FOLDER, folder)
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": [place],
        "components": [f"{place}/{name}" for name in components]}), encoding="utf-8")
    status, text, said = kustomize(folder)
    assert status == 0, said
    return text


class Sync:
    """A realm with its groups, a cluster, and the program with the rights that the manifests give it."""

    ids = {}

    def __init__(self, folder, keycloak, authority, name):
        self.keycloak, self.name, self.folder, self.said = keycloak, name, folder, ""
        self.cluster = Cluster(folder / "account", authority, [])
        for part in ("components/groups-to-profiles/groups.py", "components/client-job/script/setup.py"):
            shutil.copy(KUBEFLOW / part, folder)
        self.admin_folder = folder / "admin"
        self.admin_folder.mkdir()
        (self.admin_folder / "client-id").write_text("groups-reader", encoding="utf-8")
        (self.admin_folder / "client-secret").write_text("of-the-groups-reader", encoding="utf-8")
        self.settings = {
            "OIDC_PROVIDER": f"{keycloak.url}/realms/{name}", "ADMIN_REALM": name, "ADMIN_FOLDER": str(self.admin_folder),
            "ACCOUNT_FOLDER": str(self.cluster.folder), "KUBERNETES_SERVICE_HOST": "localhost",
            "KUBERNETES_SERVICE_PORT": str(self.cluster.port), "RULES_FILE": str(folder / "rules.json"), "NAMESPACE_SECONDS": "30"}
        self.allow()

    def allow(self, *components):
        """The rights and settings that the manifests have with these components."""
        documents = rendered(*components)
        self.cluster.rules = find(documents, "ClusterRole", "keycloak-groups")["rules"]
        (container,) = find(documents, "CronJob", "keycloak-groups")["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        self.settings = {**{key: value for key, value in self.settings.items() if key not in ("APPLY", "PRUNE")},
                         **{row["name"]: row["value"] for row in container.get("env", [])}}

    def run(self, **settings):
        env = {"PATH": os.environ["PATH"], **self.settings, **settings}
        done = subprocess.run([sys.executable, "-I", "-B", self.folder / "groups.py"], env=env, capture_output=True, text=True,
                              timeout=120, check=False)
        self.said += done.stdout + done.stderr
        return done.returncode, [line for line in done.stdout.splitlines() if not line.startswith("warning")], done.stderr.splitlines()

    def good(self, **settings):
        status, out, err = self.run(**settings)
        assert (status, err) == (0, []), (out, err)
        return out

    def problems(self, **settings):
        status, out, err = self.run(**settings)
        assert (status, err) == (1, []), (out, err)
        return [line.removeprefix("problem: ") for line in out if line.startswith("problem: ")]

    def bad(self, **settings):
        status, _, err = self.run(**settings)
        assert status == 1 and len(err) == 1, err
        return err[0]

    def admin(self, method, path="", body=None):
        return self.keycloak.admin(method, f"/{self.name}{path}", body)

    def group(self, path, *members, **attributes):
        """A group, with its parents, attributes (kubeflow_profile="x") and members."""
        parent = None
        for name in path.strip("/").split("/"):
            where = f"/groups/{parent}/children" if parent else "/groups"
            found = [row for row in self.admin("GET", where + "?max=100") if row["name"] == name]
            if not found:
                self.admin("POST", where, {"name": name})
                found = [row for row in self.admin("GET", where + "?max=100") if row["name"] == name]
            parent = found[0]["id"]
        marks = {key.replace("_", "-"): value if isinstance(value, list) else [value] for key, value in attributes.items()}
        self.admin("PUT", f"/groups/{parent}", {"name": name, "attributes": marks})
        for member in members:
            self.admin("PUT", f"/users/{self.user(member)}/groups/{parent}")

    def user(self, name):
        """A user's id, which stays the same for all tests."""
        if name not in self.ids:
            self.ids[name] = self.admin("GET", f"/users?exact=true&username={name}")[0]["id"]
        return self.ids[name]

    def made(self, plural):
        """What the program made, of this kind, and nobody else."""
        return [value for key, value in sorted(self.cluster.objects.items()) if key[0] == plural
                and value["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by")]


def give(keycloak, realm, *roles):
    """The reader's service account gets these roles of the realm, and no others."""
    path = f"/{realm}/clients?clientId="
    reader = keycloak.admin("GET", path + "groups-reader")[0]["id"]
    account = keycloak.admin("GET", f"/{realm}/clients/{reader}/service-account-user")["id"]
    management = keycloak.admin("GET", path + "realm-management")[0]["id"]
    where = f"/{realm}/users/{account}/role-mappings/clients/{management}"
    have = keycloak.admin("GET", where)
    if have:
        keycloak.admin("DELETE", where, have)
    known = keycloak.admin("GET", f"/{realm}/clients/{management}/roles")
    keycloak.admin("POST", where, [role for role in known if role["name"] in roles])


@pytest.fixture(scope="module")
def realm(keycloak):
    """One realm for all, with users; each test makes its groups."""
    name = "groups-to-profiles"
    keycloak.admin("POST", "", {"realm": name, "enabled": True, "organizationsEnabled": True, "users": [
        {"username": user, "enabled": True, "email": f"{user}@example.com", "emailVerified": True, **more}
        for user, more in USERS.items()]})
    keycloak.admin("POST", f"/{name}/clients", {"clientId": "groups-reader", "serviceAccountsEnabled": True, "secret": "of-the-groups-reader"})
    give(keycloak, name, *READER)
    return name


@pytest.fixture
def sync(tmp_path, keycloak, authority, realm):
    for group in keycloak.admin("GET", f"/{realm}/groups?max=1000"):
        keycloak.admin("DELETE", f"/{realm}/groups/{group['id']}")
    one = Sync(tmp_path, keycloak, authority, realm)
    yield one
    one.cluster.stop()
    for value in (one.cluster.token, "of-the-groups-reader", "eyJ"):
        assert value not in one.said


# ---------------- The forms

NAMES = [("lalith.vaka@zq.msds.kp.org", "user-lalith-vaka-zq-msds-kp-org-clusterrole-edit"),
         ("397401@zq.msds.kp.org", "user-397401-zq-msds-kp-org-clusterrole-edit"),
         ("lalith.397401@zq.msds.kp.org", "user-lalith-397401-zq-msds-kp-org-clusterrole-edit"),
         ("i397401@zq.msds.kp.org", "user-i397401-zq-msds-kp-org-clusterrole-edit"),
         ("Alice.B@Example.com", "user-alice-b-example-com-clusterrole-edit"),
         ("a+b_c%d@x", "user-a-b-c-d-x-clusterrole-edit"), ("jürgen@x", "user-j-rgen-x-clusterrole-edit")]


@pytest.mark.parametrize("user, name", NAMES)
def test_names_are_those_of_kfam(user, name):
    """The first four are in the tests of KFAM itself; the others follow from its rule."""
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.path[:0] = [{str(FOLDER)!r}, "
                           f"{str(KUBEFLOW / 'components/client-job/script')!r}]; import groups; "
                           "print(groups.binding_name(sys.argv[1], 'edit'))", user], capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert done.stdout.strip() == name


def test_it_makes_what_kfam_would(sync):
    sync.allow("apply")
    sync.group("/data-science", "bob", "lead", kubeflow_profile="ds", kubeflow_owner="lead@example.com")
    sync.cluster.slow = 3
    out = sync.good()
    assert "profile ds: made, for lead@example.com" in out
    label = {"app.kubernetes.io/managed-by": "keycloak-groups-to-profiles"}
    meta = {"name": "user-bob-example-com-clusterrole-edit", "namespace": "ds", "labels": label,
            "annotations": {"user": "bob@example.com", "role": "edit"}}
    assert sync.made("profiles") == [{
        "apiVersion": "kubeflow.org/v1", "kind": "Profile", "metadata": {"name": "ds", "labels": label},
        "spec": {"owner": {"kind": "User", "name": "lead@example.com"}}}]
    assert sync.made("rolebindings") == [{
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kubeflow-edit"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "bob@example.com"}]}]
    assert sync.made("authorizationpolicies") == [{
        "apiVersion": "security.istio.io/v1beta1", "kind": "AuthorizationPolicy", "metadata": meta,
        "spec": {"rules": [{
            "when": [{"key": "request.headers[kubeflow-userid]", "values": ["bob@example.com"]}],
            "from": [{"source": {"principals": ["cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account",
                                                "cluster.local/ns/kubeflow/sa/ml-pipeline-ui"]}}]}]}}]


def test_header_and_prefix_are_those_of_kfam(sync):
    sync.allow("apply")
    sync.cluster.profile("ds", "lead@example.com")
    sync.group("/data-science", "bob", kubeflow_profile="ds")
    sync.good(USERID_HEADER="x-user", USERID_PREFIX="kc:")
    (policy,) = sync.made("authorizationpolicies")
    assert policy["spec"]["rules"][0]["when"] == [{"key": "request.headers[x-user]", "values": ["kc:bob@example.com"]}]
    assert policy["metadata"]["annotations"]["user"] == "bob@example.com"


# ---------------- Dry run first, and again

def test_without_apply_nothing_is_written(sync):
    sync.group("/data-science", "bob", kubeflow_profile="ds", kubeflow_owner="lead@example.com")
    out = sync.good()
    assert "profile ds: would be made, for lead@example.com" in out
    assert "profile ds: bob@example.com may edit (RoleBinding): would be made" in out and out[-1].endswith("nothing was changed (APPLY)")
    assert not sync.cluster.objects and {method for method, _ in sync.cluster.requests} == {"GET"}
    assert sync.problems(APPLY="true") == ["profile ds: Kubernetes does not allow it (403)"], "the rights of the base do not suffice either"
    assert not sync.cluster.objects


def test_the_second_run_changes_nothing(sync):
    sync.allow("apply")
    sync.group("/data-science", "bob", "carol", kubeflow_profile="ds", kubeflow_owner="lead@example.com")
    sync.good()
    before = dict(sync.cluster.objects)
    assert len(before) == 6
    sync.cluster.requests.clear()
    out = sync.good()
    assert sync.cluster.objects == before and {method for method, _ in sync.cluster.requests} == {"GET"}
    assert out == ["1 profiles, 2 users, 0 problems"]


def test_what_kfam_made_counts_by_its_annotations(sync):
    """Older versions of KFAM gave other names; half a contributor is completed."""
    sync.allow("apply")
    sync.cluster.profile("ds", "lead@example.com")
    sync.cluster.add("rolebindings", "ds", "user--ob-example-com-clusterrole-edit", "bob@example.com", "edit")
    sync.group("/data-science", "bob", kubeflow_profile="ds")
    sync.good()
    assert sync.made("rolebindings") == [] and len(sync.made("authorizationpolicies")) == 1


# ---------------- Groups

def test_groups_at_any_depth_and_many_members(sync):
    sync.allow("apply")
    for name in ("one", "two", "three", "four", "five"):
        sync.cluster.profile(name, "lead@example.com")
        sync.group(f"/company/department/{name}", "bob", "carol", "eve", kubeflow_profile=name)
    sync.cluster.page = 2
    assert len(sync.good(PAGE_SIZE="2")) == 31
    assert len(sync.good(PAGE_SIZE="2")) == 1, "what is there is found, on each page"
    assert any("continue" in path for _, path in sync.cluster.requests)
    assert {(row["metadata"]["namespace"], row["metadata"]["annotations"]["user"]) for row in sync.made("rolebindings")} == {
        (profile, f"{user}@example.com") for profile in ("one", "two", "three", "four", "five") for user in ("bob", "carol", "eve")}


def test_the_higher_role_counts_and_one_group_may_be_for_several(sync):
    sync.allow("apply")
    for name in ("ds", "lab"):
        sync.cluster.profile(name, "lead@example.com")
    sync.group("/readers", "bob", "carol", kubeflow_profile=["ds", "lab"], kubeflow_role="view")
    sync.group("/writers", "bob", kubeflow_profile="ds")
    sync.good()
    assert {(row["metadata"]["namespace"], row["metadata"]["annotations"]["user"][:3], row["roleRef"]["name"])
            for row in sync.made("rolebindings")} == {
        ("ds", "bob", "kubeflow-edit"), ("ds", "car", "kubeflow-view"), ("lab", "bob", "kubeflow-view"), ("lab", "car", "kubeflow-view")}


def test_who_is_left_out(sync):
    sync.cluster.profile("ds", "lead@example.com")
    sync.group("/ds", *USERS, kubeflow_profile="ds")
    out = sync.good(REQUIRE_VERIFIED_EMAIL="true")
    assert [line for line in out if "left out" in line] == [
        "group /ds: user dave is disabled, and is left out",
        "group /ds: user eve has an e-mail address that is not verified, and is left out",
        "group /ds: user noname has no email, and is left out"]
    assert {line.split(" may ")[0].split()[-1] for line in out if "RoleBinding" in line} == {"bob@example.com", "carol@example.com"}
    assert [line for line in sync.good() if "eve@example.com" in line], "as the judge does without that setting"


def test_other_claims(sync):
    sync.cluster.profile("ds", "lead")
    sync.group("/ds", "bob", "lead", kubeflow_profile="ds")
    assert [line for line in sync.good(USERID_CLAIM="preferred_username") if line.startswith("profile ds: bob may edit")]
    assert [line for line in sync.good(USERID_CLAIM="sub") if sync.user("bob") in line]
    assert "USERID_TRANSFORMERS" in sync.bad(USERID_TRANSFORMERS="[]")


def test_rules_of_the_file(sync):
    sync.cluster.profile("ds", "lead@example.com")
    sync.group("/ds/team", "bob")
    rules = sync.folder / "rules.json"
    rules.write_text(json.dumps({"group /ds/team": [{"profile": "ds", "role": "view"}]}), encoding="utf-8")
    assert "profile ds: bob@example.com may view (RoleBinding): would be made" in sync.good()
    rules.write_text(json.dumps({"group /nowhere": [{"profile": "ds"}]}), encoding="utf-8")
    assert sync.problems() == ["the rules name group /nowhere, which the realm does not have"]
    for text in ("{", "[]", '{"group /ds": {}}', '{"group /ds": [{"profil": "ds"}]}', '{"group /ds": [{"profile": 1}]}'):
        rules.write_text(text, encoding="utf-8")
        assert "rules.json" in sync.bad()


def test_organizations(sync, keycloak, realm):
    give(keycloak, realm, *READER, "view-organizations")
    sync.admin("POST", "/organizations", {"name": "Partners", "alias": "partners", "domains": [{"name": "partners.example"}],
                                          "attributes": {"kubeflow-profile": ["partners"], "kubeflow-owner": ["lead@example.com"]}})
    (found,) = sync.admin("GET", "/organizations")
    try:
        for member in ("bob", "carol", "lead"):
            sync.admin("POST", f"/organizations/{found['id']}/members", sync.user(member))
        out = sync.good(ORGANIZATIONS="true")
        assert "profile partners: would be made, for lead@example.com" in out
        assert {line.split(" may ")[0].split()[-1] for line in out if "RoleBinding" in line} == {"bob@example.com", "carol@example.com"}
        assert not [line for line in sync.good() if "partners" in line]
    finally:
        sync.admin("DELETE", f"/organizations/{found['id']}")
        give(keycloak, realm, *READER)


# ---------------- What it leaves alone

def test_a_profile_of_somebody_else_stays(sync):
    sync.allow("apply", "prune")
    sync.cluster.profile("ds", "first@example.com")
    before = dict(sync.cluster.objects)
    sync.group("/ds", kubeflow_profile="ds", kubeflow_owner="lead@example.com")
    assert sync.problems() == ["profile ds belongs to first@example.com, not to lead@example.com: no contributors are made"]
    assert sync.cluster.objects == before


def test_names_that_no_profile_may_have(sync):
    sync.allow("apply")
    (sync.cluster.folder / "namespace").write_text("of-this-job", encoding="utf-8")
    bad = ["kube-system", "istio-system", "istio-ingress", "kubeflow", "kubeflow-system", "default", "keycloak", "dex", "auth", "monitoring",
           "mod-auth-keycloak", "keycloak-groups", "of-this-job", "Data", "a/b", "-a", "x" * 64, "a\nb", ".."]
    sync.group("/ds", "bob", kubeflow_profile=bad, kubeflow_owner="lead@example.com")
    found = sync.problems()
    assert sorted(found) == sorted(f"group /ds: {name!r} cannot be the name of a profile" for name in bad)
    assert not sync.cluster.objects


def test_problems_do_not_stop_the_rest(sync):
    sync.allow("apply")
    sync.cluster.profile("ds", "lead@example.com")
    sync.cluster.add("rolebindings", "ds", "user-carol-example-com-clusterrole-edit", "someone@else", "edit")
    sync.group("/a", "bob", "carol", kubeflow_profile="ds")
    sync.group("/b", "bob", kubeflow_profile="new")
    sync.group("/c", kubeflow_profile="two", kubeflow_owner="lead@example.com")
    sync.group("/d", kubeflow_profile="two", kubeflow_owner="bob@example.com")
    sync.group("/e", "bob", kubeflow_profile="ds", kubeflow_role="root")
    sync.group("/f", "bob", kubeflow_profile="lab", kubeflow_owner="lead@example.com", kubeflow_role="admin")
    status, out, err = sync.run()
    found = "\n".join(line for line in out if line.startswith("problem"))
    for word in ("profile new is not there, and no group names its owner", "has several owners", "is no role: view, edit, admin"):
        assert word in found
    assert status == 1 and err == []
    assert "profile lab: bob@example.com may admin (RoleBinding): Kubernetes does not allow it (403)" in found, "kubeflow-admin is not given"
    assert "carol@example.com may edit (RoleBinding): the name user-carol-example-com-clusterrole-edit belongs to somebody else" in found
    assert {row["metadata"]["annotations"]["user"] for row in sync.made("rolebindings")} == {"bob@example.com"}


# ---------------- Whose namespace it is

def contributors(sync):
    return {(row["metadata"]["namespace"], row["metadata"]["annotations"]["user"].split("@")[0])
            for plural in ("rolebindings", "authorizationpolicies") for row in sync.made(plural)}


def test_no_profile_takes_a_namespace_that_is_there(sync):
    """Kubeflow's controller adopts one whose annotation names the owner; so that must not be asked of it either."""
    sync.allow("apply")
    sync.cluster.namespaces = {name: {"metadata": {"name": name, "annotations": notes}} for name, notes in (
        ("argocd", {}), ("vault", {"owner": "lead@example.com"}), ("zot", {"owner": "lead@example.com"}))}
    sync.cluster.page = 1
    sync.group("/a", "bob", kubeflow_profile=["argocd", "vault", "zot", "ds"], kubeflow_owner="lead@example.com")
    for _ in range(2):
        assert sync.problems() == [f"profile {name}: a namespace of this name is there, and belongs to no Profile: none is made"
                                   for name in ("argocd", "vault", "zot")]
    assert {row["metadata"]["name"] for row in sync.made("profiles")} == {"ds"} and contributors(sync) == {("ds", "bob")}


LEAD, BEN = {"owner": "lead@example.com"}, {"owner": "ben@example.com"}
OURS, OTHER, JOB = ([{"kind": kind, "uid": uid, "name": "ds"}] for kind, uid in (("Profile", "OURS"), ("Profile", "else"), ("Job", "else")))
WHOSE = [({"annotations": LEAD, "ownerReferences": OURS}, True), ({"annotations": LEAD}, True),
         ({"annotations": LEAD, "ownerReferences": JOB}, True), ({"annotations": LEAD, "ownerReferences": OTHER}, False),
         ({"annotations": BEN, "ownerReferences": OURS}, False), ({"annotations": BEN}, False), ({"ownerReferences": OURS}, False), ({}, False),
         ({"annotations": LEAD, "ownerReferences": OURS, "deletionTimestamp": "2026-01-01T00:00:00Z"}, False)]


@pytest.mark.parametrize("meta, is_ours", WHOSE)
def test_contributors_only_in_the_namespace_of_the_profile(sync, meta, is_ours):
    sync.allow("apply")
    sync.cluster.profile("ds", "lead@example.com")
    text = json.dumps({"metadata": {"name": "ds", **meta}}).replace("OURS", sync.cluster.owned["ds"])
    sync.cluster.namespaces["ds"] = json.loads(text)
    sync.group("/ds", "bob", kubeflow_profile="ds")
    found = [] if is_ours else sync.problems()
    if is_ours:
        sync.good()
    assert found == [] if is_ours else len(found) == 1 and found[0].startswith("profile ds: the namespace ds ")
    assert contributors(sync) == ({("ds", "bob")} if is_ours else set())


def test_a_namespace_that_comes_late_or_from_somebody_else(sync):
    sync.allow("apply")
    sync.group("/ds", "bob", kubeflow_profile=["ds", "lab", "zz"], kubeflow_owner="lead@example.com")
    control = sync.cluster.control

    def taken(profile, owner):
        """Somebody else makes the namespace between the two looks."""
        if profile == "lab":
            sync.cluster.namespaces["lab"] = {"metadata": {"name": "lab"}}
        control(profile, owner)
    sync.cluster.control, sync.cluster.slow = taken, 1000000
    assert sync.problems(NAMESPACE_SECONDS="1") == [
        "profile ds: the namespace ds is not there yet: no contributors are made, and the next run tries again",
        "profile lab: the namespace lab does not belong to this Profile: no contributors are made",
        "profile zz: the namespace zz is not there yet: no contributors are made, and the next run tries again"]
    assert not contributors(sync)
    looks = [path.rpartition("/")[2] for _, path in sync.cluster.requests if path.startswith("/api/v1/namespaces/")]
    assert looks.count("ds") > 1 and looks.count("zz") == 1, "all together wait as long as one may"
    sync.cluster.late["ds"] = sync.cluster.late["zz"] = 0
    assert len(sync.problems()) == 1 and contributors(sync) == {("ds", "bob"), ("zz", "bob")}, "the next run does it"


# ---------------- Names with another meaning

GOOD_NAMES = ["bob@example.com", "jürgen@x", "a b@x", "a+b_c%d@x", "systems@x"]
BAD_NAMES = ["*@example.com", "b*b@x", "bob@*", "*", "bob\n@x", "bob\0", "bob\x7f", "bob\x85x", "bob\u2028x", "bob\u200bx", " bob", "bob\t",
             "\xa0bob", "system:anonymous", "system:serviceaccount:kubeflow:default", "System:masters"]


def test_names_that_mean_more_than_one_user():
    """For Istio * is a wildcard, for Kubernetes system: is its own; what is not seen must not be in a name either."""
    done = subprocess.run([sys.executable, "-c", f"import json, sys; sys.path[:0] = [{str(FOLDER)!r}, "
                           f"{str(KUBEFLOW / 'components/client-job/script')!r}]; import groups; "
                           "print(json.dumps([groups.is_plain(name) for name in json.load(sys.stdin)]))"], check=True, text=True,
                          input=json.dumps(GOOD_NAMES + BAD_NAMES), capture_output=True,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert json.loads(done.stdout) == [True] * len(GOOD_NAMES) + [False] * len(BAD_NAMES)


def test_a_user_whose_name_is_a_wildcard_is_left_out(sync):
    """That keeps nobody else's contributor from being made or removed."""
    sync.allow("apply", "prune")
    sync.cluster.profile("ds", "lead@example.com")
    sync.group("/ds", "bob", "carol", "eve", kubeflow_profile="ds")
    sync.good()
    bob = {"username": "bob", "enabled": True, "emailVerified": True}
    leave(sync, "carol")
    try:
        sync.admin("PUT", f"/users/{sync.user('bob')}", {**bob, "email": "*@example.com"})
        assert sync.problems() == ["group /ds: the name '*@example.com' of user bob is no user's name, and is left out"]
    finally:
        sync.admin("PUT", f"/users/{sync.user('bob')}", {**bob, "email": "bob@example.com"})
    assert contributors(sync) == {("ds", "eve")}
    assert "USERID_PREFIX" in sync.bad(USERID_PREFIX="*")


def test_an_owner_whose_name_is_a_wildcard(sync):
    sync.allow("apply")
    sync.cluster.profile("lab", "lead@example.com")
    sync.group("/ds", "bob", kubeflow_profile=["ds", "lab"], kubeflow_owner="*@example.com")
    assert sync.problems() == [f"group /ds: '*@example.com' cannot be the owner of profile {name}" for name in ("ds", "lab")]
    assert not sync.made("profiles") and not contributors(sync)


# ---------------- Another owner than the rules say

def test_no_contributors_where_the_owner_is_another(sync):
    """Members would work in a namespace of somebody whom nobody has named."""
    sync.allow("apply")
    for name in ("ds", "lab", "one"):
        sync.cluster.profile(name, "first@example.com")
    sync.group("/a", "bob", kubeflow_profile=["ds", "new"], kubeflow_owner="lead@example.com")
    sync.group("/b", "bob", kubeflow_profile=["lab", "one"], kubeflow_owner="first@example.com")
    sync.group("/c", "carol", kubeflow_profile=["lab", "new"], kubeflow_owner="carol@example.com")
    sync.group("/d", "carol", kubeflow_profile=["ds", "one"])
    found = sync.problems()
    assert contributors(sync) == {("one", "bob"), ("one", "carol")} and not sync.made("profiles")
    assert "profile ds belongs to first@example.com, not to lead@example.com: no contributors are made" in found
    assert len([line for line in found if "profile lab has several owners" in line]) == 1
    assert len([line for line in found if "profile new has several owners" in line]) == 1


# ---------------- One refusal is no end

def test_a_refusal_of_one_object_stops_no_other(sync):
    sync.allow("apply", "prune")
    for name in ("aa", "ds", "zz"):
        sync.group(f"/{name}", "bob", "carol", kubeflow_profile=name, kubeflow_owner="lead@example.com")
    sync.good()
    leave(sync, "bob")
    sync.group("/ds", "eve")
    sync.group("/aa", "eve", kubeflow_profile=["aa", "new"], kubeflow_owner="lead@example.com")
    sync.group("/ds", "eve", kubeflow_profile="ds", kubeflow_owner="lead@example.com")
    sync.cluster.requests.clear()
    sync.cluster.forbidden = {("create", "aa"), ("delete", "aa"), ("create", "new")}
    found = sync.problems()
    assert len(found) == 5 and all("does not allow it (403)" in line for line in found)
    assert contributors(sync) == {("aa", "bob"), ("aa", "carol"), ("ds", "carol"), ("ds", "eve"), ("zz", "carol")}
    changes = [method for method, _ in sync.cluster.requests if method != "GET"]
    assert changes == sorted(changes) and {"DELETE", "POST"} == set(changes), "first what is too much goes"


# ---------------- Paths

def slashed(sync, name, *members, parent=None, **attributes):
    """A group whose name may have a slash; its id."""
    where = f"/groups/{parent}/children" if parent else "/groups"
    sync.admin("POST", where, {"name": name})
    (found,) = [row["id"] for row in sync.admin("GET", where + "?max=100") if row["name"] == name]
    sync.admin("PUT", f"/groups/{found}", {"name": name, "attributes": {key.replace("_", "-"): [value] for key, value in attributes.items()}})
    for member in members:
        sync.admin("PUT", f"/users/{sync.user(member)}/groups/{found}")
    return found


def test_a_path_that_is_not_clear_has_no_rules(sync):
    """A group "teams/ds" has the path of the group ds in teams."""
    sync.allow("apply", "prune")
    for name in ("ds", "lab", "one", "two", "other"):
        sync.cluster.profile(name, "lead@example.com")
    rules = {"group /teams/ds": [{"profile": "ds"}], "group /a/b/c": [{"profile": "lab"}]}
    (sync.folder / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    sync.group("/teams/ds", "carol", "eve", kubeflow_profile="one")
    sync.group("/a/b/c", "carol", "eve")
    sync.group("/other", "carol", kubeflow_profile="other")
    sync.good()
    clear = {("ds", "carol"), ("ds", "eve"), ("one", "carol"), ("one", "eve"), ("lab", "carol"), ("lab", "eve"), ("other", "carol")}
    assert contributors(sync) == clear
    slashed(sync, "not/used", "bob")
    sync.good()
    leave(sync, "eve")
    slashed(sync, "teams/ds", "bob")
    slashed(sync, "c", "bob", parent=slashed(sync, "a/b"))
    slashed(sync, "x/y", "bob", kubeflow_profile="two")
    status, out, _ = sync.run()
    found = sorted(line.split("problem: ")[1] for line in out if line.startswith("problem: "))
    assert [line.split(":")[0] for line in found] == ["group /a/b/c", "group /teams/ds", "group /x/y"] and status == 1
    assert all(line.endswith("none of its rules counts") for line in found)
    assert contributors(sync) == clear and "nothing is removed while the realm's groups have problems" in out


# ---------------- Taking away

def leave(sync, name):
    for group in sync.admin("GET", f"/users/{sync.user(name)}/groups"):
        sync.admin("DELETE", f"/users/{sync.user(name)}/groups/{group['id']}")


def test_nothing_is_removed_unless_told(sync):
    sync.allow("apply")
    sync.cluster.profile("ds", "lead@example.com")
    sync.cluster.add("rolebindings", "ds", "by-hand", "hand@example.com", "edit")
    sync.group("/ds", "bob", "carol", kubeflow_profile="ds")
    sync.good()
    leave(sync, "bob")
    before = dict(sync.cluster.objects)
    assert len([line for line in sync.good() if line.endswith("PRUNE is off, and it stays")]) == 2
    assert sync.cluster.objects == before
    refused = sync.problems(PRUNE="true")
    assert len(refused) == 2 and all("does not allow it (403)" in line for line in refused), "nor has it the right"
    sync.allow("prune")
    assert len([line for line in sync.good() if line.endswith("would be removed")]) == 2
    assert sync.cluster.objects == before
    sync.allow("apply", "prune")
    sync.good()
    gone = {key for key in before if key not in sync.cluster.objects}
    assert gone == {(plural, "ds", "user-bob-example-com-clusterrole-edit") for plural in ("rolebindings", "authorizationpolicies")}


def label(sync, plural, namespace, name, user):
    """An object with our label that somebody else has made."""
    sync.cluster.add(plural, namespace, name, user, "edit")
    sync.cluster.objects[plural, namespace, name]["metadata"]["labels"] = {
        "app.kubernetes.io/managed-by": "keycloak-groups-to-profiles"}


def test_objects_of_others_do_not_stop_removals(sync):
    """Who may write in one namespace must not be able to keep rights in another."""
    sync.allow("apply", "prune")
    sync.cluster.profile("evil", "evil@example.com")
    sync.group("/ds", "bob", "carol", kubeflow_profile="ds", kubeflow_owner="lead@example.com")
    sync.good()
    leave(sync, "bob")
    for count in range(30):
        label(sync, "authorizationpolicies", "evil", f"x{count}", f"u{count}")
    for plural in ("rolebindings", "authorizationpolicies"):
        sync.cluster.add(plural, "ds", "aaa", "bob@example.com", "edit")
        label(sync, plural, "ds", "zzz", "bob@example.com")
    before = dict(sync.cluster.objects)
    sync.good()
    assert {key for key in before if key not in sync.cluster.objects} == {
        (plural, "ds", "user-bob-example-com-clusterrole-edit") for plural in ("rolebindings", "authorizationpolicies")}


def test_too_many_removals_stop_only_their_namespace(sync):
    sync.allow("apply", "prune")
    sync.cluster.profile("evil", "evil@example.com")
    sync.group("/ds", "bob", "carol", kubeflow_profile="ds", kubeflow_owner="lead@example.com")
    sync.good()
    leave(sync, "bob")
    for count in range(3):
        label(sync, "authorizationpolicies", "evil", f"user-u{count}-clusterrole-edit", f"u{count}")
    assert sync.problems(PRUNE_MAX="2") == ["namespace evil: 3 objects would go (PRUNE_MAX is 2): none of them is removed"]
    assert contributors(sync) == {("ds", "carol"), ("evil", "u0"), ("evil", "u1"), ("evil", "u2")}
    sync.good(PRUNE_MAX="3")
    assert contributors(sync) == {("ds", "carol")}


def test_a_role_that_changes_replaces_the_old_one(sync):
    sync.allow("apply", "prune")
    sync.cluster.profile("ds", "lead@example.com")
    sync.group("/ds", "bob", kubeflow_profile="ds")
    sync.good()
    sync.group("/ds", kubeflow_profile="ds", kubeflow_role="view")
    sync.good()
    assert [row["roleRef"]["name"] for row in sync.made("rolebindings")] == ["kubeflow-view"]


def test_an_empty_realm_or_a_great_change_removes_nothing(sync):
    sync.allow("apply", "prune")
    sync.cluster.profile("ds", "lead@example.com")
    sync.group("/ds", "bob", "carol", kubeflow_profile="ds")
    sync.good()
    before = dict(sync.cluster.objects)
    sync.group("/ds")
    assert sync.problems() == ["4 objects would go, and no group has rules: none is removed"]
    sync.group("/ds", kubeflow_profile="ds")
    leave(sync, "bob")
    assert "namespace ds: 2 objects would go (PRUNE_MAX is 1" in sync.problems(PRUNE_MAX="1")[0]
    sync.group("/bad", kubeflow_profile="kube-system")
    status, out, _ = sync.run()
    assert status == 1 and "nothing is removed while the realm's groups have problems" in out
    assert sync.cluster.objects == before


# ---------------- What goes wrong is one line

def test_an_account_without_rights_is_told(sync, keycloak, realm):
    """Keycloak gives such an account an empty list of groups, which must not look like a realm without groups."""
    sync.allow("apply", "prune")
    sync.cluster.profile("ds", "lead@example.com")
    sync.group("/ds", "bob", kubeflow_profile="ds")
    sync.good()
    before = dict(sync.cluster.objects)
    try:
        give(keycloak, realm, "query-groups")
        assert "403" in sync.bad()
        give(keycloak, realm, "query-groups", "query-users")
        assert "view-users" in sync.bad()
    finally:
        give(keycloak, realm, *READER)
    assert "organizations (403)" in sync.bad(ORGANIZATIONS="true")
    assert sync.cluster.objects == before


def test_faults_are_one_line(sync):
    assert "APPLY" in sync.bad(APPLY="yes")
    assert "PAGE_SIZE" in sync.bad(PAGE_SIZE="0")
    assert "OIDC_PROVIDER" in sync.bad(OIDC_PROVIDER="https://keycloak.example.com")
    sync.cluster.refuse = 403
    assert "profiles (403)" in sync.bad()
    sync.cluster.refuse = None
    (sync.admin_folder / "client-secret").write_text("another", encoding="utf-8")
    assert "client groups-reader" in sync.bad()


# ---------------- The manifests

def test_rights_are_the_least():
    """Reading alone; apply adds making, prune removing; nobody may change what is there, or give kubeflow-admin."""
    def rights(*components):
        documents = rendered(*components)
        assert not {row["kind"] for row in documents} & {"Role", "RoleBinding", "Secret"}
        return {(resource, verb, *rule.get("resourceNames", [])) for rule in find(documents, "ClusterRole", "keycloak-groups")["rules"]
                for resource in rule["resources"] for verb in rule["verbs"]}
    three = ("profiles", "rolebindings", "authorizationpolicies")
    base = {(name, "list") for name in (*three, "namespaces")} | {("namespaces", "get")}
    apply = {(name, "create") for name in three} | {("clusterroles", "bind", "kubeflow-edit", "kubeflow-view")}
    prune = {(name, "delete") for name in three[1:]}
    assert (rights(), rights("apply"), rights("prune"), rights("apply", "prune")) == (base, base | apply, base | prune, base | apply | prune)


def test_the_pod_finds_its_files():
    """Both programs are in one folder, with the settings and the rules."""
    documents = rendered("apply")
    spec = find(documents, "CronJob", "keycloak-groups")["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    volumes = {row["name"]: row for row in spec["volumes"]}
    assert set(volumes) == {row["name"] for row in container["volumeMounts"]}
    names = [source["configMap"]["name"] for source in volumes["script"]["projected"]["sources"]]
    files = [name for row in names for name in find(documents, "ConfigMap", row, "keycloak-groups")["data"]]
    assert sorted(files) == ["groups.py", "setup.py"] and container["command"][-1] == "/opt/groups/groups.py"
    assert list(find(documents, "ConfigMap", volumes["rules"]["configMap"]["name"])["data"]) == ["rules.json"]
    assert find(documents, "ConfigMap", container["envFrom"][0]["configMapRef"]["name"])["data"]["ADMIN_REALM"] == "kubeflow"
