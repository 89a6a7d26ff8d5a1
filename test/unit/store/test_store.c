/* Stores: the checks that every store shares.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <string.h>

#include "fake.h"
#include "store/store.h"
#include "testlib.h"

Suite *kc_test_store(void);

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static kc_fake_t *fake;
static kc_err_t err;

static void setup(void)
{
    testlib_setup();
    fake = kc_fake_make(testlib_pool);
    memset(&err, 0, sizeof(err));
}

static const kc_bytes_t value = {(const unsigned char *)"value", 5};

START_TEST(passes_what_is_right)
{
    const char *keys[] = {KEY};
    kc_store_t *store = fake->env.sessions;
    kc_store_item_t item;

    ck_assert_int_eq(kc_store_add(store, KEY, value, KC_FAKE_NOW + 1, &err), KC_OK);
    ck_assert_int_eq(kc_store_add(store, KEY, value, KC_FAKE_NOW + 1, &err), KC_EXISTS);
    ck_assert_int_eq(kc_store_put(store, KEY, value, KC_FAKE_NOW + 1, &err), KC_OK);
    ck_assert_int_eq(kc_store_touch(store, KEY, KC_FAKE_NOW + 2, &err), KC_OK);
    ck_assert_int_eq(kc_store_get(store, keys, 1, &item, testlib_pool, &err), KC_OK);
    ck_assert_mem_eq(item.value.data, "value", 5);
    ck_assert_int_eq(item.expires_at, KC_FAKE_NOW + 2);
    ck_assert_int_eq(kc_store_drop(store, KEY, &err), KC_OK);
    ck_assert_int_eq(kc_store_get(store, keys, 1, &item, testlib_pool, &err), KC_OK);
    ck_assert_ptr_null(item.value.data);
    ck_assert_int_eq(fake->sessions.keys_asked, 2);
}
END_TEST

static const char *const bad_keys[] = {
    NULL,
    "",
    "0",
    KEY "0",
    "00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff",
    "g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef ",
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeef\n",
    "0011223344556677/899aabbccddeeff00112233445566778899aabbccddeeff",
    "0011223344556677:899aabbccddeeff00112233445566778899aabbccddeeff",
    "0011223344556677`899aabbccddeeff00112233445566778899aabbccddeeff",
    "0011223344556677\xe1\x99"
    "9aabbccddeeff00112233445566778899aabbccddeeff",
};

START_TEST(refuses_other_keys)
{
    const char *key = bad_keys[_i];
    const char *keys[] = {KEY, key};
    kc_store_t *store = fake->env.sessions;
    kc_store_item_t items[2];

    ck_assert_int_eq(kc_store_put(store, key, value, KC_FAKE_NOW + 1, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_INTERNAL);
    ck_assert_int_eq(kc_store_add(store, key, value, KC_FAKE_NOW + 1, &err), KC_REFUSED);
    ck_assert_int_eq(kc_store_touch(store, key, KC_FAKE_NOW + 1, &err), KC_REFUSED);
    ck_assert_int_eq(kc_store_drop(store, key, &err), KC_REFUSED);
    ck_assert_int_eq(kc_store_get(store, keys, 2, items, testlib_pool, &err), KC_REFUSED);
    ck_assert_ptr_null(items[1].value.data);
    ck_assert_int_eq(fake->sessions.puts + fake->sessions.adds + fake->sessions.touches, 0);
    ck_assert_int_eq(fake->sessions.drops + fake->sessions.gets, 0);
}
END_TEST

START_TEST(refuses_wrong_sizes_and_times)
{
    static unsigned char large[KC_STORE_VALUE_MAX + 1];
    const char *keys[KC_STORE_GET_MAX + 1];
    kc_store_item_t items[KC_STORE_GET_MAX + 1];
    kc_bytes_t bytes = {large, sizeof(large)};
    kc_bytes_t hollow = {NULL, 1};
    kc_store_t *store = fake->env.sessions;
    size_t i;

    for (i = 0; i <= KC_STORE_GET_MAX; i++)
        keys[i] = KEY;
    ck_assert_int_eq(kc_store_put(store, KEY, bytes, KC_FAKE_NOW + 1, &err), KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_VALUE);
    ck_assert_int_eq(kc_store_add(store, KEY, bytes, KC_FAKE_NOW + 1, &err), KC_REFUSED);
    bytes.len--;
    ck_assert_int_eq(kc_store_put(store, KEY, bytes, KC_FAKE_NOW + 1, &err), KC_OK);
    ck_assert_int_eq(kc_store_put(store, KEY, hollow, KC_FAKE_NOW + 1, &err), KC_REFUSED);
    ck_assert_int_eq(kc_store_put(store, KEY, value, 0, &err), KC_REFUSED);
    ck_assert_int_eq(kc_store_touch(store, KEY, -1, &err), KC_REFUSED);
    ck_assert_int_eq(kc_store_get(store, keys, 0, items, testlib_pool, &err), KC_REFUSED);
    ck_assert_int_eq(kc_store_get(store, keys, KC_STORE_GET_MAX + 1, items, testlib_pool, &err),
                     KC_REFUSED);
    ck_assert_int_eq(kc_store_get(store, keys, KC_STORE_GET_MAX, items, testlib_pool, &err), KC_OK);
}
END_TEST

START_TEST(tells_an_outage_from_a_miss)
{
    const char *keys[] = {KEY};
    kc_store_t *store = fake->env.sessions;
    kc_store_item_t item;

    ck_assert_int_eq(kc_store_touch(store, KEY, KC_FAKE_NOW + 1, &err), KC_MISS);
    fake->sessions.down_after = 1;
    ck_assert_int_eq(kc_store_get(store, keys, 1, &item, testlib_pool, &err), KC_OK);
    ck_assert_int_eq(kc_store_get(store, keys, 1, &item, testlib_pool, &err), KC_DOWN);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_DOWN);
    ck_assert_int_eq(kc_store_touch(store, KEY, KC_FAKE_NOW + 1, &err), KC_DOWN);
    fake->sessions.is_down = 0;
    fake->sessions.down_after = KC_FAKE_NEVER;
    ck_assert_int_eq(kc_store_put(store, KEY, value, KC_FAKE_NOW + 5, &err), KC_OK);
    fake->now += 5;
    ck_assert_int_eq(kc_store_touch(store, KEY, KC_FAKE_NOW + 9, &err), KC_MISS);
}
END_TEST

Suite *kc_test_store(void)
{
    Suite *suite = suite_create("store");
    TCase *tcase = tcase_create("arguments");

    tcase_add_checked_fixture(tcase, setup, testlib_teardown);
    tcase_add_test(tcase, passes_what_is_right);
    tcase_add_loop_test(tcase, refuses_other_keys, 0, sizeof(bad_keys) / sizeof(bad_keys[0]));
    tcase_add_test(tcase, refuses_wrong_sizes_and_times);
    tcase_add_test(tcase, tells_an_outage_from_a_miss);
    suite_add_tcase(suite, tcase);
    return suite;
}
