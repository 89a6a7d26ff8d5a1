# SPDX-License-Identifier: Apache-2.0
"""Hostile HTTP/1 requests, and how they are varied. Deterministic: the same seed gives the same octets."""

import random

FORGED = b"Kubeflow-Userid: mallory@example.com\r\nkubeflow_groups: mallory\r\nX-NAME: mallory\r\nx.id.token: mallory\r\n"
HOST = b"Host: localhost\r\n"
E = b"/authservice/"


def get(target, *lines, method=b"GET", version=b"HTTP/1.1"):
    return b"%s %s %s\r\n" % (method, target, version) + HOST + b"{who}" + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def post(target, body, kind=b"application/x-www-form-urlencoded", *lines):
    return get(target, b"Content-Type: " + kind, b"Content-Length: %d" % len(body), *lines, method=b"POST") + body


def chunked(target, body, trailer=b"", *lines):
    return get(target, b"Content-Type: application/x-www-form-urlencoded", b"Transfer-Encoding: chunked", *lines,
               method=b"POST") + b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailer)


def asked(target, method=b"GET", *lines):
    """A gateway's question in headers."""
    return get(b"/", b"X-Original-URI: " + target, b"X-Original-Method: " + method, b"X-Forwarded-Uri: " + target,
               b"X-Forwarded-Method: " + method, *lines)


# {who} stands for the lines that say who asks: a cookie, a token, both, or neither; and forged names.
REQUESTS = [
    # lines that httpd cannot read
    b"GET / HTTP/1.1\nHost: x\r\n\r\n", b"\0\r\n\r\n", b"GET\r\n\r\n", b"GET  HTTP/1.1\r\n\r\n", b" GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n{who}\r\n", b"A" * 9000, b"GET /\r\n", b"GET /public/x\r\n",
    b"HEAD /\r\n\r\n", b"POST /authservice/logout\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\xaa" * 64,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/9.9\r\nHost: x\r\n{who}\r\n", b"GET / HTTP/2.0\r\nHost: x\r\n{who}\r\n",
    b"GET / FTP/1.1\r\nHost: x\r\n{who}\r\n", b"GET / HTTP/1.1\r\n{who}\r\n", b"GET / HTTP/1.1\r\nHost: a b\r\n{who}\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n{who}\r\n", b"GET / HTTP/1.1\r\nHost:\r\n{who}\r\n", b"\r\n" * 20, b"", b"G",
    # headers that it refuses after having read some
    get(b"/", b"Nonsense"), get(b"/", b": b"), get(b"/", b"Expect: more"), get(b"/", b"Expect: 100-continue"),
    get(b"/", b"Content-Length: -1"), get(b"/", b"Transfer-Encoding: odd"), get(b"/", b"A: \0"), get(b"/", b"A : b"),
    get(b"/", b"A: b\r\n c"), get(b"/", b"A: " + b"a" * 9000), get(b"/", *[b"A: b"] * 120), get(b"/", b"Cookie: " + b"a=b; " * 1500),
    get(b"/", *[b"Cookie: keycloak_session=" + b"x" * 43] * 90), get(b"/", b"Cookie: " + b"keycloak_login_%s=x; " * 200),
    # targets
    get(b"*", method=b"OPTIONS"), get(b"*"), get(b"x:80", method=b"CONNECT"), get(b":", method=b"CONNECT"), get(b"x"),
    get(b"http://localhost/"), get(b"http://localhost?code=a&state=b"), get(b"http://a:b@localhost/"), get(b"ftp://localhost/public"),
    get(b"http://localhost:99999999/"), get(b"//public/x"), get(b"/public/../x"), get(b"/public/..;/x"), get(b"/public/%2e%2e/x"),
    get(b"/public/%252e%252e/x"), get(b"/public%2f..%2fx"), get(b"/public\\..\\x"), get(b"/public/%5c..%5cx"), get(b"/%00"),
    get(b"/public/x%00.html"), get(b"/public/#/../x"), get(b"/PUBLIC/x"), get(b"/public;x/../y"), get(b"/\xc0\xaf\xc0\xae"),
    get(b"/%zz"), get(b"/a" * 2000), get(b"/x/" * 400 + b"y"), get(b"/poll"), get(b"/poll/x?" + b"a" * 4000), get(b"/?/public/"),
    get(b"/denied"), get(b"/pass"), get(b"/pass", b"Upgrade: websocket", b"Connection: Upgrade"), get(b"/errors/404"),
    get(b"/", b"Upgrade: websocket", b"Connection: Upgrade, kubeflow-userid", b"Sec-WebSocket-Key: a", b"Sec-WebSocket-Version: 13"),
    get(b"/", b"Connection: kubeflow-userid, cookie, close"), get(b"/", b"Connection: \"cookie\";host"), get(b"/", b"Connection: ,,, ;"),
    get(b"/public/x", b"Connection: x-forwarded-for, authorization"), get(b"/x", method=b"FROB"), get(b"/x", method=b"PROPFIND"),
    get(b"/x", method=b"TRACE"), get(b"/public/x", method=b"TRACE"), get(b"/x", method=b"HEAD"), get(b"/x", method=b"get"),
    get(b"/", b"X-Forwarded-Proto: https,", b"X-Forwarded-Host: " + b"a" * 300, b"X-Forwarded-Port: -1"),
    get(b"/", b"X-Forwarded-Host: ]:[", b"X-Forwarded-Proto: http"), get(b"/", b"Accept: " + b"text/html;q=0.5," * 300),
    # the module's own addresses
    get(E), get(E + b"login"), get(E + b"login?return=//evil"), get(E + b"login?return=%5c%5cevil&return=a"), get(E + b"login?" + b"a=b&" * 1500),
    get(E + b"login?demand=" + b"A" * 600), get(E + b"login?acr_values=" + b"%22" * 300), get(E + b"login?max_age=-1&prompt=none"),
    post(E + b"login", b"target_link_uri=%0d%0a&iss=x&login_hint=" + b"%" * 99), post(E + b"login", b"a\0b=c"), chunked(E + b"login", b"a=b", b"Kubeflow-Userid: mallory\r\n"),
    get(E + b"logout"), get(E + b"logout?return=javascript:x", b"Origin: https://evil.example"), get(E + b"logout", b"Sec-Fetch-Site: cross-site", method=b"POST"),
    get(E + b"whoami"), get(E + b"whoami", b"Accept: application/json"), get(E + b"sessions"), post(E + b"sessions", b"end=" + b"A" * 16, b"application/x-www-form-urlencoded", b"Origin: http://localhost"),
    post(E + b"sessions", b"end", b"application/x-www-form-urlencoded", b"Sec-Fetch-Site: same-origin"),
    post(E + b"sessions", b"end=a", b"multipart/form-data; boundary=x", b"Sec-Fetch-Site: same-origin"),
    get(E + b"sessions", b"Content-Type: application/x-www-form-urlencoded", b"Sec-Fetch-Site: same-origin", b"Content-Length: 99999999999999999999", method=b"POST"),
    get(E + b"sessions", b"Content-Type: application/x-www-form-urlencoded", b"Sec-Fetch-Site: same-origin", b"Transfer-Encoding: chunked", method=b"POST") + b"FFFFFFFFFFFFFFFFF\r\nx",
    post(E + b"backchannel-logout", b"logout_token=" + b"eyJhbGciOiJub25lIn0." * 3), post(E + b"backchannel-logout", b"logout_token=a.b.c&logout_token=d"),
    post(E + b"backchannel-logout", b"logout_token=" + b"A" * 60000), post(E + b"backchannel-logout", b"x" * 200000), chunked(E + b"backchannel-logout", b"logout_token=a.b.c"),
    get(E + b"backchannel-logout"), get(E + b"frontchannel-logout?iss={issuer}&sid=x"), get(E + b"frontchannel-logout?sid=%00"), get(E + b"frontchannel-logout?iss&iss"),
    get(E + b"verify"), get(E + b"verify/"), get(E + b"verify/public/x"), get(E + b"verify/public/../x"), get(E + b"verify//x"), get(E + b"verify/%2e%2e/x"), get(E + b"verify/a?b#c"),
    get(E + b"verify" + b"/a" * 1500), get(E + b"verify/authservice/verify/authservice/verify/x"), get(b"/authservice%2fverify/x"), get(E + b"nonsense"),
    get(E + b"site/x"), get(E + b"oidc/callback"), get(E + b"oidc/callback?code=a&state=b"), get(E + b"oidc/callback?code=a&code=b&state=" + b"A" * 700),
    get(E + b"oidc/callback?error=%3Cscript%3E&state=x&error_description=%0d%0aSet-Cookie:%20a=b"), get(E + b"oidc/callback?state=%00&session_state=&iss=&code="),
    get(E + b"oidc/callback?code=a&state=b", method=b"POST"), get(E + b"oidc/call%62ack?code=a&state=b"), get(E + b"oidc/callback?code=a&state=b", b"Expect: more"),
    # bodies, and one request in another
    chunked(b"/x", b"GET /admin HTTP/1.1\r\n", b"Kubeflow-Userid: mallory\r\nCookie: keycloak_session=x\r\n"), chunked(b"/public/x", b"a", b"kubeflow_userid: mallory\r\n"),
    get(b"/public/x", b"Content-Length: 4", b"Transfer-Encoding: chunked", method=b"POST") + b"0\r\n\r\n" + get(b"/denied"),
    get(b"/public/x", b"Content-Length: 0", b"Content-Length: 5", method=b"POST") + b"abcde", get(b"/public/a") + get(b"/x") + get(b"/public/b"),
    get(b"/x", b"Transfer-Encoding: chunked", method=b"POST") + b"zz\r\n", get(b"/x", b"Transfer-Encoding: chunked, identity", method=b"POST") + b"0\r\n\r\n",
    get(b"/x", b"Transfer-Encoding: gzip, chunked", method=b"POST") + b"1;a=\"\r\n\"\r\nx\r\n0\r\n\r\n", post(b"/x", b"x" * 70000, b"text/plain"),
    get(b"/x", b"Content-Length: 100", method=b"POST") + b"short",
    # tokens
    get(b"/", b"Authorization: Bearer"), get(b"/", b"Authorization: Bearer a.b.c"), get(b"/", b"Authorization: Bearer " + b"eyJ" * 3000), get(b"/", b"Authorization: Basic eDp5"),
    get(b"/", b"Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0."), get(b"/", b"Authorization: bearer  a.b.c d"), get(b"/", b"Authorization: Bearer \xff.\xff.\xff"),
    get(b"/", b"Cookie: keycloak_session=" + b"A" * 43), get(b"/", b"Cookie: keycloak_session=" + b"A" * 42 + b"%"), get(b"/", b"Cookie: keycloak_session=\"\"; keycloak_session"),
    get(b"/", b"Cookie: ;;=;= ;keycloak_session=;" + b"\x80" * 50), get(b"/", b"Cookie: $Version=1; keycloak_session=\"A\\\"B\""),
    # a gateway's questions
    asked(b"/x"), asked(b"/public/x"), asked(b"/public/../x"), asked(b"/public/%2e%2e/x"), asked(b"//x"), asked(b"/x", b"POST"), asked(b"/x", b"TRACE"), asked(b"/x", b"A" * 40), asked(b""),
    asked(b"http://localhost/public/x"), asked(b"/x?" + b"a" * 8000), asked(b"/" + b"a" * 12000), asked(b"*", b"OPTIONS"), asked(b"/\xff"), asked(b"/a b"), asked(b"/x", b"GET", b"X-Original-URI: /public"),
    asked(b"/x", b"GET", b"X-Forwarded-Uri: /public", b"X-Forwarded-Method: POST"), asked(E + b"whoami"), asked(E + b"oidc/callback?code=a&state=b"), asked(b"/denied"), asked(b"/pass"), asked(b"/local/x"),
    asked(b"/x", b"GET", b"Content-Length: 4") + b"abcd", asked(b"/x", b"GET", b"Expect: more"), asked(b"/x", b"GET", b"X-Original-URI"), asked(b"/public#/../x"), asked(b"/public/\\x"),
    # an operator's questions, and a probe's
    get(b"/?user=nobody"), get(b"/?user=a&user=b"), get(b"/?sub=%00"), post(b"/", b"user=nobody", b"application/x-www-form-urlencoded", b"Sec-Fetch-Site: same-origin"), post(b"/", b"sub=" + b"A" * 9000),
    get(b"/ready"), get(b"/ready", method=b"DELETE"), get(b"/", b"If-None-Match: *", b"Range: bytes=0-0,1-1", b"If-Modified-Since: x"),
]

WORDS = [b"\0", b"\r\n", b"\n", b"\r", b" ", b"\t", b"%00", b"%2e%2e/", b"%2f", b"../", b"//", b"\\", b";", b"?", b"#", b"=", b"&", b",", b"\"", b"\xff", b"\xc0\xaf", b"HTTP/1.0",
         b"Transfer-Encoding: chunked\r\n", b"Content-Length: 0\r\n", b"Content-Length: 18446744073709551616\r\n", b"Connection: close, cookie\r\n", b"Expect: 100-continue\r\n",
         b"Kubeflow-Userid: mallory\r\n", b"kubeflow.userid: mallory\r\n", b"Cookie: keycloak_session=x\r\n", b"Authorization: Bearer x\r\n", b"X-Original-URI: /x\r\n", b"/authservice/", b"/public/",
         b"Upgrade: h2c\r\n", b"Host: y\r\n", b"Accept: text/html\r\n", b"Sec-Fetch-Site: none\r\n", b"4294967296", b"-1", b"A" * 300]


def mutate(octets, chance):
    """One to four changes."""
    data = bytearray(octets)
    for _ in range(chance.randint(1, 4)):
        at = chance.randint(0, len(data))
        kind = chance.randrange(9)
        if kind == 0 and data:
            data[at % len(data)] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at:at + chance.randint(1, 24)]
        elif kind == 2:
            data[at:at] = chance.choice(WORDS)
        elif kind == 3:
            data[at:at] = data[at:at + chance.randint(1, 60)] * chance.choice((1, 2, 40))
        elif kind == 4:
            lines = bytes(data).split(b"\r\n")
            one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
            lines[one], lines[other] = lines[other], lines[one]
            data = bytearray(b"\r\n".join(lines))
        elif kind == 5:
            lines = bytes(data).split(b"\r\n")
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
            data = bytearray(b"\r\n".join(lines))
        elif kind == 6 and at > 10:
            del data[at:]
        elif kind == 7:
            other = chance.choice(REQUESTS)
            data[at:] = other[chance.randint(0, len(other)):]
        else:
            data[at:at + 1] = bytes([chance.randrange(256)])
    return bytes(data[:1 << 18])


def fill(octets, who, issuer):
    return octets.replace(b"{who}", who + FORGED).replace(b"{issuer}", issuer)


def requests(count, seed):
    """(number, octets, whether it is changed), at least the whole table, `count` in all."""
    for number in range(max(count, len(REQUESTS))):
        plain = REQUESTS[number % len(REQUESTS)]
        chance = random.Random(f"{seed}:{number}")
        yield number, plain if number < len(REQUESTS) else mutate(plain, chance), number >= len(REQUESTS)
