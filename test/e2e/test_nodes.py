# SPDX-License-Identifier: Apache-2.0
"""Two nodes behind a load balancer with one memcached and different KeycloakCryptoKeys."""

import itertools
import socket
import threading
from contextlib import closing, contextmanager

import pytest

from process import free_port
from site_under_test import asks_to_sign_in

ADVICE = "sealed with a key that this server does not have (KeycloakCryptoKey: the same on all nodes)"


def copy(source, target):
    """What comes from one goes to the other, until it ends."""
    try:
        while content := source.recv(65536):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def serve(client, port):
    with closing(client), closing(socket.create_connection(("127.0.0.1", port), 30)) as node:
        there = threading.Thread(target=copy, args=(client, node), daemon=True)
        there.start()
        copy(node, client)
        there.join(30)


@contextmanager
def balanced(listening, ports):
    """Each connection goes to the next of these ports."""
    def accept():
        for port in itertools.cycle(ports):
            try:
                client = listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve, args=(client, port), daemon=True).start()
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(30)


@pytest.fixture(params=["different keys", "the same key"])
def nodes(new_site, realm, request):
    """Both, the address of the balancer before them, and whether they have the same key."""
    port = free_port()
    url = f"http://localhost:{port}"
    public = f"KeycloakPublicURL {url}\n"
    first = new_site(realm, settings=public)
    same = request.param == "the same key"
    key = f"KeycloakCryptoKey file:{first.folder}/crypto-key\n" if same else ""
    second = new_site(realm, memcached=False, crypto_key=not same, settings=(
        f"KeycloakMemcached {first.memcached.address}\nKeycloakStoreTimeout 1s\n{key}{public}"))
    realm.allow_site(url)
    listening = socket.create_server(("127.0.0.1", port))
    with balanced(listening, (first.port, second.port)):
        yield (first, second), url, same


def test_the_log_names_the_cause_and_nobody_is_blamed(nodes, realm):
    """Whichever node the browser comes back to, the other one has begun its sign-in."""
    (first, second), url, same = nodes
    browser = first.browser()
    answer = browser.sign_in(url + "/api/start", "alice", realm.passwords["alice"])
    logs = [site.httpd.log_text() for site in (first, second)]
    if same:
        assert answer.status == 200 and answer.header("X-Backend"), f"{answer}\n{first.log()}"
        assert not any("KC0505" in log for log in logs)
        return
    assert answer.status == 400 and "KC0304" in answer.text, f"{answer}\n{first.log()}\n{second.log()}"
    for log in logs:
        told = [line for line in log.splitlines() if "KC0505" in line]
        assert told and all("auth_keycloak:warn" in line and ADVICE in line for line in told), log
        assert any("a sign-in's cookie" in line for line in told), log
    assert answer.text.index("administrator") < answer.text.index("cookies"), answer.text


def test_a_session_of_the_other_node(nodes, realm):
    """Whose sign-in began and ended at one node, as where a balancer is sticky and then moves somebody."""
    (first, second), url, same = nodes
    browser = first.browser()
    start = first.get(browser, "/api/start")
    form = browser.get(start.header("Location"))
    back = browser.fill_in(form, "alice", realm.passwords["alice"], follow=False).header("Location")
    assert back.startswith(url + "/"), back
    made = browser.get(first.url + back.removeprefix(url), follow=False)
    assert made.status == 303 and browser.cookie("keycloak_session"), f"{made}\n{first.log()}"
    assert first.identity(browser) == ["alice@example.com"]
    answer = second.get(browser)
    if same:
        assert answer.status == 200, second.log()
        return
    assert asks_to_sign_in(answer, realm)
    told = [line for line in second.httpd.log_text().splitlines() if "KC0505" in line]
    assert len(told) == 1 and "auth_keycloak:warn" in told[0] and ADVICE in told[0] and "a session" in told[0], second.log()
    assert first.identity(browser) == ["alice@example.com"], "which ends nothing at the first node"
