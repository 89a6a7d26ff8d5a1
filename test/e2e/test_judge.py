# SPDX-License-Identifier: Apache-2.0
"""External authorization behind a real Envoy: sign-in, identity, refusals, logout and WebSockets through ext_authz."""

import copy
import itertools
import re
from pathlib import Path

import pytest
import yaml

from backend import Backend, values
from browser import Browser
from envoy import FILTER_OF_2023, FILTER_OF_OURS, Envoy
from process import free_port
from site_under_test import JUDGE, asks_to_sign_in
from streams import StreamBackend, WebSocket

GUIDE = Path(__file__).resolve().parents[2] / "docker" / "kubeflow" / "README.md"
BLOCKS = """\
<Location /admin>
    Require keycloak-role kubeflow-admin
</Location>
"""


class Gateway:
    """Envoy before a backend, and httpd as its judge."""

    def __init__(self, new_site, realm, folder, backend, settings):
        port = free_port()
        self.realm, self.backend = realm, backend
        self.judge = new_site(realm, config=JUDGE, blocks=BLOCKS, settings=(
            f"KeycloakPublicURL http://localhost:{port}\nKeycloakPublicPath /public\n"))
        self.envoy = Envoy(folder, self.judge.port, backend.port, settings)
        self.envoy.port, self.envoy.url = port, f"http://localhost:{port}"
        self.url = self.envoy.url
        realm.allow_site(self.url)
        self.envoy.start()

    def signed_in(self, name="alice", path="/api/start"):
        browser = Browser()
        answer = browser.sign_in(self.url + path, name, self.realm.passwords[name])
        assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{self.judge.log()}"
        return browser

    def seen(self, name="kubeflow-userid"):
        return values(self.backend.requests[-1]["headers"], name)


@pytest.fixture(scope="module")
def backend():
    server = Backend()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["ours", "of 2023"])
def gateway(new_site, realm, backend, tmp_path_factory, request):
    settings = FILTER_OF_OURS if request.param == "ours" else FILTER_OF_2023
    made = Gateway(new_site, realm, tmp_path_factory.mktemp("envoy"), backend, settings)
    made.is_ours = request.param == "ours"
    yield made
    made.envoy.stop()


def test_signs_in_and_names_the_user_once(gateway):
    browser = gateway.signed_in(path="/pipeline/?a=b")
    assert gateway.seen() == ["alice@example.com"]
    answer = browser.get(gateway.url + "/x", [("kubeflow-userid", "evil@example.com")])
    assert answer.status == 200 and gateway.seen() == ["alice@example.com"], gateway.seen()


def test_other_spellings_of_the_name_do_not_arrive(gateway):
    browser = gateway.signed_in()
    for path, separator in itertools.product(("/x", "/public/x"), "_.!#$%&'*+^`|~"):
        user, groups = f"kubeflow{separator}userid", f"kubeflow{separator}groups"
        answer = browser.get(gateway.url + path, [(user, "evil@example.com"), (groups, "admins")])
        assert answer.status == 200, answer
        assert gateway.seen(user) == [] and gateway.seen(groups) == []


def test_session_cookie_stays_here(gateway):
    """As long as the filter hands the judge's Cookie on; with the one of 2023 it does so alone, when it is the only one."""
    browser = gateway.signed_in()
    assert browser.get(gateway.url + "/x").status == 200
    assert not any("keycloak_session" in value for value in gateway.seen("cookie"))
    if gateway.is_ours:
        cookie = browser.cookie_header("localhost", "/") + "; XSRF-TOKEN=abc"
        answer = Browser().get(gateway.url + "/x", [("Cookie", cookie)])
        assert answer.status == 200 and gateway.seen("cookie") == ["XSRF-TOKEN=abc"], gateway.seen("cookie")


def patched_by_the_guide(settings):
    """Upstream's filter with the guide's patch for those who change only the image."""
    block = re.search(r"^    patches:\n(?:^    .*\n)*", GUIDE.read_text(encoding="utf-8"), re.M)
    assert block, "the guide has no patch"
    (patch,) = yaml.safe_load(re.sub("^    ", "", block.group(0), flags=re.M))["patches"]
    assert patch["target"] == {"kind": "EnvoyFilter", "name": "authn-filter"}
    settings = copy.deepcopy(settings)
    service = "/spec/configPatches/0/patch/value/typed_config/http_service/"
    places = {service + "authorization_request/allowed_headers/patterns/-": "asked",
              service + "authorization_response/allowed_upstream_headers/patterns/-": "upstream"}
    for step in yaml.safe_load(patch["patch"]):
        assert step["op"] == "add" and list(step["value"]) == ["exact"], step
        settings[places[step["path"]]].append(step["value"]["exact"])
    return settings


def test_the_guides_patch_closes_what_upstreams_filter_leaves_open(new_site, realm, backend, tmp_path):
    made = Gateway(new_site, realm, tmp_path / "envoy", backend, patched_by_the_guide(FILTER_OF_2023))
    try:
        browser = made.signed_in()
        cookie = browser.cookie_header("localhost", "/") + "; XSRF-TOKEN=abc"
        answer = Browser().get(made.url + "/x", [("Cookie", cookie), ("kubeflow-groups", "admins")])
        assert answer.status == 200, answer
        assert made.seen("cookie") == ["XSRF-TOKEN=abc"] and made.seen() == ["alice@example.com"]
        assert "admins" not in made.seen("kubeflow-groups")
        for header in (("Accept", "application/json"), ("X-Requested-With", "XMLHttpRequest"), ("Sec-Fetch-Mode", "cors")):
            assert Browser().get(made.url + "/x", [header], follow=False).status == 401, header
        assert asks_to_sign_in(Browser().get(made.url + "/x", [("Accept", "text/html")], follow=False), realm)
    finally:
        made.envoy.stop()


@pytest.mark.parametrize("path", ["/admin/../x", "/x/%2e%2e/admin", "//x", "/x//y"])
def test_path_that_could_be_read_otherwise_is_refused(gateway, path):
    """This Envoy normalises nothing, as is its default."""
    count = len(gateway.backend.requests)
    answer = gateway.signed_in().send("GET", gateway.url + path, [])
    assert answer.status == 400, answer
    assert len(gateway.backend.requests) == count + 1, "the sign-in alone"


def test_page_without_a_session_is_sent_to_sign_in(gateway, realm):
    count = len(gateway.backend.requests)
    answer = Browser().get(gateway.url + "/x", [("kubeflow-userid", "evil@example.com")], follow=False)
    assert asks_to_sign_in(answer, realm), answer
    assert len(gateway.backend.requests) == count


def test_public_path_carries_no_forged_name(gateway):
    """The filter of 2023 lists the user alone: with it a client may still say which groups it has."""
    forged = ["kubeflow-userid", "Kubeflow-Userid"] + ["kubeflow-groups"] * gateway.is_ours
    for header in forged:
        answer = Browser().get(gateway.url + "/public/x", [(header, "evil@example.com")])
        assert answer.status == 200 and answer.header("X-Backend"), answer
        assert "evil@example.com" not in gateway.seen(header.lower()), header


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_every_method_is_judged(gateway, method):
    count = len(gateway.backend.requests)
    answer = Browser().send(method, gateway.url + "/x", [("Accept", "application/json")])
    assert answer.status in (302, 401), answer
    assert len(gateway.backend.requests) == count


def test_body_reaches_the_backend(gateway):
    browser = gateway.signed_in()
    answer = browser.send("POST", gateway.url + "/upload", [("Content-Type", "application/octet-stream")], b"x" * 200000)
    assert answer.status == 200 and answer.header("X-Backend"), answer
    assert gateway.seen() == ["alice@example.com"]


def test_roles_guard_parts_of_the_cluster(gateway):
    assert gateway.signed_in("alice").get(gateway.url + "/admin/x").status == 200
    assert gateway.signed_in("bob").get(gateway.url + "/admin/x").status == 403


def test_logout_as_the_dashboard_calls_it(gateway, realm):
    browser = gateway.signed_in()
    answer = browser.send("POST", gateway.url + "/authservice/logout", [
        ("Accept", "*/*"), ("Authorization", "Bearer "), ("Origin", gateway.url)], b"")
    assert answer.status == 201 and "/logout?" in answer.json()["afterLogoutURL"], answer
    again = browser.get(gateway.url + "/x", follow=False)
    assert asks_to_sign_in(again, realm), again


def test_judge_that_is_down_lets_nobody_in(new_site, realm, backend, tmp_path):
    made = Gateway(new_site, realm, tmp_path / "envoy", backend, FILTER_OF_OURS)
    try:
        browser = made.signed_in()
        count = len(backend.requests)
        made.judge.httpd.stop()
        answer = browser.get(made.url + "/x", follow=False)
        assert answer.status in (403, 503), answer
        assert len(backend.requests) == count
    finally:
        made.envoy.stop()


def test_web_socket_goes_through(new_site, realm, tmp_path):
    backend = StreamBackend()
    pages = Backend()
    made = Gateway(new_site, realm, tmp_path / "envoy", pages, FILTER_OF_OURS)
    browser = made.signed_in()
    made.envoy.stop()
    made.envoy.backend_port = backend.port
    made.envoy.start()
    try:
        refused = WebSocket(made.envoy.port, "/ws", [])
        assert refused.status == 401, refused.status
        client = WebSocket(made.envoy.port, "/ws", [("Cookie", browser.cookie_header("localhost", "/"))])
        assert client.status == 101 and client.echo("hello") == "hello", made.judge.log()
        client.close()
    finally:
        made.envoy.stop()
        backend.stop()
        pages.stop()
