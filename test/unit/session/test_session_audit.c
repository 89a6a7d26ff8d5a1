/* Tests of session_audit.h: the hash of a session, and what an event says of it.
 * SPDX-License-Identifier: Apache-2.0 */
#include "session/session_audit.h"

#include <check.h>
#include <string.h>

#include "fake_site.h"
#include "testlib.h"

Suite *kc_test_session_audit(void);

static kc_session_t session_with(char first)
{
    kc_session_t session = {.user = "alice", .sub = "a1", .acr = "gold", .sid = "s1"};

    memset(session.key, first, KC_STORE_KEY_LEN);
    return session;
}

START_TEST(a_hash_is_the_sessions_own_and_not_its_key)
{
    const kc_session_t one = session_with('a'), same = session_with('a'), other = session_with('b');
    char hashes[3][KC_AUDIT_HASH_TEXT + 1];

    kc_session_audit_hash(&one, hashes[0]);
    kc_session_audit_hash(&same, hashes[1]);
    kc_session_audit_hash(&other, hashes[2]);
    ck_assert_uint_eq(strlen(hashes[0]), KC_AUDIT_HASH_TEXT);
    ck_assert_str_eq(hashes[0], hashes[1]);
    ck_assert_str_ne(hashes[0], hashes[2]);
    ck_assert_int_ne(strncmp(hashes[0], one.key, KC_AUDIT_HASH_TEXT), 0);
}
END_TEST

START_TEST(an_event_says_whose_session_it_is)
{
    const kc_audit_event_t more = {
        .kind = KC_AUDIT_SESSION_ENDED, .reason = KC_ERR_REFRESH_REFUSED, .cause = "c", .act = "x"};
    kc_fake_site_t *site = kc_fake_site_make(testlib_pool);
    const kc_session_t session = session_with('a');
    const kc_audit_event_t *event;
    char hash[KC_AUDIT_HASH_TEXT + 1];

    kc_session_audit_tell(site->rp, &session, &more);
    ck_assert_int_eq(site->fake->audit->nelts, 1);
    event = &APR_ARRAY_IDX(site->fake->audit, 0, kc_audit_event_t);
    ck_assert_int_eq((int)event->kind, KC_AUDIT_SESSION_ENDED);
    ck_assert_int_eq((int)event->reason, KC_ERR_REFRESH_REFUSED);
    ck_assert_str_eq(event->cause, "c");
    ck_assert_str_eq(event->act, "x");
    ck_assert_str_eq(event->user, "alice");
    ck_assert_str_eq(event->sub, "a1");
    ck_assert_str_eq(event->acr, "gold");
    ck_assert_str_eq(event->sid, "s1");
    kc_session_audit_hash(&session, hash);
    ck_assert_str_eq(event->session, hash);
    site->fake->env.audit = NULL;
    kc_session_audit_tell(site->rp, &session, &more);
    ck_assert_int_eq(site->fake->audit->nelts, 1);
}
END_TEST

Suite *kc_test_session_audit(void)
{
    Suite *suite = suite_create("session_audit");
    TCase *tests = tcase_create("session_audit");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, a_hash_is_the_sessions_own_and_not_its_key);
    tcase_add_test(tests, an_event_says_whose_session_it_is);
    suite_add_tcase(suite, tests);
    return suite;
}
