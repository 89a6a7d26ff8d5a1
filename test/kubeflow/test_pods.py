# SPDX-License-Identifier: Apache-2.0
"""Every pod meets the strictest Kubernetes standard, is closed to others, and runs exactly named images."""

import copy
import re

import pytest
import yaml
from manifests import ALL, KUBEFLOW, OVERLAYS, ROOT, containers, environment, find, judge_of, ours, pods

SOURCES = sorted(path for path in KUBEFLOW.rglob("*") if path.is_file())
# What the standard "restricted" lets a pod have as volumes.
VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def faults(template):
    """What the standard "restricted" forbids in a pod, and what we ask for besides."""
    spec, found = template["spec"], []
    pod = spec.get("securityContext", {})
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            found.append(key)
    if pod.get("runAsNonRoot") is not True or pod.get("runAsUser") == 0:
        found.append("pod may run as root")
    if pod.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        found.append("pod has no seccomp profile")
    if set(pod) & {"sysctls", "seLinuxOptions", "windowsOptions", "appArmorProfile"}:
        found.append("pod has options of the host")
    for volume in spec.get("volumes", []):
        if not VOLUMES & set(volume):
            found.append(f"volume {volume['name']}")
    if spec.get("automountServiceAccountToken") is not False:
        found.append("token of the account is mounted")
    if not spec.get("serviceAccountName") or spec["serviceAccountName"] == "default":
        found.append("no account of its own")
    for container in containers(template):
        found += [f"{container['name']}: {fault}" for fault in container_faults(container)]
    return found


def container_faults(container):
    context, found = container.get("securityContext", {}), []
    if context.get("privileged") or context.get("allowPrivilegeEscalation") is not False:
        found.append("privileges")
    if context.get("capabilities") != {"drop": ["ALL"]}:
        found.append("capabilities")
    if context.get("runAsNonRoot") is False or context.get("runAsUser") == 0:
        found.append("runs as root")
    if context.get("seccompProfile", {"type": "RuntimeDefault"})["type"] not in ("RuntimeDefault", "Localhost"):
        found.append("seccomp")
    if "procMount" in context or any("hostPort" in port for port in container.get("ports", [])):
        found.append("options of the host")
    if context.get("readOnlyRootFilesystem") is not True:
        found.append("root can be written")
    resources = container.get("resources", {})
    if not {"cpu", "memory"} <= set(resources.get("requests", {})) or "memory" not in resources.get("limits", {}):
        found.append("resources")
    return found


# Keycloak writes what it builds at its first start beside its programs.
WRITES = {("keycloak", "keycloak: root can be written")}


@pytest.mark.parametrize("name", ALL)
def test_pods_are_restricted(name):
    seen = list(pods(ours(name)))
    assert len(seen) >= 1
    for pod, _, template in seen:
        assert [fault for fault in faults(template) if (pod, fault) not in WRITES] == [], pod


@pytest.mark.parametrize("change, fault", [
    (lambda spec: spec["securityContext"].pop("seccompProfile"), "pod has no seccomp profile"),
    (lambda spec: spec["securityContext"].update(runAsUser=0), "pod may run as root"),
    (lambda spec: spec["volumes"].append({"name": "x", "hostPath": {"path": "/"}}), "volume x"),
    (lambda spec: spec.pop("automountServiceAccountToken"), "token of the account is mounted"),
    (lambda spec: spec["containers"][0]["securityContext"].pop("allowPrivilegeEscalation"), "judge: privileges"),
    (lambda spec: spec["containers"][0]["securityContext"]["capabilities"].update(add=["NET_RAW"]), "judge: capabilities"),
    (lambda spec: spec["containers"][0]["securityContext"].update(readOnlyRootFilesystem=False), "judge: root can be written"),
    (lambda spec: spec.update(hostNetwork=True), "hostNetwork"),
])
def test_each_fault_is_found(change, fault):
    _, template = judge_of(ours("base"))
    template = copy.deepcopy(template)
    change(template["spec"])
    assert fault in faults(template)


# ---------------- Who may talk to whom

def selects(policy, namespace, labels):
    selector = policy["spec"]["podSelector"]
    return (policy["metadata"].get("namespace") == namespace and not selector.get("matchExpressions")
            and selector.get("matchLabels", {}).items() <= labels.items())


@pytest.mark.parametrize("name", ALL)
def test_every_pod_has_a_network_policy(name):
    documents = ours(name)
    policies = [row for row in documents if row["kind"] == "NetworkPolicy"]
    for pod, namespace, template in pods(documents):
        mine = [row for row in policies if selects(row, namespace, template["metadata"]["labels"])]
        assert {kind for row in mine for kind in row["spec"]["policyTypes"]} == {"Ingress", "Egress"}, pod
        for row in mine:
            for rule in row["spec"].get("ingress", []):
                assert rule.get("ports"), f"{pod}: all ports are open"


@pytest.mark.parametrize("name", [*OVERLAYS, "base"])
def test_the_judge_is_for_the_gateway_and_memcached_for_the_judge(name):
    documents = ours(name)
    judge = find(documents, "NetworkPolicy", "mod-auth-keycloak")["spec"]
    assert [rule["from"] for rule in judge["ingress"]] == [[{
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "istio-system"}},
        "podSelector": {"matchLabels": {"app": "istio-ingressgateway"}}}]]
    container, template = judge_of(documents)
    open_ports = {port["port"] for port in judge["ingress"][0]["ports"]}
    assert open_ports <= {port["containerPort"] for port in container["ports"]}
    memcached = find(documents, "NetworkPolicy", "judge-memcached")["spec"]
    (rule,) = memcached["ingress"]
    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    assert rule["ports"] == [{"port": 11211, "protocol": "TCP"}] and memcached["egress"] == []


@pytest.mark.parametrize("name", [*OVERLAYS, "base", "reverse-proxy", "sidecar"])
def test_sessions_are_on_two_memcached(name):
    documents = ours(name)
    stateful = find(documents, "StatefulSet", "judge-memcached")
    service = find(documents, "Service", "judge-memcached")
    assert service["spec"]["clusterIP"] == "None" and stateful["spec"]["serviceName"] == "judge-memcached"
    labels = stateful["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    container, template = judge_of(documents)
    servers = [row["value"] for row in container["env"] if row["name"] == "MEMCACHED_SERVERS"][0].split()
    assert servers == [f"judge-memcached-{number}.judge-memcached:11211" for number in range(stateful["spec"]["replicas"])]
    assert len(servers) == 2
    args = stateful["spec"]["template"]["spec"]["containers"][0]["args"]
    assert args[args.index("-U") + 1] == "0"
    # Their labels are not the judge's: what selects one must not select the other.
    for kind in ("NetworkPolicy", "PodDisruptionBudget"):
        for row in documents:
            if row["kind"] == kind and row["metadata"]["name"] in ("mod-auth-keycloak", "judge-memcached"):
                selector = row["spec"].get("podSelector", row["spec"].get("selector"))["matchLabels"]
                selected = [selector.items() <= labels.items(), selector.items() <= template["metadata"]["labels"].items()]
                assert sorted(selected) == [False, True], row["metadata"]["name"]


@pytest.mark.parametrize("name", [*OVERLAYS, "base", "reverse-proxy"])
def test_what_selects_pods_selects_some(name):
    """Services, budgets, rules and the autoscaler meet what they are for."""
    documents = ours(name)
    labelled = [(namespace, template["metadata"]["labels"]) for _, namespace, template in pods(documents)]
    for row in documents:
        selector = {"Service": lambda row: row["spec"]["selector"],
                    "PodDisruptionBudget": lambda row: row["spec"]["selector"]["matchLabels"],
                    "NetworkPolicy": lambda row: row["spec"]["podSelector"].get("matchLabels", {})}.get(row["kind"])
        if selector and row["metadata"].get("namespace") != "istio-system" or selector and name in ("1.7", "1.8", "1.9.0"):
            assert any(namespace == row["metadata"].get("namespace") and selector(row).items() <= labels.items()
                       for namespace, labels in labelled), f"{row['kind']} {row['metadata']['name']}"
    target = find(documents, "HorizontalPodAutoscaler", "mod-auth-keycloak")["spec"]["scaleTargetRef"]
    assert find(documents, target["kind"], target["name"])


@pytest.mark.parametrize("name", [*OVERLAYS, "base", "reverse-proxy"])
def test_nothing_goes_down_at_once(name):
    documents = ours(name)
    container, template = judge_of(documents)
    (deployment,) = [row for row in documents if row["kind"] == "Deployment" and row["spec"]["template"] == template]
    assert deployment["spec"]["replicas"] >= 2 and deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert container["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "10"]
    # preStop, DRAIN_SECONDS, what httpd gives to what is under way, and the few seconds that its end takes.
    file = "proxy.conf" if environment(container)["MODE"] == "proxy" else "httpd.conf"
    (under_way,) = re.findall(r"^GracefulShutdownTimeout (\d+)$", (ROOT / "docker/image" / file).read_text(), re.M)
    assert template["spec"]["terminationGracePeriodSeconds"] >= 10 + 5 + int(under_way) + 10
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        named = {port["name"] for port in container["ports"]}
        assert container[probe]["httpGet"]["port"] in named
    # A judge without Keycloak is not ready, but nothing that a restart would mend.
    assert container["livenessProbe"]["httpGet"]["path"] != container["readinessProbe"]["httpGet"]["path"]
    assert find(documents, "HorizontalPodAutoscaler", "mod-auth-keycloak")["spec"]["minReplicas"] == deployment["spec"]["replicas"]
    for budget in ("mod-auth-keycloak", "judge-memcached"):
        assert find(documents, "PodDisruptionBudget", budget)["spec"]["maxUnavailable"] == 1


# ---------------- Images and secrets

@pytest.mark.parametrize("name", ALL)
def test_images_are_named_exactly(name):
    for pod, _, template in pods(ours(name)):
        for container in containers(template):
            image = container["image"]
            assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]+/[a-z0-9/._-]+:[0-9]+\.[0-9]+(\.[0-9]+)?(-[a-z0-9.-]+)?(@sha256:[0-9a-f]{64})?",
                                image), f"{pod}: {image}"


@pytest.mark.parametrize("name", ALL)
def test_no_secret_has_a_value_of_ours(name):
    for row in ours(name):
        if row["kind"] == "Secret" and row["metadata"]["name"] != "oidc-authservice-client":
            assert not row.get("data") and not row.get("stringData"), row["metadata"]["name"]


def test_no_source_names_a_secret():
    value = re.compile(r"(?i)(secret|password|crypto[-_]?key|token)['\"]?\s*[:=]\s*['\"]?([^\s'\"]+)")
    for path in SOURCES:
        if path.suffix in (".py", ".md"):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            found = None if line.lstrip().startswith("#") else value.search(line)
            if found and not found.group(2).startswith(("${", "/etc/", "$", "true", "false", "[")):
                pytest.fail(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert value.search("CLIENT_SECRET=abc") and value.search('"secret": "abc"')


@pytest.mark.parametrize("name", OVERLAYS)
def test_secrets_are_files_that_others_cannot_read(name):
    _, template = judge_of(ours(name))
    (volume,) = [row["secret"] for row in template["spec"]["volumes"] if "secret" in row]
    assert volume["defaultMode"] == 0o440 and template["spec"]["securityContext"]["fsGroup"]
    assert not volume.get("optional"), "a pod without its key would seal sessions with one of its own"
    container, _ = judge_of(ours(name))
    assert [row for row in container["env"] if row["name"] == "CRYPTO_KEY_FILE"]
    assert "crypto" not in yaml.safe_dump([row for row in container["env"] if row["name"] != "CRYPTO_KEY_FILE"]).lower()
