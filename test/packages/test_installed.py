# SPDX-License-Identifier: Apache-2.0
"""The Debian package installed by the manual's words in a Debian that has nothing else; users sign in; it is removed.

In ./check: the package that was built here, on the release that this machine has, before the fake provider. With
KC_WHOLE=1 (test/packages/run --whole): built in a Debian 12 and in a Debian 13, unit tests and all, before a real Keycloak.
"""

import json
import os
import re
import shutil
import sys
from types import SimpleNamespace

import pytest

from conftest import ORDINARY, ROOT, run
from debian import Root, release_here

from backend import Backend, values
from browser import Browser
from process import Child, free_port, port_taken, wait_for

WHOLE = bool(os.environ.get("KC_WHOLE"))
NAME = "libapache2-mod-auth-keycloak"
MODULE = "usr/lib/apache2/modules/mod_auth_keycloak.so"


def blocks(page, heading, language):
    """The fenced blocks of a section of the manual."""
    text = (ROOT / "doc" / page).read_text(encoding="utf-8")
    section = re.search(rf"^(#+) {re.escape(heading)}\n(.*?)(?=^#{{1,2}} |\Z)", text, re.M | re.S).group(2)
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.M | re.S)


@pytest.fixture(scope="module", params=["bookworm", "trixie"] if WHOLE else [release_here()])
def debian(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("debian")
    root = Root(folder, request.param)
    yield root
    left = root.processes()
    root.end()
    shutil.rmtree(root.path, ignore_errors=True)
    assert not left, "servers were left behind"


@pytest.fixture(scope="module")
def package(debian, request):
    """The package for this release, in the root's /tmp."""
    if WHOLE:
        return build_inside(debian)
    (deb,) = request.getfixturevalue("packages").glob(f"{NAME}_*.deb")
    shutil.copy(deb, debian.path / "tmp")
    (debian.path / "tmp" / deb.name).chmod(0o644)
    return "/tmp/" + deb.name


def build_inside(debian):
    """Built as an ordinary user, with the packages that debian/control names, in another root of the same release."""
    builder = Root(debian.path.parent / "build", debian.path.name)
    try:
        builder.install("dpkg-dev", "fakeroot")
        tree = run([ROOT / "scripts/deb", "--tree", builder.path / "tmp"], ROOT).splitlines()[-1]
        run(["chown", "-R", ORDINARY, builder.path / "tmp"], "/")
        builder.bash(f"cd /tmp && apt-get -q -y --no-install-recommends build-dep ./{os.path.basename(tree)}")
        builder.bash(f"cd /tmp/{os.path.basename(tree)} && dpkg-buildpackage -us -uc", user="nobody:nogroup")
        (deb,) = (builder.path / "tmp").glob(f"{NAME}_*.deb")
        shutil.copy(deb, debian.path / "tmp")
    finally:
        builder.end()
        shutil.rmtree(builder.path)
    return "/tmp/" + deb.name


@pytest.fixture(scope="module")
def realm(request, tmp_path_factory):
    """Issuer, client, secret, user and password; sign_in(browser, url)."""
    if WHOLE:
        real = request.getfixturevalue("keycloak").realm("packages", "http://localhost:1")
        return SimpleNamespace(issuer=real.issuer, client=real.client, secret=real.secret, allow=real.allow_site, user="alice@example.com",
                               sign_in=lambda browser, url: browser.sign_in(url, "alice", real.passwords["alice"]))
    port = free_port()
    child = Child("the provider", [sys.executable, ROOT / "test/support/provider/provider.py", "--port", port],
                  tmp_path_factory.mktemp("provider") / "log")
    request.addfinalizer(child.stop)
    wait_for(lambda: port_taken(port), 60, "the provider answers", child)
    return SimpleNamespace(issuer=f"http://127.0.0.1:{port}/realms/packages", client="app", secret="canary-client-secret-5d1e",
                           allow=lambda url: None, user="alice@example.com", sign_in=lambda browser, url: browser.get(url))


@pytest.fixture(scope="module")
def installed(debian, package, realm):
    """The site as the manual says; .before: the files that were there when only httpd was installed."""
    debian.install("apache2", "ca-certificates", "openssl", "curl")
    before = debian.files()
    install, use, *_ = blocks("packages.md", "Install on Debian", "sh")
    done = debian.bash(re.sub(r"\./libapache2-mod-auth-keycloak_\S+\.deb", "-q -y " + package, install))
    assert "auth_keycloak" in debian.bash("a2query -m auth_keycloak"), done

    port, backend = free_port(), Backend()
    url = f"http://localhost:{port}"
    realm.allow(url)
    secrets = blocks("getting-started.md", "First configuration", "sh")[0]
    debian.bash(secrets.replace("the secret from the Credentials tab", realm.secret))
    lines = blocks("getting-started.md", "First configuration", "apache")[0]
    for theirs, ours in (("https://keycloak.example.com/realms/kubeflow", realm.issuer), ("kubeflow-oidc-authservice", realm.client),
                         ("https://kubeflow.example.com", url), ("http://istio-ingressgateway.istio-system/", f"http://127.0.0.1:{backend.port}/")):
        assert theirs in lines
        lines = lines.replace(theirs, ours)
    (debian.path / "etc/apache2/conf-available/keycloak.conf").write_text("ServerName localhost\n" + lines)
    # A port that is free here, in place of 80.
    debian.bash(f"sed -i 's/^Listen 80$/Listen {port}/' /etc/apache2/ports.conf")
    said = debian.bash(use)
    assert "Syntax OK" in said, said
    wait_for(lambda: port_taken(port), 60, "httpd answers")
    yield SimpleNamespace(url=url, backend=backend, before=before)
    if (debian.path / "usr/sbin/apachectl").exists():
        debian.bash("apachectl stop")
    wait_for(lambda: not debian.processes(), 60, "httpd ends")
    backend.stop()


def log(debian):
    return (debian.path / "var/log/apache2/error.log").read_text()


def test_the_three_checks_of_the_manual(debian, installed, realm):
    checks = blocks("getting-started.md", "Check that it works", "sh")[0].replace("https://kubeflow.example.com", installed.url)
    first, second, third = debian.bash(checks).splitlines()
    assert first.startswith("HTTP/1.1 401") and third.startswith("HTTP/1.1 401"), log(debian)
    assert second.lower().startswith(f"location: {realm.issuer}/protocol/openid-connect/auth?"), second


def test_users_sign_in(debian, installed, realm):
    browser = Browser()
    answer = realm.sign_in(browser, installed.url + "/api/start")
    assert answer.status == 200, f"{answer}\n{log(debian)}"
    assert values(installed.backend.requests[-1]["headers"], "kubeflow-userid") == [realm.user]
    whoami = browser.get(installed.url + "/authservice/whoami", [("Accept", "application/json")])
    assert whoami.status == 200 and realm.user in json.dumps(whoami.json())
    assert Browser().get(installed.url + "/api/start", [("Accept", "application/json")], follow=False).status == 401


def test_the_man_page_and_the_manual_are_there(debian, installed):
    page = debian.bash("zcat /usr/share/man/man8/mod_auth_keycloak.8.gz 2>/dev/null || echo excluded")
    excluded = "path-exclude" in debian.bash("cat /etc/dpkg/dpkg.cfg.d/* 2>/dev/null || true")
    assert "KeycloakIssuer" in page or excluded
    assert installed.before.isdisjoint({MODULE})


def test_it_is_removed_without_a_trace(debian, installed):
    """Last in this file: httpd goes on without the module."""
    words = blocks("packages.md", "Remove the package", "sh")[0]
    debian.bash("a2disconf keycloak && apt-get -q -y remove " + NAME)
    assert not (debian.path / MODULE).exists() and (debian.path / "etc/apache2/mods-available/auth_keycloak.conf").exists()
    assert "Syntax OK" in debian.bash("apachectl configtest")
    assert "No module matches" in debian.bash("a2query -m auth_keycloak 2>&1 || true")
    debian.bash(words.replace("apt-get purge", "apt-get -q -y purge"))
    debian.bash("apachectl restart && apt-get -q -y autoremove --purge")
    wait_for(lambda: "resuming normal operations" in log(debian).rpartition("SIGHUP received")[2], 60, "httpd restarts")
    ours = {name for name in debian.files() - installed.before if "keycloak" in name and not name.startswith("etc/keycloak")}
    assert ours == {"etc/apache2/conf-available/keycloak.conf"}, "the administrator's own file is all that is left"
    assert "auth_keycloak" not in debian.bash("apachectl -M")
