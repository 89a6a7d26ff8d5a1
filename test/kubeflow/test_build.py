# SPDX-License-Identifier: Apache-2.0
"""The components change Kubeflow's manifests, and fail when what they change is no longer there."""

import re
import shutil
import tempfile

import pytest
import yaml
from manifests import (ALL, ALONE, JUDGE, KUBEFLOW, KUSTOMIZES, NEW, OLD, OVERLAYS, ROOT, UPSTREAM, VERSIONS, StrictLoader, Tree, before, built,
                       environment, find, identity, index, judge_of, kinds, kustomize, ours, overlays_of, pods, read_all, rendered)

FILES = sorted(KUBEFLOW.rglob("*.yaml"))
README = (KUBEFLOW / "README.md").read_text(encoding="utf-8")
# Each version, way and overlay of upstream's oauth2-proxy that the way is put onto.
EVERY = [(version, way, overlay) for version in NEW for way in ("oauth2-proxy", "header-mode") for overlay in overlays_of(version)]
GATEWAY = {"app": "istio-ingressgateway", "istio": "ingressgateway"}


@pytest.mark.parametrize("name", ALL)
def test_it_builds(name):
    documents = built(name)
    names = [identity(document) for document in documents]
    assert len(names) == len(set(names))
    if name not in ("keycloak", "groups-to-profiles"):
        judge_of(documents)


@pytest.mark.parametrize("kustomize_version", KUSTOMIZES)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_way_builds_by_every_kustomize(version, kustomize_version):
    """Upstream's own files, edited as README.md says; both kustomizes make the same of them."""
    ways = [row[1] for name, row in OVERLAYS.items() if name.split("/")[0] == version] + ["reverse-proxy"]
    for way in ways:
        documents = read_all(rendered(version, way, None, None, kustomize_version))
        assert len(documents) > 100
        if kustomize_version != "newest":
            newest = read_all(rendered(version, way))
            assert {identity(row): row for row in documents} == {identity(row): row for row in newest}


@pytest.mark.parametrize("name", ALONE)
def test_it_builds_by_the_old_kustomize(name):
    status, text, said = kustomize(KUBEFLOW / ALONE[name], "5.0.3")
    assert status == 0, said
    assert {identity(row): row for row in read_all(text)} == {identity(row): row for row in built(name)}


def test_no_key_is_there_twice():
    assert len(FILES) > 40
    for path in FILES:
        try:
            list(yaml.load_all(path.read_text(encoding="utf-8"), StrictLoader))
        except yaml.YAMLError as error:
            pytest.fail(f"{path.relative_to(ROOT)}: {error}")
    with pytest.raises(yaml.YAMLError):
        read_all("a: 1\nb: 2\na: 3\n")


def test_every_folder_is_tried():
    """A kustomization that no build reads is one that nobody has tried."""
    read = set()
    def follow(folder):
        folder = folder.resolve()
        if folder in read or folder.is_file():
            return
        read.add(folder)
        content = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        for entry in content.get("resources", []) + content.get("components", []):
            follow(folder / entry)
    for entry in [*ALONE.values(), "components/request-principals", "components/gateway-api", "components/pod-monitor",
                  *(f"components/groups-to-profiles/{part}" for part in ("apply", "prune")), *(row[0] for row in OVERLAYS.values()),
                  *(f"components/client-job/{row[1]}" for row in OVERLAYS.values())]:
        follow(KUBEFLOW / entry)
    assert {path.parent.resolve() for path in KUBEFLOW.rglob("kustomization.yaml")} == read


# ---------------- A: the names of oidc-authservice

@pytest.mark.parametrize("version", OLD)
def test_authservice_is_replaced(version):
    documents = built(version)
    gone = {("StatefulSet", "authservice"), ("StatefulSet", "oidc-authservice"), ("PersistentVolumeClaim", "authservice-pvc"),
            ("Deployment", "dex"), ("Deployment", "oauth2-proxy"),
            ("ClusterRole", "authn-delegator"), ("ClusterRoleBinding", "authn-delegators")}
    assert not gone & kinds(documents)
    container, template = judge_of(documents)
    assert [list(row.values())[0]["name"] for row in container["envFrom"]] == [
        "oidc-authservice-client", "oidc-authservice-parameters"]
    assert template["spec"]["serviceAccountName"] == "mod-auth-keycloak"
    assert environment(container)["MODE"] == "judge"
    assert "CLIENT_SECRET_FILE" not in environment(container)
    assert "@" not in container["image"] and "STORE_PATH" in find(documents, "ConfigMap", "oidc-authservice-parameters")["data"]


@pytest.mark.parametrize("version", OLD)
def test_the_service_has_our_pods_alone(version):
    documents = built(version)
    service = find(documents, "Service", "authservice", "istio-system")
    _, template = judge_of(documents)
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    with_old = upstream_authservice(version)
    (old,) = [row for row in with_old if row["kind"] == "StatefulSet"]
    assert not service["spec"]["selector"].items() <= old["spec"]["template"]["metadata"]["labels"].items()
    # Nor does upstream's Service select pods of ours, which are started before it is changed.
    selector = find(with_old, "Service", "authservice")["spec"]["selector"]
    assert not selector.items() <= template["metadata"]["labels"].items() and set(selector) == set(service["spec"]["selector"])
    assert {(port["name"], port["port"]) for port in service["spec"]["ports"]} == {
        ("http-authservice", 8080), ("http-pages", 8082)}
    # With it Kubernetes would have a pod asked until it is gone, though it ends.
    assert service["spec"]["publishNotReadyAddresses"] is False


@pytest.mark.parametrize("version", OLD)
def test_the_filter_asks_our_service(version):
    (patch,) = find(built(version), "EnvoyFilter", "authn-filter", "istio-system")["spec"]["configPatches"]
    assert patch["match"]["listener"]["filterChain"]["filter"]["name"] == "envoy.filters.network.http_connection_manager"
    config = patch["patch"]["value"]["typed_config"]
    assert config["http_service"]["server_uri"]["cluster"] == "outbound|8080||authservice.istio-system.svc.cluster.local"
    assert not config.get("failure_mode_allow")


def upstream_authservice(version):
    """Upstream's folder as it is."""
    with tempfile.TemporaryDirectory() as folder:
        status, text, said = kustomize(Tree(folder, version).walk_through(), "5.0.3")
        assert status == 0, said
        return read_all(text)


@pytest.mark.parametrize("kustomize_version", KUSTOMIZES)
@pytest.mark.parametrize("version", OLD)
def test_only_the_image(tmp_path, version, kustomize_version):
    """The other way: upstream's folder with one line changed."""
    folder = Tree(tmp_path / version, version).walk_through()
    content = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    content.update(yaml.safe_load(readme_block("images:\n")))
    # With a registry, and in kind.
    for policy in ("Always", "IfNotPresent"):
        if policy == "IfNotPresent":
            content.update(yaml.safe_load(re.search(r"^    (patches: \[.*StatefulSet.*)$", README, re.M).group(1)))
        assert policy_of_the_image(folder, content, kustomize_version) == policy


def policy_of_the_image(folder, content, kustomize_version):
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    status, text, said = kustomize(folder, kustomize_version)
    assert status == 0, said
    (stateful,) = [row for row in read_all(text) if row["kind"] == "StatefulSet"]
    (container,) = stateful["spec"]["template"]["spec"]["containers"]
    assert container["image"] == JUDGE + ":0.1.0"
    return container["imagePullPolicy"]


@pytest.mark.parametrize("kustomize_version", KUSTOMIZES)
def test_the_walk_throughs_own_tree(tmp_path, kustomize_version):
    """Installations that came from 1.7 have its name of the StatefulSet in a later version's tree."""
    tree = Tree(tmp_path, "1.8")
    path = tree.walk_through() / "statefulset.yaml"
    text = path.read_text(encoding="utf-8")
    named = "metadata:\n  name: oidc-authservice\n"
    assert text.count(named) == 1
    path.write_text(text.replace(named, named.replace("oidc-", "")), encoding="utf-8")
    tree.follow_guide("oidc-authservice")
    documents = read_all(tree.build(kustomize_version))
    assert [row["metadata"]["name"] for row in documents if row["kind"] == "StatefulSet"
            and row["metadata"].get("namespace") == "istio-system"] == ["judge-memcached"]


@pytest.mark.parametrize("version", OLD)
def test_what_is_started_first_has_its_settings(version):
    """`kubectl apply -l`, the first step of the guide: everything that the pods name is applied, or is made by hand."""
    documents = built(version)
    first = [row for row in documents if row["metadata"].get("labels", {}).get("app.kubernetes.io/part-of") == "mod-auth-keycloak"]
    container, template = judge_of(first)
    for row in container["envFrom"]:
        for kind, reference in row.items():
            assert find(first, {"configMapRef": "ConfigMap", "secretRef": "Secret"}[kind], reference["name"])
    assert find(first, "ServiceAccount", template["spec"]["serviceAccountName"])
    assert not [row for row in first if row["kind"] in ("EnvoyFilter", "VirtualService") or row["metadata"]["name"] == "authservice"]


def readme_block(first_line):
    """The indented block of the README that begins with that line."""
    text = (KUBEFLOW / "README.md").read_text(encoding="utf-8")
    found = re.search(r"(?:^    " + re.escape(first_line.rstrip("\n")) + r"\n)(?:^    .*\n)*", text, re.M)
    assert found, f"README.md has no block that begins with {first_line}"
    return re.sub("^    ", "", found.group(0), flags=re.M)


# ---------------- B1: the names of oauth2-proxy

@pytest.mark.parametrize("version", NEW)
def test_the_judge_is_behind_oauth2_proxys_service(version):
    documents = built(version + "/oauth2-proxy")
    assert ("Deployment", "oauth2-proxy") not in kinds(documents)
    deployment = find(documents, "Deployment", "mod-auth-keycloak", "oauth2-proxy")
    assert deployment["spec"]["selector"]["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selector = find(documents, "Service", "oauth2-proxy", "oauth2-proxy")["spec"]["selector"]
    old = find(before(version), "Service", "oauth2-proxy", "oauth2-proxy")["spec"]["selector"]
    assert selector.items() <= labels.items() and not old.items() <= labels.items()
    assert set(old) == set(selector), "a label that is left over would select nothing"
    container, template = judge_of(documents)
    assert "args" not in container and template == deployment["spec"]["template"]
    known = environment(container)
    assert known["MODE"] == "oauth2-proxy" and known["OAUTH2_PROXY_SET_AUTHORIZATION_HEADER"] == "true"
    for name, key in (("COOKIE_SECURE", "FORCE_HTTPS"), ("OIDC_ISSUER_URL", "OIDC_PROVIDER"), ("CLIENT_ID", "CLIENT_ID"),
                      ("REDIRECT_URL", "REDIRECT_URL")):
        assert known["OAUTH2_PROXY_" + name]["configMapKeyRef"]["key"] == key
    names = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert names == {"http": 4180, "http-health": 44180, "metrics": 9090}
    # At the gateway's port each 200 lets a request through: no probe is answered there.
    assert {container[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {"http-health"}
    scaled = find(documents, "HorizontalPodAutoscaler", "mod-auth-keycloak")["spec"]["scaleTargetRef"]["name"]
    assert scaled == "mod-auth-keycloak"
    policy = find(documents, "NetworkPolicy", "mod-auth-keycloak")
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": 4180, "protocol": "TCP"}]


@pytest.mark.parametrize("version", NEW)
def test_well_known_secrets_go(version):
    for way in ("oauth2-proxy", "header-mode"):
        documents = built(f"{version}/{way}")
        known = [row for row in before(version) if row["kind"] == "Secret" and row["metadata"].get("namespace") in ("oauth2-proxy", "auth")]
        assert known and not {identity(row) for row in known} & {identity(row) for row in documents}
        text = yaml.safe_dump_all(documents)
        for value in (value for row in known for value in row.get("data", {}).values() if len(value) > 40):
            assert value not in text


@pytest.mark.parametrize("version", NEW)
def test_the_gateway_believes_keycloaks_tokens_for_our_client(version):
    documents = built(version + "/oauth2-proxy")
    (rule,) = find(documents, "RequestAuthentication", "dex-jwt", "istio-system")["spec"]["jwtRules"]
    (parameters,) = [row["data"] for row in documents if row["kind"] == "ConfigMap"
                     and row["metadata"]["name"].startswith("oidc-authservice-parameters")]
    assert find(documents, "RequestAuthentication", "dex-jwt")["spec"].get("selector") == find(
        before(version), "RequestAuthentication", "dex-jwt")["spec"].get("selector")
    assert rule["issuer"] == parameters["OIDC_PROVIDER"]
    assert rule["audiences"] == [parameters["CLIENT_ID"]]
    assert rule["jwksUri"] == rule["issuer"] + "/protocol/openid-connect/certs"
    assert rule["forwardOriginalToken"] is True
    assert {row["header"]: row["claim"] for row in rule["outputClaimToHeaders"]} == {
        "kubeflow-userid": "email", "kubeflow-groups": "groups"}


@pytest.mark.parametrize("version", NEW)
def test_nothing_of_dex_is_exempt(version):
    documents = built(version + "/oauth2-proxy")
    for name in ("istio-ingressgateway-oauth2-proxy", "istio-ingressgateway-require-jwt"):
        policy = find(documents, "AuthorizationPolicy", name, "istio-system")
        assert policy["spec"]["rules"][0]["to"] == [{"operation": {"notPaths": ["/oauth2/*"]}}]
        assert policy["spec"]["selector"] == {"matchLabels": {"app": "istio-ingressgateway"}}
    assert find(documents, "AuthorizationPolicy", "istio-ingressgateway-oauth2-proxy")["spec"]["provider"] == {
        "name": "oauth2-proxy"}


def test_one_place_for_the_realm(tmp_path):
    """Issuer and audience follow params.env."""
    shutil.copytree(KUBEFLOW, tmp_path / "kubeflow")
    base = tmp_path / "kubeflow/components/oauth2-proxy/judge/base"
    text = (base / "params.env").read_text(encoding="utf-8")
    text = re.sub("OIDC_PROVIDER=.*", "OIDC_PROVIDER=https://sso.example.org/realms/other", text)
    text = re.sub("CLIENT_ID=.*", "CLIENT_ID=another", text)
    (base / "params.env").write_text(text, encoding="utf-8")
    (base / "keys.env").write_text("JWKS_URI=http://inside.example.org/keys\n", encoding="utf-8")
    tree = Tree(tmp_path / "tree", "1.11", tmp_path / "kubeflow")
    tree.follow_guide("oauth2-proxy")
    built_text = tree.build()
    (rule,) = find(read_all(built_text), "RequestAuthentication", "dex-jwt")["spec"]["jwtRules"]
    assert (rule["issuer"], rule["audiences"], rule["jwksUri"]) == (
        "https://sso.example.org/realms/other", ["another"], "http://inside.example.org/keys")


# ---------------- B2: a provider of its own

@pytest.mark.parametrize("version", NEW)
def test_header_mode_judges_every_request(version):
    documents = built(version + "/header-mode")
    gone = {("Deployment", "oauth2-proxy"), ("Service", "oauth2-proxy"), ("VirtualService", "oauth2-proxy"),
            ("AuthorizationPolicy", "istio-ingressgateway-oauth2-proxy"), ("RequestAuthentication", "dex-jwt"),
            ("AuthorizationPolicy", "istio-ingressgateway-require-jwt")}
    assert not gone & kinds(documents) and len(gone & kinds(before(version))) >= (4 if version == "1.9.0" else 6)
    policy = find(documents, "AuthorizationPolicy", "istio-ingressgateway-mod-auth-keycloak", "istio-system")["spec"]
    assert policy["rules"] == [{}] and policy["action"] == "CUSTOM"
    mesh = yaml.safe_load(find(documents, "ConfigMap", "istio", "istio-system")["data"]["mesh"])
    (provider,) = mesh["extensionProviders"]
    assert provider["name"] == policy["provider"]["name"]
    judge = provider["envoyExtAuthzHttp"]
    assert judge["failOpen"] is False and judge["timeout"] == "30s"
    service = find(documents, "Service", "mod-auth-keycloak", "mod-auth-keycloak")
    assert judge["service"] == "mod-auth-keycloak.mod-auth-keycloak.svc.cluster.local"
    assert judge["port"] in [port["port"] for port in service["spec"]["ports"]]
    assert {"kubeflow-userid", "kubeflow-groups", "cookie"} <= set(judge["headersToUpstreamOnAllow"])
    assert all(name == name.lower() for name in judge["includeRequestHeadersInCheck"])
    assert logout_url(documents) == "/authservice/logout"


def logout_url(documents):
    """Where the button of the dashboard leads to."""
    (dashboard,) = [row for row in documents if row["kind"] == "Deployment"
                    and row["metadata"]["name"] in ("centraldashboard", "dashboard")]
    (container,) = dashboard["spec"]["template"]["spec"]["containers"]
    return environment(container)["LOGOUT_URL"]


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_button_signs_out(name):
    assert logout_url(built(name)) == ("/oauth2/sign_out" if name.endswith("oauth2-proxy") else "/authservice/logout")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_button_signs_out_behind_the_proxy(version):
    assert logout_url(read_all(rendered(version, "reverse-proxy"))) == "/authservice/logout"


# ---------------- What acts at the gateway

def at_the_gateway(documents):
    """What authenticates or authorizes at the ingress gateway, but for upstream's rule that lets all requests to it."""
    found = set()
    for row in documents:
        spec = row.get("spec", {})
        if row["kind"] not in ("RequestAuthentication", "AuthorizationPolicy", "EnvoyFilter", "WasmPlugin") or (
                row["metadata"].get("namespace") != "istio-system"):
            continue
        if re.fullmatch(r"(tcp-)?stats-filter-[\d.]+", row["metadata"]["name"]):
            continue
        labels = spec.get("selector", {}).get("matchLabels", spec.get("workloadSelector", {}).get("labels", {}))
        if labels.items() <= GATEWAY.items() and (row["kind"], row["metadata"]["name"]) not in HARMLESS:
            found.add((row["kind"], row["metadata"]["name"]))
    return found


# Upstream's: everything may talk to the gateway, nothing to a pod without a rule of its own, a header, and Istio's statistics.
HARMLESS = {("AuthorizationPolicy", "istio-ingressgateway"), ("AuthorizationPolicy", "global-deny-all"),
            ("EnvoyFilter", "x-forwarded-host")}
DEX = {("AuthorizationPolicy", "istio-ingressgateway-oauth2-proxy"), ("AuthorizationPolicy", "istio-ingressgateway-require-jwt"),
       ("RequestAuthentication", "dex-jwt")}
M2M = {("RequestAuthentication", "m2m-token-issuer")}


def before_resources(version):
    """The resources of upstream's example as it is."""
    return yaml.safe_load((UPSTREAM / "files" / index(version)["files"]["example/kustomization.yaml"]).read_text(
        encoding="utf-8"))["resources"]


@pytest.mark.parametrize("version, way, overlay", EVERY)
def test_only_what_belongs_to_the_way_acts_at_the_gateway(version, way, overlay):
    default = [row for row in before_resources(version) if row.endswith("/" + overlay)]
    documents = read_all(rendered(version, way, None if default else overlay, None, "5.0.3"))
    if way == "header-mode":
        # jwt_authn runs after the judge: it would refuse Keycloak's tokens and take the judge's identity away.
        assert at_the_gateway(documents) == {("AuthorizationPolicy", "istio-ingressgateway-mod-auth-keycloak")}
        assert not [row for row in documents if row["kind"] == "CronJob"], "it would write to what is gone"
    else:
        assert at_the_gateway(documents) == DEX | (set() if overlay == "m2m-dex-only" else M2M)
    assert ("Deployment", "oauth2-proxy") not in kinds(documents) and ("Deployment", "dex") not in kinds(documents)


def test_every_overlay_of_upstream_is_tried():
    assert {overlay for _, _, overlay in EVERY} == {"m2m", "m2m-self-signed", "m2m-dex-only", "m2m-dex-and-kind", "m2m-dex-and-eks"}
    for version in NEW[1:]:
        assert at_the_gateway(before(version)) == DEX
    assert M2M <= at_the_gateway(before("1.9.0"))


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_but_the_proxy_judges_behind_the_proxy(version):
    assert at_the_gateway(read_all(rendered(version, "reverse-proxy"))) == set()


@pytest.mark.parametrize("version", OLD)
def test_only_our_filter_judges(version):
    assert at_the_gateway(built(version)) == {("EnvoyFilter", "authn-filter")}


def policies_for(documents, namespace, labels):
    """Network policies that select a pod: what one of them allows is allowed."""
    for row in documents:
        if row["kind"] == "NetworkPolicy" and row["metadata"].get("namespace") == namespace:
            selector = row["spec"].get("podSelector", {})
            wanted = [(key, [value]) for key, value in selector.get("matchLabels", {}).items()]
            wanted += [(part["key"], part["values"]) for part in selector.get("matchExpressions", []) if part["operator"] == "In"]
            if all(labels.get(key) in values for key, values in wanted):
                yield row


@pytest.mark.parametrize("name", OVERLAYS)
def test_upstreams_network_policies_add_nothing_to_ours(name):
    documents = built(name)
    for pod, namespace, template in pods(documents):
        found = {row["metadata"]["name"] for row in policies_for(documents, namespace, template["metadata"]["labels"])}
        assert found in ({"mod-auth-keycloak"}, {"judge-memcached"}), (pod, found)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_gateway_is_closed_behind_the_proxy(version):
    documents = read_all(rendered(version, "reverse-proxy")) + built("reverse-proxy")
    found = {row["metadata"]["name"]: row for row in policies_for(documents, "istio-system", GATEWAY)
             if "Ingress" in row["spec"].get("policyTypes", ["Ingress"])}
    assert found.pop("istio-ingressgateway-from-proxy")
    # README.md names these: namespaces in which users have no pods.
    for name, row in found.items():
        assert name in README and version not in VERSIONS[:VERSIONS.index("26.03")]
        for peer in (peer for rule in row["spec"]["ingress"] for peer in rule["from"]):
            assert peer in ({"podSelector": {}}, {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "knative-serving"}}})


@pytest.mark.parametrize("name", [*OLD, *(f"{version}/header-mode" for version in NEW)])
def test_addresses_with_a_body_have_a_route(name):
    documents = built(name)
    (route,) = [row for row in documents if row["kind"] == "VirtualService"
                and row["metadata"]["name"] in ("authservice", "mod-auth-keycloak")]
    assert route["spec"]["gateways"] == ["kubeflow/kubeflow-gateway"]
    (http,) = route["spec"]["http"]
    matched = {list(match["uri"].items())[0] for match in http["match"]}
    assert {("exact", "/authservice/backchannel-logout"), ("exact", "/authservice/sessions")} <= matched
    (destination,) = http["route"]
    service = [row for row in documents if row["kind"] == "Service" and destination["destination"]["host"]
               == f"{row['metadata']['name']}.{row['metadata']['namespace']}.svc.cluster.local"]
    assert destination["destination"]["port"]["number"] in [port["port"] for port in service[0]["spec"]["ports"]]


@pytest.mark.parametrize("name, service", [("reverse-proxy", "mod-auth-keycloak"), ("sidecar", "web-application")])
def test_browsers_meet_no_pod_that_is_not_ready(name, service):
    """Nothing before these passes by a pod that does not answer yet."""
    assert not find(built(name), "Service", service)["spec"].get("publishNotReadyAddresses")


# ---------------- The Job

@pytest.mark.parametrize("name", OVERLAYS)
def test_the_job_and_the_judge_share_settings_and_secret(name):
    documents = built(name + "+job")
    job = find(documents, "Job", "keycloak-client")
    judge, template = judge_of(documents)
    config = [row["configMapRef"]["name"] for row in judge["envFrom"] if "configMapRef" in row]
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert config == [row["configMapRef"]["name"] for row in container["envFrom"]]
    assert find(documents, "ConfigMap", config[0], job["metadata"]["namespace"])
    secret = [row["secret"] for row in template["spec"]["volumes"] if "secret" in row][0]
    assert secret["secretName"] == environment(container)["SECRET_NAME"]
    assert {item["key"] for item in secret["items"]} == {"client-secret", "crypto-key"}
    files = [value for key, value in environment(judge).items() if key.endswith("CLIENT_SECRET_FILE")]
    assert files == ["/etc/mod-auth-keycloak/client-secret"]
    assert "data" not in find(documents, "Secret", secret["secretName"], job["metadata"]["namespace"])


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_job_may_touch_one_secret(name):
    documents = built(name + "+job")
    role = find(documents, "Role", "keycloak-client")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["mod-auth-keycloak"],
                              "verbs": ["get", "patch"]}]
    binding = find(documents, "RoleBinding", "keycloak-client")
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "keycloak-client",
                                    "namespace": role["metadata"]["namespace"]}]
    assert {row["kind"] for row in ours(name + "+job")} & {"ClusterRole", "ClusterRoleBinding"} == set()


# ---------------- When upstream renames something

# Each thing of upstream's that an overlay changes or deletes by its name, and the file of its name's only mention.
RENAMES = [
    *(("1.8", "common/oidc-client/oidc-authservice/base/" + file, kind, name) for file, kind, name in (
        ("service.yaml", "Service", "authservice"), ("pvc.yaml", "PersistentVolumeClaim", "authservice-pvc"),
        ("envoy-filter.yaml", "EnvoyFilter", "authn-filter"), ("rbac.yaml", "ClusterRole", "authn-delegator"))),
    *((version + "/" + way, "common/oauth2-proxy/base/deployment.yaml", "Deployment", "oauth2-proxy")
      for version in ("1.9.1", "master") for way in ("oauth2-proxy", "header-mode")),
    *(("1.11/" + way, "common/oauth2-proxy/components/istio-external-auth/" + file, kind, name)
      for way in ("oauth2-proxy", "header-mode") for file, kind, name in (
          ("requestauthentication.dex-jwt.yaml", "RequestAuthentication", "dex-jwt"),
          ("authorizationpolicy.istio-ingressgateway-require-jwt.yaml", "AuthorizationPolicy", "istio-ingressgateway-require-jwt"),
          ("authorizationpolicy.istio-ingressgateway-oauth2-proxy.yaml", "AuthorizationPolicy",
           "istio-ingressgateway-oauth2-proxy"))),
    *(("master/" + way, "common/oauth2-proxy/base/" + file, "NetworkPolicy", name) for way in ("oauth2-proxy", "header-mode")
      for file, name in (("default-allow-same-namespace.yaml", "default-allow-same-namespace-oauth2-proxy"),
                         ("allow-istio-ingressgateway.yaml", "allow-istio-ingressgateway"))),
    ("26.03.1/header-mode", "applications/dashboard/upstream/centraldashboard/base/deployment.yaml", "Deployment", "dashboard"),
    ("1.10/header-mode", "applications/centraldashboard/upstream/base/deployment.yaml", "Deployment", "centraldashboard"),
]


@pytest.mark.parametrize("name, path, kind, known", RENAMES)
def test_a_renamed_resource_fails(tmp_path, name, path, kind, known):
    version, way = name.split("/")[0], OVERLAYS[name][1]
    tree = Tree(tmp_path, version)
    documents = read_all((tree.folder / path).read_text(encoding="utf-8"))
    find(documents, kind, known)["metadata"]["name"] = known + "-renamed"
    (tree.folder / path).write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    tree.follow_guide(way)
    status, _, said = kustomize(tree.folder / "example", "5.0.3")
    assert status != 0, f"{kind} {known} was renamed upstream, and nobody noticed"
    assert known in said


@pytest.mark.parametrize("version, way", [("1.9.0", "oidc-authservice"), ("1.11", "oidc-authservice")])
def test_a_way_refuses_a_tree_that_is_not_for_it(tmp_path, version, way):
    """The component for oidc-authservice on an example that signs in by oauth2-proxy."""
    tree = Tree(tmp_path, version)
    tree.add("overlays/1.9.0")
    status, _, said = kustomize(tree.folder / "example", "5.0.3")
    assert status != 0 and "authservice" in said


def test_pods_of_upstream_are_not_taken_for_ours():
    assert [name for name, _, _ in pods(built("1.11/oauth2-proxy"))] == ["mod-auth-keycloak", "judge-memcached"]


# ---------------- The guide

def test_the_guide_leads_somewhere():
    """Every link, every folder and every overlay that README.md names is there."""
    text = (KUBEFLOW / "README.md").read_text(encoding="utf-8")
    def anchors(content):
        titles = re.findall(r"^#+ (.*)$", content, re.M)
        return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        page = (KUBEFLOW / path).resolve() if path else KUBEFLOW / "README.md"
        assert page.is_file(), target
        assert not anchor or anchor in anchors(page.read_text(encoding="utf-8")), target
    for name in re.findall(r"common/mod-auth-keycloak/([\w./-]+)", text):
        assert (KUBEFLOW / name).exists(), name
    for name in re.findall(r"`((?:components|overlays|base|reverse-proxy)/[\w./-]+)`", text):
        assert (KUBEFLOW / name.replace("VERSION", "1.11")).exists(), name
    for way in ("1.7", "1.8", "1.9.0"):
        assert f"`{way}`" in text or f"overlays/{way}" in text
