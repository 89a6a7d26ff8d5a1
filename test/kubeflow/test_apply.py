# SPDX-License-Identifier: Apache-2.0
"""`kubectl apply`, client side and server side, of everything that a way changes in place, and back again.

The merging is done by kubectl's and the API server's own code (test/kubeflow/apply), on upstream's objects."""

import copy
import functools
import itertools
import json
import os
import subprocess
import tempfile

import pytest
from manifests import OVERLAYS, Tree, before, built, find, identity, read_all

SIDES = ("client", "server")
# After server side, client side finds no annotation of what was applied last, and so deletes nothing. This harmless
# rest stays when a way is taken back like that: a label, and a port that leads nowhere.
RESTS = {("ConfigMap", "oidc-authservice-parameters"), ("Secret", "oidc-authservice-client"), ("Service", "authservice")}


def applied(cases):
    """What is in the cluster after each list of (side, manifest)."""
    steps = [[{"by": side, "object": manifest} for side, manifest in case] for case in cases]
    done = subprocess.run([os.environ["APPLY"]], input=json.dumps(steps), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@functools.lru_cache(maxsize=None)
def earlier(name):
    """What is in the cluster before this way."""
    if "/" in name:
        return before(name.split("/")[0])
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(folder, name)
        tree.use_authservice()
        return read_all(tree.build("5.0.3"))


def changed(name):
    """The objects that a way changes in place: as they were, and as they are then."""
    known = {identity(row): row for row in earlier(name)}
    found = [(known[identity(row)], row) for row in built(name) if identity(row) in known and known[identity(row)] != row]
    assert found
    return found


@pytest.mark.parametrize("name", OVERLAYS)
def test_both_sides_end_in_the_same_object(name):
    pairs = [pair for pair in changed(name) for _ in range(4)]
    cases = [[(first, old), (then, new)] for old, new in changed(name) for first, then in itertools.product(SIDES, SIDES)]
    for (_, new), result, case in zip(pairs, applied(cases), cases):
        assert result == new, (identity(new), [side for side, _ in case])


@pytest.mark.parametrize("name", OVERLAYS)
def test_going_back_gives_upstreams_object(name):
    cases = [[(first, old), (then, new), (back, old)] for old, new in changed(name)
             for first, then, back in itertools.product(SIDES, SIDES, SIDES)]
    for result, case in zip(applied(cases), cases):
        sides, old = [side for side, _ in case], case[0][1]
        if sides[1:] == ["server", "client"] and identity(old)[1::2] in RESTS:
            assert_only_a_rest(result, old)
        else:
            assert result == old, (identity(old), sides)


def assert_only_a_rest(result, old):
    result = copy.deepcopy(result)
    if old["kind"] == "Service":
        assert result["spec"]["selector"] == old["spec"]["selector"]
        assert result["spec"]["ports"].pop()["port"] == 8082
    elif result["metadata"].get("labels") != old["metadata"].get("labels"):
        assert result["metadata"].pop("labels") == {"app.kubernetes.io/part-of": "mod-auth-keycloak"}
    assert result == old


def test_other_managers_fields_do_not_keep_what_we_replace():
    """`kubectl rollout restart` and an autoscaler have fields of upstream's Deployment, which we leave to be deleted."""
    assert not [pair for pair in changed("1.11/oauth2-proxy") if pair[0]["kind"] == "Deployment"]


def test_a_deployment_changed_in_place_would_keep_its_container():
    """The fault that the name of the Deployment avoids: client side after server side leaves two containers on one port."""
    old = find(before("1.11"), "Deployment", "oauth2-proxy")
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["containers"][0]["name"] = "judge"
    after = {sides: result["spec"]["template"]["spec"]["containers"] for sides, result in zip(
        itertools.product(SIDES, SIDES), applied([[(first, old), (then, new)] for first, then in itertools.product(SIDES, SIDES)]))}
    assert [row["name"] for row in after["server", "server"]] == ["judge"] == [row["name"] for row in after["client", "client"]]
    assert sorted(row["name"] for row in after["server", "client"]) == ["judge", "oauth2-proxy"]
