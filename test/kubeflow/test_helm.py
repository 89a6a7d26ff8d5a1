# SPDX-License-Identifier: Apache-2.0
"""The Helm chart makes what the kustomize components make, object by object."""

import copy
import re

import pytest
import yaml
from charts import CHART, NAMES, VALUES, chart, component, drift, helm, notes, plain, template
from manifests import KUBEFLOW, containers, find, pods, read_all
from test_pods import faults
from test_schema import held, is_kubernetes

# ---------------- The same as kustomize

def kustomized(name):
    """kustomize's documents of one way; without the Namespace, which Helm does not make."""
    documents = copy.deepcopy([row for row in component(name) if row["kind"] != "Namespace"])
    if name == "oidc-authservice":
        # This component changes three objects of upstream's. The patches name all that counts in them.
        folder = KUBEFLOW / "components" / name
        patches = {kind: read_all((folder / f"{kind}.yaml").read_text(encoding="utf-8"))[0]
                   for kind in ("service", "serviceaccount", "envoyfilter")}
        # Without the other labels, this one would select upstream's pods too; with them it says nothing more.
        assert patches["service"]["spec"]["selector"].pop("app") == "authservice"
        patches["service"]["spec"].update(type="ClusterIP", publishNotReadyAddresses=True)
        documents += patches.values()
        # Upstream's settings, with the values that the file of values has.
        documents.append(find(chart(name), "ConfigMap", "oidc-authservice-parameters"))
    return documents


WAYS = ["header-mode", "oidc-authservice", "reverse-proxy"]


@pytest.mark.parametrize("name", WAYS)
def test_the_chart_makes_what_kustomize_makes(name):
    assert list(drift(chart(name), kustomized(name))) == []


def leaves(value, path=()):
    if isinstance(value, (dict, list)):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(part, (*path, key))
    else:
        yield path


@pytest.mark.parametrize("name", WAYS)
def test_every_drift_is_noticed(name):
    """Each leaf of each of kustomize's objects, changed: the comparison above finds it."""
    made, tried = chart(name), 0
    for document in map(plain, kustomized(name)):
        (ours,) = [row for row in map(plain, made) if (row["kind"], row["metadata"]) == (document["kind"], document["metadata"])]
        for path in leaves(document):
            if path[0] in ("kind", "metadata"):
                continue
            changed = copy.deepcopy(document)
            place = changed
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = "changed"
            assert list(drift([ours], [changed])), path
            tried += 1
    assert tried > 200


def test_the_values_for_kustomizes_ways_have_its_settings():
    for name, path in (("header-mode", "components/header-mode/judge/params.env"), ("reverse-proxy", "reverse-proxy/proxy/params.env")):
        known = dict(line.split("=", 1) for line in (KUBEFLOW / path).read_text(encoding="utf-8").splitlines())
        assert find(chart(name), "ConfigMap", "oidc-authservice-parameters")["data"] == known


def test_the_notes_have_the_meshs_provider():
    """What kustomize puts into the mesh's settings, an administrator of the chart puts there by the notes."""
    text = notes("header-mode")
    shown = yaml.safe_load(re.search(r"^    # The judge must see.*?(?=^\S|\Z)", text, re.M | re.S).group(0))
    mesh = yaml.safe_load(read_all((KUBEFLOW / "components/header-mode/remove/mesh.yaml").read_text(encoding="utf-8"))[0]["data"]["mesh"])
    assert shown["extensionProviders"] == mesh["extensionProviders"]
    assert shown["pathNormalization"] == mesh["pathNormalization"]


# ---------------- Sound objects

@pytest.mark.parametrize("kubernetes", ["1.25", "1.37"])
def test_kubernetes_knows_what_is_rendered(tmp_path, kubernetes):
    documents = [[name, row] for name in NAMES for row in chart(name, kubernetes=kubernetes + ".0") if is_kubernetes(row)]
    assert len(documents) > 20
    good, said, checked = held(tmp_path, documents, [kubernetes])
    assert good, said
    assert checked == len(documents)


def test_older_kubernetes_than_the_chart_is_for():
    status, _, said = template("header-mode", kubernetes="1.24.0")
    assert status != 0 and "1.25" in said


@pytest.mark.parametrize("name", NAMES)
def test_helm_lint(name):
    status, said, _ = helm("lint", CHART, "--strict", "--kube-version", "1.31.0", "-f", VALUES / f"{name}.yaml")
    assert status == 0, said


def linted(documents):
    """The checks of kube-linter that concern these kinds, beside those of test_pods: kube-linter itself is no Go module that is served."""
    for kind in ("Deployment", "StatefulSet"):
        for row in [row for row in documents if row["kind"] == kind]:
            spec, labels = row["spec"]["template"]["spec"], row["spec"]["template"]["metadata"]["labels"]
            yield from (f"{row['metadata']['name']}: {fault}" for fault in faults(row["spec"]["template"]))
            if not row["spec"]["selector"]["matchLabels"].items() <= labels.items():
                yield f"{kind}: selector and labels"
            spread = [one for one in spec.get("topologySpreadConstraints", []) if one["topologyKey"] == "kubernetes.io/hostname"
                      and one["labelSelector"]["matchLabels"].items() <= labels.items()]
            if row["spec"]["replicas"] > 1 and not spread and not spec.get("affinity", {}).get("podAntiAffinity"):
                yield f"{kind}: nothing spreads the pods over nodes"
            for container in containers(row["spec"]["template"]):
                if not re.search(r"(:(?!latest$)[^/:]+|@sha256:[0-9a-f]{64})$", container["image"]):
                    yield f"{kind}: image without a version"
                yield from (f"{kind}: no {probe}" for probe in ("livenessProbe", "readinessProbe") if probe not in container)
                if any("secret" in variable["name"].lower() and not variable["name"].endswith("_FILE")
                       and "value" in variable for variable in container.get("env", [])):
                    yield f"{kind}: a secret in the environment"
    for row in [row for row in documents if row["kind"] == "Service"]:
        if not [1 for _, _, pod in pods(documents) if row["spec"]["selector"].items() <= pod["metadata"]["labels"].items()]:
            yield "Service: selects no pod"
    yield from (f"{row['kind']} {row['metadata']['name']}" for row in documents if row["kind"] in (
        "Secret", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"))


@pytest.mark.parametrize("name", NAMES)
def test_kube_linters_checks(name):
    assert list(linted(chart(name))) == []


@pytest.mark.parametrize("change, fault", [
    (lambda spec: spec.pop("topologySpreadConstraints"), "spreads"),
    (lambda spec: spec["containers"][0].update(image="x/y:latest"), "image"),
    (lambda spec: spec["containers"][0].update(image="x.example:5000/y"), "image"),
    (lambda spec: spec["containers"][0].pop("readinessProbe"), "readinessProbe"),
    (lambda spec: spec["containers"][0]["resources"].pop("limits"), "resources"),
    (lambda spec: spec["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False), "root can be written"),
    (lambda spec: spec["securityContext"].update(runAsNonRoot=False), "may run as root"),
])
def test_each_of_these_faults_is_found(change, fault):
    documents = chart("header-mode")
    change(find(documents, "Deployment", "mod-auth-keycloak")["spec"]["template"]["spec"])
    assert [line for line in linted(documents) if fault in line]
