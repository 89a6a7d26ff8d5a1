# SPDX-License-Identifier: Apache-2.0
"""The files of upstream are what `upstream/take` takes, and it says what is new."""

import hashlib
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys

import pytest
import yaml
from manifests import UPSTREAM, VERSIONS, index

ROOT_FILES = {
    "LICENSE": "a licence\n",
    "example/kustomization.yaml": """\
resources:
- ../common/istio/istio-install/base
- ../common/oauth2-proxy/overlays/one
# - ../common/oauth2-proxy/overlays/two   # for others
- ../applications/app
- ../applications/silent
""",
    "common/istio/istio-install/base/kustomization.yaml": "resources: [gateway.yaml]\n",
    "common/istio/istio-install/base/gateway.yaml": """\
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: g, namespace: istio-system}
""",
    "common/istio/istio-install/base/README.md": "not read by any kustomization\n",
    "common/oauth2-proxy/base/kustomization.yaml": "configMapGenerator: [{name: c, files: [oauth2_proxy.cfg]}]\n",
    "common/oauth2-proxy/base/oauth2_proxy.cfg": "provider\n",
    "common/oauth2-proxy/overlays/one/kustomization.yaml": "resources: [../../base]\n",
    "common/oauth2-proxy/overlays/two/kustomization.yaml": "resources: [../../base]\n",
    "common/oauth2-proxy/overlays/not-in-the-example/kustomization.yaml": "resources: [../../base]\n",
    "applications/app/kustomization.yaml": "namespace: app\nresources: [app.yaml]\n",
    "applications/app/app.yaml": """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec: {selector: {matchLabels: {app: app}}, template: {metadata: {labels: {app: app}}, spec: {containers: [{name: app, image: app}]}}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: app}
spec: {hosts: ['*']}
""",
    "applications/silent/kustomization.yaml": "configMapGenerator: [{name: silent, literals: [a=b]}]\n",
    "tests/install.sh": "cd applications\nkustomize build extra | kubectl apply -f -\n",
    "applications/extra/kustomization.yaml": "resources: [policy.yaml]\n",
    "applications/extra/policy.yaml": """\
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: extra, namespace: istio-system}
""",
}


@pytest.fixture(name="take")
def fixture_take(tmp_path, monkeypatch):
    """The command as a module that writes into a folder of the test, and a checkout for it."""
    loader = importlib.machinery.SourceFileLoader("take", str(UPSTREAM / "take"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("take", loader))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    monkeypatch.setenv("KUSTOMIZE", os.environ["KUSTOMIZE_5_0_3"])
    module.HERE = tmp_path / "here"
    module.HERE.mkdir()
    module.checkout = tmp_path / "checkout"
    module.checkout.mkdir()
    git(module.checkout, "init", "-q", "-b", "master")
    module.pin = lambda **versions: (module.HERE / "pinned.json").write_text(json.dumps(
        {version: {"commit": commit} for version, commit in versions.items()}), encoding="utf-8")
    return module


def git(folder, *words):
    return subprocess.run(["git", "-C", folder, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false",
                           *words], capture_output=True, text=True, check=True).stdout.strip()


def commit(take, **more):
    for path, text in {**ROOT_FILES, **more}.items():
        (take.checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (take.checkout / path).write_text(text, encoding="utf-8")
    git(take.checkout, "add", "-A")
    git(take.checkout, "commit", "-q", "-m", "a state")
    return git(take.checkout, "rev-parse", "HEAD")


def taken(take, version):
    known = json.loads((take.HERE / "versions" / f"{version}.json").read_text(encoding="utf-8"))
    return known, {path: (take.HERE / "files" / name).read_text(encoding="utf-8") for path, name in known["files"].items()}


def test_it_takes_what_its_rule_says(take):
    take.pin(one=commit(take))
    assert take.main([str(take.checkout)]) == 0
    known, files = taken(take, "one")
    assert {path for path in files if path.startswith("common/")} == {
        path for path in ROOT_FILES if path.startswith("common/") and not path.endswith("README.md")}
    assert files["example/kustomization.yaml"] == ROOT_FILES["example/kustomization.yaml"]
    (route,) = list(yaml.safe_load_all(files["applications/app/cut.yaml"]))
    assert (route["kind"], route["metadata"]["namespace"]) == ("VirtualService", "app")
    assert yaml.safe_load(files["applications/silent/kustomization.yaml"])["resources"] == []
    assert "RequestAuthentication" in files["applications/extra/cut.yaml"], "a test of upstream's builds it"
    assert (take.HERE / "LICENSE").read_text(encoding="utf-8") == ROOT_FILES["LICENSE"] and known["repository"].startswith("https://")


def test_equal_files_are_kept_once(take):
    first = commit(take)
    second = commit(take, **{"common/oauth2-proxy/base/oauth2_proxy.cfg": "another provider\n"})
    take.pin(one=first, two=second)
    assert take.main([str(take.checkout)]) == 0
    one, two = taken(take, "one")[0]["files"], taken(take, "two")[0]["files"]
    assert {path for path in one if one[path] != two[path]} == {"common/oauth2-proxy/base/oauth2_proxy.cfg"}
    stored = [path for path in (take.HERE / "files").rglob("*") if path.is_file()]
    assert len(stored) == len(set(one.values()) | set(two.values()))


@pytest.mark.parametrize("path, text, said", [
    ("common/oauth2-proxy/overlays/three/kustomization.yaml", "resources: [../../base]\n", "new: common/oauth2-proxy/overlays/three"),
    ("applications/extra/policy.yaml", ROOT_FILES["applications/extra/policy.yaml"].replace("extra,", "renamed,"), "gone: "),
    ("common/oauth2-proxy/base/oauth2_proxy.cfg", "another\n", "changed: common/oauth2-proxy/base/oauth2_proxy.cfg"),
    ("tests/more.sh", "kustomize build applications/more\n", "new: applications/more"),
])
def test_it_says_what_is_new(take, capsys, path, text, said):
    take.pin(one=commit(take, **{"applications/more/kustomization.yaml": "resources: [../extra/policy.yaml]\n"}))
    take.main([str(take.checkout)])
    assert take.main(["--check", str(take.checkout)]) == 0
    commit(take, **{path: text})
    capsys.readouterr()
    assert take.main(["--check", str(take.checkout)]) == 1
    assert said in capsys.readouterr().out


def test_it_does_without_what_is_elsewhere(take):
    """An entry on another host is left out and named: nothing is fetched."""
    take.pin(one=commit(take, **{"applications/app/kustomization.yaml":
                                 "namespace: app\nresources:\n- app.yaml\n- https://example.com/more.yaml\n"}))
    assert take.main([str(take.checkout)]) == 0
    known, files = taken(take, "one")
    assert known["remote"] == ["applications/app/kustomization.yaml: https://example.com/more.yaml"]
    assert "VirtualService" in files["applications/app/cut.yaml"]


@pytest.mark.parametrize("version", VERSIONS)
def test_the_files_here_are_whole(version):
    known = index(version)
    pinned = json.loads((UPSTREAM / "pinned.json").read_text(encoding="utf-8"))
    assert known["commit"] == pinned[version]["commit"] and len(known["files"]) > 90
    for name in known["files"].values():
        content = (UPSTREAM / "files" / name).read_bytes()
        assert f".{hashlib.sha256(content).hexdigest()[:10]}" in name


def test_nothing_here_is_unused():
    used = {name for version in VERSIONS for name in index(version)["files"].values()}
    stored = {path.relative_to(UPSTREAM / "files").as_posix(): path.stat().st_size
              for path in (UPSTREAM / "files").rglob("*") if path.is_file()}
    assert set(stored) == used and sum(stored.values()) < 5 << 20
    assert "Apache License" in (UPSTREAM / "LICENSE").read_text(encoding="utf-8")
