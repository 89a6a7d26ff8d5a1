# SPDX-License-Identifier: Apache-2.0
"""A port in front of a running server: while it is closed, connections are refused, and the server keeps its data."""

import socket
import threading

from process import free_port


def _copy(source, target):
    try:
        while content := source.recv(65536):
            target.sendall(content)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Gate:
    """What connects to `port` gets to the port behind it, while it is open."""

    def __init__(self, behind):
        self.behind, self.port = behind, free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.ends, self.lock, self.listening = [], threading.Lock(), None
        self.open()

    def open(self):
        self.listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self.listening,), daemon=True).start()

    def _accept(self, listening):
        while True:
            try:
                client = listening.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.behind), 10)
            except OSError:
                return
            server.settimeout(None)
            with self.lock:
                if listening is not self.listening:
                    client.close()
                    server.close()
                    return
                self.ends += [client, server]
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=_copy, args=pair, daemon=True).start()

    def close(self):
        """Cuts what is open, too."""
        with self.lock:
            listening, self.listening, ends, self.ends = self.listening, None, self.ends, []
        for end in ([listening] if listening else []) + ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            end.close()
