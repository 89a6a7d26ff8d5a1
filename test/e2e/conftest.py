# SPDX-License-Identifier: Apache-2.0
"""One Keycloak for the whole run, a realm for each test file, and sites that sign in there."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "support" / "python"), str(ROOT / "docker" / "demo"), str(ROOT / "test" / "e2e")]

from one_keycloak import authority, keycloak  # noqa: E402,F401  # pylint: disable=unused-import
from site_under_test import Site  # noqa: E402


@pytest.fixture(scope="module")
def realm(keycloak, request):
    """A fresh realm from the realm file, with alice and bob, named after the test file."""
    name = request.module.__name__.removeprefix("test_").replace("_", "-")
    return keycloak.realm("e2e-" + name, "http://localhost:1")


class SiteMaker:
    """Starts sites and ends them all."""

    def __init__(self, folders):
        self.folders, self.sites = folders, []
        self.module = Path(os.environ["KC_BUILD"]) / "mod_auth_keycloak.so"

    def __call__(self, realm, start=True, **settings):
        site = Site(self.folders.mktemp("site"), self.module, realm, **settings)
        self.sites.append(site)
        if start:
            site.start()
        return site

    def end(self):
        for site in reversed(self.sites):
            site.stop()


@pytest.fixture(scope="module")
def new_site(tmp_path_factory):
    """Makes sites that live until the test file is done."""
    maker = SiteMaker(tmp_path_factory)
    yield maker
    maker.end()


@pytest.fixture(scope="module", params=["event", "prefork"])
def mpm(request):
    """Tests that use this run under both processing models."""
    return request.param
