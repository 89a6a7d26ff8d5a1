# SPDX-License-Identifier: Apache-2.0
"""The RPM package, as Debian's rpmbuild makes it: without what it needs of Fedora, and with the paths of Debian's httpd."""

import re
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, run

SPEC = ROOT / "scripts/rpm/mod_auth_keycloak.spec"
CONFIG = ROOT / "test/packages/rpmlint.toml"
VERSION = re.search(r"^AC_INIT\(\[\w+\], \[([\d.]+)\]", (ROOT / "configure.ac").read_text(), re.M).group(1)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """-O0: this is about the spec. The unit tests have a part of their own."""
    folder = tmp_path_factory.mktemp("rpm")
    run([ROOT / "scripts/rpm/build", folder, "--nodeps", "--without", "check", "--define", "optflags -O0 -g"], ROOT)
    return folder


def binary(folder):
    (found,) = (path for path in folder.glob("*.rpm") if not path.name.endswith(".src.rpm") and "debug" not in path.name)
    return found


def lint(*files):
    return subprocess.run(["rpmlint", "-c", CONFIG, *files], check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_rpmlint_finds_no_fault(built):
    done = lint(*built.glob("*.rpm"), SPEC)
    assert done.returncode == 0 and " 0 errors, 0 warnings" in done.stdout, done.stdout


def test_rpmlint_would_find_one(tmp_path):
    text = SPEC.read_text().replace("License:        Apache-2.0\n", "")
    (tmp_path / SPEC.name).write_text(text)
    done = lint(tmp_path / SPEC.name)
    assert done.returncode != 0 and "E: " in done.stdout, done.stdout


def test_what_is_in_it(built):
    listed = run(["rpm", "-qp", "--queryformat", r"[%{FILENAMES} %{FILEUSERNAME} %{FILEMODES:perms} %{FILEFLAGS:fflags}\n]", binary(built)], "/")
    found = {line.split(" ")[0]: line.split(" ")[1:] for line in listed.splitlines()}
    modules = Path(run(["apxs", "-q", "LIBEXECDIR"], "/").strip())
    for name, flags in (("/etc/httpd/conf.modules.d/10-auth_keycloak.conf", "cn"), ("/etc/httpd/conf.d/auth_keycloak.conf", "cn"),
                        (f"{modules}/mod_auth_keycloak.so", None), ("/usr/share/man/man8/mod_auth_keycloak.8", None)):
        place = next((path for path in found if path.startswith(name)), None)
        assert place, (name, listed)
        owner, mode, *more = found[place]
        assert owner == "root" and mode in ("-rw-r--r--", "-rwxr-xr-x"), (place, found[place])
        assert flags is None or set(flags) <= set("".join(more)), (place, more)
    manual = {Path(name).name for name in found if "/manual/" in name}
    assert manual == {path.name for path in (ROOT / "doc").glob("*.md")}
    assert sum(name.endswith("/reference.conf") for name in found) == 1


def test_the_source_package_has_the_tarball(built, tarball, tmp_path):
    (source,) = built.glob("*.src.rpm")
    run(["sh", "-c", 'rpm2cpio "$0" | cpio -id', source], tmp_path)
    assert (tmp_path / tarball.name).read_bytes() == tarball.read_bytes()
    assert (tmp_path / SPEC.name).read_bytes() == SPEC.read_bytes()


def test_its_version_is_that_of_configure():
    assert re.search(r"^Version: +(\S+)$", SPEC.read_text(), re.M).group(1) == VERSION
    assert re.search(r"^%changelog\n.* - (\S+)-\d+$", SPEC.read_text(), re.M).group(1) == VERSION
