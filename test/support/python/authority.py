# SPDX-License-Identifier: Apache-2.0
"""A certificate authority of the tests' own, made with openssl, and its certificate for localhost."""

import subprocess

from process import Failure

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]


def openssl(folder, *words):
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True,
                          check=False)
    if done.returncode != 0:
        raise Failure("openssl " + words[0] + ": " + done.stderr)


def make_authority(folder):
    """Leaves ca.pem, localhost.pem and localhost.key in the folder; returns the folder."""
    openssl(folder, "req", "-x509", *KEY, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2",
            "-subj", "/CN=test CA", "-addext", "keyUsage=critical,keyCertSign")
    openssl(folder, "req", *KEY, "-keyout", "localhost.key", "-out", "localhost.csr",
            "-subj", "/CN=localhost")
    (folder / "extensions").write_text("subjectAltName=DNS:localhost\n")
    openssl(folder, "x509", "-req", "-in", "localhost.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "2", "-extfile", "extensions", "-out", "localhost.pem")
    return folder
