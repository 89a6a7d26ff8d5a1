# SPDX-License-Identifier: Apache-2.0
"""Users in many groups: the size of their sessions, and the cost of their requests and sign-ins."""

import callgrind
import measure
import stored
from servers import Proxy

GROUPS = (10, 100, 1000)
SIGN_INS = 30


def name(number):
    return f"/department-{number % 97:02d}/team-{number:04d}"


def take_part(bench, say):
    """For each number of groups: bytes in memcached, instructions of a request, processor time of a sign-in."""
    found = {}
    try:
        for count in GROUPS:
            bench.provider.change(user={"groups": [name(number) for number in range(count)]})
            before = len(bench.running)
            found[count] = _one(bench)
            bench.stop(before)
            say(f"{count:,} groups: {found[count]['value']:,} bytes, {found[count]['instructions']:,} instructions, "
                f"{found[count]['cpu_ms']:.1f} ms for each sign-in")
    finally:
        bench.provider.reset()
    return found


def _one(bench):
    variant = bench.catalogue.first(bench.memcached())
    proxy = bench.proxy(variant)
    value = stored.signed_in(proxy)[variant.key]["value"]
    signed = measure.sign_ins(proxy, SIGN_INS)
    instructions, _ = callgrind.instructions(
        lambda processes, threads: Proxy(bench.room, variant.under_valgrind(), bench.backend, processes, threads), bench.keep)
    return {"value": value, "instructions": instructions, **signed}
