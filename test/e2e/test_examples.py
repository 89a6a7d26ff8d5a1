# SPDX-License-Identifier: Apache-2.0
"""The configurations under conf/: httpd accepts them, and users can sign in with the reverse proxy's."""

import re
from pathlib import Path

import pytest

from authority import make_authority
from browser import Browser
from httpd import MODULES, Httpd
from keycloak import CLIENT_ID
from process import free_port
from site_under_test import Backend, asks_to_sign_in, private_file

CONF = Path(__file__).resolve().parents[2] / "conf"
LOADED = MODULES + ["ssl", "http2", "alias", "auth_keycloak"]
SECRET = "0123456789abcdef0123456789abcdef0123456789abcdef"
# Directives that httpd accepts only together.
TOGETHER = {"KeycloakMemcachedUser": "KeycloakMemcachedPassword", "KeycloakMemcachedPassword": "KeycloakMemcachedUser"}
MINIMAL = f"""\
KeycloakIssuer http://localhost/realms/kubeflow
KeycloakClientID {CLIENT_ID}
KeycloakClientSecret {SECRET}
"""


def example(folder, name, **values):
    """The example, unchanged, with what it wants defined."""
    names = {"CLIENT_SECRET_FILE": private_file(folder / "secret", values.pop("secret", SECRET)),
             "CRYPTO_KEY_FILE": private_file(folder / "key", SECRET), **values}
    return "".join(f'Define KC_{name} "{value}"\n' for name, value in names.items()) \
        + f'Include "{CONF / name}"\n'


def reverse_proxy(folder, **values):
    return example(folder, "reverse-proxy.conf", **values)


# All but the reference, which is tried line by line.
@pytest.mark.parametrize("name, values", [(file.name, {}) for file in sorted(CONF.glob("*.conf")) if file.name != "reference.conf"]
                         + [("forward-auth.conf", {"JUDGE_FOR": "forwarded", "PROXY": "10.0.0.0/8"})])
def test_httpd_accepts_the_example(new_site, tmp_path, name, values):
    httpd = Httpd(tmp_path / "httpd", new_site.module, free_port(), example(tmp_path, name, **values), modules=LOADED)
    status, output = httpd.check()
    assert status == 0 and "Syntax OK" in output, output


def test_reverse_proxy_signs_in(new_site, realm, tmp_path):
    port, backend = free_port(), Backend()
    url = f"http://localhost:{port}"
    realm.allow_site(url)
    config = reverse_proxy(
        tmp_path, secret=realm.secret, ISSUER=realm.issuer, LISTEN=port, PUBLIC_URL=url,
        BACKEND_URL=f"http://127.0.0.1:{backend.port}")
    # On the loopback only: the example's own Listen is left out, httpd listens at the same port.
    text = (CONF / "reverse-proxy.conf").read_text()
    assert "\nListen ${KC_LISTEN}\n" in text
    (tmp_path / "example.conf").write_text(text.replace("\nListen ${KC_LISTEN}\n", "\n"))
    config = config.replace(str(CONF / "reverse-proxy.conf"), str(tmp_path / "example.conf"))
    httpd = Httpd(tmp_path / "httpd", new_site.module, port, config, modules=LOADED)
    try:
        httpd.start()
        browser = Browser()
        start = browser.get(url + "/api/x", follow=False)
        assert asks_to_sign_in(start, realm), start
        answer = browser.sign_in(url + "/api/x", "alice", realm.passwords["alice"])
        assert answer.status == 200 and answer.json()["user"] == "alice@example.com", answer
    finally:
        httpd.stop()
        backend.stop()


def example_file(folder, authority, name):
    """A file of the kind that its name says."""
    found = authority / name.replace("client", "localhost")
    text = found.read_text(encoding="ascii") if found.suffix in (".pem", ".key") else SECRET
    return str(private_file(folder / name, text))


def example_lines(folder):
    """Each line of the reference uncommented, the files that it names put into a folder."""
    found, block = [], []
    (folder / "authority").mkdir()
    authority = make_authority(folder / "authority")
    for line in (CONF / "reference.conf").read_text(encoding="utf-8").splitlines():
        line = re.sub(r"(?<=[ :])/etc/keycloak/([a-z.-]+)",
                      lambda match: example_file(folder, authority, match[1]), line)
        if re.match("#Keycloak", line):
            found.append(line[1:])
        elif line.startswith("#<Location") or block:
            block.append(line[1:])
            if line.startswith("#</Location"):
                found.append("\n".join(block))
                block = []
    assert not block
    return found


def test_httpd_accepts_each_line_of_the_reference(new_site, tmp_path):
    lines = example_lines(tmp_path)
    line_of = {line.split()[0]: line for line in lines}
    assert len(line_of) > 40, "the reference is not read as it should be"
    refused = []
    for line in lines:
        name = line.split()[0]
        base = "\n".join(row for row in MINIMAL.splitlines() if row.split()[0] != name)
        tried = [base, line, line_of[TOGETHER[name]]] if name in TOGETHER else [base, line]
        httpd = Httpd(tmp_path / "httpd", new_site.module, free_port(), "\n".join(tried),
                      modules=LOADED)
        status, output = httpd.check()
        if status != 0 or "Syntax OK" not in output:
            refused.append(line + "\n" + output)
    assert not refused, "\n".join(refused)


def test_httpd_refuses_a_mistake(new_site, tmp_path):
    """What makes the tests above able to fail."""
    for mistake in ("KeycloakNoSuchDirective on", "KeycloakSessionMax soon", "KeycloakCookieSameSite Never"):
        httpd = Httpd(tmp_path / "httpd", new_site.module, free_port(), MINIMAL + mistake)
        status, output = httpd.check()
        assert status != 0 and mistake.split()[0] in output, output
        assert "line" in output, output
