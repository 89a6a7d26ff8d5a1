/* Tests of seal.h: threats.md 81, 132 to 134, 137: every difference gives one uniform error.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_strings.h>
#include <check.h>
#include <string.h>

#include "crypto/seal.h"
#include "testlib.h"

Suite *kc_test_seal(void);

enum { NOW = 1700000000, LATER = NOW + 60 };

static const unsigned char iv[KC_CRYPTO_IV_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};

static kc_seal_keys_t keys;
static kc_seal_use_t use;

static const kc_crypto_key_t *make_key(const char *secret)
{
    kc_crypto_key_t *key;

    ck_assert_int_eq(kc_crypto_key_make(kc_buf_text(secret), testlib_pool, &key, NULL), KC_OK);
    return key;
}

static void setup(void)
{
    testlib_setup();
    keys.count = 1;
    keys.key[0] = make_key("the configured key");
    use.purpose = "session";
    use.binding = kc_buf_text("the cookie's id");
    use.context = kc_buf_text("configuration 1");
}

static kc_bytes_t close_text(const char *text)
{
    kc_bytes_t sealed;

    ck_assert_int_eq(
        kc_seal_close(&keys, &use, LATER, iv, kc_buf_text(text), testlib_pool, &sealed, NULL),
        KC_OK);
    return sealed;
}

static kc_rc_t open_at(int64_t now, kc_bytes_t sealed, kc_bytes_t *plain, kc_err_t *err)
{
    return kc_seal_open(&keys, &use, now, sealed, testlib_pool, plain, NULL, err);
}

/* Refused with the one error that every forgery gets, and nothing given out. */
static void assert_refused(kc_bytes_t sealed)
{
    kc_err_t err = {0}, other = {0};
    kc_bytes_t plain = {iv, 1}, cut = {iv, 1};

    ck_assert_int_eq(open_at(NOW, sealed, &plain, &err), KC_REFUSED);
    ck_assert_ptr_null(plain.data);
    ck_assert_uint_eq(plain.len, 0);
    ck_assert_int_eq(err.reason, KC_ERR_SEAL);
    ck_assert_int_eq(open_at(NOW, cut, &plain, &other), KC_REFUSED);
    ck_assert_str_eq(err.detail, other.detail);
    ck_assert_int_eq(err.line, other.line);
}

static void assert_opens(kc_bytes_t sealed, const char *text)
{
    kc_err_t err;
    kc_bytes_t plain;

    ck_assert_int_eq(open_at(NOW, sealed, &plain, &err), KC_OK);
    ck_assert_uint_eq(plain.len, strlen(text));
    ck_assert_str_eq((const char *)plain.data, text);
}

START_TEST(opens_what_was_closed)
{
    kc_bytes_t sealed = close_text("plain text"), plain;
    int64_t expires_at = 0;

    ck_assert_uint_eq(sealed.len, strlen("plain text") + KC_SEAL_OVERHEAD);
    ck_assert_int_eq(
        kc_seal_open(&keys, &use, NOW, sealed, testlib_pool, &plain, &expires_at, NULL), KC_OK);
    ck_assert_str_eq((const char *)plain.data, "plain text");
    ck_assert_int_eq(expires_at, LATER);
    assert_opens(close_text(""), "");
}
END_TEST

START_TEST(envelope_has_its_documented_form)
{
    kc_bytes_t sealed = close_text("plain text"), aad, plain;
    unsigned char key[KC_CRYPTO_KEY_SIZE], out[64];
    kc_bytes_t body = {sealed.data + 22, sealed.len - 22};
    kc_buf_t buf;

    ck_assert_uint_eq(sealed.data[0], KC_SEAL_VERSION);
    ck_assert_uint_eq(sealed.data[1], kc_crypto_key_id(keys.key[0]));
    ck_assert_str_eq(testlib_hex(sealed.data + 2, 8), "000000006553f13c");
    ck_assert_int_eq(memcmp(sealed.data + 10, iv, sizeof(iv)), 0);
    kc_buf_init(&buf, 1024, testlib_pool);
    kc_buf_put(&buf, sealed.data, 10);
    kc_buf_put(&buf, "session", 8);
    kc_buf_put_u32(&buf, (uint32_t)use.binding.len);
    kc_buf_put(&buf, use.binding.data, use.binding.len);
    kc_buf_put(&buf, use.context.data, use.context.len);
    ck_assert_int_eq(kc_buf_bytes(&buf, &aad), KC_OK);
    ck_assert_int_eq(kc_crypto_derive(keys.key[0], "seal session", use.binding, key, NULL), KC_OK);
    ck_assert_int_eq(kc_crypto_open(key, iv, aad, body, out, NULL), KC_OK);
    plain.data = out;
    plain.len = 10;
    ck_assert_int_eq(memcmp(plain.data, "plain text", plain.len), 0);
}
END_TEST

START_TEST(every_bit_flipped_is_refused)
{
    kc_bytes_t sealed = close_text("plain text");
    unsigned char *bytes = (unsigned char *)(uintptr_t)sealed.data;
    size_t bit;

    for (bit = 0; bit < 8 * sealed.len; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_refused(sealed);
        bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_opens(sealed, "plain text");
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    kc_bytes_t sealed = close_text("plain text");
    size_t whole = sealed.len;
    kc_bytes_t tail = sealed;

    for (sealed.len = 0; sealed.len < whole; sealed.len++)
        assert_refused(sealed);
    while (--tail.len) {
        tail.data++;
        assert_refused(tail);
    }
}
END_TEST

START_TEST(an_appended_byte_is_refused)
{
    kc_bytes_t sealed = close_text("plain text");
    unsigned char *longer = apr_pcalloc(testlib_pool, sealed.len + 1);
    kc_bytes_t changed = {longer, sealed.len + 1};

    memcpy(longer, sealed.data, sealed.len);
    assert_refused(changed);
}
END_TEST

START_TEST(another_use_is_refused)
{
    kc_bytes_t sealed = close_text("plain text");
    const kc_seal_use_t right = use;

    use.purpose = "login";
    assert_refused(sealed);
    use = right;
    use.binding = kc_buf_text("the cookie's ie");
    assert_refused(sealed);
    use.binding = kc_buf_text("");
    assert_refused(sealed);
    use = right;
    use.context = kc_buf_text("configuration 2");
    assert_refused(sealed);
    use = right;
    /* The same bytes, parted elsewhere. */
    use.binding = kc_buf_text("the cookie's idc");
    use.context = kc_buf_text("onfiguration 1");
    assert_refused(sealed);
    use = right;
    assert_opens(sealed, "plain text");
}
END_TEST

START_TEST(expiry_is_a_miss)
{
    kc_bytes_t sealed = close_text("plain text"), plain = {iv, 1};
    kc_err_t err = {0};

    ck_assert_int_eq(open_at(LATER - 1, sealed, &plain, &err), KC_OK);
    ck_assert_int_eq(open_at(LATER, sealed, &plain, &err), KC_MISS);
    ck_assert_ptr_null(plain.data);
    ck_assert_int_eq(err.reason, KC_ERR_SEAL);
    ck_assert_int_eq(open_at(INT64_MAX, sealed, &plain, &err), KC_MISS);
    ck_assert_int_eq(
        kc_seal_close(&keys, &use, -1, iv, kc_buf_text("x"), testlib_pool, &sealed, NULL), KC_OK);
    ck_assert_int_eq(open_at(0, sealed, &plain, &err), KC_MISS);
}
END_TEST

START_TEST(rotated_keys_open_and_the_newest_seals)
{
    kc_bytes_t old = close_text("old"), fresh;

    keys.key[1] = keys.key[0];
    keys.key[0] = make_key("a newer key");
    keys.count = 2;
    assert_opens(old, "old");
    fresh = close_text("fresh");
    assert_opens(fresh, "fresh");
    ck_assert_uint_eq(fresh.data[1], kc_crypto_key_id(keys.key[0]));
    keys.count = 1;
    assert_opens(fresh, "fresh");
    assert_refused(old);
}
END_TEST

/* The id is one byte: keys that share it are all tried. */
START_TEST(two_keys_of_one_id)
{
    kc_bytes_t old = close_text("old");
    const kc_crypto_key_t *twin = NULL;
    int i;

    for (i = 0; i < 20000 && !twin; i++) {
        const kc_crypto_key_t *key = make_key(apr_psprintf(testlib_pool, "key %d", i));

        if (kc_crypto_key_id(key) == kc_crypto_key_id(keys.key[0]))
            twin = key;
    }
    ck_assert_ptr_nonnull(twin);
    keys.key[1] = keys.key[0];
    keys.key[0] = twin;
    keys.count = 2;
    assert_opens(old, "old");
    assert_opens(close_text("fresh"), "fresh");
    keys.count = 1;
    assert_refused(old);
}
END_TEST

START_TEST(another_version_is_refused)
{
    kc_bytes_t sealed = close_text("plain text");
    unsigned char *bytes = (unsigned char *)(uintptr_t)sealed.data;
    int i;

    for (i = 0; i < 256; i++) {
        bytes[0] = (unsigned char)i;
        if (i != KC_SEAL_VERSION)
            assert_refused(sealed);
    }
    bytes[0] = KC_SEAL_VERSION;
    for (i = 0; i < 256; i++) {
        bytes[1] = (unsigned char)i;
        if (i != kc_crypto_key_id(keys.key[0]))
            assert_refused(sealed);
    }
}
END_TEST

START_TEST(sizes_have_a_limit)
{
    char *large = apr_pcalloc(testlib_pool, KC_SEAL_MAX + KC_SEAL_OVERHEAD + 1);
    kc_bytes_t plain = {(unsigned char *)large, KC_SEAL_MAX}, sealed, back;
    kc_err_t err;

    ck_assert_int_eq(kc_seal_close(&keys, &use, LATER, iv, plain, testlib_pool, &sealed, &err),
                     KC_OK);
    ck_assert_int_eq(open_at(NOW, sealed, &back, &err), KC_OK);
    ck_assert_uint_eq(back.len, KC_SEAL_MAX);
    plain.len++;
    ck_assert_int_eq(kc_seal_close(&keys, &use, LATER, iv, plain, testlib_pool, &sealed, &err),
                     KC_REFUSED);
    ck_assert_int_eq(err.reason, KC_ERR_STORE_VALUE);
    ck_assert_ptr_null(sealed.data);
    large[0] = KC_SEAL_VERSION;
    plain.len = KC_SEAL_MAX + KC_SEAL_OVERHEAD + 1;
    assert_refused(plain);
}
END_TEST

START_TEST(absurd_uses_are_a_fault)
{
    kc_bytes_t sealed;
    kc_err_t err;

    use.purpose = "a purpose that is longer than any label of a derivation may ever be";
    ck_assert_int_eq(
        kc_seal_close(&keys, &use, LATER, iv, kc_buf_text("x"), testlib_pool, &sealed, &err),
        KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_INTERNAL);
    use.purpose = "a purpose that fills a label of 64 bytes with its pref....";
    ck_assert_uint_eq(strlen("seal ") + strlen(use.purpose) + 1, 64);
    assert_opens(close_text("x"), "x");
    use.purpose = "a purpose that fills a label of 64 bytes with its pref.....";
    sealed.data = iv;
    sealed.len = 1;
    ck_assert_int_eq(
        kc_seal_close(&keys, &use, LATER, iv, kc_buf_text("x"), testlib_pool, &sealed, &err),
        KC_FAULT);
    ck_assert_ptr_null(sealed.data);
    ck_assert_uint_eq(sealed.len, 0);
    use.purpose = "session";
    use.binding.data = apr_pcalloc(testlib_pool, KC_SEAL_MAX + 1);
    use.binding.len = KC_SEAL_MAX + 1;
    ck_assert_int_eq(
        kc_seal_close(&keys, &use, LATER, iv, kc_buf_text("x"), testlib_pool, &sealed, &err),
        KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_INTERNAL);
}
END_TEST

/* Two values under one key and purpose, but another binding, share no keystream even with one IV.
 */
START_TEST(bindings_have_keys_of_their_own)
{
    kc_bytes_t first = close_text("plain text"), second;

    use.binding = kc_buf_text("another id");
    second = close_text("plain text");
    ck_assert_int_ne(memcmp(first.data + 22, second.data + 22, 10), 0);
}
END_TEST

/* Memory that was somebody's before: what is opened ends with a NUL all the same. */
START_TEST(what_is_opened_is_a_text)
{
    kc_bytes_t sealed = close_text("plain text"), plain;
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
    memset(apr_palloc(pool, 4096), 'x', 4096);
    apr_pool_clear(pool);
    ck_assert_int_eq(kc_seal_open(&keys, &use, NOW, sealed, pool, &plain, NULL, NULL), KC_OK);
    ck_assert_str_eq((const char *)plain.data, "plain text");
}
END_TEST

/* However many keys are said to be there: those behind the last are nobody's. */
START_TEST(no_more_keys_are_tried_than_there_can_be)
{
    kc_bytes_t sealed = close_text("plain text");
    size_t i;

    for (i = 0; i < KC_SEAL_KEYS_MAX; i++)
        keys.key[i] = make_key("another key");
    keys.key[KC_SEAL_KEYS_MAX - 1] = make_key("the configured key");
    keys.count = KC_SEAL_KEYS_MAX - 1;
    assert_refused(sealed);
    keys.count++;
    assert_opens(sealed, "plain text");
}
END_TEST

typedef struct watch_t {
    const unsigned char *data;
    int is_clean;
} watch_t;

static apr_status_t look(void *data)
{
    watch_t *watch = data;

    watch->is_clean = memcmp(watch->data, "\0\0\0\0\0\0\0\0\0\0", 10) == 0;
    return APR_SUCCESS;
}

/* Cleanups run newest first: one registered before opening looks at what opening's own left. */
START_TEST(plaintext_is_cleansed_with_its_pool)
{
    kc_bytes_t sealed = close_text("plain text"), plain;
    watch_t watch = {NULL, 0};
    apr_pool_t *pool;

    ck_assert_int_eq(apr_pool_create(&pool, testlib_pool), APR_SUCCESS);
    apr_pool_cleanup_register(pool, &watch, look, apr_pool_cleanup_null);
    ck_assert_int_eq(kc_seal_open(&keys, &use, NOW, sealed, pool, &plain, NULL, NULL), KC_OK);
    watch.data = plain.data;
    ck_assert_int_eq(memcmp(plain.data, "plain text", 10), 0);
    apr_pool_destroy(pool);
    ck_assert(watch.is_clean);
}
END_TEST

Suite *kc_test_seal(void)
{
    Suite *suite = suite_create("seal");
    TCase *tests = tcase_create("seal");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, opens_what_was_closed);
    tcase_add_test(tests, envelope_has_its_documented_form);
    tcase_add_test(tests, every_bit_flipped_is_refused);
    tcase_add_test(tests, every_truncation_is_refused);
    tcase_add_test(tests, an_appended_byte_is_refused);
    tcase_add_test(tests, another_use_is_refused);
    tcase_add_test(tests, expiry_is_a_miss);
    tcase_add_test(tests, rotated_keys_open_and_the_newest_seals);
    tcase_add_test(tests, two_keys_of_one_id);
    tcase_add_test(tests, another_version_is_refused);
    tcase_add_test(tests, sizes_have_a_limit);
    tcase_add_test(tests, absurd_uses_are_a_fault);
    tcase_add_test(tests, bindings_have_keys_of_their_own);
    tcase_add_test(tests, what_is_opened_is_a_text);
    tcase_add_test(tests, no_more_keys_are_tried_than_there_can_be);
    tcase_add_test(tests, plaintext_is_cleansed_with_its_pool);
    suite_add_tcase(suite, tests);
    return suite;
}
