# SPDX-License-Identifier: Apache-2.0
"""The SBOM that docker/sbom writes: valid SPDX for spdx-tools, of any file system of Debian; the image's own is tried in test/image."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import ROOT, run


def validate(text, folder):
    """What the validator says against it; empty: nothing."""
    name = folder / "one.spdx.json"
    name.write_text(text)
    command = [os.environ["SPDX_PYTHON"], "-m", "spdx_tools.spdx.clitools.pyspdxtools", "-i", name]
    done = subprocess.run(command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return "" if done.returncode == 0 else done.stdout or f"status {done.returncode}"


@pytest.fixture
def sbom(tmp_path):
    """Of this machine's own packages: names with plus signs, versions with epochs and tildes, several architectures."""
    module = tmp_path / "root/usr/lib/apache2/modules/mod_auth_keycloak.so"
    module.parent.mkdir(parents=True)
    module.write_bytes(b"module")
    database = tmp_path / "root/var/lib/dpkg"
    database.mkdir(parents=True)
    shutil.copy("/var/lib/dpkg/status", database)
    return run([ROOT / "docker/sbom", tmp_path / "root", "1.2.3"], "/")


@pytest.mark.parametrize("lines, distro", [('ID=debian\nVERSION_ID="13"\n', "debian-13"), ("ID=debian\nVERSION_ID=12\n", "debian-12"),
                                           ('NAME="X"\nID=debian\n', "debian"), (None, "debian")])
def test_it_names_the_release(sbom, tmp_path, lines, distro):
    assert sbom
    if lines:
        (tmp_path / "root/etc").mkdir()
        (tmp_path / "root/etc/os-release").write_text(lines)
    packages = json.loads(run([ROOT / "docker/sbom", tmp_path / "root"], "/"))["packages"]
    found = {package["externalRefs"][0]["referenceLocator"].rsplit("distro=", 1)[1] for package in packages[1:]}
    assert found == {distro}


def test_it_is_valid(sbom, tmp_path):
    assert validate(sbom, tmp_path) == ""
    packages = json.loads(sbom)["packages"]
    assert len(packages) > 100 and any("+" in package["name"] for package in packages)
    assert any(":" in package["versionInfo"] for package in packages), "a version with an epoch"


@pytest.mark.parametrize("change", [
    lambda document: document.pop("documentNamespace"),
    lambda document: document["packages"][1].update(SPDXID="no identifier"),
    lambda document: document["packages"][1].update(licenseConcluded="Apache 2"),
    lambda document: document["relationships"][0].update(relatedSpdxElement="SPDXRef-nobody"),
    lambda document: document["creationInfo"].update(created="yesterday"),
])
def test_faults_are_found(sbom, tmp_path, change):
    document = json.loads(sbom)
    document["packages"] = document["packages"][:3]
    document["relationships"] = document["relationships"][:3]
    assert validate(json.dumps(document), tmp_path) == "", "a short one is valid"
    change(document)
    assert validate(json.dumps(document), tmp_path) != ""
