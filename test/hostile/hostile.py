#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Sends hostile requests to httpd in each of the module's modes, and checks the results; called by test/hostile/run."""

import argparse
import os
import random
import re
import signal
import socket
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from urllib.parse import unquote_to_bytes

sys.path.insert(0, str(Path(__file__).resolve().parent))

import corpus  # noqa: E402
import frames  # noqa: E402
from yard import JUDGES, MARK, MODES, ROOT, USER, Yard, is_for_nameless, is_public  # noqa: E402
from process import Failure, wait_for  # noqa: E402

PATIENCE = 60  # seconds that one exchange may take
BATCH = 120    # exchanges between two looks at the session
MOST_FOUND = 100  # that are kept
OUT = ROOT / "build" / "hostile"


class Refused(Exception):
    """Nobody listens any more."""


def exchange(port, octets, patience):
    """The whole answer of a conversation of HTTP/1 that ends with these octets."""
    answer = b""
    try:
        with socket.create_connection(("127.0.0.1", port), patience) as link:
            try:
                link.sendall(octets)
                link.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it has answered before it had read all, and has closed
            while True:
                piece = link.recv(1 << 16)
                if not piece:
                    return answer
                answer += piece
    except ConnectionRefusedError as error:
        raise Refused(str(error)) from error
    except ConnectionError:
        return answer


def converse(port, octets, patience, idle):
    """The frames that answer a conversation of HTTP/2; what is asked for wrongly may have none for `idle` seconds."""
    reader, wanted = frames.Reader(), octets.count(frames.block((b":path", b"/"))[:7]) + octets.count(b"Upgrade: h2c")
    try:
        with socket.create_connection(("127.0.0.1", port), patience) as link:
            try:
                link.sendall(octets)
                link.sendall(frames.frame(frames.PING, 0, 0, frames.LAST_PING))
            except OSError:
                pass
            link.settimeout(idle)
            head = b""
            while not (reader.is_over and len(reader.ended) >= wanted):
                piece = link.recv(1 << 16)
                if not piece:
                    break
                if head is not None:  # an answer of HTTP/1 goes before the frames of an upgrade
                    head += piece
                    if head.startswith(b"HTTP/1.1 101") and b"\r\n\r\n" in head:
                        piece, head = head.split(b"\r\n\r\n", 1)[1], None
                    elif head.startswith(b"HTTP/1"):
                        reader.bodies[-1] = head
                        continue
                    else:
                        piece, head = head, None
                reader.feed(piece)
    except ConnectionRefusedError as error:
        raise Refused(str(error)) from error
    except (ConnectionError, TimeoutError):
        pass
    return reader


def leaks(text, mode):
    """Requests that the backend has answered although nobody may ask them."""
    for target in re.findall(re.escape(MARK) + rb" \S+ (\S*)", text):
        target = target.decode("latin-1")
        if not is_public(target, mode) and not is_for_nameless(target):
            yield target


def may_pass(octets):
    """Whether a judge may say yes to nobody: to a public place, to one for the nameless, and to forms of the module's own."""
    text = unquote_to_bytes(octets).lower()
    return any(word in text for word in (b"/public", b"/errors", b"/pass", b"/backchannel-logout", b"/sessions"))


def judge_answer(octets, is_nobody, mode, statuses, text):
    """What is wrong with an answer: a list of texts."""
    faults = []
    if is_nobody:
        faults += [f"the backend's answer to nobody: {target}" for target in leaks(text, mode)]
        if USER.encode() in text:
            faults.append("somebody's name to nobody")
        if mode == "judge" and 200 in statuses and not may_pass(octets):
            faults.append("a yes to nobody")
        if mode in ("nginx", "forwarded") and any(200 <= status < 300 for status in statuses) and not may_pass(octets):
            faults.append("a yes to nobody")
        if mode == "operator" and b'"sessions"' in text:
            faults.append("a list of sessions to nobody")
    if mode in ("judge", "nginx", "forwarded", "health", "operator") and MARK in text:
        faults.append("the backend was asked where it is not")
    if mode in JUDGES and re.search(rb"(?i)^kubeflow.userid: *mallory", text, re.M):
        faults.append("a forged name in a judge's answer")
    return faults


class Run:
    def __init__(self, yard, options):
        self.yard, self.options, self.passed, self.failed, self.sent = yard, options, 0, 0, 0
        self.cookie, self.token, self.found = "", "", 0
        self.pool = ThreadPoolExecutor(options.threads)
        self.patience = PATIENCE * options.slowness

    def check(self, is_good, what, *details):
        print(f"{'ok' if is_good else 'not ok'} hostile: {what}", flush=True)
        if is_good:
            self.passed += 1
        else:
            self.failed += 1
            print("\n".join(f"    {line}" for detail in details for line in str(detail).split("\n")), flush=True)

    # -- who asks

    def renew(self):
        """Hostile requests may well sign her out."""
        answer = b""
        if self.cookie:
            answer = self.plain("proxy", b"/authservice/whoami", self.lines("cookie"))
        if b" 200 " not in answer[:20]:
            self.cookie = self.yard.sign_in()
            self.token = self.yard.bearer()

    def fields(self, who):
        return {"nobody": [], "cookie": [(b"cookie", self.cookie.encode())],
                "bearer": [(b"authorization", b"Bearer " + self.token.encode())],
                "stale": [(b"cookie", b"keycloak_session=" + b"B" * 43)]}[who]

    def lines(self, who):
        return b"".join(name + b": " + value + b"\r\n" for name, value in self.fields(who))

    def plain(self, mode, target, who, *lines):
        octets = b"GET %s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n%s%s\r\n" % (target, who, b"".join(lines))
        return exchange(self.yard.ports[mode], octets, self.patience)

    # -- that all is as it should be

    def alive(self, mode):
        """What is wrong with ordinary requests; None: nothing."""
        self.renew()
        question = [b"X-Original-URI: /x\r\nX-Original-Method: GET\r\nX-Forwarded-Uri: /x\r\nX-Forwarded-Method: GET\r\n"]
        alice, nobody = [self.plain(mode, b"/x", self.lines(who), *question) for who in ("cookie", "nobody")]
        good, name = alice[9:12], USER.encode() in alice
        fits = {"operator": good == b"403", "health": good == b"200" and b'"ready":' in alice}.get(
            mode, good == b"200" and (name if mode in JUDGES else MARK in alice))
        if not fits:
            return f"{mode}: she is answered {alice[:400]}"
        if nobody[9:12] != (b"200" if mode == "health" else b"401"):
            return f"{mode}: nobody is answered {nobody[:400]}"
        if mode == "proxy":
            reader = converse(self.yard.ports[mode], frames.START + frames.request(
                1, frames.ask(b"/x") + self.fields("cookie")), self.patience, self.patience)
            if MARK not in reader.bodies.get(1, b""):
                return f"{mode}: HTTP/2 is answered {reader.statuses} {reader.bodies}"
        return None

    # -- the two kinds of conversation

    def http1(self, mode, work):
        _, octets, who, _ = work
        octets = corpus.fill(octets, self.lines(who), self.yard.issuer.encode())
        try:
            answer = exchange(self.yard.ports[mode], octets, self.patience)
        except TimeoutError:
            return octets, [f"no end of the answer within {self.patience} s"]
        statuses = [int(status) for status in re.findall(rb"(?m)^HTTP/1\.[01] (\d{3})", answer)]
        return octets, judge_answer(octets, self.is_nobody(octets), mode, statuses, answer)

    def http2(self, mode, work):
        _, octets, _, _ = work
        reader = converse(self.yard.ports[mode], octets, self.patience, 1.5 * self.options.slowness)
        text = b"\n".join(reader.bodies.values())
        return octets, judge_answer(octets, self.is_nobody(octets), mode, reader.statuses.values(), text)

    def is_nobody(self, octets):
        return self.cookie.partition("=")[2].encode() not in octets and self.token.encode() not in octets

    def send(self, mode, kind, works):
        faults = []
        for at in range(0, len(works), BATCH):
            self.renew()
            batch = works[at:at + BATCH]
            if callable(batch[0][1]):  # made anew, for the cookie may be another
                batch = [(number, make(), who, changed) for number, make, who, changed in batch]
            for work, (octets, wrong) in zip(batch, self.pool.map(lambda work: kind(mode, work), batch)):
                self.sent += 1
                faults += [self.note(mode, work, octets, text) for text in wrong]
        return faults

    def note(self, mode, work, octets, text):
        self.found += 1
        path = OUT / f"found-{self.found}"
        if self.found <= MOST_FOUND:
            path.write_bytes(octets)
        return f"{text}: {mode}, number {work[0]}, {work[2]}; its octets are in {path.relative_to(ROOT)}: {octets[:200]}"

    def works1(self, mode):
        chance = random.Random(f"{self.options.seed}:{mode}:who")
        works = []
        for number, octets, changed in corpus.requests(len(corpus.REQUESTS) + self.options.changed, f"{self.options.seed}:{mode}"):
            for who in (chance.choice(("nobody", "cookie", "bearer", "stale")),) if changed else ("nobody", "cookie"):
                works.append((number, octets, who, changed))
        return works

    def works2(self, mode):
        works = []
        for who in ("nobody", "cookie"):
            count = len(list(frames.conversations(0, 0, [])))
            total = count + self.options.changed // 4
            seed = f"{self.options.seed}:{mode}:{who}"
            for number in range(total):
                works.append((number, lambda number=number, seed=seed, who=who, total=total: next(
                    octets for at, octets in frames.conversations(total, seed, self.fields(who)) if at == number), who, number >= count))
        return works

    def mode(self, mode):
        wrong = self.alive(mode)
        self.check(not wrong, f"{mode}: ordinary requests fare as they should", wrong)
        for kind, name, works in ((self.http1, "HTTP/1", self.works1(mode)), (self.http2, "HTTP/2", self.works2(mode))):
            try:
                faults = self.send(mode, kind, works)
            except Refused as error:
                faults = [f"httpd is gone: {error}"]
            self.check(not faults, f"{mode}: {len(works)} conversations of {name} give nothing away", *faults[:10])
        wrong = self.alive(mode)
        self.check(not wrong, f"{mode}: and they still do", wrong)
        faults = self.yard.faults()
        self.check(not faults, f"{mode}: no child died, no sanitizer spoke, the backend saw nothing forged", *sorted(faults, key=lambda text: "child pid" in text)[:6])

    def prove(self):
        """That a child's death would have been seen."""
        for pid in list(self.yard.httpd.children())[:1]:
            os.kill(int(pid), signal.SIGSEGV)
        try:
            wait_for(self.yard.faults, 60, "the death of a child is noticed")
            self.check(True, "the death of a child is noticed")
        except Failure as failure:
            self.check(False, "the death of a child is noticed", failure)


def environment(options, reports):
    env = {"LD_LIBRARY_PATH": options.apr}
    if not options.valgrind:
        env.update({"LD_PRELOAD": options.asan,
                    "ASAN_OPTIONS": f"detect_leaks=0:abort_on_error=1:handle_abort=2:handle_segv=2:handle_sigbus=2:handle_sigfpe=2:log_path={reports}/asan",
                    "UBSAN_OPTIONS": "print_stacktrace=1"})
    return env


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--module", required=True)
    parser.add_argument("--apr", required=True)
    parser.add_argument("--asan", default="")
    parser.add_argument("--valgrind", action="store_true")
    parser.add_argument("--changed", type=int, default=250, help="changed requests for each mode")
    parser.add_argument("--seed", default="1")
    parser.add_argument("modes", nargs="*")
    options = parser.parse_args()
    unknown = [mode for mode in options.modes if mode not in MODES]
    if unknown:
        parser.error(f"there is no mode {unknown[0]}; there are: {' '.join(MODES)}")
    options.slowness, options.threads = (10, 2) if options.valgrind else (1, 6)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(130))
    OUT.mkdir(parents=True, exist_ok=True)
    for path in OUT.glob("found-*"):
        path.unlink()
    with tempfile.TemporaryDirectory(prefix="keycloak-hostile.") as folder:
        reports = Path(folder) / "reports"
        under = ["valgrind", "--quiet", "--vgdb=no", f"--log-file={reports}/valgrind.%p"] if options.valgrind else []
        yard = Yard(folder, options.module, environment(options, reports), under, 120 * options.slowness)
        try:
            with yard:
                run = Run(yard, options)
                loaded = Path(f"/proc/{yard.httpd.child.pid}/maps").read_text(encoding="utf-8")
                run.check(options.apr in loaded and (options.valgrind or "libasan" in loaded),
                          "httpd has the pools that show an overflow, and the sanitizer")
                for mode in options.modes or MODES:
                    try:
                        run.mode(mode)
                    except (Failure, OSError, HTTPException) as error:
                        run.check(False, f"{mode}: what comes before its requests", repr(error)[:400], *yard.faults()[:3])
                run.prove()
        finally:
            for name in ("error.log", "httpd.out"):
                log = Path(folder) / "httpd" / name
                if log.exists():
                    (OUT / name).write_bytes(log.read_bytes()[-(4 << 20):])
    print(f"    {run.sent} conversations, {yard.backend.count} requests reached the backend")
    print(f"{run.passed} passed, {run.failed} failed")
    return 0 if run.passed and not run.failed else 1


if __name__ == "__main__":
    sys.exit(main())
