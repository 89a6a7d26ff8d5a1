/* Tests of store_connections.h: which idle connections are kept, reused and closed.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_connections.h"

#include <check.h>
#include <string.h>

#include "testlib.h"

Suite *kc_test_store_connections(void);

static kc_store_connections_t idle;
static int sockets[KC_STORE_CONNECTIONS_MAX + 1]; /* 1: closed */

static void close_one(void *connection)
{
    int *at = connection;

    ck_assert_int_eq(*at, 0);
    *at = 1;
}

static int closed(void)
{
    size_t i;
    int sum = 0;

    for (i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
        sum += sockets[i];
    return sum;
}

static void setup(void)
{
    testlib_setup();
    memset(sockets, 0, sizeof(sockets));
    memset(&idle, 0xff, sizeof(idle)); /* memory that was somebody's */
    ck_assert_int_eq(kc_store_connections_init(&idle, close_one), KC_OK);
}

static void teardown(void)
{
    kc_store_connections_end(&idle);
    testlib_teardown();
}

START_TEST(the_one_given_last_comes_first)
{
    ck_assert_ptr_null(kc_store_connections_take(&idle));
    kc_store_connections_give(&idle, &sockets[0], 0);
    kc_store_connections_give(&idle, &sockets[1], 0);
    ck_assert_ptr_eq(kc_store_connections_take(&idle), &sockets[1]);
    ck_assert_ptr_eq(kc_store_connections_take(&idle), &sockets[0]);
    ck_assert_ptr_null(kc_store_connections_take(&idle));
    ck_assert_int_eq(closed(), 0);
}
END_TEST

START_TEST(what_is_too_many_is_closed)
{
    size_t i;

    for (i = 0; i < KC_STORE_CONNECTIONS_MAX; i++)
        kc_store_connections_give(&idle, &sockets[i], 0);
    ck_assert_int_eq(closed(), 0);
    kc_store_connections_give(&idle, &sockets[i], 0);
    ck_assert_int_eq(sockets[i], 1);
    ck_assert_int_eq(closed(), 1);
    ck_assert_ptr_eq(kc_store_connections_take(&idle), &sockets[i - 1]);
}
END_TEST

START_TEST(those_to_old_addresses_are_closed)
{
    kc_store_connections_give(&idle, &sockets[0], 0);
    kc_store_connections_give(&idle, &sockets[1], 0);
    ck_assert(kc_store_connections_is_current(&idle, 0));
    kc_store_connections_close(&idle, 2);
    ck_assert(!kc_store_connections_is_current(&idle, 0));
    ck_assert(kc_store_connections_is_current(&idle, 2));
    ck_assert_int_eq(closed(), 2);
    ck_assert_ptr_null(kc_store_connections_take(&idle));
    kc_store_connections_give(&idle, &sockets[2], 0); /* it was out meanwhile */
    kc_store_connections_give(&idle, &sockets[3], 1);
    ck_assert_int_eq(closed(), 4);
    kc_store_connections_give(&idle, &sockets[4], 2);
    ck_assert_ptr_eq(kc_store_connections_take(&idle), &sockets[4]);
}
END_TEST

/* Who looked before others did, and comes later. */
START_TEST(no_older_version_comes_back)
{
    kc_store_connections_close(&idle, 2);
    kc_store_connections_give(&idle, &sockets[0], 2);
    kc_store_connections_close(&idle, 1);
    ck_assert_int_eq(closed(), 1);
    ck_assert(kc_store_connections_is_current(&idle, 2));
}
END_TEST

/* A server that was started anew. */
START_TEST(all_can_be_closed_without_a_new_version)
{
    kc_store_connections_give(&idle, &sockets[0], 0);
    kc_store_connections_close(&idle, 0);
    ck_assert_int_eq(closed(), 1);
    kc_store_connections_give(&idle, &sockets[1], 0);
    ck_assert_ptr_eq(kc_store_connections_take(&idle), &sockets[1]);
}
END_TEST

START_TEST(the_end_closes_them)
{
    kc_store_connections_t others;

    ck_assert_int_eq(kc_store_connections_init(&others, close_one), KC_OK);
    kc_store_connections_give(&others, &sockets[0], 0);
    kc_store_connections_give(&others, &sockets[1], 0);
    kc_store_connections_end(&others);
    ck_assert_int_eq(closed(), 2);
}
END_TEST

Suite *kc_test_store_connections(void)
{
    Suite *suite = suite_create("store_connections");
    TCase *tests = tcase_create("store_connections");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, the_one_given_last_comes_first);
    tcase_add_test(tests, what_is_too_many_is_closed);
    tcase_add_test(tests, those_to_old_addresses_are_closed);
    tcase_add_test(tests, no_older_version_comes_back);
    tcase_add_test(tests, all_can_be_closed_without_a_new_version);
    tcase_add_test(tests, the_end_closes_them);
    suite_add_tcase(suite, tests);
    return suite;
}
