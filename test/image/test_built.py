# SPDX-License-Identifier: Apache-2.0
"""The image as built: the same twice, small, and run by any uid with a read-only root."""

import http.client
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT, UID, WALK_THROUGH
from process import free_port, port_taken

ENTRYPOINT = "/usr/local/lib/keycloak-image/entrypoint"

# As a container runtime does it: namespaces of its own, a root that cannot be written, an empty /tmp.
ENTER = """\
set -e
root=$1; who=$2; shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -o remount,ro,bind "$root"
exec chroot --userspec="$who" --groups="" "$root" "$@"
"""


@pytest.fixture
def root(built):
    return (built / "root").resolve()


NO_TMP = "\n".join(line for line in ENTER.splitlines() if "tmpfs" not in line)


def inside(root, argv, uid=UID, script=ENTER):
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh", str(root), f"{uid}:0", *argv]


def settings(**more):
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **{name: str(value) for name, value in {**WALK_THROUGH, **more}.items()}}


def test_two_builds_are_the_same(built):
    one, two = ((built / turn / "digest").read_text() for turn in "12")
    assert one.startswith("sha256:") and one == two


def test_what_the_image_says_of_itself(built):
    config = json.loads((built / "1" / "inspect.json").read_text())["OCIv1"]["config"]
    assert config["User"] == "65532:65532" and config["StopSignal"] == "SIGTERM"
    assert config["Entrypoint"] == [ENTRYPOINT] and not config.get("Cmd")
    assert {"8080/tcp", "8081/tcp", "8082/tcp", "4180/tcp", "44180/tcp", "9090/tcp"} == set(config["ExposedPorts"])
    assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_nothing_is_there_that_is_not_needed(root):
    for name in ("gcc", "cc", "make", "perl", "python3", "curl", "autoconf"):
        found = [place for place in ("usr/bin", "usr/local/bin") if (root / place / name).exists()]
        assert not found or name == "perl", f"{name} in {found}"
    assert not (root / "usr/share/perl").exists(), "perl-base alone, which Debian's own tools need"
    for place in ("var/lib/apt/lists", "var/cache/apt", "var/log", "tmp", "var/tmp", "var/cache/ldconfig"):
        assert list((root / place).iterdir()) == [], place
    assert not (root / "etc/machine-id").exists()
    assert not [path for path in root.rglob("__pycache__")]


def test_bill_of_materials(root, tmp_path):
    made = [subprocess.run([ROOT / "docker/sbom", root], check=True, capture_output=True, text=True).stdout for _ in range(2)]
    assert made[0] == made[1]
    listed = {package["name"]: package for package in json.loads(made[0])["packages"]}
    assert {"apache2-bin", "libcurl4", "libcjose0", "libmemcached11", "mod_auth_keycloak"} <= set(listed)
    assert len(listed["mod_auth_keycloak"]["checksums"][0]["checksumValue"]) == 64
    assert "gcc" not in listed and "perl" not in listed and listed["apache2-bin"]["versionInfo"]
    (tmp_path / "image.spdx.json").write_text(made[0])
    command = [os.environ["SPDX_PYTHON"], "-m", "spdx_tools.spdx.clitools.pyspdxtools", "-i", tmp_path / "image.spdx.json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize("uid", [UID, 65532])
def test_runs_as_any_uid_with_a_read_only_root(running, root, tmp_path, uid):
    judge, health, pages, metrics = (free_port() for _ in range(4))
    run = running(inside(root, [ENTRYPOINT], uid), settings(
        SERVER_PORT=judge, READINESS_PROBE_PORT=health, WEB_SERVER_PORT=pages, METRICS_PORT=metrics, DRAIN_SECONDS=0,
        OIDC_PROVIDER=f"http://127.0.0.1:{free_port()}/realms/none"), tmp_path / "log", owner=uid)
    run.wait_until(lambda: port_taken(health) and "AH00489" in run.said(), "httpd serves")
    assert ask(judge, "/") in (401, 503) and ask(health, "/healthz") == 200 and ask(pages, "/authservice/site/homepage") == 200
    assert ask(metrics, "/metrics") == 200
    for pid in run.tree():
        status = Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status, status
        assert "CapEff:\t0000000000000000" in status, status
    leader = run.leader()
    assert "NSpid:\t%d\t1\n" % leader in Path(f"/proc/{leader}/status").read_text(), "the entrypoint is PID 1"
    mounted = [line.split() for line in Path(f"/proc/{leader}/mounts").read_text().splitlines()]
    assert [line[3].split(",")[0] for line in mounted if line[1] == "/"][-1] == "ro"
    run.send(signal.SIGTERM)
    assert run.process.wait(20) == 0, run.said()


def test_wrong_settings_inside(root):
    done = subprocess.run(inside(root, [ENTRYPOINT]), env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, capture_output=True, text=True,
                          timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 64 and "keycloak-image: OIDC_PROVIDER is missing: " in done.stderr, done.stderr
    # mawk is what the image has.
    done = subprocess.run(inside(root, [ENTRYPOINT]), env=settings(USERID_TRANSFORMERS='[{"matches":"\\\\d","replaces":""}]'),
                          capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 64 and "USERID_TRANSFORMERS has in rule 1 \\d" in done.stderr, done.stderr


def test_without_a_place_to_write(root):
    done = subprocess.run(inside(root, [ENTRYPOINT], script=NO_TMP), env=settings(), capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)
    assert done.returncode == 64 and "mount an emptyDir at /tmp" in done.stderr, done.stderr
