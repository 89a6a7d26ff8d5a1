#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmark: httpd with the module, without it, and with mod_auth_openidc. test/bench/run calls it."""

import argparse
import itertools
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import callgrind
import groups
import judge
import machine
import measure
import plot
import refresh
import report
import stored
from servers import ROOT, Backend, Provider, Proxy, Room  # puts test/support/python on the path
from variants import AGAIN, PEER_MEMCACHE, PEER_SHARED, PLAIN, Catalogue

from memcached import Memcached
from process import Failure

PARTS = ("headline", "connections", "children", "sessions", "refresh", "instructions", "bytes", "held", "sign-in",
         "groups", "judge")
CONNECTIONS, CHILDREN = (1, 8, 32, 256), (1, 2, 4)
# Connections fall to the children unevenly, and a child whose threads are all busy closes some.
THREADS = max(CONNECTIONS)
HEADLINE_CONNECTIONS, HEADLINE_CHILDREN = 32, 2
SESSIONS, ACTIVE = (1, 10_000, 1_000_000), (1, 1_000)
SEED_MEGABYTES = 4096
SIGN_INS = 100
HELD_LIMIT = 300  # seconds
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Bench:
    """Starts the servers that each part needs, and has them measured."""

    def __init__(self, room, options):
        self.room, self.options, self.running = room, options, []
        self.backend = self.keep(Backend(room))
        self.provider = self.keep(Provider(room))
        self.catalogue = Catalogue(room, self.provider.issuer)
        self.profile = ""

    def keep(self, server):
        self.running.append(server)
        return server

    def stop(self, down_to=0):
        """Ends the servers started last, but for the first so many."""
        while len(self.running) > down_to:
            self.running.pop().stop()

    def memcached(self, megabytes=64):
        return self.keep(Memcached(self.room.make(f"memcached-{len(self.running)}-{time.monotonic_ns()}"),
                                   megabytes=megabytes))

    def proxy(self, variant, processes=HEADLINE_CHILDREN):
        return self.keep(Proxy(self.room, variant, self.backend, processes, THREADS)).start().sign_in()

    def measure(self, part):
        """One part; its servers are ended afterwards."""
        say(f"{part} …")
        before = len(self.running)
        try:
            return getattr(self, "measure_" + part.replace("-", "_"))()
        finally:
            self.stop(before)

    def rounds(self, cases, rounds, base_of):
        done = measure.interleave(cases, self.backend, rounds, self.options.seconds, base_of, say)
        return {"rows": measure.summary(done), "rounds": done}

    # -- the parts

    def all_variants(self):
        ours, peers = self.memcached(), self.memcached()
        make = self.catalogue
        return [make.plain(), make.first(ours), make.each(ours), make.shared(), make.peer_memcache(peers),
                make.peer_shared()]

    def three_variants(self):
        ours = self.memcached()
        return [self.catalogue.plain(), self.catalogue.first(ours), self.catalogue.each(ours)]

    def measure_headline(self):
        make = self.catalogue
        variants = [make.plain(), make.plain(AGAIN)] if self.options.control else self.all_variants()
        cases = [measure.Case(variant.key, self.proxy(variant), HEADLINE_CONNECTIONS) for variant in variants]
        found = self.rounds(cases, self.options.rounds, lambda key: PLAIN)
        if not self.options.control:
            for key, row in found["rows"].items():
                row["against_peer"] = statistics.median(one[key]["rate"] / one[PEER_MEMCACHE]["rate"]
                                                        for one in found["rounds"])
        return found

    def measure_connections(self):
        proxies = [self.proxy(variant) for variant in self.three_variants()]
        cases = [measure.Case(f"{proxy.variant.key}@{number}", proxy, number)
                 for number, proxy in itertools.product(CONNECTIONS, proxies)]
        return self.rounds(cases, self.options.more_rounds, like(PLAIN))

    def measure_children(self):
        proxies = {number: [self.proxy(variant, number) for variant in self.three_variants()] for number in CHILDREN}
        cases = [measure.Case(f"{proxy.variant.key}@{number}", proxy, HEADLINE_CONNECTIONS)
                 for number in CHILDREN for proxy in proxies[number]]
        return self.rounds(cases, self.options.more_rounds, like(PLAIN))

    def measure_sessions(self):
        cases, seconds = [], {}
        for number in [one for one in SESSIONS if one <= self.options.most_sessions]:
            store = self.memcached(SEED_MEGABYTES)
            proxies = [self.proxy(self.catalogue.first(store)), self.proxy(self.catalogue.each(store))]
            began = time.monotonic()
            cookies = stored.seed(self.room, proxies[0].variant, number)
            seconds[number] = round(time.monotonic() - began, 1)
            say(f"{number:,} sessions stored in {seconds[number]} s")
            if store.count() < number or store.statistic("evictions"):
                raise Failure(f"memcached does not hold {number} sessions")
            for proxy in proxies:
                proxy.check(cookies.last_cookie())
            cases += [measure.Case(f"{proxy.variant.key}@{number}/{active}", proxy, HEADLINE_CONNECTIONS,
                                   cookies.path, active)
                      for active in sorted({active for active in (*ACTIVE, number) if active <= number})
                      for proxy in proxies]
        found = self.rounds(cases, self.options.more_rounds, lambda key: key.partition("@")[0] + "@1/1")
        return {**found, "seed_seconds": seconds}

    def measure_refresh(self):
        proxy = self.proxy(self.catalogue.first(self.memcached()))
        try:
            turns = refresh.take_turns(refresh.cases(proxy, HEADLINE_CONNECTIONS, self.provider), self.backend,
                                       self.options.refresh_rounds, say)
        finally:
            self.provider.reset()
        return {"rows": refresh.summary(turns), "turns": turns}

    def measure_instructions(self):
        counts, texts, base = {}, [], None
        variants = self.all_variants()
        if self.options.quick:  # the peer's take longer than all others
            variants = [variant for variant in variants if variant.key not in (PEER_MEMCACHE, PEER_SHARED)]
        for variant in variants:
            counts[variant.key], reports = callgrind.instructions(
                lambda processes, threads, variant=variant.under_valgrind(): Proxy(self.room, variant, self.backend,
                                                                                    processes, threads), self.keep)
            say(f"{variant.label}: {counts[variant.key]:,} instructions/request")
            base = base or reports
            if reports is not base:
                texts.append(callgrind.profile(variant.label, base, reports))
        self.profile = "\n".join(filter(None, [self.profile, *texts]))
        return {key: {"all": count, "added": count - counts[PLAIN]} for key, count in counts.items()}

    def measure_bytes(self):
        return {**stored.signed_in(self.proxy(self.catalogue.each(self.memcached()))),
                **stored.signed_in(self.proxy(self.catalogue.peer_memcache(self.memcached()))),
                **stored.seeded(self.room, self.catalogue.each(self.memcached()))}

    def measure_held(self):
        done = subprocess.run([self.room.built("obj/bench/held"), str(report.HELD_MEBIBYTES)], check=True, timeout=HELD_LIMIT,
                              stdout=subprocess.PIPE)
        return json.loads(done.stdout)

    def measure_sign_in(self):
        variants = [self.catalogue.each(self.memcached()), self.catalogue.peer_memcache(self.memcached())]
        return {variant.key: measure.sign_ins(self.proxy(variant), SIGN_INS) for variant in variants}

    def measure_groups(self):
        return groups.take_part(self, say)

    def measure_judge(self):
        return judge.take_part(self, HEADLINE_CHILDREN, THREADS, HEADLINE_CONNECTIONS, say)


def like(base):
    """Of a case variant@setting the case base@setting."""
    return lambda key: f"{base}@{key.partition('@')[2]}"


def say(text):
    print(f"bench: {text}", flush=True)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--more-rounds", type=int)
    parser.add_argument("--refresh-rounds", type=int)
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--most-sessions", type=int)
    parser.add_argument("--only", choices=PARTS, action="append")
    for name in ("--quick", "--control", "--strict"):
        parser.add_argument(name, action="store_true")
    options = parser.parse_args()
    numbers = ("rounds", "more_rounds", "refresh_rounds", "seconds", "most_sessions")
    for name, value in zip(numbers, (3, 1, 2, 1, 10_000) if options.quick else (20, 6, 10, 1, 1_000_000)):
        if getattr(options, name) is None:
            setattr(options, name, value)
    if min(getattr(options, name) for name in numbers) < 1:
        parser.error("numbers must be at least 1")
    options.parts = ["headline"] if options.control else [one for one in PARTS if one in (options.only or PARTS)]
    return options


def run(options, build):
    with tempfile.TemporaryDirectory(prefix="keycloak-bench.") as folder:
        os.chmod(folder, 0o755)
        bench = None
        try:
            bench = Bench(Room(folder, build), options)
            return {part: bench.measure(part) for part in options.parts}, bench.profile
        finally:
            for number in SIGNALS:
                signal.signal(number, signal.SIG_IGN)
            if bench:
                bench.stop()


def main():
    options, started, about = arguments(), time.time(), machine.describe()
    if machine.remark(about):
        say(f"rates will be noise: {machine.remark(about)}")
    for number in SIGNALS:
        signal.signal(number, lambda *_: sys.exit(130))
    try:
        parts, profile = run(options, Path(os.environ["KC_BUILD"]))
    except (Failure, subprocess.SubprocessError) as failure:
        say(f"failed: {failure}")
        return 1
    judged = report.verdict(parts)
    out = ROOT / "build" / "bench"
    out.mkdir(parents=True, exist_ok=True)
    result = {"started": int(started), "seconds": round(time.time() - started), "machine": about,
              "options": vars(options), **parts,
              "verdict": [{"good": good, "text": text} for good, text in judged]}
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    tables = report.tables(parts, about)
    (out / "result.md").write_text(tables + "\n", encoding="utf-8")
    (out / "result.svg").write_text(plot.draw(parts, about), encoding="utf-8")
    if profile:
        (out / "profile.txt").write_text(profile, encoding="utf-8")
    print("\n" + tables + "\n")
    for good, text in judged:
        say(("ok: " if good else "MISSED: ") + text)
    say(f"result.md, result.json, result.svg{' and profile.txt' if profile else ''} are in build/bench; "
        f"{time.time() - started:.0f} s")
    if parts.get("judge", {}).get("missing"):
        return 3
    return 1 if options.strict and not all(good for good, _ in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
