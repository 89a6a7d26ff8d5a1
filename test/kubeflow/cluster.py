# SPDX-License-Identifier: Apache-2.0
"""The part of the Kubernetes API that groups-to-profiles uses, with Kubeflow's profile controller and a ClusterRole's rules."""

import json
import re
from urllib.parse import parse_qs, unquote, urlsplit

from kubernetes_api import KubernetesAPI

KINDS = {"profiles": "kubeflow.org/v1", "rolebindings": "rbac.authorization.k8s.io/v1",
         "authorizationpolicies": "security.istio.io/v1beta1"}


class Cluster(KubernetesAPI):
    """`objects`: (plural, namespace or "", name): object. `rules`: what the account may do. `slow`: how many creations in a new
    Profile's namespace find no namespace yet. `page`: objects of one answer, at most."""

    def __init__(self, folder, authority, rules):
        super().__init__(folder, authority, "keycloak-groups", "none")
        self.objects, self.namespaces = {}, set()
        self.rules, self.slow, self.page, self.late = rules, 0, 500, {}

    def may(self, verb, plural, name=None):
        group = {**{key: value.split("/")[0] for key, value in KINDS.items()}, "clusterroles": "rbac.authorization.k8s.io"}[plural]
        return any(group in rule["apiGroups"] and plural in rule["resources"] and verb in rule["verbs"]
                   and ("resourceNames" not in rule or name in rule["resourceNames"]) for rule in self.rules)

    def answer(self, method, path, headers, body):
        self.requests.append((method, path))
        if headers.get("Authorization") != "Bearer " + self.token:
            return 401, {"kind": "Status"}
        where = urlsplit(path)
        found = re.fullmatch(r"/apis/([^/]+/[^/]+)(?:/namespaces/([^/]+))?/(\w+)(?:/([^/]+))?", where.path)
        if not found or KINDS.get(found[3]) != found[1]:
            return 404, {"kind": "Status"}
        namespace, plural, name = unquote(found[2] or ""), found[3], unquote(found[4] or "")
        verb = {"GET": "get" if name else "list", "POST": "create", "DELETE": "delete"}.get(method)
        if self.refuse or not self.may(verb, plural):
            return self.refuse or 403, {"kind": "Status"}
        if verb == "list":
            return 200, self.listed(plural, parse_qs(where.query))
        if verb == "create":
            return self.create(plural, namespace, json.loads(body))
        return (200, {}) if self.objects.pop((plural, namespace, name), None) else (404, {"kind": "Status"})

    def listed(self, plural, query):
        """Pages, as the API server makes them."""
        rows = [value for key, value in sorted(self.objects.items()) if key[0] == plural]
        first = int(query.get("continue", ["0"])[0])
        end = first + min(self.page, int(query["limit"][0]))
        return {"items": rows[first:end], "metadata": {"continue": str(end)} if end < len(rows) else {}}

    def create(self, plural, namespace, made):
        key = plural, namespace, made["metadata"]["name"]
        if not re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", key[2]) or made["apiVersion"] != KINDS[plural]:
            return 422, {"kind": "Status"}
        if plural != "profiles":
            self.late[namespace] = self.late.get(namespace, 0) - 1
            if namespace not in self.namespaces or self.late[namespace] >= 0:
                return 404, {"kind": "Status"}
        if plural == "rolebindings" and not self.may("bind", "clusterroles", made["roleRef"]["name"]):
            return 403, {"kind": "Status"}
        if key in self.objects:
            return 409, {"kind": "Status"}
        self.objects[key] = made
        if plural == "profiles":
            self.control(key[2], made["spec"]["owner"]["name"])
        return 201, made

    def control(self, profile, owner):
        """What Kubeflow's controller makes of a Profile: its namespace, and its owner as administrator."""
        self.namespaces.add(profile)
        self.late[profile] = self.slow
        self.add("rolebindings", profile, "namespaceAdmin", owner, "admin")

    def add(self, plural, namespace, name, user, role):
        """One object that somebody else has made."""
        self.objects[plural, namespace, name] = {
            "metadata": {"name": name, "namespace": namespace, "annotations": {"user": user, "role": role}}}

    def profile(self, name, owner):
        self.objects["profiles", "", name] = {"metadata": {"name": name}, "spec": {"owner": {"kind": "User", "name": owner}}}
        self.control(name, owner)
        self.late[name] = 0
