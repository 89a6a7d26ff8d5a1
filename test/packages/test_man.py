# SPDX-License-Identifier: Apache-2.0
"""The man page: made from the table of directives, without faults of form, and readable."""

import re
import subprocess
import sys

import pytest

from conftest import ROOT, run

sys.path.insert(0, str(ROOT / "test/lint"))
import rows  # noqa: E402

PAGE = ROOT / "doc/mod_auth_keycloak.8"
# As lintian calls man.
MAN = ["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8"]

ODD = r'''
KC_CONF(TEXT, one, "KeycloakOne", ".x\\y", NO_RULE, "A|'B' ...",
        ".Begins with a dot. 'Begins with a quote. It has \\f and \"q\" and a-b and ^~`. "
        "And a word that is long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa .so end")
KC_CONF_DIR(FLAG, two, "KeycloakTwo", "", NO_RULE, NULL, "Short")
'''


def faults(page):
    """What man and mandoc say of it."""
    said = subprocess.run([*MAN, "-Z", page], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"})
    lint = subprocess.run(["mandoc", "-T", "lint", page], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return said.stderr + lint.stdout


def shown(page):
    """The text that people read, in one line."""
    text = run(["sh", "-c", 'mandoc -T utf8 -O width=1000 "$0" | col -bx', page], "/")
    return " ".join(text.split())


@pytest.fixture
def page(tmp_path):
    """The page as it would be with the directives of ODD."""
    conf = tmp_path / "src/core/conf"
    conf.mkdir(parents=True)
    (conf / "conf.def").write_text(ODD)
    made = tmp_path / "page.8"
    made.write_text(rows.filled(tmp_path, "man", PAGE.read_text(encoding="utf-8")))
    return made


def test_man_and_mandoc_find_no_fault():
    assert faults(PAGE) == ""


def test_each_directive_is_there_with_its_default_and_meaning():
    text = shown(PAGE)
    table = re.findall(r"^\| `(Keycloak\w+) ?([^`]*)` \| (?:–|`(.*?)`) \| (\w+) \| (.*) \|$", rows.directives(ROOT), re.M)
    assert len(table) > 50
    for name, arguments, default, where, meaning in table:
        words = [word.replace("\\|", "|").replace("&lt;", "<") for word in (arguments, meaning, default)]
        ends = f"Where: {where}; default: {words[2]}." if default else f"Where: {where}."
        assert " ".join(f"{name} {words[0]} {words[1]} {ends}".split()) in text, name


def test_signs_that_troff_knows_are_shown_as_they_are(page):
    assert faults(page).replace(str(page), "") == ""
    text = shown(page)
    for part in ("KeycloakOne A|'B' ...", ".Begins with a dot. 'Begins with a quote. It has \\f and \"q\" and a-b and ^~`.",
                 ".so end Where: server; default: .x\\y.", "KeycloakTwo Short Where: directory; default: \"\"."):
        assert part in text, part


def test_a_fault_is_found(page):
    page.write_text(page.read_text() + ".SH\n\\fXa\n.nosuchmacro\n")
    assert "nosuchmacro" in faults(page)
