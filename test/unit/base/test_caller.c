/* Tests of caller.h: a thread knows its own caller, and works for it until it is left.
 * SPDX-License-Identifier: Apache-2.0 */
#include "base/caller.h"

#include <check.h>
#include <pthread.h>

Suite *kc_test_caller(void);

START_TEST(work_for_one_may_be_within_that_for_another)
{
    kc_caller_t outer = {0}, inner = {0};
    kc_caller_t *before;

    ck_assert_ptr_null(kc_caller_now());
    ck_assert_ptr_null(kc_caller_enter(&outer));
    before = kc_caller_enter(&inner);
    ck_assert_ptr_eq(before, &outer);
    ck_assert_ptr_eq(kc_caller_now(), &inner);
    (void)kc_caller_enter(before);
    ck_assert_ptr_eq(kc_caller_now(), &outer);
    (void)kc_caller_enter(NULL);
    ck_assert_ptr_null(kc_caller_now());
}
END_TEST

START_TEST(the_outermost_wait_is_measured)
{
    kc_caller_t caller = {0};
    int64_t outer, inner;

    kc_caller_end(KC_CALLER_STORE, kc_caller_begin()); /* without a caller */
    (void)kc_caller_enter(&caller);
    outer = kc_caller_begin();
    inner = kc_caller_begin();
    kc_caller_end(KC_CALLER_STORE, inner);
    ck_assert_uint_eq(caller.waits[KC_CALLER_STORE], 0);
    kc_caller_end(KC_CALLER_PROVIDER, outer);
    ck_assert_uint_eq(caller.waits[KC_CALLER_PROVIDER], 1);
    kc_caller_end(KC_CALLER_STORE, kc_caller_begin());
    ck_assert_uint_eq(caller.waits[KC_CALLER_STORE], 1);
    ck_assert_int_ge(caller.waited_us[KC_CALLER_PROVIDER], 0);
    ck_assert_int_lt(caller.waited_us[KC_CALLER_PROVIDER], 60000000);
    (void)kc_caller_enter(NULL);
}
END_TEST

static void *look(void *data)
{
    (void)data;
    return kc_caller_now();
}

START_TEST(another_thread_has_none)
{
    kc_caller_t caller = {0};
    pthread_t thread;
    void *seen = &caller;

    (void)kc_caller_enter(&caller);
    ck_assert_int_eq(pthread_create(&thread, NULL, look, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, &seen), 0);
    ck_assert_ptr_null(seen);
    (void)kc_caller_enter(NULL);
}
END_TEST

Suite *kc_test_caller(void)
{
    Suite *suite = suite_create("caller");
    TCase *tests = tcase_create("caller");

    tcase_add_test(tests, work_for_one_may_be_within_that_for_another);
    tcase_add_test(tests, the_outermost_wait_is_measured);
    tcase_add_test(tests, another_thread_has_none);
    suite_add_tcase(suite, tests);
    return suite;
}
