# SPDX-License-Identifier: Apache-2.0
"""The release tarball, made once, and what several files of tests do with it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "support" / "python"), str(ROOT / "test" / "packages")]


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
