# SPDX-License-Identifier: Apache-2.0
"""Reads the X-macro tables of src/core (.def), and makes the tables of doc/ and of the man page from them."""

import re
import textwrap

# A comment, a string, a character constant, or any other single character.
_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|.', re.S)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\", "'": "'"}


def tokens(text):
    """The comments, strings and single characters of a C text, as matches."""
    return _TOKEN.finditer(text)


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


def typedef_names(text):
    """Names that a header's typedefs make; bodies in braces are passed over."""
    flat = text
    while "{" in flat:
        shorter = re.sub(r"\{[^{}]*\}", " ", flat)
        if shorter == flat:
            break
        flat = shorter
    for match in re.finditer(r"\btypedef\b([^;]*);", flat):
        pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", match.group(1))
        words = re.findall(r"\w+", re.sub(r"\(.*|\[.*", "", match.group(1), flags=re.S))
        if pointer:
            yield pointer.group(1)
        elif words:
            yield words[-1]


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


def _choices(root):
    """Of each list of words for CHOICE directives its words, with bars between."""
    path = root / "src/core/conf/conf_choices.h"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    lists = re.findall(r"#define KC_CHOICES_(\w+)\(FIRST, NEXT\)((?:.*\\\n)+.*)", text)
    return {"KC_CHOICES(%s)" % name: "|".join(re.findall(r'"([^"]*)"', body)) for name, body in lists}


def _cookies(root):
    """The names of cookies, by the macros that rows use for them."""
    path = root / "src/core/conf/conf_choices.h"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return dict(re.findall(r'#define (KC_COOKIE_\w+) "([^"]*)"', text))


LEVELS = {"WARNING": "warn"}  # of log lines, where httpd has another word


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _directives(root):
    """Of each directive: name, arguments, default (None: not set), where it may stand, meaning."""
    choices, cookies = _choices(root), _cookies(root)
    found = read(root / "src/core/conf/conf.def", "KC_CONF", "KC_CONF_DIR")
    for macro, (_, _, name, default, _, arguments, meaning), _ in found:
        yield (name, choices.get(arguments, arguments) or "", cookies.get(default, default),
               "directory" if macro == "KC_CONF_DIR" else "server", meaning)


def directives(root):
    """The table of directives, as text that ends in a newline."""
    lines = [
        "| directive | default | where | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for name, arguments, default, where, meaning in _directives(root):
        lines.append("| `%s %s` | %s | %s | %s |" % (
            name, cell(arguments), "–" if default is None else "`%s`" % cell(default), where, cell(meaning)))
    return "\n".join(lines) + "\n"


def roff(text):
    """The text as it has to stand in a line of a man page, to be read as itself."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("\n", " ")
    for character, escape in (("'", "\\(aq"), ("`", "\\(ga"), ("^", "\\(ha"), ("~", "\\(ti"), ("\"", "\\(dq")):
        text = text.replace(character, escape)
    return "\\&" + text if text.startswith(".") else text


def _filled_lines(text):
    """Lines of a man page that have the words of the text, each short, and each sentence in lines of its own."""
    for sentence in re.split(r"(?<=[.:])\s+(?=[A-Z])", " ".join(text.split())):
        yield from map(roff, textwrap.wrap(sentence, 70, break_long_words=False, break_on_hyphens=False))


def man(root):
    """The list of directives of the man page, likewise."""
    lines = []
    for name, arguments, default, where, meaning in _directives(root):
        lines += [".TP", ("\\fB%s\\fR %s" % (roff(name), roff(arguments).replace("|", "|\\:"))).strip(), *_filled_lines(meaning), ".br"]
        lines += _filled_lines("Where: %s." % where if default is None else "Where: %s; default: %s." % (where, default or '""'))
    return "\n".join(lines) + "\n"


def tags(root):
    """The table of log tags, likewise, and behind it that of events, which no user sees."""
    lines = ["| tag | word in the log | status | what the user sees | what the user can do |", "| --- | --- | --- | --- | --- |"]
    events = []
    for _, (_, tag, slug, status, level, sentence, advice), _ in read(root / "src/core/base/err.def", "KC_ERR"):
        if int(status):
            lines.append("| `KC%s` | %s | %s | %s | %s |" % (tag, slug, status, cell(sentence), cell(advice)))
        else:
            events.append("| `KC%s` | %s | `%s` | %s |" % (tag, slug, LEVELS.get(level, level.lower()), cell(sentence)))
    if events:
        lines += ["", "Events. Users see nothing of them.", "", "| tag | word | level | what has happened |", "| --- | --- | --- | --- |"] + events
    return "\n".join(lines) + "\n"


def metric_labels(root):
    """Of each label of metrics.def its name, and the words that it may have ([]: they are not in metrics.c)."""
    text = (root / "src/core/metrics/metrics.c").read_text(encoding="utf-8")
    lists = {name: re.findall(r'"([^"]*)"', words) for name, words in
             re.findall(r"static const char \*const (\w+)\[\] = \{([^}]*)\};", text)}
    return {label: (name, lists.get(words, [])) for label, name, words in
            re.findall(r'\[KC_METRICS_LABEL_(\w+)\] = \{"(\w*)", (\w+),', text)}


def metric_rows(root):
    """Of each metric its full name as Prometheus sees it, its type, its labels and what it tells."""
    labels = metric_labels(root)
    for _, (_, kind, _, name, *used, text), _ in rows_of_metrics(root):
        full = "mod_auth_keycloak_" + name + ("_total" if kind == "COUNTER" else "")
        yield full, kind.lower(), [labels[label] for label in used if label != "NONE"], text


def rows_of_metrics(root):
    return read(root / "src/core/metrics/metrics.def", "KC_METRIC")


def metrics(root):
    """doc/metrics.md's table."""
    lines = ["", "| metric | type | labels | what it tells |", "| --- | --- | --- | --- |"]
    for name, kind, used, text in metric_rows(root):
        words = ["`%s`" % label + (": " + ", ".join(found) if found else "") for label, found in used]
        lines.append("| `%s` | %s | %s | %s |" % (name, kind, "; ".join(words), text))
    return "\n".join(lines) + "\n\n"


# The tables that are made: each stands in its page between two lines, see markers().
TABLES = [("directives", "doc/directives.md", directives), ("tags", "doc/log-tags.md", tags),
          ("metrics", "doc/metrics.md", metrics), ("man", "doc/mod_auth_keycloak.8", man)]


def markers(wanted):
    """The comments between which that table stands in its page."""
    if wanted == "man":
        return '.\\" directives', '.\\" /directives'
    return "<!-- %s -->" % wanted, "<!-- /%s -->" % wanted


def filled(root, wanted, text):
    """The text of a page with the table of that name as it should be; ValueError: its markers are missing."""
    page, table = next((page, table) for name, page, table in TABLES if name == wanted)
    begin, end = markers(wanted)
    if begin not in text or end not in text.split(begin, 1)[1]:
        raise ValueError("%s lacks the lines %s and %s" % (page, begin, end))
    before, rest = text.split(begin, 1)
    return before + begin + "\n" + table(root) + end + rest.split(end, 1)[1]
