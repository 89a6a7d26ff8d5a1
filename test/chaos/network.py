# SPDX-License-Identifier: Apache-2.0
"""A memcached in a network of its own, which can be made to drop all packets."""

import os
import subprocess

from process import Child, Failure, free_port, wait_for


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Hole:
    """A network namespace, joined to ours by a pair of virtual interfaces, with a memcached in it."""

    def __init__(self, folder, user):
        if os.geteuid() != 0:
            raise Failure("a network namespace can be made by root alone: run this test as root")
        self.folder, self.user = folder, user
        self.name = f"kc{os.getpid() % 100000}"
        self.net = f"10.{200 + os.getpid() % 50}.{os.getpid() // 50 % 250}"
        self.port, self.child = free_port(), None
        self.address = f"{self.net}.2:{self.port}"

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        try:
            run("ip", "link", "add", f"{self.name}a", "type", "veth", "peer", "name", f"{self.name}b", "netns", self.name)
            run("ip", "address", "add", f"{self.net}.1/30", "dev", f"{self.name}a")
            run("ip", "link", "set", f"{self.name}a", "up")
            self.inside("address", "add", f"{self.net}.2/30", "dev", f"{self.name}b")
            self.inside("link", "set", f"{self.name}b", "up")
            self.child = Child("memcached", [
                "ip", "netns", "exec", self.name, "memcached", "-u", self.user, "-l", f"{self.net}.2", "-p",
                self.port, "-U", "0", "-m", "64"], self.folder / "memcached.log")
            wait_for(lambda: f":{self.port}" in run("ip", "netns", "exec", self.name, "ss", "-tln"), 20,
                     "memcached listens in the other network", self.child)
        except Failure:
            self.__exit__()
            raise
        return self

    def inside(self, *words):
        run("ip", "-n", self.name, *words)

    def swallow(self):
        """From now on nothing comes back, and nobody says so: the answers have nowhere to go."""
        self.inside("route", "add", "blackhole", f"{self.net}.1/32")

    def __exit__(self, *_):
        if self.child:
            self.child.stop()
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, timeout=30, check=False)
