#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two small backends, of FastCGI and of AJP/1.3, that say who asked: cgi_like_backends.py FCGI-PORT AJP-PORT.

A query h=NAME:+VALUE&h=...&s=STATUS brings these header lines and this status. Whoever asks with the
ETag that is in the answer gets 304; with Range, and a header Content-Range in the query, 206."""
import socketserver
import struct
import sys
import threading
import urllib.parse


def reply(method, query, headers):
    """Status, header lines as pairs, and the body."""
    fields = urllib.parse.parse_qs(query)
    lines = [tuple(line.split(": ", 1)) for line in fields.get("h", [])]
    user = headers.get("kubeflow-userid", "")
    body = f"fresh {fields.get('n', [''])[0]} for <{user}>\n".encode()
    status = int(fields.get("s", ["200"])[0])
    etag = dict(lines).get("ETag")
    if etag and headers.get("if-none-match") == etag:
        status, body = 304, b""
    elif "range" in headers and any(name == "Content-Range" for name, _ in lines):
        status = 206
    lines += [("Content-Type", "text/plain"), ("X-Backend", "yes")]
    if status != 304:
        lines.append(("Content-Length", str(len(body))))
    return status, lines, b"" if method == "HEAD" else body


class Stream(socketserver.StreamRequestHandler):
    def take(self, count):
        data = self.rfile.read(count)
        if len(data) < count:
            raise EOFError
        return data

    def handle(self):
        try:
            while self.one():
                pass
        except (EOFError, ConnectionError):
            pass


class FastCGI(Stream):
    @staticmethod
    def pairs(data):
        at, out = 0, {}
        while at < len(data):
            sizes = []
            for _ in range(2):
                if data[at] < 128:
                    sizes.append(data[at])
                    at += 1
                else:
                    sizes.append(struct.unpack_from(">I", data, at)[0] & 0x7fffffff)
                    at += 4
            name = data[at:at + sizes[0]].decode()
            out[name] = data[at + sizes[0]:at + sum(sizes)].decode("latin-1")
            at += sum(sizes)
        return out

    def send(self, kind, number, data):
        self.wfile.write(struct.pack(">BBHHBx", 1, kind, number, len(data), 0) + data)

    def one(self):
        data, keeps = b"", False
        while True:
            _, kind, number, size, padding = struct.unpack(">BBHHBx", self.take(8))
            content = self.take(size)
            self.take(padding)
            if kind == 1:
                keeps = bool(content[2] & 1)
            elif kind == 4:
                data += content
            elif kind == 5 and not size:
                break
        variables = self.pairs(data)
        headers = {name[5:].lower().replace("_", "-"): value for name, value in variables.items() if name.startswith("HTTP_")}
        status, lines, body = reply(variables["REQUEST_METHOD"], variables.get("QUERY_STRING", ""), headers)
        head = "".join(f"{name}: {value}\r\n" for name, value in [("Status", f"{status} Said"), *lines])
        self.send(6, number, head.encode("latin-1") + b"\r\n" + body)
        self.send(6, number, b"")
        self.send(3, number, bytes(8))
        return keeps


class AJP(Stream):
    METHODS = [None, "OPTIONS", "GET", "HEAD", "POST"]
    HEADERS = [None, "accept", "accept-charset", "accept-encoding", "accept-language", "authorization", "connection", "content-type",
               "content-length", "cookie", "cookie2", "host", "pragma", "referer", "user-agent"]

    def number(self, size=2):
        value = int.from_bytes(self.data[self.at:self.at + size], "big")
        self.at += size
        return value

    def string(self):
        size = self.number()
        if size == 0xffff:
            return ""
        self.at += size + 1
        return self.data[self.at - size - 1:self.at - 1].decode("latin-1")

    def send(self, data):
        self.wfile.write(b"AB" + struct.pack(">H", len(data)) + data)

    @staticmethod
    def packed(text):
        data = text.encode("latin-1")
        return struct.pack(">H", len(data)) + data + b"\0"

    def one(self):
        _, size = struct.unpack(">HH", self.take(4))
        self.data, self.at = self.take(size), 0
        kind = self.number(1)
        if kind == 10:  # CPing
            self.send(b"\x09")
            return True
        method = self.METHODS[self.number(1)]
        for _ in range(4):  # protocol, path, address, host
            self.string()
        self.string()  # server
        self.number(3)  # port, whether TLS
        headers, query = {}, ""
        for _ in range(self.number()):
            if self.data[self.at] == 0xa0:
                name = self.HEADERS[self.number() & 0xff]
            else:
                name = self.string().lower()
            headers[name] = self.string()
        while (code := self.number(1)) != 0xff:
            if code == 0x0a:
                self.string()
                self.string()
            elif code == 0x05:
                query = self.string()
            else:
                self.string()
        status, lines, body = reply(method, query, headers)
        head = b"\x04" + struct.pack(">H", status) + self.packed("Said") + struct.pack(">H", len(lines))
        self.send(head + b"".join(self.packed(name) + self.packed(value) for name, value in lines))
        if body:
            self.send(b"\x03" + struct.pack(">H", len(body)) + body + b"\0")
        self.send(b"\x05\x01")
        return True


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128


def main():
    servers = [Server(("127.0.0.1", int(port)), handler) for port, handler in zip(sys.argv[1:], (FastCGI, AJP))]
    threading.Thread(target=servers[0].serve_forever, daemon=True).start()
    print("backends: ready", flush=True)
    servers[1].serve_forever()


main()
