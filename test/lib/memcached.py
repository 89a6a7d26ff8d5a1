# SPDX-License-Identifier: Apache-2.0
"""A memcached on a loopback port of its own, and a look at everything that it holds."""

import socket
import time
from urllib.parse import unquote_to_bytes

from process import Child, Failure, free_port, port_taken, unprivileged_user, wait_for


class Memcached:
    def __init__(self, folder, port=None, megabytes=64):
        self.folder, self.megabytes = folder, megabytes
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.child = None
        self.start()

    def start(self):
        argv = ["memcached", "-l", "127.0.0.1", "-p", self.port, "-U", "0", "-m", self.megabytes]
        self.child = Child("memcached", argv, self.folder / "memcached.log",
                           user=unprivileged_user())
        wait_for(lambda: port_taken(self.port), 20, "memcached starts", self.child)

    def stop(self):
        if self.child:
            self.child.stop()
            self.child = None

    def _ask(self, request, end):
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(end):
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
                if answer.startswith((b"ERROR", b"BUSY", b"CLIENT_ERROR", b"SERVER_ERROR")):
                    break
            return answer

    def statistic(self, name):
        """One of the numbers that it counts."""
        for line in self._ask(b"stats\r\n", b"END\r\n").splitlines():
            if line.startswith(b"STAT %s " % name.encode()):
                return int(line.split()[2])
        raise Failure(f"memcached does not count {name}")

    def count(self):
        """How many items it says that it holds."""
        return self.statistic("curr_items")

    def keys(self):
        """Every key, as memcached's own crawler lists them.

        Items move while the crawler walks, so that it may pass one by: asked again, a bounded
        number of times, until it finds as many as there are.
        """
        for _ in range(50):
            answer = self._ask(b"lru_crawler metadump hash\r\n", b"END\r\n")
            found = [unquote_to_bytes(line.split()[0].removeprefix(b"key="))
                     for line in answer.splitlines() if line.startswith(b"key=")]
            if answer.endswith(b"END\r\n") and len(found) >= self.count():
                return found
            time.sleep(0.1)
        raise Failure(f"memcached lists {len(found)} of {self.count()} keys: {answer[:80]!r}")

    def put(self, key, value):
        """Overwrites one item; memcached's answer."""
        return self._ask(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value), b"\r\n")

    def dump(self):
        """Key and value of every item."""
        items = {}
        for key in self.keys():
            answer = self._ask(b"get " + key + b"\r\n", b"END\r\n")
            head, found, rest = answer.partition(b"\r\n")
            if found and head.startswith(b"VALUE "):
                items[key] = rest[:int(head.split()[3])]
        return items
