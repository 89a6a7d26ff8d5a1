# SPDX-License-Identifier: Apache-2.0
"""WebSockets (RFC 6455) and responses that never end: a backend that has them, and clients, of HTTP/2 as well."""

import base64
import hashlib
import os
import socket
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from browser import Response
from process import Failure

TEXT, CLOSE = 1, 8
_KEY_END = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_of(key):
    """What a server answers to a client's Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1((key + _KEY_END).encode("ascii")).digest()).decode("ascii")


def _frame(kind, content, mask=b""):
    length = len(content)
    if length > 65535:
        raise Failure("frames here have up to 65,535 bytes")
    marked = 0x80 if mask else 0
    size = bytes([marked | length]) if length < 126 else bytes([marked | 126]) + struct.pack("!H", length)
    if mask:
        content = bytes(byte ^ mask[index % 4] for index, byte in enumerate(content))
    return bytes([0x80 | kind]) + size + mask + content


def _read_exactly(stream, count):
    """So many bytes; None when the connection ends first."""
    content = stream.read(count)
    return content if len(content) == count else None


def read_frame(stream):
    """Kind and content of the next frame; None at the connection's end."""
    head = _read_exactly(stream, 2)
    if not head:
        return None
    kind, length, masked = head[0] & 0x0f, head[1] & 0x7f, head[1] & 0x80
    if length == 126:
        more = _read_exactly(stream, 2)
        if not more:
            return None
        length, = struct.unpack("!H", more)
    elif length == 127:
        raise Failure("a frame of more than 65,535 bytes")
    mask = _read_exactly(stream, 4) if masked else b"\0\0\0\0"
    content = _read_exactly(stream, length) if mask is not None else None
    if content is None:
        return None
    return kind, bytes(byte ^ mask[index % 4] for index, byte in enumerate(content))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.close_connection = True
        self.server.asked = list(self.headers.items())
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._echo()
        elif self.server.page:
            self._page()
        else:
            self._lines()

    def _page(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(self.server.page)))
        self.end_headers()
        self.wfile.write(self.server.page)

    def _echo(self):
        self.send_response(101, "Switching Protocols")
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept_of(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        while True:
            frame = read_frame(self.rfile)
            if not frame:
                return
            self.wfile.write(_frame(*frame))
            if frame[0] == CLOSE:
                return

    def _lines(self):
        """A line per second, until nobody reads any more."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while not self.server.is_over.wait(1):
                self.wfile.write(b"5\r\nline\n\r\n")
        except OSError:
            pass

    def log_message(self, format, *args):  # pylint: disable=redefined-builtin
        pass


class StreamBackend:
    """Echoes what comes over a WebSocket, whatever its path; else it sends a page (bytes), or a line per second."""

    def __init__(self, page=None):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.is_over, self.server.page, self.server.asked = threading.Event(), page, []
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def asked(self):
        """The headers of the last request."""
        return self.server.asked

    def stop(self):
        self.server.is_over.set()
        self.server.shutdown()
        self.server.server_close()


class _Client:
    """A connection with one request on it; `status` and `headers` are those of the answer."""

    def __init__(self, port, path, headers):
        self.path = path
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.stream = self.socket.makefile("rb")
        lines = [f"GET {path} HTTP/1.1", f"Host: localhost:{port}",
                 *(f"{name}: {value}" for name, value in headers), "", ""]
        self.socket.sendall("\r\n".join(lines).encode("ascii"))
        first = self.stream.readline().decode("latin-1").split(" ", 2)
        if len(first) < 2:
            raise Failure(f"no answer to a request for {path}")
        self.status = int(first[1])
        self.headers, self.fields = {}, []
        for line in iter(self.stream.readline, b"\r\n"):
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon:
                raise Failure(f"the answer to a request for {path} ends within its head")
            self.headers[name.lower()] = value.strip()
            self.fields.append((name, value.strip()))

    def answer(self):
        """The whole of an answer that ends what was asked for."""
        length = self.headers.get("content-length")
        body = self.stream.read(int(length)) if length else b""
        return Response(self.path, self.status, self.fields, body, [])

    def close(self):
        self.stream.close()
        self.socket.close()

    def ends_within(self, seconds):
        """Whether the connection ends, whatever still comes over it before that."""
        deadline = time.monotonic() + seconds
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.socket.settimeout(left)
            try:
                if not self.socket.recv(4096):
                    return True
            except TimeoutError:
                return False
            except ConnectionError:
                return True


class WebSocket(_Client):
    def __init__(self, port, path, headers=()):
        key = base64.b64encode(os.urandom(16)).decode("ascii")
        super().__init__(port, path, [("Upgrade", "websocket"), ("Connection", "Upgrade"),
                                      ("Sec-WebSocket-Key", key), ("Sec-WebSocket-Version", "13"), *headers])
        if self.status == 101 and self.headers.get("sec-websocket-accept") != accept_of(key):
            raise Failure("the server's Sec-WebSocket-Accept is wrong")

    def echo(self, text):
        """What comes back for a text: the same, when it is open; None at the connection's end."""
        self.socket.settimeout(20)
        try:
            self.socket.sendall(_frame(TEXT, text.encode(), os.urandom(4)))
            frame = read_frame(self.stream)
        except (BrokenPipeError, ConnectionResetError):
            return None
        return frame[1].decode() if frame and frame[0] == TEXT else None

    def is_open(self):
        text = f"still there {time.monotonic()}"
        return self.echo(text) == text


class Lines(_Client):
    """A response with a line per second."""

    def next_line(self):
        self.socket.settimeout(20)
        size = self.stream.readline()  # of a chunk
        return self.stream.read(int(size, 16) + 2).strip() if size.strip() else None


_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7  # frames, RFC 9113 section 6
_END_STREAM, _ACK, _END_HEADERS = 0x01, 0x01, 0x04


class Http2:
    """Several requests on one connection without TLS; `content` and `ended` go by the numbers of their streams."""

    def __init__(self, port):
        self.port, self.newest = port, -1
        self.content, self.ended, self.is_refused = {}, set(), False
        self.socket = socket.create_connection(("127.0.0.1", port), 20)
        self.rest = b""
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + self._frame(_SETTINGS, 0, 0))

    @staticmethod
    def _frame(kind, flags, stream, content=b""):
        return struct.pack("!I", len(content))[1:] + struct.pack("!BBI", kind, flags, stream) + content

    @staticmethod
    def _field(name, value):
        """A literal field without indexing and without Huffman's code, RFC 7541 section 6.2.2."""
        def text(characters):
            if len(characters) > 126:
                raise Failure("a header field of more than 126 characters")
            return bytes([len(characters)]) + characters.encode("ascii")
        return b"\0" + text(name) + text(value)

    def open(self, path, headers=(), is_web_socket=False):
        """Begins a GET, or a WebSocket (RFC 8441); the number of its stream."""
        self.newest += 2
        fields = [(":method", "CONNECT" if is_web_socket else "GET"), (":scheme", "http"), (":path", path),
                  (":authority", f"localhost:{self.port}")]
        if is_web_socket:
            fields += [(":protocol", "websocket"), ("sec-websocket-version", "13")]
        block = b"".join(self._field(name.lower(), value) for name, value in [*fields, *headers])
        self.content[self.newest] = b""
        self.socket.sendall(self._frame(_HEADERS, _END_HEADERS | (0 if is_web_socket else _END_STREAM),
                                        self.newest, block))
        return self.newest

    def send_text(self, stream, text):
        """A WebSocket's frame."""
        self.socket.sendall(self._frame(_DATA, 0, stream, _frame(TEXT, text.encode(), os.urandom(4))))

    def _take(self, kind, flags, stream, content):
        if kind == _DATA:
            self.content[stream] += content
        if kind in (_SETTINGS, _PING) and not flags & _ACK:
            self.socket.sendall(self._frame(kind, _ACK, 0, content if kind == _PING else b""))
        if kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
            self.ended.add(stream)
        if kind == _GOAWAY:
            self.is_refused = True

    def _take_all(self):
        while len(self.rest) >= 9:
            length, = struct.unpack("!I", b"\0" + self.rest[:3])
            if len(self.rest) < 9 + length:
                return
            kind, flags, stream = struct.unpack("!BBI", self.rest[3:9])
            content, self.rest = self.rest[9:9 + length], self.rest[9 + length:]
            self._take(kind, flags, stream, content)

    def reads_until(self, condition, seconds):
        """Reads what comes until the condition holds; whether it did within so many seconds."""
        deadline = time.monotonic() + seconds
        while not condition():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self.socket.settimeout(left)
            try:
                content = self.socket.recv(65536)
            except TimeoutError:
                return False
            if not content:
                return bool(condition())
            self.rest += content
            self._take_all()
        return True

    def close(self):
        self.socket.close()
