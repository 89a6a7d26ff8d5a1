# SPDX-License-Identifier: Apache-2.0
"""The image accepts the manifests' settings, and answers the probes that they name."""

import base64
import http.client
import os
import subprocess
from pathlib import Path

import pytest
from manifests import ROOT, Tree, built, find, judge_of, kustomize, read_all
from process import Child, free_port, wait_for
from readable import readable

IMAGE = readable(ROOT / "docker" / "image")
SECRETS = "/etc/mod-auth-keycloak"
WAYS = ["1.7", "1.9.0+job", "1.9.1/oauth2-proxy", "26.03/oauth2-proxy+job", "26.03/header-mode", "reverse-proxy", "sidecar"]
# Settings that move the image's ports, by the port that a manifest names.
PORTS = {8080: "SERVER_PORT", 8081: "READINESS_PROBE_PORT", 8082: "WEB_SERVER_PORT", 9090: "METRICS_PORT",
         4180: "OAUTH2_PROXY_HTTP_ADDRESS", 44180: "READINESS_PROBE_PORT"}


def environment_of(documents, container):
    """What Kubernetes would put into the container's environment."""
    result = {}
    for row in container["envFrom"]:
        if "configMapRef" in row:
            result.update(find(documents, "ConfigMap", row["configMapRef"]["name"])["data"])
        else:
            data = find(documents, "Secret", row["secretRef"]["name"])["data"]
            result.update({key: base64.b64decode(value).decode() for key, value in data.items()})
    for row in container.get("env", []):
        reference = row.get("valueFrom", {}).get("configMapKeyRef")
        result[row["name"]] = (find(documents, "ConfigMap", reference["name"])["data"][reference["key"]]
                               if reference else row["value"])
    return result


def mounted(documents, folder):
    """The files of the pod's Secret, as it is mounted."""
    _, template = judge_of(documents)
    (volume,) = [row["secret"] for row in template["spec"]["volumes"] if "secret" in row]
    for item in volume["items"]:
        path = folder / item["path"]
        path.write_text("a value for this test alone, of 32 characters or more\n", encoding="utf-8")
        path.chmod(volume["defaultMode"])


def started(tmp_path, documents, change=None):
    """The entrypoint with that environment; the process, and the port for each one that the manifests name."""
    mounted(documents, tmp_path)
    container, _ = judge_of(documents)
    known = {key: value.replace(SECRETS, str(tmp_path)) for key, value in environment_of(documents, container).items()}
    return run_image(tmp_path, {**known, **(change or {})})


def run_image(tmp_path, known):
    free = {name: free_port() for name in PORTS.values()}
    ports = {port: free[name] for port, name in PORTS.items()}
    known.update({name: f"127.0.0.1:{ports[port]}" if "ADDRESS" in name else str(ports[port])
                  for port, name in PORTS.items()})
    known.update(PATH=os.environ["PATH"], KC_IMAGE_CONF=str(IMAGE), KC_RUN=str(tmp_path), DRAIN_SECONDS="0",
                 KC_MODULE=str(Path(os.environ["KC_BUILD"]) / "mod_auth_keycloak.so"))
    return Child("the image", [IMAGE / "entrypoint"], tmp_path / "image.log", known), ports


def asked(port, path):
    """Status of a GET, or 0 while nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


@pytest.mark.parametrize("name", WAYS)
def test_it_starts_and_answers_its_probes(tmp_path, name):
    documents = built(name)
    container, _ = judge_of(documents)
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    child, ports = started(tmp_path, documents)
    try:
        def probe(which):
            row = container[which]["httpGet"]
            return asked(ports[named[row["port"]]], row["path"])
        wait_for(lambda: probe("startupProbe"), 60, "the image starts", child)
        assert probe("startupProbe") == 200 and probe("livenessProbe") == 200
        assert probe("readinessProbe") == 503, "neither Keycloak nor memcached is there"
        said = Path(child.log).read_text(encoding="utf-8", errors="replace")
        # No setting of the files; this one is not in them, and its default has no counterpart.
        assert "not used" not in said.replace("KUBERNETES_AUTHN_ENABLED is not used", ""), said
    finally:
        child.stop()


@pytest.mark.parametrize("name", ["1.9.1/oauth2-proxy", "26.03/oauth2-proxy"])
def test_scripts_get_401_where_upstream_says_so(tmp_path, name):
    """Upstream's gateway shows its judge neither Accept nor X-Requested-With: its api_routes tell what is no page."""
    child, ports = started(tmp_path, built(name))
    try:
        wait_for(lambda: asked(ports[44180], "/healthz"), 60, "the image starts", child)
        for path in ("/pipeline/apis/v2beta1/experiments", "/api/workgroup/exists", "/ml_metadata.MetadataStoreService/Get"):
            assert asked(ports[4180], path) == 401, path
        assert asked(ports[4180], "/pipeline/") in (302, 503), "a page"
    finally:
        child.stop()


def test_only_the_image_takes_the_walk_throughs_files(tmp_path):
    """Upstream's own StatefulSet with params.env as the walk-through edits it: no key, no memcached, every line of the file."""
    status, text, said = kustomize(Tree(tmp_path / "tree", "1.9.0").walk_through())
    assert status == 0, said
    documents = read_all(text)
    (container,) = find(documents, "StatefulSet", "oidc-authservice")["spec"]["template"]["spec"]["containers"]
    child, ports = run_image(tmp_path, environment_of(documents, container))
    try:
        wait_for(lambda: asked(ports[8081], "/"), 60, "the image starts", child)
        assert asked(ports[8081], container["readinessProbe"]["httpGet"]["path"]) == 503
        assert asked(ports[8080], "/") in (302, 503), "nobody comes in"
    finally:
        child.stop()


@pytest.mark.parametrize("name, setting", [("1.9.0", "OIDC_PROVIDER"), ("26.03/oauth2-proxy", "OAUTH2_PROXY_OIDC_ISSUER_URL"),
                                           ("reverse-proxy", "BACKEND_URL")])
def test_a_setting_that_is_missing_is_named(tmp_path, name, setting):
    child, _ = started(tmp_path, built(name), {setting: ""})
    try:
        assert child.process.wait(60) == 64
        assert setting in Path(child.log).read_text(encoding="utf-8", errors="replace")
    finally:
        child.stop()


def test_the_entrypoint_is_here():
    done = subprocess.run(["sh", "-n", IMAGE / "entrypoint"], check=False)
    assert done.returncode == 0
