#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A backend that answers with what it saw, header lines as they came, and counts its visitors by Host.

    backend.py --port N

On Host 127.0.0.1, GET /visitors/LABEL gives [request, ...] of the hosts whose first label that is, and
GET /hits/LABEL how many they are.
"""

import argparse
import json
import socketserver
import threading
import urllib.parse

LONGEST_LINE = 64 << 10
LARGEST_BODY = 8 << 20


class Visitors:
    """Requests by the first label of their Host."""

    def __init__(self):
        self.lock = threading.Lock()
        self.seen = {}

    def add(self, host, request):
        with self.lock:
            self.seen.setdefault(host, []).append(request)

    def of(self, host):
        with self.lock:
            return list(self.seen.get(host, []))


VISITORS = Visitors()


class Handler(socketserver.StreamRequestHandler):
    """HTTP/1.1 by hand, because libraries tidy up what this has to show."""

    disable_nagle_algorithm = True  # else each body waits 40 ms for the acknowledgement of the head

    def handle(self):
        try:
            while self.one_request():
                pass
        except (ConnectionError, ValueError):
            pass

    def line(self):
        return self.rfile.readline(LONGEST_LINE).decode("latin-1").rstrip("\r\n")

    def header_lines(self):
        lines = []
        while True:
            line = self.line()
            if not line:
                return lines
            lines.append([part if index == 0 else part.strip(" \t")
                          for index, part in enumerate((line.split(":", 1) + [""])[:2])])

    def body(self, headers):
        """How many octets of body came, and the trailer lines."""
        fields = {name.lower(): value for name, value in headers}
        if "chunked" not in fields.get("transfer-encoding", "").lower():
            return len(self.rfile.read(min(int(fields.get("content-length") or 0), LARGEST_BODY))), []
        total = 0
        while True:
            size = int(self.line().split(";")[0], 16)
            if size == 0:
                return total, self.header_lines()
            total += len(self.rfile.read(size))
            self.line()

    def one_request(self):
        start = self.line()
        if not start:
            return False
        method, target, _ = start.split(" ", 2)
        headers = self.header_lines()
        fields = {name.lower(): value for name, value in headers}
        length, trailers = self.body(headers)
        host = fields.get("host", "").split(":")[0]
        if host == "127.0.0.1":
            what, _, label = target.lstrip("/").partition("/")
            requests = VISITORS.of(label)
            self.answer(json.dumps(len(requests) if what == "hits" else requests), method)
        else:
            request = {"method": method, "target": target, "headers": headers, "body": length,
                       "trailers": trailers}
            VISITORS.add(host.split(".")[0], request)
            if "/interim/" in target and self.interim(target, fields.get("upgrade")):
                return False
            self.answer(json.dumps(request), method, target)
        return fields.get("connection", "").lower() != "close"

    def more_lines(self, target):
        """A query h=NAME:+VALUE&h=... brings these header lines."""
        lines = urllib.parse.parse_qs(target.partition("?")[2]).get("h", [])
        return "".join(line.replace("\r", "").replace("\n", "") + "\r\n" for line in lines)

    def interim(self, target, upgrade):
        """/interim/NNN sends that before the answer; with 101 and an Upgrade it switches, and says
        so in the tunnel: then there is no answer."""
        status = target.split("/interim/")[1][:3]
        if status == "101":
            if not upgrade:
                return False
            self.wfile.write((f"HTTP/1.1 101 Switched\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n"
                              f"{self.more_lines(target)}\r\n").encode("latin-1"))
            self.wfile.flush()
            self.wfile.write(b"HTTP/1.1 103 Tunnelled\r\nSet-Cookie: borders_session=tunnelled\r\n\r\n")
            self.wfile.flush()
            return True
        self.wfile.write(f"HTTP/1.1 {status} Interim\r\n{self.more_lines(target)}\r\n".encode("latin-1"))
        self.wfile.flush()
        return False

    def answer(self, text, method, target=""):
        body = text.encode()
        # /status/NNN answers with that status, so that error documents can be tried.
        status = target.split("/status/")[1][:3] if "/status/" in target else "200"
        self.wfile.write((f"HTTP/1.1 {status} Backend\r\nContent-Type: application/json\r\n"
                          f"X-Backend: yes\r\nSet-Cookie: backend=seen; Path=/\r\n"
                          f"Content-Length: {len(body)}\r\n{self.more_lines(target)}\r\n").encode("latin-1"))
        if method != "HEAD" and status not in ("204", "304"):
            self.wfile.write(body)
        self.wfile.flush()


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def main():
    parser = argparse.ArgumentParser(description="a backend that echoes")
    parser.add_argument("--port", type=int, required=True)
    with Server(("127.0.0.1", parser.parse_args().port), Handler) as server:
        print("backend: ready", flush=True)
        try:
            server.serve_forever(0.2)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
