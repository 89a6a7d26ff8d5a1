# SPDX-License-Identifier: Apache-2.0
"""Names of hosts: an httpd with its own hosts file and resolv.conf in a mount namespace, and a name server of its own on a
loopback address, which tests can silence."""

import os
import re
import shlex
import socket
import struct
import threading
import time
from urllib.parse import quote

from load import Load
from world import Browser, Failure, World, free_port, wait_for
from httpd import Httpd  # behind world, which tells where the shared parts are
from process import Child


class NameServer:
    """Answers for some names over UDP, port 53 of an address, or of a loopback address of its own; silent, it reads and
    says nothing."""

    def __init__(self, address=None):
        if os.geteuid() != 0:
            raise Failure("a name server has port 53: run this test as root")
        self.address = address or f"127.53.{os.getpid() % 250}.{os.getpid() // 250 % 250 + 1}"
        self.names, self.is_silent, self.asked = {}, False, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 53))
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.socket.sendto(b"", (self.address, 53))
        self.thread.join(10)
        self.socket.close()

    def serve(self):
        while True:
            question, peer = self.socket.recvfrom(4096)
            if not question:
                return
            self.asked += 1
            if not self.is_silent:
                self.socket.sendto(self.answer(question), peer)

    def answer(self, question):
        labels, place = [], 12
        while question[place]:
            labels.append(question[place + 1:place + 1 + question[place]].decode("ascii").lower())
            place += 1 + question[place]
        end = place + 5
        kind = struct.unpack(">H", question[place + 1:place + 3])[0]
        addresses = self.names.get(".".join(labels))
        found = [addresses] if isinstance(addresses, str) else addresses or []
        head = question[:2] + struct.pack(">HHHHH", 0x8180 if found else 0x8183, 1, len(found) if kind == 1 else 0, 0, 0)
        found = found if kind == 1 else []
        records = b"".join(b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(one) for one in found)
        return head + question[12:end] + records


class NamedHttpd(Httpd):
    """httpd in a mount namespace, whose names are those of `server` alone."""

    server = None

    def argv(self, *more):
        files = {"resolv.conf": f"nameserver {self.server.address}\n", "hosts": "127.0.0.1 localhost\n",
                 "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"}
        words = []
        for name, text in files.items():
            path = self.folder / name
            path.write_text(text, encoding="ascii")
            path.chmod(0o644)
            words.append(f"mount --bind {shlex.quote(str(path))} /etc/{name}")
        words.append("exec " + " ".join(shlex.quote(word) for word in super().argv(*more)))
        return ["unshare", "--mount", "--propagation", "private", "sh", "-c", " && ".join(words)]


class Forwarder:
    """Whatever connects to this address and port gets to the same port of 127.0.0.1."""

    def __init__(self, address, port):
        self.port = port
        self.socket = socket.create_server((address, port))
        self.pairs = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.socket.accept()
                server = socket.create_connection(("127.0.0.1", self.port), 10)
            except OSError:
                return
            self.pairs += [client, server]
            for pair in ((client, server), (server, client)):
                threading.Thread(target=self.copy, args=pair, daemon=True).start()

    @staticmethod
    def copy(source, target):
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        for one in [self.socket, *self.pairs]:
            one.close()


def named_world(ground, server, port, settings=""):
    """A world whose httpd knows memcached and Keycloak by names."""
    class Named(NamedHttpd):
        pass
    Named.server = server
    return World(ground, nodes=0, addresses=[f"mc.test:{port}"], httpd=Named, settings=(
        f"KeycloakAllowHTTP on\nKeycloakBackchannelURL http://keycloak.test:{ground.provider.port}\n"
        f"KeycloakHTTPTimeout 2s\n{settings}"))


def memcached_at(ground, address, port, environment=None):
    child = Child("memcached", ["memcached", "-l", address, "-p", port, "-U", "0", "-m", "64"],
                  ground.folder() / "memcached.log", {**os.environ, **(environment or {})}, user=ground.room.user)
    wait_for(lambda: can_connect(address, port), 20, "memcached listens", child)
    return child


def can_connect(address, port):
    try:
        socket.create_connection((address, port), 5).close()
        return True
    except OSError:
        return False


def signs_in(world):
    try:
        world.sign_in(1)
        return True
    except Failure:
        return False


def callback_seconds(world):
    """How long somebody waits who comes back from Keycloak, and what they get."""
    browser = Browser()
    page = browser.get(world.url + "page", follow=False)
    state = re.search(r"[?&]state=([^&]+)", page.header("Location")).group(1)
    begin = time.monotonic()
    answer = browser.get(f"{world.url}authservice/oidc/callback?code=x&state={state}&iss="
                         f"{quote(world.ground.provider.issuer, safe='')}", follow=False)
    return time.monotonic() - begin, answer.status


def silent(ground, result, under_load):
    port = free_port()
    with NameServer() as server:
        server.names = {"mc.test": "127.0.0.1", "keycloak.test": "127.0.0.1"}
        node = memcached_at(ground, "127.0.0.1", port)
        try:
            with named_world(ground, server, port) as world:
                world.sign_in(40)
                waited = []

                def harm():
                    server.is_silent = True
                    time.sleep(12)  # past a look-up: what is known is used on
                    asked = server.asked
                    world.httpd.graceful()  # children that know no address
                    waited.append(callback_seconds(world))
                    result.expect(server.asked > asked, "the name server was asked")
                under_load(result, world, harm)
                result.expect(result.figures["p99_ms"] <= 100, f"p99 is {result.figures['p99_ms']} ms, at most 100")
                seconds, status = waited[0]
                result.expect(status == 503 and seconds < 4,
                              f"who comes back from Keycloak gets 503 after KeycloakHTTPTimeout: {status}, {seconds:.1f} s")
                server.is_silent = False
                begin = time.monotonic()
                wait_for(lambda: signs_in(world), 30, "people can sign in again")
                result.note = f"callback {seconds:.1f} s, well again after {time.monotonic() - begin:.1f} s"
        finally:
            node.stop()


def moved(ground, result):
    port = free_port()
    with NameServer() as server:
        server.names = {"mc.test": "127.0.0.1", "keycloak.test": "127.0.0.2"}
        way = Forwarder("127.0.0.2", ground.provider.port)
        nodes = [memcached_at(ground, address, port) for address in ("127.0.0.1", "127.0.0.2")]
        try:
            with named_world(ground, server, port) as world:
                world.sign_in(40)

                def harm():
                    server.names = {"mc.test": "127.0.0.2", "keycloak.test": "127.0.0.1"}
                    way.stop()
                    nodes[0].stop()
                    begin = time.monotonic()
                    wait_for(lambda: signs_in(world), 30, "people can sign in at the new addresses")
                    result.note = f"followed after {time.monotonic() - begin:.1f} s"
                    result.expect(time.monotonic() - begin <= 15, f"both were followed in time: {result.note}")
                people = list(world.people)
                with Load(world.port, people) as load:
                    harm()
                    load.stop()
                failed = [record for record in load.all() if record[2] not in ("ok", "lost")]
                result.expect(len(load.all()) > 100 and len(failed) < len(load.all()), "httpd went on meanwhile")
        finally:
            for node in nodes:
                node.stop()
