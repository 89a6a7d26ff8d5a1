# SPDX-License-Identifier: Apache-2.0
"""The links of pages in Markdown, and the anchors that their headings make."""

import posixpath
import re

_FENCED = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.M | re.S)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.*?) *#*$", re.M)


def _blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def anchors(text):
    """The anchors of a page's headings, as the hosts of repositories make them."""
    found = []
    for heading in _HEADING.findall(_FENCED.sub(_blank, text)):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        anchor = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = sum(1 for other in found if other == anchor or re.fullmatch(re.escape(anchor) + r"-\d+", other))
        found.append("%s-%d" % (anchor, number) if number else anchor)
    return found


def relative(text):
    """Yields (line number, target) for each link of a page that leads to a file of the project."""
    text = _CODE.sub(_blank, _FENCED.sub(_blank, text))
    for match in _LINK.finditer(text):
        if not re.match(r"[a-z]+:", match.group(1)):
            yield text.count("\n", 0, match.start()) + 1, match.group(1)


def faults(name, tree):
    """The links of a page that lead nowhere, a line for each."""
    for number, target in relative(tree.text(name)):
        path, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        if path not in tree.files and not tree.below(path + "/"):
            yield "%s:%d: %s: there is no %s" % (name, number, target, path)
        elif anchor and anchor not in anchors(tree.text(path) if path in tree.files else ""):
            yield "%s:%d: %s: %s has no such heading" % (name, number, target, path)
