# SPDX-License-Identifier: Apache-2.0
"""What renewing a session's tokens costs the session's other requests: rounds with renewals between rounds without."""

import math
import re
import statistics
import time
from pathlib import Path

import measure

from process import Failure

KEPT, RENEWED, LATE = "kept", "renewed", "renewed late"
SECONDS = 2        # of a turn
LIFETIME = 1       # second: tokens are due at each full second, so that a turn has two renewals
LATE_SECONDS = 0.3  # that the provider takes to answer in the late turns
HELD_US = 150_000  # who waits that long has waited for the provider
# A turn begins in this part of a second: the last renewal is answered before it ends.
FIRST_PHASE, LAST_PHASE = 0.38, 0.9
TRIES = 10
P99 = ("p99_ms", "others_p99_ms")  # wrk's, and of the requests that were not held up
FIGURES = ("rate", "p50_ms", *P99, "worst_ms", "refreshes", "held_up", "held_by_each", "p99_ratio", "others_p99_ratio")


class Case(measure.Case):
    """Load on one session: tokens that live long, or (lateness: seconds) that the provider must renew meanwhile."""

    def __init__(self, key, proxy, connections, provider, cookie, lateness=None):
        super().__init__(key, proxy, connections, cookie=cookie)
        self.provider, self.lateness = provider, lateness

    def argv(self, seconds):
        program, *rest = super().argv(seconds)
        return [program, "-s", str(Path(__file__).with_name("histogram.lua")), *rest]

    def begin(self):
        """What is due already is renewed before the turn."""
        for _ in range(TRIES):
            time.sleep(0 if FIRST_PHASE <= phase() < LAST_PHASE else (FIRST_PHASE - phase()) % 1)
            began = int(time.time())
            self.provider.change(faults={})
            self.check()
            if self.lateness:
                self.provider.change(faults={"token": {"kind": "late", "seconds": self.lateness}})
            self.provider.forget()
            if int(time.time()) == began and phase() < LAST_PHASE:
                return
        raise Failure(f"{self.proxy.name}: the machine is too slow to begin a turn in time")

    def figures(self, text):
        refreshes = self.provider.refreshes()
        self.provider.change(faults={})
        if (refreshes > 0) != (self.lateness is not None):
            raise Failure(f"{self.key}: the provider was asked {refreshes} times for new tokens in this turn")
        made = histogram(text, self.connections)
        others = {value: count for value, count in made.items() if value < HELD_US}
        held_up = sum(made.values()) - sum(others.values())
        return {"refreshes": refreshes, "held_up": held_up, "held_by_each": held_up / refreshes if refreshes else 0,
                "others_p99_ms": percentile(others, 99)}


def phase():
    """The part of the current second that is over."""
    return time.time() % 1


def histogram(text, connections):
    """How many requests took how many microseconds. wrk adds to one that took more than twice the mean those that its
    connection could have made meanwhile, each shorter by the mean than the one before, down to the mean; they are taken
    out again."""
    duration, requests = map(int, re.search(r"^histogram: duration (\d+) requests (\d+)$", text, re.M).groups())
    mean = duration // (requests // connections)
    told = {int(value): int(count) for value, count in re.findall(r"^histogram: (\d+) (\d+)$", text, re.M)}
    made = {value: count - (told.get(value + mean, 0) if value > mean else 0) for value, count in told.items()}
    if sum(made.values()) != requests or min(made.values()) < 0:
        raise Failure(f"of wrk's latencies {sum(made.values())} are requests', but it made {requests}")
    return made


def percentile(made, percent):
    """In milliseconds."""
    left = sum(made.values()) * percent / 100
    for value in sorted(made):
        left -= made[value]
        if left <= 0:
            return value / 1000
    raise Failure("no request was made")


def cases(proxy, connections, provider):
    """Two sessions at one server; the provider is left giving tokens of a short life."""
    kept = proxy.cookie
    provider.change(lifetime=LIFETIME)
    renewed = proxy.new_session()
    return [Case(KEPT, proxy, connections, provider, kept),
            Case(RENEWED, proxy, connections, provider, renewed, 0),
            Case(LATE, proxy, connections, provider, renewed, LATE_SECONDS)]


def take_turns(all_cases, backend, rounds, say):
    """Kept, renewed, kept, late, kept …: a ratio is to the kept turns before and behind; those of a kept turn to its
    like show the measurement's own error. The turns of each case."""
    kept, *others = all_cases
    for case in all_cases:
        measure.load(case, backend, measure.WARM_UP)
    turns = {KEPT: [measure.load(kept, backend, SECONDS)], **{case.key: [] for case in others}}
    for number in range(rounds):
        for case in others:
            turn = measure.load(case, backend, SECONDS)
            turns[KEPT].append(measure.load(kept, backend, SECONDS))
            turns[case.key].append(turn | ratios(turn, *turns[KEPT][-2:]))
        say(f"round {number + 1} of {rounds}: p99 " +
            ", ".join(f"{key} {those[-1]['p99_ms']:.1f} ms" for key, those in turns.items()))
    for before, turn, behind in zip(turns[KEPT], turns[KEPT][1:], turns[KEPT][2:]):
        turn.update(ratios(turn, before, behind))
    return turns


def ratios(turn, before, behind):
    """To the geometric mean: one stall of the machine makes a p99 many times as large, and would hide in the other
    mean what a renewal costs."""
    return {name.replace("_ms", "_ratio"): turn[name] / math.sqrt(before[name] * behind[name]) for name in P99}


def summary(turns):
    """Medians and spreads for each case."""
    rows = {key: {} for key in turns}
    for key, those in turns.items():
        for name in FIGURES:
            values = [one[name] for one in those if name in one]
            rows[key].update({name: statistics.median(values), name + "_spread": [min(values), max(values)]})
    return rows
