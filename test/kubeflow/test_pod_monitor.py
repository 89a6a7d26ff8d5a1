# SPDX-License-Identifier: Apache-2.0
"""Prometheus is told of every pod and let in, by the component and by the chart, and without them nobody is."""

import copy
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from charts import chart
from manifests import ALONE, KUBEFLOW, ROOT, Tree, find, identity, judge_of, kustomize, pods, read_all
from test_settings import PORTS

CRD = yaml.safe_load((ROOT / "test" / "kubeflow" / "podmonitor.yaml").read_text(encoding="utf-8"))
CHECK = "import json, jsonschema, sys; document, schema = json.load(sys.stdin); jsonschema.validate(document, schema)"
# What a test builds: alone, or in upstream's tree, by version and way.
WAYS = ["reverse-proxy", "sidecar", "1.7/oidc-authservice", "26.03/oauth2-proxy", "26.03/header-mode"]
RULE = {"from": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "ports": [{"port": 9090, "protocol": "TCP"}]}


def fault(spec):
    """What is wrong with a PodMonitor's spec, by the schema of its CustomResourceDefinition."""
    done = subprocess.run([os.environ["SCHEMAS"], "-I", "-c", CHECK], input=json.dumps([spec, CRD]), capture_output=True,
                          text=True, check=False)
    return done.stderr if done.returncode else ""


def build(folder, name, kustomize_version="newest", component="components/pod-monitor"):
    """The documents with the component, or without it."""
    if name in ALONE:
        shutil.copytree(KUBEFLOW, folder / "kubeflow")
        (folder / "kubeflow" / "tried").mkdir()
        (folder / "kubeflow" / "tried" / "kustomization.yaml").write_text(
            f"resources: [../{ALONE[name]}]\n" + (f"components: [../{component}]\n" if component else ""), encoding="utf-8")
        status, text, said = kustomize(folder / "kubeflow" / "tried", kustomize_version)
        assert status == 0, said
        return read_all(text)
    version, way = name.split("/")
    tree = Tree(folder, version)
    tree.follow_guide(way)
    if component:
        tree.add(component)
    return read_all(tree.build(kustomize_version))


def selected(selector, labels):
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(row["key"]) in row["values"] for row in selector.get("matchExpressions", []))


def opens(policy):
    """The rules of a policy that let somebody reach the metrics."""
    return [rule for rule in policy["spec"].get("ingress", []) if 9090 in [row.get("port", 9090) for row in rule.get("ports", [{}])]]


def scraped(documents, monitor):
    """The names of pods that Prometheus asks, each at the port that the image serves."""
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint.get("path", "/metrics") == "/metrics"
    for name, namespace, template in pods(documents):
        inside = monitor["spec"].get("namespaceSelector", {}).get("any") or namespace == monitor["metadata"]["namespace"]
        if inside and selected(monitor["spec"]["selector"], template["metadata"]["labels"]):
            (port,) = [row["containerPort"] for container in template["spec"]["containers"]
                       for row in container.get("ports", []) if row["name"] == endpoint["port"]]
            assert PORTS[port] == "METRICS_PORT"
            yield name


@pytest.mark.parametrize("name", WAYS)
def test_prometheus_alone_is_let_in(tmp_path, name):
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    made = build(tmp_path / "with", name)
    plain = {identity(row): row for row in build(tmp_path / "without", name, component=None)}
    monitor = find(made, "PodMonitor", "mod-auth-keycloak", "monitoring")
    assert fault(monitor["spec"]) == ""
    _, template = judge_of(made)
    (judge,) = [pod for pod, _, known in pods(made) if known == template]
    assert list(scraped(made, monitor)) == [judge]
    changed = [row for row in made if plain.get(identity(row)) != row and row["kind"] != "PodMonitor"]
    (policy,) = changed
    assert policy["kind"] == "NetworkPolicy" and selected(policy["spec"]["podSelector"], template["metadata"]["labels"])
    assert opens(policy) == [RULE] and opens(plain[identity(policy)]) == []
    policy = copy.deepcopy(policy)
    policy["spec"]["ingress"].remove(RULE)
    assert policy == plain[identity(policy)], "no other rule is lost"


def test_the_old_kustomize_makes_the_same(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    old, new = ({identity(row): row for row in build(tmp_path / place, "reverse-proxy", program)}
                for place, program in (("old", "5.0.3"), ("new", "newest")))
    assert old == new


@pytest.mark.parametrize("name", ["header-mode", "oidc-authservice", "reverse-proxy", "second-realm"])
def test_the_charts_monitor(name):
    without = chart(name)
    assert not [row for row in without if row["kind"] == "PodMonitor"]
    assert not [row for row in without if row["kind"] == "NetworkPolicy" and opens(row)]
    made = chart(name, {"podMonitor": {"enabled": True, "prometheusNamespace": "metrics", "labels": {"release": "prom"}, "interval": "1m30s"}})
    (monitor,) = [row for row in made if row["kind"] == "PodMonitor"]
    assert fault(monitor["spec"]) == "" and monitor["metadata"]["labels"]["release"] == "prom"
    assert monitor["spec"]["podMetricsEndpoints"][0]["interval"] == "1m30s"
    deployment = next(row for row in made if row["kind"] == "Deployment")["metadata"]["name"]
    assert list(scraped(made, monitor)) == [deployment]
    (policy,) = [row for row in made if row["kind"] == "NetworkPolicy" and opens(row)]
    assert policy["spec"]["podSelector"]["matchLabels"] == monitor["spec"]["selector"]["matchLabels"]
    (rule,) = opens(policy)
    assert rule["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "metrics"}}}]


def test_a_monitor_needs_no_more_than_enabled():
    made = chart("header-mode", {"podMonitor": {"enabled": True}})
    (monitor,) = [row for row in made if row["kind"] == "PodMonitor"]
    assert monitor["spec"]["podMetricsEndpoints"] == [{"port": "metrics"}] and fault(monitor["spec"]) == ""
    off = chart("header-mode", {"settings": {"METRICS_PORT": "off"}})
    assert find(off, "ConfigMap", "oidc-authservice-parameters")["data"]["METRICS_PORT"] == "off"


@pytest.mark.parametrize("change, word", [
    (lambda spec: spec.update(podMetricsEndpoint=[]), "podMetricsEndpoint"),
    (lambda spec: spec["podMetricsEndpoints"][0].update(interval="often"), "often"),
    (lambda spec: spec["podMetricsEndpoints"][0].update(port=9090), "9090"),
    (lambda spec: spec.pop("selector"), "selector"),
])
def test_a_mistake_is_found(change, word):
    spec = read_all((KUBEFLOW / "components/pod-monitor/podmonitor.yaml").read_text(encoding="utf-8"))[0]["spec"]
    assert fault(spec) == ""
    change(spec)
    assert re.search(word, fault(spec))
