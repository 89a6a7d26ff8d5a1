# SPDX-License-Identifier: Apache-2.0
"""Istio's ingress gateway, configured only by the project's manifests, with httpd as they run it and a real Keycloak."""

import base64
import json
import re
import socket
import time

import pytest

from browser import SCRIPT, Browser
from process import wait_for
from streams import WebSocket
from world import World, give_judge

EVIL = "evil@example.com"
FORGED = ["kubeflow-userid", "Kubeflow-UserID", "KUBEFLOW-USERID", "kubeflow_userid", "Kubeflow_UserId",
          "kubeflow-groups", "KUBEFLOW-GROUPS", "kubeflow_groups"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "TRACE", "BREW"]


@pytest.fixture(scope="module", params=["A", "B1", "B2"])
def world(keycloak, tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("istio-" + request.param.lower())
    made = World(request.param, folder, keycloak.realm("istio-" + request.param.lower(), "http://localhost:1"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


def asks_to_sign_in(world, answer):
    where = answer.header("Location") or ""
    return answer.status == 302 and where.startswith(world.realm.issuer + "/protocol/openid-connect/auth?")


def refused(world, answer):
    """Whether nothing but the judge or the gateway answered."""
    return not answer.header("X-Backend") and (answer.status in (400, 401, 403, 404) or asks_to_sign_in(world, answer))


def refuses_script(world, headers=(), path="/pipeline/x"):
    """Whether a script without a session is told so: by 401, where the gateway lets the judge see that it is one."""
    answer = world.get(path=path, headers=headers, kind=SCRIPT)
    return answer.status == 401 or (not world.is_judged and asks_to_sign_in(world, answer))


def names_nobody_else(world):
    """Whether no header of the last request that reached the backend says what we forged."""
    return not [pair for pair in world.backend.requests[-1]["headers"] if EVIL in pair[1]]


def other_client(realm, name="other", audience=None):
    """A further client of the same realm, which gives tokens for itself; or, by a mapper, for an audience."""
    mappers = [{"name": "audience", "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
                "config": {"included.custom.audience": audience, "access.token.claim": "true"}}] if audience else []
    realm.admin("POST", "/clients", {"clientId": name, "publicClient": True, "directAccessGrantsEnabled": True,
                                     "protocolMappers": mappers})
    return name


# ---------------- What Istio makes of the manifests

def test_envoy_takes_all_of_it(world):
    assert world.gateway.refused() == []


def test_judge_is_asked_before_anything_is_routed(world):
    filters = world.gateway.http_filters()
    names = [row["name"] for row in filters]
    asks = next(row for row in filters if row["name"].startswith("envoy.filters.http.ext_authz"))["typed_config"]
    assert names[-1] == "envoy.filters.http.router"
    service = asks["http_service"]
    assert service["server_uri"]["timeout"] == ("600s" if world.way == "B1" else "30s"), service["server_uri"]
    assert not asks.get("failure_mode_allow")


# ---------------- People

def test_signs_in_and_names_the_user_once(world):
    world.sign_in(path="/pipeline/?a=b")
    assert world.backend.requests[-1]["path"] == "/pipeline/?a=b"
    assert world.seen("kubeflow-userid") == ["alice@example.com"]
    assert world.groups() == ["data-science", "platform/admins"]


def test_session_cookie_stays_here(world):
    cookie = world.browser().cookie_header("localhost", "/") + "; XSRF-TOKEN=abc"
    assert world.get(None, headers=[("Cookie", cookie)]).status == 200
    arrived = "; ".join(world.seen("cookie"))
    assert "XSRF-TOKEN=abc" in arrived and "keycloak_session" not in arrived, "a session's cookie reached a backend"


@pytest.mark.parametrize("name", FORGED)
def test_forged_name_with_a_session(world, name):
    headers = [(name, EVIL), (name, EVIL)]
    assert world.get(world.browser(), headers=headers).status == 200, world.log()
    assert names_nobody_else(world), world.backend.requests[-1]["headers"]
    assert world.seen("kubeflow-userid") == ["alice@example.com"]
    assert world.groups() == ["data-science", "platform/admins"]


@pytest.mark.parametrize("separator", list(".~!#$%&'*+^`|"))
def test_odd_separators_do_not_become_the_name(world, separator):
    """H 112: such a name is another one to Envoy; ours is there once, and where we are asked, nothing beside it."""
    for path in ("/pipeline/x",) + (("/public/x",) if world.way != "B1" else ()):
        answer = world.get(world.browser(), path, [(f"kubeflow{separator}userid", EVIL), (f"kubeflow{separator}groups", EVIL)])
        assert answer.status in (200, 400), answer
        if answer.status == 200:
            is_public = path.startswith("/public/")  # there the judge names nobody
            assert world.seen("kubeflow-userid") == ["" if is_public else "alice@example.com"]
            assert world.groups() == ([] if is_public else ["data-science", "platform/admins"])
            assert not world.seen("kubeflow_userid", "kubeflow_groups")
            if world.is_judged:
                assert not world.seen(f"kubeflow{separator}userid", f"kubeflow{separator}groups")


@pytest.mark.parametrize("name", FORGED)
def test_forged_group_of_a_user_without_groups(world, name):
    if "carol" not in world.realm.passwords:
        world.realm.add_user("carol")
    assert world.get(world.browser("carol"), headers=[(name, EVIL)]).status == 200, world.log()
    assert names_nobody_else(world) and world.seen("kubeflow-userid") == ["carol@example.com"]


@pytest.mark.parametrize("name", FORGED)
def test_forged_name_on_a_public_path(world, name):
    if world.way == "B1":
        path, public = "/oauth2/../pipeline/x", False
    else:
        path, public = "/public/x", True
    for method in ("GET", "OPTIONS", "POST"):
        count = world.count()
        answer = world.get(None, path, [(name, EVIL), (name, EVIL)], method)
        assert public or refused(world, answer)
        assert world.count() == count + public, answer
        assert not public or names_nobody_else(world), (method, world.backend.requests[-1]["headers"])


@pytest.mark.parametrize("name", FORGED)
def test_forged_name_without_a_session(world, name):
    count = world.count()
    assert asks_to_sign_in(world, world.get(headers=[(name, EVIL)]))
    assert refuses_script(world, [(name, EVIL)])
    assert world.count() == count


@pytest.mark.parametrize("method", METHODS)
def test_every_method_is_judged(world, method):
    count = world.count()
    assert refused(world, world.get(method=method)) and refused(world, world.get(method=method, kind=SCRIPT))
    assert world.count() == count


@pytest.mark.parametrize("hop", ["kubeflow-userid", "kubeflow-groups", "Cookie", "Authorization", "X-Forwarded-Proto"])
def test_hop_by_hop_names_change_nothing(world, hop):
    """H 114, 115: what Connection names is not taken away after the judge has set it."""
    answer = world.get(world.browser(), headers=[("Connection", hop), (hop, EVIL)] if hop.startswith("k") else
                       [("Connection", hop)])
    if answer.status == 200:
        assert world.seen("kubeflow-userid") == ["alice@example.com"], world.backend.requests[-1]["headers"]
        assert names_nobody_else(world)
    else:
        assert refused(world, answer), answer


def test_broken_headers_are_refused(world):
    """H 116, 117: with a session, so that nothing but the header's form is at fault."""
    cookie = "Cookie: " + world.browser().cookie_header("localhost", "/")
    begin = f"GET /pipeline/x HTTP/1.1\r\nHost: localhost:{world.gateway.port}\r\n{cookie}\r\n".encode()
    for line in (b"kubeflow-userid : evil", b"kubeflow-userid\0: evil", b"kubeflow-userid: ev\0il", b" kubeflow-userid: evil",
                 b"a: b\nkubeflow-userid: evil", b"kubeflow-userid"):
        count = world.count()
        status = world.gateway.raw(begin + line + b"\r\nConnection: close\r\n\r\n")
        assert status in (None, 400) and world.count() == count or names_it_is(world, status, count), (line, status)


def names_it_is(world, status, count):
    """A request that was understood arrived under the right name."""
    return status == 200 and world.count() == count + 1 and world.seen("kubeflow-userid") == ["alice@example.com"] \
        and not [pair for pair in world.backend.requests[-1]["headers"] if "evil" in pair[1]]


def test_trailers_name_nobody(world):
    cookie = "Cookie: " + world.browser().cookie_header("localhost", "/")
    count = world.count()
    status = world.gateway.raw((f"POST /pipeline/x HTTP/1.1\r\nHost: localhost:{world.gateway.port}\r\n{cookie}\r\n"
                                "Transfer-Encoding: chunked\r\nTrailer: kubeflow-userid\r\nConnection: close\r\n\r\n"
                                "1\r\nx\r\n0\r\nkubeflow-userid: evil\r\n\r\n").encode())
    assert status in (400, 411) and world.count() == count or names_it_is(world, status, count), status


def test_claims_beyond_ascii_stay_in_their_header(world):
    """H 118."""
    world.realm.admin("POST", "/groups", {"name": "däten"})
    world.realm.add_user("dora", groups=["/däten"])
    browser = world.browser("dora")
    assert world.get(browser).status == 200
    assert world.seen("kubeflow-userid") == ["dora@example.com"]
    groups = world.seen("kubeflow-groups")
    assert len(groups) <= 1 and not [group for group in groups if "\r" in group or "\n" in group]


@pytest.mark.parametrize("header", [
    ("X-Forwarded-Host", "evil.example.com"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Port", "1"),
    ("Forwarded", "host=evil.example.com;proto=https"), ("X-Forwarded-Prefix", "/evil")])
def test_forwarded_headers_lead_nowhere(world, header):
    """H 122."""
    answer = world.get(headers=[header])
    assert asks_to_sign_in(world, answer)
    where = answer.header("Location")
    assert "evil" not in where and "redirect_uri=http%3A%2F%2Flocalhost%3A" in where, where.partition("&state")[0]


# ---------------- Paths

@pytest.mark.parametrize("path", [
    "/public/../pipeline/x", "/public/..;/pipeline/x", "/public/%2e%2e/pipeline/x", "/public/%252e%252e/pipeline/x",
    "/public%2f..%2fpipeline/x", "/public%2fx", "/public%5c..%5cpipeline/x", "/public\\..\\pipeline/x", "//public/../pipeline/x",
    "/public;x/pipeline", "/public%00/x", "/public%23/x", "/PUBLIC/x", "/publicx", "/%c0%af/public/x", "/pipeline/public/x",
    "/pipeline/?/public/x", "/pipeline/x?a=/public/", "/.//pipeline/x", "/./pipeline/x", "/public/%2e%2e%2fpipeline/x",
    "/public/.%2e/pipeline/x", "/authservice/../pipeline/x", "/authservice/oidc/callbackX", "/authservice/site/../../pipeline/x",
    "/authservice/backchannel-logout/../../pipeline/x", "/authservice/site/%2e%2e/%2e%2e/pipeline/x",
    "/authservice%2fsite/x", "/oauth2/../pipeline/x", "/oauth2/%2e%2e/pipeline/x", "/oauth2%2f..%2fpipeline/x",
    "/oauth2\\..\\pipeline/x", "/oauth2/..;/pipeline/x", "/OAUTH2/x", "/oauth2x", "/dex/../pipeline/x", "/dex/x"])
def test_path_that_only_looks_public_is_protected(world, path):
    """I 124, 125, 131."""
    count = world.count()
    for method in (b"GET", b"POST"):
        status = world.gateway.raw(method + f" {path} HTTP/1.1\r\nHost: localhost:{world.gateway.port}\r\n"
                                   "Accept: application/json\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        assert status in (400, 401, 403, 404, 405) or (status == 302 and not world.is_judged), (method, status, world.backend.requests[count:])
    assert world.count() == count


@pytest.mark.parametrize("target", ["http://localhost/public/../pipeline/x", "http://evil.example.com/pipeline/x", "*",
                                    "pipeline/x", "/public/#/../../pipeline/x", "/public/x#/../pipeline"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "CONNECT"])
def test_odd_targets(world, method, target):
    """I 124, 127."""
    count = world.count()
    status = world.gateway.raw(f"{method} {target} HTTP/1.1\r\nHost: localhost:{world.gateway.port}\r\n"
                               "Accept: application/json\r\nConnection: close\r\n\r\n".encode())
    assert status != 200 and world.count() == count, (status, world.backend.requests[count:])


@pytest.mark.parametrize("name", ["X-Forwarded-Uri", "X-Original-URL", "X-Rewrite-URL", "x-envoy-original-path",
                                  "X-Forwarded-Path", "X-Original-URI"])
def test_headers_say_no_path(world, name):
    """I 126."""
    count = world.count()
    for path in ("/public/x", "/oauth2/x", "/authservice/site/x"):
        assert refuses_script(world, [(name, path)])
    assert world.count() == count


def test_slashes_are_merged_before_they_are_judged(world):
    """As pathNormalization of way B2 says. In the others the judge allows such a path as it allows /, to who is signed in."""
    answer = world.get(world.browser(), "/pipeline//x")
    assert answer.status == 200
    assert world.backend.requests[-1]["path"] == ("/pipeline/x" if world.way == "B2" else "/pipeline//x")
    assert world.seen("kubeflow-userid") == ["alice@example.com"]
    count = world.count()
    assert world.get(path="/pipeline//x").status in (302, 400, 401, 403) and world.count() == count


# ---------------- Programs

def bearer(token):
    return [("Authorization", "Bearer " + token)]


def forged_token(token, **changes):
    """The token with other claims, under the signature that it had."""
    head, body, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    claims.update(changes)
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return ".".join([head, body, signature])


def test_token_for_our_client_names_its_user(world):
    token = world.tokens("bob")["id_token"]
    headers = bearer(token) + [(name, EVIL) for name in FORGED if world.is_judged or not set("_.") & set(name)]
    assert world.get(headers=headers, kind=SCRIPT).status == 200, world.log()
    assert world.seen("kubeflow-userid") == ["bob@example.com"] and world.groups() == ["data-science"]
    assert names_nobody_else(world)


def test_token_without_groups_has_none(world):
    if "carol" not in world.realm.passwords:
        world.realm.add_user("carol")
    headers = bearer(world.tokens("carol")["id_token"]) + [("kubeflow-groups", EVIL), ("Kubeflow-Groups", EVIL)]
    assert world.get(headers=headers, kind=SCRIPT).status == 200
    assert names_nobody_else(world) and world.seen("kubeflow-userid") == ["carol@example.com"]


def test_token_of_another_client_is_refused(world):
    client = other_client(world.realm)
    tokens = world.tokens("bob", client)
    count = world.count()
    for name in ("id_token", "access_token"):
        assert world.get(headers=bearer(tokens[name]), kind=SCRIPT).status in (401, 403), name
    assert world.count() == count


def test_token_of_another_client_for_us_is_taken(world):
    client = other_client(world.realm, "pipelines-sdk", world.realm.client)
    assert world.get(headers=bearer(world.tokens("bob", client)["access_token"]), kind=SCRIPT).status == 200, world.log()
    assert world.seen("kubeflow-userid") == ["bob@example.com"]


def test_token_that_is_none_is_refused(world):
    token = world.tokens("bob")["id_token"]
    count = world.count()
    for wrong in ("", "x", "a.b.c", token[:-3], forged_token(token, email=EVIL), forged_token(token, exp=9999999999),
                  base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode() + "." + token.split(".")[1] + "."):
        assert world.get(headers=bearer(wrong), kind=SCRIPT).status in (401, 403), wrong[:20]
    assert world.get(headers=[("Authorization", "Basic YTpi")], kind=SCRIPT).status in (401, 403)
    assert refuses_script(world, path="/pipeline/x?access_token=" + token)
    assert world.count() == count


def test_two_authorizations_name_nobody_else(world):
    count = world.count()
    headers = bearer(world.tokens("bob")["id_token"]) + bearer("a.b.c")
    answer = world.get(headers=headers, kind=SCRIPT)
    assert answer.status in (400, 401, 403) and world.count() == count, answer


# ---------------- Bodies and streams

def test_body_reaches_the_backend(world):
    answer = world.get(world.browser(), "/pipeline/upload", [("Content-Type", "application/octet-stream")], "POST",
                       b"x" * 3000000, SCRIPT)
    assert answer.status == 200 and world.backend.requests[-1]["body_bytes"] == 3000000, answer


def test_web_socket_goes_through(world):
    assert WebSocket(world.gateway.port, "/notebook/team/one/ws", [("kubeflow-userid", EVIL)]).status == (
        401 if world.is_judged else 302)
    client = WebSocket(world.gateway.port, "/notebook/team/one/ws", [
        ("Cookie", world.browser().cookie_header("localhost", "/"))])
    assert client.status == 101 and client.echo("hello") == "hello", world.log()
    client.close()


# ---------------- Sessions end

def test_logout_as_the_dashboard_calls_it(world):
    world.realm.add_user("frank")
    browser = world.sign_in("frank")
    if world.way == "A":
        answer = browser.send("POST", world.url + "/authservice/logout", [
            ("Accept", "*/*"), ("Authorization", "Bearer "), ("Origin", world.url)], b"")
        assert answer.status == 201 and "/logout?" in answer.json()["afterLogoutURL"], answer
        browser.get(answer.json()["afterLogoutURL"])
    else:
        path = "/oauth2/sign_out" if world.way == "B1" else "/authservice/logout"
        answer = browser.get(world.url + path, [("Sec-Fetch-Site", "same-origin")])
        assert answer.history and any("/protocol/openid-connect/logout" in step.url for step in [*answer.history, answer])
    assert asks_to_sign_in(world, world.get(browser))
    assert not world.realm.sessions("frank")


def test_keycloak_ends_sessions_by_the_back_channel(world):
    world.realm.add_user("erin")
    browser = world.sign_in("erin")
    assert world.get(browser).status == 200
    world.realm.admin("POST", f"/users/{world.realm.user('erin')['id']}/logout")
    wait_for(lambda: asks_to_sign_in(world, world.get(browser)), 10, "the session ends on Keycloak's word")


def test_list_of_sessions_is_shown_and_its_form_read(world):
    world.realm.add_user("grace")
    browser, other = world.sign_in("grace"), world.sign_in("grace")
    url = world.url + world.prefix + "/sessions"
    page = browser.get(url, [("Sec-Fetch-Site", "same-origin")], follow=False)
    assert page.status in (200, 203) and not page.header("X-Backend"), page
    ends = re.findall(r'name="end" value="([^"]+)"', page.text)
    assert ends, page.text
    stranger = Browser().post(url, {"end": ends[0]}, [("Origin", world.url)], follow=False)
    assert stranger.status in (302, 401, 403), stranger
    assert world.get(other).status == 200, "a stranger ends nothing"
    answer = browser.post(url, {"end": "all"}, [("Origin", world.url), ("Sec-Fetch-Site", "same-origin")], follow=False)
    assert answer.status in (200, 303) and not answer.header("X-Backend"), answer
    wait_for(lambda: asks_to_sign_in(world, world.get(other)), 10, "the form ends the other session")


# ---------------- A judge that does not answer

def test_judge_that_is_down_lets_nobody_in(world):
    browser, token = world.browser(), world.tokens("bob")["id_token"]
    world.judge.halt()
    try:
        count = world.count()
        for path in ("/", "/pipeline/x", "/public/x", "/notebook/team/one/"):
            answer = world.get(browser, path)
            assert answer.status in (403, 503), (path, answer)
            assert world.get(path=path, headers=[("kubeflow-userid", EVIL)]).status in (403, 503)
        if world.is_judged:
            assert world.get(headers=bearer(token), kind=SCRIPT).status in (403, 503)
        assert WebSocket(world.gateway.port, "/notebook/team/one/ws", []).status in (403, 503)
        assert world.count() == count
    finally:
        world.judge.start()
    wait_for(lambda: world.get(browser).status == 200, 20, "the gateway asks the judge again")


@pytest.mark.parametrize("way", ["A", "B2"])
def test_judge_that_hangs_lets_nobody_in(keycloak, tmp_path, way):
    """With two seconds in place of the thirty that a sign-in's last step may need."""
    world = World(way, tmp_path, keycloak.realm("hangs-" + way.lower(), "http://localhost:1"), lambda documents:
                  give_judge(documents, "2s"))
    with socket.create_server(("127.0.0.1", world.judge.port)):
        try:
            world.gateway.start()
            begun = time.monotonic()
            assert world.get(headers=[("kubeflow-userid", EVIL)]).status == 503, world.log()
            assert 1 < time.monotonic() - begun < 15 and world.count() == 0
        finally:
            world.stop()
