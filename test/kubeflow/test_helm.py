# SPDX-License-Identifier: Apache-2.0
"""The Helm chart makes what the kustomize components make, object by object, and refuses values that cannot be."""

import copy
import json
import re

import pytest
import yaml
from charts import CHART, NAMES, OWN_LABELS, VALUES, chart, component, drift, helm, notes, plain, template
from manifests import JUDGE, KUBEFLOW, containers, environment, find, judge_of, kinds, pods, read_all
from process import wait_for
from test_pods import faults
from test_schema import held, is_kubernetes
from test_settings import asked, started

GOOD = {"OIDC_PROVIDER": "https://sso.example.org/realms/r", "REDIRECT_URL": "https://k.example.org/authservice/oidc/callback"}


# ---------------- The same as kustomize

def kustomized(name):
    """kustomize's documents of one way; without the Namespace, which Helm does not make."""
    documents = copy.deepcopy([row for row in component(name) if row["kind"] != "Namespace"])
    if name == "oidc-authservice":
        # This component changes objects of upstream's. The patches name all that counts in them.
        folder = KUBEFLOW / "components" / name
        patches = {kind: read_all((folder / f"{kind}.yaml").read_text(encoding="utf-8"))[0]
                   for kind in ("service", "serviceaccount", "envoyfilter") if (folder / f"{kind}.yaml").is_file()}
        service, (_, template) = patches["service"]["spec"], judge_of(documents)
        # Both select the judge's pods, by other labels.
        assert service["selector"].items() <= template["metadata"]["labels"].items()
        service.update(type="ClusterIP", selector={
            "app.kubernetes.io/part-of": "mod-auth-keycloak", "app.kubernetes.io/component": "judge"})
        documents += patches.values()
        # Upstream's settings, with the values that the file of values has.
        documents.append(find(chart(name), "ConfigMap", "oidc-authservice-parameters"))
    return documents


WAYS = ["header-mode", "oidc-authservice", "reverse-proxy"]


@pytest.mark.parametrize("name", WAYS)
def test_the_chart_makes_what_kustomize_makes(name):
    assert list(drift(chart(name), kustomized(name))) == []


def test_request_principals_are_those_of_the_component():
    made = chart("header-mode", {"gateway": {"requestPrincipals": {"enabled": True}}})
    wanted = [row for row in component("header-mode+request-principals") if row["kind"] != "Namespace"]
    assert {"keycloak-jwt", "cluster-local-gateway-keycloak-jwt"} <= {row["metadata"]["name"] for row in wanted}
    assert list(drift(made, wanted)) == []
    other = chart("header-mode", {"gateway": {"requestPrincipals": {
        "enabled": True, "jwksUri": "http://keycloak.auth:8080/keys", "clusterLocalGateway": False}}})
    (rule,) = find(other, "RequestAuthentication", "keycloak-jwt")["spec"]["jwtRules"]
    assert rule["jwksUri"] == "http://keycloak.auth:8080/keys"
    assert len([row for row in other if row["kind"] == "RequestAuthentication"]) == 1


def test_a_gateway_of_the_gateway_api_as_in_the_component():
    """But for the Gateway itself, which is an administrator's."""
    made = chart("header-mode", {"gateway": {"gatewayAPI": "kubeflow"}})
    wanted = [row for row in component("header-mode+gateway-api") if row["kind"] not in ("Namespace", "Gateway")]
    assert {"HTTPRoute", "NetworkPolicy"} <= {row["kind"] for row in wanted} and "VirtualService" not in {row["kind"] for row in wanted}
    assert list(drift(made, wanted)) == []
    made = chart("header-mode", {"gateway": {"gatewayAPI": "kubeflow", "hosts": ["k.example.com"], "requestPrincipals": {"enabled": True}}})
    assert find(made, "HTTPRoute", "mod-auth-keycloak")["spec"]["hostnames"] == ["k.example.com"]
    token = find(made, "RequestAuthentication", "keycloak-jwt")["spec"]
    assert "selector" not in token and token["targetRefs"] == find(made, "AuthorizationPolicy", "istio-ingressgateway-mod-auth-keycloak")["spec"]["targetRefs"]


def test_the_judge_is_for_the_pods_of_that_gateway():
    """Istio labels the pods of a Gateway by its name; a network policy for others would keep the gateway from asking."""
    rows = component("header-mode+gateway-api")
    (gateway,) = [row["metadata"]["name"] for row in rows if row["kind"] == "Gateway"]
    (rule,) = find(rows, "NetworkPolicy", "mod-auth-keycloak")["spec"]["ingress"]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["from"]] == [{"gateway.networking.k8s.io/gateway-name": gateway}]


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


@pytest.mark.parametrize("check", ["authorizationPolicy", "none"])
def test_the_notes_have_the_meshs_provider(check):
    """What kustomize puts into the mesh's settings, an administrator of the chart puts there by the notes. The README's
    first command has none, and its second one lets the gateway ask."""
    text = notes("header-mode", {"gateway": {"check": check}})
    shown = yaml.safe_load(re.search(r"^    # The judge must see.*?(?=^\S|\Z)", text, re.M | re.S).group(0))
    mesh = yaml.safe_load(read_all((KUBEFLOW / "components/header-mode/remove/mesh.yaml").read_text(encoding="utf-8"))[0]["data"]["mesh"])
    assert shown["extensionProviders"] == mesh["extensionProviders"]
    assert shown["pathNormalization"] == mesh["pathNormalization"]


# ---------------- Sound objects

@pytest.mark.parametrize("kubernetes", ["1.25", "1.37"])
def test_kubernetes_knows_what_is_rendered(tmp_path, kubernetes):
    documents = [[name, row] for name in NAMES for row in chart(name, kubernetes=kubernetes + ".0") if is_kubernetes(row)]
    assert len(documents) > 30
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


def test_selectors_are_of_the_release_alone():
    """Two realms, two releases of one namespace: no name is there twice, and nothing selects the other one's pods."""
    one, two = chart("header-mode"), chart("second-realm", release="partners")
    assert not {(*key, row["metadata"]["namespace"]) for row in one for key in kinds([row])} & {
        (*key, row["metadata"]["namespace"]) for row in two for key in kinds([row])}
    for mine, others in ((one, two), (two, one)):
        labels = [row["metadata"]["labels"] for _, _, row in pods(others)]
        selectors = [row["spec"].get("selector", row["spec"].get("podSelector")) for row in mine
                     if row["kind"] in ("Service", "Deployment", "StatefulSet", "NetworkPolicy", "PodDisruptionBudget")]
        for selector in selectors + [row["podSelector"] for row in parts(mine, "podSelector")]:
            wanted = selector.get("matchLabels", selector)
            if "app.kubernetes.io/part-of" in wanted:
                assert not [known for known in labels if wanted.items() <= known.items()], wanted
    policies = [find(rows, "AuthorizationPolicy", f"istio-ingressgateway-{name}")["spec"]["selector"]
                for rows, name in ((one, "mod-auth-keycloak"), (two, "partners-mod-auth-keycloak"))]
    assert policies[0] != policies[1], "one gateway would ask both"
    for row in one + two:
        assert OWN_LABELS <= row["metadata"]["labels"].keys()


def parts(value, key):
    """Every mapping within a value that has this key."""
    if isinstance(value, dict):
        if key in value:
            yield value
        for part in value.values():
            yield from parts(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from parts(part, key)


# ---------------- What values do

@pytest.mark.parametrize("name", NAMES)
def test_the_image_takes_what_the_chart_gives(tmp_path, authority, name):
    documents = chart(name)
    secrets = {"oidc-authservice-client": {"CLIENT_ID": "a2Y=", "CLIENT_SECRET": "bm90LWEtc2VjcmV0LWp1c3QtYS10ZXN0LXZhbHVl"},
               "memcached": {"MEMCACHED_PASSWORD": "bm90LWEtc2VjcmV0"}}
    documents += [{"kind": "Secret", "metadata": {"name": key}, "data": data} for key, data in secrets.items()]
    ca = environment(judge_of(documents)[0]).get("CA_BUNDLE")
    child, ports = started(tmp_path, documents, {"CA_BUNDLE": str(authority / "ca.pem")} if ca else {})
    try:
        wait_for(lambda: asked(ports[8081], "/healthz"), 60, "the image starts", child)
        assert asked(ports[8081], "/healthz") == 200
    finally:
        child.stop()


def test_pods_are_replaced_when_a_setting_changes():
    def sum_of(**settings):
        _, pod = judge_of(chart("header-mode", {"settings": settings}))
        return pod["metadata"]["annotations"]["checksum/settings"]
    assert sum_of() == sum_of() != sum_of(SESSION_IDLE="3600")


def test_memcacheds_servers_follow_their_number():
    container, _ = judge_of(chart("header-mode", {"memcached": {"replicas": 3}}))
    assert environment(container)["MEMCACHED_SERVERS"].split() == [f"judge-memcached-{n}.judge-memcached:11211" for n in range(3)]
    outside = chart("memcached-outside")
    assert environment(judge_of(outside)[0])["MEMCACHED_SERVERS"] == "mc-1.example.com:11211 mc-2.example.com:11211"
    assert "StatefulSet" not in {row["kind"] for row in outside}
    egress = find(outside, "NetworkPolicy", "kubeflow-mod-auth-keycloak")["spec"]["egress"]
    assert {"ports": [{"port": 11211, "protocol": "TCP"}]} in egress
    assert [rule["to"] for rule in egress if rule["ports"][0]["port"] == 443] == [[{"ipBlock": {"cidr": "203.0.113.7/32"}}]]


def test_the_prefix_is_where_keycloak_reports():
    rows = chart("header-mode", {"settings": {"AUTHSERVICE_URL_PREFIX": "/sign/in", "REDIRECT_URL": "https://k.example.org/sign/in/oidc/callback"}})
    (http,) = find(rows, "VirtualService", "mod-auth-keycloak")["spec"]["http"]
    assert [list(match["uri"].values())[0] for match in http["match"]] == ["/sign/in/backchannel-logout", "/sign/in/sessions", "/sign/in/site/"]


@pytest.mark.parametrize("image, expected", [({"tag": "0.2.0"}, ":0.2.0"), ({}, ":0.1.0"),
                                             ({"digest": "sha256:" + "a" * 64, "tag": "0.2.0"}, "@sha256:" + "a" * 64)])
def test_the_images_version(image, expected):
    deployment = find(chart("header-mode", {"image": image}), "Deployment", "mod-auth-keycloak")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == JUDGE + expected


def test_values_stay_values():
    """Texts that YAML would read as something else, or that would end their line."""
    odd = {"USERID_PREFIX": "a: b\n  c: &d", "OIDC_SCOPES": "yes", "SESSION_MAX_AGE": 3600, "ACCESS_LOG": True, "AFTER_LOGOUT_URL": None}
    data = find(chart("header-mode", {"settings": odd}), "ConfigMap", "oidc-authservice-parameters")["data"]
    assert {key: data.get(key) for key in odd} == {
        "USERID_PREFIX": "a: b\n  c: &d", "OIDC_SCOPES": "yes", "SESSION_MAX_AGE": "3600", "ACCESS_LOG": "true", "AFTER_LOGOUT_URL": None}


# ---------------- What is refused

def settings(**changes):
    return {"settings": {**GOOD, **changes}}


REFUSED = [
    ({}, "OIDC_PROVIDER"),
    ({"settings": {"OIDC_PROVIDER": GOOD["OIDC_PROVIDER"]}}, "REDIRECT_URL"),
    (settings(OIDC_PROVIDER="keycloak.example.com/realms/r"), "OIDC_PROVIDER"),
    (settings(REDIRECT_URL="/authservice/oidc/callback"), "REDIRECT_URL"),
    (settings(REDIRECT_URL="https://k.example.org/*"), "REDIRECT_URL"),
    (settings(REDIRECT_URL="https://k.example.org/elsewhere"), "AUTHSERVICE_URL_PREFIX"),
    (settings(AUTHSERVICE_URL_PREFIX="/"), "AUTHSERVICE_URL_PREFIX"),
    (settings(CLIENT_SECRET="in-a-file-of-values"), "CLIENT_SECRET"),
    (settings(CRYPTO_KEY="in-a-file-of-values"), "CRYPTO_KEY"),
    (settings(MEMCACHED_PASSWORD="in-a-file-of-values"), "MEMCACHED_PASSWORD"),
    (settings(MEMCACHED_SERVERS="a:11211"), "MEMCACHED_SERVERS"),
    (settings(SESSION_SAME_SITE="lax"), "SESSION_SAME_SITE"),
    (settings(SESSION_MAX_AGE="1d"), "SESSION_MAX_AGE"),
    (settings(LOG_LEVEL="loud"), "LOG_LEVEL"),
    (settings(REQUIRE_VERIFIED_EMAIL="yes"), "REQUIRE_VERIFIED_EMAIL"),
    (settings(USERID_HEADER="kubeflow userid"), "USERID_HEADER"),
    (settings(PUBLIC_URL="https://k.example.org/path"), "PUBLIC_URL"),
    (settings(SKIP_AUTH_URLS=["/a"]), "SKIP_AUTH_URLS"),
    (settings(oidc_scopes="openid"), "oidc_scopes"),
    ({**settings(), "mode": "oauth2-proxy"}, "mode"),
    ({**settings(), "setings": {}}, "setings"),
    ({**settings(), "image": {"tag": "latest"}}, "tag"),
    ({**settings(), "image": {"digest": "sha256:abc"}}, "digest"),
    ({**settings(), "replicas": 0}, "replicas"),
    ({**settings(), "resources": {"limits": None}}, "limits"),
    ({**settings(), "secret": {"name": ""}}, "name"),
    ({**settings(), "secret": {"cryptoKeyKey": ""}}, "cryptoKeyKey"),
    ({**settings(), "gateway": {"check": "off"}}, "check"),
    ({**settings(), "gateway": {"selector": {"app": None}}}, "selector"),
    ({**settings(), "gateway": {"failOpen": True}}, "failOpen"),
    ({**settings(), "podLabels": {"app.kubernetes.io/component": "memcached"}}, "podLabels"),
    ({**settings(), "podAnnotations": {"sidecar.istio.io/inject": "true"}}, "podAnnotations"),
    ({**settings(), "memcached": {"servers": ["mc-1.example.com"], "inside": False}}, "servers"),
    ({**settings(), "memcached": {"image": "memcached"}}, "image"),
    ({**settings(), "gateway": {"requestPrincipals": {"enabled": True}, "check": "none"}}, "requestPrincipals"),
    ({**settings(CLIENT_ID=None), "gateway": {"requestPrincipals": {"enabled": True}}}, "CLIENT_ID"),
    ({**settings(), "gateway": {"requestPrincipals": {"jwksUri": "keys"}}}, "jwksUri"),
    ({**settings(), "gateway": {"gatewayAPI": "kubeflow", "check": "envoyFilter"}}, "gatewayAPI"),
    ({**settings(METRICS_PORT="off"), "podMonitor": {"enabled": True}}, "METRICS_PORT turns the metrics off"),
    (settings(METRICS_PORT="9091"), "METRICS_PORT"),
    ({**settings(), "podMonitor": {"enabled": True, "prometheusNamespace": ""}}, "prometheusNamespace"),
    ({**settings(), "podMonitor": {"enabled": True, "interval": "often"}}, "interval"),
    ({**settings(), "podMonitor": {"enabled": True, "labels": {"app.kubernetes.io/instance": "x"}}}, "app.kubernetes.io/instance"),
    ({**settings(), "memcached": {"inside": False}}, "several pods need memcached"),
    ({**settings(), "memcached": {"inside": False}, "autoscaling": {"enabled": False}}, "several pods need memcached"),
    ({**settings(), "memcached": {"servers": ["mc-1.example.com:11211"]}}, "memcached.inside"),
    ({**settings(), "autoscaling": {"minReplicas": 4, "maxReplicas": 3}}, "maxReplicas"),
]


@pytest.mark.parametrize("values, word", REFUSED, ids=[word.replace(" ", "-") + str(n) for n, (_, word) in enumerate(REFUSED)])
def test_wrong_values_are_refused(values, word):
    status, _, said = template(None, values)
    assert status != 0 and word in said, said
    assert "in-a-file-of-values" not in said


def test_the_values_above_are_good_but_for_their_fault():
    for values in (settings(), settings(SESSION_SAME_SITE="Lax", SESSION_MAX_AGE="60", LOG_LEVEL="debug", REQUIRE_VERIFIED_EMAIL="true"),
                   settings(PUBLIC_URL="https://k.example.org", AUTHSERVICE_URL_PREFIX="https://k.example.org/authservice/")):
        status, _, said = template(None, values)
        assert status == 0, said


def test_warnings_are_in_the_notes():
    assert "WARNING" not in notes("header-mode")
    assert "signs everybody out" in notes("one-pod")
    assert "Nothing is protected" in notes("header-mode", {"gateway": {"check": "none"}})
    assert "can act as any user" in notes("reverse-proxy", {"gateway": {"closed": False}})
    assert "can ask the judge" in notes("header-mode", {"networkPolicy": {"enabled": False}})


# ---------------- The guide

def test_the_guide_has_every_value():
    text = (CHART / "README.md").read_text(encoding="utf-8")
    known = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    for key, value in known.items():
        assert f"`{key}" in text, key
        if isinstance(value, dict) and key not in ("settings", "resources"):
            for part in value:
                assert re.search(rf"`{key}\.{part}|`\.?{part}\b", text), f"{key}.{part}"
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert set(schema["properties"]) == set(known) | {"global"}
    for name in NAMES:
        assert f"values/{name}.yaml" in text, name
