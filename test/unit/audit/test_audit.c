/* Tests of audit.h: events are told, actors are found, hashes, and the rate of refusals.
 * SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit.h"

#include <check.h>
#include <string.h>

#include "fake.h"
#include "testlib.h"

Suite *kc_test_audit(void);

START_TEST(without_a_log_nothing_is_told)
{
    const kc_audit_event_t event = {.kind = KC_AUDIT_SIGN_IN, .reason = KC_ERR_EVENT_SIGN_IN};
    kc_fake_t *fake = kc_fake_make(testlib_pool);

    kc_audit_tell(&fake->env, &event);
    ck_assert_int_eq(fake->audit->nelts, 1);
    fake->env.audit = NULL;
    kc_audit_tell(&fake->env, &event);
    ck_assert_int_eq(fake->audit->nelts, 1);
}
END_TEST

typedef struct {
    const char *claims;
    const char *actor;
} actor_t;

static const actor_t actors[] = {
    {"{\"sub\":\"a\"}", NULL},
    {"{\"act\":{\"sub\":\"admin\"}}", "admin"},
    {"{\"act\":{\"sub\":\"outer\",\"act\":{\"sub\":\"inner\"}}}", "outer"},
    {"{\"act\":\"admin\"}", NULL},
    {"{\"act\":{\"sub\":7}}", NULL},
    {"{\"act\":{\"sub\":\"\"},\"impersonator\":{\"id\":\"f1\"}}", "f1"},
    {"{\"impersonator\":{\"id\":\"f1\",\"username\":\"root\"}}", "root"},
    {"{\"impersonator.id\":\"f2\"}", "f2"},
    {"{\"impersonator\":[\"root\"]}", NULL},
};

START_TEST(who_acts_is_found)
{
    const kc_json_t *claims;
    const char *actor;

    ck_assert_int_eq(
        kc_json_parse(actors[_i].claims, strlen(actors[_i].claims), testlib_pool, &claims, NULL),
        KC_OK);
    actor = kc_audit_actor(claims);
    if (actors[_i].actor)
        ck_assert_pstr_eq(actor, actors[_i].actor);
    else
        ck_assert_ptr_null(actor);
    ck_assert_ptr_null(kc_audit_actor(NULL));
}
END_TEST

START_TEST(a_hash_is_short_and_always_the_same)
{
    char one[KC_AUDIT_HASH_TEXT + 1], other[KC_AUDIT_HASH_TEXT + 1];

    kc_audit_hash("abc", one);
    ck_assert_str_eq(one, "ba7816bf8f01cfea"); /* FIPS 180-2 appendix B.1 */
    kc_audit_hash("abd", other);
    ck_assert_str_ne(one, other);
    kc_audit_hash("", one);
    ck_assert_str_eq(one, "");
    kc_audit_hash(NULL, one);
    ck_assert_str_eq(one, "");
}
END_TEST

static int passing(kc_audit_rate_t *rate, kc_audit_kind_t kind, int64_t now_ms, int count)
{
    const kc_audit_event_t event = {.kind = kind, .reason = KC_ERR_INVALID_TOKEN};
    int passed = 0;

    while (count--)
        passed += kc_audit_rate_allows(rate, &event, now_ms);
    return passed;
}

START_TEST(refusals_are_bounded_by_burst_and_by_second)
{
    const int64_t begin = 5000;
    kc_audit_rate_t rate = {0};

    ck_assert_int_eq(passing(&rate, KC_AUDIT_BEARER_REFUSED, begin, 1000), KC_AUDIT_RATE_BURST);
    ck_assert_uint_eq(rate.omitted, 1000 - KC_AUDIT_RATE_BURST);
    ck_assert_int_eq(passing(&rate, KC_AUDIT_SIGN_IN_REFUSED, begin + 1000, 1000),
                     KC_AUDIT_RATE_SECOND);
    ck_assert_int_eq(passing(&rate, KC_AUDIT_BEARER_REFUSED, begin + 1000000, 1000),
                     KC_AUDIT_RATE_BURST);
}
END_TEST

START_TEST(what_strangers_cannot_cause_is_never_bounded)
{
    kc_audit_rate_t rate = {0};
    int kind;

    ck_assert_int_eq(passing(&rate, KC_AUDIT_BEARER_REFUSED, 1, 1000), KC_AUDIT_RATE_BURST);
    rate.omitted = 0;
    for (kind = 0; kind < KC_AUDIT_KINDS; kind++) {
        if (kind != KC_AUDIT_BEARER_REFUSED && kind != KC_AUDIT_SIGN_IN_REFUSED)
            ck_assert_int_eq(passing(&rate, (kc_audit_kind_t)kind, 1, 500), 500);
    }
    ck_assert_uint_eq(rate.omitted, 0);
}
END_TEST

START_TEST(a_clock_that_goes_back_stops_nothing)
{
    kc_audit_rate_t rate = {0};

    ck_assert_int_eq(passing(&rate, KC_AUDIT_BEARER_REFUSED, 1000000, 1000), KC_AUDIT_RATE_BURST);
    ck_assert_int_eq(passing(&rate, KC_AUDIT_BEARER_REFUSED, 1000, 1000), KC_AUDIT_RATE_BURST);
}
END_TEST

Suite *kc_test_audit(void)
{
    Suite *suite = suite_create("audit");
    TCase *tests = tcase_create("audit");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, without_a_log_nothing_is_told);
    tcase_add_loop_test(tests, who_acts_is_found, 0, sizeof(actors) / sizeof(actors[0]));
    tcase_add_test(tests, a_hash_is_short_and_always_the_same);
    tcase_add_test(tests, refusals_are_bounded_by_burst_and_by_second);
    tcase_add_test(tests, what_strangers_cannot_cause_is_never_bounded);
    tcase_add_test(tests, a_clock_that_goes_back_stops_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
