#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""One request over HTTP/2: h2_request.py PORT HOST METHOD PATH [NAME:VALUE ...] [--body TEXT]

Prints the status, then the answer's headers. Unlike curl 7.88 it keeps an answer behind which the server asks for an
end of the request (RST_STREAM with NO_ERROR), as RFC 9113 8.1 wants it.
"""

import socket
import ssl
import sys

import h2.config
import h2.connection
import h2.events

PATIENCE = 60


def connect(port, host):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    wrapped = context.wrap_socket(socket.create_connection(("127.0.0.1", port), PATIENCE), server_hostname=host)
    if wrapped.selected_alpn_protocol() != "h2":
        sys.exit("the server does not speak HTTP/2")
    return wrapped


def answer(wire, connection):
    """The headers of the answer to the only request."""
    while True:
        data = wire.recv(65536)
        if not data:
            sys.exit("the connection ended without an answer")
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.ResponseReceived):
                return event.headers
            if isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated)):
                sys.exit(f"no answer: {event}")
        wire.sendall(connection.data_to_send())


def main():
    words = sys.argv[1:]
    body = None
    if "--body" in words:
        body = words.pop(words.index("--body") + 1).encode()
        words.remove("--body")
    port, host, method, path = int(words[0]), *words[1:4]
    headers = [(":method", method), (":scheme", "https"), (":authority", f"{host}:{port}"), (":path", path)]
    headers += [tuple(part.strip() for part in word.split(":", 1)) for word in words[4:]]
    if body is not None:
        headers.append(("content-length", str(len(body))))
    wire = connect(port, host)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
    connection.initiate_connection()
    connection.send_headers(1, headers, end_stream=body is None)
    if body is not None:
        connection.send_data(1, body, end_stream=True)
    wire.sendall(connection.data_to_send())
    for name, value in answer(wire, connection):
        print(value if name == ":status" else f"{name}: {value}")


if __name__ == "__main__":
    main()
