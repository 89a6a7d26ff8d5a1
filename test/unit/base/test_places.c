/* Tests of places.h: each thread gets a place, and which one loses it.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/places.h"
#include "testlib.h"

Suite *kc_test_places(void);

enum { LIMIT = 4, CROWD = 64 };

static kc_places_t places;
static kc_place_t place[CROWD];

static void setup(void)
{
    testlib_setup();
    memset(&places, 0xff, sizeof(places)); /* memory that was somebody's */
    memset(place, 0xff, sizeof(place));
    kc_places_init(&places, LIMIT);
}

static void enter(int number, const char *who)
{
    kc_places_enter(&places, &place[number], who);
}

/* One host has a whole network of IPv6. */
static const struct {
    const char *one, *other;
    int is_same;
} networks[] = {
    {"192.0.2.1", "192.0.2.1", 1},
    {"192.0.2.1", "192.0.2.2", 0},
    {"2001:db8::1", "2001:db8::1", 1},
    {"2001:db8::1", "2001:db8:0:0:ffff:1:2:3", 1},
    {"2001:db8::1", "2001:db8:0:1::1", 0},
    {"2001:db8:1:2:3::", "2001:db8:1:2::", 1},
    {"::ffff:192.0.2.1", "::ffff:192.0.2.2", 0},
    {"::1", "::2", 1},
    {"", "::", 0},
    {"unknown", "other", 0},
};

START_TEST(an_ipv6_network_is_one)
{
    const char *one = kc_places_network(networks[_i].one, testlib_pool);
    const char *other = kc_places_network(networks[_i].other, testlib_pool);

    ck_assert_int_eq(strcmp(one, other) == 0, networks[_i].is_same);
}
END_TEST

static int lost(int number)
{
    return kc_places_is_lost(&place[number]);
}

START_TEST(up_to_the_limit_nobody_loses_one)
{
    int i;

    for (i = 0; i < LIMIT; i++)
        enter(i, "a");
    for (i = 0; i < LIMIT; i++)
        ck_assert(!lost(i));
    kc_places_leave(&places, &place[2]);
    enter(LIMIT, "a");
    for (i = 0; i <= LIMIT; i++)
        ck_assert(!lost(i));
}
END_TEST

START_TEST(then_the_oldest_of_one_address_does)
{
    int i;

    for (i = 0; i < CROWD; i++) {
        enter(i, "a");
        ck_assert(!lost(i));
        ck_assert(i < LIMIT || lost(i - LIMIT));
        ck_assert(i < LIMIT - 1 || !lost(i - LIMIT + 1));
    }
    for (i = 0; i < CROWD; i++)
        kc_places_leave(&places, &place[i]); /* in whichever order, lost or not */
    ck_assert_uint_eq(places.taken, 0);
    ck_assert_ptr_null(places.oldest);
}
END_TEST

/* Keycloak is the first of all, and alone at its address. */
START_TEST(who_has_most_loses_first)
{
    int i;

    enter(0, "keycloak");
    for (i = 1; i < CROWD; i++)
        enter(i, "stranger");
    ck_assert(!lost(0));
    ck_assert(!lost(CROWD - 1) && lost(1));
}
END_TEST

START_TEST(who_comes_counts_with_those_who_are_there)
{
    enter(0, "a");
    enter(1, "b");
    enter(2, "c");
    enter(3, "d");
    enter(4, "d"); /* two then */
    ck_assert(!lost(0) && !lost(1) && !lost(2));
    ck_assert(lost(3) && !lost(4));
    enter(5, "e"); /* each has one: the oldest */
    ck_assert(lost(0) && !lost(1));
}
END_TEST

START_TEST(many_addresses_lose_in_the_order_in_which_they_came)
{
    static char names[CROWD][16];
    int i;

    for (i = 0; i < CROWD; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "10.0.0.%d", i);
        enter(i, names[i]);
        ck_assert(i < LIMIT || lost(i - LIMIT));
    }
    ck_assert_uint_eq(places.taken, LIMIT);
}
END_TEST

Suite *kc_test_places(void)
{
    Suite *suite = suite_create("places");
    TCase *tcase = tcase_create("places");

    tcase_add_checked_fixture(tcase, setup, testlib_teardown);
    tcase_add_test(tcase, up_to_the_limit_nobody_loses_one);
    tcase_add_test(tcase, then_the_oldest_of_one_address_does);
    tcase_add_test(tcase, who_has_most_loses_first);
    tcase_add_test(tcase, who_comes_counts_with_those_who_are_there);
    tcase_add_loop_test(tcase, an_ipv6_network_is_one, 0,
                        (int)(sizeof(networks) / sizeof(networks[0])));
    tcase_add_test(tcase, many_addresses_lose_in_the_order_in_which_they_came);
    suite_add_tcase(suite, tcase);
    return suite;
}
