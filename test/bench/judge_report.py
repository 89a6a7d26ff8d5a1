# SPDX-License-Identifier: Apache-2.0
"""The tables of the judge's benchmark, and whether its targets are met."""

from form import COUNTED, ROUNDS, least, most, rate, ratio, spread, table
from judge import OPEN
from variants import JUDGE_FIRST, JUDGE_LOOKS, JUDGE_OK, JUDGE_PEERS, JUDGE_SHARED, LABELS

LEAST_OK, LEAST_PEER = 0.9, 2
MOST_RSS, MOST_START = 40, 1.0  # MiB, seconds
OURS = (JUDGE_FIRST, JUDGE_SHARED)


def blocks(found):
    missing = found["missing"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return ["### The judge, asked directly: 32 connections, 2 children",
            f"{versions}. " + ROUNDS.format(rounds=len(found["direct"]["rounds"]))
            + " Processor time is the judge's alone, without its store's. All are asked with one session's cookie; each answer was seen to have the length of the one that "
            f"lets the request go on. {COUNTED}",
            table(["judge", "answers/s (spread)", "ratio (spread)", "p99", "CPU/answer", "instructions/answer", "added"],
                  _direct(found, missing)),
            "### The judge, asked by Envoy: 32 connections, one Envoy thread",
            ROUNDS.format(rounds=len(found["envoy"]["rounds"])) + " Processor time is that of Envoy and the judge.",
            table(["Envoy, which asks", "requests/s (spread)", "ratio (spread)", "p99", "CPU/request"],
                  _envoy(found["envoy"]["rows"], missing)),
            "### The judge at rest", *_rest(found["rest"])]


def _absent(missing, columns):
    return [[LABELS[key], f"not installed: {reason}"] + ["–"] * (columns - 2) for key, reason in missing.items()]


def _direct(found, missing):
    counts, rows = found["instructions"], []
    for key, row in found["direct"]["rows"].items():
        one = counts.get(key)
        rows.append([LABELS[key], rate(row), ratio(row), f"{row['p99_ms']:.1f} ms", f"{row['cpu_us']:.0f} µs",
                     f"{one['all']:,}" if one else "–", f"{one['added']:,}" if one else "–"])
    return rows + _absent(missing, 7)


def _envoy(rows, missing):
    labels = {**LABELS, OPEN: "nobody (no ext_authz)"}
    return [[labels[key], rate(row), ratio(row), f"{row['p99_ms']:.1f} ms", f"{row['cpu_us']:.0f} µs"]
            for key, row in rows.items()] + _absent(missing, 5)


def _rest(found):
    yield (f"Medians of {len(found['starts'])} starts, in brackets the least and the most, two seconds after it is "
           "ready; RSS counts memory that processes share for each of them, PSS once. "
           + ("Started by the image's entrypoint, until the readiness port says 200." if found["is_image"] else
              "Of httpd with conf/judge.conf, because docker/image/entrypoint is missing; its start is only until the "
              "port is open."))
    yield table(["processes", "RSS", "PSS", "start until ready"],
                [[f"{found['processes']:.0f}", *(spread(found[name], found[name + "_spread"], form) for name, form in (
                    ("rss_mib", "{:.1f} MiB"), ("pss_mib", "{:.1f} MiB"), ("seconds", "{:.2f} s")))]])


def verdict(found):
    """(good, text) for each target."""
    if not found:
        return
    for key in OURS:
        row = found["direct"]["rows"][key]
        yield least(f"answers a second, {LABELS[key]}, against {LABELS[JUDGE_OK]}", row["ratio"], LEAST_OK)
        yield least(f"answers a second, {LABELS[key]}, against {LABELS[JUDGE_LOOKS].replace('the same', 'it', 1)}",
                    row["against"][JUDGE_LOOKS], LEAST_OK)
        for peer in JUDGE_PEERS:
            if peer in row["against"]:
                yield least(f"answers a second, {LABELS[key]}, against {LABELS[peer]}", row["against"][peer], LEAST_PEER)
    for peer, reason in found["missing"].items():
        yield False, f"{LABELS[peer]} is not compared with, not installed: {reason}"
    yield most("RSS of the judge at rest, in MiB", round(found["rest"]["rss_mib"], 1), MOST_RSS)
    if found["rest"]["is_image"]:
        yield most("seconds from the image's start until it is ready", round(found["rest"]["seconds"], 2), MOST_START)
    else:
        yield False, "seconds from the image's start until it is ready: docker/image/entrypoint is missing"
