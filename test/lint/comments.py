# SPDX-License-Identifier: Apache-2.0
"""The sentences of comments in C, their lengths, and words that the project no longer uses."""

import re

import prose
import rows

_SPDX = re.compile(r"\s*SPDX-License-Identifier: \S+")
_HEADING = re.compile(r"-{8,} |--- .* ---$")      # a line that divides a file
_ITEM = re.compile(r"\s*- |\s+(?:\S+: |\S+(?: \S+)*\s{2,}\S)")  # a line that begins an item of a list
_END = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!etc)(?<=[.!?])[\")]*\s+")
_CODE = re.compile(r"`[^`]*`|\"[^\"]*\"")

# What comments called it once, and what the field calls it. Only words without another meaning here.
OLD_WORDS = [
    (r"\brosters?\b", "session index"),
    (r"\bkeyrings?\b", "metadata, or keys"),
    (r"\b(?:person|persons|person's|whoever|whomever)\b", "user, client or caller"),
    (r"\bstrangers?\b", "any client"),
    (r"(?<![-\w])judge(?:s|'s)?\b", "external authorization, or check"),
    (r"\bneighbours?\b", "other servers"),
    (r"\bdemand(?:s|ed)?\b", "step-up requirement"),
    (r"\bpassed by\b", "marked down"),
    (r"\bpatience\b", "wait limit"),
    (r"\b(?:wish|wishes|company|sights?)\b", "the field's word"),
    (r"\bmarks? of (?:the |its |a )?(?:sub|sid|user|session|logout)", "revocation entry"),
    (r"\bin vain\b|\bbut for\b|\bnobody's\b", "a plain sentence"),
]
SENTENCES_MIN = 8  # a file with fewer has no median that says anything
_OLD = [(re.compile(pattern, re.I), term) for pattern, term in OLD_WORDS]


def _blocks(text):
    """Yields (line number, text without the comment's marks, whether it has several lines) for each comment."""
    for token in rows.tokens(text):
        raw = token.group(0)
        if raw.startswith("/*"):
            lines = raw[2:-2].split("\n")
            plain = [lines[0].strip()] + [re.sub(r"^\s*\*(?: |$)", "", line).rstrip() for line in lines[1:]]
        elif raw.startswith("//"):
            plain = [raw[2:].strip()]
        else:
            continue
        yield text.count("\n", 0, token.start()) + 1, _SPDX.sub("", "\n".join(plain)), bool(raw.count("\n"))


def paragraphs(text):
    """Yields (line number, text on one line) for each piece of prose in the comments of a C file."""
    for start, block, is_long in _blocks(text):
        if _HEADING.match(block):
            continue
        current, begun = [], start
        for number, line in enumerate(block.split("\n"), start):
            is_item = is_long and number > start and _ITEM.match(line) and not _is_beside(line)
            if current and (is_item or not line.strip()):
                yield begun, " ".join(current)
                current = []
            if line.strip():
                begun = begun if current else number
                current.append(line.strip())
        if current:
            yield begun, " ".join(current)


def _is_beside(line):
    """Whether it is a further line of a comment beside code: these are indented far."""
    return len(line) - len(line.lstrip()) > 8


def sentences(text):
    """Yields (line number, number of words, sentence)."""
    for number, piece in paragraphs(text):
        for sentence in _END.split(_CODE.sub("code", piece)):
            words = re.findall(r"\S*\w\S*", sentence)
            if words:
                yield number, len(words), sentence


def faults(name, text):
    """What is too long in the comments of a C file, a line for each."""
    counts = []
    for number, count, sentence in sentences(text):
        counts.append(count)
        if count > prose.LONGEST:
            yield "%s:%d: a sentence of %d words: %s ..." % (name, number, count, sentence[:60])
    if len(counts) >= SENTENCES_MIN and prose.median(counts) > prose.MEDIAN:
        yield "%s: the median sentence of its comments has %d words, at most %d are wanted" % (
            name, prose.median(counts), prose.MEDIAN)


def old_words(name, text):
    """Where a comment uses a word that has been replaced, a line for each."""
    for number, piece in paragraphs(text):
        for pattern, term in _OLD:
            found = pattern.search(_CODE.sub("code", piece))
            if found:
                yield "%s:%d: '%s' in a comment: say %s" % (name, number, found.group(0), term)
