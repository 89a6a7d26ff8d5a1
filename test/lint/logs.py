# SPDX-License-Identifier: Apache-2.0
"""Which calls in src write a log line that may have no tag."""

import re

import rows

# Where lines get their tag; nothing else calls httpd's log, or the callback of kc_env_t.
HTTPD_LOG = ("src/httpd/log.c", "src/httpd/log.h")
CORE_LOG = ("src/core/env.c", "src/core/env.h")
# Reports of httpd -t, which are asked for, and go to the standard output.
REPORTS = ("src/httpd/ask.c", "src/httpd/dump.c")

_HTTPD = re.compile(r"\bap_log_\w+")
_CORE = re.compile(r"(?:->|\.)\s*log\s*\(")
_OTHER = re.compile(r"\b(?:(?:v?[fd]?printf|f?puts|fputc|perror|v?syslog|apr_file_(?:printf|puts|open_std\w+))(?=\s*\()"
                    r"|stderr\b|stdout\b)")
_TAGGED = re.compile(r"\b(?:kc_env_log(?:_at)?|AKC_LOG_(?:SERVER|REQUEST)(?:_AT)?)\s*\(")
_FAILURE = re.compile(r"\b(?:KC_FAIL|kc_err_set)\s*\(")


def _arguments(text, start):
    """The text of a call's arguments, from behind its opening parenthesis."""
    depth = 1
    for match in re.finditer(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|[()]', text[start:]):
        depth += {"(": 1, ")": -1}.get(match.group(0), 0)
        if not depth:
            return text[start:start + match.start()]
    return text[start:]


def _is_httpds_own(text, match):
    """A line that httpd would have written itself: it goes by the name of httpd's core, not of this module."""
    rest = re.match(r"\s*\(", text[match.end():])
    return bool(rest) and "AP_CORE_MODULE_INDEX" in _arguments(text, match.end() + rest.end())


def _faults(name, text):
    """(position, what is wrong)"""
    if name not in HTTPD_LOG:
        for match in _HTTPD.finditer(text):
            if not _is_httpds_own(text, match):
                yield match.start(), "%s writes a line without a tag: use AKC_LOG_SERVER or AKC_LOG_REQUEST" % match.group(0)
    if name not in CORE_LOG:
        for match in _CORE.finditer(text):
            yield match.start(), "the callback writes a line without a tag: use kc_env_log"
    for match in [] if name in REPORTS else _OTHER.finditer(text):
        yield match.start(), "%s writes a line without a tag, and not into the log" % match.group(0)
    for match in _TAGGED.finditer(text):
        arguments = _arguments(text, match.end())
        if re.search(r"\bKC_ERR_NONE\b", arguments):
            yield match.start(), "KC_ERR_NONE is no reason"
        if re.search(r'"KC\d{4}', arguments):
            yield match.start(), "the text has a tag, and gets one"
    for match in _FAILURE.finditer(text):
        if re.search(r"\bKC_ERR_EVENT_\w+", _arguments(text, match.end())):
            yield match.start(), "an event is no failure: it has no status and no advice"


def untagged(tree):
    for name in tree.below("src/", ".c", ".h"):
        text = rows.without_comments(tree.text(name))
        for position, wrong in _faults(name, re.sub(r"^[ \t]*#[ \t]*(?:include|undef)[^\n]*", "", text, flags=re.M)):
            yield "%s:%d: %s" % (name, text.count("\n", 0, position) + 1, wrong)
