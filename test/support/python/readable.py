# SPDX-License-Identifier: Apache-2.0
"""Makes files readable for servers that run under another account."""

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path


def _is_open(path):
    """Whether any account may read this, and enter every folder above it."""
    return path.stat().st_mode & 0o004 and all(parent.stat().st_mode & 0o001 for parent in path.parents)


@functools.lru_cache(maxsize=None)
def readable(path):
    """The file or folder `path`; for root, whose servers change to another account, a copy of it where it lies in a
    folder that is closed to others, such as root's home. Copies go when this process ends."""
    path = Path(path).resolve()
    if os.geteuid() != 0 or _is_open(path):
        return path
    folder = Path(tempfile.mkdtemp(prefix="keycloak-readable."))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    copy = folder / path.name
    if path.is_dir():
        shutil.copytree(path, copy)
    else:
        shutil.copy(path, copy)
    for part in [copy, *copy.rglob("*")]:
        mode = part.stat().st_mode
        part.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
    return copy
