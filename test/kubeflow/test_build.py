# SPDX-License-Identifier: Apache-2.0
"""The components change Kubeflow's manifests, and fail when what they change is no longer there."""

import re
import shutil

import pytest
import yaml
from manifests import (ALL, JUDGE, KUBEFLOW, OVERLAYS, ROOT, UPSTREAM, StrictLoader, built, environment, example, find,
                       judge_of, kinds, kustomize, pods, read_all)

OLD = ["1.7", "1.8", "1.9.0"]
NEW = ["1.9.1", "1.10", "1.11", "26.03"]
FILES = sorted([*KUBEFLOW.rglob("*.yaml"), *UPSTREAM.rglob("*.yaml")])


@pytest.mark.parametrize("name", ALL)
def test_it_builds(name):
    documents = built(name)
    names = [(document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]) for document in documents]
    assert len(names) == len(set(names))
    if name not in ("keycloak", "groups-to-profiles"):
        judge_of(documents)


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
    from manifests import ALONE
    for entry in [*ALONE.values(), "components/request-principals",
                  *(f"components/groups-to-profiles/{part}" for part in ("apply", "prune")), *(row[0] for row in OVERLAYS.values()),
                  *(f"components/client-job/{row[1]}" for row in OVERLAYS.values())]:
        follow(KUBEFLOW / entry)
    assert {path.parent.resolve() for path in KUBEFLOW.rglob("kustomization.yaml")} == read


# ---------------- A: the names of oidc-authservice

@pytest.mark.parametrize("version", OLD)
def test_authservice_is_replaced(version):
    documents = built(version)
    gone = {("StatefulSet", "authservice"), ("StatefulSet", "oidc-authservice"), ("PersistentVolumeClaim", "authservice-pvc"),
            ("ClusterRole", "authn-delegator"), ("ClusterRoleBinding", "authn-delegators")}
    assert not gone & kinds(documents)
    container, template = judge_of(documents)
    assert [list(row.values())[0]["name"] for row in container["envFrom"]] == [
        "oidc-authservice-client", "oidc-authservice-parameters"]
    assert template["spec"]["serviceAccountName"] == "authservice"
    assert environment(container)["MODE"] == "judge"
    assert "CLIENT_SECRET_FILE" not in environment(container)
    assert "@" not in container["image"] and "STORE_PATH" in find(documents, "ConfigMap", "oidc-authservice-parameters")["data"]


@pytest.mark.parametrize("version", OLD)
def test_the_service_has_our_pods_alone(version):
    documents = built(version)
    service = find(documents, "Service", "authservice", "istio-system")
    _, template = judge_of(documents)
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    old = read_all((UPSTREAM / version / "statefulset.yaml").read_text(encoding="utf-8"))[0]
    assert not service["spec"]["selector"].items() <= old["spec"]["template"]["metadata"]["labels"].items()
    assert {(port["name"], port["port"]) for port in service["spec"]["ports"]} == {
        ("http-authservice", 8080), ("http-pages", 8082)}
    assert service["spec"]["publishNotReadyAddresses"] is True


@pytest.mark.parametrize("version", OLD)
def test_the_filter_asks_our_service(version):
    (patch,) = find(built(version), "EnvoyFilter", "authn-filter", "istio-system")["spec"]["configPatches"]
    assert patch["match"]["listener"]["filterChain"]["filter"]["name"] == "envoy.filters.network.http_connection_manager"
    config = patch["patch"]["value"]["typed_config"]
    assert config["http_service"]["server_uri"]["cluster"] == "outbound|8080||authservice.istio-system.svc.cluster.local"
    assert not config.get("failure_mode_allow")


def test_only_the_image(tmp_path):
    """The other way: upstream's folder with one line changed."""
    for version in OLD:
        folder = example(tmp_path / version, version, [])
        content = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
        content.update(yaml.safe_load(readme_block("images:\n")))
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
        status, text, said = kustomize(folder)
        assert status == 0, said
        (stateful,) = [row for row in read_all(text) if row["kind"] == "StatefulSet"]
        assert stateful["spec"]["template"]["spec"]["containers"][0]["image"] == JUDGE + ":0.1.0"


def readme_block(first_line):
    """The indented block of the README that begins with that line."""
    text = (KUBEFLOW / "README.md").read_text(encoding="utf-8")
    found = re.search(r"(?:^    " + re.escape(first_line.rstrip("\n")) + r"\n)(?:^    .*\n)*", text, re.M)
    assert found, f"README.md has no block that begins with {first_line}"
    return re.sub("^    ", "", found.group(0), flags=re.M)


# ---------------- B1: the names of oauth2-proxy

@pytest.mark.parametrize("version", NEW)
def test_oauth2_proxy_is_changed_in_place(version):
    documents = built(version + "/oauth2-proxy")
    upstream = find(read_all((UPSTREAM / "oauth2-proxy" / "names.yaml").read_text(encoding="utf-8")), "Deployment", "oauth2-proxy")
    deployment = find(documents, "Deployment", "oauth2-proxy", "oauth2-proxy")
    assert deployment["spec"]["selector"] == upstream["spec"]["selector"], "a selector cannot be changed in place"
    assert deployment["spec"]["selector"]["matchLabels"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    container, template = judge_of(documents)
    assert "args" not in container and template == deployment["spec"]["template"]
    known = environment(container)
    assert known["MODE"] == "oauth2-proxy" and known["OAUTH2_PROXY_SET_AUTHORIZATION_HEADER"] == "true"
    for name, key in (("COOKIE_SECURE", "FORCE_HTTPS"), ("OIDC_ISSUER_URL", "OIDC_PROVIDER"), ("CLIENT_ID", "CLIENT_ID"),
                      ("REDIRECT_URL", "REDIRECT_URL")):
        assert known["OAUTH2_PROXY_" + name]["configMapKeyRef"]["key"] == key
    names = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert names == {"http": 4180, "metrics": 44180}
    # At the gateway's port each 200 lets a request through: no probe is answered there.
    assert {container[probe]["httpGet"]["port"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")} == {"metrics"}
    scaled = find(documents, "HorizontalPodAutoscaler", "mod-auth-keycloak")["spec"]["scaleTargetRef"]["name"]
    assert scaled == "oauth2-proxy"
    policy = find(documents, "NetworkPolicy", "mod-auth-keycloak")
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": 4180, "protocol": "TCP"}]


@pytest.mark.parametrize("version", NEW)
def test_well_known_secrets_go(version):
    for way in ("oauth2-proxy", "header-mode"):
        documents = built(f"{version}/{way}")
        assert not [row for row in documents if row["kind"] == "Secret"]
        assert "everybody-knows" not in yaml.safe_dump_all(documents)


@pytest.mark.parametrize("version", NEW)
def test_the_gateway_believes_keycloaks_tokens_for_our_client(version):
    documents = built(version + "/oauth2-proxy")
    (rule,) = find(documents, "RequestAuthentication", "dex-jwt", "istio-system")["spec"]["jwtRules"]
    (parameters,) = [row["data"] for row in documents if row["kind"] == "ConfigMap"
                     and row["metadata"]["name"].startswith("oidc-authservice-parameters")]
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
    status, built_text, said = kustomize(example(tmp_path / "example", "1.11", ["overlays/1.11/oauth2-proxy"],
                                                 tmp_path / "kubeflow"))
    assert status == 0, said
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
    assert not gone & kinds(documents)
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
    dashboard = find(documents, "Deployment", "centraldashboard", "kubeflow")["spec"]["template"]["spec"]["containers"][0]
    assert environment(dashboard)["LOGOUT_URL"] == "/authservice/logout"


@pytest.mark.parametrize("name", [*OLD, *(f"{version}/header-mode" for version in NEW)])
def test_addresses_with_a_body_have_a_route(name):
    documents = built(name)
    (route,) = [row for row in documents if row["kind"] == "VirtualService"]
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
    assert {row["kind"] for row in documents} & {"ClusterRole", "ClusterRoleBinding"} == set()


# ---------------- When upstream renames something

def renames():
    """Each thing of upstream's that an overlay changes; what it leaves alone may have any name."""
    left = {("Namespace", "oauth2-proxy")}
    by_way = {"oauth2-proxy": left | {("VirtualService", "oauth2-proxy"), ("ConfigMap", "istio"), ("Deployment", "centraldashboard")},
              "header-mode": left, "oidc-authservice": left}
    for name in ("1.7", "1.9.0", "1.9.1/oauth2-proxy", "26.03/header-mode"):
        version, way = name.split("/")[0], OVERLAYS[name][1]
        folders = [UPSTREAM / version, *((UPSTREAM / "authservice",) if version in OLD else (UPSTREAM / "mesh", UPSTREAM / "oauth2-proxy"))]
        for folder in folders:
            for path in sorted(folder.glob("*.yaml")):
                if path.name == "kustomization.yaml":
                    continue
                for document in read_all(path.read_text(encoding="utf-8")):
                    kind, known = document["kind"], document["metadata"]["name"]
                    if (kind, known) not in by_way[way]:
                        yield pytest.param(name, path, kind, known, id=f"{name}-{kind}-{known}")


@pytest.mark.parametrize("name, path, kind, known", renames())
def test_a_renamed_resource_fails(tmp_path, name, path, kind, known):
    upstream = tmp_path / "upstream"
    shutil.copytree(UPSTREAM, upstream)
    documents = read_all(path.read_text(encoding="utf-8"))
    find(documents, kind, known)["metadata"]["name"] = known + "-renamed"
    (upstream / path.relative_to(UPSTREAM)).write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    status, _, said = kustomize(example(tmp_path / "example", name.split("/")[0], [OVERLAYS[name][0]], upstream=upstream))
    assert status != 0, f"{kind} {known} was renamed upstream, and nobody noticed"
    assert known in said


def test_pods_of_upstream_are_not_taken_for_ours():
    assert [name for name, _, _ in pods(built("1.11/oauth2-proxy"))] == ["oauth2-proxy", "judge-memcached"]


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
