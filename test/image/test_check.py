# SPDX-License-Identifier: Apache-2.0
"""The entrypoint's words `check` and `dump`: what an init container or `kubectl exec` runs beside the server."""

import json
import subprocess
import sys

import pytest
from conftest import ENTRYPOINT, ROOT, WALK_THROUGH, as_other, environment
from process import Child, free_port, port_taken, wait_for

SECRETS = {"CLIENT_SECRET": "canary-of-the-client-secret", "CRYPTO_KEY": "canary-of-the-crypto-key-0123456789"}


@pytest.fixture(scope="module")
def provider(tmp_path_factory):
    """A provider's discovery document and keys."""
    port = free_port()
    child = Child("the provider", [sys.executable, ROOT / "test/support/provider/provider.py", "--port", port],
                  tmp_path_factory.mktemp("provider") / "log")
    wait_for(lambda: port_taken(port), 20, "the provider answers", child)
    yield f"http://127.0.0.1:{port}/realms/image"
    child.stop()


@pytest.fixture
def told(tmp_path, module, provider):
    """told(*words, NAME=value): what the entrypoint prints for these words; nothing is left behind."""
    def run(*words, **settings):
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        scratch.chmod(0o777)
        given = environment({**WALK_THROUGH, "OIDC_PROVIDER": provider, "OIDC_AUTH_URL": None, "SERVER_PORT": free_port(),
                             "READINESS_PROBE_PORT": free_port(), "WEB_SERVER_PORT": free_port(), "METRICS_PORT": free_port(), **SECRETS, **settings},
                            module, KC_RUN=scratch)
        done = subprocess.run([ENTRYPOINT, *words], env=given, capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL, **as_other())
        assert list(scratch.iterdir()) == [], "something is left behind"
        assert "canary-" not in done.stdout + done.stderr, "a secret was told"
        return done
    return run


def results(done):
    return {result["check"]: result for result in json.loads(done.stdout)["results"]}


def test_a_check_is_one_object_of_json(told):
    done = told("check", KEYCLOAK_CHECK="json")
    found = results(done)
    assert found["issuer.equal"]["outcome"] == "ok", done.stdout
    assert found["crypto_key.fingerprint"]["outcome"] == "ok", done.stdout
    assert (done.returncode == 1) == any(result["outcome"] == "failed" for result in found.values()), done.stdout
    assert "Syntax OK" not in done.stderr


def test_a_check_is_lines_of_text_without_that(told):
    done = told("check")
    assert "issuer.equal" in done.stdout and not done.stdout.startswith("{"), done.stdout


def test_what_fails_is_named_by_the_settings_own_name(told):
    nobody = free_port()
    done = told("check", KEYCLOAK_CHECK="json", MEMCACHED_SERVERS=f"127.0.0.1:{nobody}")
    assert done.returncode == 1
    failed = results(done)["memcached.connect"]
    assert failed["outcome"] == "failed" and "MEMCACHED_SERVERS" in failed["cure"], failed
    assert "KeycloakMemcached" not in done.stdout, done.stdout


def test_keys_of_two_pods_are_compared(told):
    mine = results(told("check", KEYCLOAK_CHECK="json"))["crypto_key.fingerprint"]["text"]
    same = told("check", KEYCLOAK_CHECK="json", KEYCLOAK_CHECK_FINGERPRINT=mine)
    assert results(same)["crypto_key.equal"]["outcome"] == "ok", same.stdout
    other = told("check", KEYCLOAK_CHECK="json", KEYCLOAK_CHECK_FINGERPRINT=mine, CRYPTO_KEY="canary-another-key-of-this-test-98765")
    assert results(other)["crypto_key.equal"]["outcome"] == "failed" and other.returncode == 1, other.stdout


def test_settings_that_are_wrong_end_it_as_a_start(told):
    done = told("check", CLIENT_ID="")
    assert done.returncode == 64 and done.stdout == "" and "CLIENT_ID" in done.stderr, done.stderr
    done = told("check", OIDC_PROVIDER="http://keycloak.example.com/realms/x?y")
    assert done.returncode == 64 and done.stdout == "", done.stderr


def test_a_dump_prints_the_settings(told):
    done = told("dump")
    assert done.returncode == 0, done.stderr
    assert "effective settings" in done.stdout and "KeycloakClientSecret         (secret, " in done.stdout, done.stdout
    assert "[OIDC_PROVIDER, " in done.stdout, done.stdout


@pytest.mark.parametrize("words", [("check", "x"), ("checks",), ("--check",)])
def test_other_words_are_no_check(told, words):
    """Modes other than oauth2-proxy took no words, and start; so this is refused by its settings alone."""
    done = told(*words, CLIENT_ID="")
    assert done.returncode == 64, done.stderr


def test_the_mode_oauth2_proxy_has_it_too(told):
    done = told("check", KEYCLOAK_CHECK="json", MODE="oauth2-proxy", OAUTH2_PROXY_CLIENT_ID="")
    assert done.returncode == 64 and "no option" not in done.stderr, done.stderr
