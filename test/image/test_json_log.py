# SPDX-License-Identifier: Apache-2.0
"""LOG_FORMAT=json: each line of the image's logs is one JSON object, whatever it says."""

import json
import os
import signal
import subprocess

import pytest
from conftest import ROOT
from test_serving import ask, judge, provider  # noqa: F401  # pylint: disable=unused-import

FILTER = ROOT / "docker" / "image" / "json.awk"
ERROR = ["log", "time", "module", "level", "pid", "source", "client", "tag", "message"]
ACCESS = ["log", "time", "client", "user", "method", "path", "status", "microseconds", "tag", "request"]
PREFIX = b"[Mon Nov 30 21:46:10.123456 2026] [auth_keycloak:warn] [pid 12:tid 34] [client 192.0.2.7:5] KC0103: "


def filtered(stream, data):
    options = ["-W", "interactive"] if b"mawk" in subprocess.run(["awk", "-W", "version"], capture_output=True, check=False).stdout else []
    done = subprocess.run(["awk", *options, "-v", f"stream={stream}", "-f", FILTER], input=data, capture_output=True, check=True,
                          env={**os.environ, "LC_ALL": "C"})
    assert done.stderr == b""
    return [json.loads(line.decode("utf-8", "strict")) for line in done.stdout.splitlines()]


TEXTS = [
    (b'a "quoted" word', 'a "quoted" word'), (rb"back\slash \x41 \n", r"back\slash \x41 \n"), (b"M\xc3\xbcller \xe2\x82\xac \xf0\x9f\x94\x91", "Müller € 🔑"),
    (b"\x01\x1b[2J\x7f\t", "\x01\x1b[2J\x7f\t"), (b"\xff\xfe", "\ufffd\ufffd"), (b"\xc0\xaf", "\ufffd\ufffd"), (b"\xed\xa0\x80", "\ufffd\ufffd\ufffd"),
    (b"\xf4\x90\x80\x80", "\ufffd" * 4), (b"\xe2\x82", "\ufffd\ufffd"), (b"\xc2\x85", "\x85"), (b'","level":"debug', '","level":"debug'), (b"}", "}"),
    (b"%s %d", "%s %d"), (b"x" * 8000, "x" * 8000), (b'"' * 8000, '"' * 8000), (b"[a] [b:c] [pid 1] ", "[a] [b:c] [pid 1] "),
]


@pytest.mark.parametrize("data, text", TEXTS)
def test_any_line_is_json(data, text):
    line, other, bare = filtered("error", PREFIX + data + b"\n" + b"keycloak-image: warning: " + data + b"\n" + b"> " + data + b"\n")
    assert list(line) == ERROR
    assert line == {"log": "error", "time": "2026-11-30T21:46:10.123456Z", "module": "auth_keycloak", "level": "warn", "pid": 12, "source": None,
                    "client": "192.0.2.7:5", "tag": "KC0103", "message": text}
    assert (other["module"], other["level"], other["message"]) == ("keycloak-image", "warn", text)
    assert (bare["module"], bare["tag"], bare["message"]) == (None, None, "> " + text)


def test_lines_of_httpd_itself():
    found = filtered("error", b"AH00558: apache2: no name\n[Mon Nov  3 01:02:03.5 2026] [core:notice] [pid 7] AH00094: Command line\n"
                              b"[Mon Nov  3 01:02:03.5 2026] [proxy:error] [pid 7] (111)Refused: AH00957: x\n"
                              b"[Mon Nov  3 01:02:03.5 2026] [core:error] [pid 7] [client [2001:db8::1]:5] x\n\n")
    assert [line["tag"] for line in found] == ["AH00558", "AH00094", "AH00957", None, None]
    assert [line["pid"] for line in found] == [None, 7, 7, 7, None]
    assert found[2]["message"] == "(111)Refused: x"
    line, = filtered("error", b"[Mon Nov  3 01:02:03.5 2026] [a:debug] [pid 7:tid 8] mod_a.c(12): (2)No such: [client 192.0.2.1:5] KC0101: y\n")
    assert (line["source"], line["client"], line["tag"], line["message"]) == ("mod_a.c(12)", "192.0.2.1:5", "KC0101", "(2)No such: y")
    assert found[1]["time"] == "2026-11-03T01:02:03.5Z"
    assert found[3]["client"] == "[2001:db8::1]:5"


def test_access_lines():
    good, bad = filtered("access", b"2026-11-30T21:00:00Z\t192.0.2.7\tal\\\"ice\tGET\t/a\\xc3\\xbc\\xff\\n\\\\x41\t200\t123\t-\tabc\nx\ty\n")
    assert good == {"log": "access", "time": "2026-11-30T21:00:00Z", "client": "192.0.2.7", "user": 'al"ice', "method": "GET",
                    "path": "/aü\ufffd\n\\x41", "status": 200, "microseconds": 123, "tag": None, "request": "abc"}
    assert list(good) == ACCESS and bad["message"] == "x\ty"


@pytest.mark.parametrize("byte", [b"x", b'"', b"\xff", b"\\xff", b"\\\"", b"\\n", b"\x01"])
def test_long_texts_are_cut(byte):
    """A stranger's path may have 60 KiB, and the time that a text takes grows with the square of its length."""
    path = b"/" + byte * 60000
    access, = filtered("access", b"2026-11-30T21:00:00Z\t192.0.2.7\t-\tGET\t" + path + b"\t200\t123\t-\tabc\n")
    error, = filtered("error", PREFIX + path + b"\n")
    for text in access["path"], error["message"]:
        assert text.startswith("/") and text.endswith("...") and len(text) <= 8192 + len("...")
    assert list(access) == ACCESS and (access["status"], access["request"]) == (200, "abc")
    assert list(error) == ERROR and error["tag"] == "KC0103"


def test_wrong_settings_are_json_too(enter):
    found = enter({"LOG_FORMAT": "json", "OIDC_PROVIDER": 'x" y', "SERVER_PORT": "0"})
    lines = [json.loads(line) for line in found.said.splitlines()]
    assert found.status == 64 and {line["module"] for line in lines} == {"keycloak-image"}
    assert any(line["message"].startswith("OIDC_PROVIDER ") for line in lines), found.said
    assert lines[-1]["message"].startswith("not started: "), "the last line is not lost"


@pytest.mark.parametrize("value, status", [("json", 0), ("text", 0), (None, 0), ("xml", 64), ("JSON", 64)])
def test_the_switch(enter, value, status):
    found = enter({"LOG_FORMAT": value})
    assert found.status == status, found.said
    assert status == 0 or any(line.startswith("LOG_FORMAT ") for line in found.complaints)


def test_httpd_behind_it(judge):  # noqa: F811
    site = judge(LOG_FORMAT="json", ACCESS_LOG="true", LOG_LEVEL="DEBUG")
    site.run.wait_until(lambda: '"tag":"AH00489"' in site.run.said(), "httpd serves, and its line comes at once")
    site.run.wait_until(lambda: ask(site.judge, "/x").status == 302, "it is ready")
    assert ask(site.judge, '/a"b\\c', headers={"Accept": "application/json", "User-Agent": 'x"y'}).status in (400, 401)
    assert ask(site.judge, "/secret", headers={"Accept": "application/json"}).status == 401
    site.run.wait_until(lambda: '"path":"/secret"' in site.run.said(), "the access log's line comes at once")
    site.run.send(signal.SIGTERM)
    assert site.run.process.wait(30) == 0, site.run.said()
    site.run.pump.wait(10)
    lines = [json.loads(line) for line in site.run.said().splitlines()]
    access = [line for line in lines if line["log"] == "access"]
    errors = [line for line in lines if line["log"] == "error"]
    assert len(access) + len(errors) == len(lines) and all(list(line) == ACCESS for line in access) and all(list(line) == ERROR for line in errors)
    assert [(line["status"], line["tag"]) for line in access if line["path"] == "/secret"] == [(401, "KC0101")]
    assert any(line["tag"] == "KC0101" and line["module"] == "auth_keycloak" and line["level"] == "debug" for line in errors)
    assert any(line["tag"] and line["tag"].startswith("AH") and "SIGWINCH" in line["message"] or "shutting down" in line["message"] for line in errors), \
        "the lines of the end are there"
