# SPDX-License-Identifier: Apache-2.0
"""A memcached on its own loopback port, and access to everything that it holds."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import unquote_to_bytes

from process import Child, Failure, free_port, port_taken, unprivileged_user, wait_for


class Memcached:
    """`account` is a name and a password: only who signs in with them by SASL is served."""

    def __init__(self, folder, port=None, megabytes=64, account=None):
        self.folder, self.megabytes, self.account = folder, megabytes, account
        self.port = port or free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.child = self.place = None
        self.start()

    def start(self):
        argv = ["memcached", "-l", "127.0.0.1", "-p", self.port, "-U", "0", "-m", self.megabytes]
        environment = None
        if self.account:
            argv.append("-S")
            environment = {**os.environ, "SASL_CONF_PATH": str(self._make_account())}
        self.child = Child("memcached", argv, self.folder / "memcached.log", environment,
                           user=unprivileged_user())
        wait_for(lambda: port_taken(self.port), 20, "memcached starts", self.child)

    def _make_account(self):
        """A folder with SASL's settings and its database of this one account, where memcached's own user may enter."""
        self.place = Path(tempfile.mkdtemp(prefix="keycloak-sasl."))
        self.place.chmod(0o755)
        database, (name, password) = self.place / "accounts", self.account
        (self.place / "memcached.conf").write_text(f"mech_list: plain\nsasldb_path: {database}\n",
                                                   encoding="ascii")
        subprocess.run(["saslpasswd2", "-c", "-p", "-a", "memcached", "-f", database, name],
                       input=password, text=True, check=True, timeout=30)
        if unprivileged_user():
            shutil.chown(database, unprivileged_user())
        return self.place

    def stop(self):
        if self.child:
            self.child.stop()
            self.child = None
        if self.place:
            shutil.rmtree(self.place, ignore_errors=True)
            self.place = None

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
