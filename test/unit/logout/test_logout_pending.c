/* Tests of logout_pending.h and of logouts that use it: a refresh token is revoked when the browser
 * does not come back from the provider.
 * SPDX-License-Identifier: Apache-2.0 */
#include "logout/logout_pending.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "base/query.h"
#include "browser.h"
#include "fake_site.h"
#include "logout/logout.h"
#include "session/pack.h"
#include "testlib.h"

Suite *kc_test_logout_pending(void);

#define SESSION "__Host-keycloak_session"
#define REVOKE KC_FAKE_ENDPOINT "revoke"
#define ID_TOKEN "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJmN2YzIn0.c2lnbmF0dXJl"
#define REFRESH_TOKEN "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJmN2Y0In0.c2lnbmF0dXJl"

static kc_fake_site_t *site;
static kc_fake_t *fake;
static kc_browser_answer_t answer;
static const char *refresh_token;

static void provide(const char *more)
{
    kc_fake_site_provide(site, kc_fake_site_metadata(site, more),
                         apr_pstrcat(testlib_pool, "{\"keys\":[",
                                     testlib_jwk(TESTLIB_RSA, ",\"kid\":\"k\""), "]}", NULL));
}

static void make_keys(void)
{
    (void)testlib_key(TESTLIB_RSA);
}

static void setup(void)
{
    testlib_setup();
    site = kc_fake_site_make(testlib_pool);
    site->rp->is_attended = 1;
    refresh_token = REFRESH_TOKEN;
    fake = site->fake;
    provide(",\"revocation_endpoint\":\"" REVOKE "\"");
    kc_fake_answer(fake, REVOKE, 200, "text/plain", "");
}

/* Somebody signs in and out; gives the query that the provider sends the browser back with. */
static const char *sign_out(void)
{
    const kc_pack_t contents = {ID_TOKEN, NULL, refresh_token, {NULL, 0}};
    char *text = apr_palloc(testlib_pool, KC_SESSION_ID_TEXT + 1);
    const kc_query_t *query;
    const char *state = NULL, *at;
    kc_session_t session;

    memset(&session, 0, sizeof(session));
    session.created = fake->now;
    session.expires = session.token_expires = fake->now + 3600;
    session.sub = "f7f3";
    session.sid = session.acr = session.groups = session.email = "";
    session.user = "alice@example.com";
    ck_assert_int_eq(kc_pack_close(&contents, testlib_pool, &session.packed, NULL), KC_OK);
    ck_assert_int_eq(kc_session_create(site->rp, &session, testlib_pool, text, NULL), KC_OK);
    kc_fake_site_plant(site, SESSION, text);
    ck_assert_int_eq(kc_session_find(site->rp, kc_buf_text(text), testlib_pool, &session, NULL),
                     KC_SESSION_LIVE);
    ck_assert_int_eq(
        kc_logout_begin(site->rp, &site->client, &session, NULL, testlib_pool, &answer, NULL),
        KC_OK);
    kc_fake_site_take(site, answer.cookies);
    at = strchr(answer.location, '?');
    if (!at || kc_query_parse(at + 1, testlib_pool, &query, NULL) != KC_OK ||
        kc_query_single(query, "state", &state, NULL) != KC_OK)
        return NULL;
    return apr_pstrcat(testlib_pool, "state=", state, NULL);
}

static kc_rc_t come_back(const char *query)
{
    kc_rc_t rc = kc_logout_finish(site->rp, &site->client, query, testlib_pool, &answer, NULL);

    if (rc == KC_OK)
        kc_fake_site_take(site, answer.cookies);
    return rc;
}

static int revocations(void)
{
    return kc_fake_request_count(fake, REVOKE);
}

/* As the background does, for so many seconds. */
static void look_for(int64_t seconds)
{
    while (seconds-- > 0) {
        fake->now++;
        kc_logout_pending_look(site->rp, &fake->http.http, NULL);
    }
}

START_TEST(who_comes_back_in_time_is_left_to_the_provider)
{
    const char *query = sign_out();

    ck_assert_ptr_nonnull(query);
    ck_assert_int_eq(revocations(), 0);
    look_for(KC_LOGOUT_PENDING_SECONDS - 1);
    ck_assert_int_eq(come_back(query), KC_OK);
    look_for(300);
    ck_assert_int_eq(revocations(), 0);
}
END_TEST

START_TEST(who_does_not_come_back_is_revoked_once)
{
    ck_assert_ptr_nonnull(sign_out());
    look_for(KC_LOGOUT_PENDING_SECONDS - 1);
    ck_assert_int_eq(revocations(), 0);
    look_for(2);
    ck_assert_int_eq(revocations(), 1);
    ck_assert_str_eq(kc_fake_request_last(fake, REVOKE)->form,
                     "token=" REFRESH_TOKEN "&token_type_hint=refresh_token");
    look_for(300);
    ck_assert_int_eq(revocations(), 1);
}
END_TEST

/* OpenID Connect Core 1.0 section 11: what was granted for when nobody is there outlives the
 * provider's sign-out. */
static void assert_revoked_at_once(void)
{
    const char *query = sign_out();

    ck_assert_ptr_nonnull(query);
    ck_assert_int_eq(revocations(), 1);
    ck_assert_ptr_nonnull(
        strstr(kc_fake_request_last(fake, REVOKE)->form, "&token_type_hint=refresh_token"));
    ck_assert_int_eq(come_back(query), KC_OK);
    look_for(300);
    ck_assert_int_eq(revocations(), 1);
}

START_TEST(an_offline_token_is_revoked_whoever_comes_back)
{
    apr_array_header_t *scope = apr_array_make(testlib_pool, 2, sizeof(const char *));

    APR_ARRAY_PUSH(scope, const char *) = "openid";
    APR_ARRAY_PUSH(scope, const char *) = "offline_access";
    site->conf->scope = scope;
    refresh_token = "opaque";
    assert_revoked_at_once();
}
END_TEST

/* Keycloak gives it without being asked when the client has that scope by default. */
START_TEST(so_is_one_that_says_so_itself)
{
    refresh_token = testlib_sign(TESTLIB_RSA, "RS256", "{\"alg\":\"RS256\"}",
                                 "{\"typ\":\"Offline\",\"sub\":\"f7f4\"}");
    assert_revoked_at_once();
}
END_TEST

START_TEST(another_kind_is_left_to_the_provider)
{
    static const char *const kinds[] = {"\"Refresh\"", "\"offline\"", "7", "null", "[\"Offline\"]"};
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        refresh_token =
            testlib_sign(TESTLIB_RSA, "RS256", "{\"alg\":\"RS256\"}",
                         apr_psprintf(testlib_pool, "{\"typ\":%s,\"sub\":\"f7f4\"}", kinds[i]));
        ck_assert_int_eq(come_back(sign_out()), KC_OK);
        look_for(300);
        ck_assert_int_eq(revocations(), 0);
    }
}
END_TEST

/* A state of another browser's brings nobody back. */
START_TEST(a_wrong_state_is_no_return)
{
    const char *query = sign_out();
    char *changed = apr_pstrdup(testlib_pool, query);

    changed[20] = changed[20] == 'A' ? 'B' : 'A';
    ck_assert_int_eq(come_back(changed), KC_REFUSED);
    look_for(KC_LOGOUT_PENDING_SECONDS + 1);
    ck_assert_int_eq(revocations(), 1);
}
END_TEST

/* The browser is late, and its slot another's by now. */
START_TEST(a_late_return_takes_nobody_elses_slot)
{
    const char *first = sign_out(), *jar;
    int i;

    jar = kc_fake_site_cookie(site, "__Host-keycloak_logout");
    look_for(KC_LOGOUT_PENDING_SECONDS + 1);
    ck_assert_int_eq(revocations(), 1);
    for (i = 0; i < KC_LOGOUT_PENDING_SLOTS; i++)
        ck_assert_ptr_nonnull(sign_out());
    kc_fake_site_plant(site, "__Host-keycloak_logout", jar);
    ck_assert_int_eq(come_back(first), KC_OK);
    look_for(KC_LOGOUT_PENDING_SECONDS + 1);
    ck_assert_int_eq(revocations(), 1 + KC_LOGOUT_PENDING_SLOTS);
}
END_TEST

START_TEST(when_all_slots_are_taken_one_is_revoked_at_once)
{
    int i;

    for (i = 0; i < KC_LOGOUT_PENDING_SLOTS; i++)
        ck_assert_ptr_nonnull(sign_out());
    ck_assert_int_eq(revocations(), 0);
    ck_assert_ptr_nonnull(sign_out());
    ck_assert_int_eq(revocations(), 1);
}
END_TEST

/* Each: what is so, and then it is revoked at once. */
START_TEST(where_nobody_would_come_back_it_is_revoked_at_once)
{
    const char *metadata;

    switch (_i) {
    case 0:
        site->client.is_program = 1;
        break;
    case 1:
        site->rp->is_attended = 0;
        break;
    default:
        metadata = kc_fake_site_metadata(site, ",\"revocation_endpoint\":\"" REVOKE "\"");
        memcpy(strstr(metadata, "\"end_session_endpoint\""), "\"xxx", 4);
        kc_fake_answer(fake, KC_FAKE_DISCOVERY, 200, "application/json", metadata);
        break;
    }
    (void)sign_out();
    ck_assert_int_eq(revocations(), 1);
    look_for(300);
    ck_assert_int_eq(revocations(), 1);
}
END_TEST

/* The store takes nothing of it: then it is revoked at once, for nobody would remember. */
static kc_rc_t no_add(kc_store_t *store, const char *key, kc_bytes_t value, int64_t expires_at,
                      kc_err_t *err)
{
    (void)store, (void)key, (void)value, (void)expires_at;
    return KC_FAIL(err, KC_DOWN, KC_ERR_STORE_DOWN, "down");
}

START_TEST(a_store_that_takes_nothing_has_it_revoked_at_once)
{
    kc_store_vtable_t vtable = *fake->sessions.store.vtable;

    vtable.add = no_add;
    fake->sessions.store.vtable = &vtable;
    (void)sign_out();
    ck_assert_int_eq(revocations(), 1);
}
END_TEST

/* The node that has it stops; another with the same store and settings does it, after one of its
 * rarer looks. */
START_TEST(another_node_does_it)
{
    kc_fake_t *other = kc_fake_make(testlib_pool);

    ck_assert_ptr_nonnull(sign_out());
    fake->env.host = other->env.host; /* another host's memory */
    look_for(KC_LOGOUT_PENDING_IDLE + KC_LOGOUT_PENDING_SECONDS + 1);
    ck_assert_int_eq(revocations(), 1);
}
END_TEST

/* A key that has been replaced by a newer one since still opens it. */
START_TEST(it_is_found_under_an_older_key)
{
    ck_assert_ptr_nonnull(sign_out());
    site->keys = kc_fake_site_keys(site, "fedcba9876543210fedcba9876543210",
                                   "0123456789abcdef0123456789abcdef");
    kc_fake_site_renew(site);
    look_for(KC_LOGOUT_PENDING_IDLE + KC_LOGOUT_PENDING_SECONDS + 1);
    ck_assert_int_eq(revocations(), 1);
}
END_TEST

START_TEST(a_provider_that_fails_is_asked_again)
{
    int count;

    ck_assert_ptr_nonnull(sign_out());
    kc_fake_answer(fake, REVOKE, 503, "text/plain", "");
    look_for(KC_LOGOUT_PENDING_SECONDS + 60);
    ck_assert_int_gt(revocations(), 1);
    ck_assert_int_lt(revocations(), 8);
    ck_assert(kc_fake_log_has(fake, "KC0201: a refresh token could not be revoked"));
    kc_fake_answer(fake, REVOKE, 200, "text/plain", "");
    look_for(30);
    count = revocations();
    look_for(300);
    ck_assert_int_eq(revocations(), count);
    ck_assert(!kc_fake_log_has(fake, REFRESH_TOKEN));
}
END_TEST

START_TEST(a_provider_that_fails_for_longer_is_given_up)
{
    int count;

    ck_assert_ptr_nonnull(sign_out());
    kc_fake_answer(fake, REVOKE, 503, "text/plain", "");
    look_for(KC_LOGOUT_PENDING_SECONDS + KC_LOGOUT_PENDING_KEEP);
    count = revocations();
    look_for(300);
    ck_assert_int_eq(revocations(), count);
}
END_TEST

START_TEST(what_the_provider_refuses_is_not_asked_again)
{
    ck_assert_ptr_nonnull(sign_out());
    kc_fake_answer(fake, REVOKE, 400, "application/json", "{\"error\":\"unsupported_token_type\"}");
    look_for(KC_LOGOUT_PENDING_SECONDS + KC_LOGOUT_PENDING_KEEP);
    ck_assert_int_eq(revocations(), 1);
    ck_assert(kc_fake_log_has(fake, "KC0308"));
}
END_TEST

/* Children of one host take turns, and an idle host looks rarely. */
START_TEST(a_host_that_has_nothing_pending_asks_rarely)
{
    look_for(300);
    ck_assert_int_le(fake->sessions.gets, (int)(300 / KC_LOGOUT_PENDING_IDLE + 1) *
                                              KC_LOGOUT_PENDING_SLOTS / KC_STORE_GET_MAX);
    ck_assert_int_eq(fake->sessions.puts + fake->sessions.adds, 0);
}
END_TEST

START_TEST(a_child_that_ends_leaves_it_to_the_next)
{
    const uint32_t stop = 1;

    ck_assert_ptr_nonnull(sign_out());
    fake->now += KC_LOGOUT_PENDING_SECONDS;
    kc_logout_pending_look(site->rp, &fake->http.http, &stop);
    ck_assert_int_eq(revocations(), 0);
    look_for(KC_LOGOUT_PENDING_IDLE + 1);
    ck_assert_int_eq(revocations(), 1);
}
END_TEST

/* What lies in a slot is no token of ours, or none at all: nothing comes of it. */
START_TEST(what_cannot_be_opened_is_left_alone)
{
    int i, changed = 0;

    ck_assert_ptr_nonnull(sign_out());
    for (i = 0; i < fake->sessions.entries->nelts; i++) {
        kc_fake_entry_t *entry = &APR_ARRAY_IDX(fake->sessions.entries, i, kc_fake_entry_t);

        if (entry->key[0] && entry->len > 40) {
            entry->data[entry->len - 1] ^= 1;
            changed++;
        }
    }
    ck_assert_int_gt(changed, 0);
    look_for(300);
    ck_assert_int_eq(revocations(), 0);
}
END_TEST

Suite *kc_test_logout_pending(void)
{
    Suite *suite = suite_create("logout_pending");
    TCase *tests = tcase_create("pending");

    tcase_add_unchecked_fixture(tests, make_keys, NULL);
    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, who_comes_back_in_time_is_left_to_the_provider);
    tcase_add_test(tests, who_does_not_come_back_is_revoked_once);
    tcase_add_test(tests, an_offline_token_is_revoked_whoever_comes_back);
    tcase_add_test(tests, so_is_one_that_says_so_itself);
    tcase_add_test(tests, another_kind_is_left_to_the_provider);
    tcase_add_test(tests, a_wrong_state_is_no_return);
    tcase_add_test(tests, a_late_return_takes_nobody_elses_slot);
    tcase_add_test(tests, when_all_slots_are_taken_one_is_revoked_at_once);
    tcase_add_loop_test(tests, where_nobody_would_come_back_it_is_revoked_at_once, 0, 3);
    tcase_add_test(tests, a_store_that_takes_nothing_has_it_revoked_at_once);
    tcase_add_test(tests, another_node_does_it);
    tcase_add_test(tests, it_is_found_under_an_older_key);
    tcase_add_test(tests, a_provider_that_fails_is_asked_again);
    tcase_add_test(tests, a_provider_that_fails_for_longer_is_given_up);
    tcase_add_test(tests, what_the_provider_refuses_is_not_asked_again);
    tcase_add_test(tests, a_host_that_has_nothing_pending_asks_rarely);
    tcase_add_test(tests, a_child_that_ends_leaves_it_to_the_next);
    tcase_add_test(tests, what_cannot_be_opened_is_left_alone);
    suite_add_tcase(suite, tests);
    return suite;
}
