# SPDX-License-Identifier: Apache-2.0
"""The results as tables, and whether the targets are met."""

import judge_report
import machine
import refresh
from form import COUNTED, ROUNDS, cell, exactly, least, most, rate, ratio, spread, table
from variants import EACH, FIRST, LABELS, PEER_MEMCACHE, PLAIN, SHARED

LEAST_FIRST, LEAST_EACH, LEAST_PEER, LEAST_SESSIONS = 0.95, 0.70, 2, 0.95
MOST_FIRST, MOST_EACH = 10_000, 40_000  # instructions added to a request
MOST_BYTES, MOST_BYTES_BARE = 1600, 400  # of a session
HELD_MEBIBYTES = 64  # the default
LEAST_HELD = {(0, 0): 20_000, (60, 40): 8_000}  # people, by groups and roles
MOST_REFRESH = 1.10  # p99 while tokens are renewed, as a multiple
HELD_BY_EACH = 1  # requests that wait for a renewal


def headline(found, parts):
    counts = parts.get("instructions", {})
    rows = []
    for key, row in found["rows"].items():
        one = counts.get(key)
        rows.append([LABELS[key], rate(row), ratio(row), f"{row['p99_ms']:.1f} ms", f"{row['cpu_us']:.0f} µs",
                     f"{one['all']:,}" if one else "–", f"{one['added']:,}" if one else "–"])
    yield "httpd as reverse proxy, signed in: 32 connections, 2 children"
    yield (ROUNDS.format(rounds=len(found["rounds"])) + " Processor time is httpd's alone."
           + (f" {COUNTED}" if counts else ""))
    yield table(["httpd", "requests/s (spread)", "ratio (spread)", "p99", "CPU/request", "instructions/request",
                 "added"], rows)


def settings(found, name):
    """Rows are settings (connections, children), columns are variants."""
    keys = [key.partition("@") for key in found["rows"]]
    variants = list(dict.fromkeys(variant for variant, _, _ in keys))
    rows = []
    for setting in dict.fromkeys(setting for _, _, setting in keys):
        cells = [setting]
        for variant in variants:
            row = found["rows"][f"{variant}@{setting}"]
            cells.append(f"{row['rate']:,.0f}" if variant == PLAIN else f"{row['rate']:,.0f}, ratio {ratio(row)}")
        rows.append(cells)
    return table([name] + [LABELS[variant] for variant in variants], rows)


def connections(found, _):
    yield "Over connections (2 children)"
    yield ROUNDS.format(rounds=len(found["rounds"]))
    yield settings(found, "connections")


def children(found, _):
    yield "Over httpd's children (32 connections)"
    yield ROUNDS.format(rounds=len(found["rounds"]))
    yield settings(found, "children")


def split_sessions(key):
    """Variant, sessions stored, sessions active."""
    variant, _, setting = key.partition("@")
    stored, _, active = setting.partition("/")
    return variant, int(stored), int(active)


def sessions(found, _):
    rows = {}
    for key, row in found["rows"].items():
        variant, stored, active = split_sessions(key)
        rows.setdefault((stored, active), [f"{stored:,}", f"{active:,}"]).append(
            f"{row['rate']:,.0f}, ratio {ratio(row)}")
    yield "Over stored sessions (32 connections, 2 children)"
    yield ("The ratio is to 1 session with the same settings. Each request has the cookie of an active session, drawn "
           "at random; the client's script is the same for 1. " + ROUNDS.format(rounds=len(found["rounds"])))
    yield table(["stored", "active", LABELS[FIRST], LABELS[EACH]], rows.values())


REFRESH_LABELS = {refresh.KEPT: "live long", refresh.RENEWED: "renewed each second",
                  refresh.LATE: f"renewed each second, answered after {1000 * refresh.LATE_SECONDS:.0f} ms"}


def renewal(found, _):
    rows, held = [], refresh.HELD_US // 1000
    for key, row in found["rows"].items():
        rows.append([REFRESH_LABELS[key],
                     *(cell(row, f"{name}_ms", "{:.1f}") for name in ("p50", "p99", "others_p99", "worst")),
                     *(cell(row, name, "{:.0f}") for name in ("refreshes", "held_up")),
                     *(cell(row, f"{name}_ratio", "{:.3f}") for name in ("p99", "others_p99")), rate(row)])
    yield "While a session's tokens are renewed (32 connections, 2 children, memcached, default settings)"
    yield (f"Medians of {len(found['turns'][refresh.RENEWED])} turns of {refresh.SECONDS} s, in brackets the least and "
           "the most; latencies in milliseconds. All load is on one session. Each turn with renewals stands between two "
           "with tokens that live long; the ratios are to the geometric mean of these, and those of the latter, to the "
           "turns of their like before and behind, show how exact this is. The provider counts the renewals. To a request "
           "that was held up wrk adds those that its connection would have made meanwhile, and its p99 is of all these; "
           f"p99 of the others is of the requests that were made and took less than {held} ms.")
    yield table(["tokens", "p50", "p99", "p99 of the others", "worst", "renewals in a turn", f"requests over {held} ms",
                 "ratio of p99", "of the others", "requests/s"], rows)


def instructions(found, parts):
    if "headline" in parts:
        return
    yield "Instructions per request"
    yield COUNTED
    yield table(["httpd", "instructions/request", "added"],
                [[LABELS[key], f"{one['all']:,}", f"{one['added']:,}"] for key, one in found.items()])


BYTES_LABELS = {EACH: "as signed in here", "no tokens": "without tokens", "three tokens": "with the three tokens of a "
                "Keycloak realm", PEER_MEMCACHE: LABELS[PEER_MEMCACHE] + ", as signed in here"}


def bytes_held(found, _):
    yield "Bytes of a session in memcached"
    yield ("The largest value that a sign-in leaves, and all that memcached uses for a session, key and bookkeeping "
           "included.")
    yield table(["session", "value", "in memcached", "values for each sign-in"],
                [[BYTES_LABELS[key], f"{one['value']:,}", f"{one['in_memcached']:,}" if "in_memcached" in one else "–",
                  str(one["items"])] for key, one in found.items()])


def people_held(found, _):
    yield f"People held by {HELD_MEBIBYTES} MiB of shared memory"
    yield ("By groups and roles of each. The store has a person's session with its tokens, an entry in the list of sessions "
           "and the record of the last use; the first tier has a view. Counted until the first that is still good makes room "
           "(store), or those that are there (first tier).")
    yield table(["groups", "roles", "session in the store", "view", "people in the store", "views in the first tier"],
                [[str(one["groups"]), str(one["roles"]), f"{one['stored']:,} bytes", f"{one['view']:,} bytes",
                  f"{one['in_store']:,}", f"{one['in_first_tier']:,}"] for one in found])


def sign_in(found, _):
    yield "Signing in"
    yield ("One after the other: page, provider, callback, page. The rate is mostly the fake provider's, which is "
           "written in Python; the processor time is httpd's alone.")
    yield table(["httpd", "sign-ins/s", "CPU/sign-in"],
                [[LABELS[key], f"{one['rate']:.0f}", f"{one['cpu_ms']:.1f} ms"] for key, one in found.items()])


def many_groups(found, _):
    yield "People in many groups"
    yield ("memcached, default settings. The header of groups has room for 8,000 bytes; all groups are known to Require lines. "
           f"{COUNTED}")
    yield table(["groups", "session in memcached", "instructions/request", "CPU/sign-in"],
                [[f"{int(count):,}", f"{one['value']:,} bytes", f"{one['instructions']:,}", f"{one['cpu_ms']:.1f} ms"]
                 for count, one in found.items()])


WRITERS = {"headline": headline, "connections": connections, "children": children, "sessions": sessions,
           "refresh": renewal, "instructions": instructions, "bytes": bytes_held, "held": people_held,
           "sign-in": sign_in, "groups": many_groups}
BLOCKS = {"judge": judge_report.blocks}  # parts with tables of their own titles


def tables(parts, about):
    busy = machine.remark(about)
    blocks = [f"{machine.hardware(about)}, shared by httpd, wrk, nginx and memcached; {machine.versions(about)}."
              + (f" **Noise:** {busy}." if busy else "")]
    for part, found in parts.items():
        if part in BLOCKS:
            blocks += BLOCKS[part](found)
            continue
        title, *rest = list(WRITERS[part](found, parts)) or [None]
        blocks += [f"### {title}", *rest] if title else []
    return "\n\n".join(blocks)


# ---- the targets

def verdict(parts):
    """(good, text) for each target that was measured."""
    return [*_verdict_headline(parts.get("headline")), *_verdict_sessions(parts.get("sessions")),
            *_verdict_refresh(parts.get("refresh")), *_verdict_counts(parts.get("instructions")),
            *_verdict_bytes(parts.get("bytes")), *_verdict_held(parts.get("held")), *judge_report.verdict(parts.get("judge"))]


def _verdict_headline(found):
    rows = found["rows"] if found else {}
    if FIRST not in rows:
        return
    yield least(f"throughput, {LABELS[FIRST]}, against {LABELS[PLAIN]}", rows[FIRST]["ratio"], LEAST_FIRST)
    yield least(f"throughput, {LABELS[EACH]}, against {LABELS[PLAIN]}", rows[EACH]["ratio"], LEAST_EACH)
    yield least(f"throughput, {LABELS[FIRST]}, against {LABELS[PEER_MEMCACHE]}", rows[FIRST]["against_peer"],
                LEAST_PEER)
    yield least(f"throughput, {LABELS[EACH]}, against {LABELS[PEER_MEMCACHE]}", rows[EACH]["against_peer"], LEAST_PEER)


def _verdict_sessions(found):
    for key, row in (found["rows"] if found else {}).items():
        variant, stored, active = split_sessions(key)
        if stored == 1_000_000:
            yield least(f"throughput, {LABELS[variant]}, {stored:,} sessions of which {active:,} active, against 1",
                        row["ratio"], LEAST_SESSIONS)


def _verdict_refresh(found):
    if not found:
        return
    kept, renewed, late = (found["rows"][key] for key in (refresh.KEPT, refresh.RENEWED, refresh.LATE))
    yield most(f"p99 while tokens are renewed, against tokens that live long (these against themselves: "
               f"{kept['p99_ratio']:.3f})", round(renewed["p99_ratio"], 3), MOST_REFRESH)
    yield exactly("requests held up by each renewal that is answered late", late["held_by_each"], HELD_BY_EACH)


def _verdict_counts(found):
    if not found:
        return
    yield most(f"instructions added, {LABELS[FIRST]}", found[FIRST]["added"], MOST_FIRST)
    yield most(f"instructions added, {LABELS[SHARED]}", found[SHARED]["added"], MOST_FIRST)
    yield most(f"instructions added, {LABELS[EACH]}", found[EACH]["added"], MOST_EACH)


def _verdict_bytes(found):
    if not found:
        return
    yield most("bytes of a session without tokens", found["no tokens"]["value"], MOST_BYTES_BARE)
    yield most("bytes of a session with three tokens", found["three tokens"]["value"], MOST_BYTES)


def _verdict_held(found):
    for one in found or []:
        wanted = LEAST_HELD.get((one["groups"], one["roles"]))
        if wanted:
            people = min(one["in_store"], one["in_first_tier"])
            yield people >= wanted, (f"people with {one['groups']} groups and {one['roles']} roles held by {HELD_MEBIBYTES} "
                                     f"MiB: {people:,}, at least {wanted:,}")
