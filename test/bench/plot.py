# SPDX-License-Identifier: Apache-2.0
"""The figures as an SVG picture: bars with their spreads."""

import machine
from report import split_sessions
from variants import (EACH, FIRST, JUDGE_FIRST, JUDGE_LOOKS, JUDGE_OK, JUDGE_SHARED, LABELS, PEER_MEMCACHE,
                      PEER_SHARED, PLAIN, SHARED)

COLOURS = {PLAIN: "#8d99a6", FIRST: "#1f6fb4", EACH: "#5ba3d9", SHARED: "#2a9d7c", PEER_MEMCACHE: "#d9822b",
           PEER_SHARED: "#e8b26a"}
INK, SOFT, LINE, PAPER = "#1f2933", "#616e7c", "#d9dee3", "#ffffff"
WIDTH, MARGIN, GAP = 1120, 40, 48
PANEL = (WIDTH - 2 * MARGIN - GAP) / 2
HEAD, LEGEND, ROW_HEIGHT, AXIS = 78, 34, 30, 26
FONT = "font-family=\"'DejaVu Sans', Verdana, sans-serif\""


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def text(x, y, words, size=12, colour=INK, anchor="start", weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')


def line(x1, y1, x2, y2, colour=LINE, width=1, dash=""):
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dashes}/>')


def box(x, y, width, height, colour):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 1):.1f}" height="{height:.1f}" rx="2" fill="{colour}"/>'


def scale_end(most):
    """A round number not below the largest value, and the step of the axis."""
    step = 1e-6
    for factor in _steps(step):
        if most / factor <= 6:
            return factor * -(-most // factor), factor


def _steps(step):
    while True:
        yield from (step, 2 * step, 5 * step)
        step *= 10


def number(value):
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")


class Bars:
    """A panel of horizontal bars. rows: (label or None, colour, value, low, high, remark)."""

    label_width = 196

    def __init__(self, title, unit, rows, target=None):
        self.title, self.unit, self.rows, self.target = title, unit, rows, target
        self.height = 46 + ROW_HEIGHT * len(rows) + AXIS

    def draw(self, x, y):
        left, right = x + self.label_width, x + PANEL - 78
        end, step = scale_end(max(high for *_, high, _ in self.rows))
        def at(value):
            return left + (right - left) * value / end
        top, bottom = y + 46, y + 46 + ROW_HEIGHT * len(self.rows)
        out = [text(x, y + 14, self.title, 15, weight="bold"), text(x, y + 32, self.unit, 11, SOFT)]
        for index in range(round(end / step) + 1):
            out += [line(at(index * step), top, at(index * step), bottom),
                    text(at(index * step), bottom + 15, number(index * step), 10, SOFT, "middle")]
        if self.target:
            out.append(line(at(self.target), top - 4, at(self.target), bottom, "#b3261e", 1.5, "4 3"))
        for index, (label, colour, value, low, high, remark) in enumerate(self.rows):
            middle = top + ROW_HEIGHT * (index + 0.5)
            out.append(box(left, middle - 9, at(value) - left, 18, colour))
            if high > low:
                out += [line(at(low), middle, at(high), middle, INK, 1.2), line(at(low), middle - 4, at(low), middle + 4,
                        INK, 1.2), line(at(high), middle - 4, at(high), middle + 4, INK, 1.2)]
            out += [text(left - 8, middle + 4, label, 11, INK, "end"),
                    text(max(at(value), at(high)) + 7, middle + 4, remark, 11, INK)]
        return out


class Groups:
    """A panel of groups of upright bars. groups: (label, [(colour, value, low, high)])."""

    height = 270

    def __init__(self, title, unit, groups, target=None, share=False):
        self.title, self.unit, self.groups, self.target, self.share = title, unit, groups, target, share

    def draw(self, x, y):
        left, right, top, bottom = x + 52, x + PANEL, y + 48, y + self.height - 30
        end, step = scale_end(max(high for _, bars in self.groups for *_, high in bars))
        def at(value):
            return bottom - (bottom - top) * value / end
        out = [text(x, y + 14, self.title, 15, weight="bold"), text(x, y + 32, self.unit, 11, SOFT)]
        for index in range(round(end / step) + 1):
            out += [line(left, at(index * step), right, at(index * step)),
                    text(left - 7, at(index * step) + 4, number(index * step), 10, SOFT, "end")]
        slot = (right - left) / len(self.groups)
        for index, (label, bars) in enumerate(self.groups):
            width = min(30, slot * 0.8 / len(bars))
            start = left + slot * (index + 0.5) - width * len(bars) / 2
            for place, (colour, value, low, high) in enumerate(bars):
                centre = start + width * (place + 0.5)
                out += [box(start + width * place + 1.5, at(value), width - 3, bottom - at(value), colour),
                        line(centre, at(low), centre, at(high), INK, 1.2)]
                if self.share:
                    out.append(text(centre, bottom - 6, f"{value:.2f}", 9 if width > 24 else 7.5, PAPER, "middle", "bold"))
            out.append(text(left + slot * (index + 0.5), bottom + 18, label, 11, INK, "middle"))
        if self.target:
            out.append(line(left, at(self.target), right, at(self.target), "#b3261e", 1.5, "4 3"))
        return out


# ---- panels

def headline(found, _):
    rows = [(LABELS[key], COLOURS.get(key, SOFT), row["ratio"], *row["ratio_spread"], f"{row['ratio']:.2f}")
            for key, row in found["rows"].items()]
    return Bars("Throughput", "requests per second, as a share of those without a module; 32 connections; dashed: "
                "0.95", rows, 0.95)


def instructions(found, _):
    rows = [(LABELS[key], COLOURS[key], one["added"], one["added"], one["added"], number(one["added"]))
            for key, one in found.items() if key not in (PLAIN, PEER_MEMCACHE, PEER_SHARED)]
    peers = ", ".join(f"{LABELS[key]} {number(found[key]['added'])}" for key in (PEER_MEMCACHE, PEER_SHARED)
                      if key in found)
    return Bars("Instructions added to a request", f"not drawn: {peers}" if peers else "by callgrind", rows)


def over(title, unit):
    def panel(found, _):
        groups = {}
        for key, row in found["rows"].items():
            variant, _, setting = key.partition("@")
            groups.setdefault(setting, []).append((COLOURS[variant], row["rate"], *row["rate_spread"]))
        return Groups(title, unit, list(groups.items()))
    return panel


def short(count):
    return f"{count // 1_000_000} M" if count >= 1_000_000 else f"{count // 1000} k" if count >= 1000 else str(count)


def sessions(found, _):
    groups = {}
    for key, row in found["rows"].items():
        variant, stored, active = split_sessions(key)
        groups.setdefault(f"{short(active)} of {short(stored)}", []).append(
            (COLOURS[variant], row["ratio"], *row["ratio_spread"]))
    return Groups("Sessions", "throughput as a share of that with one session; active of stored; dashed: 0.95",
                  list(groups.items()), 0.95, share=True)


def renewal(found, _):
    return Bars("While tokens are renewed", "p99 of the requests that no renewal held up, in milliseconds", [
        (label, COLOURS[FIRST], row["others_p99_ms"], *row["others_p99_ms_spread"], f"{row['others_p99_ms']:.1f}")
        for label, row in zip(("never", "each second", "each second, late"), found["rows"].values())])


def bytes_held(found, _):
    names = (("no tokens", "without tokens", COLOURS[FIRST]), ("three tokens", "three Keycloak tokens", COLOURS[FIRST]),
             (PEER_MEMCACHE, LABELS[PEER_MEMCACHE], COLOURS[PEER_MEMCACHE]))
    return Bars("Bytes of a session", "the value in memcached, sealed or encrypted", [
        (label, colour, found[key]["value"], found[key]["value"], found[key]["value"], number(found[key]["value"]))
        for key, label, colour in names])


SHORT = {JUDGE_LOOKS: "the same, looking for a file"}


def judge(found, _):
    rows = [(SHORT.get(key, LABELS[key]).removeprefix("judge, "), COLOURS[FIRST] if key in (JUDGE_FIRST, JUDGE_SHARED) else
             COLOURS[PLAIN] if key in (JUDGE_OK, JUDGE_LOOKS) else COLOURS[PEER_MEMCACHE], row["ratio"],
             *row["ratio_spread"], f"{row['ratio']:.2f}") for key, row in found["direct"]["rows"].items()]
    return Bars("The judge", "answers per second, as a share of those of a handler that says 200 at once; dashed: 0.9",
                rows, 0.9)


PANELS = {"headline": headline, "instructions": instructions,
          "connections": over("Connections", "requests per second, 2 children"),
          "children": over("Children of httpd", "requests per second, 32 connections"),
          "sessions": sessions, "refresh": renewal, "bytes": bytes_held, "judge": judge}


def legend(y):
    out, x = [], MARGIN
    for key, colour in COLOURS.items():
        out += [box(x, y - 10, 12, 12, colour), text(x + 17, y, LABELS[key], 11)]
        x += 34 + 6.7 * len(LABELS[key])
    return out


def draw(parts, about):
    """The whole picture, two panels beside each other."""
    panels = [make(parts[part], parts) for part, make in PANELS.items() if part in parts]
    out = [text(MARGIN, 38, "mod_auth_keycloak: what a signed-in request costs", 20, weight="bold"),
           text(MARGIN, 60, f"httpd {about['versions']['httpd']} as reverse proxy, {about['cores']} cores, medians; "
                "lines: least and most of all rounds", 12, SOFT), *legend(HEAD + 18)]
    y = HEAD + LEGEND + 12
    for pair in (panels[index:index + 2] for index in range(0, len(panels), 2)):
        for column, panel in enumerate(pair):
            out += panel.draw(MARGIN + column * (PANEL + GAP), y)
        y += max(panel.height for panel in pair) + 28
    out += [text(MARGIN, y, ". ".join(filter(None, (machine.hardware(about), machine.remark(about)))), 9.5, SOFT),
            text(MARGIN, y + 14, machine.versions(about), 9.5, SOFT)]
    height = y + 34
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" '
                      f'viewBox="0 0 {WIDTH} {height:.0f}" {FONT}>',
                      f'<rect width="{WIDTH}" height="{height:.0f}" fill="{PAPER}"/>', *out, "</svg>", ""])
