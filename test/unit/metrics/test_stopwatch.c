/* Tests of stopwatch.h: each thread adds up its own waits.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <pthread.h>

#include "metrics/stopwatch.h"

Suite *kc_test_stopwatch(void);

START_TEST(waits_add_up)
{
    int64_t before = kc_stopwatch_total(KC_STOPWATCH_STORE), now = kc_stopwatch_now(), one, two;

    one = kc_stopwatch_stop(KC_STOPWATCH_STORE, now - 1000);
    two = kc_stopwatch_stop(KC_STOPWATCH_STORE, now - 5000000);
    ck_assert_int_ge(one, 1000);
    ck_assert_int_ge(two, 5000000);
    ck_assert_int_eq(kc_stopwatch_total(KC_STOPWATCH_STORE) - before, one + two);
    ck_assert_int_eq(kc_stopwatch_total(KC_STOPWATCH_PROVIDER), 0);
}
END_TEST

static void *read_total(void *out)
{
    *(int64_t *)out = kc_stopwatch_total(KC_STOPWATCH_PROVIDER);
    return NULL;
}

START_TEST(another_thread_has_its_own)
{
    int64_t other = -1;
    pthread_t thread;

    (void)kc_stopwatch_stop(KC_STOPWATCH_PROVIDER, kc_stopwatch_now() - 1000);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_total, &other), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(other, 0);
    ck_assert_int_ge(kc_stopwatch_total(KC_STOPWATCH_PROVIDER), 1000);
}
END_TEST

Suite *kc_test_stopwatch(void)
{
    Suite *suite = suite_create("stopwatch");
    TCase *tcase = tcase_create("stopwatch");

    tcase_add_test(tcase, waits_add_up);
    tcase_add_test(tcase, another_thread_has_its_own);
    suite_add_tcase(suite, tcase);
    return suite;
}
