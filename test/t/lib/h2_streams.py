#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Several requests on one connection of HTTP/2, without TLS: h2_streams.py PORT HOST

Reads commands from stdin, a line each, and prints what comes, a line each; requests are numbered 1, 3, 5...

    open METHOD PATH COOKIE     the next request; with POST a body follows
    data NUMBER TEXT            a piece of that body
    last NUMBER TEXT            its last piece
    drop NUMBER                 the client wants no more of it

    NUMBER status 200 | NUMBER data TEXT | NUMBER end | NUMBER reset | gone
"""

import os
import select
import socket
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions


def say(*words):
    print(*words, flush=True)


def tell(event, connection):
    """What came; false when the connection has ended."""
    if isinstance(event, h2.events.ResponseReceived):
        say(event.stream_id, "status", dict(event.headers)[":status"])
    elif isinstance(event, h2.events.DataReceived):
        say(event.stream_id, "data", event.data.decode("latin-1").strip().replace("\n", "|"))
        connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
    elif isinstance(event, h2.events.StreamEnded):
        say(event.stream_id, "end")
    elif isinstance(event, h2.events.StreamReset):
        say(event.stream_id, "reset")
    return not isinstance(event, h2.events.ConnectionTerminated)


def obey(line, connection, host):
    command, *words = line.split(" ", 3)
    if command == "open":
        method, path, cookie = words
        connection.send_headers(connection.get_next_available_stream_id(), [
            (":method", method), (":scheme", "http"), (":authority", host), (":path", path), ("cookie", cookie),
            ("accept", "text/html")], end_stream=method != "POST")
    elif command == "drop":
        connection.reset_stream(int(words[0]), h2.errors.ErrorCodes.CANCEL)
    else:
        try:
            connection.send_data(int(words[0]), words[1].encode(), end_stream=command == "last")
        except h2.exceptions.ProtocolError:
            pass  # it has ended meanwhile


def main():
    port, host = int(sys.argv[1]), sys.argv[2]
    wire = socket.create_connection(("127.0.0.1", port))
    connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="latin-1"))
    connection.initiate_connection()
    commands, goes_on = b"", True
    while goes_on:
        wire.sendall(connection.data_to_send())
        ready = select.select([wire, 0], [], [])[0]
        if 0 in ready:
            more = os.read(0, 65536)
            if not more:
                return
            *lines, commands = (commands + more).split(b"\n")
            for line in lines:
                obey(line.decode(), connection, f"{host}:{port}")
        if wire in ready:
            data = wire.recv(65536)
            goes_on = bool(data) and all([tell(event, connection) for event in connection.receive_data(data)])
    say("gone")


try:
    main()
except BrokenPipeError:  # whoever gave the commands has gone
    os._exit(0)
