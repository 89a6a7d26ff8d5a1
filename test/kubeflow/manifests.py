# SPDX-License-Identifier: Apache-2.0
"""Builds everything in docker/kubeflow, as users would, and has helpers to examine the result."""

import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBEFLOW = ROOT / "docker" / "kubeflow"
UPSTREAM = ROOT / "test" / "kubeflow" / "upstream"
RENDERED = ROOT / "build" / "kubeflow-rendered"
JUDGE = "ghcr.io/mod-auth-keycloak/mod-auth-keycloak"

VERSIONS = list(json.loads((UPSTREAM / "pinned.json").read_text(encoding="utf-8")))
OLD = ["1.7", "1.8", "1.9.0"]
NEW = VERSIONS[VERSIONS.index("1.9.0"):]
# Version of Kubeflow and way: overlay, and the Job that goes with it.
OVERLAYS = {
    **{version: (f"overlays/{version}", "oidc-authservice") for version in OLD},
    **{f"{version}/{way}": (f"overlays/{version}/{way}", way) for version in NEW for way in ("oauth2-proxy", "header-mode")},
}
# params.env and secret_params.env as the walk-through for Keycloak edits upstream's.
WALK_THROUGH = """\
OIDC_PROVIDER=http://keycloak.example.com:8080/realms/master
OIDC_AUTH_URL=http://keycloak.example.com:8080/realms/master/protocol/openid-connect/auth
OIDC_SCOPES=profile email
AUTHSERVICE_URL_PREFIX=/authservice/
SKIP_AUTH_URLS=/authservice
AFTER_LOGOUT_URL=/
REDIRECT_URL=http://localhost:8989/authservice/oidc/callback
USERID_HEADER=kubeflow-userid
USERID_PREFIX=
USERID_CLAIM=email
PORT="8080"
STORE_PATH=/var/lib/authservice/data.db
"""
WALK_THROUGH_SECRET = "CLIENT_ID=kubeflow-oidc-authservice\nCLIENT_SECRET=from-the-credentials-tab\n"
# What stands by itself.
ALONE = {"base": "base", "reverse-proxy": "reverse-proxy", "sidecar": "sidecar", "keycloak": "components/keycloak",
         "groups-to-profiles": "components/groups-to-profiles"}
# Which environment variable names which kustomize.
KUSTOMIZES = {"newest": "KUSTOMIZE", "5.0.3": "KUSTOMIZE_5_0_3"}


class StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """YAML in which no key may be there twice."""


def _mapping(loader, node, deep=False):
    keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"{key} is there twice", node.start_mark)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_all(text):
    return [document for document in yaml.load_all(text, StrictLoader) if document]


def kustomize(folder, version="newest"):
    """Runs `kustomize build`; status, documents as text, what it said."""
    done = subprocess.run([os.environ[KUSTOMIZES[version]], "build", str(folder)], capture_output=True, text=True, check=False)
    # Istio's log, which is in the same program as the newest one, takes to stdout what kustomize warns of.
    return done.returncode, re.sub(r"^\d{4}-\d\d-\d\dT\S+\t\w+\t.*\n", "", done.stdout, flags=re.M), done.stderr


class Tree:
    """Upstream's files of one version in a folder, as test/kubeflow/upstream has them, and ours beside them."""

    def __init__(self, folder, version, kubeflow=KUBEFLOW):
        self.folder, self.version = Path(folder), version
        for path, name in index(version)["files"].items():
            place = self.folder / path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(UPSTREAM / "files" / name, place)
        self.ours = self.folder / "common" / "mod-auth-keycloak"
        shutil.copytree(kubeflow, self.ours)
        self.example = self.folder / "example" / "kustomization.yaml"

    def authservice(self):
        """Upstream's folder of oidc-authservice."""
        return self.folder / "common" / ("oidc-authservice" if self.version == "1.7" else "oidc-client/oidc-authservice") / "base"

    def walk_through(self):
        """That folder with the walk-through's edits."""
        base = self.authservice()
        (base / "params.env").write_text(WALK_THROUGH, encoding="utf-8")
        (base / "secret_params.env").write_text(WALK_THROUGH_SECRET, encoding="utf-8")
        return base

    def use_authservice(self):
        """An example that signs in by oidc-authservice, as the walk-through edits it."""
        self.walk_through()
        if self.version == "1.9.0":
            self.replace(r".*/istio-install/overlays/oauth2-proxy", "../common/istio-1-22/istio-install/base")
            self.replace(r".*/oauth2-proxy/overlays/m2m-self-signed", "../common/oidc-client/oidc-authservice/base")
            self.replace(r".*/centraldashboard/upstream/overlays/oauth2-proxy",
                         "../apps/centraldashboard/upstream/overlays/kserve")

    def resources(self):
        return yaml.safe_load(self.example.read_text(encoding="utf-8"))["resources"]

    def edit(self, change):
        self.example.write_text(change(self.example.read_text(encoding="utf-8")), encoding="utf-8")

    def replace(self, pattern, by=None):
        """Another resource, or none, in place of the one that the pattern describes."""
        (old,) = [row for row in self.resources() if re.fullmatch(pattern, row)]
        def change(text):
            line = re.compile(rf"^- +{re.escape(old)}\b[ \t]*(#.*)?$", re.M)
            assert len(line.findall(text)) == 1, old
            return line.sub(f"- {by}" if by else "", text)
        self.edit(change)

    def add(self, *components):
        """Components of ours at the end."""
        if not components:
            return
        lines = "".join(f"- ../common/mod-auth-keycloak/{name}\n" for name in components)
        def change(text):
            if re.search(r"^components:", text, re.M):
                assert not yaml.safe_load(text)["components"] or text.rstrip().endswith(yaml.safe_load(text)["components"][-1])
                return text.rstrip() + "\n" + lines
            return text.rstrip() + "\ncomponents:\n" + lines
        self.edit(change)

    def follow_guide(self, way, overlay=None, job=None):
        """What docker/kubeflow/README.md has users edit for this way; `overlay` of upstream's oauth2-proxy."""
        if way == "oidc-authservice":
            self.use_authservice()
            self.replace(r"\.\./common/dex/overlays/.*")
        elif way == "reverse-proxy":
            self.replace(r"\.\./common/dex/overlays/.*")
            if self.version in ("1.7", "1.8"):
                self.replace(r".*/oidc-authservice/base")
            else:
                self.replace(r".*/oauth2-proxy/overlays/m2m-.*")
                (istio,) = [row for row in self.resources() if row.endswith("/istio-install/overlays/oauth2-proxy")]
                self.replace(re.escape(istio), istio.replace("overlays/oauth2-proxy", "base"))
        else:
            self.replace(r"\.\./common/dex/overlays/oauth2-proxy")
            if overlay:
                (old,) = [row for row in self.resources() if "/oauth2-proxy/overlays/m2m-" in row]
                self.replace(re.escape(old), f"{old.rsplit('/', 1)[0]}/{overlay}")
        if way == "reverse-proxy":
            self.add("components/logout/" + ("dashboard" if self.version in ("26.03.1", "master") else "centraldashboard"))
        else:
            name = self.version if way == "oidc-authservice" else f"{self.version}/{way}"
            self.add(OVERLAYS[name][0], *([f"components/client-job/{job}"] if job else []))

    def build(self, kustomize_version="newest"):
        """What kustomize makes of it, as text."""
        status, text, said = kustomize(self.folder / "example", kustomize_version)
        assert status == 0, f"kustomize {kustomize_version} build, Kubeflow {self.version}: {said}"
        return text


@functools.lru_cache(maxsize=None)
def index(version):
    return json.loads((UPSTREAM / "versions" / f"{version}.json").read_text(encoding="utf-8"))


def overlays_of(version):
    """The overlays of oauth2-proxy that this version of upstream has."""
    return sorted({path.split("/")[-2] for path in index(version)["files"]
                   if re.search(r"/oauth2-proxy/overlays/m2m[\w-]*/kustomization\.yaml$", path)})


@functools.lru_cache(maxsize=None)
def sum_of_inputs(version):
    """What a rendered tree depends on."""
    made = hashlib.sha256((UPSTREAM / "versions" / f"{version}.json").read_bytes() + Path(__file__).read_bytes())
    for path in sorted(KUBEFLOW.rglob("*")):
        if path.is_file():
            made.update(path.relative_to(KUBEFLOW).as_posix().encode() + b"\0" + path.read_bytes())
    return made.hexdigest()[:20]


@functools.lru_cache(maxsize=None)
def rendered(version, way=None, overlay=None, job=None, kustomize_version="newest"):
    """The text of upstream's example of a version after the guide's edits for a way, or as it is; kept in build/."""
    RENDERED.mkdir(parents=True, exist_ok=True)
    program = hashlib.sha256(os.path.realpath(os.environ[KUSTOMIZES[kustomize_version]]).encode()).hexdigest()[:8]
    place = RENDERED / "-".join(filter(None, [sum_of_inputs(version), version, way, overlay, job, program]))
    if not place.exists():
        for old in RENDERED.glob(f"*-{version}*"):
            if not old.name.startswith(sum_of_inputs(version)) and old.name.split("-")[1] == version:
                old.unlink()
        with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
            tree = Tree(scratch, version)
            if way:
                tree.follow_guide(way, overlay, job)
            text = tree.build(kustomize_version)
            made = Path(scratch) / "made"
            made.write_text(text, encoding="utf-8")
            made.replace(place)
    return place.read_text(encoding="utf-8")


@functools.lru_cache(maxsize=None)
def built(name):
    """The documents of one thing that is offered: a name in OVERLAYS (with +job: with its Job) or in ALONE."""
    if name in ALONE:
        status, text, said = kustomize(KUBEFLOW / ALONE[name])
        assert status == 0, f"kustomize build {name}: {said}"
        return read_all(text)
    plain = name.removesuffix("+job")
    _, way = OVERLAYS[plain]
    # With the Job by the old kustomize, without it by the newest: test_build.py sees that both make the same.
    return read_all(rendered(plain.split("/")[0], way, None, *((way, "5.0.3") if plain != name else (None, "newest"))))


@functools.lru_cache(maxsize=None)
def before(version):
    """The documents of upstream's example as it is."""
    return read_all(rendered(version, None, None, None, "5.0.3"))


def identity(document):
    return (document["apiVersion"].split("/")[0] if "/" in document["apiVersion"] else "", document["kind"],
            document["metadata"].get("namespace"), document["metadata"]["name"])


@functools.lru_cache(maxsize=None)
def ours(name):
    """Of what is built: what upstream has not, or has otherwise."""
    if name in ALONE:
        return built(name)
    known = {identity(document): document for document in before(name.removesuffix("+job").split("/")[0])}
    return [document for document in built(name) if known.get(identity(document)) != document]


ALL = [*ALONE, *OVERLAYS, *(name + "+job" for name in OVERLAYS)]


def find(documents, kind, name, namespace=None):
    """The one document of that kind and name."""
    found = [document for document in documents if document["kind"] == kind and document["metadata"]["name"] == name
             and namespace in (None, document["metadata"].get("namespace"))]
    assert len(found) == 1, f"{len(found)} {kind} {name}"
    return found[0]


def kinds(documents):
    return {(document["kind"], document["metadata"]["name"]) for document in documents}


def pods(documents):
    """Pod templates of ours: of what runs the judge or was made by us. (name, namespace, template)"""
    for document in documents:
        spec = document.get("spec", {})
        if document["kind"] == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        template = spec.get("template") if document["kind"] in (
            "Deployment", "StatefulSet", "Job", "CronJob", "DaemonSet") else None
        if template and template["metadata"].get("labels", {}).get("app.kubernetes.io/part-of") == "mod-auth-keycloak":
            yield document["metadata"]["name"], document["metadata"].get("namespace"), template


def containers(template):
    return template["spec"].get("initContainers", []) + template["spec"]["containers"]


def judge_of(documents):
    """Container of the module, and its pod template."""
    found = [(container, template) for _, _, template in pods(documents) for container in containers(template)
             if container["image"].startswith(JUDGE + ":")]
    assert len(found) == 1, f"{len(found)} containers of the module"
    return found[0]


def environment(container):
    return {row["name"]: row.get("value", row.get("valueFrom")) for row in container.get("env", [])}
