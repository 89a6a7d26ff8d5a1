/* Fuzz target: sealed values. Foreign bytes never crash; own values open again, but not with one
 * bit changed.
 * SPDX-License-Identifier: Apache-2.0 */
#include <apr_general.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/seal.h"
#include "reach.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEALED };

reach_t reach[] = {{"own value opened", 0}, {NULL, 0}};

enum { NOW = 1700000000 };

static apr_pool_t *forever;
static kc_seal_keys_t keys;
static kc_seal_use_t use;

/* APR maps its pools, so LeakSanitizer would not see that what they hold is still held. */
static void finish(void)
{
    apr_pool_destroy(forever);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    kc_crypto_key_t *key;

    (void)argc;
    (void)argv;
    if (apr_initialize() != APR_SUCCESS || apr_pool_create(&forever, NULL) != APR_SUCCESS ||
        kc_crypto_key_make(kc_buf_text("the key of the fuzz target"), forever, &key, NULL) != KC_OK)
        abort();
    keys.count = 1;
    keys.key[0] = key;
    use.purpose = "fuzz";
    use.binding = kc_buf_text("binding");
    use.context = kc_buf_text("context");
    /* Registered after OpenSSL's own, so it comes before that. */
    return atexit(finish);
}

static void open_foreign(kc_bytes_t sealed, apr_pool_t *pool)
{
    kc_bytes_t plain;
    kc_err_t err = {0};
    kc_rc_t rc = kc_seal_open(&keys, &use, NOW, sealed, pool, &plain, NULL, &err);

    if (rc != KC_OK && (plain.data || plain.len || err.reason != KC_ERR_SEAL))
        abort();
    if (rc != KC_OK && rc != KC_REFUSED && rc != KC_MISS)
        abort();
}

static void open_own(kc_bytes_t plain, apr_pool_t *pool)
{
    static const unsigned char iv[KC_CRYPTO_IV_SIZE] = {1};
    kc_bytes_t sealed, again;
    unsigned char *bytes;

    if (kc_seal_close(&keys, &use, NOW + 1, iv, plain, pool, &sealed, NULL) != KC_OK ||
        kc_seal_open(&keys, &use, NOW, sealed, pool, &again, NULL, NULL) != KC_OK ||
        again.len != plain.len || memcmp(again.data, plain.data, plain.len) != 0)
        abort();
    reach_note(SEALED);
    bytes = (unsigned char *)(uintptr_t)sealed.data;
    bytes[plain.data[0] % sealed.len] ^= (unsigned char)(1u << plain.data[0] % 8);
    if (kc_seal_open(&keys, &use, NOW, sealed, pool, &again, NULL, NULL) != KC_REFUSED)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kc_bytes_t input = {data, size};
    apr_pool_t *pool;

    if (apr_pool_create(&pool, NULL) != APR_SUCCESS)
        abort();
    open_foreign(input, pool);
    if (size && size <= KC_SEAL_MAX)
        open_own(input, pool);
    apr_pool_destroy(pool);
    return 0;
}
