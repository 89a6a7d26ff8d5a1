# SPDX-License-Identifier: Apache-2.0
"""Reads the X-macro tables src/core/*.def, and makes README's tables from them."""

import re

# A comment, a string, a character constant, or any other single character.
_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|.', re.S)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "'": "'"}


def without_comments(text, strings=True):
    """The C text with its comments (and strings, if not wanted) blanked; lines keep their numbers."""

    def blank(match):
        token = match.group(0)
        comment = token.startswith(("/*", "//"))
        quoted = len(token) > 1 and token[0] in "\"'"
        if comment or (quoted and not strings):
            return '""' if quoted else re.sub(r"[^\n]", " ", token)
        return token

    return _TOKEN.sub(blank, text)


def _value(argument):
    """A string argument (its adjacent pieces joined) as its text, NULL as None, others as they are."""
    argument = argument.strip()
    if argument.startswith('"'):
        pieces = re.findall(r'"((?:\\.|[^"\\])*)"', argument)
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m.group(1), m.group(1)), "".join(pieces))
    return None if argument == "NULL" else argument


def read(path, *macros):
    """Yields (macro, [values], line number) for every row made by one of the macros."""
    text = without_comments(path.read_text(encoding="utf-8"))
    for start in re.finditer(r"^\s*(%s)\(" % "|".join(macros), text, re.M):
        arguments, current, depth = [], "", 1
        for token in _TOKEN.finditer(text, start.end()):
            piece = token.group(0)
            if piece == "(":
                depth += 1
            elif piece == ")":
                depth -= 1
                if depth == 0:
                    break
            if piece == "," and depth == 1:
                arguments.append(current)
                current = ""
            else:
                current += piece
        arguments.append(current)
        line = text.count("\n", 0, start.start(1)) + 1
        yield start.group(1), [_value(argument) for argument in arguments], line


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def directives(root):
    """The table of directives, as text that ends in a newline."""
    lines = [
        "| directive | default | where | meaning |",
        "| --- | --- | --- | --- |",
    ]
    found = read(root / "src/core/conf.def", "KC_CONF", "KC_CONF_DIR")
    for macro, (_, _, name, default, arguments, meaning), _ in found:
        lines.append("| `%s %s` | %s | %s | %s |" % (
            name,
            cell(arguments or ""),
            "–" if default is None else "`%s`" % cell(default),
            "directory" if macro == "KC_CONF_DIR" else "server",
            cell(meaning),
        ))
    return "\n".join(lines) + "\n"


def tags(root):
    """The table of log tags, likewise."""
    lines = ["| tag | status | what it says to the person |", "| --- | --- | --- |"]
    for _, (_, tag, _, status, sentence, _), _ in read(root / "src/core/err.def", "KC_ERR"):
        lines.append("| `KC%s` | %s | %s |" % (tag, status, cell(sentence)))
    return "\n".join(lines) + "\n"


# README's tables: each stands between the lines <!-- NAME --> and <!-- /NAME -->.
TABLES = [("directives", directives), ("tags", tags)]


def filled(root, text):
    """README's text with its tables as they should be; ValueError names a marker that is missing."""
    for name, table in TABLES:
        begin, end = "<!-- %s -->" % name, "<!-- /%s -->" % name
        if begin not in text or end not in text.split(begin, 1)[1]:
            raise ValueError("README.md lacks the lines %s and %s" % (begin, end))
        before, rest = text.split(begin, 1)
        text = before + begin + "\n" + table(root) + end + rest.split(end, 1)[1]
    return text
