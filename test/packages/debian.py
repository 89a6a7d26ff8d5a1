# SPDX-License-Identifier: Apache-2.0
"""A Debian made by debootstrap, in which packages are installed and httpd is started."""

import os
import subprocess
from pathlib import Path

from conftest import ROOT, run

# A mount namespace of its own, with the system's /proc and /dev; what is started in it goes on after the command.
ENTER = """\
set -e
root=$1; user=$2; shift 2
mount --make-rprivate /
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
exec chroot --userspec="$user" "$root" "$@"
"""


def release_here():
    """The code name of the Debian that this machine has."""
    lines = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return lines["VERSION_CODENAME"].strip('"')


class Root:
    """The file system of that release in a folder, with apt's lists."""

    def __init__(self, folder, suite):
        self.path = Path(folder) / suite
        self.path.mkdir(parents=True)
        base = ROOT / f".cache/debian/{suite}.tar"
        run(["bash", "-c", '. test/support/shell/debian_root.sh && debian_root_base "$0" "$1"', suite, base], ROOT)
        run(["tar", "-C", self.path, "--numeric-owner", "-xpf", base], "/")
        # As in containers: packages start no servers.
        policy = self.path / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        self.bash("apt-get -q update")

    def bash(self, script, user="0:0", fails=False, **more):
        """What bash printed, run in there; its whole output when its status is another than expected."""
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/tmp",
               "DEBIAN_FRONTEND": "noninteractive", **{name: value for name, value in os.environ.items() if name.endswith("_proxy")}, **more}
        done = subprocess.run(["unshare", "--mount", "sh", "-c", ENTER, "sh", self.path, user, "bash", "-ec", script], env=env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
        assert (done.returncode != 0) == fails, f"{script}: {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def install(self, *words):
        self.bash("apt-get -q -y --no-install-recommends install " + " ".join(words))

    def files(self):
        """What packages may have left: all but apt's and dpkg's own records, logs and caches."""
        passed_over = ("var/", "proc/", "dev/", "tmp/", "run/", "etc/ld.so.cache")
        names = (str(path.relative_to(self.path)) for path in self.path.rglob("*"))
        return {name for name in names if not name.startswith(passed_over)}

    def processes(self):
        """Those whose root is this one."""
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.path.realpath(f"/proc/{pid}/root") == str(self.path.resolve()):
                    found.append(int(pid))
            except OSError:
                continue
        return found

    def end(self):
        for pid in self.processes():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
