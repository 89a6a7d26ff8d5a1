/* Tests of crypto.h against published vectors and against OpenSSL's own HKDF.
 * SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "testlib.h"

Suite *kc_test_crypto(void);

static const kc_bytes_t nothing = {NULL, 0};

static kc_crypto_key_t *make_key(const char *secret, apr_pool_t *pool)
{
    kc_crypto_key_t *key;
    kc_err_t err;

    ck_assert_int_eq(kc_crypto_key_make(kc_buf_text(secret), pool, &key, &err), KC_OK);
    return key;
}

/* Derives and gives the result as hex. */
static const char *derived(const kc_crypto_key_t *key, const char *label, kc_bytes_t context)
{
    unsigned char out[KC_CRYPTO_KEY_SIZE];
    kc_err_t err;

    ck_assert_int_eq(kc_crypto_derive(key, label, context, out, &err), KC_OK);
    return testlib_hex(out, sizeof(out));
}

/* ---------------------------------------------------------------- hashes, random, comparison */

START_TEST(sha2_of_fips_180)
{
    unsigned char out[KC_CRYPTO_SHA_MAX];
    size_t len;
    kc_err_t err;

    ck_assert_int_eq(kc_crypto_sha256(kc_buf_text("abc"), out, &err), KC_OK);
    ck_assert_str_eq(testlib_hex(out, 32),
                     "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    ck_assert_int_eq(kc_crypto_sha256(nothing, out, &err), KC_OK);
    ck_assert_str_eq(testlib_hex(out, 32),
                     "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    ck_assert_int_eq(kc_crypto_sha2(384, kc_buf_text("abc"), out, &len, &err), KC_OK);
    ck_assert_str_eq(testlib_hex(out, len),
                     "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                     "8086072ba1e7cc2358baeca134c825a7");
    ck_assert_int_eq(kc_crypto_sha2(512, kc_buf_text("abc"), out, &len, &err), KC_OK);
    ck_assert_str_eq(testlib_hex(out, len),
                     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
    ck_assert_int_eq(kc_crypto_sha2(256, kc_buf_text("abc"), out, &len, &err), KC_OK);
    ck_assert_uint_eq(len, 32);
}
END_TEST

START_TEST(sha2_of_another_size_is_a_fault)
{
    unsigned char out[KC_CRYPTO_SHA_MAX];
    size_t len = 7;
    kc_err_t err;

    ck_assert_int_eq(kc_crypto_sha2(1, kc_buf_text("abc"), out, &len, &err), KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_CRYPTO);
    ck_assert_uint_eq(len, 0);
}
END_TEST

START_TEST(random_fills_everything)
{
    unsigned char a[64] = {0}, b[64] = {0};
    kc_err_t err;
    int zeros = 0, i;

    ck_assert_int_eq(kc_crypto_random(a, sizeof(a), &err), KC_OK);
    ck_assert_int_eq(kc_crypto_random(b, sizeof(b), &err), KC_OK);
    ck_assert_int_ne(memcmp(a, b, sizeof(a)), 0);
    for (i = 0; i < 64; i++)
        zeros += !a[i];
    ck_assert_int_lt(zeros, 8);
    ck_assert_int_eq(kc_crypto_random(a, SIZE_MAX, &err), KC_FAULT);
    ck_assert_int_eq(err.reason, KC_ERR_CRYPTO);
}
END_TEST

START_TEST(comparison_and_cleansing)
{
    char secret[] = "secret";

    ck_assert(kc_crypto_is_equal("abc", 3, "abc", 3));
    ck_assert(!kc_crypto_is_equal("abc", 3, "abd", 3));
    ck_assert(!kc_crypto_is_equal("abc", 3, "abc", 2));
    ck_assert(kc_crypto_is_equal(NULL, 0, NULL, 0));
    kc_crypto_cleanse(secret, sizeof(secret));
    ck_assert_str_eq(testlib_hex(secret, sizeof(secret)), "00000000000000");
    kc_crypto_cleanse(NULL, 0);
}
END_TEST

/* ---------------------------------------------------------------- HKDF */

/* OpenSSL's HKDF, itself checked against RFC 5869 below. */
static const char *hkdf(kc_bytes_t secret, kc_bytes_t salt, kc_bytes_t info, size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(kdf);
    unsigned char out[64];
    char md[] = "SHA256";
    OSSL_PARAM params[5];

    params[0] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, md, 0);
    params[1] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
                                                  (void *)(uintptr_t)secret.data, secret.len);
    params[2] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.data,
                                                  salt.len);
    params[3] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.data,
                                                  info.len);
    params[4] = OSSL_PARAM_construct_end();
    ck_assert_int_eq(EVP_KDF_derive(context, out, len, params), 1);
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return testlib_hex(out, len);
}

START_TEST(oracle_agrees_with_rfc_5869)
{
    ck_assert_str_eq(hkdf(testlib_unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"),
                          testlib_unhex("000102030405060708090a0b0c"),
                          testlib_unhex("f0f1f2f3f4f5f6f7f8f9"), 42),
                     "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                     "34007208d5b887185865");
}
END_TEST

START_TEST(derivation_is_hkdf)
{
    const char *secret = "an administrator's secret of 32+ characters";
    kc_crypto_key_t *key = make_key(secret, testlib_pool);
    kc_bytes_t salt = kc_buf_text("mod_auth_keycloak key 1");
    kc_bytes_t info = {(const unsigned char *)"store-key\0id\xff\0z", 15};
    kc_bytes_t context = {info.data + 10, 5};
    char id[3];

    ck_assert_str_eq(derived(key, "store-key", context), hkdf(kc_buf_text(secret), salt, info, 32));
    info = kc_buf_text("x");
    info.len = 2;
    ck_assert_str_eq(derived(key, "x", nothing), hkdf(kc_buf_text(secret), salt, info, 32));
    ck_assert_str_eq(derived(make_key("", testlib_pool), "x", nothing),
                     hkdf(kc_buf_text(""), salt, info, 32));
    info = kc_buf_text("key-id");
    info.len = 7;
    memcpy(id, hkdf(kc_buf_text(secret), salt, info, 32), 2);
    id[2] = '\0';
    {
        uint8_t byte = kc_crypto_key_id(key);

        ck_assert_str_eq(testlib_hex(&byte, 1), id);
    }
}
END_TEST

START_TEST(derivation_differs_by_all_that_goes_in)
{
    kc_crypto_key_t *key = make_key("one", testlib_pool);
    const char *first = derived(key, "label", kc_buf_text("context"));

    ck_assert_str_eq(derived(key, "label", kc_buf_text("context")), first);
    ck_assert_str_ne(derived(key, "labem", kc_buf_text("context")), first);
    ck_assert_str_ne(derived(key, "label", kc_buf_text("contexu")), first);
    ck_assert_str_ne(derived(key, "labelc", kc_buf_text("ontext")), first);
    ck_assert_str_ne(derived(key, "label", nothing), first);
    ck_assert_str_ne(derived(make_key("two", testlib_pool), "label", kc_buf_text("context")),
                     first);
    ck_assert_str_eq(derived(make_key("one", testlib_pool), "label", kc_buf_text("context")),
                     first);
}
END_TEST

START_TEST(keys_outlive_each_other)
{
    apr_pool_t *short_lived;
    kc_crypto_key_t *key = make_key("one", testlib_pool);
    const char *before = derived(key, "x", nothing);

    ck_assert_int_eq(apr_pool_create(&short_lived, NULL), APR_SUCCESS);
    make_key("two", short_lived);
    apr_pool_destroy(short_lived);
    ck_assert_str_eq(derived(key, "x", nothing), before);
}
END_TEST

/* ---------------------------------------------------------------- AES-256-GCM */

/* The GCM specification's test cases 13 to 16 (AES-256, 96-bit IV). */
static const struct {
    const char *key, *iv, *aad, *plain, *sealed;
} vectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

static void check_vector(int i)
{
    kc_bytes_t key = testlib_unhex(vectors[i].key), iv = testlib_unhex(vectors[i].iv);
    kc_bytes_t aad = testlib_unhex(vectors[i].aad), plain = testlib_unhex(vectors[i].plain);
    unsigned char out[128];
    kc_bytes_t sealed = {out, plain.len + KC_CRYPTO_TAG_SIZE};
    unsigned char back[128];
    kc_err_t err;

    ck_assert_int_eq(kc_crypto_seal(key.data, iv.data, aad, plain, out, &err), KC_OK);
    ck_assert_str_eq(testlib_hex(out, sealed.len), vectors[i].sealed);
    ck_assert_int_eq(kc_crypto_open(key.data, iv.data, aad, sealed, back, &err), KC_OK);
    ck_assert_str_eq(testlib_hex(back, plain.len), vectors[i].plain);
}

START_TEST(gcm_of_the_specification)
{
    check_vector(_i);
}
END_TEST

/* With a key about, the cipher is one that was fetched before. */
START_TEST(gcm_with_the_shared_cipher)
{
    make_key("one", testlib_pool);
    check_vector(_i);
}
END_TEST

START_TEST(gcm_refuses_what_differs)
{
    kc_bytes_t key = testlib_unhex(vectors[3].key), iv = testlib_unhex(vectors[3].iv);
    kc_bytes_t aad = testlib_unhex(vectors[3].aad), sealed = testlib_unhex(vectors[3].sealed);
    unsigned char *bytes = (unsigned char *)(uintptr_t)sealed.data;
    unsigned char back[128];
    kc_bytes_t less = aad;
    kc_err_t err;
    size_t i;

    for (i = 0; i < sealed.len; i++) {
        bytes[i] ^= 1;
        memset(back, 0xaa, sizeof(back));
        ck_assert_int_eq(kc_crypto_open(key.data, iv.data, aad, sealed, back, &err), KC_REFUSED);
        ck_assert_int_eq(err.reason, KC_ERR_SEAL);
        ck_assert_str_eq(testlib_hex(back, 4), "00000000");
        ck_assert_uint_eq(ERR_peek_error(), 0);
        bytes[i] ^= 1;
    }
    less.len--;
    ck_assert_int_eq(kc_crypto_open(key.data, iv.data, less, sealed, back, &err), KC_REFUSED);
    ck_assert_int_eq(kc_crypto_open(key.data, iv.data, aad, testlib_unhex("00"), back, &err),
                     KC_REFUSED);
    for (; sealed.len; sealed.len--) {
        kc_bytes_t cut = {sealed.data, sealed.len - 1};

        ck_assert_int_eq(kc_crypto_open(key.data, iv.data, aad, cut, back, &err), KC_REFUSED);
    }
    ck_assert_int_eq(kc_crypto_open(key.data, iv.data, aad, nothing, back, &err), KC_REFUSED);
}
END_TEST

START_TEST(errors_are_forgotten)
{
    ERR_raise(ERR_LIB_USER, 1);
    ck_assert_uint_ne(ERR_peek_error(), 0);
    kc_crypto_forget_errors();
    ck_assert_uint_eq(ERR_peek_error(), 0);
}
END_TEST

/* ---------------------------------------------------------------- threads and processes */

typedef struct job_t {
    const kc_crypto_key_t *key;
    unsigned char expected[KC_CRYPTO_KEY_SIZE];
    int mistakes;
} job_t;

static void *derive_and_seal(void *data)
{
    job_t *job = data;
    unsigned char iv[KC_CRYPTO_IV_SIZE] = {1}, sealed[100], back[100];
    int i;

    for (i = 0; i < 200; i++) {
        unsigned char key[KC_CRYPTO_KEY_SIZE];
        kc_bytes_t value = {sealed, 4 + KC_CRYPTO_TAG_SIZE};

        if (kc_crypto_derive(job->key, "thread", nothing, key, NULL) != KC_OK ||
            memcmp(key, job->expected, sizeof(key)) != 0 ||
            kc_crypto_seal(key, iv, nothing, kc_buf_text("text"), sealed, NULL) != KC_OK ||
            kc_crypto_open(key, iv, nothing, value, back, NULL) != KC_OK ||
            memcmp(back, "text", 4) != 0)
            job->mistakes++;
    }
    return NULL;
}

START_TEST(several_threads_use_one_key)
{
    pthread_t threads[4];
    job_t jobs[4];
    size_t i;

    memset(jobs, 0, sizeof(jobs));
    for (i = 0; i < 4; i++) {
        jobs[i].key = i ? jobs[0].key : make_key("one", testlib_pool);
        ck_assert_int_eq(kc_crypto_derive(jobs[0].key, "thread", nothing, jobs[i].expected, NULL),
                         KC_OK);
    }
    for (i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, derive_and_seal, &jobs[i]), 0);
    for (i = 0; i < 4; i++) {
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        ck_assert_int_eq(jobs[i].mistakes, 0);
    }
}
END_TEST

START_TEST(a_key_works_after_fork)
{
    job_t job = {make_key("one", testlib_pool), {0}, 0};
    int status = -1;
    pid_t child;

    ck_assert_int_eq(kc_crypto_derive(job.key, "thread", nothing, job.expected, NULL), KC_OK);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (!child) {
        derive_and_seal(&job);
        _exit(job.mistakes ? 1 : 0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

Suite *kc_test_crypto(void)
{
    const int vector_count = (int)(sizeof(vectors) / sizeof(vectors[0]));
    Suite *suite = suite_create("crypto");
    TCase *tests = tcase_create("crypto");

    tcase_add_checked_fixture(tests, testlib_setup, testlib_teardown);
    tcase_add_test(tests, sha2_of_fips_180);
    tcase_add_test(tests, sha2_of_another_size_is_a_fault);
    tcase_add_test(tests, random_fills_everything);
    tcase_add_test(tests, comparison_and_cleansing);
    tcase_add_test(tests, oracle_agrees_with_rfc_5869);
    tcase_add_test(tests, derivation_is_hkdf);
    tcase_add_test(tests, derivation_differs_by_all_that_goes_in);
    tcase_add_test(tests, keys_outlive_each_other);
    tcase_add_loop_test(tests, gcm_of_the_specification, 0, vector_count);
    tcase_add_loop_test(tests, gcm_with_the_shared_cipher, 0, vector_count);
    tcase_add_test(tests, gcm_refuses_what_differs);
    tcase_add_test(tests, errors_are_forgotten);
    tcase_add_test(tests, several_threads_use_one_key);
    tcase_add_test(tests, a_key_works_after_fork);
    suite_add_tcase(suite, tests);
    return suite;
}
