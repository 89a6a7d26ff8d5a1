/* Tests of patience.h, with a clock and a descriptor that do as they are told.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <poll.h>
#include <string.h>

#include "patience.h"
#include "testlib.h"

Suite *kc_test_patience(void);

enum { SLICE = 50, NEVER = 1000000 };

static int64_t clock_ms;
static int64_t ready_at; /* when the answer is there */
static int64_t stop_at;  /* when this process is stopped: what it waits for ends only later */
static int64_t stop_ms;
static int64_t stop_again; /* it is stopped again so long after it goes on; 0: it is not */
static int polls;
static int signals; /* so many come before anything else */
static kc_breaker_t breaker;
static kc_patience_t patience;

static int64_t fake_now(void *context)
{
    (void)context;
    return clock_ms;
}

static void pass(int64_t until)
{
    while (stop_at <= until) {
        int64_t resumed = stop_at + stop_ms;

        if (resumed > until)
            until = resumed;
        stop_at = stop_again ? resumed + stop_again : NEVER;
    }
    if (until > clock_ms)
        clock_ms = until;
}

static int fake_poll(void *context, int fd, short events, int64_t milliseconds)
{
    (void)context;
    ck_assert_int_eq(fd, 7);
    ck_assert_int_eq(events, POLLIN);
    ck_assert_int_ge(milliseconds, 0);
    polls++;
    ck_assert_int_lt(polls, 1000);
    if (signals > 0) {
        signals--;
        return -1;
    }
    if (ready_at <= clock_ms)
        return 1;
    pass(ready_at < clock_ms + milliseconds ? ready_at : clock_ms + milliseconds);
    /* as if the kernel had not looked again at the end: that is for us to do */
    return ready_at <= clock_ms && milliseconds && clock_ms <= ready_at;
}

static const kc_patience_world_t world = {fake_now, fake_poll, NULL};

static void setup(void)
{
    testlib_setup();
    clock_ms = 1000;
    ready_at = stop_at = NEVER;
    stop_ms = stop_again = polls = signals = 0;
    memset(&breaker, 0, sizeof(breaker));
    kc_patience_start(&patience, SLICE, &world);
}

static int wait_for_it(void)
{
    return kc_patience_wait(&patience, 7, POLLIN, &breaker);
}

START_TEST(an_answer_is_waited_for)
{
    ready_at = 1030;
    ck_assert_int_eq(wait_for_it(), 1);
    ck_assert_int_eq(clock_ms, 1030);
}
END_TEST

START_TEST(a_late_answer_is_waited_for_up_to_three_times)
{
    ready_at = 1149;
    ck_assert_int_eq(wait_for_it(), 1);
    ck_assert_int_eq(clock_ms, 1149);
}
END_TEST

START_TEST(silence_has_an_end)
{
    ck_assert_int_eq(wait_for_it(), 0);
    ck_assert_int_eq(clock_ms, 1000 + KC_PATIENCE_SLICES * SLICE);
    ck_assert_int_eq(wait_for_it(), 0);
    ck_assert_int_eq(clock_ms, 1000 + KC_PATIENCE_SLICES * SLICE);
}
END_TEST

/* It was stopped before the end of the time, and goes on long after that. */
START_TEST(an_answer_that_came_while_we_were_stopped_is_taken)
{
    stop_at = 1010;
    stop_ms = 1000;
    ready_at = 1011;
    ck_assert_int_eq(wait_for_it(), 1);
    ck_assert_int_eq(clock_ms, 2010);
    ck_assert_int_eq(patience.slices, KC_PATIENCE_SLICES);
}
END_TEST

START_TEST(the_last_look_finds_what_has_just_come)
{
    stop_at = 1149;
    stop_ms = 5;
    ready_at = 1152;
    ck_assert_int_eq(wait_for_it(), 1);
    ck_assert_int_eq(clock_ms, 1154);
}
END_TEST

/* All processes were stopped together: the answer comes after that. */
START_TEST(time_that_passed_without_us_does_not_count)
{
    stop_at = 1010;
    stop_ms = 200;
    stop_again = 40;
    ready_at = 1000 + 4 * 200 + 3 * 40 + 15;
    ck_assert_int_eq(wait_for_it(), 1);
}
END_TEST

START_TEST(but_not_for_ever)
{
    stop_at = 1010;
    stop_ms = 200;
    stop_again = 10;
    ck_assert_int_eq(wait_for_it(), 0);
    ck_assert_int_lt(clock_ms, 1000 + (KC_PATIENCE_SLICES + KC_PATIENCE_STOPS) * 260);
}
END_TEST

START_TEST(nobody_waits_on_for_what_is_known_to_be_down)
{
    ck_assert_int_eq(kc_breaker_fail(&breaker, KC_BREAKER_CLOSED, KC_BREAKER_REFUSED, 1000, 1000),
                     1);
    ck_assert_int_eq(wait_for_it(), 0);
    ck_assert_int_eq(clock_ms, 1000 + SLICE);
    kc_patience_start(&patience, SLICE, &world);
    ck_assert_int_eq(kc_patience_wait(&patience, 7, POLLIN, NULL), 0); /* but who tries does */
    ck_assert_int_eq(clock_ms, 1000 + SLICE + KC_PATIENCE_SLICES * SLICE);
}
END_TEST

START_TEST(where_there_is_something_else_to_try_a_slice_is_enough)
{
    ck_assert_int_eq(kc_patience_wait_slice(&patience, 7, POLLIN), 0);
    ck_assert_int_eq(clock_ms, 1000 + SLICE);
    ready_at = 1000 + SLICE + 10;
    ck_assert_int_eq(kc_patience_wait_slice(&patience, 7, POLLIN), 1);
    ck_assert_int_eq(patience.slices, KC_PATIENCE_SLICES - 1);
}
END_TEST

START_TEST(ended_it_takes_what_is_there)
{
    kc_patience_end(&patience);
    ck_assert_int_eq(wait_for_it(), 0);
    ready_at = 1000;
    ck_assert_int_eq(wait_for_it(), 1);
    ck_assert_int_eq(clock_ms, 1000);
}
END_TEST

/* A byte at a time, each just when it is looked for. */
START_TEST(drops_have_an_end)
{
    int taken = 0;

    kc_patience_end(&patience);
    ready_at = 0;
    while (wait_for_it())
        ck_assert_int_le(++taken, KC_PATIENCE_LOOKS);
    for (taken = 0; kc_patience_count(&patience); taken++)
        ck_assert_int_le(taken, KC_PATIENCE_PIECES);
    ck_assert_int_eq(kc_patience_count(&patience), 0);
}
END_TEST

START_TEST(signals_shorten_nothing)
{
    signals = 5;
    ready_at = 1040;
    ck_assert_int_eq(wait_for_it(), 1);
    ck_assert_int_eq(clock_ms, 1040);
}
END_TEST

Suite *kc_test_patience(void)
{
    Suite *suite = suite_create("patience");
    TCase *tests = tcase_create("patience");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, an_answer_is_waited_for);
    tcase_add_test(tests, a_late_answer_is_waited_for_up_to_three_times);
    tcase_add_test(tests, silence_has_an_end);
    tcase_add_test(tests, an_answer_that_came_while_we_were_stopped_is_taken);
    tcase_add_test(tests, the_last_look_finds_what_has_just_come);
    tcase_add_test(tests, time_that_passed_without_us_does_not_count);
    tcase_add_test(tests, but_not_for_ever);
    tcase_add_test(tests, nobody_waits_on_for_what_is_known_to_be_down);
    tcase_add_test(tests, where_there_is_something_else_to_try_a_slice_is_enough);
    tcase_add_test(tests, ended_it_takes_what_is_there);
    tcase_add_test(tests, drops_have_an_end);
    tcase_add_test(tests, signals_shorten_nothing);
    suite_add_tcase(suite, tests);
    return suite;
}
