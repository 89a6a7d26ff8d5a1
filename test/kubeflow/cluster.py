# SPDX-License-Identifier: Apache-2.0
"""The part of the Kubernetes API that groups-to-profiles uses, with Kubeflow's profile controller and a ClusterRole's rules."""

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from kubernetes_api import KubernetesAPI

KINDS = {"profiles": "kubeflow.org/v1", "rolebindings": "rbac.authorization.k8s.io/v1",
         "authorizationpolicies": "security.istio.io/v1beta1", "namespaces": "v1"}


class Cluster(KubernetesAPI):
    """`objects`: (plural, namespace or "", name): object. `rules`: what the account may do. `slow`: how many readings of a new
    Profile's namespace find none yet. `forbidden`: verb and namespace, or Profile. `page`: objects of one answer, at most."""

    def __init__(self, folder, authority, rules):
        super().__init__(folder, authority, "keycloak-groups", "none")
        self.objects, self.namespaces = {}, {}
        self.rules, self.slow, self.page, self.late = rules, 0, 500, {}
        self.owned, self.forbidden = {}, set()

    def may(self, verb, plural, name=None):
        group = {**{key: value.rpartition("/")[0].split("/")[0] for key, value in KINDS.items()},
                 "clusterroles": "rbac.authorization.k8s.io"}[plural]
        return any(group in rule["apiGroups"] and plural in rule["resources"] and verb in rule["verbs"]
                   and ("resourceNames" not in rule or name in rule["resourceNames"]) for rule in self.rules)

    def answer(self, method, path, headers, body):
        self.requests.append((method, path))
        if headers.get("Authorization") != "Bearer " + self.token:
            return 401, {"kind": "Status"}
        where = urlsplit(path)
        found = re.fullmatch(r"/apis?/(v1|[^/]+/[^/]+)(?:/namespaces/([^/]+)(?=/))?/(\w+)(?:/([^/]+))?", where.path)
        if not found or KINDS.get(found[3]) != found[1]:
            return 404, {"kind": "Status"}
        namespace, plural, name = unquote(found[2] or ""), found[3], unquote(found[4] or "")
        verb = {"GET": "get" if name else "list", "POST": "create", "DELETE": "delete"}.get(method)
        target = namespace or (json.loads(body)["metadata"]["name"] if verb == "create" else "")
        if self.refuse or not self.may(verb, plural) or (verb, target) in self.forbidden:
            return self.refuse or 403, {"kind": "Status"}
        if verb == "list":
            return 200, self.listed(plural, parse_qs(where.query))
        if verb == "get":
            return self.namespace(name)
        if verb == "create":
            return self.create(plural, namespace, json.loads(body))
        return (200, {}) if self.objects.pop((plural, namespace, name), None) else (404, {"kind": "Status"})

    def listed(self, plural, query):
        """Pages, as the API server makes them."""
        rows = [self.seen(value) for key, value in sorted(self.objects.items()) if key[0] == plural]
        if plural == "namespaces":
            rows = [value for key, value in sorted(self.namespaces.items()) if self.late.get(key, 0) <= 0]
        first = int(query.get("continue", ["0"])[0])
        end = first + min(self.page, int(query["limit"][0]))
        return {"items": rows[first:end], "metadata": {"continue": str(end)} if end < len(rows) else {}}

    def seen(self, row):
        """A Profile has an identity, which the API server gives."""
        meta = row["metadata"]
        return row if "namespace" in meta else {**row, "metadata": {**meta, "uid": self.owned[meta["name"]]}}

    def namespace(self, name):
        self.late[name] = self.late.get(name, 0) - 1
        if name not in self.namespaces or self.late[name] >= 0:
            return 404, {"kind": "Status"}
        return 200, self.namespaces[name]

    def create(self, plural, namespace, made):
        key = plural, namespace, made["metadata"]["name"]
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", key[2]) or made["apiVersion"] != KINDS[plural]:
            return 422, {"kind": "Status"}
        if plural != "profiles":
            if namespace not in self.namespaces:
                return 404, {"kind": "Status"}
        if plural == "rolebindings" and not self.may("bind", "clusterroles", made["roleRef"]["name"]):
            return 403, {"kind": "Status"}
        if key in self.objects:
            return 409, {"kind": "Status"}
        self.objects[key] = made
        if plural == "profiles":
            self.control(key[2], made["spec"]["owner"]["name"])
        return 201, self.seen(made)

    def control(self, profile, owner):
        """What Kubeflow's controller makes of a Profile: its namespace, and its owner as administrator. A namespace that is there
        already stays as it is, unless its annotation names the same owner."""
        self.owned[profile] = f"uid-{len(self.owned)}-{profile}"
        if profile not in self.namespaces:
            self.namespaces[profile] = {"metadata": {"name": profile, "annotations": {"owner": owner}, "ownerReferences": [
                {"apiVersion": "kubeflow.org/v1", "kind": "Profile", "name": profile, "uid": self.owned[profile], "controller": True}]}}
            self.late[profile] = self.slow
        if self.namespaces[profile]["metadata"].get("annotations", {}).get("owner") == owner:
            self.add("rolebindings", profile, "namespaceAdmin", owner, "admin")

    def add(self, plural, namespace, name, user, role):
        """One object that somebody else has made."""
        self.objects[plural, namespace, name] = {
            "metadata": {"name": name, "namespace": namespace, "annotations": {"user": user, "role": role}}}

    def profile(self, name, owner):
        self.objects["profiles", "", name] = {"metadata": {"name": name}, "spec": {"owner": {"kind": "User", "name": owner}}}
        self.control(name, owner)
        self.late[name] = 0
