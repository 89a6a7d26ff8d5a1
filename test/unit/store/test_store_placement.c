/* Tests of store_placement.h: nodes of every version must compute the same order.
 * SPDX-License-Identifier: Apache-2.0 */
#include "store/store_placement.h"

#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "store/store.h"
#include "testlib.h"

Suite *kc_test_store_placement(void);

enum { SERVERS_MAX = 64, KEYS = 4000 };

static uint64_t hashes[SERVERS_MAX];
static size_t order[SERVERS_MAX];

static void setup(void)
{
    size_t i;

    testlib_setup();
    for (i = 0; i < SERVERS_MAX; i++)
        hashes[i] = kc_store_placement_hash(apr_psprintf(testlib_pool, "mc-%d:11211", (int)i + 1));
}

/* All servers of a key into order; each comes once. */
static void walk(size_t count, const char *key)
{
    kc_store_placement_t placement;
    uint64_t seen = 0;
    size_t i;

    kc_store_placement_start(&placement, hashes, count, key);
    for (i = 0; i < count; i++) {
        order[i] = kc_store_placement_next(&placement);
        ck_assert_uint_lt(order[i], count);
        ck_assert(!(seen >> order[i] & 1));
        seen |= UINT64_C(1) << order[i];
    }
    ck_assert_uint_eq(kc_store_placement_next(&placement), count);
    ck_assert_uint_eq(kc_store_placement_next(&placement), count);
}

/* By another implementation. */
static const struct {
    const char *key;
    size_t order[5];
} known[] = {
    {"00000000000000000000000000000000000000000000000000000000000000ff", {3, 0, 2, 4, 1}},
    {"89abcdef0000000000000000000000000000000000000000000000000123abcd", {1, 0, 3, 2, 4}},
};

START_TEST(the_order_is_the_one_of_all_nodes)
{
    char backwards[KC_STORE_KEY_LEN + 1] = "";
    size_t i;

    ck_assert_uint_eq(kc_store_placement_hash("mc-1:11211"), UINT64_C(0x98a7915943e992b));
    ck_assert_uint_eq(kc_store_placement_hash(""), UINT64_C(0xefd01f60ba992926));
    walk(5, known[_i].key);
    ck_assert_mem_eq(order, known[_i].order, sizeof(known[_i].order));
    for (i = 0; i < KC_STORE_KEY_LEN; i++)
        backwards[i] = known[_i].key[KC_STORE_KEY_LEN - 1 - i];
    walk(5, backwards);
    ck_assert_mem_eq(order, known[_i].order, sizeof(known[_i].order));
}
END_TEST

START_TEST(each_server_comes_once)
{
    walk((size_t)_i, known[0].key);
}
END_TEST

START_TEST(keys_are_spread_evenly)
{
    size_t firsts[5] = {0}, seconds[5] = {0}, i;

    for (i = 0; i < KEYS; i++) {
        walk(5, apr_psprintf(testlib_pool, "%08x%048d%08x", (unsigned int)i * 2654435761u, 0,
                             (unsigned int)i * 40503u));
        firsts[order[0]]++;
        seconds[order[1]]++;
    }
    for (i = 0; i < 5; i++) {
        ck_assert_uint_ge(firsts[i], KEYS / 5 * 8 / 10);
        ck_assert_uint_le(firsts[i], KEYS / 5 * 12 / 10);
        ck_assert_uint_ge(seconds[i], KEYS / 5 * 8 / 10);
        ck_assert_uint_le(seconds[i], KEYS / 5 * 12 / 10);
    }
}
END_TEST

Suite *kc_test_store_placement(void)
{
    Suite *suite = suite_create("store_placement");
    TCase *tests = tcase_create("store_placement");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_loop_test(tests, the_order_is_the_one_of_all_nodes, 0,
                        (int)(sizeof(known) / sizeof(known[0])));
    tcase_add_loop_test(tests, each_server_comes_once, 1, SERVERS_MAX + 1);
    tcase_add_test(tests, keys_are_spread_evenly);
    suite_add_tcase(suite, tests);
    return suite;
}
