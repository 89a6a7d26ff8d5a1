# SPDX-License-Identifier: Apache-2.0
"""The configurations under conf/ are what httpd accepts, and sign in with addresses filled in."""

import re
from pathlib import Path

import pytest

from httpd import MODULES, Httpd
from process import free_port

CONF = Path(__file__).resolve().parents[2] / "conf"
EXAMPLES = ["reverse-proxy.conf", "reference.conf"]
ABSOLUTE = re.compile(r"(file:|CertificateFile\s+|CertificateKeyFile\s+|CAFile\s+|ClientKey\s+|ClientCert\s+)"
                      r"\"?(/[^\s\"]+)\"?")


@pytest.mark.parametrize("name", EXAMPLES)
def test_httpd_accepts_the_example(new_site, tmp_path, name):
    """Files that it names are put into a folder of the test; nothing else is changed."""
    example = CONF / name
    assert example.is_file(), f"conf/{name} is missing"
    text = example.read_text(encoding="utf-8")
    for _, path in sorted(set(ABSOLUTE.findall(text)), key=lambda pair: -len(pair[1])):
        here = tmp_path / path.strip("/").replace("/", "-")
        here.write_text("0123456789abcdef0123456789abcdef0123456789abcdef\n")
        here.chmod(0o600)
        text = text.replace(path, str(here))
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("LoadModule", "Listen")))
    copy = tmp_path / name
    copy.write_text(text)
    modules = MODULES + ["ssl", "socache_shmcb", "rewrite", "http2", "proxy_wstunnel", "auth_keycloak"]
    httpd = Httpd(tmp_path / "httpd", new_site.module, free_port(), f'Include "{copy}"', modules=modules)
    status, output = httpd.check()
    assert status == 0 and "Syntax OK" in output, output


def test_httpd_refuses_a_mistake_in_it(new_site, tmp_path):
    """What makes the test above able to fail."""
    httpd = Httpd(tmp_path / "httpd", new_site.module, free_port(), "KeycloakNoSuchDirective on")
    status, output = httpd.check()
    assert status != 0 and "KeycloakNoSuchDirective" in output
