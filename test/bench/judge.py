# SPDX-License-Identifier: Apache-2.0
"""External authorization (the judge): asked directly, by a real Envoy, its instructions, and at rest; each compared with its peers."""

import statistics

import callgrind
import judges
import measure
import rest
from variants import JUDGE_FIRST, JUDGE_LOOKS, JUDGE_OK, JUDGE_PEERS, JUDGE_SHARED

OPEN = "open"  # the gateway that asks nobody


def take_part(bench, processes, threads, connections, say):
    """All of it; the servers are the bench's to end. Profile texts are added to the bench's."""
    found = {"versions": judges.versions(),
             "missing": {key: reason for key in JUDGE_PEERS if (reason := judges.missing(key))}}
    for name, part in (("direct", direct), ("envoy", gateways)):
        before = len(bench.running)
        cases, backend, rounds = part(bench, processes, threads, connections, found["missing"])
        done = measure.interleave(cases, backend, rounds, bench.options.seconds, lambda key: cases[0].key, say)
        found[name] = {"rows": measure.summary(done), "rounds": done}
        against(found[name])
        bench.stop(before)
    found["instructions"] = instructions(bench, say)
    found["rest"] = rest.measure(bench, say)
    return found


def against(found):
    """How many times as many answers as each of the others in the same round, as the median."""
    for key in (JUDGE_FIRST, JUDGE_SHARED):
        row = found["rows"].get(key)
        if row:
            row["against"] = {peer: statistics.median(one[key]["rate"] / one[peer]["rate"] for one in found["rounds"])
                              for peer in (JUDGE_LOOKS, *JUDGE_PEERS) if peer in found["rows"]}


def ours(bench):
    """The two ways of keeping sessions."""
    return [bench.catalogue.judge_first(bench.memcached()), bench.catalogue.judge_shared()]


def direct(bench, processes, threads, connections, missing):
    servers = {variant.key: bench.keep(judges.HttpdJudge(bench.room, variant, processes, threads)).start().sign_in()
               for variant in (bench.catalogue.judge_ok(), bench.catalogue.judge_looks(), *ours(bench))}
    servers |= {key: judges.peer(bench, key) for key in JUDGE_PEERS if key not in missing}
    return [judges.Asked(key, server, connections) for key, server in servers.items()], None, bench.options.rounds


def gateways(bench, processes, threads, connections, missing):
    """One Envoy for each judge, and one that asks nobody, before the same backend."""
    def make(key, label):
        return bench.keep(judges.Gateway(bench.room, key, label, bench.backend))
    found = [make(OPEN, "Envoy").start()]
    for variant in ours(bench):
        gateway = make(variant.key, f"Envoy ({variant.label})")
        judge = bench.keep(judges.HttpdJudge(bench.room, variant, processes, threads, gateway.public_url)).start()
        found.append(gateway.start(judge))
    for key in JUDGE_PEERS:
        if key not in missing:
            gateway = make(key, f"Envoy ({key})")
            found.append(gateway.start(judges.peer(bench, key, gateway.public_url)))
    return [measure.Case(one.key, one, connections) for one in found], bench.backend, bench.options.more_rounds


def instructions(bench, say):
    counts, base, texts = {}, None, []
    for variant in (bench.catalogue.judge_ok(), bench.catalogue.judge_looks(), *ours(bench)):
        def make(processes, threads, variant=variant.under_valgrind()):
            return judges.HttpdJudge(bench.room, variant, processes, threads)
        counts[variant.key], reports = callgrind.instructions(make, bench.keep)
        say(f"{variant.label}: {counts[variant.key]:,} instructions/answer")
        base = base or reports
        if reports is not base:
            texts.append(callgrind.profile(variant.label, base, reports))
    bench.profile = "\n".join(filter(None, [bench.profile, *texts]))
    return {key: {"all": count, "added": count - counts[JUDGE_OK]} for key, count in counts.items()}
