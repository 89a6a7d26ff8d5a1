# SPDX-License-Identifier: Apache-2.0
"""The release tarball: the same each time, complete, and enough to build and check."""

import os
import shutil
import tarfile

from conftest import ROOT, listed_files, run, unpack

MADE = {"configure", "MANIFEST"}


def members(tarball):
    with tarfile.open(tarball) as archive:
        return archive.getmembers()


def without_autoconf(folder):
    """A PATH whose autoconf fails, as on a system that has none."""
    bin_folder = folder / "bin"
    bin_folder.mkdir()
    for name in ("autoconf", "autoreconf"):
        (bin_folder / name).write_text("#!/bin/sh\necho 'there is no autoconf' >&2\nexit 127\n")
        (bin_folder / name).chmod(0o755)
    return f"{bin_folder}:{os.environ['PATH']}"


def test_it_has_the_projects_files_and_what_is_made_of_them(tarball):
    top = tarball.name.removesuffix(".tar.gz")
    found = members(tarball)
    names = {member.name for member in found if not member.isdir()}
    assert names == {f"{top}/{name}" for name in set(listed_files()) | MADE}
    assert {name.split("/")[0] for name in names} == {top}


def test_it_says_nothing_of_who_made_it_and_when(tarball):
    found = members(tarball)
    assert [member.name for member in found] == sorted((member.name for member in found), key=lambda name: name.split("/"))
    assert {(member.uid, member.gid, member.uname, member.gname) for member in found} == {(0, 0, "", "")}
    assert {member.mode for member in found} <= {0o755, 0o644}
    assert len({member.mtime for member in found}) == 1
    programs = {member.name.split("/", 1)[1] for member in found if member.isfile() and member.mode == 0o755}
    assert {"configure", "autogen.sh", "check", "demo", "test/unit/run"} <= programs


def test_the_same_files_give_the_same_tarball(tarball, tmp_path):
    """Again from the tree, by somebody with other habits; and from what was unpacked, in another order of its folders."""
    again = tmp_path / "again"
    run(["sh", "-c", 'umask 077; exec "$0" "$1"', ROOT / "scripts/dist", again], "/", TZ="Asia/Tokyo", LC_ALL="C.UTF-8")
    assert (again / tarball.name).read_bytes() == tarball.read_bytes()
    tree = unpack(tarball, tmp_path / "unpacked")
    shutil.copytree(tree, tmp_path / "other")
    made = run(["scripts/dist", tmp_path / "third"], tmp_path / "other").splitlines()[-1]
    assert (tmp_path / "third" / tarball.name).read_bytes() == tarball.read_bytes(), made


def test_what_is_built_or_left_beside_it_does_not_join_it(tarball, tmp_path):
    tree = unpack(tarball, tmp_path / "unpacked")
    for name in ("obj/x.o", "debian/rules", "src/core/notes.txt", "mod_auth_keycloak.so"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text("left\n")
    run(["scripts/dist", tmp_path / "out"], tree)
    assert (tmp_path / "out" / tarball.name).read_bytes() == tarball.read_bytes()


def test_a_folder_that_is_neither_is_refused(checkout):
    done = run(["sh", "-c", "scripts/dist . 2>&1 || echo refused"], checkout)
    assert "MANIFEST is missing" in done and done.endswith("refused\n")


def test_the_list_of_files_takes_folders_and_files(tarball, tmp_path):
    tree = unpack(tarball, tmp_path / "unpacked")
    for words in (["LICENSE", "src/httpd"], ["docker"], ["src/core/base/err.def"], ["src/co"], []):
        here, there = (run([folder / "scripts/files", *words], folder) for folder in (ROOT, tree))
        assert sorted(here.split("\0")) == sorted(there.split("\0")), words


def test_it_builds_and_checks_without_autoconf(tarball, tmp_path):
    """-O0: this is about the tarball; the packages' own tests compile as a release does."""
    tree, path = unpack(tarball, tmp_path / "unpacked"), without_autoconf(tmp_path)
    run(["./configure"], tree, PATH=path, CFLAGS="-O0")
    run(["make", f"-j{os.cpu_count()}"], tree, PATH=path)
    assert (tree / "mod_auth_keycloak.so").stat().st_size > 100_000
    said = run(["make", f"-j{os.cpu_count()}", "check-unit", "SUITES=url err path"], tree, PATH=path)
    assert " 0 failed" in said.splitlines()[-1] and not said.splitlines()[-1].startswith("0 passed"), said
    run(["make", "distclean"], tree, PATH=path)
    said = run(["test/lint/rules", tree, tree / "build", "top level", "manual's", "licence", "links"], tree, PATH=path)
    assert said.splitlines()[-1] == "4 passed, 0 failed", said
