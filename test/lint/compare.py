# SPDX-License-Identifier: Apache-2.0
"""Holds the comparison with other projects (doc/compare.md) to its sources and to the figures of doc/performance.md."""

import re

PAGE, FIGURES = "doc/compare.md", "doc/performance.md"
_FIGURE = re.compile(r"\d{1,3}(?:,\d{3})+")
_REFERENCE = re.compile(r"\[((?:\d+|[A-Z])(?:, (?:\d+|[A-Z]))*)\](?!\()")


def _rows(text):
    """Each row of a table: its line's number, its cells, and the cells of the table's head."""
    head = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if head is None:
            head = cells
        elif not re.match(r"^[-: ]+$", "".join(cells)):
            yield number, cells, head


def faults(text, figures):
    """Yields (line number, what is wrong)."""
    known = set(_FIGURE.findall(figures))
    listed = {cells[0] for _, cells, head in _rows(text) if head[0] == "" and len(cells) == 2}
    used = {}
    for number, line in enumerate(text.split("\n"), 1):
        for match in _REFERENCE.finditer(re.sub(r"`[^`]*`", "", line)):
            for name in match.group(1).split(", "):
                used.setdefault(name, number)
    for name, number in used.items():
        if name not in listed:
            yield number, "source %s is not listed" % name
    for name in sorted(listed - set(used)):
        yield 1, "source %s is not used" % name
    for number, cells, head in _rows(text):
        if head[-1] == "check" and not re.search(r"\]\(|`make ", cells[-1]):
            yield number, "nothing says where this can be checked"
        for cell in cells if head[-1] == "check" else ():
            # What was measured apart from the benchmark (P) is not in its tables.
            for part in re.split(r"(?<=\]), ", cell):
                if "[P]" in part:
                    continue
                for figure in _FIGURE.findall(part):
                    if figure not in known:
                        yield number, "%s is not in %s" % (figure, FIGURES)
