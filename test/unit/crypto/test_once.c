/* Tests of once.h: each name once, with a pause, and no more names than the list has room for.
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

static int is_first(const char *name, int64_t now)
{
    return kc_once_is_first(&once, "", name, KC_ONCE_PAUSE, now);
}

START_TEST(names_after_a_burst_wait_for_the_pause)
{
    int i;

    for (i = 0; i < KC_ONCE_BURST; i++)
        ck_assert_int_eq(is_first(apr_itoa(testlib_pool, i), 100), 1);
    ck_assert_int_eq(is_first("two", 100), 0);
    ck_assert_int_eq(is_first("two", 100 + KC_ONCE_PAUSE - 1), 0);
    ck_assert_int_eq(is_first("two", 100 + KC_ONCE_PAUSE), 1);
    /* a known name ends no pause and begins none */
    ck_assert_int_eq(is_first("0", 100 + 2 * KC_ONCE_PAUSE), 0);
    ck_assert_int_eq(is_first("six", 100 + 2 * KC_ONCE_PAUSE), 1);
    ck_assert_int_eq(is_first("ten", 100 + 2 * KC_ONCE_PAUSE), 0);
    /* a clock that was set back */
    ck_assert_int_eq(is_first("ten", 50), 1);
}
END_TEST

START_TEST(quiet_brings_no_more_than_a_burst_back)
{
    int i, told = 0;

    for (i = 0; i < KC_ONCE_BURST; i++)
        ck_assert_int_eq(is_first(apr_itoa(testlib_pool, i), 100), 1);
    for (i = 0; i < 3 * KC_ONCE_BURST; i++)
        told += is_first(apr_itoa(testlib_pool, 100 + i), 100 + 1000 * KC_ONCE_PAUSE);
    ck_assert_int_eq(told, KC_ONCE_BURST);
}
END_TEST

START_TEST(one_name_a_pause_leaves_room_for_others)
{
    int64_t now = 1000;
    int i;

    for (i = 0; i < 10 * KC_ONCE_NAMES; i++, now += KC_ONCE_PAUSE)
        ck_assert_int_eq(is_first(apr_itoa(testlib_pool, i), now), 1);
    ck_assert_int_eq(is_first("a mistake", now - 1), 1);
}
END_TEST

START_TEST(a_full_list_forgets_the_oldest_name)
{
    int64_t now = 1000;
    int i;

    for (i = 0; i <= KC_ONCE_NAMES; i++, now += KC_ONCE_PAUSE)
        ck_assert_int_eq(is_first(apr_itoa(testlib_pool, i), now), 1);
    ck_assert_int_eq(is_first("1", now), 0);
    ck_assert_int_eq(is_first(apr_itoa(testlib_pool, KC_ONCE_NAMES), now), 0);
    ck_assert_int_eq(is_first("0", now), 1);
    ck_assert_int_eq(is_first("1", now), 1);
}
END_TEST

/* nobody but the administrator makes such names up, and a pause does not bound the lines */
START_TEST(a_full_list_without_a_pause_tells_nothing_more)
{
    int i, told = 0;

    for (i = 0; i < 10 * KC_ONCE_NAMES; i++)
        told += kc_once_is_first(&once, "", apr_itoa(testlib_pool, i), 0, 1000 + i);
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
    tcase_add_test(names, names_after_a_burst_wait_for_the_pause);
    tcase_add_test(names, quiet_brings_no_more_than_a_burst_back);
    tcase_add_test(names, one_name_a_pause_leaves_room_for_others);
    tcase_add_test(names, a_full_list_forgets_the_oldest_name);
    tcase_add_test(names, a_full_list_without_a_pause_tells_nothing_more);
    suite_add_tcase(suite, names);
    return suite;
}
