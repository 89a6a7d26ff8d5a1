# SPDX-License-Identifier: Apache-2.0
"""The idle judge: how long the image takes to start, and the memory that it then uses."""

import os
import shutil
import signal
import statistics
import time
from pathlib import Path

from judges import answers
from servers import ROOT, SECRET, find_httpd  # puts test/support/python on the path

from process import Child, Failure, free_port, port_taken, tail, wait_for
from readable import readable

STARTS = 10
IDLE = 2  # seconds from being ready until the memory is looked at: watchdogs have run
IMAGE = ROOT / "docker/image"
# conf/judge.conf needs these beside its own lines.
BESIDE = """\
ServerRoot "{folder}"
DefaultRuntimeDir "{folder}"
PidFile "{folder}/httpd.pid"
ServerName localhost
ErrorLog "{folder}/error.log"
{load}
LoadModule auth_keycloak_module "{module}"
Define KC_ISSUER {issuer}
Define KC_CLIENT_SECRET_FILE {room}/client-secret
Define KC_CRYPTO_KEY_FILE {room}/crypto-key
Define KC_JUDGE_LISTEN {judge}
Define KC_PAGES_LISTEN {pages}
Define KC_MEMCACHED {store}
Include "{conf}/judge.conf"
"""


def tree(pid):
    """A process and all that it has started, directly or not."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found += tree(int(child))
    return found


def memory(pids):
    """Sums over processes, in MiB. RSS counts what several share for each of them, PSS once."""
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            for line in rollup:
                name, _, rest = line.partition(":")
                if name in sums:
                    sums[name] += int(rest.split()[0])
    return {"processes": len(pids), "rss_mib": sums["Rss"] / 1024, "pss_mib": sums["Pss"] / 1024}


class Start:
    """One start of the judge, from the image's entrypoint or, where there is none, of httpd with conf/judge.conf."""

    def __init__(self, bench):
        self.room, self.ready_port = bench.room, free_port()
        self.folder = self.room.make(f"rest-{self.ready_port}")
        self.environment = dict(os.environ)
        (self.folder / "output.log").touch()
        self.room.own(self.folder / "output.log")  # which httpd opens anew, as /dev/stderr
        store = next(server for server in reversed(bench.running) if hasattr(server, "address"))
        self.argv = self.image(bench, store) if is_image() else self.example(bench, store)

    def image(self, bench, store):
        judge = free_port()
        parts = shutil.copytree(IMAGE, self.folder / "image")  # where the ordinary user may read it
        self.environment |= {
            "KC_IMAGE_CONF": str(parts), "KC_MODULE": str(self.room.module), "KC_HTTPD": str(find_httpd()[0]),
            "KC_RUN": str(self.folder), "MODE": "judge", "MEMCACHED_SERVERS": store.address,
            "CRYPTO_KEY_FILE": str(self.room.folder / "crypto-key"), "CLIENT_ID": "app", "CLIENT_SECRET": SECRET,
            "OIDC_PROVIDER": bench.provider.issuer, "OIDC_SCOPES": "profile email",
            "AUTHSERVICE_URL_PREFIX": "/authservice/", "SERVER_HOSTNAME": "127.0.0.1", "SERVER_PORT": str(judge),
            "REDIRECT_URL": f"http://127.0.0.1:{judge}/authservice/oidc/callback",
            "READINESS_PROBE_PORT": str(self.ready_port), "WEB_SERVER_PORT": str(free_port()),
            "METRICS_PORT": str(free_port())}
        return ["/bin/sh", parts / "entrypoint"]

    def example(self, bench, store):
        program, libexec = find_httpd()
        names = "mpm_event authn_core authz_core authz_user".split()
        (self.folder / "httpd.conf").write_text(BESIDE.format(
            folder=self.folder, room=self.room.folder, module=self.room.module, issuer=bench.provider.issuer,
            judge=self.ready_port, pages=free_port(), store=store.address, conf=readable(ROOT / "conf"),
            load="\n".join(f'LoadModule {name}_module "{libexec}/mod_{name}.so"' for name in names)), encoding="utf-8")
        return [program, "-DFOREGROUND", "-f", self.folder / "httpd.conf"]

    def is_ready(self):
        return answers(self.ready_port) if is_image() else port_taken(self.ready_port)

    def run(self):
        """Seconds until it is ready, and its memory when it has been idle for a while."""
        began = time.monotonic()
        self.child = Child("the judge", self.argv, self.folder / "output.log", self.environment, self.room.user)
        try:
            while not self.is_ready():
                self.child.must_live("the judge starts")
                if time.monotonic() - began > 60:
                    raise Failure(f"the judge is not ready in 60 s; its log:\n{tail(self.child.log)}")
                time.sleep(0.002)
            seconds = time.monotonic() - began
            time.sleep(IDLE)
            return {"seconds": seconds, **memory(tree(self.child.pid))}
        finally:
            self.end()

    def end(self):
        """The entrypoint drains at the first signal, and ends at once at the second; httpd is in a session of its own."""
        pids = tree(self.child.pid) if self.child.alive() else []
        for _ in range(2):
            self.child.send(signal.SIGTERM)
            time.sleep(0.2)
        try:
            wait_for(lambda: not self.child.alive(), 30, "the judge ends")
        finally:
            self.child.kill()
            for pid in pids:
                if Path(f"/proc/{pid}").exists():
                    os.kill(pid, signal.SIGKILL)


def is_image():
    return (IMAGE / "entrypoint").is_file()


def measure(bench, say):
    """Medians of several starts. is_image: whether this is the image's own start."""
    bench.memcached()
    starts = []
    for number in range(1 if bench.options.quick else STARTS):
        starts.append(Start(bench).run())
        say(f"start {number + 1}: {starts[-1]['seconds']:.2f} s, {starts[-1]['rss_mib']:.1f} MiB RSS, "
            f"{starts[-1]['pss_mib']:.1f} MiB PSS in {starts[-1]['processes']} processes")
    found = {"is_image": is_image(), "starts": starts}
    for name in starts[0]:
        values = [start[name] for start in starts]
        found[name] = statistics.median(values)
        found[name + "_spread"] = [min(values), max(values)]
    return found
