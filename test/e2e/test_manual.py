# SPDX-License-Identifier: Apache-2.0
"""The commands in the manual: its configurations, its script for Keycloak, its three checks."""

import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from httpd import MODULES, Httpd
from process import free_port
from site_under_test import private_file

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "doc").glob("*.md"))]
LOADED = MODULES + ["ssl", "http2", "alias", "auth_keycloak"]
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
# What an example that is a part of a configuration stands beside.
REST = {
    "KeycloakIssuer": "https://keycloak.example.com/realms/kubeflow",
    "KeycloakClientID": "kubeflow-oidc-authservice",
    "KeycloakClientSecret": SECRET,
    "KeycloakPublicURL": "https://kubeflow.example.com",
}


def blocks(page, language):
    """The fenced blocks of a page that say that they are of this language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def configurations():
    return [pytest.param(text, id=f"{page.stem}-{number}")
            for page in PAGES for number, text in enumerate(blocks(page, "apache"), 1)]


def completed(folder, text):
    """The example with what it leaves out, and with files in place of those that it names."""
    text = re.sub(r"/etc/keycloak/([a-z.-]+)", lambda match: str(private_file(folder / match[1], SECRET)), text)
    text = f"Define APACHE_LOG_DIR {folder}\n" + text      # as Debian's envvars say it
    return "".join(f"{name} {value}\n" for name, value in REST.items() if name not in text) + text


def check(module, folder, text):
    return Httpd(folder / "httpd", module, free_port(), completed(folder, text), modules=LOADED).check()


@pytest.mark.parametrize("text", configurations())
def test_httpd_accepts_the_example(new_site, tmp_path, text):
    status, output = check(new_site.module, tmp_path, text)
    assert status == 0 and "Syntax OK" in output, output


def test_a_mistake_in_an_example_is_found(new_site, tmp_path):
    assert len(configurations()) > 10, "the examples are not found in the manual"
    status, output = check(new_site.module, tmp_path, "KeycloakSesionMax 10h\n")
    assert status != 0 and "KeycloakSesionMax" in output, output


def test_the_minimal_configuration_is_without_a_warning(new_site, tmp_path):
    minimal = blocks(ROOT / "README.md", "apache")[0]
    assert minimal == blocks(ROOT / "doc" / "getting-started.md", "apache")[0]
    status, output = check(new_site.module, tmp_path, minimal)
    assert status == 0 and "auth_keycloak" not in output, output


def run(script, folder, **environment):
    """A script of the manual, as root or not, with what it asks a person for."""
    done = subprocess.run(["bash", "-euc", script], cwd=folder, check=False, capture_output=True, text=True,
                          timeout=300, env={**os.environ, "HOME": str(folder), **environment})
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def scripts_for(keycloak, site, realm, client, secret_file):
    """The manual's two scripts, with this realm and with answers to what they ask for."""
    make, people = [text for text in blocks(ROOT / "doc" / "keycloak.md", "sh") if "kcadm.sh" in text]
    for name, value in (("KEYCLOAK", keycloak.url), ("REALM", realm), ("CLIENT", client), ("SITE", site.url)):
        make, count = re.subn(rf"^{name}=.*$", f"{name}={value}", make, count=1, flags=re.M)
        assert count == 1, make
    assert "--user admin\n" in make and ">/etc/keycloak/secret" in make and "--temporary" in people
    make = make.replace("--user admin\n", '--user admin --password "$PASSWORD"\n')
    make = make.replace("/etc/keycloak/secret", str(secret_file))
    return f"{make}\n{people}".replace("--temporary", '--new-password "$PASSWORD"')


@pytest.fixture(scope="module")
def made(keycloak, new_site, tmp_path_factory):
    """A site at a client that the manual's script has made in an empty realm."""
    name, client = "e2e-manual", "by-the-manual"
    keycloak.admin("POST", "", {"realm": name, "enabled": True})
    realm = SimpleNamespace(server=keycloak, client=client, secret="-", issuer=f"{keycloak.url}/realms/{name}",
                            passwords={"alice": keycloak.admin_password})
    site = new_site(realm, start=False, blocks="<Location /api/team>\n<RequireAll>\n"
                    "Require keycloak-group /data-science\nRequire keycloak-role kubeflow-user\n"
                    "</RequireAll>\n</Location>\n")
    run(scripts_for(keycloak, site, name, client, site.folder / "client-secret"), tmp_path_factory.mktemp("kcadm"),
        PATH=f"{keycloak.home}/bin:{os.environ['PATH']}", PASSWORD=keycloak.admin_password)
    assert (site.folder / "client-secret").stat().st_mode & 0o077 == 0
    site.httpd.start()
    return site


def test_the_script_makes_a_client_that_users_sign_in_at(made):
    browser = made.signed_in("alice", "/api/team")
    assert made.identity(browser, "/api/team") == ["alice@example.com"]


def test_the_three_checks_say_what_the_manual_says(made, tmp_path):
    checks = [text for text in blocks(ROOT / "doc" / "getting-started.md", "sh") if "kubeflow.example.com" in text]
    assert len(checks) == 1
    lines = run(checks[0].replace("https://kubeflow.example.com", made.url), tmp_path).splitlines()
    assert lines[0].startswith("HTTP/1.1 401") and lines[2].startswith("HTTP/1.1 401"), lines
    assert lines[1].startswith(f"Location: {made.realm.issuer}/protocol/openid-connect/auth?"), lines
    assert "client_id=by-the-manual" in lines[1] and "redirect_uri=http%3A%2F%2Flocalhost%3A" in lines[1], lines
