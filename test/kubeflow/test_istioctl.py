# SPDX-License-Identifier: Apache-2.0
"""Istio's own tool finds no fault in the built manifests, and does find planted ones."""

import copy
import os
import re
import subprocess

import pytest
import yaml
from manifests import OVERLAYS, before, find, ours



def istioctl(tmp_path, documents, *words):
    path = tmp_path / "mesh.yaml"
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    done = subprocess.run([os.environ["ISTIOCTL"], *words, str(path)], capture_output=True, text=True, timeout=120,
                          env={"HOME": str(tmp_path), "PATH": os.environ["PATH"]}, check=False)
    return done.returncode, done.stdout + done.stderr


def of_istio(documents):
    return [row for row in documents if row["apiVersion"].split("/")[0].endswith("istio.io")]


def analyzed(tmp_path, documents, surroundings=None):
    return istioctl(tmp_path, documents + ([find(before("1.11"), "Gateway", "kubeflow-gateway")] if surroundings is None else surroundings), "analyze", "--use-kube=false", "--failure-threshold=Info",
                    "--all-namespaces")


@pytest.mark.parametrize("name", OVERLAYS)
def test_what_is_built_is_valid(tmp_path, name):
    documents = of_istio(ours(name))
    assert documents
    status, said = istioctl(tmp_path, documents, "validate", "-f")
    assert status == 0 and ("is valid" in said or "has warnings" in said) and "error" not in said.lower(), said


@pytest.mark.parametrize("kind, change", [
    ("EnvoyFilter", lambda spec: spec["configPatches"][0].update(applyTo="HTTP_FILTERS")),
    ("VirtualService", lambda spec: spec["http"][0]["route"][0]["destination"].pop("host")),
    ("DestinationRule", lambda spec: spec["trafficPolicy"].update(outliers={})),
])
def test_a_mistake_is_not_valid(tmp_path, kind, change):
    documents = copy.deepcopy(of_istio(ours("1.9.0")))
    change([row for row in documents if row["kind"] == kind][0]["spec"])
    status, said = istioctl(tmp_path, documents, "validate", "-f")
    assert status != 0, said


# What the analysis says of upstream's own design: any EnvoyFilter, one that is placed relative to a filter, and a DENY
# by attributes of HTTP.
EXPECTED = {"oidc-authservice": {"IST0133 EnvoyFilter", "IST0151 EnvoyFilter"}, "oauth2-proxy": {"IST0133 AuthorizationPolicy"},
            "header-mode": set()}


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_analysis_finds_nothing_new(tmp_path, name):
    _, said = analyzed(tmp_path, ours(name))
    assert "analyz" in said
    found = {f"{code} {kind}" for code, kind in re.findall(r"^(?:Error|Warning|Info) \[(IST\d+)\] \((\w+)", said, re.M)}
    assert found == EXPECTED[OVERLAYS[name][1]], said


def test_the_analysis_finds_a_gateway_that_is_not_there(tmp_path):
    _, said = analyzed(tmp_path, [row for row in ours("1.11/header-mode")], [])
    assert "IST0101" in said and "kubeflow-gateway" in said, said
