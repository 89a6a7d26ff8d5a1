# SPDX-License-Identifier: Apache-2.0
"""Envoy Gateway's SecurityPolicy: a real Envoy with what it makes of conf/envoy-gateway.yaml, and httpd by conf/judge.conf."""

import pytest

from backend import Backend, values
from browser import SCRIPT, Browser
from envoy_gateway import EnvoyGateway
from httpd import MODULES, Httpd
from memcached import Memcached
from process import free_port, wait_for
from site_under_test import asks_to_sign_in, private_file
from streams import StreamBackend, WebSocket
from test_forward_auth import CONF, SECRET

EVIL = "evil@example.com"
PLACES = """\
<Location /admin>
    Require keycloak-role kubeflow-admin
</Location>
KeycloakPublicPath /public
"""


class Site:
    def __init__(self, realm, folder, module, backend_port):
        judge, pages, health = free_port(), free_port(), free_port()
        self.realm = realm
        self.memcached = Memcached(folder)
        self.envoy = EnvoyGateway(folder / "envoy", judge, pages, backend_port)
        self.url = self.envoy.url
        names = {"ISSUER": realm.issuer, "CLIENT_SECRET_FILE": private_file(folder / "secret", realm.secret),
                 "CRYPTO_KEY_FILE": private_file(folder / "key", SECRET), "PUBLIC_URL": self.url,
                 "MEMCACHED": self.memcached.address, "JUDGE_LISTEN": judge, "PAGES_LISTEN": pages, "HEALTH_LISTEN": health}
        text = (CONF.parent / "judge.conf").read_text(encoding="utf-8")
        assert text.count("\n    # Parts of the cluster") == 1
        (folder / "example.conf").write_text(text.replace("\n    # Parts of the cluster", f"\n{PLACES}\n    # Parts of the cluster"))
        self.httpd = Httpd(folder / "httpd", module, free_port(), "".join(
            f'Define KC_{name} "{value}"\n' for name, value in names.items()) + f'Include "{folder}/example.conf"\n',
            modules=MODULES + ["alias", "auth_keycloak"])
        self._browsers = {}

    def start(self):
        def allow(client):
            client["redirectUris"] = [self.url + "/authservice/oidc/callback"]
            client["attributes"]["backchannel.logout.url"] = self.url + "/authservice/backchannel-logout"
        self.realm.change_client(allow)
        self.httpd.start()
        self.envoy.start()

    def stop(self):
        self.envoy.stop()
        self.httpd.stop()
        self.memcached.stop()

    def browser(self, name="alice"):
        if name not in self._browsers:
            self._browsers[name] = Browser()
            answer = self._browsers[name].sign_in(self.url + "/api/start", name, self.realm.passwords[name])
            assert answer.status == 200 and answer.header("X-Backend"), answer
        return self._browsers[name]


@pytest.fixture(scope="module")
def backend():
    server = Backend()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def gateway(new_site, realm, backend, tmp_path_factory):
    made = Site(realm, tmp_path_factory.mktemp("envoy-gateway"), new_site.module, backend.port)
    try:
        made.start()
        yield made
    finally:
        made.stop()


def seen(backend, name="kubeflow-userid"):
    return [value for value in values(backend.requests[-1]["headers"], name) if value]


def test_names_the_user_once(gateway, backend):
    browser = gateway.browser()
    for path, user in (("/x", ["alice@example.com"]), ("/public/x", [])):
        answer = browser.get(gateway.url + path, [("kubeflow-userid", EVIL), ("Kubeflow-Groups", EVIL)])
        assert answer.status == 200 and seen(backend) == user and EVIL not in seen(backend, "kubeflow-groups"), answer
    count = len(backend.requests)
    assert browser.get(gateway.url + "/x", [("kubeflow_userid", EVIL)]).status in (400, 403), "Envoy Gateway refuses such names"
    assert len(backend.requests) == count


def test_cookies_reach_the_backend_without_ours(gateway, backend):
    cookie = gateway.browser().cookie_header("localhost", "/") + "; XSRF-TOKEN=abc"
    assert Browser().get(gateway.url + "/x", [("Cookie", cookie)]).status == 200
    assert seen(backend, "cookie") == ["XSRF-TOKEN=abc"]


@pytest.mark.parametrize("headers", [[], [("kubeflow-userid", EVIL)], [("X-Forwarded-Uri", "/public/x")], [("X-Original-URL", "/public/x")],
                                     [("x-envoy-original-path", "/public/x")], [("Cookie", "a=" + "x" * 40000)],
                                     [("Connection", "cookie, kubeflow-userid")]])
def test_strangers(gateway, backend, headers):
    count = len(backend.requests)
    answer = Browser().get(gateway.url + "/x", headers, follow=False, kind=SCRIPT)
    assert answer.status in (400, 401, 403), answer
    if len(str(headers)) < 1000:
        assert asks_to_sign_in(Browser().get(gateway.url + "/x", headers, follow=False), gateway.realm)
    for method in ("POST", "OPTIONS", "PROPFIND"):
        assert Browser().send(method, gateway.url + "/x", headers, b"").status in (400, 401, 403)
    assert len(backend.requests) == count


@pytest.mark.parametrize("path", ["/public/../x", "/public/%2e%2e/x", "/public/..%2fx", "/public/..;/x", "/public%2f..%2fx", "//x", "/publicx",
                                  "/authservice/sessions/../../x", "/authservice/backchannel-logout%2f..%2f..%2fx", "/authservice/site/../x"])
def test_path_that_only_looks_public(gateway, backend, path):
    """Envoy Gateway makes paths plain, and redirects where a slash is encoded."""
    count = len(backend.requests)
    answer = Browser().send("GET", gateway.url + path, SCRIPT)
    if answer.status == 307:
        answer = Browser().get(gateway.url + answer.header("Location"), follow=False, kind=SCRIPT)
    assert answer.status in (400, 401, 403, 404, 405), answer
    assert len(backend.requests) == count
    bob, count = gateway.browser("bob"), len(backend.requests)
    for other in ("/admin/x", "/x/../admin/x", "/x/%2e%2e/admin/x", "//admin/x"):
        assert bob.send("GET", gateway.url + other, []).status in (400, 403), other
    assert len(backend.requests) == count


def test_bodies(gateway, backend):
    answer = gateway.browser().send("POST", gateway.url + "/upload", [("Content-Type", "application/octet-stream")], b"x" * 3000000)
    assert answer.status == 200 and backend.requests[-1]["body_bytes"] == 3000000, answer


def test_keycloak_ends_sessions_by_the_back_channel(gateway):
    browser = gateway.browser("bob")
    gateway.realm.admin("POST", f"/users/{gateway.realm.user('bob')['id']}/logout")
    wait_for(lambda: browser.get(gateway.url + "/x", follow=False, kind=SCRIPT).status == 401, 10, "the session ends on Keycloak's word")


def test_web_sockets_and_a_judge_that_is_down(gateway, backend):
    cookie, streams = ("Cookie", gateway.browser().cookie_header("localhost", "/")), StreamBackend()
    count = len(backend.requests)
    try:
        assert WebSocket(gateway.envoy.port, "/ws", [("kubeflow-userid", EVIL)]).status == 401
        gateway.envoy.stop()
        gateway.envoy.places["httproute/web/site/rule/0"] = streams.port
        gateway.envoy.start()
        client = WebSocket(gateway.envoy.port, "/ws", [cookie])
        assert client.status == 101 and client.echo("hello") == "hello"
        client.close()
        gateway.httpd.stop()
        for headers in ([], [cookie]):
            assert Browser().get(gateway.url + "/public/x", headers, follow=False).status in (403, 503)
            assert WebSocket(gateway.envoy.port, "/ws", headers).status in (403, 503)
        assert len(backend.requests) == count
    finally:
        streams.stop()
