# SPDX-License-Identifier: Apache-2.0
"""How ./demo ends in special cases: a taken port, a second demo at the same time, a signal half-way."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from process import port_taken, wait_for

ROOT = Path(__file__).resolve().parents[2]


def run_demo(*words):
    return subprocess.run([str(ROOT / "demo"), *words], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)


@pytest.fixture
def port_is_free():
    assert not port_taken(8989), "port 8989 is taken by another program; the demo needs this one"


def test_taken_port_is_said(port_is_free):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 8989))
        other.listen()
        done = run_demo("--once")
    assert done.returncode == 1
    assert "port 8989 is taken" in done.stdout + done.stderr


def test_unknown_option_is_said():
    for words in (["--twice"], ["kubeflow", "--twice"]):
        done = run_demo(*words)
        assert done.returncode == 2 and "--twice" in done.stderr


def descendants(pid):
    """Every process below this one."""
    below = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        below.setdefault(int(fields[1]), []).append(int(entry.parent.name))
    found, todo = [], [pid]
    while todo:
        children = below.get(todo.pop(), [])
        found += children
        todo += children
    return found


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return ""


@pytest.mark.parametrize("program, number", [
    ("demo", signal.SIGTERM), ("demo", signal.SIGINT), ("demo", signal.SIGKILL), ("kubeflow", signal.SIGTERM)])
def test_signal_half_way_leaves_nothing(port_is_free, new_site, tmp_path, program, number):
    """Sent while Keycloak starts; SIGKILL stands for a demo that dies without its clean-up."""
    with open(tmp_path / "out", "wb") as out:
        demo = subprocess.Popen(
            [sys.executable, str(ROOT / "docker" / "demo" / f"{program}.py"), "--module", str(new_site.module)],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
    try:
        wait_for(lambda: any("QuarkusEntryPoint" in command(pid) for pid in descendants(demo.pid))
                 and any(command(pid).startswith("memcached") for pid in descendants(demo.pid)),
                 60, "Keycloak and memcached are being started")
        left = descendants(demo.pid)
        assert len(left) >= 3
        os.kill(demo.pid, number)
        demo.wait(30)
        wait_for(lambda: not any(command(pid) for pid in left), 30, "every process has ended")
    finally:
        if demo.poll() is None:
            demo.kill()
    expected = -number if number == signal.SIGKILL else 128 + number
    assert demo.returncode == expected, (tmp_path / "out").read_text()
