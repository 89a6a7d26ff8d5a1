# SPDX-License-Identifier: Apache-2.0
"""The part of the Kubernetes API that the Job for Keycloak's client uses: one Secret, read and merged, over https."""

import json
import secrets
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class KubernetesAPI:
    """Serves the Secrets in `self.secrets` (namespace/name: data) to who has the account's token, on localhost.

    Only get and patch of names in `self.allowed` are allowed, as by the Job's Role.
    """

    def __init__(self, folder, authority, namespace="istio-system", name="mod-auth-keycloak"):
        self.secrets = {f"{namespace}/{name}": {}}
        self.allowed = {name}
        self.token = secrets.token_urlsafe(32)
        self.requests, self.refuse = [], None
        self.folder = folder
        folder.mkdir()
        (folder / "token").write_text(self.token + "\n", encoding="utf-8")
        (folder / "namespace").write_text(namespace, encoding="utf-8")
        (folder / "ca.crt").write_bytes((authority / "ca.pem").read_bytes())
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(authority / "localhost.pem", authority / "localhost.key")
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)

    def answer(self, method, path, headers, body):
        """Status and object, as the API server would have it."""
        self.requests.append((method, path))
        if headers.get("Authorization") != "Bearer " + self.token:
            return 401, {"kind": "Status", "code": 401}
        parts = path.strip("/").split("/")
        if self.refuse or parts[:3] != ["api", "v1", "namespaces"] or len(parts) != 6 or parts[4] != "secrets":
            return self.refuse or 404, {"kind": "Status"}
        if parts[5] not in self.allowed or method not in ("GET", "PATCH"):
            return 403, {"kind": "Status", "code": 403}
        name = f"{parts[3]}/{parts[5]}"
        if name not in self.secrets:
            return 404, {"kind": "Status", "code": 404}
        if method == "PATCH":
            if headers.get("Content-Type") != "application/merge-patch+json":
                return 415, {"kind": "Status", "code": 415}
            self.secrets[name] = {**self.secrets[name], **json.loads(body)["data"]}
        data = self.secrets[name]
        return 200, {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": parts[5], "namespace": parts[3]},
                     **({"data": data} if data else {})}

    def _handler(self):
        api = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 30

            def serve(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, answer = api.answer(self.command, self.path, self.headers, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = serve

            def log_message(self, *_):
                pass

        return Handler
