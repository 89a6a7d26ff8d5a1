# SPDX-License-Identifier: Apache-2.0
"""Way B2 where Istio's gateway is one of the Gateway API: targetRefs and HTTPRoutes in place of selectors and VirtualServices."""

import pytest

from backend import Backend
from browser import SCRIPT, Browser
from image_judge import Judge
from istio import GATEWAY, Gateway
from manifests import find, read_all
from process import free_port, wait_for
from request_worlds import SecondEnvoy
from streams import StreamBackend, WebSocket
from test_istio import EVIL, FORGED, METHODS, asks_to_sign_in, bearer, names_nobody_else, other_client, refused
from world import JUDGES, World, rendered

LABEL = "gateway.networking.k8s.io/gateway-name"


class GatewayApiWorld(World):
    """Requests go to the Envoy that Istio would deploy for the Gateway; upstream's own gateway stands beside it."""

    def __init__(self, folder, realm):  # pylint: disable=super-init-not-called
        self.way, self.realm, self.prefix, self.is_judged = "B2", realm, "/authservice", True
        port = free_port()
        self.url = f"http://localhost:{port}"
        self.documents = rendered("B2", folder, realm, self.url, ["components/gateway-api"])
        self.backend, self.streams = Backend(), StreamBackend()
        self.judge = Judge(folder / "judge", self.documents, realm.secret)
        own = read_all((GATEWAY / "gateway-api.yaml").read_text(encoding="utf-8"))
        find(own, "Service", "kubeflow-istio")["spec"]["ports"][0]["targetPort"] = port
        gateway, pages = JUDGES["B2"]
        pods = {"centraldashboard.kubeflow:8082": self.backend.port, "ml-pipeline-ui.kubeflow:3000": self.backend.port,
                "one.team:8888": self.streams.port, gateway: self.judge.port, pages: self.judge.pages_port}
        self.gateway = Gateway(folder / "gateway", [*self.documents, *own], ["gateway.yaml"], pods)
        self.second = SecondEnvoy(self.gateway, port, "kubeflow-istio", {LABEL: "kubeflow"})
        self._browsers = {}

    def start(self):
        super().start()
        self.second.start()
        self.gateway.port, self.gateway.admin_port = self.second.port, self.second.admin_port


@pytest.fixture(scope="module")
def world(keycloak, tmp_path_factory):
    made = GatewayApiWorld(tmp_path_factory.mktemp("gateway-api"), keycloak.realm("gateway-api", "http://localhost:1"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def test_envoy_takes_all_of_it_and_asks_first(world):
    assert world.gateway.refused() == []
    names = [row["name"] for row in world.gateway.http_filters()]
    assert names[-1] == "envoy.filters.http.router" and [name for name in names if "ext_authz" in name], names


def test_signs_in_and_names_the_user_once(world):
    world.sign_in(path="/pipeline/?a=b")
    assert world.backend.requests[-1]["path"] == "/pipeline/?a=b"
    assert world.seen("kubeflow-userid") == ["alice@example.com"]
    assert world.groups() == ["data-science", "platform/admins"]


@pytest.mark.parametrize("name", FORGED)
def test_forged_names(world, name):
    headers = [(name, EVIL), (name, EVIL)]
    assert world.get(world.browser(), headers=headers).status == 200, world.log()
    assert names_nobody_else(world) and world.seen("kubeflow-userid") == ["alice@example.com"]
    assert world.get(None, "/public/x", headers).status == 200
    assert names_nobody_else(world), world.backend.requests[-1]["headers"]
    count = world.count()
    assert asks_to_sign_in(world, world.get(headers=headers))
    assert world.get(headers=headers, kind=SCRIPT).status == 401 and world.count() == count


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_judged(world, method):
    count = world.count()
    assert refused(world, world.get(method=method)) and refused(world, world.get(method=method, kind=SCRIPT))
    assert world.count() == count


@pytest.mark.parametrize("path", [
    "/public/../pipeline/x", "/public/%2e%2e/pipeline/x", "/public%2f..%2fpipeline/x", "/public/..;/pipeline/x", "/publicx",
    "/authservice/../pipeline/x", "/authservice/site/../../pipeline/x", "/authservice/site/%2e%2e/%2e%2e/pipeline/x",
    "/authservice/site%2f..%2f..%2fpipeline/x", "/authservice/backchannel-logout/../../pipeline/x", "//pipeline/x"])
def test_path_that_only_looks_public_is_protected(world, path):
    count = world.count()
    status = world.gateway.raw(f"GET {path} HTTP/1.1\r\nHost: localhost:{world.gateway.port}\r\nAccept: application/json\r\n"
                               "Connection: close\r\n\r\n".encode())
    assert status in (400, 401, 403, 404) and world.count() == count, (status, world.backend.requests[count:])


@pytest.mark.parametrize("name", ["X-Forwarded-Uri", "X-Original-URL", "x-envoy-original-path", "X-Original-URI"])
def test_headers_say_no_path(world, name):
    count = world.count()
    assert world.get(headers=[(name, "/public/x")], kind=SCRIPT).status == 401 and world.count() == count


def test_tokens(world):
    assert world.get(headers=bearer(world.tokens("bob")["id_token"]), kind=SCRIPT).status == 200, world.log()
    assert world.seen("kubeflow-userid") == ["bob@example.com"]
    count = world.count()
    token = world.tokens("bob", other_client(world.realm))["id_token"]
    assert world.get(headers=bearer(token), kind=SCRIPT).status == 401 and world.count() == count


def test_bodies_and_large_headers(world):
    answer = world.get(world.browser(), "/pipeline/upload", [], "POST", b"x" * 3000000, SCRIPT)
    assert answer.status == 200 and world.backend.requests[-1]["body_bytes"] == 3000000
    count = world.count()
    assert world.get(headers=[("Cookie", "a=" + "x" * 40000)], kind=SCRIPT).status in (400, 401, 403) and world.count() == count


def test_web_sockets(world):
    assert WebSocket(world.gateway.port, "/notebook/team/one/ws", [("kubeflow-userid", EVIL)]).status == 401
    client = WebSocket(world.gateway.port, "/notebook/team/one/ws", [("Cookie", world.browser().cookie_header("localhost", "/"))])
    assert client.status == 101 and client.echo("hello") == "hello"
    client.close()


def test_keycloak_ends_sessions_by_the_back_channel(world):
    """The HTTPRoute leads there in place of the VirtualService."""
    world.realm.add_user("erin")
    browser = world.sign_in("erin")
    world.realm.admin("POST", f"/users/{world.realm.user('erin')['id']}/logout")
    wait_for(lambda: asks_to_sign_in(world, world.get(browser)), 10, "the session ends on Keycloak's word")


def test_judge_that_is_down_lets_nobody_in(world):
    browser, count = world.browser(), world.count()
    world.judge.halt()
    try:
        for path in ("/", "/pipeline/x", "/public/x"):
            assert world.get(browser, path).status == 503
            assert Browser().get(world.url + path, [("kubeflow-userid", EVIL)], follow=False).status == 503
        assert world.count() == count
    finally:
        world.judge.start()
