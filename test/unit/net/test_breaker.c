/* Tests of breaker.h.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "net/breaker.h"
#include "testlib.h"

Suite *kc_test_breaker(void);

static kc_breaker_t breaker;

static void setup(void)
{
    testlib_setup();
    memset(&breaker, 0, sizeof(breaker));
}

/* It was not there at all. */
static int refuse(kc_breaker_state_t state, int64_t now)
{
    return kc_breaker_fail(&breaker, state, KC_BREAKER_REFUSED, now, now);
}

START_TEST(it_is_closed_until_something_fails)
{
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 1);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5000), KC_BREAKER_CLOSED);
    ck_assert_int_eq(kc_breaker_succeed(&breaker, KC_BREAKER_CLOSED, 4000), 0);
    ck_assert_int_eq(refuse(KC_BREAKER_CLOSED, 5000), 1);
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 0);
}
END_TEST

START_TEST(open_it_lets_one_through_at_a_time)
{
    (void)refuse(KC_BREAKER_CLOSED, 5000);
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

    (void)refuse(KC_BREAKER_CLOSED, now);
    for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        ck_assert_int_eq(kc_breaker_ask(&breaker, now + waits[i] - 1), KC_BREAKER_OPEN);
        now += waits[i];
        ck_assert_int_eq(kc_breaker_ask(&breaker, now), KC_BREAKER_PROBE);
        ck_assert_int_eq(refuse(KC_BREAKER_PROBE, now), 0);
    }
}
END_TEST

START_TEST(a_probe_that_works_closes_it_and_all_begins_anew)
{
    (void)refuse(KC_BREAKER_CLOSED, 5000);
    (void)kc_breaker_ask(&breaker, 5100);
    (void)refuse(KC_BREAKER_PROBE, 5100);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5300), KC_BREAKER_PROBE);
    ck_assert_int_eq(kc_breaker_succeed(&breaker, KC_BREAKER_PROBE, 5300), 1);
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 1);
    ck_assert_int_eq(refuse(KC_BREAKER_CLOSED, 6000), 1);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 6100), KC_BREAKER_PROBE);
    (void)refuse(KC_BREAKER_PROBE, 6100);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 6299), KC_BREAKER_OPEN);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 6300), KC_BREAKER_PROBE);
}
END_TEST

/* Sixty threads meet the same dead server. */
START_TEST(many_that_fail_together_count_as_one)
{
    int i, opened = 0;

    for (i = 0; i < 60; i++)
        opened += refuse(KC_BREAKER_CLOSED, 5000 + i);
    ck_assert_int_eq(opened, 1);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5100), KC_BREAKER_PROBE);
}
END_TEST

static int fail_late(int64_t began, int64_t now)
{
    return kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, KC_BREAKER_LATE, began, now);
}

/* Silent to one, it answered another: it is slow, or the machine is busy. */
START_TEST(a_late_answer_opens_it_only_if_nobody_was_answered)
{
    int i;

    (void)kc_breaker_succeed(&breaker, KC_BREAKER_CLOSED, 5010);
    for (i = 0; i < 10; i++)
        ck_assert_int_eq(fail_late(5000, 5150), 0);
    ck_assert_int_eq(fail_late(5010, 5160), 0);
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 1);
    ck_assert_int_eq(fail_late(5011, 5161), 1);
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 0);
    ck_assert_int_eq(fail_late(5011, 5161), 0);
}
END_TEST

START_TEST(other_failures_open_it_when_three_follow_each_other)
{
    int round, i;

    for (round = 0; round < 3; round++) {
        for (i = 1; i < KC_BREAKER_WRONG_MAX; i++)
            ck_assert_int_eq(
                kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, KC_BREAKER_WRONG, 5000, 5000), 0);
        (void)kc_breaker_succeed(&breaker, KC_BREAKER_CLOSED, 5000);
    }
    for (i = 1; i <= KC_BREAKER_WRONG_MAX; i++)
        ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, KC_BREAKER_WRONG, 5000, 5000),
                         i == KC_BREAKER_WRONG_MAX);
}
END_TEST

/* Who probes decides, however it failed. */
START_TEST(a_probe_counts_by_itself)
{
    (void)refuse(KC_BREAKER_CLOSED, 5000);
    (void)kc_breaker_succeed(&breaker, KC_BREAKER_CLOSED, 5050); /* asked before that */
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5100), KC_BREAKER_PROBE);
    ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_PROBE, KC_BREAKER_LATE, 5040, 5190), 0);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5389), KC_BREAKER_OPEN);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5390), KC_BREAKER_PROBE);
}
END_TEST

/* A probe that hangs is followed by others, and what they found out stands. */
START_TEST(a_probe_that_ends_after_a_later_one_undoes_nothing)
{
    (void)refuse(KC_BREAKER_CLOSED, 5000);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5100), KC_BREAKER_PROBE);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 5600), KC_BREAKER_PROBE);
    ck_assert_int_eq(kc_breaker_succeed(&breaker, KC_BREAKER_PROBE, 5610), 1);
    ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_PROBE, KC_BREAKER_LATE, 5100, 8100), 0);
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 1);
    ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_PROBE, KC_BREAKER_WRONG, 5100, 8100), 0);
    ck_assert_int_eq(kc_breaker_is_closed(&breaker), 1);
    /* gone again: that is news */
    ck_assert_int_eq(refuse(KC_BREAKER_PROBE, 8100), 1);
    ck_assert_int_eq(kc_breaker_ask(&breaker, 8200), KC_BREAKER_PROBE);
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
    tcase_add_test(tests, a_late_answer_opens_it_only_if_nobody_was_answered);
    tcase_add_test(tests, other_failures_open_it_when_three_follow_each_other);
    tcase_add_test(tests, a_probe_counts_by_itself);
    tcase_add_test(tests, a_probe_that_ends_after_a_later_one_undoes_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
