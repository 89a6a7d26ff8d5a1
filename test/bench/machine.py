# SPDX-License-Identifier: Apache-2.0
"""Where the figures were measured: the machine, and the versions of all programs."""

import os
import platform
import re
import subprocess

from servers import find_httpd

PACKAGES = {"nginx": "nginx-light", "memcached": "memcached", "libmemcached": "libmemcached11",
            "wrk": "wrk", "redis": "redis-server", "valgrind": "valgrind", "mod_auth_openidc": "libapache2-mod-auth-openidc"}

BUSY = 0.5  # load average


def describe():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
    with open("/proc/meminfo", encoding="ascii") as file:
        kibibytes = int(file.readline().split()[1])
    return {"cores": os.cpu_count(), "processor": model.group(1) if model else platform.machine(),
            "memory_gib": round(kibibytes / 2 ** 20), "system": f"{platform.system()} {platform.release()}",
            "load": round(os.getloadavg()[0], 2), "versions": {"httpd": _httpd(), **_packages()}}


def _httpd():
    text = subprocess.run([find_httpd()[0], "-v"], check=True, capture_output=True, text=True).stdout
    return re.search(r"Apache/(\S+)", text).group(1)


def _packages():
    text = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\\n"], check=True, capture_output=True,
                          text=True).stdout
    installed = dict(line.split() for line in text.splitlines())
    return {name: installed.get(package, "unknown") for name, package in PACKAGES.items()}


def hardware(about):
    return f"{about['cores']} cores ({about['processor']}), {about['memory_gib']} GiB, {about['system']}"


def versions(about):
    return ", ".join(f"{name} {version}" for name, version in about["versions"].items())


def remark(about):
    """What makes the rates noise, if anything does."""
    return f"the machine was busy when this began (load {about['load']})" if about["load"] > BUSY else ""
