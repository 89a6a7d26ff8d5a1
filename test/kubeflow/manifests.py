# SPDX-License-Identifier: Apache-2.0
"""Builds everything in docker/kubeflow, as users would, and has helpers to examine the result."""

import functools
import os
import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
KUBEFLOW = ROOT / "docker" / "kubeflow"
UPSTREAM = ROOT / "test" / "kubeflow" / "upstream"
JUDGE = "ghcr.io/mod-auth-keycloak/mod-auth-keycloak"

# Version of Kubeflow and way: overlay, and the Job that goes with it.
OVERLAYS = {
    "1.7": ("overlays/1.7", "oidc-authservice"),
    "1.8": ("overlays/1.8", "oidc-authservice"),
    "1.9.0": ("overlays/1.9.0", "oidc-authservice"),
    **{f"{version}/{way}": (f"overlays/{version}/{way}", way)
       for version in ("1.9.1", "1.10", "1.11", "26.03") for way in ("oauth2-proxy", "header-mode")},
}
# What stands by itself.
ALONE = {"base": "base", "reverse-proxy": "reverse-proxy", "sidecar": "sidecar", "keycloak": "components/keycloak",
         "groups-to-profiles": "components/groups-to-profiles"}


class StrictLoader(yaml.SafeLoader):
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


def kustomize(folder):
    """Runs `kustomize build`; status, documents as text, what it said."""
    done = subprocess.run([os.environ["KUSTOMIZE"], "build", str(folder)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def example(folder, version, components, kubeflow=KUBEFLOW, upstream=UPSTREAM):
    """Upstream's example/kustomization.yaml with components of ours behind its resources."""
    folder.mkdir(parents=True, exist_ok=True)
    relative = [os.path.relpath(kubeflow / name, folder) for name in components]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [os.path.relpath(upstream / version, folder)], "components": relative}), encoding="utf-8")
    return folder


@functools.lru_cache(maxsize=None)
def built(name):
    """The documents of one thing that is offered: a name in OVERLAYS (with +job: with its Job) or in ALONE."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        if name in ALONE:
            folder = KUBEFLOW / ALONE[name]
        else:
            plain = name.removesuffix("+job")
            overlay, job = OVERLAYS[plain]
            components = [overlay] + ([f"components/client-job/{job}"] if plain != name else [])
            folder = example(Path(scratch), plain.split("/")[0], components)
        status, text, said = kustomize(folder)
    assert status == 0, f"kustomize build {name}: {said}"
    return read_all(text)


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
