/* Tests of breaker.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "breaker.h"
#include "testlib.h"

Suite *kc_test_breaker(void);

static kc_breaker_t breaker;

static void setup(void)
{
    testlib_setup();
    memset(&breaker, 0, sizeof(breaker));
}

START_TEST(it_is_closed_until_something_fails)
{
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 1);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5000), KC_BREAKER_CLOSED);
    ck_assert_int_eq(kc_breaker_succeed(&breaker, KC_BREAKER_CLOSED), 0);
    ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, 5000), 1);
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 0);
}
END_TEST

START_TEST(open_it_lets_one_through_at_a_time)
{
    (void)kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, 5000);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5099), KC_BREAKER_OPEN);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5100), KC_BREAKER_PROBE);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5100), KC_BREAKER_OPEN);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5599), KC_BREAKER_OPEN);
    /* whoever probed has not come back */
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5600), KC_BREAKER_PROBE);
}
END_TEST

START_TEST(it_waits_longer_each_time_up_to_half_a_second)
{
    static const int64_t waits[] = {100, 200, 400, 500, 500, 500};
    int64_t now = 5000;
    size_t i;

    (void)kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, now);
    for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        ck_assert_int_eq(kc_breaker_ask(&breaker, now + waits[i] - 1), KC_BREAKER_OPEN);
        now += waits[i];
        ck_assert_int_eq(kc_breaker_ask(&breaker, now), KC_BREAKER_PROBE);
        ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_PROBE, now), 0);
    }
}
END_TEST

START_TEST(a_probe_that_works_closes_it_and_all_begins_anew)
{
    (void)kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, 5000);
    (void)kc_breaker_ask(&breaker, 5100);
    (void)kc_breaker_fail(&breaker, KC_BREAKER_PROBE, 5100);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5300), KC_BREAKER_PROBE);
    ck_assert_int_eq(kc_breaker_succeed(&breaker, KC_BREAKER_PROBE), 1);
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 1);
    ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, 6000), 1);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 6100), KC_BREAKER_PROBE);
}
END_TEST

/* Sixty threads meet the same dead server. */
START_TEST(many_that_fail_together_count_as_one)
{
    int i, opened = 0;

    for (i = 0; i < 60; i++)
        opened += kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, 5000 + i);
    ck_assert_int_eq(opened, 1);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5100), KC_BREAKER_PROBE);
}
END_TEST

Suite *kc_test_breaker(void)
{
    Suite *suite = suite_create("breaker");
    TCase *tests = tcase_create("breaker");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, it_is_closed_until_something_fails);
    tcase_add_test(tests, open_it_lets_one_through_at_a_time);
    tcase_add_test(tests, it_waits_longer_each_time_up_to_half_a_second);
    tcase_add_test(tests, a_probe_that_works_closes_it_and_all_begins_anew);
    tcase_add_test(tests, many_that_fail_together_count_as_one);
    suite_add_tcase(suite, tests);
    return suite;
}
