# SPDX-License-Identifier: Apache-2.0
"""The two measurements: requests per second by wrk, and instructions per request by callgrind."""

import http.client
import os
import re
import subprocess

from servers import HEADERS  # puts test/lib on the path

from process import Failure, tail, wait_for

CONNECTIONS = 32
SHORT, LONG = 200, 1200  # requests of the two callgrind runs


def load(proxy, backend, seconds):
    """Puts a server under load. Requests per second, the server's own processor time for each, and latencies."""
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "--timeout", "10s"]
    for name, value in [*HEADERS, ("Cookie", proxy.cookie)]:
        argv += ["-H", f"{name}: {value}"]
    before, spent = backend.requests(), processor_seconds(proxy)
    try:
        done = subprocess.run([*argv, proxy.url], capture_output=True, text=True, timeout=seconds + 30, check=False)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{proxy.name}: wrk did not end") from late
    text = done.stdout
    if done.returncode != 0 or "Non-2xx" in text or "Socket errors" in text:
        raise Failure(f"{proxy.name}: not every request was answered:\n{text}{done.stderr}\n"
                      f"and of its error log:\n{tail(proxy.folder / 'error.log')}")
    answered = int(re.search(r"(\d+) requests in", text).group(1))
    # wrk takes a redirect to the sign-in for success: what counts is what reached the backend.
    spent = processor_seconds(proxy) - spent
    reached = backend.requests() - before - 1
    if reached < answered:
        raise Failure(f"{proxy.name}: {answered} answers, but only {reached} requests reached the backend")
    proxy.check()
    return {"rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
            "cpu_us": 1e6 * spent / answered, "p50_ms": latency(text, 50), "p99_ms": latency(text, 99)}


def processor_seconds(proxy):
    """What the server and its children have used so far: other programs on the machine hardly change it."""
    ticks = 0
    with open(f"/proc/{proxy.child.pid}/task/{proxy.child.pid}/children", encoding="ascii") as children:
        for pid in [proxy.child.pid, *children.read().split()]:
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                fields = stat.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def latency(text, percent):
    number, unit = re.search(rf"^\s+{percent}%\s+([\d.]+)(us|ms|s)\s*$", text, re.M).groups()
    return round(float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit], 3)


def count(proxy, requests):
    """Instructions of a server's whole life under callgrind, with this many requests on one connection."""
    report = proxy.folder / "callgrind.out"
    proxy.start(["valgrind", "--tool=callgrind", "--vgdb=no", f"--callgrind-out-file={report}"], ["-X"], 120)
    try:
        proxy.sign_in()
        ask(proxy, requests)
        child = proxy.child
        child.send(15)
        wait_for(lambda: not child.alive(), 60, f"{proxy.name} ends under valgrind")
    finally:
        proxy.stop()
    try:
        found = re.search(r"^(?:summary|totals): (\d+)", report.read_text(errors="replace"), re.M)
    except OSError:
        found = None
    if not found or int(found.group(1)) == 0:
        raise Failure(f"{proxy.name}: callgrind left no count; the last lines of its output:\n"
                      f"{tail(proxy.folder / 'output.log')}")
    return int(found.group(1)), report


def ask(proxy, requests):
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
    try:
        for _ in range(requests):
            connection.request("GET", "/", headers=dict([*HEADERS, ("Cookie", proxy.cookie)]))
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200 or answer.will_close:
                raise Failure(f"{proxy.name}: {answer.status} {body[:200]!r} on a connection kept alive")
    except (OSError, http.client.HTTPException) as error:
        raise Failure(f"{proxy.name}: {error!r} under valgrind") from error
    finally:
        connection.close()


def functions(report, inclusive):
    """Function -> instructions, as callgrind_annotate lists them."""
    done = subprocess.run(["callgrind_annotate", "--threshold=100", "--show-percs=no", "--auto=no",
                           f"--inclusive={'yes' if inclusive else 'no'}", str(report)],
                          capture_output=True, text=True, timeout=120, check=True)
    found = {}
    for number, name in re.findall(r"^\s*([\d,]+)\s+(\S*?:\S.*)$", done.stdout, re.M):
        name = re.sub(r"\s*\[(?:.*/)?([^/\]]*)\]\s*$", r" (\1)", name)
        name = re.sub(r"^\S*?([^/:\s]*:)", r"\1", name)
        found[name] = found.get(name, 0) + int(number.replace(",", ""))
    return found


def profile(short, long, inclusive):
    """Function -> instructions per request."""
    first, second = functions(short, inclusive), functions(long, inclusive)
    return {name: (number - first.get(name, 0)) / (LONG - SHORT) for name, number in second.items()}
