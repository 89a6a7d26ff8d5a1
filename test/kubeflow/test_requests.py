# SPDX-License-Identifier: Apache-2.0
"""Each kind of request in each way, through Istio's gateways: doc/kubeflow.md says what was measured, and no stranger comes in.

`test/kubeflow/run requests --write` puts the tables into the page."""

import os

import pytest

from request_table import EVIL, ROWS, block_of_page, measure_all, rendered_block, write
from request_worlds import ACCOUNT, WAYS, Cluster, RequestWorld
from test_istio import other_client


@pytest.fixture(scope="module")
def measured(keycloak, tmp_path_factory):
    """{way: outcomes and what policies see}, and the realm of each way."""
    found, issuers, cluster, stranger = {}, {}, Cluster(), Cluster()
    for way in WAYS:
        name = "requests-" + way.lower().replace("+", "-plus")
        realm = keycloak.realm(name, "http://localhost:1")
        world = RequestWorld(way, tmp_path_factory.mktemp(name), realm, cluster)
        world.stranger = stranger
        try:
            world.start()
            other_client(realm)
            assert world.gateway.refused() == []
            found[way], issuers[way] = measure_all(world), realm.issuer
        finally:
            world.stop()
    return found, issuers


def test_the_page_says_what_was_measured(measured):
    block = rendered_block(*measured)
    if os.environ.get("KC_WRITE"):
        write(block)
    assert block_of_page() == block, "doc/kubeflow.md differs from this: test/kubeflow/run requests --write"


@pytest.mark.parametrize("way", WAYS)
def test_no_stranger_comes_in(measured, way):
    """From inside, without upstream's overlay m2m-auth, nobody is asked."""
    for row in ROWS:
        outcome = measured[0][way][0][row.name, True]
        if row.place == "inside" and not WAYS[way][1]:
            assert outcome.reached and outcome.users == [EVIL], "the page's warning is out of date"
        else:
            assert not outcome.reached and outcome.status in (302, 401, 403), (row.name, outcome)


@pytest.mark.parametrize("way", WAYS)
def test_nobody_comes_in_under_a_forged_name(measured, way):
    for row in ROWS:
        outcome = measured[0][way][0][row.name, False]
        if outcome.reached and (row.place != "inside" or WAYS[way][1]):
            assert outcome.users == [ACCOUNT if row.credential == "account" else "alice@example.com"], (row.name, outcome)


@pytest.mark.parametrize("way", WAYS)
def test_those_with_a_session_or_a_token_of_keycloak_come_in(measured, way):
    for row in ROWS:
        if row.place != "inside" and row.credential != "account" and not row.name.startswith("KServe"):
            assert measured[0][way][0][row.name, False].reached, row.name


def test_request_principals_replaces_what_b2_takes_away(measured):
    found, _ = measured
    for kind in ("session", "token"):
        assert found["B1"][1][kind, "requestPrincipals"] and not found["B2"][1][kind, "requestPrincipals"]
        assert found["B2+"][1][kind, "requestPrincipals"] and found["B2+"][1][kind, "kubeflow-userid"]
    assert not found["B2"][0]["KServe from outside, cookie", False].reached
    for name in ("KServe from outside, cookie", "KServe from outside, Keycloak's token"):
        assert found["B2+"][0][name, False].users == ["alice@example.com"], name


def test_filter_under_its_old_name_asks_nobody(keycloak, tmp_path):
    """What the page warns of: Istio of today leaves upstream's filter of 1.7 and 1.8 out."""
    world = RequestWorld("image", tmp_path, keycloak.realm("requests-old-name", "http://localhost:1"), Cluster())
    text = world.gateway.rendered.read_text(encoding="utf-8")
    name = "envoy.filters.network.http_connection_manager"
    assert text.count(name) == 1
    world.gateway.rendered.write_text(text.replace(name, "envoy.http_connection_manager"), encoding="utf-8")
    try:
        world.gateway.start()
        assert world.get().status == 200 and world.count() == 1, "the page's warning is out of date"
    finally:
        world.stop()
