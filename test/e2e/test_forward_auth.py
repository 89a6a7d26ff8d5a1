# SPDX-License-Identifier: Apache-2.0
"""External authorization behind a real nginx and a real Caddy, both sides configured by conf/forward-auth.conf."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from backend import Backend, values
from browser import SCRIPT, Browser
from forward_proxy import Caddy, CarefulCaddy, Nginx
from httpd import MODULES, Httpd
from memcached import Memcached
from more_proxies import CarelessIngressNginx, FaultyHAProxy, HAProxy, IngressNginx, Traefik
from process import free_port
from site_under_test import asks_to_sign_in, private_file
from streams import StreamBackend, WebSocket

CONF = Path(__file__).resolve().parents[2] / "conf" / "forward-auth.conf"
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
# What the example has as comments, and a little more.
PLACES = """\
<Location /admin>
    Require keycloak-role kubeflow-admin
</Location>
<Location /status>
    SetHandler server-status
    Require all granted
</Location>
KeycloakPublicPath /public
"""


class Gateway:
    """A proxy before a backend, and httpd as its judge."""

    def __init__(self, kind, realm, folder, module, backend):
        port, judge, pages = free_port(), free_port(), free_port()
        self.realm, self.backend, self.url, self.judge_port = realm, backend, f"http://localhost:{port}", judge
        self.pages_url = f"http://localhost:{pages}"
        folder.mkdir(parents=True, exist_ok=True)
        self.memcached = Memcached(folder)
        names = {"ISSUER": realm.issuer, "CLIENT_SECRET_FILE": private_file(folder / "secret", realm.secret),
                 "CRYPTO_KEY_FILE": private_file(folder / "key", SECRET), "PUBLIC_URL": self.url, "JUDGE_FOR": kind.mode,
                 "MEMCACHED": self.memcached.address, "JUDGE_LISTEN": f"127.0.0.1:{judge}", "JUDGE_HOST": f"*:{judge}",
                 "PAGES_LISTEN": f"127.0.0.1:{pages}", "PAGES_HOST": f"*:{pages}"}
        text = CONF.read_text(encoding="utf-8")
        assert text.count("\n    # Parts of the site") == 1
        (folder / "example.conf").write_text(text.replace("\n    # Parts of the site", f"\n{PLACES}\n    # Parts of the site"))
        self.httpd = Httpd(folder / "httpd", module, free_port(), "KeycloakStoreTimeout 1s\n"
                           + "".join(f'Define KC_{name} "{value}"\n' for name, value in names.items())
                           + f'Include "{folder}/example.conf"\n', modules=MODULES + ["status", "auth_keycloak"])
        self._browsers = {}
        self.proxy = kind(folder / "proxy", port, judge, pages, backend.port)
        realm.allow_site(self.url)
        self.httpd.start()
        self.proxy.start()

    def stop(self):
        self.proxy.stop()
        self.httpd.stop()
        self.memcached.stop()

    def log(self):
        return "\n".join(self.httpd.log_text().splitlines()[-25:])

    def signed_in(self, name="alice", path="/api/start"):
        browser = Browser()
        answer = browser.sign_in(self.url + path, name, self.realm.passwords[name])
        assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{self.log()}"
        return browser

    def browser(self, name="alice"):
        """One of a user who stays signed in while the tests run."""
        if name not in self._browsers:
            self._browsers[name] = self.signed_in(name)
        return self._browsers[name]

    def forget_browsers(self):
        """The sessions end with what keeps them."""
        self._browsers.clear()

    def seen(self, name="kubeflow-userid"):
        """What the backend was told; a name without a value is none."""
        return [value for value in values(self.backend.requests[-1]["headers"], name) if value]

    def refuses_call(self, answer):
        """As an API call is refused: by 401. ingress-nginx leads scripts to the login address too."""
        where = answer.header("Location")
        if isinstance(self.proxy, IngressNginx):
            return answer.status == 302 and where.startswith(self.url + "/authservice/login?return=")
        return answer.status == 401 and not where

    def asks_to_sign_in(self, browser, answer):
        """nginx leads there by way of the login address."""
        where = answer.header("Location") or ""
        if isinstance(self.proxy, Nginx):
            if answer.status != 302 or not where.startswith(self.url + "/authservice/login?return="):
                return False
            answer = browser.get(where, follow=False)
        return asks_to_sign_in(answer, self.realm)


@pytest.fixture(scope="module")
def backend():
    server = Backend()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=[Nginx, IngressNginx, Caddy, CarefulCaddy, Traefik, HAProxy],
                ids=["nginx", "ingress-nginx", "Caddy", "Caddy 2.10", "Traefik", "HAProxy"])
def gateway(new_site, realm, backend, tmp_path_factory, request):
    made = Gateway(request.param, realm, tmp_path_factory.mktemp("gateway"), new_site.module, backend)
    yield made
    made.stop()


@pytest.mark.parametrize("path", ["/pipeline/?a=b", "/x?q=%26%3D%3F%2B+%23%25&r=%C3%A4", "/a%20b/%C3%A4;c,d'(e)!$&*=:@~", "/n?x=%22%3C%3E|{}"])
def test_signs_in_and_comes_back_to_the_page(gateway, path):
    browser = gateway.signed_in(path=path)
    assert gateway.backend.requests[-1]["path"] == path, gateway.backend.requests[-1]
    assert gateway.seen() == ["alice@example.com"]
    assert browser.get(gateway.url + path).status == 200


def test_forged_names_do_not_arrive(gateway):
    browser = gateway.browser()
    forged = [("kubeflow-userid", "evil@example.com"), ("Kubeflow-Groups", "forged"), ("kubeflow_userid", "evil@example.com"),
              ("kubeflow_groups", "forged")]
    for who, path, user in ((browser, "/x", ["alice@example.com"]), (Browser(), "/public/x", []), (browser, "/public/x", [])):
        answer = who.get(gateway.url + path, forged)
        assert answer.status == 200 and answer.header("X-Backend"), answer
        assert gateway.seen() == user
        assert not any("forged" in value for value in gateway.seen("kubeflow-groups"))
        assert gateway.seen("kubeflow_userid") == [] and gateway.seen("kubeflow_groups") == []


@pytest.mark.parametrize("name", ["X-Original-URI", "X-Original-Method", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Original-URL",
                                  "X-Forwarded-For", "Connection"])
def test_forged_question_is_not_believed(gateway, name):
    """The client's own are replaced."""
    count = len(gateway.backend.requests)
    value = {"X-Forwarded-For": "127.0.0.1", "Connection": "X-Forwarded-Uri, X-Original-URI, X-Forwarded-Method"}.get(
        name, "GET" if "Method" in name else "/public/x")
    for headers in ([(name, value)], [(name, value), (name, "/x")], [(name.replace("-", "_"), value)]):
        answer = Browser().get(gateway.url + "/x", headers, follow=False, kind=SCRIPT)
        assert gateway.refuses_call(answer), answer
    assert len(gateway.backend.requests) == count


@pytest.mark.parametrize("value", ["kubeflow-userid", "keep-alive, Kubeflow_UserID", "x,kubeflow-groups", "cookie"])
def test_identity_is_not_said_to_be_of_one_connection(gateway, value):
    """A backend that is a proxy would drop it."""
    answer = gateway.browser().get(gateway.url + "/x", [("Connection", value)], kind=SCRIPT)
    if answer.status == 200:
        assert gateway.seen() == ["alice@example.com"]
        assert not any(name in said.lower() for said in gateway.seen("connection") for name in ("kubeflow", "cookie")), answer
    else:
        assert answer.status in (400, 401) and not answer.header("X-Backend"), answer  # 401: the cookie was not handed on


def test_cookies_reach_the_backend_without_ours(gateway):
    browser = gateway.browser()
    browser.get(gateway.url + "/x")
    assert not any("keycloak" in value for value in gateway.seen("cookie")), gateway.seen("cookie")
    cookie = browser.cookie_header("localhost", "/") + "; XSRF-TOKEN=abc"
    answer = Browser().get(gateway.url + "/x", [("Cookie", cookie)])
    assert answer.status == 200 and "XSRF-TOKEN=abc" in gateway.seen("cookie")[0], gateway.seen("cookie")
    assert "keycloak" not in gateway.seen("cookie")[0]


TRAEFIK_READS = {"/admin/../x": "/x", "/x/%2e%2e/admin": "/admin", "//x": "/x", "/x//y": "/x/y", "/public/%2e%2e/x": "/x"}


@pytest.mark.parametrize("path", ["/admin/../x", "/x/%2e%2e/admin", "//x", "/x//y", "/x/..%2fadmin", "/public/%2e%2e/x", "/public/..;/x", "/x%00",
                                  "/public/..%5cx"])
def test_path_that_could_be_read_otherwise_is_refused(gateway, path):
    browser = gateway.browser()
    count = len(gateway.backend.requests)
    answer = browser.send("GET", gateway.url + path, [])
    if isinstance(gateway.proxy, Traefik) and answer.status == 200:
        # It makes such paths plain before anything else: what is judged is what the backend gets.
        assert gateway.backend.requests[-1]["path"] == TRAEFIK_READS[path]
        return
    assert answer.status == (400 if gateway.proxy.mode == "forwarded" or path == "/x%00" else 403), answer
    assert len(gateway.backend.requests) == count


def test_page_without_a_session_is_sent_to_sign_in(gateway):
    count = len(gateway.backend.requests)
    browser = Browser()
    answer = browser.get(gateway.url + "/x?a=b&c=d", [("kubeflow-userid", "evil@example.com")], follow=False)
    assert gateway.asks_to_sign_in(browser, answer), answer
    assert len(gateway.backend.requests) == count


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
def test_call_without_a_session_is_refused(gateway, method):
    count = len(gateway.backend.requests)
    for body in (b"", b"x" * 100000):
        answer = Browser().send(method, gateway.url + "/x", [("Content-Type", "application/octet-stream")], body)
        assert gateway.refuses_call(answer), answer
    assert len(gateway.backend.requests) == count


def test_refused_head_leaves_the_connection_in_order(gateway):
    """An answer to HEAD has no body: one that had would be read as the next answer."""
    count, connection = len(gateway.backend.requests), http.client.HTTPConnection("127.0.0.1", gateway.proxy.port, timeout=20)
    try:
        for method in ("HEAD", "GET", "HEAD", "GET"):
            connection.request(method, "/x", headers={"Host": gateway.url.removeprefix("http://"), **dict(SCRIPT)})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status in (302, 401) and (method == "GET" or not body), (method, answer.status, body[:100])
    finally:
        connection.close()
    assert len(gateway.backend.requests) == count


def test_script_without_a_session_gets_401(gateway):
    answer = Browser().get(gateway.url + "/x", follow=False, kind=SCRIPT)
    assert gateway.refuses_call(answer), answer
    assert isinstance(gateway.proxy, IngressNginx) or answer.header("WWW-Authenticate"), answer


def told_to_sign_in(gateway, answer):
    """What README's table says of an API call: 401 with one challenge, and JSON that names the way in."""
    if isinstance(gateway.proxy, IngressNginx):
        assert gateway.refuses_call(answer), answer
        return
    assert answer.status == 401 and not answer.header("Location"), f"{answer}\n{gateway.log()}"
    assert answer.all("WWW-Authenticate") == ['Bearer realm="Keycloak"'], answer.headers
    assert answer.header("Content-Type") == "application/json", answer.headers
    said = answer.json()
    assert set(said) == {"error", "error_description", "tag", "request_id", "login_url"} and said["tag"] == "KC0101", said
    assert said["error"] == "login_required" and said["login_url"].startswith(gateway.url + "/authservice/login?return="), said
    for name in ("Cookie", "kubeflow-userid", "kubeflow-groups", "Set-Cookie", "X-Keycloak-Login"):
        assert not answer.header(name), answer.headers


@pytest.mark.parametrize("method, headers", [
    ("GET", [("Accept", "application/json")]), ("GET", [("Accept", "text/html"), ("X-Requested-With", "XMLHttpRequest")]),
    ("GET", [("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")]), ("GET", [("Accept", "*/*"), ("Cookie", "keycloak_session=x")]),
    ("POST", [("Accept", "text/html")]), ("DELETE", []), ("PUT", [("Content-Type", "application/json")]), ("OPTIONS", [])])
def test_call_without_a_session_gets_what_the_table_says(gateway, method, headers):
    count = len(gateway.backend.requests)
    body = b'{"a": "' + b"x" * 70000 + b'"}' if method in ("POST", "PUT") else b""
    told_to_sign_in(gateway, Browser().send(method, gateway.url + "/api/x?a=b", headers, body))
    assert len(gateway.backend.requests) == count


def test_web_socket_without_a_session_gets_what_the_table_says(gateway):
    count = len(gateway.backend.requests)
    for headers in ([], [("Accept", "text/html"), ("Sec-Fetch-Mode", "websocket")], [("Cookie", "keycloak_session=x")]):
        refused = WebSocket(gateway.proxy.port, "/ws", headers)
        told_to_sign_in(gateway, refused.answer())
        refused.close()
    assert len(gateway.backend.requests) == count


def test_call_that_is_not_allowed_gets_our_json(gateway):
    browser = gateway.browser("bob")
    answer = browser.get(gateway.url + "/admin/x", kind=SCRIPT)
    assert answer.status == 403 and not answer.header("X-Backend"), f"{answer}\n{gateway.log()}"
    if not isinstance(gateway.proxy, IngressNginx):  # which has a page of its own
        assert answer.json()["tag"] == "KC0103", f"{answer}\n{gateway.log()}"
    assert not answer.header("Cookie") and not answer.header("kubeflow-userid"), answer.headers


def test_body_reaches_the_backend(gateway):
    browser = gateway.browser()
    for method in ("POST", "PUT"):
        answer = browser.send(method, gateway.url + "/upload", [("Content-Type", "application/octet-stream"), ("Range", "bytes=0-5")],
                              b"x" * 200000)
        assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{gateway.log()}"
        assert gateway.seen() == ["alice@example.com"] and gateway.backend.requests[-1]["method"] == method


def test_long_cookies_have_room(gateway):
    browser = gateway.browser()
    cookie = browser.cookie_header("localhost", "/") + "; long=" + "y" * 7000
    answer = Browser().get(gateway.url + "/x", [("Cookie", cookie)])
    assert answer.status == 200 and any("yyyy" in value for value in gateway.seen("cookie")), answer


def test_roles_guard_parts(gateway):
    assert gateway.browser("alice").get(gateway.url + "/admin/x").status == 200
    bob = gateway.browser("bob")
    count = len(gateway.backend.requests)
    for path in ("/admin/x", "/x/../admin/x", "/x/%2e%2e/admin/x", "//admin/x", "/./admin", "/public/..%2fadmin/x", "/public/../admin/x"):
        assert bob.send("GET", gateway.url + path, []).status in (400, 403), path
    assert len(gateway.backend.requests) == count


def test_pages_of_ours_and_of_httpd_are_no_yes(gateway):
    """The first are routed elsewhere; the others are refused although httpd would answer them."""
    browser = gateway.browser()
    count = len(gateway.backend.requests)
    assert browser.get(gateway.url + "/authservice/whoami").json()["user"] == "alice@example.com"
    for path in ("/status", "/status?auto"):
        assert browser.get(gateway.url + path, follow=False).status == 403
        assert Browser().get(gateway.url + path, follow=False).status == 403
    assert len(gateway.backend.requests) == count


def test_verify_tells_who_is_signed_in(gateway):
    """It is not asked at the judge's port, but judges alike."""
    browser = gateway.browser()
    answer = browser.get(gateway.url + "/authservice/verify/x", kind=SCRIPT)
    assert answer.status == 204 and answer.header("kubeflow-userid") == "alice@example.com", f"{answer}\n{gateway.log()}"
    assert Browser().get(gateway.url + "/authservice/verify/x", kind=SCRIPT).status == 401


def test_nothing_else_is_at_the_port_for_pages(gateway):
    for who in (Browser(), gateway.browser()):
        cookie = who.cookie_header("localhost", "/")
        answer = Browser().get(gateway.pages_url + "/", [("Cookie", cookie)] if cookie else [], follow=False)
        assert answer.status == 403, answer


def test_logout_ends_it(gateway):
    browser = gateway.signed_in()
    answer = browser.send("POST", gateway.url + "/authservice/logout", [
        ("Accept", "*/*"), ("Authorization", "Bearer "), ("Origin", gateway.url)], b"")
    assert answer.status == 201 and "/logout?" in answer.json()["afterLogoutURL"], answer
    again = browser.get(gateway.url + "/x", follow=False)
    assert gateway.asks_to_sign_in(browser, again), again
    assert gateway.refuses_call(browser.get(gateway.url + "/x", follow=False, kind=SCRIPT))


FOR_BACKENDS = {"kubeflow-userid": "alice@example.com", "kubeflow-groups": "staff", "Authorization": "Bearer id-token", "Cookie": "a=b",
                "X-Keycloak-Login": "http://localhost/authservice/login"}


class ChangedMind(BaseHTTPRequestHandler):
    """A judge that refuses, and allows when it is asked once more: a session may begin to count in between."""

    count = 0

    def do_GET(self):
        ChangedMind.count += 1
        self.send_response(403 if ChangedMind.count == 1 else 200)
        for name, value in FOR_BACKENDS.items() if ChangedMind.count > 1 else ():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args):
        pass


def test_a_second_answer_that_allows_tells_browsers_nothing(tmp_path):
    ChangedMind.count = 0
    judge = ThreadingHTTPServer(("127.0.0.1", 0), ChangedMind)
    threading.Thread(target=judge.serve_forever, daemon=True).start()
    proxy = Nginx(tmp_path, free_port(), judge.server_port, free_port(), free_port())
    try:
        proxy.start()
        answer = Browser().get(f"http://localhost:{proxy.port}/x", kind=SCRIPT, follow=False)
    finally:
        proxy.stop()
        judge.shutdown()
        judge.server_close()
    assert ChangedMind.count == 2, f"{ChangedMind.count} questions: {answer}"
    for name in FOR_BACKENDS:
        assert answer.header(name) is None, f"{name}: {answer.headers}"


def test_large_headers_are_allowed_or_refused_but_never_unjudged(gateway):
    browser = gateway.browser()
    for size in (12000, 20000, 40000, 70000):
        count = len(gateway.backend.requests)
        for cookie in ("", browser.cookie_header("localhost", "/") + "; "):
            try:
                answer = Browser().send("GET", gateway.url + "/x", [("Cookie", cookie + "long=" + "y" * size)])
            except (ConnectionError, http.client.HTTPException):
                continue
            assert (answer.status == 200 and cookie and gateway.seen() == ["alice@example.com"]) or (
                answer.status in (302, 400, 401, 403, 413, 414, 431, 500, 502) and len(gateway.backend.requests) == count), (size, answer)
            count = len(gateway.backend.requests)


def ask_judge(gateway, headers, source="127.0.0.1"):
    connection = http.client.HTTPConnection("127.0.0.1", gateway.judge_port, timeout=20, source_address=(source, 0))
    connection.request("GET", "/public/x", headers=headers)
    answer = connection.getresponse()
    status = answer.status
    answer.read()
    connection.close()
    return status, answer.getheader("kubeflow-userid")


def test_judge_believes_the_proxy_alone(gateway):
    """Every address of 127.0.0.0/8 is the loopback's; the example trusts 127.0.0.1."""
    question = {"X-Original-URI": "/public/x", "X-Original-Method": "GET", "X-Forwarded-Uri": "/public/x", "X-Forwarded-Method": "GET"}
    assert ask_judge(gateway, question) == (200, "")
    assert ask_judge(gateway, question, "127.0.0.2") == (403, None)
    assert ask_judge(gateway, {}, "127.0.0.2") == (403, None)
    status, name = ask_judge(gateway, {})
    assert status == (403 if isinstance(gateway.proxy, Nginx) else 400) and name is None


def test_what_httpd_refuses_by_itself_is_understood(gateway):
    """Too long a header is 400 of httpd's own, of which nginx would make 500."""
    status, name = ask_judge(gateway, {"X-Original-URI": "/public/x", "X-Original-Method": "GET", "Cookie": "a=" + "x" * 40000})
    assert status == (403 if isinstance(gateway.proxy, Nginx) else 400) and name is None


def test_store_that_is_down_is_no_refusal(gateway):
    browser = gateway.signed_in()
    count = len(gateway.backend.requests)
    gateway.memcached.stop()
    gateway.forget_browsers()
    try:
        value = browser.cookie("keycloak_session").value
        other = "keycloak_session=" + value[:10] + ("A" if value[10] != "A" else "B") + value[11:]
        answer = Browser().get(gateway.url + "/x", [("Cookie", other)], follow=False, kind=SCRIPT)
        assert answer.status == (500 if isinstance(gateway.proxy, Nginx) else 503), f"{answer}\n{gateway.log()}"
        assert len(gateway.backend.requests) == count
    finally:
        gateway.memcached.start()


def test_fault_in_haproxys_script_lets_nobody_in(tmp_path, backend):
    """HAProxy goes on with the next rule after one."""
    proxy, count = FaultyHAProxy(tmp_path, free_port(), free_port(), free_port(), backend.port), len(backend.requests)
    try:
        proxy.start()
        for path in ("/", "/public/x", "/authservice/../x"):
            assert Browser().get(f"http://localhost:{proxy.port}{path}", follow=False).status in (403, 503), path
    finally:
        proxy.stop()
    assert len(backend.requests) == count


def test_ingress_nginx_without_auth_method_asks_what_clients_say(new_site, realm, backend, tmp_path):
    """What the example's warning says; where the client says nothing, the judge refuses."""
    made = Gateway(CarelessIngressNginx, realm, tmp_path, new_site.module, backend)
    try:
        assert Browser().get(made.url + "/x", follow=False).status == 403
        assert Browser().get(made.url + "/x", [("X-Original-URI", "/public/x")], follow=False).status == 200
    finally:
        made.stop()


DOWN = {Nginx: 500, IngressNginx: 500, Caddy: 502, Traefik: 500, HAProxy: 503}


@pytest.mark.parametrize("kind", DOWN)
def test_judge_that_is_down_lets_nobody_in(new_site, realm, backend, tmp_path, kind):
    made = Gateway(kind, realm, tmp_path, new_site.module, backend)
    try:
        browser = made.signed_in()
        count = len(backend.requests)
        made.httpd.stop()
        for path in ("/x", "/public/x"):
            answer = browser.get(made.url + path, follow=False)
            assert answer.status == DOWN[kind], answer
        assert len(backend.requests) == count
    finally:
        made.stop()


@pytest.mark.parametrize("kind", [Nginx, IngressNginx, Caddy, Traefik, HAProxy])
def test_web_socket_goes_through(new_site, realm, tmp_path, kind):
    backend, pages = StreamBackend(), Backend()
    made = Gateway(kind, realm, tmp_path, new_site.module, pages)
    try:
        browser = made.signed_in()
        made.proxy.stop()
        made.proxy.backend = backend.port
        made.proxy.start()
        refused = WebSocket(made.proxy.port, "/ws", [])
        assert made.refuses_call(refused.answer()), refused.status
        client = WebSocket(made.proxy.port, "/ws", [("Cookie", browser.cookie_header("localhost", "/"))])
        assert client.status == 101 and client.echo("hello") == "hello", made.log()
        client.close()
    finally:
        made.stop()
        backend.stop()
        pages.stop()
