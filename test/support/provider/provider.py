#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A fake OpenID provider with Keycloak's paths, with realms that tests control.

    provider.py --port N [--tls-port N --cert FILE --key FILE --client-ca FILE] [--presets FILE]

Realms exist as soon as they are named: /realms/NAME over http, /realms/NAME over https (another issuer).
Nobody signs in here: the authorization endpoint sends the browser back at once.

    PUT    /control/NAME         {"member": value, ...}   settings, see DEFAULTS in realm.py
    DELETE /control/NAME         settings back to the defaults
    POST   /control/NAME/rotate  a new key beside the old; /retire: a new key in place of the old ones
    POST   /control/NAME/logout  {"member": value, ...}   a logout token, changed as ID_TOKEN_CHANGES in realm.py says
    POST   /control/NAME/bearer  {"member": value, ...}   an access token, changed as ID_TOKEN_CHANGES says
    GET    /control/NAME/log     every request so far; DELETE empties it
    GET    /control/NAME/keys    names of the keys

NAME is tls:NAME for a realm of the https listener.
"""

import argparse
import json
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

from faults import FAULTS
from realm import POOL, Realm, Refusal, repeated

LARGEST_REQUEST = 1 << 20


class Realms:
    """All realms of the process."""

    def __init__(self, presets):
        self.lock = threading.Lock()
        self.presets, self.made, self.origins = presets, {}, {}

    def get(self, scheme, name):
        with self.lock:
            if (scheme, name) not in self.made:
                issuer = f"{self.origins[scheme]}/realms/{name}"
                self.made[scheme, name] = Realm(name, issuer, len(self.made), self.presets.get(name, {}))
            return self.made[scheme, name]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    # -- plumbing

    def log_message(self, *_):
        pass

    def setup(self):
        if self.server.tls:
            self.request.settimeout(10)
            self.request.do_handshake()
            self.request.settimeout(None)
        super().setup()

    def handle(self):
        try:
            super().handle()
        except (ConnectionError, ssl.SSLError, TimeoutError):
            pass

    def answer(self, status, body=b"", kind="application/json", headers=()):
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        length = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(min(length, LARGEST_REQUEST))

    def route(self):
        path, _, query = self.path.partition("?")
        parts = path.strip("/").split("/")
        if parts[0] == "control" and len(parts) >= 2:
            return self.control(parts[1], parts[2:])
        if parts[0] == "realms" and len(parts) >= 3:
            return self.realm_request(parts[1], "/".join(parts[2:]), query)
        self.server.strays.append(self.path)
        return self.answer(404, {"error": "not_found"})

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = route

    # -- control

    def control(self, name, rest):
        if name == "strays":
            return self.answer(200, self.server.strays)
        scheme, _, name = name.rpartition(":")
        realm = self.server.realms.get("https" if scheme == "tls" else "http", name)
        text = self.body()
        with realm.lock:
            try:
                result = CONTROL[self.command, "/".join(rest)](realm, text)
            except (KeyError, ValueError, TypeError) as error:
                return self.answer(400, {"error": str(error)})
            return self.answer(200, result)

    # -- a realm's own endpoints

    def realm_request(self, name, path, query):
        realm = self.server.realms.get("https" if self.server.tls else "http", name)
        text = self.body().decode("utf-8", "replace")
        endpoint = ENDPOINTS.get(path)
        pairs = parse_qsl(text if self.command == "POST" else query, keep_blank_values=True)
        with realm.lock:
            self.entry = {"endpoint": endpoint or path, "method": self.command, "params": pairs, "time": time.time(),
                          "headers": list(self.headers.items()), "repeated": repeated(pairs), "sent": 0}
            realm.log.append(self.entry)
            if endpoint is None:
                return self.answer(404, {"error": "not_found"})
            fault = realm.settings["faults"].get(endpoint)
            try:
                if fault and fault.get("early"):  # the realm itself does not see the request
                    status, body, kind, headers = 500, b"", "", ()
                else:
                    status, body, kind, headers = RESPONSES[endpoint](self, realm, dict(pairs))
            except Refusal as refusal:
                status, body, kind, headers = refusal.status, {"error": refusal.error}, "application/json", ()
            self.entry["status"] = status
            fault = realm.fill(fault)
        if fault is None:
            return self.answer(status, body, kind, headers)
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        return FAULTS[fault["kind"]](self, fault, body)

    def certificate(self):
        return self.connection.getpeercert() if self.server.tls else None

    def give_document(self, realm, params):
        return 200, realm.document(), "application/json", ()

    def give_keys(self, realm, params):
        return 200, realm.key_set(), "application/json", ()

    def give_code(self, realm, params):
        if params.get("response_type") != "code" or "openid" not in params.get("scope", "").split():
            raise Refusal("invalid_request")
        if params.get("client_id") != realm.settings["client"]["id"] or self.entry["repeated"]:
            raise Refusal("invalid_request")
        back = params.get("redirect_uri", "")
        joint = "&" if urlsplit(back).query else "?"
        return 302, b"", "text/plain", (("Location", back + joint + urlencode(realm.authorize(params))),)

    def give_tokens(self, realm, params):
        if self.command != "POST" or self.entry["repeated"]:
            raise Refusal("invalid_request")
        self.entry["answer"] = realm.token(self.headers, params, self.certificate())
        return 200, self.entry["answer"], "application/json", ()

    def give_userinfo(self, realm, params):
        return 200, realm.userinfo(self.headers), "application/json", ()

    def revoke(self, realm, params):
        if self.command != "POST":
            raise Refusal("invalid_request")
        realm.revoke(self.headers, params, self.certificate())
        return 200, b"", "text/plain", ()

    def end_session(self, realm, params):
        target = params.get("post_logout_redirect_uri")
        if not target:
            return 200, b"<p>signed out", "text/html", ()
        state = "?" + urlencode({"state": params["state"]}) if "state" in params else ""
        return 302, b"", "text/plain", (("Location", target + state),)


ENDPOINTS = {
    ".well-known/openid-configuration": "discovery",
    "protocol/openid-connect/auth": "auth",
    "protocol/openid-connect/token": "token",
    "protocol/openid-connect/certs": "certs",
    "protocol/openid-connect/userinfo": "userinfo",
    "protocol/openid-connect/logout": "logout",
    "protocol/openid-connect/revoke": "revoke",
}

RESPONSES = {
    "discovery": Handler.give_document,
    "auth": Handler.give_code,
    "token": Handler.give_tokens,
    "certs": Handler.give_keys,
    "userinfo": Handler.give_userinfo,
    "logout": Handler.end_session,
    "revoke": Handler.revoke,
}

CONTROL = {
    ("PUT", ""): lambda realm, text: realm.change(json.loads(text)),
    ("DELETE", ""): lambda realm, text: realm.reset(),
    ("GET", ""): lambda realm, text: realm.settings,
    ("POST", "rotate"): lambda realm, text: realm.rotate(),
    ("POST", "retire"): lambda realm, text: realm.retire(),
    ("POST", "logout"): lambda realm, text: {"logout_token": realm.logout_token(json.loads(text))},
    ("POST", "bearer"): lambda realm, text: {"token": realm.bearer_token(json.loads(text))},
    ("GET", "log"): lambda realm, text: realm.log,
    ("DELETE", "log"): lambda realm, text: realm.log.clear(),
    ("GET", "keys"): lambda realm, text: {"signing": realm.signing["kid"],
                                          "published": [key["kid"] for key in realm.published]},
}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port, realms, context=None):
        super().__init__(("127.0.0.1", port), Handler)
        self.realms, self.tls, self.ending, self.strays = realms, context is not None, False, []
        if context is not None:
            # The handshake is made by the connection's own thread.
            self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        scheme = "https" if self.tls else "http"
        realms.origins[scheme] = f"{scheme}://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        kind = sys.exc_info()[0]
        if kind and not issubclass(kind, (ConnectionError, ssl.SSLError, TimeoutError)):
            super().handle_error(request, client_address)


def arguments():
    parser = argparse.ArgumentParser(description="a fake OpenID provider")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--tls-port", type=int)
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--client-ca")
    parser.add_argument("--presets", help="JSON: realm name -> settings it starts with")
    return parser.parse_args()


def main():
    options = arguments()
    presets = {}
    if options.presets:
        with open(options.presets, encoding="utf-8") as file:
            presets = {name: row.get("realm", {}) for name, row in json.load(file).items()}
    POOL.fill()
    realms = Realms(presets)
    servers = [Server(options.port, realms)]
    if options.tls_port:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.cert, options.key)
        if options.client_ca:
            context.load_verify_locations(options.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        servers.append(Server(options.tls_port, realms, context))
    threads = [threading.Thread(target=server.serve_forever, args=(0.2,)) for server in servers]
    for thread in threads:
        thread.start()
    print("provider: ready", flush=True)
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        for server in servers:
            server.ending = True
            server.shutdown()


if __name__ == "__main__":
    main()
