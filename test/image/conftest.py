# SPDX-License-Identifier: Apache-2.0
"""Runs the image's entrypoint: outside the image to test settings, inside for the rest."""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "support" / "python"), str(ROOT / "test" / "image")]

from process import wait_for  # noqa: E402
from readable import readable  # noqa: E402

IMAGE = readable(ROOT / "docker" / "image")
ENTRYPOINT = IMAGE / "entrypoint"
UID = 12345

# The walk-through's params.env and secret_params.env, as kustomize hands them on.
WALK_THROUGH = {
    "OIDC_PROVIDER": "http://keycloak.example.com:8080/realms/master",
    "OIDC_AUTH_URL": "http://keycloak.example.com:8080/realms/master/protocol/openid-connect/auth",
    "OIDC_SCOPES": "profile email",
    "AUTHSERVICE_URL_PREFIX": "/authservice/",
    "SKIP_AUTH_URLS": "/authservice",
    "AFTER_LOGOUT_URL": "/",
    "REDIRECT_URL": "http://localhost:8989/authservice/oidc/callback",
    "USERID_HEADER": "kubeflow-userid",
    "USERID_PREFIX": "",
    "USERID_CLAIM": "email",
    "PORT": '"8080"',
    "STORE_PATH": "/var/lib/authservice/data.db",
    "CLIENT_ID": "kubeflow-oidc-authservice",
    "CLIENT_SECRET": "the-secret-of-the-client",
}

# In httpd's place: reads the configuration as httpd does, then shows what httpd would have been given.
SPY = """\
#!/bin/sh
case $1 in
    -t) exec /usr/sbin/apache2 "$@" ;;
esac
env -0 >"$SPY_FOLDER/environment"
cp "$KCI_RUN"/* "$SPY_FOLDER"
printf '%s\\n' "$@" >"$SPY_FOLDER/arguments"
"""


def as_other():
    """Root runs things as somebody whom nobody knows, in group 0 as OpenShift does."""
    return {"user": UID, "group": 0, "extra_groups": []} if os.geteuid() == 0 else {}


def environment(settings, module, **more):
    """Nothing of the caller's; settings that are None are left out."""
    given = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "KC_IMAGE_CONF": IMAGE, "KC_MODULE": module, **more, **settings}
    return {name: str(value) for name, value in given.items() if value is not None}


class Outcome:
    """How the entrypoint ended, and what httpd would have read."""

    def __init__(self, done, folder):
        self.status, self.said, self.folder = done.returncode, done.stderr, folder
        self.complaints = [line.removeprefix("keycloak-image: ") for line in done.stderr.splitlines()
                           if "warning: " not in line and ": not started: " not in line]
        self.warnings = [line.removeprefix("keycloak-image: warning: ") for line in done.stderr.splitlines()
                         if "warning: " in line]
        self.written = self.lines = None
        if (folder / "environment").exists():
            pairs = (folder / "environment").read_bytes().decode("utf-8", "surrogateescape").split("\0")
            self.environment = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
            self.written = (folder / "settings.conf").read_text().splitlines()
            self.lines = [self.read(line) for line in self.written]

    def read(self, line):
        """A line as httpd reads it: values first, then quotes; words with one space between."""
        line = re.sub(r"\$\{(\w+)\}", lambda m: self.environment[m[1]], line)
        words = [re.sub(r'\\([\\"])', r"\1", quoted) if quoted or not plain else plain
                 for quoted, plain in re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', line)]
        if words[0] == "KeycloakUserTransform":
            assert words.pop() == "", line
        return " ".join(words)

    def values(self, directive):
        """What the lines of this directive say, in their order."""
        assert self.status == 0, self.said
        return [line.split(" ", 1)[1] for line in self.lines if line.split(" ")[0] == directive]

    def file(self, name):
        return (self.folder / name).read_text()

    def warns(self, name):
        return any(re.search(rf"(^|\W){name}\b", line) for line in self.warnings)


@pytest.fixture(scope="session")
def module():
    return readable(Path(os.environ["KC_BUILD"]) / "mod_auth_keycloak.so")


@pytest.fixture(autouse=True)
def let_others_in(tmp_path):
    """pytest's folders are its user's alone."""
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(parent.stat().st_mode | 0o011)


@pytest.fixture
def enter(tmp_path, module):
    """enter({name: value}, base=WALK_THROUGH): the entrypoint with the spy in httpd's place."""
    spy = tmp_path / "httpd"
    spy.write_text(SPY)
    spy.chmod(0o755)
    turns = itertools.count()

    def run(settings, base=None, arguments=()):
        folder = tmp_path / f"turn{next(turns)}"
        folder.mkdir()
        (folder / "tmp").mkdir()
        folder.chmod(0o777)
        (folder / "tmp").chmod(0o777)
        given = environment({**(WALK_THROUGH if base is None else base), **settings}, module,
                            KC_HTTPD=spy, KC_RUN=folder / "tmp", SPY_FOLDER=folder)
        done = subprocess.run([ENTRYPOINT, *arguments], env=given, capture_output=True, text=True, timeout=30,
                              stdin=subprocess.DEVNULL, errors="surrogateescape", **as_other())
        assert list((folder / "tmp").iterdir()) == [], "something is left behind"
        return Outcome(done, folder)
    return run


class Running:
    """The entrypoint with a real httpd."""

    def __init__(self, argv, settings, log, owner=None, **options):
        self.log = log
        with open(log, "wb"):
            pass
        os.chmod(log, 0o666)
        read, write = os.pipe()
        self.pump = subprocess.Popen(["/bin/cat"], stdin=read, stdout=open(log, "ab"))
        os.close(read)
        if owner is not None:
            os.fchown(write, owner, -1)  # as runtimes do, for httpd opens its log by name
        self.process = subprocess.Popen(argv, env=settings, stdin=subprocess.DEVNULL, stdout=write, stderr=write,
                                        start_new_session=True, **options)
        os.close(write)

    def said(self):
        return Path(self.log).read_text(errors="replace")

    def leader(self):
        """The entrypoint's own process, which inside a PID namespace is a descendant of ours."""
        pid = self.process.pid
        while not Path(f"/proc/{pid}/cmdline").read_text().split("\0")[1].endswith("/entrypoint"):
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if not children:
                return None
            pid = int(children[0])
        return pid

    def tree(self):
        """All processes below the entrypoint, itself among them."""
        found, waiting = [], [self.leader()]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            try:
                waiting += [int(child) for task in os.listdir(f"/proc/{pid}/task")
                            for child in Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
            except FileNotFoundError:
                pass
        return found

    def send(self, number):
        os.kill(self.leader(), number)

    def wait_until(self, condition, what, seconds=15):
        def check():
            assert self.process.poll() is None, f"{what}: it ended\n{self.said()}"
            return condition()
        return wait_for(check, seconds, what)

    def end(self):
        """httpd has a session of its own: each is ended by its id."""
        if self.process.poll() is None:
            try:
                found = self.tree()
            except (FileNotFoundError, IndexError, TypeError):
                found = []
            for pid in [*found, self.process.pid]:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
        self.process.wait(10)
        self.pump.wait(10)


@pytest.fixture
def running():
    """running(argv, settings, log, **options): started, and ended after the test."""
    all_of_them = []

    def start(*args, **options):
        all_of_them.append(Running(*args, **options))
        return all_of_them[-1]
    yield start
    for one in all_of_them:
        one.end()


@pytest.fixture(scope="session")
def built():
    """The folder that test/image/build has filled."""
    return Path(os.environ["KC_IMAGE"])
