/* Keys, tokens and small helpers that several suites share.
 * SPDX-License-Identifier: Apache-2.0 */
#include "testlib.h"

#include <apr_strings.h>
#include <check.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

apr_pool_t *testlib_pool;

static EVP_PKEY *keys[TESTLIB_KEYS];

typedef struct kind_t {
    unsigned int rsa_bits; /* 0: a curve */
    const char *group;     /* OpenSSL's name */
    const char *crv;
    size_t size; /* bytes of a coordinate */
} kind_t;

static const kind_t kinds[TESTLIB_KEYS] = {
    {2048, NULL, NULL, 0},     {2048, NULL, NULL, 0},     {1024, NULL, NULL, 0},
    {0, "P-256", "P-256", 32}, {0, "P-256", "P-256", 32}, {0, "P-384", "P-384", 48},
    {0, "P-521", "P-521", 66},
};

void testlib_setup(void)
{
    ck_assert_int_eq(apr_pool_create(&testlib_pool, NULL), APR_SUCCESS);
}

void testlib_teardown(void)
{
    apr_pool_destroy(testlib_pool);
    testlib_pool = NULL;
}

kc_bytes_t testlib_unhex(const char *hex)
{
    size_t len = strlen(hex) / 2, i;
    unsigned char *data = apr_palloc(testlib_pool, len + 1);
    kc_bytes_t bytes = {data, len};

    for (i = 0; i < len; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};

        data[i] = (unsigned char)strtoul(pair, NULL, 16);
    }
    return bytes;
}

const char *testlib_hex(const void *data, size_t len)
{
    char *text = apr_palloc(testlib_pool, 2 * len + 1);

    kc_buf_hex_to(data, len, text);
    return text;
}

EVP_PKEY *testlib_key(testlib_key_t which)
{
    const kind_t *kind = &kinds[which];

    if (!keys[which])
        keys[which] = kind->group ? EVP_EC_gen(kind->group) : EVP_RSA_gen(kind->rsa_bits);
    ck_assert_ptr_nonnull(keys[which]);
    return keys[which];
}

void testlib_keys_free(void)
{
    int i;

    for (i = 0; i < TESTLIB_KEYS; i++) {
        EVP_PKEY_free(keys[i]);
        keys[i] = NULL;
    }
}

static kc_bytes_t number(testlib_key_t which, const char *param, size_t size)
{
    BIGNUM *value = NULL;
    kc_bytes_t bytes;
    unsigned char *data;

    ck_assert_int_eq(EVP_PKEY_get_bn_param(testlib_key(which), param, &value), 1);
    bytes.len = size ? size : (size_t)BN_num_bytes(value);
    data = apr_palloc(testlib_pool, bytes.len);
    ck_assert_int_eq(BN_bn2binpad(value, data, (int)bytes.len), (int)bytes.len);
    BN_clear_free(value);
    bytes.data = data;
    return bytes;
}

kc_bytes_t testlib_number(testlib_key_t which, const char *name)
{
    size_t size = kinds[which].size;

    switch (*name) {
    case 'n':
        return number(which, OSSL_PKEY_PARAM_RSA_N, 0);
    case 'e':
        return number(which, OSSL_PKEY_PARAM_RSA_E, 0);
    case 'x':
        return number(which, OSSL_PKEY_PARAM_EC_PUB_X, size);
    case 'y':
        return number(which, OSSL_PKEY_PARAM_EC_PUB_Y, size);
    default:
        return number(which, size ? OSSL_PKEY_PARAM_PRIV_KEY : OSSL_PKEY_PARAM_RSA_D, size);
    }
}

static const char *number_text(testlib_key_t which, const char *name)
{
    return kc_buf_base64url(testlib_number(which, name), testlib_pool);
}

const char *testlib_jwk(testlib_key_t which, const char *more)
{
    if (kinds[which].crv)
        return apr_psprintf(
            testlib_pool, "{\"kty\":\"EC\",\"crv\":\"%s\",\"x\":\"%s\",\"y\":\"%s\"%s}",
            kinds[which].crv, number_text(which, "x"), number_text(which, "y"), more);
    return apr_psprintf(testlib_pool, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}",
                        number_text(which, "n"), number_text(which, "e"), more);
}

const char *testlib_private_jwk(testlib_key_t which, const char *more)
{
    return testlib_jwk(
        which, apr_psprintf(testlib_pool, ",\"d\":\"%s\"%s", number_text(which, "d"), more));
}

/* ---------------------------------------------------------------- tokens */

const char *testlib_compact(const char *header, const char *payload, kc_bytes_t signature)
{
    return apr_pstrcat(testlib_pool, kc_buf_base64url(kc_buf_text(header), testlib_pool), ".",
                       kc_buf_base64url(kc_buf_text(payload), testlib_pool), ".",
                       kc_buf_base64url(signature, testlib_pool), NULL);
}

static const char *signing_input(const char *header, const char *payload)
{
    return apr_pstrcat(testlib_pool, kc_buf_base64url(kc_buf_text(header), testlib_pool), ".",
                       kc_buf_base64url(kc_buf_text(payload), testlib_pool), NULL);
}

/* The digest that an alg's last three digits name. */
static const EVP_MD *digest_of(const char *alg)
{
    if (strcmp(alg + 2, "256") == 0)
        return EVP_sha256();
    return strcmp(alg + 2, "384") == 0 ? EVP_sha384() : EVP_sha512();
}

/* ECDSA's DER form as r and s side by side (RFC 7518 section 3.4). */
static kc_bytes_t raw_of_der(kc_bytes_t der, size_t size)
{
    const unsigned char *place = der.data;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &place, (long)der.len);
    unsigned char *data = apr_palloc(testlib_pool, 2 * size);
    kc_bytes_t raw = {data, 2 * size};

    ck_assert_ptr_nonnull(pair);
    ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_r(pair), data, (int)size), (int)size);
    ck_assert_int_eq(BN_bn2binpad(ECDSA_SIG_get0_s(pair), data + size, (int)size), (int)size);
    ECDSA_SIG_free(pair);
    return raw;
}

static kc_bytes_t signature_of(testlib_key_t which, const char *alg, const char *input)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVP_PKEY_CTX *options;
    unsigned char *data = apr_palloc(testlib_pool, 1024);
    kc_bytes_t signature = {data, 1024};

    ck_assert_int_eq(
        EVP_DigestSignInit(context, &options, digest_of(alg), NULL, testlib_key(which)), 1);
    if (alg[0] == 'P') {
        ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING), 0);
        ck_assert_int_gt(EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST), 0);
    }
    ck_assert_int_eq(
        EVP_DigestSign(context, data, &signature.len, (const unsigned char *)input, strlen(input)),
        1);
    EVP_MD_CTX_free(context);
    return kinds[which].size ? raw_of_der(signature, kinds[which].size) : signature;
}

const char *testlib_sign(testlib_key_t which, const char *alg, const char *header,
                         const char *payload)
{
    return testlib_compact(header, payload,
                           signature_of(which, alg, signing_input(header, payload)));
}

const char *testlib_sign_hmac(kc_bytes_t key, const char *header, const char *payload)
{
    return testlib_sign_hmac_of(256, key, header, payload);
}

const char *testlib_sign_hmac_of(int bits, kc_bytes_t key, const char *header, const char *payload)
{
    const EVP_MD *hash = bits == 256 ? EVP_sha256() : bits == 384 ? EVP_sha384() : EVP_sha512();
    const char *input = signing_input(header, payload);
    unsigned char sum[EVP_MAX_MD_SIZE];
    kc_bytes_t signature = {sum, 0};
    unsigned int len = 0;

    ck_assert_ptr_nonnull(
        HMAC(hash, key.data, (int)key.len, (const unsigned char *)input, strlen(input), sum, &len));
    signature.len = len;
    return testlib_compact(header, payload, signature);
}
