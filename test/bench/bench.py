#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: httpd with the module against the same httpd without it. test/bench/run calls it."""

import argparse
import json
import os
import platform
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import measure
from servers import AUTH, NO_AUTH, ROOT, Backend, Provider, Proxy, Room  # puts test/lib on the path

from memcached import Memcached
from process import Failure

WITHOUT, SHARED, MEMCACHED = "without the module", "shared memory", "memcached"
LEAST_RATIO, MOST_INSTRUCTIONS = 0.85, 40000  # what shared memory is held to
PROFILE_LINES = 40
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Bench:
    def __init__(self, room, options):
        self.room, self.options = room, options
        self.running, self.variants, self.backend = [], {}, None

    def prepare(self):
        """Starts what all variants need, and says what the variants are."""
        room = self.room
        self.backend = self.keep(Backend(room))
        if self.options.control:
            self.variants = {WITHOUT: NO_AUTH, "the same again": NO_AUTH}
            return
        provider = self.keep(Provider(room))

        def auth(line):
            return AUTH.format(module=room.module, issuer=provider.issuer, room=room.folder, store=line)
        self.variants = {WITHOUT: NO_AUTH, SHARED: auth("")}
        if not self.options.no_memcached:
            store = self.keep(Memcached(room.make("memcached")))
            self.variants[MEMCACHED] = auth(f"KeycloakMemcached {store.address}\nKeycloakStoreTimeout 5s")

    def keep(self, server):
        self.running.append(server)
        return server

    def stop(self):
        for server in reversed(self.running):
            server.stop()

    def load(self):
        """Rounds in which each server has its turn, the first of a round another one each time."""
        proxies = {name: self.keep(Proxy(self.room, name, auth, self.backend)).start().sign_in()
                   for name, auth in self.variants.items()}
        for proxy in proxies.values():
            measure.load(proxy, self.backend, 1)
        rounds, names = [], list(proxies)
        for number in range(self.options.rounds):
            turn = number % len(names)
            rounds.append({name: measure.load(proxies[name], self.backend, self.options.seconds)
                           for name in names[turn:] + names[:turn]})
            say(f"round {number + 1}: " + ", ".join(f"{name} {rounds[-1][name]['rate']:.0f}" for name in names)
                + " requests/s")
        for proxy in proxies.values():
            proxy.stop()
        return rounds

    def instructions(self):
        """Instructions per request for each variant, and their profiles."""
        counts, reports = {}, {}
        for name, auth in self.variants.items():
            found = []
            for requests in (measure.SHORT, measure.LONG):
                proxy = self.keep(Proxy(self.room, name, auth, self.backend, 1, 8))
                found.append(measure.count(proxy, requests))
            counts[name] = round((found[1][0] - found[0][0]) / (measure.LONG - measure.SHORT))
            reports[name] = [report for _, report in found]
            say(f"callgrind: {name} {counts[name]} instructions/request")
        return counts, reports


def say(text):
    print(f"bench: {text}", flush=True)


def spread(values, form):
    return f"{form.format(min(values))} – {form.format(max(values))}"


def summary(names, rounds, counts):
    """What the table and the file show: for each server medians, spreads, ratios and instructions."""
    result = {}
    for name in names:
        row = result[name] = {}
        if rounds:
            rates = [one[name]["rate"] for one in rounds]
            # The ratio is taken within a round, where both servers had the same machine.
            ratios = [one[name]["rate"] / one[names[0]]["rate"] for one in rounds]
            row.update(rate=statistics.median(rates), rate_spread=[min(rates), max(rates)],
                       ratio=statistics.median(ratios), ratio_spread=[min(ratios), max(ratios)],
                       cpu_us=statistics.median(one[name]["cpu_us"] for one in rounds),
                       p50_ms=statistics.median(one[name]["p50_ms"] for one in rounds),
                       p99_ms=statistics.median(one[name]["p99_ms"] for one in rounds))
        if counts:
            row.update(instructions=counts[name], instructions_added=counts[name] - counts[names[0]])
    return result


def table(result):
    lines = ["| httpd as reverse proxy | requests/s (spread) | ratio (spread) | p99 | CPU/request"
             " | instructions/request | added |", "| --- | --- | --- | --- | --- | --- | --- |"]
    for name, row in result.items():
        cells = [name]
        if "rate" in row:
            cells += [f"{row['rate']:.0f} ({spread(row['rate_spread'], '{:.0f}')})",
                      f"{row['ratio']:.3f} ({spread(row['ratio_spread'], '{:.3f}')})", f"{row['p99_ms']:.1f} ms",
                      f"{row['cpu_us']:.0f} µs"]
        else:
            cells += ["–"] * 4
        cells += [f"{row['instructions']:,}", f"{row['instructions_added']:,}"] if "instructions" in row else ["–"] * 2
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def profiles(reports, names):
    """Where the instructions of a request go: with the module, and how many of them it adds."""
    parts = []
    for name in names[1:]:
        for inclusive in (False, True):
            base = measure.profile(*reports[names[0]], inclusive)
            found = measure.profile(*reports[name], inclusive)
            added = {key: value - base.get(key, 0) for key, value in found.items()}
            parts.append(f"{name}, {'inclusive' if inclusive else 'self'}: added, in all, function")
            parts += [f"{added[key]:10.0f} {found[key]:10.0f}  {key}"
                      for key in sorted(added, key=added.get, reverse=True)[:PROFILE_LINES]]
            parts.append("")
    return "\n".join(parts)


def verdict(result):
    row = result.get(SHARED, {})
    if "ratio" in row:
        yield row["ratio"] >= LEAST_RATIO, f"ratio with shared memory {row['ratio']:.3f}, at least {LEAST_RATIO}"
    if "instructions_added" in row:
        yield (row["instructions_added"] <= MOST_INSTRUCTIONS,
               f"instructions added {row['instructions_added']:,}, at most {MOST_INSTRUCTIONS:,}")


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--no-callgrind", action="store_true")
    parser.add_argument("--no-memcached", action="store_true")
    parser.add_argument("--control", action="store_true")
    return parser.parse_args()


def run(options, module):
    with tempfile.TemporaryDirectory(prefix="keycloak-bench.") as folder:
        os.chmod(folder, 0o755)
        bench = Bench(Room(folder, module), options)
        try:
            bench.prepare()
            names = list(bench.variants)
            rounds = bench.load() if options.rounds > 0 else []
            counts, reports = ({}, {}) if options.no_callgrind else bench.instructions()
            return (names, rounds, counts, profiles(reports, names) if counts else "")
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            bench.stop()


def main():
    options, started = arguments(), time.time()
    for number in SIGNALS:
        signal.signal(number, lambda *_: sys.exit(130))
    module = Path(os.environ["KC_BUILD"]) / "mod_auth_keycloak.so"
    try:
        if not options.control and not module.is_file():
            raise Failure("there is no mod_auth_keycloak.so in the build dir: run make there first")
        names, rounds, counts, where = run(options, None if options.control else module)
    except Failure as failure:
        say(f"failed: {failure}")
        return 1
    result = summary(names, rounds, counts)
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / "result.json").write_text(json.dumps(
        {"started": int(started), "cores": os.cpu_count(), "machine": platform.machine(),
         "options": vars(options), "summary": result, "rounds": rounds}, indent=2) + "\n", encoding="utf-8")
    (out / "profile.txt").write_text(where, encoding="utf-8")
    print("\n" + table(result) + "\n")
    for good, text in verdict(result):
        say(("ok: " if good else "MISSED: ") + text)
    say(f"figures in build/bench/result.json, profile in build/bench/profile.txt; {time.time() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
