/* Tests of once.h: each name once, with a pause, and no more than there is room for.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "crypto/once.h"
#include "testlib.h"

Suite *kc_test_once(void);

static kc_once_t once = KC_ONCE_EMPTY;

START_TEST(a_name_is_first_once)
{
    ck_assert_int_eq(kc_once_is_first(&once, "a", "groups", 0, 100), 1);
    ck_assert_int_eq(kc_once_is_first(&once, "a", "groups", 0, 100), 0);
    ck_assert_int_eq(kc_once_is_first(&once, "a", "groups", 0, 100000), 0);
    ck_assert_int_eq(kc_once_is_first(&once, "a", "roles", 0, 100), 1);
    ck_assert_int_eq(kc_once_is_first(&once, "b", "groups", 0, 100), 1);
    ck_assert_int_eq(kc_once_is_first(&once, "ag", "roups", 0, 100), 1);
    ck_assert_int_eq(kc_once_is_first(&once, "", "", 0, 100), 1);
}
END_TEST

START_TEST(a_long_name_counts_to_its_end)
{
    char *name = apr_palloc(testlib_pool, 8001);

    memset(name, 'x', 8000);
    name[8000] = '\0';
    ck_assert_int_eq(kc_once_is_first(&once, "", name, 0, 100), 1);
    ck_assert_int_eq(kc_once_is_first(&once, "", name, 0, 100), 0);
    name[strlen(name) - 1] = '2';
    ck_assert_int_eq(kc_once_is_first(&once, "", name, 0, 100), 1);
}
END_TEST

START_TEST(another_name_waits_for_the_pause_and_is_not_forgotten)
{
    ck_assert_int_eq(kc_once_is_first(&once, "", "one", KC_ONCE_PAUSE, 100), 1);
    ck_assert_int_eq(kc_once_is_first(&once, "", "two", KC_ONCE_PAUSE, 100), 0);
    ck_assert_int_eq(kc_once_is_first(&once, "", "two", KC_ONCE_PAUSE, 100 + KC_ONCE_PAUSE - 1), 0);
    ck_assert_int_eq(kc_once_is_first(&once, "", "two", KC_ONCE_PAUSE, 100 + KC_ONCE_PAUSE), 1);
    ck_assert_int_eq(kc_once_is_first(&once, "", "one", KC_ONCE_PAUSE, 100 + 9 * KC_ONCE_PAUSE), 0);
    /* a known name ends no pause and begins none */
    ck_assert_int_eq(kc_once_is_first(&once, "", "six", KC_ONCE_PAUSE, 100 + 2 * KC_ONCE_PAUSE), 1);
    /* a clock that was set back */
    ck_assert_int_eq(kc_once_is_first(&once, "", "ten", KC_ONCE_PAUSE, 50), 1);
}
END_TEST

START_TEST(a_full_list_tells_nothing_more)
{
    int64_t now = 1000;
    int i, told = 0;

    for (i = 0; i < 10 * KC_ONCE_NAMES; i++, now += KC_ONCE_PAUSE)
        told += kc_once_is_first(&once, "", apr_itoa(testlib_pool, i), KC_ONCE_PAUSE, now);
    ck_assert_int_eq(told, KC_ONCE_NAMES);
}
END_TEST

Suite *kc_test_once(void)
{
    Suite *suite = suite_create("once");
    TCase *names = tcase_create("names");

    tcase_add_checked_fixture(names, testlib_setup, testlib_teardown);
    tcase_add_test(names, a_name_is_first_once);
    tcase_add_test(names, a_long_name_counts_to_its_end);
    tcase_add_test(names, another_name_waits_for_the_pause_and_is_not_forgotten);
    tcase_add_test(names, a_full_list_tells_nothing_more);
    suite_add_tcase(suite, names);
    return suite;
}
