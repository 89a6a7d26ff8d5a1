# SPDX-License-Identifier: Apache-2.0
"""A Kubeflow of one version and way: Istio's gateway, httpd as the manifests run it, and backends that record requests."""

import base64
import http.client
import json
from urllib.parse import urlencode

import yaml

import manifests
from backend import Backend, values
from browser import NAVIGATION, Browser
from image_judge import Judge
from istio import Gateway
from process import Failure, free_port
from streams import StreamBackend

WAYS = {
    "image": ("1.9.0", "oidc-authservice", ["gateway.yaml", "old.yaml"]),
    "A": ("1.9.0", "oidc-authservice", ["gateway.yaml", "old.yaml"]),
    "B1": ("1.11", "oauth2-proxy", ["gateway.yaml"]),
    "B2": ("1.11", "header-mode", ["gateway.yaml"]),
}
# Where the judge's pods listen, for the gateway and for addresses that read a body.
JUDGES = {
    "image": ("oidc-authservice.istio-system:8080", None),
    "A": ("mod-auth-keycloak.istio-system:8080", "mod-auth-keycloak.istio-system:8082"),
    "B1": ("mod-auth-keycloak.oauth2-proxy:4180", None),
    "B2": ("mod-auth-keycloak.mod-auth-keycloak:8080", "mod-auth-keycloak.mod-auth-keycloak:8082"),
}


def edit(file, **changes):
    """An administrator's edits of an .env file: values of lines that are there, and new lines."""
    lines = file.read_text(encoding="utf-8").splitlines()
    for key, value in changes.items():
        lines = [line for line in lines if line.split("=")[0] != key] + [f"{key}={value}"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def rendered(way, folder, realm, url, more=(), change=None):
    """The manifests of this way after the edits that docker/kubeflow tells administrators to make, with more components;
    `change` edits the copy of docker/kubeflow."""
    version, guide, _ = WAYS[way]
    tree = manifests.Tree(folder / "tree", version)
    if change:
        change(tree.ours)
    if way == "image":
        tree.use_authservice()
    else:
        tree.follow_guide(guide)
    tree.add(*more)
    keycloak = realm.issuer + "/protocol/openid-connect/"
    if guide == "oidc-authservice":
        settings = tree.authservice()
        edit(settings / "params.env", OIDC_PROVIDER=realm.issuer, OIDC_AUTH_URL=keycloak + "auth",
             REDIRECT_URL=url + "/authservice/oidc/callback", SKIP_AUTH_URLS="/authservice,/public")
        edit(settings / "secret_params.env", CLIENT_SECRET=realm.secret)
    elif way == "B1":
        settings = tree.ours / "components" / "oauth2-proxy" / "judge" / "base"
        edit(settings / "params.env", OIDC_PROVIDER=realm.issuer, REDIRECT_URL=url + "/oauth2/callback")
        edit(settings / "keys.env", JWKS_URI=keycloak + "certs")
    else:
        edit(tree.ours / "components" / "header-mode" / "judge" / "params.env", OIDC_PROVIDER=realm.issuer,
             REDIRECT_URL=url + "/authservice/oidc/callback", SKIP_AUTH_URLS="/public")
    # The dashboard too, which gateway/old.yaml has for those without oauth2-proxy.
    return [row for row in manifests.read_all(tree.build("5.0.3")) if is_of_the_sign_in(row, version) or (
        guide != "oidc-authservice" and (row["kind"], row["metadata"]["name"]) == ("Deployment", "centraldashboard"))]


def is_of_the_sign_in(document, version):
    """What signs in and judges. Kubeflow's own routes and services are the test's (gateway/), with backends that record."""
    metadata, spec = document["metadata"], document.get("spec", {})
    if manifests.identity(document) not in map(manifests.identity, manifests.before(version)):
        return True
    if metadata.get("namespace") != "istio-system":
        return metadata.get("namespace") == "oauth2-proxy"
    if document["kind"] in ("AuthorizationPolicy", "RequestAuthentication"):
        # Not upstream's for the cluster-local gateway, which the tests of KServe have, nor its denial for what no policy
        # selects.
        labels = spec.get("selector", {}).get("matchLabels", {})
        return labels.get("app") == "istio-ingressgateway" or "targetRefs" in spec
    # Without oauth2-proxy, gateway/old.yaml has the mesh's settings.
    return (document["kind"], metadata["name"]) == ("ConfigMap", "istio") and "extensionProviders" in document["data"]["mesh"]


def give_judge(documents, time):
    """Gives the judge another time to answer in than the manifests do."""
    places = 0
    for document in documents:
        if document["kind"] == "EnvoyFilter":
            patch = document["spec"]["configPatches"][0]["patch"]["value"]
            patch["typed_config"]["http_service"]["server_uri"]["timeout"] = time
            places += 1
        elif document["kind"] == "ConfigMap" and document["metadata"]["name"] == "istio":
            mesh = yaml.safe_load(document["data"]["mesh"])
            mesh["extensionProviders"][0]["envoyExtAuthzHttp"]["timeout"] = time
            document["data"]["mesh"] = yaml.safe_dump(mesh)
            places += 1
    assert places == 1, places


class World:
    def __init__(self, way, folder, realm, change=None):
        self.way, self.realm = way, realm
        self.prefix = "/oauth2" if way == "B1" else "/authservice"
        # In way B1 the mesh's provider is upstream's: the judge hears of cookies alone, and not of requests with tokens.
        self.is_judged = way != "B1"
        port = free_port()
        self.url = f"http://localhost:{port}"
        self.documents = rendered(way, folder, realm, self.url)
        if change:
            change(self.documents)
        self.backend, self.streams = Backend(), StreamBackend()
        self.judge = Judge(folder / "judge", self.documents, realm.secret)
        gateway, pages = JUDGES[way]
        pods = {"centraldashboard.kubeflow:8082": self.backend.port, "ml-pipeline-ui.kubeflow:3000": self.backend.port,
                "one.team:8888": self.streams.port, gateway: self.judge.port}
        if pages:
            pods[pages] = self.judge.pages_port
        self.gateway = Gateway(folder / "gateway", self.documents, WAYS[way][2], pods, port)
        self._browsers = {}

    def start(self):
        def allow(client):
            client["redirectUris"] = [self.url + self.prefix + rest for rest in ("/oidc/callback", "/callback")]
            client["directAccessGrantsEnabled"] = True
            client["attributes"]["backchannel.logout.url"] = self.url + self.prefix + "/backchannel-logout"
        self.realm.change_client(allow)
        self.judge.start()
        self.gateway.start()

    def stop(self):
        for part in (self.gateway, self.judge, self.backend, self.streams):
            part.stop()

    def log(self):
        return f"judge:\n{self.judge.log_text()[-3000:]}\nEnvoy:\n{self.gateway.log()}"

    def sign_in(self, name="alice", path="/pipeline/start"):
        """A new browser in which this user has signed in."""
        browser = Browser()
        answer = browser.sign_in(self.url + path, name, self.realm.passwords[name])
        assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{self.log()}"
        return browser

    def browser(self, name="alice"):
        """One of a user who stays signed in while the tests run."""
        if name not in self._browsers:
            self._browsers[name] = self.sign_in(name)
        return self._browsers[name]

    def get(self, browser=None, path="/pipeline/x", headers=(), method="GET", body=None, kind=NAVIGATION):
        """One request, without following redirects."""
        return (browser or Browser()).get(self.url + path, headers, follow=False, kind=kind, method=method, body=body)

    def seen(self, *names):
        """The values under these names of the last request that reached a backend."""
        return [value for name in names for value in values(self.backend.requests[-1]["headers"], name)]

    def count(self):
        return len(self.backend.requests)

    def groups(self):
        """The groups that the last request named. In way B1 the gateway names them: JSON in base64, Keycloak's slashes."""
        found = self.seen("kubeflow-groups")
        assert len(found) <= 1, found
        if not found or not found[0]:
            return []
        if self.way == "B1":
            return sorted(group.lstrip("/") for group in json.loads(base64.b64decode(found[0])))
        return sorted(found[0].split(","))

    def tokens(self, name="alice", client=None):
        """Tokens that Keycloak gives to a program, of our client or of another one."""
        body = {"grant_type": "password", "client_id": client or self.realm.client, "username": name, "scope": "openid",
                "password": self.realm.passwords[name]}
        if not client:
            body["client_secret"] = self.realm.secret
        connection = http.client.HTTPConnection("127.0.0.1", self.realm.server.port, timeout=30)
        try:
            connection.request("POST", f"/realms/{self.realm.name}/protocol/openid-connect/token", urlencode(body),
                               {"Content-Type": "application/x-www-form-urlencoded",
                                "Host": f"localhost:{self.realm.server.port}"})
            answer = connection.getresponse()
            content = json.loads(answer.read())
        finally:
            connection.close()
        if answer.status != 200:
            raise Failure(f"Keycloak gives no tokens: {answer.status} {content.get('error')}")
        return content
