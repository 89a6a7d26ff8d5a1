# SPDX-License-Identifier: Apache-2.0
"""The built manifests are valid in all Kubernetes versions that Kubeflow ran and runs on."""

import copy
import json
import os
import subprocess

import pytest
from manifests import ALL, ROOT, built, find, ours

VERSIONS = [f"1.{minor}" for minor in range(27, 38)]
# Kubeflow 1.7 and 1.8 ran on these.
OLD_VERSIONS = ["1.25", "1.26"]
# Kinds of Istio's, which istioctl knows.
FOREIGN = ("istio.io",)


def is_kubernetes(document):
    return not document["apiVersion"].split("/")[0].endswith(FOREIGN)


def held(tmp_path, documents, versions):
    """Runs schemas.py; whether all is well, what it said, and how many were checked."""
    path = tmp_path / "documents.json"
    path.write_text(json.dumps(documents), encoding="utf-8")
    done = subprocess.run([os.environ["SCHEMAS"], "-I", ROOT / "test" / "kubeflow" / "schemas.py", path, *versions],
                          capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    lines = done.stdout.splitlines()
    return done.returncode == 0, "\n".join(lines[:-1]), int(lines[-1].split()[0])


def different(names):
    """Each document once, however many builds have it."""
    seen = {}
    for name in names:
        for document in ours(name):
            if is_kubernetes(document):
                seen.setdefault(json.dumps(document, sort_keys=True), (name, document))
    return list(seen.values())


def test_all_versions_know_what_is_built(tmp_path):
    documents = different(ALL)
    assert len(documents) > 40
    good, said, checked = held(tmp_path, documents, VERSIONS)
    assert good, said
    assert checked == len(documents) * len(VERSIONS)


def test_old_versions_run_on_old_kubernetes(tmp_path):
    good, said, _ = held(tmp_path, different(["1.7", "1.7+job", "1.8", "1.8+job"]), OLD_VERSIONS)
    assert good, said


@pytest.mark.parametrize("fault, word", [
    (lambda spec: spec.update(replica=2), "replica"),
    (lambda spec: spec.update(replicas="two"), "replicas"),
    (lambda spec: spec["template"]["spec"]["containers"][0].pop("name"), "name"),
])
def test_a_mistake_is_found(tmp_path, fault, word):
    document = copy.deepcopy(find(built("base"), "Deployment", "mod-auth-keycloak"))
    fault(document["spec"])
    good, said, _ = held(tmp_path, [["mistaken", document]], ["1.31"])
    assert not good and word in said
