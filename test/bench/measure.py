# SPDX-License-Identifier: Apache-2.0
"""Load by wrk: requests per second, latencies, and the server's processor time; interleaved rounds of it."""

import re
import statistics
import subprocess
import time
from pathlib import Path

from servers import HEADERS  # puts test/support/python on the path

from browser import Browser
from process import Failure, tail

COOKIES_SCRIPT = Path(__file__).with_name("cookies.lua")
WARM_UP = 1  # seconds


class Case:
    """A server, and the load that is put on it: with its one cookie or another one, or with many of a file."""

    def __init__(self, key, proxy, connections, cookies=None, active=0, cookie=None):
        self.key, self.proxy, self.connections = key, proxy, connections
        self.cookies, self.active, self.cookie = cookies, active, cookie or proxy.cookie

    def check(self):
        self.proxy.check(self.cookie)

    def begin(self):
        """What is to be done right before each turn."""

    def figures(self, text):
        """What else a turn has shown, right after it; text: wrk's output."""
        return {}

    def argv(self, seconds):
        argv = ["wrk", "-t1", f"-c{self.connections}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
        headers = [*HEADERS] if self.cookies else [*HEADERS, ("Cookie", self.cookie)]
        for name, value in headers:
            argv += ["-H", f"{name}: {value}"]
        if self.cookies:
            return [*argv, "-s", str(COOKIES_SCRIPT), self.proxy.url, "--", str(self.cookies), str(self.active)]
        return [*argv, self.proxy.url]


def load(case, backend, seconds):
    """Puts a server under load; every request must be answered, and reach the backend; where there is none (None), the
    case's figures are what tells that the answers were the right ones."""
    proxy = case.proxy
    case.check()
    case.begin()
    before, spent = backend.requests() if backend else 0, proxy.processor_seconds()
    try:
        done = subprocess.run(case.argv(seconds), capture_output=True, text=True, timeout=seconds + 60, check=False)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{proxy.name}: wrk did not end") from late
    text = done.stdout
    if done.returncode != 0 or "Non-2xx" in text or "Socket errors" in text or "Requests/sec" not in text:
        raise Failure(f"{proxy.name}: not every request was answered:\n{text}{done.stderr}\n"
                      f"and of its error log:\n{tail(proxy.folder / 'error.log')}")
    answered = int(re.search(r"(\d+) requests in", text).group(1))
    # wrk takes a redirect to the sign-in for success: what counts is what reached the backend.
    spent = proxy.processor_seconds() - spent
    reached = backend.requests() - before - 1 if backend else answered
    if reached < answered:
        raise Failure(f"{proxy.name}: {answered} answers, but only {reached} requests reached the backend")
    found = case.figures(text)
    case.check()
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
            "cpu_us": 1e6 * spent / answered, "p50_ms": latency(text, 50), "p99_ms": latency(text, 99),
            "worst_ms": worst(text), **found}


def latency(text, percent):
    return milliseconds(*re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s|m)\s*$", text, re.M).groups())


def worst(text):
    """The third of average, deviation and most."""
    return milliseconds(*re.search(r"^\s+Latency(?:\s+[\d.]+\w+){2}\s+([\d.]+)(us|ms|s|m)\s", text, re.M).groups())


def milliseconds(number, unit):
    return round(float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}[unit], 3)


def groups(cases, base_of):
    """Base case -> the cases that are compared with it, itself left out."""
    by_key, found = {case.key: case for case in cases}, {}
    for case in cases:
        others = found.setdefault(base_of(case.key), [])
        if case.key != base_of(case.key):
            others.append(case)
    return [(by_key[base], others) for base, others in found.items()]


def take_turns(base, others, backend, seconds):
    """Base, one, base, another, base …: the ratio of each is to the mean of the base before and behind it, which had
    the same machine; the base's own figures are those of its median turn."""
    turns, found = [load(base, backend, seconds)], {}
    for case in others:
        found[case.key] = load(case, backend, seconds)
        turns.append(load(base, backend, seconds))
        found[case.key]["ratio"] = 2 * found[case.key]["rate"] / (turns[-2]["rate"] + turns[-1]["rate"])
    middle = sorted(turns, key=lambda one: one["rate"])[len(turns) // 2]
    return {base.key: {**middle, "ratio": 1.0}, **found}


def interleave(cases, backend, rounds, seconds, base_of, say):
    """Rounds in which each case has its turn, the first of a round another one each time."""
    for case in cases:
        load(case, backend, WARM_UP)
    done = []
    for number in range(rounds):
        found = {}
        for base, others in groups(cases, base_of):
            turn = number % max(1, len(others))
            found.update(take_turns(base, others[turn:] + others[:turn], backend, seconds))
        done.append({case.key: found[case.key] for case in cases})
        say(f"round {number + 1} of {rounds}: " +
            ", ".join(f"{key} {one['rate']:.0f}" for key, one in done[-1].items()) + " requests/s")
    return done


def summary(rounds):
    """Medians and spreads for each case."""
    rows = {}
    for key in rounds[0]:
        rates = [one[key]["rate"] for one in rounds]
        ratios = [one[key]["ratio"] for one in rounds]
        rows[key] = {"rate": statistics.median(rates), "rate_spread": [min(rates), max(rates)],
                     "ratio": statistics.median(ratios), "ratio_spread": [min(ratios), max(ratios)]}
        rows[key].update({name: statistics.median(one[key][name] for one in rounds)
                          for name in ("cpu_us", "p50_ms", "p99_ms")})
    return rows


def sign_ins(proxy, count):
    """Whole sign-ins, one after the other: page, provider, callback, page."""
    proxy.check()
    began, spent = time.monotonic(), proxy.processor_seconds()
    for _ in range(count):
        browser = Browser()
        page = browser.get(proxy.url)
        if page.status != 200 or not browser.cookie(proxy.variant.cookie):
            raise Failure(f"{proxy.name}: a sign-in led to {page}")
    seconds = time.monotonic() - began
    return {"rate": count / seconds, "cpu_ms": 1e3 * (proxy.processor_seconds() - spent) / count}
