# SPDX-License-Identifier: Apache-2.0
"""Starts, monitors and ends the servers of the demo and the end-to-end tests."""

import ctypes
import os
import pwd
import random
import signal
import socket
import subprocess
import time

_LIBC = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1
_PORTS = range(10000, 30000)
_RESERVED = []


class Failure(Exception):
    """Something that a person can act on; its text says what."""


def tail(path, lines=15):
    """The last lines of a log file, indented, or a remark that there are none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            found = log.read().splitlines()[-lines:]
    except OSError:
        found = []
    return "\n".join("    " + line for line in found) or "    (its log is empty)"


def free_port():
    """A loopback TCP port that nobody listens on now, and that no other test is given until this process ends.

    Every test of the project takes the port's name (a socket without a file) first. The range is below the ports
    that the system gives to outgoing connections.
    """
    for port in random.sample(_PORTS, len(_PORTS)):
        name = socket.socket(socket.AF_UNIX)
        try:
            name.bind(f"\0keycloak-test-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            name.close()
            continue
        _RESERVED.append(name)
        return port
    raise Failure("there is no free port")


def port_taken(port):
    """Whether somebody answers on this port of localhost, by IPv4 or IPv6."""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family) as probe:
                probe.settimeout(2)
                probe.connect((address, port))
                return True
        except OSError:
            continue
    return False


def unprivileged_user():
    """Name of the account that servers started by root change to; None when not root."""
    if os.geteuid() != 0:
        return None
    for name in ("www-data", "apache", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Failure("run as root, and neither www-data nor apache nor nobody is an account here")


def wait_for(condition, seconds, what, child=None):
    """Calls condition until it is true; a Failure after that many seconds or when child died."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if child is not None:
            child.must_live(what)
        if time.monotonic() > deadline:
            more = "; the last lines of its log:\n" + tail(child.log) if child else ""
            raise Failure(f"{what}: not within {seconds} s{more}")
        time.sleep(0.05)


def stands_still(pid):
    """Whether each thread of this process is stopped: after SIGSTOP some go on until they have a processor and see it."""
    for name in os.listdir(f"/proc/{pid}/task") if os.path.exists(f"/proc/{pid}") else ():
        try:
            with open(f"/proc/{pid}/task/{name}/stat", encoding="utf-8", errors="replace") as stat:
                state = stat.read().rpartition(")")[2].split()[0]
        except OSError:
            continue  # it has ended
        if state not in "TtZX":
            return False
    return True


def members(group):
    """The processes of this process group."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        try:
            if os.getpgid(pid) == group:
                found.append(pid)
        except ProcessLookupError:
            continue
    return found


class Child:
    """A server in a process group of its own, which ends when we end, however that happens.

    `user` is the account to run as. A server must not change it by itself: that would make the
    kernel forget to end it with us.
    """

    def __init__(self, name, argv, log, env=None, user=None):
        self.name = name
        self.log = str(log)
        with open(self.log, "ab") as out:
            try:
                self.process = subprocess.Popen(
                    [str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                    env=env, start_new_session=True, preexec_fn=self._follow_parent,
                    **({"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
                       if user else {}))
            except OSError as error:
                raise Failure(f"{name} cannot be started: {error}") from error

    @staticmethod
    def _follow_parent():
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def must_live(self, what):
        if not self.alive():
            raise Failure(f"{what}: {self.name} ended with status {self.process.returncode}; "
                          f"the last lines of its log:\n{tail(self.log)}")

    def send(self, number):
        """One signal to the process itself, not to its group. After SIGSTOP it answers nobody any more."""
        if self.alive():
            os.kill(self.pid, number)
            if number == signal.SIGSTOP:
                wait_for(lambda: stands_still(self.pid), 60, f"{self.name} stands still", self)

    def freeze(self):
        """SIGSTOP to the whole group, which answers nobody any more."""
        os.killpg(self.pid, signal.SIGSTOP)
        wait_for(lambda: all(map(stands_still, members(self.pid))), 60, f"{self.name} stands still", self)

    def stop(self, seconds=20):
        """SIGTERM, a bounded wait, then SIGKILL for whatever is left of the group."""
        if self.alive():
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        self.kill()

    def kill(self):
        """SIGKILL to the whole group, now."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()
