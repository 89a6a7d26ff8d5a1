# SPDX-License-Identifier: Apache-2.0
"""One Keycloak for the whole run, and the paths of the helper modules."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test" / "support" / "python"), str(ROOT / "test" / "kubeflow"), str(ROOT / "test" / "e2e"),
                str(ROOT / "docker" / "demo")]

from one_keycloak import authority, keycloak  # noqa: E402,F401  # pylint: disable=unused-import
