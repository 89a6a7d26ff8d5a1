# SPDX-License-Identifier: Apache-2.0
"""Renders the Helm chart, as users would, and the kustomize components that it has to equal."""

import copy
import functools
import json
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import yaml
from manifests import KUBEFLOW, ROOT, kustomize, read_all

CHART = ROOT / "docker" / "helm" / "mod-auth-keycloak"
VALUES = ROOT / "docker" / "helm" / "values"
NAMES = sorted(path.stem for path in VALUES.glob("*.yaml"))
NAMESPACES = {"oidc-authservice": "istio-system"}
# Labels that Helm's objects have besides.
OWN_LABELS = {"app.kubernetes.io/instance", "app.kubernetes.io/managed-by", "helm.sh/chart"}


def helm(*words, values=None):
    """Runs helm with no settings but its own, and with a file of these values; status, stdout, stderr."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as home:
        env = {"PATH": os.environ["PATH"], **{f"HELM_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "DATA")}}
        if values is not None:
            Path(home, "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
            words = [*words, "-f", Path(home, "values.yaml")]
        done = subprocess.run([os.environ["HELM"], *words], env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def template(name, values=None, release="kubeflow", kubernetes="1.31.0", namespace=None):
    """helm template with one of the files of docker/helm/values, and other values on top; status, text, what it said."""
    return helm("template", release, CHART, "-n", namespace or NAMESPACES.get(name, "mod-auth-keycloak"), "--kube-version", kubernetes,
                *(["-f", VALUES / f"{name}.yaml"] if name else []), values=values)


@functools.lru_cache(maxsize=None)
def _rendered(name, values, more):
    status, text, said = template(name, json.loads(values), **dict(more))
    assert status == 0, said
    return text


def chart(name, values=None, **more):
    """The documents of helm template, which succeeds."""
    return read_all(_rendered(name, json.dumps(values), tuple(more.items())))


def notes(name, values=None):
    """What an administrator reads after the installation. helm template does not show it, and helm install asks a cluster: so
    here NOTES.txt is rendered as a part of one more document."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        folder = Path(scratch, "chart")
        shutil.copytree(CHART, folder)
        text = (folder / "templates" / "NOTES.txt").read_text(encoding="utf-8")
        (folder / "templates" / "_notes.tpl").write_text('{{- define "notes" -}}\n' + text + "{{- end -}}\n", encoding="utf-8")
        (folder / "templates" / "notes.yaml").write_text('kind: Notes\ntext: {{ include "notes" . | quote }}\n', encoding="utf-8")
        status, text, said = helm("template", "kubeflow", folder, "-n", "mod-auth-keycloak", "-f", VALUES / f"{name}.yaml",
                                  values=values or {})
    assert status == 0, said
    (shown,) = [row["text"] for row in read_all(text) if row["kind"] == "Notes"]
    return shown


@functools.lru_cache(maxsize=None)
def component(name):
    """What a component makes, without upstream's objects, which it changes: its `resources`, built by themselves. With
    +OTHER, changed by another component."""
    name, _, other = name.partition("+")
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as scratch:
        folder = Path(scratch, "kubeflow")
        shutil.copytree(KUBEFLOW, folder)
        if name == "reverse-proxy":
            place = folder / name
        else:
            place = folder / "components" / name
            known = yaml.safe_load((place / "kustomization.yaml").read_text(encoding="utf-8"))
            (place / "kustomization.yaml").write_text(yaml.safe_dump({
                "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
                "resources": known["resources"], "components": ["../" + other] if other else []}), encoding="utf-8")
        status, text, said = kustomize(place)
    assert status == 0, said
    return read_all(text)


def plain(document):
    """A document without what differs by the tool: Helm's labels, the hash in a ConfigMap's name, the checksum of
    settings, and the order of volumes, which have names."""
    def walk(value):
        if isinstance(value, list):
            return [walk(part) for part in value]
        if isinstance(value, str):
            return re.sub("^oidc-authservice-parameters-[0-9a-z]{10}$", "oidc-authservice-parameters", value)
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("volumes"), list):
            value["volumes"].sort(key=lambda volume: volume["name"])
        return {key: walk(part) for key, part in value.items() if key not in OWN_LABELS and key != "checksum/settings"}
    document = walk(copy.deepcopy(document))
    # kustomize labels only what is in some of its folders.
    document["metadata"].get("labels", {}).pop("app.kubernetes.io/part-of", None)
    if not document["metadata"].get("labels", True):
        del document["metadata"]["labels"]
    return document


def by_name(documents):
    result = {}
    for document in map(plain, documents):
        key = document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]
        assert key not in result, key
        result[key] = document
    return result


def different(have, wanted, path=""):
    """Where two values differ, a line each."""
    if isinstance(have, dict) and isinstance(wanted, dict):
        for key in sorted({*have, *wanted}):
            if key not in have or key not in wanted:
                yield f"{path}/{key}: only {'in the chart' if key in have else 'by kustomize'}"
            else:
                yield from different(have[key], wanted[key], f"{path}/{key}")
    elif isinstance(have, list) and isinstance(wanted, list) and len(have) == len(wanted):
        for number, pair in enumerate(zip(have, wanted)):
            yield from different(*pair, f"{path}/{number}")
    elif have != wanted or isinstance(have, bool) != isinstance(wanted, bool):
        yield f"{path}: chart {have!r}, kustomize {wanted!r}"


def drift(made, wanted):
    """Every difference between the chart's documents and kustomize's."""
    made, wanted = by_name(made), by_name(wanted)
    for key in sorted({*made, *wanted}, key=str):
        if key not in made or key not in wanted:
            yield f"{key}: only {'in the chart' if key in made else 'by kustomize'}"
        else:
            yield from different(made[key], wanted[key], str(key))
