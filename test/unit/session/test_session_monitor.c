/* Tests of session_monitor.h: which sessions have ended while a stream still uses them.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "rp.h"
#include "session/pack.h"
#include "session/revocation.h"
#include "session/session_idle.h"
#include "session/session_monitor.h"
#include "testlib.h"

Suite *kc_test_session_monitor(void);

#define ALICE "f7f3a3c1-2f7f-4a1a-9c1e-0d7a5d1f6a10"
#define HEADER "{\"alg\":\"RS256\",\"typ\":\"JWT\",\"kid\":\"k\"}"

enum { LIFETIME = 300, EARLY = 60, CROWD = 20 };

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_session_monitor_t *watch;
static kc_err_t err;

/* ---------------------------------------------------------------- the provider and the session */

static const char *id_token(void)
{
    return testlib_sign(
        TESTLIB_RSA, "RS256", HEADER,
        apr_psprintf(testlib_pool,
                     "{\"iss\":\"" KC_FAKE_ISSUER "\",\"aud\":\"kubeflow-oidc-authservice\","
                     "\"sub\":\"" ALICE "\",\"typ\":\"ID\",\"iat\":%ld,"
                     "\"exp\":%ld,\"sid\":\"first-sid\","
                     "\"email\":\"alice@example.com\",\"email_verified\":true,\"groups\":[\"/a\"]}",
                     (long)fake->now, (long)fake->now + LIFETIME));
}

static void grant(void)
{
    kc_fake_answer(fake, KC_FAKE_TOKEN, 200, "application/json",
                   apr_psprintf(testlib_pool,
                                "{\"access_token\":\"opaque\",\"id_token\":\"%s\","
                                "\"refresh_token\":\"second\",\"token_type\":\"Bearer\","
                                "\"expires_in\":300}",
                                id_token()));
}

static const char *put(const char *sub, const char *sid, int is_renewable)
{
    const kc_pack_t contents = {id_token(), NULL, "first", {NULL, 0}};
    char *id = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);
    kc_session_t fresh;

    memset(&fresh, 0, sizeof(fresh));
    fresh.created = fake->now;
    fresh.expires = fake->now + site->conf->session_max;
    fresh.token_expires = fake->now + LIFETIME;
    fresh.refresh_at = is_renewable ? fresh.token_expires - EARLY : 0;
    fresh.sub = sub;
    fresh.sid = sid;
    fresh.user = fresh.email = "alice@example.com";
    fresh.acr = fresh.groups = "";
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &fresh.packed, NULL), KC_OK);
    ck_assert_int_eq(kc_revocation_begin(site->rp, &fresh, INT64_MAX, testlib_pool, NULL), KC_OK);
    ck_assert_int_eq(kc_session_create(site->rp, &fresh, testlib_pool, id, NULL), KC_OK);
    return id;
}

static kc_session_t find(const char *id)
{
    kc_session_t session;

    memset(&session, 0, sizeof(session));
    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(id), testlib_pool, &session, NULL),
                     KC_SESSION_LIVE);
    return session;
}

static kc_session_monitor_entry_t *add(const char *id)
{
    const kc_session_t session = find(id);

    return kc_session_monitor_add(watch, &session, session.refresh_at);
}

static const char *cookie;
static kc_session_monitor_entry_t *alice;

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    fake = site->fake;
    kc_fake_site_provide(site, kc_fake_site_metadata(site, ""),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\""), "]}", NULL));
    grant();
    watch = kc_session_monitor_create(testlib_pool);
    cookie = put(ALICE, "first-sid", 1);
    alice = add(cookie);
}

static void sign_out(const char *id)
{
    ck_assert_int_eq(kc_session_end(site->rp, kc_buf_text(id), testlib_pool, NULL), KC_OK);
}

static void assert_live(void)
{
    kc_session_monitor_look(watch);
    ck_assert_int_eq(alice->state, KC_SESSION_LIVE);
    ck_assert_int_eq(alice->err.reason, KC_ERR_NONE);
}

static void assert_ended(kc_reason_t reason)
{
    kc_session_monitor_look(watch);
    ck_assert_int_eq(alice->state, KC_SESSION_ENDED);
    ck_assert_int_eq(alice->err.reason, reason);
}

/* ---------------------------------------------------------------- the set */

START_TEST(a_session_is_there_once)
{
    const kc_session_t session = find(cookie);
    const char *other = put(ALICE, "second-sid", 1);

    ck_assert_ptr_eq(add(cookie), alice);
    ck_assert_ptr_ne(add(other), alice);
    ck_assert_ptr_eq(kc_session_monitor_first(watch), alice);
    ck_assert_ptr_nonnull(alice->next);
    ck_assert_ptr_null(alice->next->next);
    /* of requests that came before and after a renewal, the later one knows */
    ck_assert_ptr_eq(kc_session_monitor_add(watch, &session, session.refresh_at + 100), alice);
    ck_assert_ptr_eq(kc_session_monitor_add(watch, &session, session.refresh_at), alice);
    ck_assert_int_eq(alice->session.refresh_at, session.refresh_at + 100);
}
END_TEST

START_TEST(it_is_a_copy)
{
    apr_pool_t *pool;
    kc_session_t session;

    watch = kc_session_monitor_create(testlib_pool);
    ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
    memset(&session, 0, sizeof(session));
    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(cookie), pool, &session, NULL),
                     KC_SESSION_LIVE);
    alice = kc_session_monitor_add(watch, &session, session.refresh_at);
    apr_pool_destroy(pool); /* a request that is over meanwhile */
    assert_live();
    ck_assert_str_eq(alice->session.user, "alice@example.com");
    sign_out(cookie);
    assert_ended(KC_ERR_SIGNED_OUT);
}
END_TEST

START_TEST(nobody_is_in_it)
{
    watch = kc_session_monitor_create(testlib_pool);
    fake->sessions.gets = 0;
    kc_session_monitor_look(watch);
    ck_assert_ptr_null(kc_session_monitor_first(watch));
    ck_assert_int_eq(fake->sessions.gets, 0);
}
END_TEST

/* ---------------------------------------------------------------- looking */

START_TEST(a_session_goes_on_unused)
{
    kc_fake_entry_t *entry = kc_fake_store_entry(&fake->sessions, alice->session.key);
    int64_t end = entry->expires_at;

    ck_assert_int_gt(end, fake->now + site->conf->session_idle); /* which does not count */
    fake->now += site->conf->session_idle - 1;
    kc_session_monitor_renew(alice, testlib_pool);
    assert_live();
    ck_assert_int_eq(entry->expires_at, end);
    ck_assert_int_eq(fake->sessions.touches, 0);
    fake->now++;
    assert_ended(KC_ERR_SESSION_IDLE);
}
END_TEST

START_TEST(signed_out_it_has_ended)
{
    kc_fake_entry_t *mark;
    char name[KC_STORE_KEY_LEN + 1];

    sign_out(cookie);
    assert_ended(KC_ERR_SIGNED_OUT);
    kc_revocation_own_key(alice->session.key, name);
    mark = kc_fake_store_entry(&fake->sessions, name);
    ck_assert_ptr_nonnull(mark);
    mark->key[0] = '\0'; /* evicted */
    assert_ended(KC_ERR_SESSION_IDLE);
}
END_TEST

START_TEST(a_mark_ends_it)
{
    static const char *const texts[KC_REVOCATION_KINDS] = {ALICE, "alice@example.com", "first-sid"};

    ck_assert_int_eq(kc_revocation_add(site->rp, (kc_revocation_kind_t)_i, "another", &err), KC_OK);
    assert_live();
    ck_assert_int_eq(kc_revocation_add(site->rp, (kc_revocation_kind_t)_i, texts[_i], &err), KC_OK);
    assert_ended(KC_ERR_SIGNED_OUT);
}
END_TEST

/* New tokens are no use of it. */
START_TEST(a_stream_does_not_keep_its_session_from_idling_out)
{
    int64_t end = fake->now + site->conf->session_idle;

    for (fake->now += LIFETIME - EARLY; fake->now < end; fake->now += LIFETIME - EARLY) {
        grant();
        kc_session_monitor_look(watch);
        kc_session_monitor_renew(alice, testlib_pool);
        ck_assert_int_eq(alice->state, KC_SESSION_LIVE);
        ck_assert_int_gt(alice->session.refresh_at, fake->now);
    }
    fake->now = end - 1;
    assert_live();
    fake->now = end;
    assert_ended(KC_ERR_SESSION_IDLE);
}
END_TEST

START_TEST(a_mark_of_the_user_spares_later_sessions)
{
    ck_assert_int_eq(kc_revocation_add(site->rp, KC_REVOCATION_SUB, ALICE, &err), KC_OK);
    fake->now++;
    cookie = put(ALICE, "", 1); /* and one without a sid has one mark less */
    watch = kc_session_monitor_create(testlib_pool);
    alice = add(cookie);
    assert_live();
}
END_TEST

START_TEST(past_its_end_it_has_ended_whatever_the_store_says)
{
    fake->now = alice->session.expires - 1;
    kc_session_idle_use(&alice->session);
    kc_fake_store_entry(&fake->sessions, alice->session.key)->expires_at = fake->now + 100;
    assert_live();
    fake->now++;
    fake->sessions.is_down = 1;
    assert_ended(KC_ERR_SESSION_MAX);
}
END_TEST

START_TEST(tokens_that_can_be_renewed_do_not_end_it)
{
    fake->now += LIFETIME + site->conf->clock_skew + site->conf->stale_grace + 1;
    assert_live();
}
END_TEST

START_TEST(tokens_that_cannot_do)
{
    cookie = put(ALICE, "first-sid", 0);
    watch = kc_session_monitor_create(testlib_pool);
    alice = add(cookie);
    fake->now += LIFETIME + site->conf->clock_skew - 1;
    assert_live();
    fake->now++;
    assert_ended(KC_ERR_SESSION_ENDED);
}
END_TEST

START_TEST(nor_may_they_when_that_is_turned_off)
{
    site->conf->refresh = 0;
    fake->now += LIFETIME + site->conf->clock_skew - 1;
    assert_live();
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_TOKEN), 0);
    fake->now++;
    assert_ended(KC_ERR_SESSION_ENDED);
}
END_TEST

START_TEST(a_store_that_is_down_ends_nothing)
{
    sign_out(cookie);
    fake->sessions.is_down = 1;
    kc_session_monitor_look(watch);
    ck_assert_int_eq(alice->state, KC_SESSION_UNKNOWN);
    fake->sessions.is_down = 0;
    assert_ended(KC_ERR_SIGNED_OUT);
}
END_TEST

START_TEST(many_are_asked_about_together)
{
    const char *cookies[CROWD];
    kc_session_monitor_entry_t *watched;
    int i;

    watch = kc_session_monitor_create(testlib_pool);
    for (i = 0; i < CROWD; i++) {
        cookies[i] = put(ALICE, i % 2 ? "" : apr_psprintf(testlib_pool, "sid-%d", i), 1);
        (void)add(cookies[i]);
    }
    for (i = 0; i < CROWD; i += 3)
        sign_out(cookies[i]);
    fake->sessions.gets = 0;
    kc_session_monitor_look(watch);
    ck_assert_int_eq(fake->sessions.gets, 3);
    for (i = 0, watched = kc_session_monitor_first(watch); watched; i++, watched = watched->next)
        ck_assert_int_eq(watched->state, i % 3 ? KC_SESSION_LIVE : KC_SESSION_ENDED);
    ck_assert_int_eq(i, CROWD);
}
END_TEST

/* A store of which a part is down: whoever asks for this key, among others or not, is told so. */
typedef struct {
    kc_store_t store; /* first */
    kc_store_t *inner;
    const char *lost;
} partial_t;

static kc_rc_t partial_get(kc_store_t *store, const char *const *keys, size_t count,
                           kc_store_item_t *items, apr_pool_t *pool, kc_err_t *why)
{
    const partial_t *partial = (const partial_t *)(const void *)store;
    size_t i;

    for (i = 0; i < count; i++) {
        if (strcmp(keys[i], partial->lost) == 0)
            return KC_FAIL(why, KC_DOWN, KC_ERR_STORE_DOWN, "this key's server is down");
    }
    return kc_store_get(partial->inner, keys, count, items, pool, why);
}

START_TEST(one_server_that_is_down_hides_nobody_else)
{
    static const kc_store_vtable_t vtable = {.name = "partial", .get = partial_get};
    const char *bob = put("bob", "third-sid", 1), *carol = put("carol", "fourth-sid", 1);
    kc_session_monitor_entry_t *second = add(bob), *third = add(carol);
    partial_t partial = {{&vtable}, fake->env.sessions, alice->session.key};

    sign_out(bob);
    fake->env.sessions = &partial.store;
    kc_session_monitor_look(watch);
    ck_assert_int_eq(alice->state, KC_SESSION_UNKNOWN);
    ck_assert_int_eq(second->state, KC_SESSION_ENDED);
    ck_assert_int_eq(third->state, KC_SESSION_LIVE);
}
END_TEST

/* Two virtual hosts, each with its own memcached. */
START_TEST(each_store_is_asked_about_its_own)
{
    kc_fake_t *other_fake = kc_fake_make(testlib_pool);
    kc_rp_t other = *site->rp;
    kc_session_t foreign = find(put(ALICE, "third-sid", 1));
    kc_session_monitor_entry_t *second;

    other.env = &other_fake->env;
    foreign.rp = &other;
    second = kc_session_monitor_add(watch, &foreign, foreign.refresh_at);
    kc_session_monitor_look(watch);
    ck_assert_int_eq(alice->state, KC_SESSION_LIVE);
    ck_assert_int_eq(second->state, KC_SESSION_ENDED);
    ck_assert_int_eq(other_fake->sessions.gets, 1);
}
END_TEST

/* ---------------------------------------------------------------- renewing */

static void make_due(void)
{
    fake->now += LIFETIME - EARLY;
    grant();
    assert_live();
}

START_TEST(before_it_is_time_nobody_is_asked)
{
    fake->now += LIFETIME - EARLY - 1;
    assert_live();
    fake->sessions.gets = 0;
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(fake->sessions.gets, 0);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_TOKEN), 0);
}
END_TEST

START_TEST(when_it_is_time_its_tokens_are_renewed)
{
    int64_t before = alice->session.refresh_at;

    make_due();
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(alice->state, KC_SESSION_LIVE);
    ck_assert_int_eq(alice->err.reason, KC_ERR_NONE);
    ck_assert_int_gt(alice->session.refresh_at, before);
    ck_assert_int_eq(alice->session.token_expires, fake->now + LIFETIME);
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_TOKEN), 1);
    ck_assert_int_eq(find(cookie).refresh_at, alice->session.refresh_at);
}
END_TEST

START_TEST(what_another_has_renewed_is_taken)
{
    kc_session_monitor_entry_t *mine = alice;

    make_due();
    watch = kc_session_monitor_create(testlib_pool);
    alice = add(cookie);
    assert_live();
    kc_session_monitor_renew(alice, testlib_pool);
    kc_session_monitor_renew(mine, testlib_pool);
    ck_assert_int_eq(mine->state, KC_SESSION_LIVE);
    ck_assert_int_eq(mine->session.refresh_at, alice->session.refresh_at);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_TOKEN), 1);
}
END_TEST

START_TEST(who_was_disabled_at_the_provider_has_ended)
{
    make_due();
    kc_fake_answer(fake, KC_FAKE_TOKEN, 400, "application/json", "{\"error\":\"invalid_grant\"}");
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(alice->state, KC_SESSION_ENDED);
    ck_assert_int_eq(alice->err.reason, KC_ERR_REFRESH_REFUSED);
    assert_ended(KC_ERR_SIGNED_OUT);
}
END_TEST

START_TEST(a_provider_that_does_not_answer_ends_nothing)
{
    make_due();
    fake->http.is_down = 1;
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(alice->state, KC_SESSION_LIVE);
    ck_assert_int_eq(alice->err.reason, KC_ERR_PROVIDER_DOWN);
    fake->now += LIFETIME + site->conf->clock_skew + site->conf->stale_grace;
    assert_live(); /* and nothing is said of it twice */
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(alice->state, KC_SESSION_LIVE);
    fake->http.is_down = 0;
}
END_TEST

START_TEST(signed_out_before_it_is_renewed_it_has_ended)
{
    make_due();
    sign_out(cookie);
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(alice->state, KC_SESSION_ENDED);
    ck_assert_int_eq(alice->err.reason, KC_ERR_SIGNED_OUT);
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_TOKEN), 0);
}
END_TEST

START_TEST(the_store_may_go_down_before_it_is_renewed)
{
    make_due();
    fake->sessions.is_down = 1;
    kc_session_monitor_renew(alice, testlib_pool);
    ck_assert_int_eq(alice->state, KC_SESSION_UNKNOWN);
    kc_session_monitor_renew(alice, testlib_pool); /* nobody renews what is not known to live */
    ck_assert_int_eq(kc_fake_request_count(fake, KC_FAKE_TOKEN), 0);
}
END_TEST

/* ---------------------------------------------------------------- */

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
}

static TCase *tcase_make(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_add_unchecked_fixture(tcase, make_keys, NULL);
    tcase_add_checked_fixture(tcase, setup, testlib_teardown);
    suite_add_tcase(suite, tcase);
    return tcase;
}

Suite *kc_test_session_monitor(void)
{
    Suite *suite = suite_create("session_monitor");
    TCase *tests = tcase_make(suite, "set");

    tcase_add_test(tests, a_session_is_there_once);
    tcase_add_test(tests, it_is_a_copy);
    tcase_add_test(tests, nobody_is_in_it);
    tests = tcase_make(suite, "look");
    tcase_add_test(tests, a_session_goes_on_unused);
    tcase_add_test(tests, signed_out_it_has_ended);
    tcase_add_loop_test(tests, a_mark_ends_it, 0, KC_REVOCATION_KINDS);
    tcase_add_test(tests, a_mark_of_the_user_spares_later_sessions);
    tcase_add_test(tests, a_stream_does_not_keep_its_session_from_idling_out);
    tcase_add_test(tests, past_its_end_it_has_ended_whatever_the_store_says);
    tcase_add_test(tests, tokens_that_can_be_renewed_do_not_end_it);
    tcase_add_test(tests, tokens_that_cannot_do);
    tcase_add_test(tests, nor_may_they_when_that_is_turned_off);
    tcase_add_test(tests, a_store_that_is_down_ends_nothing);
    tcase_add_test(tests, many_are_asked_about_together);
    tcase_add_test(tests, one_server_that_is_down_hides_nobody_else);
    tcase_add_test(tests, each_store_is_asked_about_its_own);
    tests = tcase_make(suite, "renew");
    tcase_add_test(tests, before_it_is_time_nobody_is_asked);
    tcase_add_test(tests, when_it_is_time_its_tokens_are_renewed);
    tcase_add_test(tests, what_another_has_renewed_is_taken);
    tcase_add_test(tests, who_was_disabled_at_the_provider_has_ended);
    tcase_add_test(tests, a_provider_that_does_not_answer_ends_nothing);
    tcase_add_test(tests, signed_out_before_it_is_renewed_it_has_ended);
    tcase_add_test(tests, the_store_may_go_down_before_it_is_renewed);
    return suite;
}
