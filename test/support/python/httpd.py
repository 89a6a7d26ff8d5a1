# SPDX-License-Identifier: Apache-2.0
"""An Apache httpd with its own folder, port and configuration, with mod_auth_keycloak in it."""

import grp
import pwd
import re
import shutil
import signal
import subprocess
from pathlib import Path

from process import Child, Failure, port_taken, tail, unprivileged_user, wait_for

MODULES = ["authn_core", "authz_core", "authz_user", "headers", "setenvif", "proxy", "proxy_http"]


def find_httpd():
    """The server's program and the folder of its modules, as apxs tells them."""
    apxs = shutil.which("apxs") or shutil.which("apxs2")
    if not apxs:
        raise Failure("apxs is not here; the package apache2-dev has it")

    def ask(name):
        return subprocess.run([apxs, "-q", name], check=True, capture_output=True,
                              text=True).stdout.strip()
    program = Path(ask("SBINDIR")) / ask("PROGNAME")
    if not program.is_file():
        raise Failure(f"{program} is not here; the package apache2-bin has it")
    return program, Path(ask("LIBEXECDIR"))

RUNNING = "resuming normal operations"


class Httpd:
    """`modules` are loaded in the order given; 'auth_keycloak' among them says where ours goes.

    `env` is its whole environment, `under` a command that runs it (valgrind), `patience` the seconds
    that it may take to start."""

    def __init__(self, folder, module, port, config, mpm="event", modules=None, env=None, under=(),
                 patience=30):
        self.env, self.under, self.patience = env, list(under), patience
        self.program, self.libexec = find_httpd()
        self.folder, self.module, self.port, self.mpm = Path(folder), Path(module), port, mpm
        self.folder.mkdir(parents=True, exist_ok=True)
        self.error_log = self.folder / "error.log"
        self.file = self.folder / "httpd.conf"
        self.child = None
        self.modules = modules or MODULES + ["auth_keycloak"]
        self.write(config)

    def load_lines(self, names):
        built_in = subprocess.run([self.program, "-l"], check=True, capture_output=True,
                                  text=True).stdout
        lines = []
        for name in names:
            path = self.module if name == "auth_keycloak" else self.libexec / f"mod_{name}.so"
            if f"mod_{name}.c" in built_in:
                continue
            lines.append(f'LoadModule {name}_module "{path}"')
        return "\n".join(lines)

    def write(self, config):
        """Writes the whole configuration; the part given comes last."""
        user = unprivileged_user()
        identity = ""
        if user:
            group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
            identity = f"User {user}\nGroup {group}\n"
        self.file.write_text(f"""\
# SPDX-License-Identifier: Apache-2.0
ServerRoot "{self.folder}"
DefaultRuntimeDir "{self.folder}"
PidFile "{self.folder}/httpd.pid"
ServerName localhost
{self.load_lines([f"mpm_{self.mpm}"] + list(self.modules))}
Listen 127.0.0.1:{self.port}
{identity}ErrorLog "{self.error_log}"
LogLevel info auth_keycloak:debug
ServerTokens Prod
GracefulShutdownTimeout 5
{config}
""", encoding="utf-8")

    def argv(self, *more):
        return [str(self.program), "-d", str(self.folder), "-f", str(self.file), *more]

    def check(self):
        """Exit status and output of httpd's own configuration test."""
        done = subprocess.run(self.argv("-t"), capture_output=True, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stdout + done.stderr

    def start(self):
        before = self.log_text().count(RUNNING)
        self.child = Child("httpd", self.under + self.argv("-DFOREGROUND"), self.folder / "httpd.out",
                           self.env)
        try:
            wait_for(lambda: self.log_text().count(RUNNING) > before and port_taken(self.port),
                     self.patience, "httpd starts", self.child)
        except Failure as failure:
            self.stop()
            raise Failure(f"{failure}\nand of its error log:\n{tail(self.error_log)}") from failure

    def stop(self):
        if self.child:
            self.child.stop(15)
            self.child = None

    def restart(self):
        """A full restart: every process of it ends, then it starts anew."""
        self.stop()
        wait_for(lambda: not port_taken(self.port), 20, "httpd's port is free again")
        self.start()

    def children(self):
        try:
            return set(Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children")
                       .read_text().split())
        except OSError:
            return set()

    def graceful(self):
        """A graceful restart, waited for until no child of the old generation is left."""
        old = self.children()
        resumed = self.log_text().count(RUNNING)
        self.child.send(signal.SIGUSR1)
        wait_for(lambda: self.log_text().count(RUNNING) > resumed
                 and self.children() and not self.children() & old,
                 40, "httpd restarts gracefully", self.child)

    def log_text(self):
        try:
            return self.error_log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""

    def tags(self):
        """The module's own tags in the error log, in order."""
        return re.findall(r"\bKC\d{4}\b", self.log_text())
