# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on: the machine, and the versions of all that took part."""

import os
import platform
import re
import subprocess

from servers import find_httpd

PACKAGES = {"nginx": "nginx-light", "memcached": "memcached", "libmemcached": "libmemcached11",
            "wrk": "wrk", "valgrind": "valgrind", "mod_auth_openidc": "libapache2-mod-auth-openidc"}


def describe():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        model = re.search(r"^model name\s*:\s*(.*)$", file.read(), re.M)
    with open("/proc/meminfo", encoding="ascii") as file:
        kilobytes = int(file.readline().split()[1])
    return {"cores": os.cpu_count(), "processor": model.group(1) if model else platform.machine(),
            "memory_gb": round(kilobytes / 1e6), "system": f"{platform.system()} {platform.release()}",
            "load": round(os.getloadavg()[2], 2), "versions": {"httpd": _httpd(), **_packages()}}


def _httpd():
    text = subprocess.run([find_httpd()[0], "-v"], check=True, capture_output=True, text=True).stdout
    return re.search(r"Apache/(\S+)", text).group(1)


def _packages():
    text = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\\n"], check=True, capture_output=True,
                          text=True).stdout
    installed = dict(line.split() for line in text.splitlines())
    return {name: installed.get(package, "unknown") for name, package in PACKAGES.items()}


def text(about):
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return (f"{about['cores']} cores ({about['processor']}), {about['memory_gb']} GB, {about['system']}, which wrk, "
            f"nginx and memcached share; {versions}.")
