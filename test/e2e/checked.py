# SPDX-License-Identifier: Apache-2.0
"""httpd -t -D KEYCLOAK_CHECK, run for a site; its report, and rows of misconfigurations for it."""

import json
import os
import subprocess
import time
from contextlib import ExitStack, contextmanager
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
    environment = {name: value for name, value in os.environ.items()
                   if not name.lower().endswith("_proxy") and not name.startswith("KEYCLOAK_CHECK")}
    if form:
        environment["KEYCLOAK_CHECK"] = form
    begun = time.monotonic()
    done = subprocess.run(site.httpd.argv("-t", *words), capture_output=True, text=True, timeout=60, check=False,
                          env={**environment, **(env or {})})
    report = Report(done.returncode, done.stdout, done.stderr, time.monotonic() - begun)
    if form == "json" and report.text.startswith("{"):
        report.results = json.loads(report.text)["results"]
    return report


@contextmanager
def configured(site, old, new):
    """The site's configuration file with `new` in place of `old`."""
    before = site.httpd.file.read_text(encoding="utf-8")
    assert old in before, old
    site.httpd.file.write_text(before.replace(old, new), encoding="utf-8")
    try:
        yield
    finally:
        site.httpd.file.write_text(before, encoding="utf-8")


@contextmanager
def client(site, attributes=(), **members):
    """The client in Keycloak with other members and attributes."""
    path = "/clients/" + site.realm.client_uuid
    before = site.realm.admin("GET", path)
    attributes = dict(attributes)
    site.realm.admin("PUT", path, {**before, **members, "attributes": {**before["attributes"], **attributes}})
    try:
        yield
    finally:  # Keycloak keeps an attribute that is not there
        gone = {name: "" for name in attributes}
        site.realm.admin("PUT", path, {**before, "attributes": {**gone, **before["attributes"]}})


@contextmanager
def realm(site, **members):
    """The realm in Keycloak with other members."""
    before = site.realm.admin("GET")
    site.realm.admin("PUT", "", members)
    try:
        yield
    finally:
        site.realm.admin("PUT", "", {name: before[name] for name in members})


@contextmanager
def without(site, mapper):
    """The client in Keycloak without this mapper."""
    path = f"/clients/{site.realm.client_uuid}/protocol-mappers/models"
    site.realm.admin("DELETE", f"{path}/{mapper['id']}")
    try:
        yield
    finally:
        site.realm.admin("POST", path, mapper)


@contextmanager
def user(site, username, **members):
    """A user in Keycloak with other members."""
    before = site.realm.user(username)
    site.realm.admin("PUT", "/users/" + before["id"], {**before, **members})
    try:
        yield
    finally:
        site.realm.admin("PUT", "/users/" + before["id"], before)


def together(*parts):
    """Several misconfigurations, which make one."""
    @contextmanager
    def made(site):
        with ExitStack() as stack:
            for part in parts:
                stack.enter_context(part(site))
            yield
    return made


@dataclass
class Row:
    """A misconfiguration: `made` is a context manager of the site. Then this check has this outcome, with these texts
    in its sentence and cure."""

    made: object
    check: str
    text: str
    cure: str
    outcome: str = "failed"
    env: dict = field(default_factory=dict)
    also: tuple = ()  # what has failed because of it


def assert_named(report, row):
    """The line that names it is there, and no check has failed that has nothing to do with it."""
    found = report.of(row.outcome).get(row.check)
    assert found, report
    assert row.text in found["text"], report
    assert row.cure in found["cure"], report
    failed = [row.check] if row.outcome == "failed" else []
    assert sorted(report.of("failed")) == sorted([*failed, *row.also]), report
    assert report.status == (1 if row.outcome == "failed" else 0), report
