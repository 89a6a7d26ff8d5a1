# SPDX-License-Identifier: Apache-2.0
"""httpd -t -D KEYCLOAK_CHECK, run for a site; its report, and rows of misconfigurations for it."""

import json
import os
import subprocess
import time
from dataclasses import dataclass, field


@dataclass
class Report:
    """What one check has printed."""

    status: int
    text: str
    errors: str
    seconds: float
    results: list = field(default_factory=list)

    def of(self, outcome):
        """The results with this outcome, by their names."""
        return {result["check"]: result for result in self.results if result["outcome"] == outcome}

    def ill(self):
        """The results that are neither ok nor skipped."""
        return [result for result in self.results if result["outcome"] not in ("ok", "skipped")]

    def __str__(self):
        return f"status {self.status}, {self.seconds:.2f} s\n{self.text}\n{self.errors}"


def check(site, form="json", env=None, defines=("KEYCLOAK_CHECK",)):
    """Runs the check. It is the configuration that counts: httpd of the site need not run."""
    words = [word for name in defines for word in ("-D", name)]
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment.pop("KEYCLOAK_CHECK", None)
    if form:
        environment["KEYCLOAK_CHECK"] = form
    begun = time.monotonic()
    done = subprocess.run(site.httpd.argv("-t", *words), capture_output=True, text=True, timeout=60, check=False,
                          env={**environment, **(env or {})})
    report = Report(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)
    if form == "json" and report.text.startswith("{"):
        report.results = json.loads(report.text)["results"]
    return report
