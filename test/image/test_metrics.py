# SPDX-License-Identifier: Apache-2.0
"""Prometheus' own programs take the metrics and the alert rules: promtool, and a real scrape of the image's port."""

import json
import os
import re
import subprocess
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from process import Child, free_port, wait_for
from test_serving import Judge, ask, provider  # noqa: F401  # pylint: disable=unused-import

RULES = ROOT / "conf" / "monitoring" / "alerts.yaml"
CASES = ROOT / "test" / "image" / "alerts.yaml"
ALERTS = [rule["alert"] for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
          for rule in group["rules"] if "alert" in rule]
# The names and types of the table that the code is made from.
TABLE = re.findall(r"^\| `(mod_auth_keycloak_\w+)` \| (counter|gauge|histogram) \|", (ROOT / "doc" / "metrics.md").read_text(encoding="utf-8"), re.M)
CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: mod_auth_keycloak
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


@pytest.fixture
def site(running, tmp_path, module, provider):  # noqa: F811  # pylint: disable=redefined-outer-name
    """The image in mode judge, after some requests."""
    made = Judge(running, tmp_path, module, provider).ready()
    for path in ("/a", "/b"):
        assert ask(made.judge, path).status == 302
    assert ask(made.judge, "/c", headers={"Authorization": "Bearer x"}).status == 401
    assert ask(made.judge, "/authservice/oidc/callback?state=unknown&code=x").status in (302, 400)
    return made


def promtool(*words, text=None):
    """Status, and what it said."""
    done = subprocess.run(["promtool", *words], input=text, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


# ---------------- The text

def test_promtool_takes_the_text(site):  # pylint: disable=redefined-outer-name
    text = ask(site.metrics, "/metrics", headers={"Accept": None}).text
    status, said = promtool("check", "metrics", text=text)
    assert (status, said) == (0, ""), said
    assert len(TABLE) > 20 and {name for name, _ in TABLE} == set(re.findall(r"^# TYPE (\S+) ", text, re.M))


def test_promtool_finds_a_fault(site):  # pylint: disable=redefined-outer-name
    text = ask(site.metrics, "/metrics", headers={"Accept": None}).text
    for old, new in ((r"^# HELP mod_auth_keycloak_sessions_created_total .*\n", ""), (r"_sessions_created_total\b", "_sessions_created"),
                     (r'action="login"', "action=login")):
        changed = re.sub(old, new, text, flags=re.M)
        assert changed != text
        assert promtool("check", "metrics", text=changed)[0] != 0, old


# ---------------- The rules

def test_promtool_takes_the_rules():
    status, said = promtool("check", "rules", RULES)
    assert status == 0 and "SUCCESS" in said, said


def test_each_alert_fires_for_its_cause_alone():
    status, said = promtool("test", "rules", CASES)
    assert status == 0 and "SUCCESS" in said, said


def changed(folder, alert, change):
    """promtool's tests of a copy of the rules in which an alert is changed."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    (rule,) = [row for group in rules["groups"] for row in group["rules"] if row.get("alert") == alert]
    change(rule)
    (folder / "alerts.yaml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    cases = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    cases["rule_files"] = ["alerts.yaml"]
    cases["tests"] = [case for case in cases["tests"] if alert in str(case)]
    (folder / "cases.yaml").write_text(yaml.safe_dump(cases), encoding="utf-8")
    return promtool("test", "rules", folder / "cases.yaml")


@pytest.mark.parametrize("alert", ALERTS)
def test_the_cases_notice(tmp_path, alert):
    """An alert that never fires, that fires without its cause, or at once."""
    threshold = re.compile(r"(== |> )([\d.]+)( \* .*)?$", re.S)
    for change in (lambda rule: rule.update(expr="vector(1) < 0"), lambda rule: rule.pop("for"),
                   lambda rule: rule.update(expr=threshold.sub(r">= 0\3", rule["expr"]))):
        status, said = changed(tmp_path, alert, change)
        assert status != 0 and alert in said, said


# ---------------- A scrape

class Prometheus:
    """Debian's, which asks one target each second."""

    def __init__(self, folder, target):
        self.port = free_port()
        (folder / "prometheus.yml").write_text(CONFIG.format(rules=RULES, port=target), encoding="utf-8")
        self.child = Child("Prometheus", ["prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'tsdb'}",
                                          f"--web.listen-address=127.0.0.1:{self.port}"], folder / "prometheus.log")

    def get(self, path, **query):
        """The data of an answer of its API; None while it does not answer."""
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def targets(self):
        return (self.get("targets") or {}).get("activeTargets", [])

    def value(self, expression):
        """Of an expression with one series; None when there is none."""
        rows = (self.get("query", query=expression) or {}).get("result", [])
        return float(rows[0]["value"][1]) if len(rows) == 1 else None


@pytest.fixture
def prometheus(site, tmp_path):  # pylint: disable=redefined-outer-name
    folder = Path(tmp_path, "prometheus")
    folder.mkdir()
    made = Prometheus(folder, site.metrics)
    yield made
    made.child.stop()


def test_prometheus_scrapes(site, prometheus):  # pylint: disable=redefined-outer-name
    def health():
        rows = prometheus.targets()
        assert not rows or rows[0]["health"] != "down", rows
        return rows and rows[0]["health"] == "up"
    wait_for(health, 60, "Prometheus has scraped", prometheus.child)
    wait_for(lambda: prometheus.value("up") == 1, 30, "the target is up", prometheus.child)
    types = {row["metric"]: row["type"] for row in prometheus.get("targets/metadata")}
    for name, kind in TABLE:
        # In OpenMetrics, which Prometheus asks for, a family has no _total, and the build is an "info".
        family = re.sub("_(total|info)$", "", name)
        assert types.get(family) == ("info" if name.endswith("_info") else kind), name
    assert prometheus.value("mod_auth_keycloak_build_info") == 1
    asked = 'sum(mod_auth_keycloak_requests_total{state="none",action="login"})'
    before = prometheus.value(asked)
    assert before >= 2
    assert ask(site.judge, "/d").status == 302
    wait_for(lambda: prometheus.value(asked) > before, 30, "a request is counted in the next scrape", prometheus.child)

    def rules():
        return [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    wait_for(lambda: all(rule["health"] != "unknown" for rule in rules()), 30, "the rules are evaluated", prometheus.child)
    assert {rule["name"] for rule in rules() if rule["type"] == "alerting"} == set(ALERTS)
    assert [rule for rule in rules() if rule["health"] != "ok" or rule.get("state") == "firing"] == []
    assert os.path.exists(f"/proc/{prometheus.child.process.pid}"), "it still runs"
