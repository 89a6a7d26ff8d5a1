/* Tests of wait_limit.h, with a clock that the tests set.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>
#include <time.h>

#include "net/wait_limit.h"
#include "testlib.h"

Suite *kc_test_wait_limit(void);

enum { START = 1000, SLICE = 50, ALL = KC_WAIT_LIMIT_SLICES * SLICE };

static int64_t clock_ms;
static kc_breaker_t breaker;
static kc_wait_limit_t limit;
static const kc_wait_limit_time_t with_breaker = {&limit, &breaker};
static const kc_wait_limit_time_t alone = {&limit, NULL};

static int64_t fake_now(void *context)
{
    (void)context;
    return clock_ms;
}

static const kc_wait_limit_world_t world = {fake_now, NULL};

static void setup(void)
{
    testlib_setup();
    clock_ms = START;
    memset(&breaker, 0, sizeof(breaker));
    kc_wait_limit_start(&limit, SLICE, &world);
}

START_TEST(an_operation_has_three_slices)
{
    ck_assert_int_eq(kc_wait_limit_left(&with_breaker), ALL);
    clock_ms += ALL - 1;
    ck_assert_int_eq(kc_wait_limit_left(&with_breaker), 1);
    clock_ms++;
    ck_assert_int_eq(kc_wait_limit_left(&with_breaker), 0);
    clock_ms += 10 * ALL;
    ck_assert_int_eq(kc_wait_limit_left(&with_breaker), 0);
}
END_TEST

/* Who tries whether it works again asks nobody. */
START_TEST(nobody_waits_on_for_what_is_known_to_be_down)
{
    ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, KC_BREAKER_REFUSED, START, START),
                     1);
    ck_assert_int_eq(kc_wait_limit_left(&with_breaker), SLICE);
    ck_assert_int_eq(kc_wait_limit_left(&alone), ALL);
    clock_ms += SLICE;
    ck_assert_int_eq(kc_wait_limit_left(&with_breaker), 0);
    ck_assert_int_eq(kc_wait_limit_left(&alone), ALL - SLICE);
}
END_TEST

START_TEST(a_wait_of_its_length_is_no_excuse)
{
    clock_ms += ALL;
    ck_assert_int_eq(kc_wait_limit_excuse(&limit, START, ALL), 0);
    clock_ms += KC_WAIT_LIMIT_STOPPED_MS - 1;
    ck_assert_int_eq(kc_wait_limit_excuse(&limit, START, ALL), 0);
    ck_assert_int_eq(kc_wait_limit_left(&alone), 0);
}
END_TEST

/* All processes were stopped together: the answer comes after that. */
START_TEST(time_that_passed_without_us_does_not_count)
{
    int i;

    for (i = 0; i < KC_WAIT_LIMIT_STOPS; i++) {
        int64_t since = clock_ms;

        clock_ms += ALL + KC_WAIT_LIMIT_STOPPED_MS;
        ck_assert_int_eq(kc_wait_limit_left(&alone), 0);
        ck_assert_int_eq(kc_wait_limit_excuse(&limit, since, ALL), 1);
        ck_assert_int_eq(kc_wait_limit_left(&alone), ALL);
    }
    clock_ms += ALL + KC_WAIT_LIMIT_STOPPED_MS;
    ck_assert_int_eq(kc_wait_limit_excuse(&limit, clock_ms - ALL - KC_WAIT_LIMIT_STOPPED_MS, ALL),
                     0);
    ck_assert_int_eq(kc_wait_limit_left(&alone), 0);
}
END_TEST

START_TEST(ended_it_has_no_time_and_no_excuse)
{
    kc_wait_limit_end(&limit);
    ck_assert_int_eq(kc_wait_limit_left(&alone), 0);
    clock_ms += 10 * ALL;
    ck_assert_int_eq(kc_wait_limit_excuse(&limit, START, 1), 0);
    ck_assert_int_eq(kc_wait_limit_left(&alone), 0);
}
END_TEST

static int64_t monotonic_ms(void)
{
    struct timespec now;

    ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* In whichever part of a second. */
START_TEST(the_real_clock_counts_milliseconds)
{
    int64_t begin = monotonic_ms();

    do {
        int64_t before = monotonic_ms(), now = kc_wait_limit_now(), after = monotonic_ms();

        ck_assert_int_ge(now, before);
        ck_assert_int_le(now, after);
    } while (monotonic_ms() - begin < 5);
}
END_TEST

START_TEST(the_real_clock_goes_on)
{
    int64_t before = kc_wait_limit_now();

    kc_wait_limit_start(&limit, SLICE, NULL);
    ck_assert_int_ge(limit.began, before);
    ck_assert_int_le(kc_wait_limit_left(&alone), ALL);
}
END_TEST

Suite *kc_test_wait_limit(void)
{
    Suite *suite = suite_create("wait_limit");
    TCase *tests = tcase_create("wait_limit");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, an_operation_has_three_slices);
    tcase_add_test(tests, nobody_waits_on_for_what_is_known_to_be_down);
    tcase_add_test(tests, a_wait_of_its_length_is_no_excuse);
    tcase_add_test(tests, time_that_passed_without_us_does_not_count);
    tcase_add_test(tests, ended_it_has_no_time_and_no_excuse);
    tcase_add_test(tests, the_real_clock_counts_milliseconds);
    tcase_add_test(tests, the_real_clock_goes_on);
    suite_add_tcase(suite, tests);
    return suite;
}
