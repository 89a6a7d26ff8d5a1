# SPDX-License-Identifier: Apache-2.0
"""Hostile conversations of HTTP/2 (RFC 9113), frame by frame, and the little of HPACK (RFC 7541) that they need."""

import base64
import random
import struct

DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIORITISED, ACK = 0x1, 0x4, 0x8, 0x20, 0x1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
LAST_PING = b"last-one"


def frame(kind, flags, stream, payload=b"", length=None):
    return struct.pack(">I", len(payload) if length is None else length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(value, bits, first=0):
    top = (1 << bits) - 1
    if value < top:
        return bytes([first | value])
    out, value = [first | top], value - top
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def field(name, value):
    """Literal, never indexed, without Huffman's code."""
    return b"\x10" + number(len(name), 7) + name + number(len(value), 7) + value


def block(*fields):
    return b"".join(field(name, value) for name, value in fields)


def ask(target=b"/", method=b"GET", scheme=b"http", authority=b"localhost"):
    return [(b":method", method), (b":scheme", scheme), (b":authority", authority), (b":path", target)]


def request(stream, fields, flags=END_STREAM | END_HEADERS):
    return frame(HEADERS, flags, stream, block(*fields))


START = PREFACE + frame(SETTINGS, 0, 0)


def table(who):
    """Conversations behind the preface; who: fields that say who asks."""
    who = list(who) + [(b"kubeflow-userid", b"mallory@example.com"), (b"kubeflow_groups", b"mallory"), (b"x.name", b"mallory")]
    plain = ask() + who

    def one(*fields, stream=1):
        return request(stream, fields)

    return [
        # pseudo headers
        one(*plain), one(*ask(b"/public/x"), *who), one(*plain[1:]), one(*plain[:3], *who), one(plain[0], plain[3], *who), one(*plain[:2], plain[3], *who),
        one(*ask(b""), *who), one(*ask(b"x"), *who), one(*ask(b"*"), *who), one(*ask(b"*", b"OPTIONS"), *who), one(*ask(b"/a b"), *who), one(*ask(b"/\0"), *who),
        one(*ask(b"/x\r\nkubeflow-userid: m"), *who), one(*ask(b"/", b"G T"), *who), one(*ask(b"/", b""), *who), one(*ask(b"/", b"FROB"), *who), one(*ask(b"/", b"TRACE"), *who),
        one(*ask(b"/", scheme=b"ftp"), *who), one(*ask(b"/", scheme=b""), *who), one(*ask(b"/", scheme=b"https"), *who), one(*ask(b"/", authority=b""), *who),
        one(*ask(b"/", authority=b"a b"), *who), one(*ask(b"/", authority=b"a:b@c"), *who), one(*ask(), (b"host", b"other"), *who), one(*ask(), *ask(), *who),
        one(*who, *ask()), one(*ask(), (b":protocol", b"websocket"), *who), one(*ask(), (b":status", b"200"), *who), one(*ask(), (b":odd", b"x"), *who),
        one(*ask(b"http://localhost/x"), *who), one(*ask(b"//x"), *who), one(*ask(b"/public/../x"), *who), one(*ask(b"/public/%2e%2e/x"), *who), one(*ask(b"/#x"), *who),
        one(*ask(b"/" + b"a" * 9000), *who), one(*ask(b"/a" * 3000), *who), one(*ask(b"/denied"), *who), one(*ask(b"/pass"), *who), one(*ask(b"/authservice/oidc/callback?code=a&state=b"), *who),
        # CONNECT
        one((b":method", b"CONNECT"), (b":authority", b"localhost:80"), *who), one((b":method", b"CONNECT"), *who), one((b":method", b"CONNECT"), (b":authority", b":"), *who),
        one(*ask(b"/", b"CONNECT"), *who), one(*ask(b"/", b"CONNECT"), (b":protocol", b"websocket"), *who), one(*ask(b"/", b"CONNECT"), (b":protocol", b"odd"), *who),
        # fields
        one(*plain, (b"Upper-Case", b"x")), one(*plain, (b"", b"x")), one(*plain, (b"a b", b"x")), one(*plain, (b"connection", b"kubeflow-userid")), one(*plain, (b"transfer-encoding", b"chunked")),
        one(*plain, (b"te", b"gzip")), one(*plain, (b"upgrade", b"h2c")), one(*plain, (b"content-length", b"-1")), one(*plain, (b"content-length", b"5")), one(*plain, (b"expect", b"more")),
        one(*plain, (b"a", b"b\r\nc: d")), one(*plain, (b"a", b"\0")), one(*plain, *[(b"cookie", b"a=b")] * 90), one(*plain, (b"cookie", b"keycloak_session=" + b"x" * 43)),
        one(*plain, (b"authorization", b"Bearer a.b.c")), one(*plain, (b"authorization", b"Bearer " + b"e" * 9000)), one(*plain, *[(b"x-original-uri", b"/public/x"), (b"x-original-method", b"GET")]),
        one(*plain, *[(b"x-forwarded-uri", b"/public/x"), (b"x-forwarded-method", b"GET")]), one(*plain, (b"a", b"b" * 15000)), one(*plain, (b"a", b"b" * 9000)),
        # floods
        frame(HEADERS, END_STREAM, 1, block(*plain)) + b"".join(frame(CONTINUATION, 0, 1, block((b"x-%d" % index, b"y" * 200))) for index in range(120)) + frame(CONTINUATION, END_HEADERS, 1),
        frame(HEADERS, END_STREAM, 1, block(*plain)) + frame(CONTINUATION, 0, 1) * 200 + frame(CONTINUATION, END_HEADERS, 1), frame(HEADERS, END_STREAM, 1, block(*plain)),
        frame(HEADERS, END_STREAM, 1, block(*plain)) + frame(DATA, 0, 1, b"x"), frame(HEADERS, END_STREAM, 1, block(*plain)) + frame(CONTINUATION, END_HEADERS, 3), frame(CONTINUATION, END_HEADERS, 1, block(*plain)),
        one(*plain, *[(b"x-%d" % index, b"y") for index in range(300)]), frame(PING, 0, 0, b"12345678") * 300, frame(SETTINGS, 0, 0) * 200, frame(WINDOW, 0, 0, struct.pack(">I", 1)) * 200,
        b"".join(request(2 * index + 1, plain) + frame(RST, 0, 2 * index + 1, struct.pack(">I", 8)) for index in range(60)), b"".join(request(2 * index + 1, plain) for index in range(30)),
        b"".join(request(2 * index + 1, ask(b"/public/%d" % index) + who) for index in range(12)), frame(PRIORITY, 0, 1, struct.pack(">IB", 1, 16)) + one(*plain), frame(PRIORITY, 0, 3, struct.pack(">IB", 3, 1)) * 100,
        # frames out of place, and lengths that are wrong
        frame(DATA, END_STREAM, 1, b"x"), frame(DATA, 0, 0, b"x"), request(2, plain), request(0, plain), request(1, plain) + request(1, plain), request(3, plain) + request(1, plain), frame(PUSH, END_HEADERS, 1, struct.pack(">I", 2) + block(*plain)),
        frame(WINDOW, 0, 0, struct.pack(">I", 0)), frame(WINDOW, 0, 0, struct.pack(">I", 0x7fffffff)) * 2, one(*plain) + frame(WINDOW, 0, 1, struct.pack(">I", 0x7fffffff)), frame(SETTINGS, 0, 0, b"abc"), frame(SETTINGS, ACK, 0, b"abcdef"),
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0xffffffff)), frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 1)), frame(SETTINGS, 0, 0, struct.pack(">HI", 1, 0xffffffff)) + one(*plain), frame(SETTINGS, 0, 0, struct.pack(">HI", 8, 1)) + one(*plain),
        frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + one(*plain), frame(PING, 0, 0, b"short"), frame(GOAWAY, 0, 0, b"x" * 8) + one(*plain), frame(GOAWAY, 0, 0, b""), frame(RST, 0, 0, b"abcd"), frame(RST, 0, 1, b"abcd"), frame(0xee, 0xff, 7, b"odd") + one(*plain),
        frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b"\xff" + block(*plain)), frame(HEADERS, END_STREAM | END_HEADERS | PRIORITISED, 1, b"\x80\x00\x00\x01\x10" + block(*plain)), frame(HEADERS, END_HEADERS, 1, block(*plain), 0xffffff),
        # HPACK
        frame(HEADERS, 5, 1, b"\x80"), frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff\x0f"), frame(HEADERS, 5, 1, b"\x3f\xff\xff\xff\x0f" + block(*plain)), frame(HEADERS, 5, 1, b"\x10\x7f"), frame(HEADERS, 5, 1, b"\x10\x81\xff\x81\xff"),
        frame(HEADERS, 5, 1, block(*ask()) + b"\x10\x0fkubeflow-userid\x84\xff\xff\xff\xff"), frame(HEADERS, 5, 1, b"\x82\x86\x84\x41\x09localhost" + b"\xbe" * 4000), frame(HEADERS, 5, 1, b""), frame(HEADERS, 5, 1, b"\x20" * 100 + block(*plain)),
        # bodies and trailers
        request(1, ask(b"/public/x", b"POST") + who, END_HEADERS) + frame(DATA, 0, 1, b"abc") + frame(HEADERS, 5, 1, block((b"kubeflow-userid", b"mallory"), (b"kubeflow_userid", b"mallory"))),
        request(1, ask(b"/x", b"POST") + who, END_HEADERS) + frame(DATA, 0, 1, b"abc") + frame(HEADERS, 5, 1, block((b":path", b"/public"), (b"cookie", b"keycloak_session=x"))),
        request(1, ask(b"/authservice/sessions", b"POST") + who + [(b"content-type", b"application/x-www-form-urlencoded"), (b"sec-fetch-site", b"same-origin")], END_HEADERS) + frame(DATA, END_STREAM, 1, b"end=AAAAAAAAAAAAAAAA"),
        request(1, ask(b"/authservice/backchannel-logout", b"POST") + who + [(b"content-type", b"application/x-www-form-urlencoded")], END_HEADERS) + frame(DATA, 0, 1, b"logout_token=a.b.c") + frame(RST, 0, 1, struct.pack(">I", 8)),
        request(1, ask(b"/x", b"POST") + who + [(b"content-length", b"3")], END_HEADERS) + frame(DATA, END_STREAM, 1, b"abcdef"), request(1, ask(b"/x", b"POST") + who, END_HEADERS) + frame(DATA, 0, 1) * 300 + frame(DATA, END_STREAM, 1),
        request(1, ask(b"/x", b"POST") + who, END_HEADERS) + frame(DATA, PADDED | END_STREAM, 1, b"\xffabc"),
    ]


def upgrade(who, settings, target=b"/", method=b"GET", more=b""):
    """From HTTP/1.1 to h2c (RFC 7540 section 3.2): the request itself becomes stream 1."""
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in who)
    return (b"%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: %s\r\n%s"
            b"Kubeflow-Userid: mallory\r\n%s\r\n" % (method, target, settings, lines, more))


def conversations(count, seed, who):
    """(number, octets), at least the whole table, `count` in all; every fifth changed one begins by an upgrade."""
    good = base64.urlsafe_b64encode(struct.pack(">HI", 3, 100)).rstrip(b"=")
    rows = [START + row for row in table(who)]
    rows += [upgrade(who, good) + START, upgrade(who, b"!!") + START, upgrade(who, b"") + START, upgrade(who, good, b"/public/x") + START, upgrade(who, good, b"*", b"OPTIONS") + START,
             upgrade(who, good, b"/authservice/oidc/callback?code=a&state=b") + START, upgrade(who, good, b"/x", b"POST", b"Content-Length: 3\r\n") + b"abc" + START,
             upgrade(who, good, b"/denied") + START + request(3, ask() + list(who)), upgrade(who, good) + upgrade(who, good), upgrade(who, good, b"/ x") + START,
             PREFACE, PREFACE[:12], PREFACE + b"\0" * 40, PREFACE + frame(PING, 0, 0, b"12345678"), PREFACE.replace(b"SM", b"XX")]
    for at in range(max(count, len(rows))):
        octets = rows[at % len(rows)]
        if at >= len(rows):
            octets = mutate(octets, random.Random(f"{seed}:h2:{at}"))
        yield at, octets


def mutate(octets, chance):
    """Changes behind the preface, most of them in a frame's head or payload alone, so that what follows is still read."""
    start = octets.find(b"SM\r\n\r\n") + 6
    data = bytearray(octets)
    for _ in range(chance.randint(1, 3)):
        if len(data) <= start + 1:
            break
        at = chance.randrange(start, len(data))
        kind = chance.randrange(4)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.randrange(256)
        elif kind == 2:
            end = min(len(data), at + chance.randint(1, 30))
            data[at:end] = bytes(chance.randrange(256) for _ in range(end - at))
        else:
            del data[at:at + chance.randint(1, 9)]
    return bytes(data)


class Reader:
    """The frames of an answer, as far as they are whole."""

    def __init__(self):
        self.rest, self.bodies, self.statuses, self.ended, self.is_over = b"", {}, {}, set(), False

    def feed(self, octets):
        self.rest += octets
        while len(self.rest) >= 9:
            length = int.from_bytes(self.rest[:3], "big")
            if len(self.rest) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self.rest[3:9])
            self.take(kind, flags, stream, self.rest[9:9 + length])
            self.rest = self.rest[9 + length:]

    def take(self, kind, flags, stream, payload):
        if kind == DATA:
            self.bodies[stream] = self.bodies.get(stream, b"") + payload
        elif kind == HEADERS and stream not in self.statuses:
            at = 0
            while at < len(payload) and payload[at] & 0xe0 == 0x20:  # the table's new size
                while payload[at] & 0x1f == 0x1f and at + 1 < len(payload) and payload[at + 1] & 0x80:
                    at += 1
                at += 2 if payload[at] & 0x1f == 0x1f else 1
            self.statuses[stream] = {0x88: 200, 0x89: 204, 0x8a: 206, 0x8b: 304, 0x8c: 400, 0x8d: 404, 0x8e: 500}.get(payload[at] if at < len(payload) else 0, 0)
        elif kind == PING and flags & ACK and payload == LAST_PING:
            self.is_over = True
        if kind == RST or (kind in (DATA, HEADERS) and flags & END_STREAM):
            self.ended.add(stream)
