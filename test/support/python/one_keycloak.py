# SPDX-License-Identifier: Apache-2.0
"""Fixtures for a run's conftest.py: one Keycloak, and the authority of its certificate."""

import signal

import pytest

from authority import make_authority
from keycloak import Keycloak


def _terminated(_number, _frame):
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """Folder of a CA and of its certificate for localhost."""
    return make_authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory, authority):
    """The one Keycloak of this run; by https it answers under the authority's certificate."""
    signal.signal(signal.SIGTERM, _terminated)
    server = Keycloak(tmp_path_factory.mktemp("keycloak"),
                      tls=(authority / "localhost.pem", authority / "localhost.key"))
    with server.running():
        yield server
