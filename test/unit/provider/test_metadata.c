/* Tests of metadata.h: when it fetches, what it keeps, what it shares, and many threads at a cold
 * start.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>
#include <check.h>
#include <string.h>

#include "crypto/jws.h"
#include "fake_site.h"
#include "provider/metadata.h"
#include "provider/token_signature.h"
#include "testlib.h"

Suite *kc_test_metadata(void);

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_metadata_t *metadata;
static kc_err_t last;

static const char *keys_named(const char *kid)
{
    const char *more = apr_psprintf(testlib_pool, ",\"kid\":\"%s\"", kid);

    return apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(TESTLIB_P256, more), "]}", NULL);
}

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_P256);
    (void)testlib_key(TESTLIB_P256_OTHER);
}

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    metadata = site->rp->metadata;
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), keys_named("a"));
}

static const kc_metadata_snapshot_t *got;

static kc_rc_t get(void)
{
    memset(&last, 0, sizeof(last));
    return kc_metadata_get(metadata, testlib_pool, &got, &last);
}

static kc_rc_t select_key(const char *kid)
{
    const kc_jose_key_t *key;

    memset(&last, 0, sizeof(last));
    return kc_token_signature_key(metadata, "ES256", kid, testlib_pool, &got, &key, &last);
}

/* Requests made so far; a whole fetch is two. */
static int requests(void)
{
    return kc_fake_request_count(fake, NULL);
}

/* Snapshots in the host's store. */
static int shared_count(void)
{
    int i, count = 0;

    for (i = 0; kc_fake_store_nth(&fake->host, i); i++) {
        const kc_fake_entry_t *entry = kc_fake_store_nth(&fake->host, i);

        count += entry->len > 2 * sizeof(kc_err_t); /* and no failure or lease */
    }
    return count;
}

/* The metadata of another child of this host. */
static kc_metadata_t *another_child(void)
{
    kc_metadata_t *other;

    ck_assert_int_eq(kc_metadata_create(site->conf, &fake->env, testlib_pool, &other, NULL), KC_OK);
    return other;
}

/* ---------------------------------------------------------------- fetching and keeping */

START_TEST(metadata_and_keys_are_fetched_once)
{
    int i;

    ck_assert_int_eq(requests(), 0); /* nothing before somebody asks */
    for (i = 0; i < 100; i++)
        ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 2);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_DISCOVERY), 1);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_JWKS), 1);
    ck_assert_str_eq(got->provider->issuer, KC_FAKE_ISSUER);
    ck_assert_uint_eq(kc_jwks_count(got->keys), 1);
    ck_assert_int_eq(got->fetched, fake->now);
}
END_TEST

START_TEST(they_are_fetched_again_at_their_age)
{
    ck_assert_int_eq(get(), KC_OK);
    fake->now += site->conf->metadata_ttl - 1;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 2);
    fake->now += 1;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 4);
    ck_assert_int_eq(got->fetched, fake->now);
}
END_TEST

START_TEST(a_snapshot_lives_as_long_as_its_last_holder)
{
    const kc_metadata_snapshot_t *old;
    apr_pool_t *request;

    ck_assert_int_eq(apr_pool_create(&request, NULL), APR_SUCCESS);
    ck_assert_int_eq(kc_metadata_get(metadata, request, &old, NULL), KC_OK);
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_ptr_ne(old, got);
    ck_assert_str_eq(old->provider->token_endpoint, KC_FAKE_TOKEN);
    ck_assert_uint_eq(kc_jwks_count(old->keys), 1);
    apr_pool_destroy(request);
}
END_TEST

/* Once, and again when it is another. */
START_TEST(an_endpoint_that_is_left_out_is_logged_once)
{
    int lines;

    kc_fake_site_provide(
        site,
        kc_fake_site_metadata(site, ",\"revocation_endpoint\":\"https://evil.example.net/v\""),
        keys_named("a"));
    ck_assert_int_eq(get(), KC_OK);
    ck_assert(kc_fake_log_has(fake, "KC0205: metadata and keys of " KC_FAKE_ISSUER));
    ck_assert(kc_fake_log_has(fake, "revocation_endpoint is at https://evil.example.net"));
    lines = fake->log->nelts;
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 4);
    metadata = another_child();
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 6);
    ck_assert_int_eq(fake->log->nelts, lines);
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ",\"revocation_endpoint\":7"),
                         keys_named("a"));
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert(kc_fake_log_has(fake, "revocation_endpoint is no string"));
}
END_TEST

/* threats.md C 68 */
START_TEST(old_ones_are_kept_to_the_cap_while_fetching_fails)
{
    ck_assert_int_eq(get(), KC_OK);
    fake->http.is_down = 1;
    fake->now += site->conf->metadata_stale - 1;
    ck_assert_int_eq(get(), KC_OK);
    fake->now += 1;
    ck_assert_int_eq(get(), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    fake->http.is_down = 0;
    fake->now += 1;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(got->fetched, fake->now);
}
END_TEST

/* KeycloakMetadataStale 0: nothing is kept beyond its age, but young ones are used. */
START_TEST(a_cap_below_the_age_costs_nothing_while_they_are_young)
{
    site->conf->metadata_stale = 0;
    ck_assert_int_eq(get(), KC_OK);
    fake->now += site->conf->metadata_ttl - 1;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 2);
    fake->http.is_down = 1;
    fake->now += 1;
    ck_assert_int_eq(get(), KC_DOWN);
}
END_TEST

START_TEST(a_failure_is_remembered_for_half_a_second)
{
    int i;

    fake->http.is_down = 1;
    for (i = 0; i < 100; i++) {
        ck_assert_int_eq(get(), KC_DOWN);
        ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
    }
    fake->millis += 499;
    ck_assert_int_eq(get(), KC_DOWN);
    ck_assert_int_eq(requests(), 1);
    fake->http.is_down = 0;
    fake->millis += 1;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 3);
}
END_TEST

START_TEST(a_failure_with_old_ones_at_hand_is_remembered_too)
{
    int i;

    ck_assert_int_eq(get(), KC_OK);
    fake->http.is_down = 1;
    fake->now += site->conf->metadata_ttl;
    for (i = 0; i < 100; i++)
        ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 3);
    fake->now += 14;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 3);
    fake->now += 1; /* each try costs a person a wait, so there are few */
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 4);
}
END_TEST

START_TEST(a_clock_that_is_set_back_does_not_prolong_a_failure)
{
    fake->http.is_down = 1;
    ck_assert_int_eq(get(), KC_DOWN);
    fake->http.is_down = 0;
    fake->now -= 3600;
    ck_assert_int_eq(get(), KC_OK);
}
END_TEST

typedef struct fault_t {
    const char *url;
    int status; /* 0: down with reason */
    const char *body;
    kc_reason_t reason;
} fault_t;

static const fault_t faults[] = {
    {KC_FAKE_DISCOVERY, 0, NULL, KC_ERR_PROVIDER_DOWN},
    {KC_FAKE_DISCOVERY, 0, NULL, KC_ERR_PROVIDER_BUSY},
    {KC_FAKE_DISCOVERY, 500, "{}", KC_ERR_PROVIDER_DOWN},
    {KC_FAKE_DISCOVERY, 404, "{}", KC_ERR_DISCOVERY},
    /* a misspelt realm */
    {KC_FAKE_DISCOVERY, 302, "", KC_ERR_PROVIDER_DOWN},
    {KC_FAKE_DISCOVERY, 200, "<html></html>", KC_ERR_DISCOVERY},
    {KC_FAKE_DISCOVERY, 200, "", KC_ERR_DISCOVERY},
    {KC_FAKE_DISCOVERY, 200, "{\"issuer\":\"https://evil.example.com\"}", KC_ERR_DISCOVERY_ISSUER},
    {KC_FAKE_DISCOVERY, 200, "https://evil.example.com/token", KC_ERR_DISCOVERY_ENDPOINT},
    {KC_FAKE_JWKS, 0, NULL, KC_ERR_PROVIDER_DOWN},
    {KC_FAKE_JWKS, 503, "{\"keys\":[]}", KC_ERR_PROVIDER_DOWN},
    {KC_FAKE_JWKS, 200, "<html></html>", KC_ERR_KEYS},
    {KC_FAKE_JWKS, 200, "{\"keys\":[]}", KC_ERR_KEYS},
    {KC_FAKE_JWKS, 200, "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", KC_ERR_KEYS},
    {KC_FAKE_JWKS, 200, "{}", KC_ERR_KEYS},
};

enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

static void make_fault(const fault_t *fault)
{
    const char *body = fault->body;

    if (fault->reason == KC_ERR_DISCOVERY_ENDPOINT) /* the last of two members would be refused */
        body = apr_pstrcat(testlib_pool, "{\"issuer\":\"" KC_FAKE_ISSUER "\",",
                           "\"authorization_endpoint\":\"" KC_FAKE_ENDPOINT "auth\",",
                           "\"jwks_uri\":\"" KC_FAKE_JWKS "\",\"token_endpoint\":\"", body,
                           "\",\"response_types_supported\":[\"code\"]}", NULL);
    if (fault->status)
        kc_fake_answer(fake, fault->url, fault->status, "application/json", body);
    else
        kc_fake_answer_down(fake, fault->url, fault->reason);
}

START_TEST(each_fault_at_a_cold_start_is_down_with_its_reason)
{
    make_fault(&faults[_i]);
    ck_assert_int_eq(get(), KC_DOWN);
    ck_assert_int_eq(last.reason, faults[_i].reason);
    ck_assert_int_eq(shared_count(), 0); /* no other child is given it */
}
END_TEST

/* threats.md C 67, 68 */
START_TEST(each_fault_later_keeps_the_last_good)
{
    ck_assert_int_eq(get(), KC_OK);
    make_fault(&faults[_i]);
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(got->fetched, KC_FAKE_NOW);
    ck_assert_uint_eq(kc_jwks_count(got->keys), 1);
    metadata = another_child();
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(got->fetched, KC_FAKE_NOW); /* and shares nothing else */
}
END_TEST

static const char *many_keys(int count)
{
    const char *key = testlib_jwk(TESTLIB_P256, "");
    apr_array_header_t *list = apr_array_make(testlib_pool, count, sizeof(const char *));
    int i;

    for (i = 0; i < count; i++)
        APR_ARRAY_PUSH(list, const char *) = key;
    return apr_pstrcat(testlib_pool, "{\"keys\":[", apr_array_pstrcat(testlib_pool, list, ','),
                       "]}", NULL);
}

/* threats.md C 65, 67 */
START_TEST(sets_of_unusable_or_too_many_keys_keep_the_last_good)
{
    const char *sets[3];
    char *spaces = apr_palloc(testlib_pool, 1024 * 1024 + 1);
    int i;

    memset(spaces, ' ', 1024 * 1024);
    spaces[1024 * 1024] = '\0';
    sets[0] = many_keys(500);
    sets[1] = apr_pstrcat(testlib_pool, keys_named("a"), spaces, NULL);
    sets[2] =
        apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(TESTLIB_P256, ",\"use\":\"enc\""), ",",
                    testlib_private_jwk(TESTLIB_P256, ""), "]}", NULL);
    ck_assert_int_eq(get(), KC_OK);
    for (i = 0; i < 3; i++) {
        kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", sets[i]);
        fake->now += site->conf->metadata_ttl;
        ck_assert_int_eq(get(), KC_OK);
        ck_assert_int_eq(got->fetched, KC_FAKE_NOW);
        ck_assert_int_eq(select_key("a"), KC_OK);
    }
}
END_TEST

/* ---------------------------------------------------------------- unknown keys */

/* threats.md C 62 */
START_TEST(a_new_key_is_found_by_one_fetch)
{
    ck_assert_int_eq(get(), KC_OK);
    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", keys_named("b"));
    fake->now += 10;
    ck_assert_int_eq(select_key("b"), KC_OK);
    ck_assert_int_eq(requests(), 4);
    ck_assert_int_eq(got->fetched, fake->now); /* the caller goes on with the new snapshot */
}
END_TEST

/* threats.md C 63 */
START_TEST(a_thousand_unknown_kids_lead_to_one_fetch_a_minute)
{
    int i;

    ck_assert_int_eq(get(), KC_OK);
    fake->now += 10;
    for (i = 0; i < 1000; i++) {
        ck_assert_int_eq(select_key(apr_psprintf(testlib_pool, "x%d", i)), KC_REFUSED);
        ck_assert_int_eq(last.reason, KC_ERR_TOKEN_KEY);
    }
    ck_assert_int_eq(requests(), 4);
    fake->now += 59;
    ck_assert_int_eq(select_key("y"), KC_REFUSED);
    ck_assert_int_eq(requests(), 4);
    fake->now += 1;
    ck_assert_int_eq(select_key("y"), KC_REFUSED);
    ck_assert_int_eq(requests(), 6);
}
END_TEST

static kc_rc_t select_after_rotation(const char *kid)
{
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""), keys_named(kid));
    return select_key(kid);
}

/* As often as each few seconds, as long as each fetch brings something new. */
START_TEST(keys_that_rotate_often_are_found)
{
    ck_assert_int_eq(get(), KC_OK);
    fake->now += 10;
    ck_assert_int_eq(select_after_rotation("b"), KC_OK);
    fake->now += 4;
    ck_assert_int_eq(select_after_rotation("c"), KC_REFUSED);
    ck_assert_int_eq(requests(), 4);
    fake->now += 1;
    ck_assert_int_eq(select_key("c"), KC_OK);
    ck_assert_int_eq(requests(), 6);
    fake->now += 5;
    ck_assert_int_eq(select_key("unknown"), KC_REFUSED); /* nothing new: the whole minute */
    ck_assert_int_eq(requests(), 8);
    fake->now += 59;
    ck_assert_int_eq(select_after_rotation("d"), KC_REFUSED);
    ck_assert_int_eq(requests(), 8);
    fake->now += 1;
    ck_assert_int_eq(select_key("d"), KC_OK);
}
END_TEST

/* Keys without kid, replaced: only the signature tells. A wrong one leads to one fetch a minute. */
START_TEST(a_new_key_without_kid_is_found_by_its_signature)
{
    const char *compact = testlib_sign(TESTLIB_P256, "ES256", "{\"alg\":\"ES256\"}", "{}");
    kc_jws_t token;

    kc_fake_site_provide(
        site, kc_fake_site_metadata(site, ""),
        apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(TESTLIB_P256_OTHER, ""), "]}", NULL));
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(
        kc_token_signature_verify(metadata, compact, testlib_pool, &got, &token, &last),
        KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_SIGNATURE);
    ck_assert_int_eq(
        kc_token_signature_verify(metadata, compact, testlib_pool, &got, &token, &last),
        KC_REFUSED);
    ck_assert_int_eq(requests(), 4);
    kc_fake_site_provide(
        site, kc_fake_site_metadata(site, ""),
        apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(TESTLIB_P256, ""), "]}", NULL));
    fake->now += 60;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(
        kc_token_signature_verify(metadata, compact, testlib_pool, &got, &token, &last), KC_OK);
    ck_assert_int_eq(requests(), 6);
}
END_TEST

/* A payload is read after its signature is verified, never before. */
START_TEST(the_payload_is_read_last)
{
    static const char *const header = "{\"alg\":\"ES256\"}";
    kc_jws_t token;

    kc_fake_site_provide(
        site, kc_fake_site_metadata(site, ""),
        apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(TESTLIB_P256, ""), "]}", NULL));
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(kc_token_signature_verify_untrusted(
                         metadata, testlib_sign(TESTLIB_P256_OTHER, "ES256", header, "{\"a\":[x"),
                         testlib_pool, &got, &token, &last),
                     KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_SIGNATURE);
    ck_assert_ptr_null(token.claims);
    ck_assert_int_eq(kc_token_signature_verify_untrusted(
                         metadata, testlib_sign(TESTLIB_P256, "ES256", header, "{\"a\":[x"),
                         testlib_pool, &got, &token, &last),
                     KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_FORM);
    ck_assert_int_eq(kc_token_signature_verify_untrusted(
                         metadata,
                         testlib_sign(TESTLIB_P256, "ES256", header, "{\"sub\":\"alice\"}"),
                         testlib_pool, &got, &token, &last),
                     KC_OK);
    ck_assert_str_eq(kc_json_member_string(token.claims, "sub"), "alice");
}
END_TEST

START_TEST(a_key_that_is_left_out_is_logged_once)
{
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_pstrcat(testlib_pool, "{\"keys\":[", testlib_jwk(TESTLIB_P256, ""),
                                     ",{\"kty\":\"OKP\",\"kid\":\"ed\"}]}", NULL));
    ck_assert_int_eq(get(), KC_OK);
    ck_assert(kc_fake_log_has(fake, "key ed: its kty is neither RSA nor EC"));
    ck_assert_int_eq(fake->log->nelts, 1);
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 4);
    ck_assert_int_eq(fake->log->nelts, 1);
}
END_TEST

START_TEST(the_minute_counts_for_all_children_of_the_host)
{
    kc_metadata_t *first = metadata, *second = another_child();
    int i;

    ck_assert_int_eq(get(), KC_OK);
    fake->now += 10;
    for (i = 0; i < 20; i++) {
        metadata = i % 2 ? second : first;
        ck_assert_int_eq(get(), KC_OK);
        ck_assert_int_eq(select_key(apr_psprintf(testlib_pool, "x%d", i)), KC_REFUSED);
    }
    ck_assert_int_eq(requests(), 4);
}
END_TEST

/* In the very second of the fetch before, and in the next. */
START_TEST(what_another_child_has_fetched_for_a_key_is_taken_without_a_call)
{
    kc_metadata_t *first = metadata, *second = another_child();
    const kc_metadata_snapshot_t *held;

    ck_assert_int_eq(get(), KC_OK);
    metadata = second;
    ck_assert_int_eq(get(), KC_OK);
    held = got;
    fake->now += _i;
    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", keys_named("b"));
    metadata = first;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(select_key("b"), KC_OK);
    ck_assert_int_eq(requests(), 4);
    metadata = second;
    got = held;
    ck_assert_int_eq(select_key("b"), KC_OK);
    ck_assert_int_eq(requests(), 4);
}
END_TEST

START_TEST(algorithms_that_no_key_is_for_are_not_worth_a_fetch)
{
    static const char *const algs[] = {"none", "HS256", "RS1", "", "ES256K", "EdDSA"};
    const kc_jose_key_t *key;
    size_t i;

    ck_assert_int_eq(get(), KC_OK);
    fake->now += 10;
    for (i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        ck_assert_int_eq(
            kc_token_signature_key(metadata, algs[i], "a", testlib_pool, &got, &key, &last),
            KC_REFUSED);
        ck_assert_int_eq(last.reason, KC_ERR_TOKEN_ALG);
    }
    ck_assert_int_eq(requests(), 2);
}
END_TEST

/* threats.md C 64 */
START_TEST(a_retired_key_is_refused_after_its_time)
{
    ck_assert_int_eq(get(), KC_OK);
    kc_fake_answer(fake, KC_FAKE_JWKS, 200, "application/json", keys_named("b"));
    ck_assert_int_eq(select_key("a"), KC_OK);
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(select_key("a"), KC_REFUSED);
    ck_assert_int_eq(last.reason, KC_ERR_TOKEN_KEY);
    ck_assert_int_eq(select_key("b"), KC_OK);
}
END_TEST

START_TEST(without_the_hosts_store_nobody_fetches_for_a_kid)
{
    ck_assert_int_eq(get(), KC_OK);
    fake->host.is_down = 1;
    fake->now += 10;
    ck_assert_int_eq(select_key("x"), KC_REFUSED);
    ck_assert_int_eq(requests(), 2);
}
END_TEST

/* ---------------------------------------------------------------- sharing */

START_TEST(a_new_child_starts_warm)
{
    ck_assert_int_eq(get(), KC_OK);
    fake->http.is_down = 1;
    fake->now += site->conf->metadata_ttl - 1;
    metadata = another_child();
    fake->host.is_down = 1; /* it has them before anybody asks */
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 2);
    ck_assert_int_eq(got->fetched, KC_FAKE_NOW);
    ck_assert_int_eq(select_key("a"), KC_OK);
}
END_TEST

START_TEST(a_new_child_takes_old_ones_when_fetching_fails)
{
    ck_assert_int_eq(get(), KC_OK);
    fake->http.is_down = 1;
    fake->now += site->conf->metadata_stale - 1;
    metadata = another_child();
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 3);
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 3); /* and remembers the failure */
    fake->now += 1;
    metadata = another_child();
    ck_assert_int_eq(get(), KC_DOWN);
    ck_assert_int_eq(last.reason, KC_ERR_PROVIDER_DOWN);
}
END_TEST

START_TEST(at_their_age_one_child_fetches_for_all)
{
    kc_metadata_t *first = metadata, *second = another_child();

    ck_assert_int_eq(get(), KC_OK);
    metadata = second;
    ck_assert_int_eq(get(), KC_OK);
    fake->now += site->conf->metadata_ttl;
    ck_assert_int_eq(get(), KC_OK);
    metadata = first;
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 4);
    ck_assert_int_eq(got->fetched, fake->now);
}
END_TEST

START_TEST(another_issuers_snapshot_is_not_taken)
{
    ck_assert_int_eq(get(), KC_OK);
    site->conf->issuer = "https://keycloak.example.com/realms/other";
    metadata = another_child();
    ck_assert_int_eq(get(), KC_DOWN);
    ck_assert_int_eq(requests(), 3);
    ck_assert_int_eq(shared_count(), 1);
}
END_TEST

/* Whatever lies in the shared place, a child can still fetch for itself. */
START_TEST(a_damaged_snapshot_of_others_is_passed_over)
{
    kc_fake_entry_t *entry;
    size_t len, whole;

    ck_assert_int_eq(get(), KC_OK);
    entry = kc_fake_store_nth(&fake->host, 0);
    whole = entry->len;
    for (len = 0; len < whole; len += 7) {
        entry->len = len;
        metadata = another_child();
        ck_assert_int_eq(get(), KC_OK);
        ck_assert_uint_eq(kc_jwks_count(got->keys), 1);
        entry = kc_fake_store_nth(&fake->host, 0);
    }
    ck_assert_int_gt(requests(), 4);
}
END_TEST

START_TEST(without_the_hosts_store_each_child_fetches)
{
    fake->host.is_down = 1;
    ck_assert_int_eq(get(), KC_OK);
    metadata = another_child();
    ck_assert_int_eq(get(), KC_OK);
    ck_assert_int_eq(requests(), 4);
}
END_TEST

/* ---------------------------------------------------------------- threads */

enum { THREADS = 8, ROUNDS_MAX = 1000000 };

/* Answers only when every thread is on its way, so that all of them meet a fetch under way. */
typedef struct slow_http_t {
    kc_http_t http; /* first */
    const char *metadata, *keys;
    apr_uint32_t calls, started, failed;
    apr_uint32_t turned_away; /* how many threads must have failed before the answer comes */
} slow_http_t;

static slow_http_t slow;

static kc_rc_t slow_perform(kc_http_t *http, const kc_http_request_t *request, apr_pool_t *pool,
                            kc_http_response_t *response, kc_err_t *err)
{
    int i;

    (void)http;
    (void)err;
    apr_atomic_inc32(&slow.calls);
    for (i = 0; i < ROUNDS_MAX && (apr_atomic_read32(&slow.started) < THREADS ||
                                   apr_atomic_read32(&slow.failed) < slow.turned_away);
         i++)
        apr_thread_yield();
    response->status = 200;
    response->content_type = "application/json";
    response->body =
        apr_pstrdup(pool, strcmp(request->url, KC_FAKE_JWKS) == 0 ? slow.keys : slow.metadata);
    response->body_len = strlen(response->body);
    return KC_OK;
}

static void *APR_THREAD_FUNC ask(apr_thread_t *thread, void *data)
{
    const kc_metadata_snapshot_t *snapshot;
    const kc_jose_key_t *key;
    apr_pool_t *pool;
    kc_err_t err;

    (void)thread;
    (void)data;
    apr_atomic_inc32(&slow.started);
    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS)
        abort();
    if (kc_metadata_get(metadata, pool, &snapshot, &err) != KC_OK ||
        kc_token_signature_key(metadata, "ES256", "a", pool, &snapshot, &key, &err) != KC_OK)
        apr_atomic_inc32(&slow.failed);
    apr_pool_destroy(pool);
    return NULL; /* apr_thread_exit leaves marks of ASan's on the stack that it leaves by itself */
}

static void run_threads(void)
{
    apr_thread_t *threads[THREADS];
    apr_status_t status;
    int i;

    for (i = 0; i < THREADS; i++)
        ck_assert_int_eq(apr_thread_create(&threads[i], NULL, ask, NULL, testlib_pool),
                         APR_SUCCESS);
    for (i = 0; i < THREADS; i++)
        ck_assert_int_eq(apr_thread_join(&status, threads[i]), APR_SUCCESS);
    ck_assert_uint_eq(slow.failed, slow.turned_away);
}

static void be_slow(void)
{
    memset(&slow, 0, sizeof(slow));
    slow.http.perform = slow_perform;
    slow.metadata = kc_fake_site_metadata(site, "");
    slow.keys = keys_named("a");
    fake->env.http = &slow.http;
}

START_TEST(eight_threads_at_a_cold_start_lead_to_one_fetch)
{
    be_slow();
    run_threads();
    ck_assert_uint_eq(slow.calls, 2);
}
END_TEST

/* One fetches and two wait; the answer comes only when all others have been turned away. */
START_TEST(a_hanging_provider_leaves_threads_for_everybody_else)
{
    kc_http_gate_t gate;

    be_slow();
    kc_http_gate_init(&gate, 2, 0);
    fake->env.gate = &gate;
    slow.turned_away = THREADS - 3;
    run_threads();
    ck_assert_uint_eq(slow.calls, 2);
    ck_assert_uint_eq(gate.taken, 0);
}
END_TEST

START_TEST(threads_replace_and_release_snapshots_together)
{
    int i;

    be_slow();
    for (i = 0; i < 20; i++) {
        slow.started = 0;
        run_threads();
        fake->now += site->conf->metadata_ttl;
    }
    ck_assert_uint_eq(slow.calls, 40);
}
END_TEST

/* ---------------------------------------------------------------- suite */

static TCase *add(Suite *suite, const char *name)
{
    TCase *tests = tcase_create(name);

    tcase_add_unchecked_fixture(tests, make_keys, testlib_keys_free);
    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    suite_add_tcase(suite, tests);
    return tests;
}

static void add_fetching(TCase *tests)
{
    tcase_add_test(tests, metadata_and_keys_are_fetched_once);
    tcase_add_test(tests, they_are_fetched_again_at_their_age);
    tcase_add_test(tests, a_snapshot_lives_as_long_as_its_last_holder);
    tcase_add_test(tests, an_endpoint_that_is_left_out_is_logged_once);
    tcase_add_test(tests, old_ones_are_kept_to_the_cap_while_fetching_fails);
    tcase_add_test(tests, a_cap_below_the_age_costs_nothing_while_they_are_young);
    tcase_add_test(tests, a_failure_is_remembered_for_half_a_second);
    tcase_add_test(tests, a_failure_with_old_ones_at_hand_is_remembered_too);
    tcase_add_test(tests, a_clock_that_is_set_back_does_not_prolong_a_failure);
    tcase_add_loop_test(tests, each_fault_at_a_cold_start_is_down_with_its_reason, 0, FAULTS);
    tcase_add_loop_test(tests, each_fault_later_keeps_the_last_good, 0, FAULTS);
    tcase_add_test(tests, sets_of_unusable_or_too_many_keys_keep_the_last_good);
}

static void add_kids(TCase *tests)
{
    tcase_add_test(tests, a_new_key_is_found_by_one_fetch);
    tcase_add_test(tests, a_thousand_unknown_kids_lead_to_one_fetch_a_minute);
    tcase_add_test(tests, keys_that_rotate_often_are_found);
    tcase_add_test(tests, a_new_key_without_kid_is_found_by_its_signature);
    tcase_add_test(tests, the_payload_is_read_last);
    tcase_add_test(tests, a_key_that_is_left_out_is_logged_once);
    tcase_add_test(tests, the_minute_counts_for_all_children_of_the_host);
    tcase_add_loop_test(tests, what_another_child_has_fetched_for_a_key_is_taken_without_a_call, 0,
                        2);
    tcase_add_test(tests, algorithms_that_no_key_is_for_are_not_worth_a_fetch);
    tcase_add_test(tests, a_retired_key_is_refused_after_its_time);
    tcase_add_test(tests, without_the_hosts_store_nobody_fetches_for_a_kid);
}

static void add_sharing(TCase *tests)
{
    tcase_add_test(tests, a_new_child_starts_warm);
    tcase_add_test(tests, a_new_child_takes_old_ones_when_fetching_fails);
    tcase_add_test(tests, at_their_age_one_child_fetches_for_all);
    tcase_add_test(tests, another_issuers_snapshot_is_not_taken);
    tcase_add_test(tests, a_damaged_snapshot_of_others_is_passed_over);
    tcase_add_test(tests, without_the_hosts_store_each_child_fetches);
}

Suite *kc_test_metadata(void)
{
    Suite *suite = suite_create("metadata");
    TCase *threads = add(suite, "threads");

    tcase_add_test(threads, eight_threads_at_a_cold_start_lead_to_one_fetch);
    tcase_add_test(threads, a_hanging_provider_leaves_threads_for_everybody_else);
    tcase_add_test(threads, threads_replace_and_release_snapshots_together);
    add_fetching(add(suite, "fetching"));
    add_kids(add(suite, "kids"));
    add_sharing(add(suite, "sharing"));
    return suite;
}
