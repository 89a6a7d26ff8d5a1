#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A WebSocket over HTTP/2 (RFC 8441), without TLS: h2_websocket.py PORT HOST PATH TEXT [NAME:VALUE ...]

Sends the text once the answer is there, and prints the answer's headers and what came until the text was sent back
in capitals.
"""

import socket
import sys

import h2.config
import h2.connection
import h2.events

PATIENCE = 60


def events_of(wire, connection):
    while True:
        data = wire.recv(65536)
        if not data:
            sys.exit("the connection ended")
        yield from connection.receive_data(data)
        wire.sendall(connection.data_to_send())


def main():
    port, host, path, text = int(sys.argv[1]), *sys.argv[2:5]
    headers = [(":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":authority", f"{host}:{port}"),
               (":path", path), ("sec-websocket-version", "13"), ("origin", f"http://{host}:{port}")]
    headers += [tuple(part.strip() for part in word.split(":", 1)) for word in sys.argv[5:]]
    wire = socket.create_connection(("127.0.0.1", port), PATIENCE)
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
    connection.initiate_connection()
    wire.sendall(connection.data_to_send())
    came, asked = "", False
    for event in events_of(wire, connection):
        if isinstance(event, h2.events.RemoteSettingsChanged) and not asked:
            asked = True
            connection.send_headers(1, headers, end_stream=False)
        elif isinstance(event, (h2.events.ResponseReceived, h2.events.InformationalResponseReceived)):
            print("".join(f"{name}: {value}\n" for name, value in event.headers), end="")
            if isinstance(event, h2.events.ResponseReceived):
                connection.send_data(1, text.encode())
        elif isinstance(event, h2.events.DataReceived):
            came += event.data.decode("latin-1")
            connection.acknowledge_received_data(event.flow_controlled_length, 1)
            if text.upper() in came:
                break
        elif isinstance(event, (h2.events.StreamReset, h2.events.StreamEnded, h2.events.ConnectionTerminated)):
            break
    print(came)


main()
