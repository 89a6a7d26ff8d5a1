# SPDX-License-Identifier: Apache-2.0
"""Instructions per request: httpd's whole life under callgrind, of two lengths, the shorter subtracted."""

import concurrent.futures
import http.client
import re
import subprocess

from servers import HEADERS  # puts test/support/python on the path

from process import Failure, tail, wait_for

SHORT, LONG = 200, 1200  # requests of the two runs
PROFILE_LINES = 40


def instructions(make, keep):
    """Instructions per request, and the two reports that tell where they go; make: a server, with how many children and
    threads in each."""
    proxies = [keep(make(1, 8)) for _ in range(2)]
    # Counts do not depend on what else the machine does, so both run at once.
    with concurrent.futures.ThreadPoolExecutor(2) as threads:
        short, long = threads.map(_count, proxies, (SHORT, LONG))
    return round((long[0] - short[0]) / (LONG - SHORT)), (short[1], long[1])


def _count(proxy, requests):
    """Instructions of a server's whole life, with this many requests on one connection."""
    report = proxy.folder / "callgrind.out"
    proxy.start(["valgrind", "--tool=callgrind", "--vgdb=no", f"--callgrind-out-file={report}"], ["-X"], 120)
    try:
        proxy.sign_in()
        _ask(proxy, requests)
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


def _ask(proxy, requests):
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


def _functions(report, inclusive):
    """Function -> instructions, as callgrind_annotate lists them."""
    done = subprocess.run(["callgrind_annotate", "--threshold=100", "--show-percs=no", "--auto=no",
                           f"--inclusive={'yes' if inclusive else 'no'}", str(report)],
                          capture_output=True, text=True, timeout=120, check=True)
    found = {}
    for number, name in re.findall(r"^\s*([\d,]+)\s+(\S*?:\S.*)$", done.stdout, re.M):
        name = re.sub(r"\s*\[(?:.*/)?([^/\]]*)\]\s*$", r" (\1)", name)
        name = re.sub(r"^\S*?([^/:\s]*:)", r"\1", name)
        found[name] = found.get(name, 0) + int(number.replace(",", ""))
    return _joined(found)


def _joined(found):
    """httpd loads its modules twice, and of one copy callgrind does not know the file: ???:name is
    counted with file.c:name."""
    known = {name.partition(":")[2].partition(" ")[0]: name for name in found if not name.startswith("???:")}
    joined = {}
    for name, number in found.items():
        if name.startswith("???:"):
            name = known.get(name[4:].partition(" ")[0], name)
        joined[name] = joined.get(name, 0) + number
    return joined


def _per_request(reports, inclusive):
    first, second = (_functions(report, inclusive) for report in reports)
    return {name: (number - first.get(name, 0)) / (LONG - SHORT) for name, number in second.items()}


def profile(label, base_reports, reports):
    """Where the instructions of a request go, and how many of them are not in the base."""
    lines = []
    for inclusive in (False, True):
        base, found = _per_request(base_reports, inclusive), _per_request(reports, inclusive)
        added = {name: value - base.get(name, 0) for name, value in found.items()}
        lines.append(f"{label}, {'inclusive' if inclusive else 'self'}: added, in all, function")
        lines += [f"{added[name]:10.0f} {found[name]:10.0f}  {name}"
                  for name in sorted(added, key=added.get, reverse=True)[:PROFILE_LINES]]
        lines.append("")
    return "\n".join(lines)
