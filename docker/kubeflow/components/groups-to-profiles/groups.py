#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes Kubeflow's Profiles and contributors from the groups and organizations of a Keycloak realm, in the forms that KFAM
writes. It only says what it would do until APPLY is true, and takes nothing away until PRUNE is true. It never deletes or
changes a Profile."""

import json
import re
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).resolve().parent))

from setup import ACCOUNT, Kubernetes, Realm, Trouble, keycloak_and_realm, read, say, setting  # noqa: E402

NAMESPACES = "/api/v1/namespaces"
PROFILES = "/apis/kubeflow.org/v1/profiles"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ISTIO = "/apis/security.istio.io/v1beta1"
# Which role counts where a user has several; KFAM's words, and the ClusterRoles kubeflow-WORD behind them.
ROLES = ["view", "edit", "admin"]
LABEL, OURS = "app.kubernetes.io/managed-by", "keycloak-groups-to-profiles"
# Namespaces that are no user's, even when a group says so.
RESERVED = re.compile(r"kube-.*|default|istio-.*|kubeflow|kubeflow-.*|knative-.*|cert-manager|auth|dex|oauth2-proxy"
                      r"|mod-auth-keycloak|keycloak|keycloak-groups|monitoring")
PAGES_MAX = 10000


def is_on(name):
    value = setting(name, "false").lower()
    if value not in ("true", "false"):
        raise Trouble(f"{name} must be true or false")
    return value == "true"


def number(name, default):
    value = setting(name, str(default))
    if not value.isdigit() or not 0 < int(value) < 1000000:
        raise Trouble(f"{name} must be a number")
    return int(value)


class Problems:
    """What an administrator has to mend; the rest of the work goes on."""

    def __init__(self):
        self.count, self.is_blind = 0, False

    def add(self, line):
        self.count += 1
        say("problem: " + line)

    def add_blind(self, line):
        """One by which it is not known what the groups want, so that nothing may be removed."""
        self.is_blind = True
        self.add(line)


# ---------------- Keycloak

class Directory:
    """The realm's groups, organizations and their members."""

    def __init__(self, realm, page):
        self.realm, self.page = realm, page
        # Without the right to see users Keycloak shows an empty list of groups, and no error.
        if not realm.call("GET", "/users?first=0&max=1"):
            raise Trouble("Keycloak shows no users to this account: it needs the role view-users of the client realm-management")

    def _pages(self, path):
        joint = "&" if "?" in path else "?"
        for count in range(PAGES_MAX):
            rows = self.realm.call("GET", f"{path}{joint}first={count * self.page}&max={self.page}")
            yield from rows
            if len(rows) < self.page:
                return
        raise Trouble(f"Keycloak's list {path.split('?')[0]} has no end")

    def groups(self):
        """Each group, at any depth: name, attributes, where its members are, and whether no name on its path has a slash."""
        waiting = [(group, True) for group in self._pages("/groups?briefRepresentation=false")]
        while waiting:
            group, is_clear = waiting.pop()
            is_clear = is_clear and "/" not in group["name"]
            where = "/groups/" + quote(group["id"], safe="")
            yield "group " + group["path"], group.get("attributes") or {}, where, is_clear
            # Keycloak 23 and later tell of children by their number alone.
            children = group.get("subGroups") or []
            if not children and group.get("subGroupCount"):
                children = self._pages(where + "/children?briefRepresentation=false")
            waiting += [(child, is_clear) for child in children]

    def organizations(self):
        for row in self._pages("/organizations?briefRepresentation=false"):
            where = "/organizations/" + quote(row["id"], safe="")
            yield "organization " + (row.get("alias") or row["name"]), row.get("attributes") or {}, where, True

    def members(self, where):
        return self._pages(where + "/members?briefRepresentation=false")


# ---------------- What is wanted

def is_plain(name):
    """Whether it is one user's name. To Istio's AuthorizationPolicy * is a wildcard, and to Kubernetes system: is its own."""
    return name.isprintable() and name == name.strip() and "*" not in name and not name.lower().startswith("system:")


class Names:
    """A user's name in Kubeflow, as the judge makes it."""

    def __init__(self):
        if setting("USERID_TRANSFORMERS", ""):
            raise Trouble("USERID_TRANSFORMERS is set: this program cannot tell the names that it makes")
        self.claim = setting("USERID_CLAIM", "email")
        self.is_strict = is_on("REQUIRE_VERIFIED_EMAIL")

    def of(self, user):
        """The name, or none and the reason."""
        if not user.get("enabled"):
            return None, "is disabled"
        if self.claim == "email":
            if self.is_strict and user.get("email") and not user.get("emailVerified"):
                return None, "has an e-mail address that is not verified"
            name = user.get("email")
        elif self.claim == "preferred_username":
            name = user.get("username")
        elif self.claim == "sub":
            name = user.get("id")
        else:
            name = ((user.get("attributes") or {}).get(self.claim) or [""])[0]
        return (name, "") if name else (None, f"has no {self.claim}")


class Wanted:
    """Profiles with their owners, and who contributes to which in what role."""

    def __init__(self, problems, own_namespace):
        self.problems, self.own_namespace = problems, own_namespace
        self.owners = {}
        self.disputed = set()
        self.roles = {}
        self.rules = 0

    def add_profile(self, source, name, owner):
        """Whether the name can be a Profile's."""
        good = re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name)
        if not good or RESERVED.fullmatch(name) or name == self.own_namespace:
            self.problems.add_blind(f"{source}: {name!r} cannot be the name of a profile")
            return False
        if not is_plain(owner):
            self.problems.add_blind(f"{source}: {owner!r} cannot be the owner of profile {name}")
            return False
        known = self.owners.get(name)
        if owner and known and known != owner:
            self.disputed.add(name)
            self.problems.add_blind(f"{source}: profile {name} has several owners, {known} by another group and {owner}: nothing is made")
        self.owners[name] = known or owner
        self.rules += 1
        return True

    def add_member(self, profile, user, role):
        have = self.roles.get((profile, user))
        if have is None or ROLES.index(role) > ROLES.index(have):
            self.roles[profile, user] = role


def read_rules(path):
    """Rules of the file, for groups without attributes: {"group /a": [{"profile": ..., "role": ..., "owner": ...}]}"""
    text = read(path)
    try:
        rules = json.loads(text) if text else {}
    except ValueError as error:
        raise Trouble(f"{path} is no JSON") from error
    good = isinstance(rules, dict) and all(
        isinstance(rows, list) and all(isinstance(row, dict) and set(row) <= {"profile", "role", "owner"} and row.get("profile")
                                       and all(isinstance(value, str) for value in row.values()) for row in rows)
        for rows in rules.values())
    if not good:
        raise Trouble(f'{path} must be {{"group /PATH": [{{"profile": NAME, "role": ROLE, "owner": NAME}}]}}')
    return rules


def rules_of(attributes):
    """The rules that a group's attributes make."""
    role = (attributes.get("kubeflow-role") or [""])[0]
    owner = (attributes.get("kubeflow-owner") or [""])[0]
    return [{"profile": name, "role": role, "owner": owner} for name in attributes.get("kubeflow-profile") or []]


def clear_rows(rows, rules, problems):
    """The rows whose names are those of one group; the rules of the others are taken out of `rules`. A group "a/b" has the path of
    the group b in a; so who may make it could put himself in its place."""
    counts = Counter(source for source, *_ in rows)
    unclear = {source for source, _, _, is_clear in rows if not is_clear or counts[source] > 1}
    ruled = set(rules) | {source for source, attributes, *_ in rows if rules_of(attributes)}
    for source in sorted(unclear & ruled):
        problems.add_blind(f"{source}: several groups have this path, or a name in it has a slash: none of its rules counts")
        rules.pop(source, None)
    return [row for row in rows if row[0] not in unclear]


def want(directory, rules, names, wanted):
    """Goes through the realm, and puts into `wanted` what it says."""
    problems, left = wanted.problems, dict(rules)
    sources = [directory.groups]
    if is_on("ORGANIZATIONS"):
        sources.append(directory.organizations)
    for source, attributes, where, _ in clear_rows([row for make in sources for row in make()], left, problems):
        mine = rules_of(attributes) + left.pop(source, [])
        good = []
        for rule in mine:
            role = rule.get("role") or "edit"
            if role not in ROLES:
                problems.add_blind(f"{source}: {role!r} is no role: {', '.join(ROLES)}")
            elif wanted.add_profile(source, rule["profile"], rule.get("owner", "").strip()):
                good.append((rule["profile"], role))
        for user in directory.members(where) if good else ():
            name, reason = names.of(user)
            if not name:
                say(f"{source}: user {user['username']} {reason}, and is left out")
            elif not is_plain(name):
                problems.add(f"{source}: the name {name!r} of user {user['username']} is no user's name, and is left out")
                name = None
            for profile, role in good if name else ():
                wanted.add_member(profile, name, role)
    for source in left:
        problems.add_blind(f"the rules name {source}, which the realm does not have")


# ---------------- Kubernetes

def binding_name(user, role):
    """The name that KFAM gives to the two objects of a contributor."""
    plain = re.sub("[^a-zA-Z0-9]+", "-", user)
    return re.sub("[^a-zA-Z0-9]+", "-", f"user-{plain}-clusterrole-{role}".lower())


class Cluster:
    """Profiles and contributors that are there, and the making of those that are not."""

    def __init__(self, server, is_applied, problems):
        self.server, self.is_applied, self.problems = server, is_applied, problems
        self.header = setting("USERID_HEADER", "kubeflow-userid")
        self.prefix = setting("USERID_PREFIX", "")
        if "*" in self.prefix:
            raise Trouble("USERID_PREFIX has *, which is a wildcard")
        self.principals = [
            setting("ISTIO_INGRESS_GATEWAY_PRINCIPAL", "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"),
            setting("KFP_UI_PRINCIPAL", "cluster.local/ns/kubeflow/sa/ml-pipeline-ui")]
        self.seconds = number("NAMESPACE_SECONDS", 60)
        # Of each Profile its owner and uid.
        self.owners, self.uids = {}, {}
        for row in self._list(PROFILES):
            self.owners[row["metadata"]["name"]], self.uids[row["metadata"]["name"]] = row["spec"]["owner"]["name"], row["metadata"]["uid"]
        self.namespaces = {row["metadata"]["name"]: row["metadata"] for row in self._list(NAMESPACES)}
        self.bindings = self._contributors(RBAC + "/rolebindings")
        self.policies = self._contributors(ISTIO + "/authorizationpolicies")
        self.usable = set()

    def _list(self, path):
        rest = ""
        for _ in range(PAGES_MAX):
            answer = self.server.call("GET", f"{path}?limit=500{rest}")
            yield from answer["items"]
            token = answer["metadata"].get("continue")
            if not token:
                return
            rest = "&continue=" + quote(token, safe="")
        raise Trouble(f"the list {path} of Kubernetes has no end")

    def _contributors(self, path):
        """Those that KFAM counts: by the annotations, not by their names. (namespace, user, role): list of metadata"""
        found = {}
        for row in self._list(path):
            notes = row["metadata"].get("annotations") or {}
            if notes.get("user") and notes.get("role"):
                found.setdefault((row["metadata"]["namespace"], notes["user"], notes["role"]), []).append(row["metadata"])
        return found

    def _send(self, method, path, body=None):
        try:
            status, answer = self.server.send(method, path, body)
        except OSError as error:
            raise Trouble(f"Kubernetes does not answer: {error}") from error
        if status == 401:
            raise Trouble(f"Kubernetes does not know this account ({method} {path}: 401)")
        return status, answer

    @staticmethod
    def _reason(status):
        """A refusal is that of one object: such as of a role that may not be given, or of a namespace that is being removed."""
        return "Kubernetes does not allow it (403)" if status == 403 else f"Kubernetes answers {status}"

    def put_profile(self, name, owner):
        """Makes it where it is missing; one that is there stays as it is."""
        have = self.owners.get(name)
        if have is not None:
            if owner and have != owner:
                self.problems.add(f"profile {name} belongs to {have}, not to {owner}: no contributors are made")
                return
            self._look_at_namespace(name)
            return
        if name in self.namespaces:
            self.problems.add(f"profile {name}: a namespace of this name is there, and belongs to no Profile: none is made")
            return
        if not owner:
            self.problems.add(f"profile {name} is not there, and no group names its owner (kubeflow-owner)")
            return
        if not self.is_applied:
            say(f"profile {name}: would be made, for {owner}")
            self.owners[name] = owner
            self.usable.add(name)
            return
        status, made = self._send("POST", PROFILES, {
            "apiVersion": "kubeflow.org/v1", "kind": "Profile",
            "metadata": {"name": name, "labels": {LABEL: OURS}}, "spec": {"owner": {"kind": "User", "name": owner}}})
        if status == 201:
            say(f"profile {name}: made, for {owner}")
            self.owners[name], self.uids[name] = owner, made["metadata"]["uid"]
            self._await_namespace(name)
            self._look_at_namespace(name)
        else:
            self.problems.add(f"profile {name}: {self._reason(status)}")

    def _await_namespace(self, name):
        """A new Profile has its namespace a moment later, from Kubeflow's own controller. Where one does not come, the others are not
        waited for: the Job has ten minutes for all."""
        deadline = time.monotonic() + self.seconds
        while True:
            status, found = self._send("GET", f"{NAMESPACES}/{quote(name, safe='')}")
            if status == 200:
                self.namespaces[name] = found["metadata"]
            if status != 404:
                return
            if time.monotonic() >= deadline:
                self.seconds = 0
                return
            time.sleep(0.5)

    def _look_at_namespace(self, name):
        """Whether contributors may be made there. Kubeflow's controller marks the namespace of a Profile by an annotation and a
        reference, and does nothing with one whose annotation names another owner; a restored namespace has no reference."""
        meta = self.namespaces.get(name)
        profiles = [row.get("uid") for row in (meta or {}).get("ownerReferences") or [] if row.get("kind") == "Profile"]
        if meta is None:
            reason = "is not there yet: no contributors are made, and the next run tries again"
        elif meta.get("deletionTimestamp"):
            reason = "is being removed: no contributors are made"
        elif (meta.get("annotations") or {}).get("owner") != self.owners[name] or any(uid != self.uids[name] for uid in profiles):
            reason = "does not belong to this Profile: no contributors are made"
        else:
            self.usable.add(name)
            return
        self.problems.add(f"profile {name}: the namespace {name} {reason}")

    def put_contributor(self, profile, user, role):
        if profile not in self.usable or self.owners[profile] == user:
            return
        key, name = (profile, user, role), binding_name(user, role)
        meta = {"name": name, "namespace": profile, "annotations": {"user": user, "role": role}, "labels": {LABEL: OURS}}
        missing = []
        if key not in self.bindings:
            missing.append((RBAC, "rolebindings", {
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": meta,
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kubeflow-" + role},
                "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}]}))
        if key not in self.policies:
            missing.append((ISTIO, "authorizationpolicies", {
                "apiVersion": "security.istio.io/v1beta1", "kind": "AuthorizationPolicy", "metadata": meta,
                "spec": {"rules": [{
                    "when": [{"key": f"request.headers[{self.header}]", "values": [self.prefix + user]}],
                    "from": [{"source": {"principals": self.principals}}]}]}}))
        for api, plural, body in missing:
            what = f"profile {profile}: {user} may {role} ({body['kind']})"
            if not self.is_applied:
                say(what + ": would be made")
            elif self._make(f"{api}/namespaces/{quote(profile, safe='')}/{plural}", body, what):
                say(what + ": made")

    def _make(self, path, body, what):
        status, _ = self._send("POST", path, body)
        if status == 201:
            return True
        reason = {404: "its namespace is not there: the next run tries again",
                  409: f"the name {body['metadata']['name']} belongs to somebody else"}.get(status, self._reason(status))
        self.problems.add(f"{what}: {reason}")
        return False

    def surplus(self, wanted):
        """By namespace the contributors that this program made and no group wants any more. Everybody may write our label; so an
        object counts only by the name that we give."""
        found = {}
        for api, plural, rows in ((RBAC, "rolebindings", self.bindings), (ISTIO, "authorizationpolicies", self.policies)):
            for (profile, user, role), metas in sorted(rows.items()):
                name = binding_name(user, role)
                is_ours = any(meta["name"] == name and (meta.get("labels") or {}).get(LABEL) == OURS for meta in metas)
                if is_ours and wanted.roles.get((profile, user)) != role:
                    path = f"{api}/namespaces/{quote(profile, safe='')}/{plural}/{quote(name, safe='')}"
                    found.setdefault(profile, []).append((path, f"profile {profile}: {user} may {role} ({plural})"))
        return found

    def prune(self, wanted):
        surplus, most = self.surplus(wanted), number("PRUNE_MAX", 20)
        if surplus and not wanted.rules and is_on("PRUNE"):
            self.problems.add(f"{sum(map(len, surplus.values()))} objects would go, and no group has rules: none is removed")
            return
        for namespace, rows in sorted(surplus.items()):
            if not is_on("PRUNE"):
                for _, what in rows:
                    say(what + ": no group wants it; PRUNE is off, and it stays")
            elif len(rows) > most:
                self.problems.add(f"namespace {namespace}: {len(rows)} objects would go (PRUNE_MAX is {most}): none of them is removed")
            else:
                for path, what in rows:
                    self._remove(path, what)

    def _remove(self, path, what):
        if not self.is_applied:
            say(what + ": would be removed")
            return
        status, _ = self._send("DELETE", path)
        if status in (200, 202, 404):
            say(what + ": removed")
        else:
            self.problems.add(f"{what}: {self._reason(status)}")


def work():
    problems, names = Problems(), Names()
    keycloak, name = keycloak_and_realm()
    rules = read_rules(setting("RULES_FILE", "/etc/keycloak-groups/rules.json"))
    is_applied = is_on("APPLY")
    realm = Realm(SimpleNamespace(keycloak=keycloak, realm=name), Path(setting("ADMIN_FOLDER", "/etc/keycloak-admin")))
    realm.sign_in(number("WAIT_SECONDS", 60))
    kubernetes = Kubernetes(Path(setting("ACCOUNT_FOLDER", ACCOUNT)))
    wanted = Wanted(problems, kubernetes.namespace)
    want(Directory(realm, number("PAGE_SIZE", 100)), rules, names, wanted)
    cluster = Cluster(kubernetes.server, is_applied, problems)
    if problems.is_blind:
        say("nothing is removed while the realm's groups have problems")
    else:
        cluster.prune(wanted)
    for profile, owner in sorted(wanted.owners.items()):
        if profile not in wanted.disputed:
            cluster.put_profile(profile, owner)
    for (profile, user), role in sorted(wanted.roles.items()):
        cluster.put_contributor(profile, user, role)
    people = len({user for _, user in wanted.roles})
    say(f"{len(wanted.owners)} profiles, {people} users, {problems.count} problems" + ("" if is_applied else "; nothing was changed (APPLY)"))
    return 1 if problems.count else 0


def main():
    try:
        return work()
    except Trouble as trouble:
        print(f"groups-to-profiles: {trouble}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
