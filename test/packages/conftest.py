# SPDX-License-Identifier: Apache-2.0
"""The release tarball, made once, and what several files of tests do with it."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "support" / "python"), str(ROOT / "docker" / "demo"), str(ROOT / "test" / "packages")]

from one_keycloak import authority, keycloak  # noqa: E402,F401  # pylint: disable=unused-import


def run(argv, folder, **more):
    """What the command printed; its whole output when it fails."""
    env = {**os.environ, **more}
    done = subprocess.run([str(word) for word in argv], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    assert done.returncode == 0, f"{argv}: {done.returncode}\n{done.stdout[-6000:]}"
    return done.stdout


def listed_files():
    """What git knows, or an unpacked tarball's MANIFEST names."""
    return run([ROOT / "scripts/files"], ROOT).split("\0")[:-1]


def unpack(tarball, folder):
    """The one folder of the tarball."""
    folder.mkdir()
    run(["tar", "-xzf", tarball], folder)
    (tree,) = folder.iterdir()
    return tree


@pytest.fixture(scope="session")
def tarball(tmp_path_factory):
    """The release tarball of this tree."""
    folder = tmp_path_factory.mktemp("dist")
    return Path(run([ROOT / "scripts/dist", folder], ROOT).splitlines()[-1])


@pytest.fixture
def checkout(tmp_path):
    """A copy of the project's files that git does not know."""
    copy = tmp_path / "copy"
    for name in listed_files():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


ORDINARY = "nobody"


def as_ordinary_user():
    """Arguments for subprocess: for root, an account that is nobody's."""
    account = pwd.getpwnam(ORDINARY)
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8"}
    return {"user": ORDINARY, "group": account.pw_gid, "extra_groups": [], "env": env} if os.geteuid() == 0 else {}


def let_others_in(folder):
    """pytest's folders are its user's alone."""
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o011)


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """The folder of the Debian packages that an ordinary user builds of the tarball here. Without unit tests: those have a part of
    their own; test_installed runs them in its whole form."""
    folder = tmp_path_factory.mktemp("deb")
    let_others_in(folder)
    tree = run([ROOT / "scripts/deb", "--tree", folder], ROOT).splitlines()[-1]
    run(["chown", "-R", ORDINARY, folder], "/")
    options = as_ordinary_user()
    options["env"] = {**options.get("env", os.environ), "DEB_BUILD_OPTIONS": f"nocheck parallel={os.cpu_count()}"}
    done = subprocess.run(["dpkg-buildpackage", "-us", "-uc"], cwd=tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", check=False, **options)
    assert done.returncode == 0, done.stdout[-6000:]
    return folder
