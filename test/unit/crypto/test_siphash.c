/* Tests of siphash.h, against OpenSSL's.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <string.h>

#include "crypto/siphash.h"
#include "testlib.h"

Suite *kc_test_siphash(void);

enum { LEN_MAX = 64 };

static unsigned char key_bytes[16], data[LEN_MAX];

static void setup(void)
{
    size_t i;

    testlib_setup();
    for (i = 0; i < sizeof(key_bytes); i++)
        key_bytes[i] = (unsigned char)(i * 7 + 1);
    for (i = 0; i < sizeof(data); i++)
        data[i] = (unsigned char)(i * 11 + 3);
}

static void expected(size_t len, unsigned char out[16])
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(mac);
    size_t size = 16, out_len;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                           OSSL_PARAM_construct_end()};

    ck_assert_int_eq(EVP_MAC_init(context, key_bytes, sizeof(key_bytes), params), 1);
    ck_assert_int_eq(EVP_MAC_update(context, data, len), 1);
    ck_assert_int_eq(EVP_MAC_final(context, out, &out_len, 16), 1);
    EVP_MAC_CTX_free(context);
    EVP_MAC_free(mac);
}

static void hashed(size_t first, size_t len, unsigned char out[16])
{
    kc_siphash_key_t key;
    kc_siphash_t hash;
    uint64_t words[2];

    memcpy(&key, key_bytes, sizeof(key));
    kc_siphash_init(&hash, &key);
    kc_siphash_put(&hash, data, first);
    kc_siphash_put(&hash, data + first, len - first);
    kc_siphash_end(&hash, words);
    memcpy(out, words, sizeof(words));
}

/* OpenSSL's are in little endian, as our words lie in memory on machines that are so too. */
static int is_little_endian(void)
{
    const uint16_t one = 1;

    return *(const unsigned char *)&one;
}

START_TEST(it_is_what_openssl_says)
{
    unsigned char ours[16], theirs[16];
    size_t len;

    ck_assert_int_eq(is_little_endian(), 1);
    for (len = 0; len <= LEN_MAX; len += 8) {
        expected(len, theirs);
        hashed(0, len, ours);
        ck_assert_mem_eq(ours, theirs, sizeof(ours));
    }
}
END_TEST

START_TEST(parts_make_the_whole)
{
    unsigned char whole[16], parts[16];
    size_t first;

    hashed(0, 48, whole);
    for (first = 8; first <= 48; first += 8) {
        hashed(first, 48, parts);
        ck_assert_mem_eq(parts, whole, sizeof(whole));
    }
}
END_TEST

START_TEST(every_bit_counts)
{
    unsigned char before[16], after[16];
    int bit;

    hashed(0, 48, before);
    for (bit = 0; bit < 48 * 8; bit++) {
        data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        hashed(0, 48, after);
        data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_mem_ne(after, before, sizeof(after));
    }
    for (bit = 0; bit < 128; bit++) {
        key_bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        hashed(0, 48, after);
        key_bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        ck_assert_mem_ne(after, before, sizeof(after));
    }
}
END_TEST

Suite *kc_test_siphash(void)
{
    Suite *suite = suite_create("siphash");
    TCase *tests = tcase_create("hash");

    tcase_add_checked_fixture(tests, setup, testlib_teardown);
    tcase_add_test(tests, it_is_what_openssl_says);
    tcase_add_test(tests, parts_make_the_whole);
    tcase_add_test(tests, every_bit_counts);
    suite_add_tcase(suite, tests);
    return suite;
}
