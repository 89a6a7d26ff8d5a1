# SPDX-License-Identifier: Apache-2.0
"""A Kubeflow for each way of signing in, with KServe behind a second gateway, and what Envoy counts of each request."""

import json
import os
import shutil
import time

from jwcrypto import jwk, jwt

import manifests
from backend import Backend
from image_judge import Judge, container_of
from istio import GATEWAY, Gateway
from process import Child, Failure, free_port, port_taken, wait_for
from streams import StreamBackend
from world import JUDGES
from world import WAYS as JUDGED
from world import World, edit, rendered

ACCOUNT, LOCAL = "system:serviceaccount:team:default-editor", "cluster-local-gateway"
ISSUER = "https://kubernetes.default.svc.cluster.local"
# Way: what it is called on the page, and upstream's objects for Kubernetes' tokens that it has.
WAYS = {
    "image": ("only the image", []),
    "A": ("A", []),
    "B1": ("B1", ["m2m.yaml", "m2m-issuer.yaml"]),
    "B2": ("B2", ["m2m.yaml"]),
    "B2+": ("B2, request-principals", ["m2m.yaml"]),
    "C": ("C", []),
}
PAGE = manifests.ROOT / "doc" / "kubeflow.md"


class Cluster:
    """Who signs the tokens of service accounts."""

    def __init__(self):
        self.key = jwk.JWK.generate(kty="RSA", size=2048, kid="cluster", alg="RS256", use="sig")
        self.jwks = json.dumps({"keys": [json.loads(self.key.export_public())]})

    def token(self, **changes):
        now = int(time.time())
        token = jwt.JWT(header={"alg": "RS256", "kid": "cluster"}, claims={
            "iss": ISSUER, "sub": ACCOUNT, "aud": ["istio-ingressgateway.istio-system.svc.cluster.local"], "iat": now,
            "exp": now + 600, **changes})
        token.make_signed_token(self.key)
        return token.serialize()


def documents_of(way, folder, realm, url, backend_url):
    """What is applied in this way, after the guide's edits."""
    if way == "C":
        kubeflow = folder / "kubeflow"
        shutil.copytree(manifests.KUBEFLOW, kubeflow)
        edit(kubeflow / "reverse-proxy" / "proxy" / "params.env", OIDC_PROVIDER=realm.issuer,
             REDIRECT_URL=url + "/authservice/oidc/callback")
        status, text, said = manifests.kustomize(kubeflow / "reverse-proxy")
        if status:
            raise Failure(f"kustomize build: {said}")
        documents = manifests.read_all(text)
        for row in container_of(documents)["env"]:
            if row["name"] == "BACKEND_URL":
                row["value"] = backend_url
        return documents
    if way == "B2+":
        def add_keys(kubeflow):
            edit(kubeflow / "components" / "request-principals" / "keys.env",
                 JWKS_URI=realm.issuer + "/protocol/openid-connect/certs")
        return rendered("B2", folder, realm, url, ["components/request-principals"], add_keys)
    documents = use_our_image(rendered(way, folder, realm, url))
    if way == "image":
        documents = [row for row in documents if row["kind"] != "EnvoyFilter"] + manifests.read_all(
            (GATEWAY / "image.yaml").read_text(encoding="utf-8"))
    return documents


def extra(files, cluster):
    """The test's own objects; the cluster's keys stand in them, because there is no cluster to fetch them from."""
    documents = [document for name in files for document in manifests.read_all((GATEWAY / name).read_text(encoding="utf-8"))]
    for document in documents:
        if document["kind"] == "RequestAuthentication":
            for rule in document["spec"]["jwtRules"]:
                del rule["jwksUri"]
                rule["jwks"] = cluster.jwks
    return documents


def page_policy():
    """The policy that the page shows, for a path of the tests."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    begin = lines.index("    apiVersion: security.istio.io/v1")
    end = next(i for i in range(begin, len(lines)) if not lines[i].startswith("    "))
    (policy,) = manifests.read_all("\n".join(line[4:] for line in lines[begin:end]))
    policy["spec"]["rules"][0]["to"][0]["operation"]["paths"] = ["/pipeline/probe/user"]
    return policy


class SecondEnvoy:
    """Another gateway of the same control plane: Knative's, or by its labels any other."""

    def __init__(self, gateway, port, name=LOCAL, labels=None):
        self.gateway, self.port, self.admin_port, self.name = gateway, port, free_port(), name
        self.labels = labels or {"app": name, "istio": name}

    def start(self):
        bootstrap = json.loads((self.gateway.folder / "envoy.json").read_text(encoding="utf-8"))
        node = json.dumps(bootstrap["node"]).replace("istio-ingressgateway", self.name).replace("10.255.255.1", "10.255.255.2")
        bootstrap["node"] = json.loads(node)
        bootstrap["node"]["metadata"]["LABELS"] = self.labels
        bootstrap["admin"]["address"]["socket_address"]["port_value"] = self.admin_port
        file = self.gateway.folder / "second.json"
        file.write_text(json.dumps(bootstrap), encoding="utf-8")
        child = Child("Envoy", [os.environ["ENVOY"], "-c", file, "--concurrency", "1", "--disable-hot-restart",
                                "--log-level", "warning"], self.gateway.folder / "second.log")
        self.gateway.children.append(child)
        wait_for(lambda: port_taken(self.port), 30, "the second Envoy has a listener", child)


class RequestWorld(World):
    """The site's port is the ingress gateway's, or, in way C, the proxy's before it."""

    def __init__(self, way, folder, realm, cluster):  # pylint: disable=super-init-not-called
        self.way, self.realm, self.cluster = way, realm, cluster
        self.prefix = "/oauth2" if way == "B1" else "/authservice"
        self.is_judged = way != "B1"
        port, local = free_port(), free_port()
        self.site_port = free_port() if way == "C" else port
        self.url = f"http://localhost:{self.site_port}"
        self.documents = documents_of(way, folder, realm, self.url, f"http://127.0.0.1:{port}")
        self.backend, self.streams = Backend(), StreamBackend()
        self.judge = Judge(folder / "judge", self.documents, realm.secret)
        if way == "image":  # one pod, without memcached
            del self.judge.environment["MEMCACHED_SERVERS"]
        if way == "C":
            self.judge.port = self.site_port
            self.judge.environment["SERVER_PORT"] = str(self.site_port)
        own = [*extra(["kserve.yaml", "probes.yaml", *WAYS[way][1]], cluster), page_policy()]
        manifests.find(own, "Service", LOCAL)["spec"]["ports"][0]["targetPort"] = local
        pods = {"centraldashboard.kubeflow:8082": self.backend.port, "ml-pipeline-ui.kubeflow:3000": self.backend.port,
                "one.team:8888": self.streams.port, "model.team:8080": self.backend.port,
                "metadata-envoy-deployment.kubeflow:9090": self.backend.port, f"{LOCAL}.istio-system:{local}": local}
        judge, pages = (None, None) if way == "C" else JUDGES[way.rstrip("+")]
        pods.update({place: where for place, where in ((judge, self.judge.port), (pages, self.judge.pages_port)) if place})
        base = JUDGED[way.rstrip("+").replace("C", "A")][2]
        self.gateway = Gateway(folder / "gateway", [*self.documents, *own], base, pods, port)
        self.second = SecondEnvoy(self.gateway, local)
        self._browsers = {}

    def start(self):
        super().start()
        self.second.start()

    def allowed_by_judge(self):
        """How many requests the judge has let through the gateway's filter."""
        return sum(int(line.rsplit(": ", 1)[1]) for line in self.gateway.ask("/stats?filter=ext_authz").splitlines()
                   if line.split(": ")[0].endswith(".ok"))


def use_our_image(documents):
    """The line that the guide changes."""
    for document in documents:
        for container in document.get("spec", {}).get("template", {}).get("spec", {}).get("containers", []):
            if "/oidc-authservice:" in container["image"]:
                container["image"] = manifests.JUDGE + ":0.1.0"
    return documents
