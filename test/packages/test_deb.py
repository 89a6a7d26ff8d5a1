# SPDX-License-Identifier: Apache-2.0
"""The Debian package: built by an ordinary user, without faults for lintian, with the files that it should have."""

import re
import subprocess

import pytest

from conftest import ORDINARY, ROOT, as_ordinary_user, run

from httpd import MODULES, Httpd
from process import free_port

NAME = "libapache2-mod-auth-keycloak"
VERSION = re.search(r"^AC_INIT\(\[\w+\], \[([\d.]+)\]", (ROOT / "configure.ac").read_text(), re.M).group(1)


def package(packages, name=NAME):
    (found,) = packages.glob(f"{name}_{VERSION}-*.deb")
    return found


def contents(deb):
    """Mode, owner and name of each file of a package."""
    lines = (line.split(None, 5) for line in run(["dpkg-deb", "-c", deb], "/").splitlines())
    return {words[5].removeprefix("./"): (words[0], words[1]) for words in lines if not words[0].startswith("d")}


def test_an_ordinary_user_builds_it_from_the_tarball(packages, tarball):
    assert {path.suffix for path in packages.iterdir() if path.is_file()} == {".deb", ".dsc", ".gz", ".xz", ".changes", ".buildinfo"}
    assert (packages / f"{NAME}_{VERSION}.orig.tar.gz").read_bytes() == tarball.read_bytes()
    assert {path.owner() for path in packages.glob("*.deb")} == {ORDINARY}


def test_lintian_has_nothing_to_say(packages):
    (changes,) = packages.glob("*.changes")
    done = subprocess.run(["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", changes], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **as_ordinary_user())
    assert done.returncode == 0 and not re.search("^[EW]:", done.stdout, re.M), done.stdout


def test_what_is_in_it(packages):
    found = contents(package(packages))
    doc = f"usr/share/doc/{NAME}"
    wanted = {"etc/apache2/mods-available/auth_keycloak.load", "etc/apache2/mods-available/auth_keycloak.conf",
              "usr/lib/apache2/modules/mod_auth_keycloak.so", "usr/share/man/man8/mod_auth_keycloak.8.gz",
              f"{doc}/copyright", f"{doc}/changelog.gz", f"{doc}/changelog.Debian.gz", f"{doc}/README.md", f"{doc}/SECURITY.md",
              f"usr/share/lintian/overrides/{NAME}"}
    wanted |= {f"{doc}/doc/{path.name}" for path in (ROOT / "doc").glob("*.md")}
    wanted |= {f"{doc}/examples/{path.name}" for path in (ROOT / "conf").iterdir() if path.is_file()}
    more = {name for name in found if name.startswith(f"{doc}/examples/")}  # conf/ may have folders
    assert set(found) | more == wanted | more and wanted <= set(found) | more
    assert {owner for _, owner in found.values()} == {"root/root"}
    assert {mode for mode, _ in found.values()} == {"-rw-r--r--"}


def test_configuration_is_the_administrators(packages, tmp_path):
    run(["dpkg-deb", "-e", package(packages), tmp_path / "control"], "/")
    files = (tmp_path / "control/conffiles").read_text().split()
    assert files == ["/etc/apache2/mods-available/auth_keycloak.conf", "/etc/apache2/mods-available/auth_keycloak.load"]


def test_what_it_needs(packages):
    fields = dict(re.findall(r"^ ?([\w-]+): (.*)$", run(["dpkg-deb", "-f", package(packages)], "/"), re.M))
    for name in ("apache2-api-20120211", "libcurl4", "libssl3", "libcjose0", "libmemcached11", "libjansson4", "zlib1g", "libc6"):
        assert re.search(rf"\b{name}", fields["Depends"]), (name, fields["Depends"])
    assert "apache2-dev" not in fields["Depends"] and "gcc" not in fields["Depends"]


def test_debug_symbols_are_apart(packages, tmp_path):
    module = tmp_path / "usr/lib/apache2/modules/mod_auth_keycloak.so"
    for deb in (package(packages), package(packages, NAME + "-dbgsym")):
        run(["dpkg-deb", "-x", deb, tmp_path], "/")
    assert ".debug_info" not in run(["readelf", "-S", "-W", module], "/")
    build_id = re.search(r"Build ID: (\w\w)(\w+)", run(["readelf", "-n", module], "/"))
    symbols = tmp_path / "usr/lib/debug/.build-id" / build_id[1] / (build_id[2] + ".debug")
    assert ".debug_info" in run(["readelf", "-S", "-W", symbols], "/")


def test_its_version_is_that_of_configure():
    assert f" ({VERSION}-" in (ROOT / "scripts/debian/changelog").read_text().splitlines()[0]


@pytest.mark.parametrize("place", ["scripts/debian", "scripts/rpm"])
def test_the_examples_in_the_configuration_are_right(packages, tmp_path, place):
    """httpd takes all lines that are commented out, once they are not."""
    run(["dpkg-deb", "-x", package(packages), tmp_path / "package"], "/")
    text = "".join(line.removeprefix("#") + "\n" for line in (ROOT / place / "auth_keycloak.conf").read_text().splitlines()
                   if re.match("#(Keycloak|Proxy|<|    [AR])", line))
    assert text.count("Keycloak") == 7 and "Require valid-user" in text
    for name in ("secret", "crypto-key"):
        (tmp_path / name).write_text("0123456789abcdef" * 3)
        (tmp_path / name).chmod(0o600)
    text = text.replace("/etc/keycloak/", f"{tmp_path}/")
    httpd = Httpd(tmp_path / "httpd", tmp_path / "package/usr/lib/apache2/modules/mod_auth_keycloak.so", free_port(), text,
                  modules=[*MODULES, "auth_keycloak"])
    status, output = httpd.check()
    assert status == 0 and "Syntax OK" in output, output
