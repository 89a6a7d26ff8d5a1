# SPDX-License-Identifier: Apache-2.0
"""The sentences of a page in Markdown, and their lengths; code, headings and comments are not counted."""

import re

MEDIAN = 16   # words: half of a page's sentences are no longer
LONGEST = 40  # words: no sentence is longer

_FENCE = re.compile(r"^\s*(?:```|~~~)")
_ITEM = re.compile(r"^\s*(?:[*+-]|\d+[.)])\s+")
_END = re.compile(r"(?<=[.!?])[\"*_)]*\s+(?=[\"*_(`\[]*[A-Z0-9`\[])")
_HIDDEN = re.compile(r"<!--.*?-->", re.S)


def _blank(match):
    return "\n" * match.group(0).count("\n")


def _plain(text):
    """What is read aloud: of links their text, a piece of code as one word."""
    text = re.sub(r"`[^`]*`", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"[*_]{1,2}(?=\S)|(?<=\S)[*_]{1,2}", "", text)


def _cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", re.sub(r"`[^`]*`", "code", line.strip()))[1:-1]]


def paragraphs(text):
    """Yields (line number, whether it is a cell of a table, text) for each piece of prose."""
    current, start, fenced, before_blank = [], 0, False, True
    lines = _HIDDEN.sub(_blank, text).split("\n") + [""]
    for number, line in enumerate(lines, 1):
        fence = _FENCE.match(line)
        code = fenced or fence or (line.startswith("    ") and before_blank)
        quote = re.sub(r"^(?:>\s?)+", "", line)
        is_break = code or not quote.strip() or quote.startswith("#") or quote.startswith("|")
        if current and (is_break or _ITEM.match(quote)):
            yield start, False, " ".join(current)
            current = []
        if fence:
            fenced = not fenced
        if not code and quote.startswith("|"):
            for cell in _cells(quote):
                if not re.match(r"^:?-+:?$", cell):
                    yield number, True, cell
        elif not is_break:
            if not current:
                start = number
            current.append(_ITEM.sub("", quote).strip())
        before_blank = not line.strip() or (before_blank and line.startswith("    "))


def sentences(text):
    """Yields (line number, whether it stands in a table, number of words, sentence)."""
    for number, in_table, piece in paragraphs(text):
        for sentence in _END.split(_plain(piece)):
            words = re.findall(r"[^\s–—|]*\w[^\s–—|]*", sentence)
            if words:
                yield number, in_table, len(words), sentence


def median(counts):
    ordered = sorted(counts)
    return ordered[len(ordered) // 2] if ordered else 0


def faults(name, text):
    """What is too long in a page, a line for each."""
    counts = []
    for number, in_table, count, sentence in sentences(text):
        if not in_table:
            counts.append(count)
        if count > LONGEST:
            yield "%s:%d: a sentence of %d words: %s ..." % (name, number, count, sentence[:60])
    if median(counts) > MEDIAN:
        yield "%s: the median sentence has %d words, at most %d are wanted" % (name, median(counts), MEDIAN)
