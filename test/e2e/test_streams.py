# SPDX-License-Identifier: Apache-2.0
"""WebSockets and long responses end with the session that they were opened with, and with no other."""

import signal
import time

import pytest

from httpd import MODULES
from process import wait_for
from streams import Http2, Lines, StreamBackend, WebSocket

SOON = 5  # seconds within which a stream is closed
LONGER = 6  # seconds for which one that stays open is watched
LIFESPAN = 8  # seconds, of tokens

BLOCKS = """\
ProxyPass /ws http://127.0.0.1:{port}/ws upgrade=websocket
ProxyPass /lines http://127.0.0.1:{port}/lines
"""


@pytest.fixture(scope="module")
def realm(keycloak):
    def change(representation):
        representation["clients"][0]["attributes"]["access.token.lifespan"] = str(LIFESPAN)
    return keycloak.realm("e2e-streams", "http://localhost:1", change)


@pytest.fixture(scope="module")
def backend():
    server = StreamBackend()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def new_stream_site(new_site, realm, backend):
    def make(settings="", **more):
        return new_site(realm, settings=settings, blocks=BLOCKS.format(port=backend.port), **more)
    return make


@pytest.fixture(scope="module", params=["memcached", "shared memory"])
def site(new_stream_site, request):
    return new_stream_site(memcached=request.param == "memcached")


@pytest.fixture(scope="module")
def nodes(new_stream_site):
    """Two that share a memcached."""
    first = new_stream_site()
    second = new_stream_site(memcached=False, crypto_key=False, settings=(
        f"KeycloakMemcached {first.memcached.address}\nKeycloakStoreTimeout 1s\n"
        f"KeycloakCryptoKey file:{first.folder}/crypto-key\n"))
    return first, second


@pytest.fixture
def opened():
    """Keeps clients, and closes them when the test is done."""
    clients = []

    def keep(client):
        clients.append(client)
        return client
    yield keep
    for client in clients:
        client.close()


def cookie_of(browser):
    return ("Cookie", "keycloak_session=" + browser.cookie("keycloak_session").value)


def web_socket(site, browser, opened):
    client = opened(WebSocket(site.port, "/ws", [cookie_of(browser)]))
    assert client.status == 101, site.log()
    assert client.echo("hello") == "hello"
    return client


def sign_out(site, browser, method="GET"):
    answer = site.call(browser, "/authservice/logout", [("Origin", site.url)], method=method,
                       body=b"" if method == "POST" else None)
    assert answer.status in (201, 302, 303), answer


def closed_lines(site):
    return [line for line in site.httpd.log_text().splitlines() if " is closed, because the session of " in line]


def says(site, tag, before=0, count=1):
    """httpd's log tells of so many streams that it has closed, after those of before; it does so behind the deed."""
    wait_for(lambda: len(closed_lines(site)) >= before + count, SOON, "httpd says what it closes")
    lines = closed_lines(site)[before:]
    return len(lines) == count and all(f"{tag}: /ws is closed" in line for line in lines)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_signing_out_closes_it_and_nobody_elses(site, opened, method):
    alice, elsewhere, bob = (site.signed_in(name) for name in ("alice", "alice", "bob"))
    first, second = web_socket(site, alice, opened), web_socket(site, alice, opened)
    others = [web_socket(site, elsewhere, opened), web_socket(site, bob, opened)]
    before = len(closed_lines(site))
    sign_out(site, alice, method)
    assert first.ends_within(SOON) and second.ends_within(SOON), site.log()
    assert all(other.is_open() for other in others)
    assert says(site, "KC0109", before, 2)
    assert all("alice@example.com" in line for line in closed_lines(site)[before:])
    assert not any(cookie_of(browser)[1].partition("=")[2] in site.httpd.log_text()
                   for browser in (elsewhere, bob))
    assert not any(other.ends_within(1) for other in others)


def test_it_stays_open_as_long_as_the_session(site, opened):
    """Over several looks, and over renewals of its tokens."""
    client = web_socket(site, site.signed_in("bob"), opened)
    assert not client.ends_within(2 * LIFESPAN + 1), site.log()
    assert client.is_open()


@pytest.fixture(scope="module")
def strict_site(new_site, keycloak, backend):
    """At a realm that takes each refresh token once."""
    def change(representation):
        representation.update(revokeRefreshToken=True, refreshTokenMaxReuse=0)
        representation["clients"][0]["attributes"]["access.token.lifespan"] = str(LIFESPAN)
    return new_site(keycloak.realm("e2e-streams-strict", "http://localhost:1", change),
                    blocks=BLOCKS.format(port=backend.port))


def opened_before(site, opened, username):
    """A browser with another tab, which waits at Keycloak's form, and what the first tab has open."""
    browser = site.browser()
    second_tab = site.get(browser, "/api/second").header("Location")
    browser.sign_in(site.url + "/api/first", username, site.realm.passwords[username])
    lines = opened(Lines(site.port, "/lines", [cookie_of(browser)]))
    assert lines.status == 200 and lines.next_line() == b"line"
    return browser, second_tab, web_socket(site, browser, opened), lines


def test_a_sign_in_in_another_tab_cuts_nothing_of_the_same_person(strict_site, opened):
    """Over several renewals, by either tab's session; until the browser signs out."""
    browser, second_tab, socket, lines = opened_before(strict_site, opened, "alice")
    old = cookie_of(browser)
    answer = browser.get(second_tab)
    assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{strict_site.log()}"
    assert cookie_of(browser) != old
    later = web_socket(strict_site, browser, opened)
    assert not socket.ends_within(2 * LIFESPAN + 2), strict_site.log()
    assert socket.is_open() and later.is_open() and lines.next_line() == b"line", strict_site.log()
    assert "could not be renewed" not in strict_site.httpd.log_text(), strict_site.log()
    assert strict_site.identity(browser) == ["alice@example.com"]
    sign_out(strict_site, browser)
    assert all(client.ends_within(SOON) for client in (socket, lines, later)), strict_site.log()


def test_another_person_s_sign_in_in_the_same_browser_closes_it(strict_site, opened):
    browser, second_tab, socket, lines = opened_before(strict_site, opened, "alice")
    browser.cookies = {place: cookie for place, cookie in browser.cookies.items() if cookie.name.startswith("keycloak_")}
    answer = browser.fill_in(browser.get(second_tab), "bob", strict_site.realm.passwords["bob"])
    assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{strict_site.log()}"
    later = web_socket(strict_site, browser, opened)
    assert socket.ends_within(SOON) and lines.ends_within(SOON), strict_site.log()
    assert later.is_open() and not later.ends_within(1)
    assert strict_site.identity(browser) == ["bob@example.com"]


def test_a_response_without_an_end_is_cut(site, opened):
    alice = site.signed_in("alice")
    lines = opened(Lines(site.port, "/lines", [cookie_of(alice)]))
    assert lines.status == 200 and lines.next_line() == b"line" and lines.next_line() == b"line"
    sign_out(site, alice)
    assert lines.ends_within(SOON), site.log()


def test_one_that_was_opened_just_before(site, opened):
    """So late that the session is over before anybody has looked after the stream."""
    alice = site.signed_in("alice")
    client = web_socket(site, alice, opened)
    sign_out(site, alice)
    assert client.ends_within(SOON)


def test_signed_out_on_another_node(nodes, opened):
    first, second = nodes
    alice, bob = first.signed_in("alice"), first.signed_in("bob")
    here, there = web_socket(first, alice, opened), web_socket(second, alice, opened)
    other = web_socket(first, bob, opened)
    sign_out(second, alice)
    assert here.ends_within(SOON), first.log()
    assert there.ends_within(SOON), second.log()
    assert other.is_open()


def test_turned_off_it_stays_open(new_stream_site, opened):
    site = new_stream_site("KeycloakCloseStreams off")
    alice = site.signed_in("alice")
    client = web_socket(site, alice, opened)
    sign_out(site, alice)
    assert not client.ends_within(LONGER)
    assert client.is_open() and not closed_lines(site)


def test_the_child_of_before_a_graceful_restart_goes_on_looking(new_stream_site, opened):
    site = new_stream_site()
    alice, bob = site.signed_in("alice"), site.signed_in("bob")
    mine, other = web_socket(site, alice, opened), web_socket(site, bob, opened)
    children, text = site.httpd.children(), site.httpd.log_text()
    site.httpd.child.send(signal.SIGUSR1)
    wait_for(lambda: site.httpd.log_text().count("resuming normal") > text.count("resuming normal")
             and site.httpd.children() - children, 30, "httpd restarts gracefully")
    assert site.httpd.children() & children, "an old child serves the WebSockets"
    assert mine.is_open() and other.is_open()
    assert not mine.ends_within(3)  # its thread has seen the restart
    sign_out(site, alice)
    assert mine.ends_within(SOON), site.log()
    assert other.is_open()
    other.close()
    wait_for(lambda: not site.httpd.children() & children, 30, "the old children end")
    assert "exit signal" not in site.httpd.log_text()


def test_who_is_disabled_in_keycloak_loses_it(site, realm, opened):
    """Nothing but the WebSocket is open: it alone sees to it that the tokens are renewed."""
    name = "dora" if site.memcached else "dina"
    realm.add_user(name)
    dora, bob = site.signed_in(name), site.signed_in("bob")
    client, other = web_socket(site, dora, opened), web_socket(site, bob, opened)
    before = len(closed_lines(site))
    realm.admin("PUT", f"/users/{realm.user(name)['id']}", {"enabled": False})
    assert client.ends_within(LIFESPAN + SOON), site.log()
    assert says(site, "KC0311", before)
    assert other.is_open()


def test_an_unused_session_ends_and_with_it_the_stream(new_stream_site, opened):
    """An open WebSocket is no use of its session, whatever goes over it."""
    site = new_stream_site("KeycloakSessionIdle 5s", memcached=False)
    client = web_socket(site, site.signed_in("alice"), opened)
    until = time.monotonic() + 5 + SOON
    while client.is_open() and time.monotonic() < until:
        time.sleep(0.5)
    assert client.ends_within(1), site.log()
    assert says(site, "KC0107")


def test_a_store_that_is_down_closes_nothing(new_stream_site, opened):
    site = new_stream_site()
    client = web_socket(site, site.signed_in("alice"), opened)
    site.memcached.stop()
    assert not client.ends_within(LONGER), site.log()
    assert client.is_open() and not closed_lines(site)
    site.memcached.start()  # empty: now it is known that the session is gone
    assert client.ends_within(SOON), site.log()


def test_prefork(new_stream_site, opened):
    """Where a thread beside the only one is a guest, and children end in a signal handler."""
    site = new_stream_site(mpm="prefork")
    alice, bob = site.signed_in("alice"), site.signed_in("bob")
    mine, other = web_socket(site, alice, opened), web_socket(site, bob, opened)
    sign_out(site, alice)
    assert mine.ends_within(SOON), site.log()
    assert other.is_open()
    other.close()
    site.httpd.graceful()
    client = web_socket(site, bob, opened)
    site.httpd.stop()
    assert client.ends_within(SOON)
    assert "exit signal" not in site.httpd.log_text()


@pytest.fixture(scope="module")
def http2_site(new_stream_site):
    return new_stream_site("Protocols h2c http/1.1\nH2WebSockets on",
                           modules=[*MODULES, "http2", "auth_keycloak"])


def test_http2_cuts_the_response_alone(http2_site, opened):
    """Other requests of the same connection, behind a proxy those of other people, go on."""
    alice, bob = http2_site.signed_in("alice"), http2_site.signed_in("bob")
    client = opened(Http2(http2_site.port))
    mine, other = (client.open("/lines", [cookie_of(browser)]) for browser in (alice, bob))
    assert client.reads_until(lambda: min(len(client.content[each]) for each in (mine, other)) > 5, 20)
    sign_out(http2_site, alice)
    assert client.reads_until(lambda: mine in client.ended, SOON), http2_site.log()
    seen = len(client.content[other])
    assert client.reads_until(lambda: len(client.content[other]) > seen + 10, 10)
    assert other not in client.ended and not client.is_refused


def test_http2_cuts_the_web_socket_alone(http2_site, opened):
    alice, bob = http2_site.signed_in("alice"), http2_site.signed_in("bob")
    client = opened(Http2(http2_site.port))
    mine, other = (client.open("/ws", [cookie_of(browser)], is_web_socket=True) for browser in (alice, bob))

    def echoes(stream, text):
        client.send_text(stream, text)
        return client.reads_until(lambda: client.content[stream].endswith(text.encode()), 2)
    assert echoes(mine, "hello") and echoes(other, "hello"), http2_site.log()
    before = len(closed_lines(http2_site))
    sign_out(http2_site, alice)
    assert says(http2_site, "KC0109", before)
    assert not echoes(mine, "too late")
    assert client.reads_until(lambda: mine in client.ended, SOON), http2_site.log()
    assert echoes(other, "still there") and not client.is_refused


def test_httpd_ends_while_a_stream_is_open(new_stream_site, opened):
    site = new_stream_site()
    client = web_socket(site, site.signed_in("alice"), opened)
    site.httpd.stop()
    assert client.ends_within(SOON)
    assert "exit signal" not in site.httpd.log_text()
