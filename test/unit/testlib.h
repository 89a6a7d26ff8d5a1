/* Keys, tokens and small helpers that several suites share. They are made with OpenSSL directly,
 * not by the code under test.
 * SPDX-License-Identifier: Apache-2.0 */
#ifndef KC_TESTLIB_H
#define KC_TESTLIB_H

#include <apr_pools.h>
#include <openssl/evp.h>

#include "base/buf.h"

/* A pool of the suite's own, made before each test and destroyed after it (checked fixtures). */
extern apr_pool_t *testlib_pool;
void testlib_setup(void);
void testlib_teardown(void);

/* Bytes of a hex text, in testlib_pool. */
kc_bytes_t testlib_unhex(const char *hex);
/* Lower-case hex of bytes, in testlib_pool. */
const char *testlib_hex(const void *data, size_t len);

/* Key pairs made once for the process (the first call makes them) and never freed before its end.
 */
typedef enum {
    TESTLIB_RSA,       /* 2,048 bits */
    TESTLIB_RSA_OTHER, /* 2,048 bits */
    TESTLIB_RSA_SMALL, /* 1,024 bits */
    TESTLIB_P256,
    TESTLIB_P256_OTHER,
    TESTLIB_P384,
    TESTLIB_P521,
    TESTLIB_KEYS
} testlib_key_t;

EVP_PKEY *testlib_key(testlib_key_t which);
/* Frees them: an unchecked teardown, so that nothing is left at the end. */
void testlib_keys_free(void);

/* The JWK of a key as JSON text: its public members, then the text `more` ("" or
 * ",\"kid\":\"a\"…"). */
const char *testlib_jwk(testlib_key_t which, const char *more);
/* The same with the private member d. */
const char *testlib_private_jwk(testlib_key_t which, const char *more);
/* One member of a key's JWK ("n", "e", "x", "y") as raw bytes. */
kc_bytes_t testlib_number(testlib_key_t which, const char *name);

/* Signs header.payload (JSON texts as they are) as alg does (RS, PS, ES; 256, 384, 512), with
 * whatever key is given. */
const char *testlib_sign(testlib_key_t which, const char *alg, const char *header,
                         const char *payload);
/* header.payload.signature from texts and raw bytes. */
const char *testlib_compact(const char *header, const char *payload, kc_bytes_t signature);
/* HMAC-SHA256 (or another size: 384, 512) over header.payload under key. */
const char *testlib_sign_hmac_of(int bits, kc_bytes_t key, const char *header, const char *payload);
const char *testlib_sign_hmac(kc_bytes_t key, const char *header, const char *payload);

#endif
