# SPDX-License-Identifier: Apache-2.0
"""Faults of the fake provider's endpoints on the wire, by name."""

import gzip
import socket
import struct
import time

LONGEST = 30           # seconds that a connection is held
MOST = 64 << 20        # octets that an endless answer has


def _head(handler, status, headers):
    reason = "OK" if status == 200 else "Fault"
    lines = [f"HTTP/1.1 {status} {reason}"] + [f"{name}: {value}" for name, value in headers.items()]
    handler.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    handler.close_connection = True


def _status(handler, fault, body):
    text = fault.get("body", '{"error":"server_error"}').encode()
    _head(handler, fault["status"], {"Content-Type": fault.get("type", "application/json"),
                                     "Content-Length": len(text), **fault.get("headers", {})})
    handler.wfile.write(text)


def _drop(handler, fault, body):
    """Ends the connection by a reset, without an answer."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def _hang(handler, fault, body):
    end = time.monotonic() + LONGEST
    handler.connection.settimeout(1)
    while time.monotonic() < end and not handler.server.ending:
        try:
            if not handler.connection.recv(1):
                break
        except socket.timeout:
            continue
    handler.close_connection = True


def _late(handler, fault, body):
    """The right answer, after so many seconds."""
    time.sleep(min(fault["seconds"], LONGEST))
    handler.answer(200, body)


def _drip(handler, fault, body):
    """One octet a second."""
    _head(handler, 200, {"Content-Type": "application/json", "Content-Length": len(body)})
    for octet in body[:LONGEST]:
        handler.wfile.write(bytes([octet]))
        handler.wfile.flush()
        time.sleep(1)
        if handler.server.ending:
            break


def _drip_header(handler, fault, body):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(LONGEST):
        handler.wfile.write(b"x")
        time.sleep(1)
        if handler.server.ending:
            break
    handler.close_connection = True


def _endless(handler, fault, body):
    """A body without end; how much the client took is noted in the log."""
    _head(handler, 200, {"Content-Type": "application/json", "Connection": "close"})
    chunk = b" " * (16 << 10)
    while handler.entry["sent"] < MOST and not handler.server.ending:
        handler.wfile.write(chunk)
        handler.entry["sent"] += len(chunk)


def _gzip_bomb(handler, fault, body):
    packed = gzip.compress(body + b" " * MOST, 9)
    _head(handler, 200, {"Content-Type": "application/json", "Content-Encoding": "gzip",
                         "Content-Length": len(packed)})
    handler.wfile.write(packed)


def _truncated_chunk(handler, fault, body):
    _head(handler, 200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    handler.wfile.write(b"%x\r\n" % len(body) + body[:len(body) // 2])


def _unfinished_chunks(handler, fault, body):
    """The whole document, but not the chunk that ends it."""
    _head(handler, 200, {"Content-Type": "application/json", "Transfer-Encoding": "chunked"})
    handler.wfile.write(b"%x\r\n" % len(body) + body + b"\r\n")


def _short(handler, fault, body):
    """Fewer octets than were announced."""
    _head(handler, 200, {"Content-Type": "application/json", "Content-Length": len(body) + 100})
    handler.wfile.write(body)


def _redirect(handler, fault, body):
    _head(handler, fault.get("status", 302), {"Location": fault["location"], "Content-Length": 0})


def _html(handler, fault, body):
    text = b"<!doctype html><title>Login</title><form></form>"
    _head(handler, 200, {"Content-Type": "text/html", "Content-Length": len(text)})
    handler.wfile.write(text)


def _body(handler, fault, body):
    """The test's own body, with 200."""
    text = fault["body"].encode()
    _head(handler, 200, {"Content-Type": fault.get("type", "application/json"), "Content-Length": len(text)})
    handler.wfile.write(text)


FAULTS = {
    "status": _status,
    "drop": _drop,
    "hang": _hang,
    "late": _late,
    "drip": _drip,
    "drip_header": _drip_header,
    "endless": _endless,
    "gzip_bomb": _gzip_bomb,
    "truncated_chunk": _truncated_chunk,
    "unfinished_chunks": _unfinished_chunks,
    "short": _short,
    "redirect": _redirect,
    "html": _html,
    "body": _body,
}
