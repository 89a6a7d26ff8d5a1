# SPDX-License-Identifier: Apache-2.0
"""Kinds of requests to a Kubeflow, what becomes of each in each way, and the tables of doc/kubeflow.md."""

import http.client
from collections import namedtuple

from backend import values
from browser import NAVIGATION, SCRIPT
from request_worlds import ACCOUNT, PAGE, WAYS
from streams import WebSocket

BEGIN, END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
EVIL = "evil@example.com"
FORGED = [("kubeflow-userid", EVIL), ("kubeflow-groups", EVIL)]
KFP = [("Accept", "application/json"), ("User-Agent", "OpenAPI-Generator/2.14.3/python")]
GRPC = [("Accept", "application/grpc-web+proto"), ("Content-Type", "application/grpc-web+proto"), ("X-Grpc-Web", "1")]
MODEL = "model-predictor.team.svc.cluster.local"

# `place`: where the request goes: the site, a notebook by WebSocket, or from inside the cluster to Knative's gateway.
Row = namedtuple("Row", "name credential place method path kind")
RUNS, PREDICT = "/pipeline/apis/v2beta1/runs", "/v1/models/model:predict"
ROWS = [
    Row("browser, page", "session", "site", "GET", "/pipeline/", NAVIGATION),
    Row("browser, script", "session", "site", "GET", RUNS, SCRIPT),
    Row("browser, gRPC-web", "session", "site", "POST", "/ml_metadata.MetadataStoreService/GetArtifacts", GRPC),
    Row("browser, WebSocket", "session", "notebook", "GET", "/notebook/team/one/ws", []),
    Row("kfp, cookie", "session", "site", "GET", RUNS, KFP),
    Row("kfp, Keycloak's token", "token", "site", "GET", RUNS, KFP),
    Row("kfp, service account's token", "account", "site", "GET", RUNS, KFP),
    Row("KServe from outside, Keycloak's token", "token", "site", "POST", "/kserve/team/model" + PREDICT, KFP),
    Row("KServe from outside, cookie", "session", "site", "POST", "/kserve/team/model" + PREDICT, KFP),
    Row("KServe from inside, service account's token", "account", "inside", "POST", PREDICT, KFP),
    Row("KServe from inside, Keycloak's token", "token", "inside", "POST", PREDICT, KFP),
]
PROBES = {"requestPrincipals": "/pipeline/probe/principal", "kubeflow-userid": "/pipeline/probe/user"}
CREDENTIALS = {"session": "session", "token": "Keycloak's token", "account": "service account's token"}

# What became of a request: status, where it was led, whether it reached a backend and under which names, who allowed it.
Outcome = namedtuple("Outcome", "status location reached users by")


def credentials(world):
    """Headers of somebody who may come in, by kind."""
    return {"session": [("Cookie", world.browser().cookie_header("localhost", "/"))],
            "token": [("Authorization", "Bearer " + world.tokens()["id_token"])],
            "account": [("Authorization", "Bearer " + world.cluster.token())]}


def forgeries(world):
    """Headers of a stranger who tries the same: nothing, a token of another client, a token that another cluster signed."""
    return {"session": [], "token": [("Authorization", "Bearer " + world.tokens(client="other")["id_token"])],
            "account": [("Authorization", "Bearer " + world.stranger.token())]}


def send(world, row, headers):
    """Sends it; status and Location of the answer."""
    if row.place == "notebook":
        socket = WebSocket(world.site_port, row.path, headers)
        socket.close()
        return socket.status, socket.headers.get("location", "")
    port, host = (world.second.port, MODEL) if row.place == "inside" else (world.site_port, f"localhost:{world.site_port}")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(row.method, row.path, skip_host=True, skip_accept_encoding=True)
        for name, value in [("Host", host), *row.kind, *headers]:
            connection.putheader(name, value)
        if row.method == "POST":
            connection.putheader("Content-Length", "2")
        connection.endheaders(b"{}" if row.method == "POST" else None)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("Location") or ""
    finally:
        connection.close()


def measure(world, row, headers):
    count, judged = world.count(), world.allowed_by_judge()
    world.streams.server.asked = []
    status, location = send(world, row, [*headers, *FORGED])
    if row.place == "notebook":
        reached, seen = status == 101, world.streams.asked()
    else:
        reached = world.count() > count
        seen = world.backend.requests[-1]["headers"] if reached else []
    users = [value for value in values(seen, "kubeflow-userid") if value] if reached else []
    return Outcome(status, location, reached, users, who(world, row, world.allowed_by_judge() > judged, headers))


def who(world, row, judged, headers):
    """Who lets such a request in, if it is let in."""
    named = any(name == "Authorization" for name, _ in headers)
    if row.place == "inside":
        return "gateway" if WAYS[world.way][1] and named else "nobody"
    if world.way == "C":
        return "proxy"
    return "judge" if judged else "gateway"


def measure_all(world):
    """{(name, is a stranger): Outcome}, and what policies at the gateway see: {(credential, probe): bool}."""
    outcomes, seen, good, bad = {}, {}, credentials(world), forgeries(world)
    for row in ROWS:
        outcomes[row.name, False] = measure(world, row, good[row.credential])
        outcomes[row.name, True] = measure(world, row, bad[row.credential])
    for kind in CREDENTIALS:
        for probe, path in PROBES.items():
            row = Row(probe, kind, "site", "GET", path, KFP)
            seen[kind, probe] = measure(world, row, good[kind]).reached
    return outcomes, seen


# ---------------- The page

def cell(issuer, outcome):
    if outcome.reached and outcome.by == "nobody":
        return "everybody, any name"
    if outcome.reached:
        user = outcome.users[0] if outcome.users else "no name"
        return f"{outcome.by}: {'the account' if user == ACCOUNT else user.removesuffix('@example.com')}"
    if outcome.status in (301, 302, 303, 307):
        return f"{outcome.status} to " + ("Keycloak" if outcome.location.startswith(issuer) else outcome.location)
    return str(outcome.status)


def table(head, lines):
    titles = [head, *(title for title, _ in WAYS.values())]
    return ["| " + " | ".join(titles) + " |", "| " + " | ".join(["---"] * len(titles)) + " |",
            *("| " + " | ".join(line) + " |" for line in lines), ""]


def rendered_block(measured, issuers):
    """`measured`: {way: what measure_all found}."""
    lines = ["**Who lets it in, and as whom**", ""]
    lines += table("request", [[row.name, *(cell(issuers[way], measured[way][0][row.name, False]) for way in WAYS)] for row in ROWS])
    lines += ["**What a stranger gets, who forges the headers of identity**", ""]
    lines += table("request", [[row.name, *(cell(issuers[way], measured[way][0][row.name, True]) for way in WAYS)] for row in ROWS])
    lines += ["**What a policy at the ingress gateway sees**", ""]
    lines += table("somebody with", [
        [f"{title}: `{probe}`", *("yes" if measured[way][1][kind, probe] else "no" for way in WAYS)]
        for kind, title in CREDENTIALS.items() for probe in PROBES])
    return "\n" + "\n".join(lines)


def block_of_page():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(BEGIN) == 1 and text.count(END) == 1, "doc/kubeflow.md has no place for what was measured"
    return text.partition(BEGIN)[2].partition(END)[0]


def write(block):
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(before + BEGIN + block + END + rest.partition(END)[2], encoding="utf-8")
